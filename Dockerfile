# One image for Dagster's webserver, daemon and code server; steps run on EMR, so it needs no Java.
FROM python:3.11-slim

ENV DAGSTER_HOME=/opt/dagster \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

RUN useradd --create-home dagster && install --directory --owner dagster "$DAGSTER_HOME"

WORKDIR /opt/deputies_lake
COPY pyproject.toml setup.py README.md ./
COPY deputies_lake deputies_lake
RUN pip install --no-cache-dir '.[deployment]' \
    && cp deputies_lake/infrastructure/dagster.yaml "$DAGSTER_HOME/dagster.yaml"

USER dagster
WORKDIR /home/dagster
