"""Asking the lake in SQL, straight from its catalog: only what readers may see, and nothing can be changed.

A question is looked at before it is asked, and only the tables that it names are opened: the answer is never older than
the catalog and comes in a fraction of a second. How it is shown is in `cli/query.py`, how it becomes a file in
`exports.py`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any, Final

import duckdb

from deputies_lake.checks.audit import auditor
from deputies_lake.contracts import LAYERS, YEAR, Table
from deputies_lake.resources.lake import Lake
from deputies_lake.serving import publications
from deputies_lake.star import ref_known_gaps
from deputies_lake.tables import SERVED, served_tables

_CLOSED: Final = (
    "SET enable_external_access = false",
    # Else a name that is no table's may find a variable of this program.
    "SET python_enable_replacements = false",
    "SET lock_configuration = true",
)
_FIGURES: Final = ("mart_", "fct_expenses")
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
    """The served tables that a single SELECT names, whole (`star.dim_dates`) or by name alone.

    Raises `QueryError` for anything else than one SELECT, and for a table that is not served.
    """
    with duckdb.connect(config={"enable_external_access": "false"}) as parser:
        try:
            statements = parser.extract_statements(sql)
            if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
                raise QueryError("a query is one SELECT; the lake is only read from")
            names = parser.get_table_names(sql, qualified=True)
        except duckdb.Error as error:
            raise QueryError(_told(error)) from error
    catalogs = ("information_schema.", "pg_catalog.")
    return [served(name) for name in sorted(names) if not name.lower().startswith(catalogs)]


@contextmanager
def opened(lake: Lake, tables: Iterable[Table]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection with these tables as `layer.table` and as `table`, which can read nothing else.

    Raises `MissingTableError`.
    """
    with auditor() as connection:
        files = []
        for layer in SERVED:
            connection.execute(f"CREATE SCHEMA {layer}")
        for table in tables:
            select = lake.select(table)
            if select:
                files += [file.removeprefix("file://") for file in lake.files(table)]
            else:
                select = f"FROM temp.{lake.view(connection, table)}"
            connection.execute(f"CREATE VIEW {table.identifier} AS {select}")
        connection.execute(f"SET search_path = '{','.join(SERVED)}'")
        allowed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        connection.execute(f"SET allowed_paths = [{allowed}]")
        for setting in _CLOSED:
            connection.execute(setting)
        yield connection


@contextmanager
def asked(lake: Lake, sql: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the answer to a question. Raises `QueryError`, `MissingTableError`, `DamagedTableError`."""
    tables = tables_in(sql)
    with opened(lake, tables) as connection:
        try:
            connection.execute(sql)
            yield connection
        except duckdb.Error as error:
            for table in tables:
                lake.require_whole(table)
            raise QueryError(_told(error)) from error


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


def _told(error: duckdb.Error) -> str:
    """DuckDB's own words, without the name of the class they begin with."""
    return str(error).removeprefix("Binder Error: ").strip()
