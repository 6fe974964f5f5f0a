"""`deputies-lake history`, `diff` and `accept`: which versions of a year there were, and which may stand."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from deputies_lake.aws_commands import environment_option
from deputies_lake.environments import load_settings
from deputies_lake.quota_years import FIRST_YEAR, current_year

if TYPE_CHECKING:
    from deputies_lake.raw.archive import Archive
    from deputies_lake.resources.lake import Lake

_year: Final[Callable[[Any], Any]] = click.option("--year", type=int, required=True, help="Quota year.")


@click.command()
@_year
@environment_option
def history(environment: str | None, year: int) -> None:
    """Say which versions of a year's file the lake was offered, and which stood since when (by Brasília's clock)."""
    from deputies_lake import history as versions
    from deputies_lake.raw import chamber_expenses, file_versions
    from deputies_lake.raw.rejections import Rejections, told
    from deputies_lake.resources.files import FilesResource

    with _opened(environment) as lake:
        rows = versions.decisions(lake, year)
        if not rows:
            click.echo(f"The lake was never offered a file of {year}. Fetch it: deputies-lake fetch --years {year}")
        for row in rows:
            decided = row["decided_at"].replace(tzinfo=UTC).astimezone(versions.BRASILIA)
            click.echo(
                f"{decided:%Y-%m-%d %H:%M}  {row['decision']:<9}  {_figures(row)}  {row['file_name']}  "
                f"{row['sha256'][:12]}"
            )
            if row["rejected_rows"]:
                rejections = Rejections(rows=row["rejected_rows"], amount=row["rejected_amount"])
                click.echo(f"                  {told(rejections, rows=row['rows'])}")
            for note in ("faults", "remarks", "accepted_because"):
                if row[note]:
                    click.echo(f"                  {row[note]}")
        if rows and rows[-1]["decision"] == file_versions.BLOCKED:
            archive = FilesResource.of(load_settings(environment)).open_archive()
            if waiting := archive.acceptance(chamber_expenses.CSV, rows[-1]["sha256"]):
                since = datetime.fromisoformat(waiting.at).astimezone(versions.BRASILIA)
                click.echo(f"{since:%Y-%m-%d %H:%M}  accepted by {waiting.by}, waits to be published: {waiting.reason}")
                click.echo(f"                  {_publish(f'--partition {year}')}")


@click.command()
@_year
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="As it stood at the end of this day.")
@click.option(
    "--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="As it stood at the end of this day; now if not given."
)
@click.option(
    "--csv", "rows_to", type=click.Path(dir_okay=False, path_type=Path), help="Also write each changed row there."
)
@environment_option
def diff(
    environment: str | None, year: int, first: datetime | None, last: datetime | None, rows_to: Path | None
) -> None:
    """Say what changed in a year's figures between two days: rows and net BRL, by category.

    Without --from: what the last publication of the year changed.
    """
    from deputies_lake import history as versions

    with _opened(environment) as lake:
        after = versions.version_on(lake, last.date()) if last else versions.versions(lake)[-1]
        before = versions.version_on(lake, first.date()) if first else versions.before_last_change(lake, year, after)
        found = versions.diff(lake, year, before, after, rows_to)
        click.echo(f"{year}, from the version of {before.since:%Y-%m-%d %H:%M} to that of {after.since:%Y-%m-%d %H:%M}")
        if not found.changes:
            click.echo("Nothing changed.")
            return
        click.echo(f"{'added':>8}{'removed':>9}{'altered':>9}{'BRL before':>18}{'BRL after':>18}{'difference':>16}")
        for change in found.changes:
            _line(
                change.rows_added,
                change.rows_removed,
                change.rows_altered,
                change.before,
                change.after,
                change.category,
            )
        if found.unchanged:
            amount, others = found.unchanged_amount, f"other{'s' if found.unchanged > 1 else ''}"
            _line(0, 0, 0, amount, amount, f"{found.unchanged} {others}, unchanged")
        _line(
            sum(change.rows_added for change in found.changes),
            sum(change.rows_removed for change in found.changes),
            sum(change.rows_altered for change in found.changes),
            found.before,
            found.after,
            f"{year} in all",
        )
        if rows_to:
            click.echo(f"Each changed row: {rows_to}")


@click.command()
@click.option("--year", type=int, help="Quota year, of a file of the House.")
@click.option(
    "--source", type=click.Choice(["kaggle_reimbursements", "kaggle_refunds"]), help="Instead of a year: Kaggle's file."
)
@click.option("--reason", required=True, help="Why the file is right although it is doubted; kept with it.")
@environment_option
def accept(environment: str | None, year: int | None, source: str | None, reason: str) -> None:
    """Have a file published that was not believed, by the next materialization."""
    from deputies_lake.raw import chamber_expenses, intake
    from deputies_lake.resources.files import FilesResource

    if (year is None) == (source is None):
        raise click.UsageError("say which file: --year of the House's, or --source of Kaggle's")
    with _opened(environment) as lake:
        archive = FilesResource.of(load_settings(environment)).open_archive()
        try:
            if year is None:
                years = _accept_file(archive, str(source), reason)
            else:
                row = intake.accept(lake, archive, chamber_expenses.CSV, year=year, reason=reason, by=getuser())
                click.echo(f"Accepted {row['file_name']}, {row['sha256'][:12]}: {_figures(row).strip()}")
                click.echo(f"  {row['faults']}")
                years = f"--partition {year}"
        except intake.NothingToAcceptError as error:
            raise click.ClickException(str(error)) from error
    click.echo("Publish it:")
    click.echo(f"  {_publish(years)}")


def _accept_file(archive: "Archive", source: str, reason: str) -> str:
    """Gives the years for which what depends on the file is to be built again."""
    from deputies_lake.raw import kaggle_refunds, kaggle_reimbursements, single_file

    csv = next(csv for csv in (kaggle_reimbursements.CSV, kaggle_refunds.CSV) if csv.source_code == source)
    refusal = single_file.accept(archive, csv, reason=reason, by=getuser())
    click.echo(f"Accepted {refusal.file_name}, {refusal.sha256[:12]}")
    click.echo(f"  {refusal.problem}")
    return f"--partition-range {FIRST_YEAR}...{current_year()}"


def _publish(years: str) -> str:
    return f"dagster asset materialize -m deputies_lake.definitions --select '*' {years}"


def _figures(row: Mapping[str, Any]) -> str:
    if not row["header"]:
        return f"{'not read to its end':>36}"
    return f"{row['rows']:>9,} rows  BRL {row['net_amount']:>16,.2f}"


def _line(added: int, removed: int, altered: int, before: Decimal, after: Decimal, name: str) -> None:
    click.echo(f"{added:>8,}{removed:>9,}{altered:>9,}{before:>18,.2f}{after:>18,.2f}{after - before:>+16,.2f}  {name}")


@contextmanager
def _opened(environment: str | None) -> "Iterator[Lake]":
    """The environment's lake; what a person can mend becomes a message without a traceback."""
    # Opening a lake loads Dagster and more, which takes seconds; other verbs need none.
    from deputies_lake.history import NoVersionError
    from deputies_lake.resources.lake import LakeResource, MissingTableError

    try:
        yield LakeResource.of(load_settings(environment)).open()
    except (NoVersionError, MissingTableError) as error:
        raise click.ClickException(str(error)) from error
