"""`deputies-lake diff`: what changed in a year's figures between two days. How is in `history.py`."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import click

from deputies_lake.cli.options import environment_option, opened, year_option


@click.command()
@year_option
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

    with opened(environment) as lake:
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


def _line(added: int, removed: int, altered: int, before: Decimal, after: Decimal, name: str) -> None:
    click.echo(f"{added:>8,}{removed:>9,}{altered:>9,}{before:>18,.2f}{after:>18,.2f}{after - before:>+16,.2f}  {name}")
