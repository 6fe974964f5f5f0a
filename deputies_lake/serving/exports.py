"""A table as a file to take home: CSV, Parquet or Excel, each with its citation.

Columns are in the dictionary's order, but for keys, which only join tables: they come last. A CSV is for programs, such
as pandas, R and Datawrapper; with `excel` it is for a double click in Brazilian Excel: decimal commas, ids stay text,
and no text becomes a formula. Files are written beside their place and moved there when whole.
"""

import csv
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO
from uuid import uuid4

import duckdb

from deputies_lake.contracts import MONEY, SHARE, TOTAL, YEAR, Column, Table
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.serving.citation import Citation, citation
from deputies_lake.serving.reading import opened

if TYPE_CHECKING:
    from xlsxwriter import Workbook

SHEET_ROWS: Final = 1_048_576
"""As many as a sheet of Excel has."""

_BATCH: Final = 10_000

# Excel takes such texts for numbers and dates: it cuts an id's leading zeros, and of 19 digits it keeps 15.
_LOOKS_LIKE_A_NUMBER: Final = re.compile(r"[\d.,/:\seE+-]*\d[\d.,/:\seE+-]*")
# What begins with one of these is a formula to spreadsheets, whoever wrote it.
_BEGINS_A_FORMULA: Final = re.compile(r"[=+\-@\t\r\n].+", re.DOTALL)
_EXCELS_DIGITS: Final = 15
_MOST_LINKS: Final = 65_530
_LONGEST_LINK: Final = 2_079
"""What Excel takes: so many of a sheet, of so many characters."""


class ExportError(Exception):
    """What can't be exported as it was asked for. Says what can."""


# What numbers look like in Excel, which shows them in its user's own way.
_NUMBER_FORMATS: Final[Mapping[str, str]] = {
    MONEY: "#,##0.00",
    TOTAL: "#,##0.00",
    SHARE: "0.000000",
    "date": "yyyy-mm-dd",
    "timestamp_ntz": "yyyy-mm-dd hh:mm:ss",
}


@dataclass(frozen=True, kw_only=True)
class Export:
    """A file that was written, and the citation beside it where it holds none itself."""

    path: Path
    citation_path: Path | None
    rows: int


def export(
    lake: Lake, table: Table, path: Path, *, kind: str, years: Collection[int] | None = None, excel: bool = False
) -> Export:
    """Write a served table, of `years` only where given, as `csv`, `parquet` or `xlsx`. What was at `path` is replaced.

    `excel` is about CSV: one that Brazilian Excel opens right, not one for programs.

    Raises:
        ExportError: the table has no years, there are none of its rows, or too many for a sheet.
        MissingTableError: nothing was published yet.
    """
    if years is not None and YEAR not in table.column_names:
        raise ExportError(f"{table.identifier} is not by year: leave --years out")
    where = f"WHERE {YEAR} IN ({', '.join(map(str, years))})" if years is not None else ""
    cited = citation(lake, years, [table])
    with opened(lake, [table]) as connection:
        rows = connection.sql(f"SELECT count(*) FROM {table.identifier} {where}").fetchall()[0][0]
        if not rows:
            raise ExportError(f"{table.identifier} has no rows of these years; it has {_years(lake, table)}")
        if kind == "xlsx" and rows >= SHEET_ROWS:
            raise ExportError(
                f"{table.identifier} has {rows:,} rows, a sheet of Excel {SHEET_ROWS:,}: "
                "choose fewer with --years, or --format csv or parquet"
            )
        order = ", ".join(table.key)
        source = f"FROM {table.identifier} {where} ORDER BY {order}"
        with _in_place_of(path) as new:
            _WRITERS[kind](connection, table, source, new, cited, excel)
    return Export(path=path, citation_path=_beside(path, cited) if kind == "csv" else None, rows=rows)


def readable_first(table: Table) -> list[Column]:
    """The table's columns in the order in which they are exported."""
    return sorted(table.columns, key=_is_key)


def _is_key(column: Column) -> bool:
    return column.name.endswith("_key")


def _csv(
    connection: duckdb.DuckDBPyConnection, table: Table, source: str, path: Path, _: Citation, excel: bool
) -> None:
    connection.execute(f"SELECT {_names(table)} {source}")
    with path.open("w", encoding="utf-8", newline="") as file:
        write = rows_into(file, [column.name for column in readable_first(table)], excel=excel)
        while batch := connection.fetchmany(_BATCH):
            write(batch)


def rows_into(file: TextIO, columns: Sequence[str], *, excel: bool) -> Callable[[Iterable[Sequence[Any]]], None]:
    """Begin a CSV with its header; what is returned writes rows to it. `excel`: as Brazilian Excel opens it right."""
    shown = _for_excel if excel else _plain
    if excel:
        file.write("\ufeff")
    writer = csv.writer(file, delimiter=";" if excel else ",", lineterminator="\r\n")
    writer.writerow(columns)
    return lambda rows: writer.writerows([shown(value) for value in row] for row in rows)


def _plain(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _for_excel(value: Any) -> Any:
    """The value as the text that Excel reads as what it is."""
    if isinstance(value, Decimal | float):
        return str(value).replace(".", ",")
    text = str(value)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if (is_number and len(text) > _EXCELS_DIGITS) or (isinstance(value, str) and _LOOKS_LIKE_A_NUMBER.fullmatch(text)):
        return f'="{text}"'
    if isinstance(value, str) and _BEGINS_A_FORMULA.fullmatch(text):
        return f"'{text}"
    return _plain(value)


def _names(table: Table) -> str:
    return ", ".join(column.name for column in readable_first(table))


def _parquet(
    connection: duckdb.DuckDBPyConnection, table: Table, source: str, path: Path, cited: Citation, _: bool
) -> None:
    import pyarrow.parquet as pq

    batches = connection.execute(f"SELECT {_names(table)} {source}").to_arrow_reader(100_000)
    schema = batches.schema.with_metadata({"citation": json.dumps(cited.record(), ensure_ascii=False)})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch.replace_schema_metadata(schema.metadata))


def _xlsx(
    connection: duckdb.DuckDBPyConnection, table: Table, source: str, path: Path, cited: Citation, _: bool
) -> None:
    from xlsxwriter import Workbook

    columns = readable_first(table)
    # Row by row: memory does not grow with the table. No text is taken for anything else.
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with Workbook(str(path), {**options, "strings_to_numbers": False}) as book:
        bold = book.add_format({"bold": True})
        styles = [
            book.add_format({"num_format": form}) if (form := _NUMBER_FORMATS.get(c.type)) else None for c in columns
        ]
        sheet = book.add_worksheet(table.name[:31])
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, [column.name for column in columns], bold)
        for index, column in enumerate(columns):
            sheet.set_column(index, index, 28 if column.type == "string" else 16)
        names = ", ".join(f"{c.name}::VARCHAR" if _is_text(c) else c.name for c in columns)
        connection.execute(f"SELECT {names} {source}")
        at = links = 0
        while batch := connection.fetchmany(_BATCH):
            for row in batch:
                at += 1
                for index, value in enumerate(row):
                    if isinstance(value, str) and links < _MOST_LINKS and _is_link(value):
                        links += 1
                        sheet.write_url(at, index, value)
                    elif isinstance(value, str):
                        sheet.write_string(at, index, value)
                    elif value is not None:
                        sheet.write(at, index, value, styles[index])
        sheet.autofilter(0, 0, at, len(columns) - 1)
        _write_lines(book, "dicionario_dictionary", _meanings(columns))
        _write_lines(book, "citacao_citation", [[line] for line in cited.lines()])


def _is_text(column: Column) -> bool:
    """Keys are numbers of 19 digits, of which spreadsheets keep 15."""
    return column.type == "string" or (column.type == "bigint" and _is_key(column))


def _is_link(text: str) -> bool:
    return text.startswith("https://") and len(text) <= _LONGEST_LINK


def _meanings(columns: Sequence[Column]) -> list[Sequence[str]]:
    """What each column means, below a header."""
    told = [(c.name, c.pt, c.en, c.type, c.published or "", c.example or "") for c in columns]
    return [("coluna / column", "significado", "meaning", "tipo / type", "na fonte / published", "exemplo"), *told]


def _write_lines(book: "Workbook", name: str, lines: Iterable[Sequence[str]]) -> None:
    """A sheet of texts."""
    sheet = book.add_worksheet(name)
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 2, 80)
    for at, line in enumerate(lines):
        for index, text in enumerate(line):
            sheet.write_string(at, index, text)


_WRITERS: Final[Mapping[str, Callable[[duckdb.DuckDBPyConnection, Table, str, Path, Citation, bool], None]]] = {
    "csv": _csv,
    "parquet": _parquet,
    "xlsx": _xlsx,
}

FORMATS: Final = tuple(_WRITERS)


@contextmanager
def _in_place_of(path: Path) -> Iterator[Path]:
    """Where to write what takes the place of `path` if all goes well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        yield new
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _beside(path: Path, cited: Citation) -> Path:
    beside = path.with_name(f"{path.name}.citation.txt")
    with _in_place_of(beside) as new:
        new.write_text("\n".join([*cited.lines(), ""]), encoding="utf-8")
    return beside


def _years(lake: Lake, table: Table) -> str:
    years = lake.years(table) if table.partitioned else []
    return ", ".join(map(str, years)) or "none at all"
