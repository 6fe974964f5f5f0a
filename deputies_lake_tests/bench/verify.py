"""Whether a contender did the work: its fact has the figures that were drawn, its tables the lake's values.

DuckDB reads what was written. Speed does not belong here.
"""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

import duckdb

from deputies_lake.contracts import Table
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.staging import stg_kaggle_reimbursements
from deputies_lake.staging.stg_kaggle_refunds import PARTY_ATTRIBUTES
from deputies_lake.star import (
    dim_dates,
    dim_deputies,
    dim_expense_categories,
    dim_parties,
    dim_states,
    dim_suppliers,
    fct_expenses,
)
from deputies_lake_tests.bench.contenders import LAKE, Contender, TheLake

Figures = dict[int, tuple[int, Decimal]]
"""Rows and BRL of each year."""

TABLES: Final = (
    stg_kaggle_reimbursements.TABLE,
    dim_dates.TABLE,
    dim_deputies.TABLE,
    dim_parties.TABLE,
    dim_states.TABLE,
    dim_suppliers.TABLE,
    dim_expense_categories.TABLE,
    fct_expenses.TABLE,
)

LEFT_OUT: Final = {"source_line", *(column.name for column in PARTY_ATTRIBUTES)}
"""Columns that opponents need not have: they number no lines, and the parties' attributes are in another file."""


def figures(contender: Contender, output: Path) -> Figures:
    """The fact's rows and amounts by year."""
    with duckdb.connect() as connection:
        fact = _view(connection, contender, output, fct_expenses.TABLE)
        query = f"SELECT year, count(*), sum(document_amount) FROM {fact} GROUP BY ALL"
        return {int(year): (rows, Decimal(amount)) for year, rows, amount in connection.sql(query).fetchall()}


def differences(contender: Contender, output: Path, lake_output: Path) -> list[str]:
    """Tables and columns in which a contender's values are not the lake's, or are missing."""
    found = []
    with duckdb.connect() as connection:
        for table in TABLES:
            theirs = _view(connection, contender, output, table)
            ours = _view(connection, LAKE, lake_output, table)
            columns = set(connection.view(ours).columns) - LEFT_OUT
            if not contender.keys_as_lake:
                columns -= hashed(table)
            if missing := sorted(columns - set(connection.view(theirs).columns)):
                found.append(f"{table.name} lacks {', '.join(missing)}")
            elif odd := odd_columns(connection, theirs, ours, sorted(columns)):
                found.append(f"{table.name} differs in {', '.join(odd)}")
    return found


def hashed(table: Table) -> set[str]:
    return {*table.key, *(reference.column for reference in table.references)} - {"date_key"}


def _view(connection: duckdb.DuckDBPyConnection, contender: Contender, output: Path, table: Table) -> str:
    if isinstance(contender, TheLake):
        lake = Lake(iceberg.local_catalog(output / "warehouse"))
        return lake.view(connection, table, name=f"{contender.name}_{table.name}")
    name = contender.fact if table is fct_expenses.TABLE else table.name
    files = [str(path) for path in (output / name).rglob("*.parquet")]
    connection.read_parquet(files, hive_partitioning=True).create_view(name)
    return name


def odd_columns(connection: duckdb.DuckDBPyConnection, theirs: str, ours: str, columns: Sequence[str]) -> Sequence[str]:
    def differ(compared: Sequence[str]) -> bool:
        return _fingerprint(connection, theirs, compared) != _fingerprint(connection, ours, compared)

    return [column for column in columns if differ([column])] or columns if differ(columns) else []


def _fingerprint(connection: duckdb.DuckDBPyConnection, view: str, columns: Sequence[str]) -> object:
    """Equal for equal rows in any order."""
    texts = ", ".join(f"{column}::VARCHAR" for column in columns)
    return connection.execute(f"SELECT count(*), sum(hash({texts})) FROM {view}").fetchall()
