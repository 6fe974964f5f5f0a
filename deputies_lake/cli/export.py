"""`deputies-lake export`: a table taken home. What the file looks like is said in `serving/exports.py`."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from deputies_lake.cli.options import environment_option, opened

_YEARS: Final = re.compile(r"([0-9]{4})(?:\.\.([0-9]{4}))?")


def _years(_: click.Context, __: click.Parameter, value: str | None) -> Sequence[int] | None:
    if value is None:
        return None
    found = _YEARS.fullmatch(value)
    if not found or int(found[1]) > int(found[2] or found[1]):
        raise click.BadParameter(f"{value!r} is neither a year nor a range of years: write 2022 or 2019..2022")
    return range(int(found[1]), int(found[2] or found[1]) + 1)


@click.command()
@click.option("--table", "name", required=True, help="Its name, such as mart_deputies.")
@click.option("--format", "kind", type=click.Choice(["csv", "parquet", "xlsx"]), default="csv", show_default=True)
@click.option("--years", callback=_years, metavar="YEARS", help="2022 or 2019..2022; all unless given.")
@click.option(
    "--to",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, replaced if it is there; named as the table, in this folder, unless given.",
)
@click.option(
    "--excel",
    is_flag=True,
    help="A CSV for a double click in Brazilian Excel; without this, one for programs.",
)
@environment_option
def export(
    environment: str | None, name: str, kind: str, years: Sequence[int] | None, path: Path | None, excel: bool
) -> None:
    """Write a table to a file, with its citation: beside a CSV, within Parquet and Excel."""
    from deputies_lake.serving import exports, reading
    from deputies_lake.serving.citation import is_invented

    if excel and kind != "csv":
        raise click.UsageError(f"--excel is about --format csv; {kind} is read right as it is")
    span = f"_{'-'.join(dict.fromkeys([str(years[0]), str(years[-1])]))}" if years else ""
    with opened(environment) as lake:
        table = reading.served(name)
        target = path or Path(f"{table.name}{span}.{kind}")
        try:
            done = exports.export(lake, table, target, kind=kind, years=years, excel=excel)
        except exports.ExportError as error:
            raise click.ClickException(str(error)) from error
        click.echo(f"{done.path}: {done.rows:,} rows{', all of them invented' if is_invented(lake) else ''}")
        if done.citation_path:
            click.echo(f"{done.citation_path}: how to cite it")
        if excel and done.rows >= exports.SHEET_ROWS:
            click.echo(f"Excel shows the first {exports.SHEET_ROWS - 1:,} of them only", err=True)
