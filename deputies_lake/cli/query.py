"""`deputies-lake query`: asking the lake. What a question may read is said in `serving/reading.py`."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from deputies_lake.cli.options import environment_option, opened
from deputies_lake.contracts import YEAR

if TYPE_CHECKING:
    import duckdb

_SHOWN_ROWS: Final = 200
_WIDEST: Final = 10_000
_BATCH: Final = 10_000
_SWAPPED: Final = str.maketrans(",.", ".,")


@click.command()
@click.argument("sql", required=False)
@click.option("--question", type=int, help="One of the ready-made questions, by its number.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="Of the answer.",
)
@click.option("--excel", is_flag=True, help="CSV that opens right in Brazilian Excel, whatever --format says.")
@click.option(
    "--language",
    type=click.Choice(["en", "pt"]),
    default="en",
    show_default=True,
    help="Of a table's numbers (1,234.56 or 1.234,56) and of the notes.",
)
@environment_option
def query(
    environment: str | None, sql: str | None, question: int | None, kind: str, language: str, *, excel: bool
) -> None:
    """Answer SQL (one SELECT, in DuckDB's dialect) from what is published now; or q03, a ready-made question.

    Tables are star.NAME and serving.NAME, or just NAME. Without a question: which tables and questions there are. What
    qualifies the figures goes to the error stream.
    """
    from deputies_lake.serving import reading
    from deputies_lake.serving.citation import INVENTED_EN, INVENTED_PT, is_invented

    if sql is None and question is None:
        _tell_what_there_is(language)
        return
    wanted = _asked(sql, question)
    with opened(environment) as lake, reading.asked(lake, wanted) as connection:
        if is_invented(lake):
            click.secho(INVENTED_PT if language == "pt" else INVENTED_EN, err=True, fg="yellow")
        columns = [name for name, *_ in connection.description or ()]
        has_values, years = _WRITERS["excel" if excel else kind](connection, columns, language)
        tables = reading.tables_in(wanted)
    with opened(environment) as lake:
        if not has_values:
            in_pt, in_en = reading.why_empty(lake, wanted)
            click.echo(in_pt if language == "pt" else in_en, err=True)
        for note in reading.notes(lake, tables, years):
            click.secho(_note(note, language), err=True, dim=True)


def _tell_what_there_is(language: str) -> None:
    from deputies_lake.serving.questions import QUESTIONS
    from deputies_lake.tables import served_tables

    for question in QUESTIONS:
        click.echo(f"q{question.number:02}  {getattr(question, f'title_{language}')}")
    click.echo()
    for table in served_tables().values():
        click.echo(f"{table.identifier:<34}  {getattr(table, language)}")


def _asked(sql: str | None, number: int | None) -> str:
    from deputies_lake.serving.questions import QUESTIONS

    if sql and number is not None:
        raise click.UsageError("give either SQL or --question")
    if sql and (named := re.fullmatch(r"q([0-9]{1,2})", sql.strip())):
        number = int(named[1])
    if number is None:
        return sql or ""
    for question in QUESTIONS:
        if question.number == number:
            return str(question.sql)
    raise click.UsageError(f"there is no question {number}; there are 1 to {len(QUESTIONS)}")


_Written = tuple[bool, Sequence[int] | None]
"""Whether there was anything in the answer, and the years that it is about, None where it does not say."""


def _as_table(connection: "duckdb.DuckDBPyConnection", columns: Sequence[str], language: str) -> _Written:
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    rows = connection.fetchmany(_SHOWN_ROWS + 1)
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    numeric = [
        all(isinstance(row[i], int | float | Decimal) or row[i] is None for row in rows) for i in range(len(columns))
    ]
    for name, is_numeric in zip(columns, numeric, strict=True):
        grid.add_column(Text(name), justify="right" if is_numeric else "left", overflow="fold")
    for row in rows[:_SHOWN_ROWS]:
        grid.add_row(*(Text(_shown(name, value, language)) for name, value in zip(columns, row, strict=True)))
    # Into a file or a pipe, nothing is wrapped.
    Console(width=None if sys.stdout.isatty() else _WIDEST, highlight=False).print(grid)
    if len(rows) > _SHOWN_ROWS:
        click.echo(f"The first {_SHOWN_ROWS} rows; all of them: --format csv", err=True)
    return _has_values(rows), _years_of(columns, rows)


def _as_csv(
    connection: "duckdb.DuckDBPyConnection", columns: Sequence[str], _: str, *, excel: bool = False
) -> _Written:
    from deputies_lake.serving.exports import rows_into

    write, years, has_values = rows_into(sys.stdout, columns, excel=excel), set[int](), False
    while rows := connection.fetchmany(_BATCH):
        write(rows)
        years.update(_years_of(columns, rows) or ())
        has_values = has_values or _has_values(rows)
    return has_values, sorted(years) if YEAR in columns else None


def _as_json(connection: "duckdb.DuckDBPyConnection", columns: Sequence[str], _: str) -> _Written:
    import json

    def number(value: Any) -> Any:
        # Up to 15 digits a float is written as the decimal it came from.
        return float(value) if isinstance(value, Decimal) else str(value)

    rows = connection.fetchall()
    click.echo(
        json.dumps([dict(zip(columns, row, strict=True)) for row in rows], default=number, ensure_ascii=False, indent=1)
    )
    return _has_values(rows), _years_of(columns, rows)


_WRITERS: Final[Mapping[str, Callable[["duckdb.DuckDBPyConnection", Sequence[str], str], _Written]]] = {
    "table": _as_table,
    "csv": _as_csv,
    "excel": partial(_as_csv, excel=True),
    "json": _as_json,
}


def _has_values(rows: Sequence[Sequence[Any]]) -> bool:
    """Whether there is anything to see: the sum of no rows is a row without a value."""
    return any(value is not None for row in rows for value in row)


def _years_of(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Sequence[int] | None:
    if YEAR not in columns:
        return None
    at = columns.index(YEAR)
    return sorted({row[at] for row in rows if isinstance(row[at], int)})


def _shown(name: str, value: Any, language: str) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal | float) or (
        isinstance(value, int) and not isinstance(value, bool) and _is_amount(name)
    ):
        text = f"{value:,}"
        return text.translate(_SWAPPED) if language == "pt" else text
    if isinstance(value, date) and language == "pt":
        return f"{value:%d/%m/%Y}"
    return str(value)


def _is_amount(name: str) -> bool:
    """Years, months and keys are no amounts: they are read digit by digit."""
    return name not in {YEAR, "month"} and not name.endswith(("_key", "_id", "_year", "_month"))


def _note(note: Any, language: str) -> str:
    first, last = (f"{month:%Y-%m}" if month else "" for month in (note.first_month, note.last_month))
    span = f" ({first}..{last})" if first or last else ""
    return f"{'Nota' if language == 'pt' else 'Note'}{span}: {note.text_pt if language == 'pt' else note.text_en}"
