"""`deputies-lake rollback`: readers get an earlier version again, for a reason. How is in `rollback.py`."""

from contextlib import suppress
from datetime import datetime, timedelta
from getpass import getuser
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import click

from deputies_lake.cli.history import publish_command
from deputies_lake.cli.options import environment_option, opened
from deputies_lake.environments import load_settings
from deputies_lake.quota_years import FIRST_YEAR, TIMEZONE, current_year

if TYPE_CHECKING:
    from deputies_lake.rollback import RolledBack

_FORMS: Final = (("%Y-%m-%d", timedelta(days=1)), ("%Y-%m-%d %H:%M", timedelta(minutes=1)))
_PAGES: Final = "dagster asset materialize -m deputies_lake.definitions --select serving/duckdb_file,serving/dashboard"


def _moment(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    """The end of the day, or of the minute, with its zone."""
    for form, span in _FORMS if value else ():
        with suppress(ValueError):
            return datetime.strptime(str(value), form).replace(tzinfo=ZoneInfo(TIMEZONE)) + span - timedelta.resolution
    if value:
        raise click.BadParameter(f"{value!r} is neither a day (2026-08-18) nor a minute ('2026-08-18 07:12')")
    return None


@click.command()
@click.argument("table", required=False)
@click.option("--year", type=int, help="Instead of a table: a quota year, in the fact and all marts.")
@click.option(
    "--to",
    metavar="MOMENT",
    callback=_moment,
    help="As it stood at the end of this day or minute, by Brasília's clock; before its last change unless given.",
)
@click.option("--release", is_flag=True, help="Let runs replace again what was rolled back.")
@click.option("--reason", required=True, help="Why; kept for good.")
@environment_option
def rollback(
    environment: str | None, table: str | None, year: int | None, to: datetime | None, reason: str, *, release: bool
) -> None:
    """Give readers an earlier version again: of a year, or of TABLE (layer.name). No run replaces it until released."""
    if (table is None) == (year is None):
        raise click.UsageError("say what: a TABLE, or --year")
    from deputies_lake.lakehouse.iceberg import ConcurrentCommitError
    from deputies_lake.resources.files import FilesResource
    from deputies_lake.rollback import (
        Request,
        RollbackError,
        release_table,
        release_year,
        roll_back_table,
        roll_back_year,
    )

    with opened(environment) as lake:
        archive = FilesResource.of(load_settings(environment)).open_archive()
        request = Request(lake=lake, archive=archive, reason=reason, by=getuser(), to=to)
        try:
            if release:
                release_year(request, year) if year else release_table(request, str(table))
            elif year:
                _tell(str(year), f"--year {year}", roll_back_year(request, year), _PAGES)
            else:
                everything = publish_command(f"--partition-range {FIRST_YEAR}...{current_year()}")
                _tell(str(table), str(table), roll_back_table(request, str(table)), everything)
        except (ConcurrentCommitError, RollbackError) as error:
            raise click.ClickException(str(error)) from error
    if release:
        years = f"--partition {year}" if year else f"--partition-range {FIRST_YEAR}...{current_year()}"
        click.echo(f"{year or table} may be replaced again. Have it made anew:")
        click.echo(f"  {publish_command(years)}")


def _tell(what: str, argument: str, done: "RolledBack", next_command: str) -> None:
    click.echo(f"{what} is again as it was published {done.since:%Y-%m-%d %H:%M}, in {len(done.tables)} tables")
    for word, (rows, amount) in (("before", done.before), ("now", done.after)):
        if rows:
            click.echo(f"  {word:<7}{rows:>9,} rows  BRL {amount:>16,.2f}")
    click.echo("No run replaces it. When they may again:")
    click.echo(f'  deputies-lake rollback {argument} --release --reason "..."')
    click.echo("Next, what is made of it:")
    click.echo(f"  {next_command}")
