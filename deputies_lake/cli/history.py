"""`deputies-lake history`: which versions of a year's file the lake was offered. What is known is in `history.py`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from deputies_lake.cli.options import environment_option, opened, year_option
from deputies_lake.environments import load_settings
from deputies_lake.quota_years import TIMEZONE


@click.command()
@year_option
@environment_option
def history(environment: str | None, year: int) -> None:
    """Say which versions of a year's file the lake was offered, which stood since when, and what was rolled back.

    By Brasília's clock.
    """
    from deputies_lake import history as versions
    from deputies_lake.raw import chamber_expenses, file_versions
    from deputies_lake.raw.rejections import Rejections, told
    from deputies_lake.resources.files import FilesResource

    with opened(environment) as lake:
        rows = versions.decisions(lake, year)
        if not rows:
            click.echo(f"The lake was never offered a file of {year}. Fetch it: deputies-lake fetch --years {year}")
        for row in rows:
            decided = row["decided_at"].replace(tzinfo=UTC).astimezone(versions.BRASILIA)
            click.echo(
                f"{decided:%Y-%m-%d %H:%M}  {row['decision']:<9}  {figures(row)}  {row['file_name']}  "
                f"{row['sha256'][:12]}"
            )
            if row["rejected_rows"]:
                rejections = Rejections(rows=row["rejected_rows"], amount=row["rejected_amount"])
                click.echo(f"                  {told(rejections, rows=row['rows'])}")
            for note in ("faults", "remarks", "accepted_because"):
                if row[note]:
                    click.echo(f"                  {row[note]}")
        archive = FilesResource.of(load_settings(environment)).open_archive()
        is_blocked = rows and rows[-1]["decision"] == file_versions.BLOCKED
        if is_blocked and (waiting := archive.acceptance(chamber_expenses.CSV, rows[-1]["sha256"])):
            click.echo(f"{_clock(waiting.at)}  accepted by {waiting.by}, waits to be published: {waiting.reason}")
            click.echo(f"                  {publish_command(f'--partition {year}')}")
        for one in archive.rollbacks():
            if one.year in (year, None):
                what = f"rolled back to the version of {_clock(one.since)}" if one.since else "may be replaced again"
                click.echo(f"{_clock(one.at)}  {one.table or one.year} {what}, by {one.by}: {one.reason}")


def _clock(moment: str) -> str:
    """An ISO 8601 moment by Brasília's clock."""
    return f"{datetime.fromisoformat(moment).astimezone(ZoneInfo(TIMEZONE)):%Y-%m-%d %H:%M}"


def publish_command(years: str) -> str:
    """What publishes a version that was accepted; `years` are the options that choose partitions."""
    return f"dagster asset materialize -m deputies_lake.definitions --select '*' {years}"


def figures(row: Mapping[str, Any]) -> str:
    """Rows and net amount of a version of a file, a row of `raw.file_versions`."""
    if not row["header"]:
        return f"{'not read to its end':>36}"
    return f"{row['rows']:>9,} rows  BRL {row['net_amount']:>16,.2f}"
