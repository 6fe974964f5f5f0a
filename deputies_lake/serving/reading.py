"""Asking the lake in SQL, straight from its catalog: only what readers may see, and nothing can be changed.

A question is looked at before it is asked, and only the tables that it reads are opened: the answer is never older than
the catalog and comes in a fraction of a second. How it is shown is in `cli/query.py`, how it becomes a file in
`exports.py`.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any, Final

import duckdb

from deputies_lake.checks.audit import auditor
from deputies_lake.contracts import LAYERS, YEAR, Table
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.serving import publications
from deputies_lake.star import fct_expenses, ref_known_gaps
from deputies_lake.tables import SERVED, served_tables

_CLOSED: Final = (
    "SET enable_external_access = false",
    # Else a name that is no table's may find a variable of this program.
    "SET python_enable_replacements = false",
    "SET lock_configuration = true",
)
_DUCKDB_TYPES: Final = {"timestamp_ntz": "timestamp"}
"""Where DuckDB's name of a type differs from a contract's."""
_NO_TABLE: Final = re.compile(r'^Catalog Error: Table with name "?(.+?)"? does not exist')
_NO_COLUMN: Final = re.compile(
    r'Referenced column "(.+?)" not found|does not have a column named "(.+?)"|Column "(.+?)" does not exist on'
)
_ASKED_YEARS: Final = re.compile(rf"\b{YEAR}\"?\s*(?:=+|IN\s*\(|BETWEEN)((?:[\s,]|AND\b|[0-9]{{4}}\b)+)", re.IGNORECASE)
_FIGURES: Final = ("mart_", "receipts", "fct_expenses")
_PARTIES: Final = "_parties"


class QueryError(Exception):
    """A question that can't be answered. Says what is wrong with it and what there is instead."""


@dataclass(frozen=True, kw_only=True)
class Note:
    """What qualifies an answer: a known gap that touches it. Months are first days, None where there is no such end."""

    first_month: date | None
    last_month: date | None
    text_pt: str
    text_en: str


def served(name: str) -> Table:
    """The served table of this name, with or without its layer. Raises `QueryError`, which names similar ones."""
    layer, _, bare = name.replace('"', "").lower().rpartition(".")
    table = served_tables().get(bare)
    if table and layer in {"", table.layer}:
        return table
    if layer in set(LAYERS) - {*SERVED}:
        raise QueryError(f"{name} can't be read: {layer} holds personal ids; readers have {' and '.join(SERVED)}")
    near = get_close_matches(bare, served_tables(), n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; deputies-lake query, without more, lists the tables"
    raise QueryError(f"there is no table {name}{hint}")


def tables_in(sql: str) -> Sequence[Table]:
    """The served tables that a single SELECT reads, whole (`star.dim_dates`) or by name alone.

    DuckDB itself looks for the names, in empty tables: so whatever it can read is understood, and a mistake is told
    before the lake is opened. Raises `QueryError` for it, for anything else than one SELECT, and for a table that is
    not served.
    """
    found: dict[str, Table] = {}
    with duckdb.connect(config={"enable_external_access": "false"}) as empty:
        try:
            statements = empty.extract_statements(sql)
            # A PIVOT begins with a type that DuckDB makes for it, which nobody typed.
            typed = [one.type for one in statements if one.query or one.type != duckdb.StatementType.CREATE]
            if typed != [duckdb.StatementType.SELECT]:
                raise QueryError("a query is one SELECT; the lake is only read from")
            empty.execute("SET python_enable_replacements = false")
            _make_schemas(empty)
            while missing := _missing(empty, sql):
                table = served(missing)
                if table.name in found:
                    raise QueryError(f"there is no table {table.name} in that layer; it is {table.identifier}")
                found[table.name] = table
                _make_empty(empty, table)
        except duckdb.Error as error:
            raise QueryError(_hint(error, found.values()) or _told(error)) from error
    return [*found.values()]


def _missing(connection: duckdb.DuckDBPyConnection, sql: str) -> str | None:
    """The first table that the question reads and the connection does not have. It is looked at, not asked."""
    try:
        connection.sql(sql)
    except duckdb.CatalogException as error:
        if missing := _NO_TABLE.search(str(error)):
            return missing[1]
        raise
    return None


def _make_schemas(connection: duckdb.DuckDBPyConnection) -> None:
    for layer in SERVED:
        connection.execute(f"CREATE SCHEMA {layer}")


def _make_empty(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    columns = ", ".join(f"{column.name} {_DUCKDB_TYPES.get(column.type, column.type)}" for column in table.columns)
    connection.execute(f"CREATE TABLE main.{table.name} ({columns})")
    connection.execute(f"CREATE VIEW {table.identifier} AS FROM main.{table.name}")


@contextmanager
def opened(lake: Lake, tables: Iterable[Table]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection with these tables as `layer.table` and as `table`, which can read nothing else.

    Raises `MissingTableError`.
    """
    with auditor() as connection:
        files = []
        _make_schemas(connection)
        for table in tables:
            select = lake.select(table)
            if select:
                files += [file.removeprefix("file://") for file in lake.files(table)]
            else:
                select = f"FROM temp.{lake.view(connection, table)}"
            connection.execute(f"CREATE VIEW main.{table.name} AS {select}")
            connection.execute(f"CREATE VIEW {table.identifier} AS FROM main.{table.name}")
        allowed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        connection.execute(f"SET allowed_paths = [{allowed}]")
        for setting in _CLOSED:
            connection.execute(setting)
        yield connection


@contextmanager
def asked(lake: Lake, sql: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the answer to a question. Raises `QueryError`, `MissingTableError`, `DamagedTableError`.

    What reads no table may ask for their names (`SHOW TABLES`), so it finds them all, without their rows.
    """
    tables = tables_in(sql)
    with opened(lake, tables) as connection:
        if not tables:
            for table in served_tables().values():
                _make_empty(connection, table)
        try:
            connection.execute(sql)
            yield connection
        except duckdb.Error as error:
            for table in tables:
                lake.require_whole(table)
            raise QueryError(_told(error)) from error


def why_empty(lake: Lake, sql: str) -> tuple[str, str]:
    """What is to be said of an answer without rows, as far as it can be told why, in Portuguese and English."""
    if any(YEAR in table.column_names for table in tables_in(sql)):
        known = lake.years(fct_expenses.TABLE)
        wanted = sorted({int(year) for asked in _ASKED_YEARS.findall(sql) for year in re.findall(r"\d{4}", asked)})
        if absent := [str(year) for year in wanted if year not in known]:
            names, lake_has = ", ".join(absent), ", ".join(map(str, known)) or "-"
            pt = "o ano {} não está" if len(absent) == 1 else "os anos {} não estão"
            en = "year {} is" if len(absent) == 1 else "years {} are"
            return (
                f"0 linhas; {pt.format(names)} neste lake, que tem {lake_has}",
                f"0 rows; {en.format(names)} not in this lake, which has {lake_has}",
            )
    if "'" in sql:
        return (
            "0 linhas; textos são comparados letra por letra: ILIKE '%trecho%' acha parte deles, em qualquer caixa",
            "0 rows; texts are compared letter by letter: ILIKE '%part%' finds a part of them, in any case",
        )
    return "0 linhas satisfazem as condições", "0 rows meet the conditions"


def notes(lake: Lake, tables: Collection[Table], years: Collection[int] | None = None) -> list[Note]:
    """What changes totals or comparisons of these tables, of `years` only where given: gaps, months and lines missing.

    Of tables of parties also whose party it is.
    """
    of_receipts = [table for table in tables if "source_code" in table.column_names and table.name.startswith(_FIGURES)]
    gaps = lake.rows(ref_known_gaps.TABLE)
    if not of_receipts or not gaps:
        return []
    sources = _sources(lake, of_receipts, years)
    told = {ref_known_gaps.OF_PARTIES} if any(_PARTIES in table.name for table in tables) else set()
    found = [
        Note(
            first_month=gap["first_month"], last_month=gap["last_month"], text_pt=gap["text_pt"], text_en=gap["text_en"]
        )
        for gap in gaps
        if (gap["severity"] in ref_known_gaps.CHANGES_FIGURES or gap["gap_id"] in told) and _touches(gap, sources)
    ]
    of_files = [row for row in lake.rows(publications.TABLE) if row[YEAR] in sources]
    return found + [
        Note(first_month=None, last_month=None, text_pt=pt, text_en=en)
        for pt, en in publications.shortcomings(of_files)
    ]


def _sources(lake: Lake, tables: Sequence[Table], years: Collection[int] | None) -> Mapping[int, str]:
    """Year by year where the figures come from."""
    found: dict[int, str] = {}
    with opened(lake, tables) as connection:
        for table in tables:
            query = f"SELECT {YEAR}, max(source_code) FROM {table.identifier} GROUP BY ALL"
            found |= {y: source for y, source in connection.sql(query).fetchall() if years is None or y in years}
    return found


def _touches(gap: Mapping[str, Any], sources: Mapping[int, str]) -> bool:
    first = gap["first_month"].year if gap["first_month"] else 0
    last = gap["last_month"].year if gap["last_month"] else 9999
    return any(first <= year <= last and gap["source_code"] in {None, source} for year, source in sources.items())


def _hint(error: duckdb.Error, tables: Collection[Table]) -> str | None:
    """Of a column that none of the tables has: the likely one, or the table that has it. None of any other mistake."""
    missing = _NO_COLUMN.search(str(error))
    name = next(filter(None, missing.groups())).lower() if missing else ""
    columns = {column.name: column for table in tables for column in table.columns}
    if not name or not columns or name in columns:
        return None
    told = f"there is no column {name} in {' or '.join(table.name for table in tables)}"
    referred = [reference for table in tables for reference in table.references]
    for reference in referred:
        if name in served_tables()[reference.table].column_names:
            return f"{told}; {reference.table} has it: JOIN {reference.table} USING ({reference.column})"
    if others := [table.name for table in served_tables().values() if name in table.column_names]:
        return f"{told}; {' and '.join(others)} {'have' if len(others) > 1 else 'has'} it"
    published = {(column.published or "").lower(): column.name for column in columns.values()}
    if near := [published[name]] if name in published else get_close_matches(name, columns, n=3):
        return f"{told}; did you mean {' or '.join(near)}?"
    return f"{told}; there are {', '.join(columns)}"


def _told(error: duckdb.Error) -> str:
    """DuckDB's own words, without the name of the class they begin with."""
    return str(error).removeprefix("Binder Error: ").strip()
