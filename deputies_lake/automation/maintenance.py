"""The weekly clean-up of the lake's tables, as a job and its schedule. What is removed says `maintenance.py`."""

from typing import Any, Final

import dagster as dg

from deputies_lake.assets import STEP
from deputies_lake.environments import Environment, Settings, load_settings
from deputies_lake.maintenance import Cleaned, clean
from deputies_lake.quota_years import TIMEZONE

WEEKLY: Final = "0 10 * * 0"
"""When the weekly look at all years is done: what it replaced is then one version more to be read, and no leftover."""

_OP: Final = "clean_tables"
_COLUMNS: Final = {
    "table": "string",
    "versions kept": "int",
    "versions expired": "int",
    "files removed": "int",
    "bytes removed": "int",
}


class CleanTables(dg.Config):
    """`dry_run`: only say what would be removed."""

    dry_run: bool = True


# On a cluster like all that touches data: Dagster's host may not delete from the lake.
@dg.op(
    name=_OP,
    required_resource_keys={"lake", "settings", "pyspark_step_launcher"},
    out=dg.Out(dg.Nothing),
    retry_policy=STEP["retry_policy"],
    pool=STEP["pool"],
)
def _clean_tables(context: dg.OpExecutionContext, config: CleanTables) -> None:
    """Forgets the tables' versions that were replaced long ago, and deletes the files that no version refers to."""
    settings = load_settings(context.resources.settings.environment)
    cleaned: list[Cleaned] = []
    lake = context.resources.lake.open()
    for table in clean(lake, settings, dry_run=config.dry_run):
        context.log.info(f"{table.table}: {table.expired} versions, {table.files} files, {table.size:,} bytes")
        cleaned.append(table)
    context.add_output_metadata({"tables": _table(cleaned), "dry_run": config.dry_run, **_totals(cleaned)})
    if damaged := lake.damaged():
        raise dg.Failure(description="; ".join(map(str, damaged)), allow_retries=False)


def _totals(cleaned: list[Cleaned]) -> dict[str, Any]:
    return {
        "versions": sum(table.expired for table in cleaned),
        "files": sum(table.files for table in cleaned),
        "bytes": sum(table.size for table in cleaned),
    }


def _table(cleaned: list[Cleaned]) -> dg.TableMetadataValue:
    records = [
        dg.TableRecord(dict(zip(_COLUMNS, (t.table, t.kept, t.expired, t.files, t.size), strict=True))) for t in cleaned
    ]
    columns = [dg.TableColumn(name, kind) for name, kind in _COLUMNS.items()]
    return dg.MetadataValue.table(records, dg.TableSchema(columns=columns))


@dg.job(executor_def=dg.in_process_executor)
def maintain_tables() -> None:
    """Remove versions replaced long ago and files of no version. Removes nothing unless `dry_run` is false."""
    _clean_tables()


def maintenance_definitions(settings: Settings) -> dg.Definitions:
    """The job and its weekly schedule, which runs by itself in prod; elsewhere whoever wants it switches it on."""
    schedule = dg.ScheduleDefinition(
        job=maintain_tables,
        cron_schedule=WEEKLY,
        execution_timezone=TIMEZONE,
        run_config={"ops": {_OP: {"config": {"dry_run": False}}}},
        default_status=(
            dg.DefaultScheduleStatus.RUNNING
            if settings.environment is Environment.PROD
            else dg.DefaultScheduleStatus.STOPPED
        ),
    )
    return dg.Definitions(jobs=[maintain_tables], schedules=[schedule])
