"""A table as a file to take home: CSV, Parquet or Excel, each with its citation.

The CSV with decimal commas is for a double click in Brazilian Excel: ids stay text there, and no text becomes a
formula. The one with decimal points is for programs. Files are written beside their place and moved there when whole.
"""

import csv
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import duckdb

from deputies_lake.contracts import MONEY, SHARE, TOTAL, YEAR, Column, Table
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.serving.citation import Citation, citation
from deputies_lake.serving.reading import opened

SHEET_ROWS: Final = 1_048_576
"""As many as a sheet of Excel has."""

_BATCH: Final = 10_000

# Excel takes such texts for numbers and dates: it cuts an id's leading zeros, and of 19 digits it keeps 15.
_LOOKS_LIKE_A_NUMBER: Final = r"[\d.,/:\seE+-]*\d[\d.,/:\seE+-]*"
# What begins with one of these is a formula to spreadsheets, whoever wrote it.
_BEGINS_A_FORMULA: Final = r"[=+\-@\t\r\n].+"


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
    lake: Lake, table: Table, path: Path, *, kind: str, years: Collection[int] | None = None, comma: bool = True
) -> Export:
    """Write a served table, of `years` only where given, as `csv`, `parquet` or `xlsx`. What was at `path` is replaced.

    `comma` is about CSV: decimal commas, for Excel, or decimal points, for programs.

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
            _WRITERS[kind](connection, table, source, new, cited, comma)
    return Export(path=path, citation_path=_beside(path, cited) if kind == "csv" else None, rows=rows)


def _csv(
    connection: duckdb.DuckDBPyConnection, table: Table, source: str, path: Path, _: Citation, comma: bool
) -> None:
    columns = ", ".join(_for_excel(column) if comma else column.name for column in table.columns)
    connection.execute(f"SELECT {columns} {source}")
    encoding, delimiter = ("utf-8-sig", ";") if comma else ("utf-8", ",")
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\r\n")
        writer.writerow(table.column_names)
        while batch := connection.fetchmany(_BATCH):
            writer.writerows(batch if comma else [[_plain(value) for value in row] for row in batch])


def _plain(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _for_excel(column: Column) -> str:
    """The column as the text that Excel reads as what it is."""
    name = column.name
    if column.type in {MONEY, TOTAL, SHARE}:
        return f"replace({name}::VARCHAR, '.', ',')"
    if not _is_text(column):
        return f"{name}::VARCHAR"
    return (
        f"CASE WHEN regexp_full_match({name}::VARCHAR, '{_LOOKS_LIKE_A_NUMBER}') THEN '=\"' || {name} || '\"' "
        f"WHEN regexp_full_match({name}::VARCHAR, '{_BEGINS_A_FORMULA}', 's') THEN '''' || {name} "
        f"ELSE {name}::VARCHAR END"
    )


def _is_text(column: Column) -> bool:
    """Keys are numbers of 19 digits, of which spreadsheets keep 15."""
    return column.type == "string" or (column.type == "bigint" and column.name.endswith("_key"))


def _parquet(
    connection: duckdb.DuckDBPyConnection, table: Table, source: str, path: Path, cited: Citation, _: bool
) -> None:
    import pyarrow.parquet as pq

    batches = connection.execute(f"SELECT {', '.join(table.column_names)} {source}").to_arrow_reader(100_000)
    schema = batches.schema.with_metadata({"citation": json.dumps(cited.record(), ensure_ascii=False)})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch.replace_schema_metadata(schema.metadata))


def _xlsx(
    connection: duckdb.DuckDBPyConnection, table: Table, source: str, path: Path, cited: Citation, _: bool
) -> None:
    from xlsxwriter import Workbook

    # Row by row: memory does not grow with the table. No text is taken for anything else.
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with Workbook(str(path), {**options, "strings_to_numbers": False}) as book:
        bold = book.add_format({"bold": True})
        styles = [
            book.add_format({"num_format": form}) if (form := _NUMBER_FORMATS.get(c.type)) else None
            for c in table.columns
        ]
        sheet = book.add_worksheet(table.name[:31])
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, table.column_names, bold)
        for index, column in enumerate(table.columns):
            sheet.set_column(index, index, 28 if column.type == "string" else 16)
        columns = ", ".join(f"{c.name}::VARCHAR" if _is_text(c) else c.name for c in table.columns)
        connection.execute(f"SELECT {columns} {source}")
        at = 0
        while batch := connection.fetchmany(_BATCH):
            for row in batch:
                at += 1
                for index, value in enumerate(row):
                    if isinstance(value, str):
                        sheet.write_string(at, index, value)
                    elif value is not None:
                        sheet.write(at, index, value, styles[index])
        sheet.autofilter(0, 0, at, len(table.columns) - 1)
        told = book.add_worksheet("citacao_citation")
        told.set_column(0, 0, 120)
        for at, line in enumerate(cited.lines()):
            told.write_string(at, 0, line)


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
