"""A run's progress in one line per step and table, for people who wait at a terminal.

A Dagster logger: choose it in a run's configuration, `{"loggers": {"progress": {}}}`. The full event log is in the
instance and in the UI either way.
"""

import logging
import time
from typing import Final

import click
import dagster as dg
from dagster import DagsterEvent, DagsterEventType

RUN_CONFIG: Final[dict[str, dict[str, dict[str, str]]]] = {"loggers": {"progress": {}}}


# How Dagster ends a line about each step that comes after one that failed. Who started the run is told of them at once.
_NOT_EXECUTED: Final = "Not executing."


class _Progress(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._started = time.monotonic()
        self._told: set[dg.AssetKey] = set()

    def emit(self, record: logging.LogRecord) -> None:
        meta = getattr(record, "dagster_meta", {})
        event = meta.get("dagster_event")
        if event is not None:
            text = self._described(event)
        else:
            message = meta.get("orig_message", record.getMessage())
            is_news = record.levelno >= logging.INFO and not message.endswith(_NOT_EXECUTED)
            text = f"  {message}" if is_news else None
        if text:
            click.echo(f"{time.monotonic() - self._started:6.1f}s  {text}")

    def _described(self, event: DagsterEvent) -> str | None:
        match event.event_type:
            case DagsterEventType.STEP_START:
                return f"{event.step_key} ..."
            case DagsterEventType.STEP_FAILURE:
                return click.style(f"{event.step_key} failed", fg="red")
            case DagsterEventType.ASSET_MATERIALIZATION:
                # A range of years is one event for each year.
                materialization = event.step_materialization_data.materialization
                if materialization.asset_key not in self._told:
                    self._told.add(materialization.asset_key)
                    return _table(materialization)
            case DagsterEventType.ASSET_CHECK_EVALUATION:
                check = event.asset_check_evaluation_data
                if not check.passed:
                    name = f"{check.asset_key.to_user_string()} {check.check_name}"
                    stops = check.severity is dg.AssetCheckSeverity.ERROR
                    word, color = ("check failed", "red") if stops else ("to know", "yellow")
                    return click.style(f"  {word}: {name}: {check.description}", fg=color)
        return None


@dg.logger({}, description="One line per step and table, for people at a terminal.")
def progress_logger(_: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("deputies_lake.automation.progress", logging.DEBUG)  # noqa: LOG001 - one run's own, not shared
    logger.addHandler(_Progress())
    return logger


def _table(materialization: dg.AssetMaterialization) -> str:
    rows = materialization.metadata.get("dagster/row_count")
    # What is made for people to open has none.
    what = f"{rows.value:,} rows" if rows else "made"
    return f"  {materialization.asset_key.to_user_string()}: {what}"
