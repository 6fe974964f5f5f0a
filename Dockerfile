# One image for Dagster's webserver, daemon and code server; steps run on EMR, so it needs no Java.
# By digest where one is given: see docs/aws.md.
ARG PYTHON_IMAGE=python:3.11-slim
FROM ${PYTHON_IMAGE}

ENV DAGSTER_HOME=/opt/dagster \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

RUN useradd --create-home dagster && install --directory --owner dagster "$DAGSTER_HOME"

WORKDIR /opt/deputies_lake
COPY deputies_lake/requirements.lock ./
RUN pip install --no-cache-dir --no-deps --require-hashes --requirement requirements.lock
COPY pyproject.toml setup.py README.md ./
COPY deputies_lake deputies_lake
RUN pip install --no-cache-dir --no-deps . \
    && cp deputies_lake/infrastructure/dagster.yaml "$DAGSTER_HOME/dagster.yaml"

USER dagster
WORKDIR /home/dagster
