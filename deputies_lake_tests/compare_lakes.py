"""Whether two lakes hold the same, every table and every value: `python -m deputies_lake_tests.compare_lakes A B`.

For lakes of equal input that were built by two engines, or by two versions of the code. A and B are what
`DEPUTIES_LAKE_HOME` names. What tells of the run and not of the data, such as when a file was archived, is left out.
Exits with 1 where something differs, and says which table, in which columns, in how many rows; values are shown by
nobody, for the raw layer holds personal ids.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from deputies_lake.checks.audit import auditor
from deputies_lake.contracts import Table
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.tables import tables_of

# When something was done, which differs between any two runs.
OF_THE_RUN: Final = frozenset({"timestamp_ntz"})


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What two lakes hold otherwise of one table. `columns` says in how many rows of equal keys each differs."""

    table: str
    only_in_first: int
    only_in_second: int
    columns: dict[str, int]

    def __str__(self) -> str:
        columns = "".join(f"; {name} differs in {rows:,} rows" for name, rows in self.columns.items())
        rows = f"{self.only_in_first:,} rows in the first only, {self.only_in_second:,} in the second only"
        return f"{self.table}: {rows}{columns}"


def compare(first: Lake, second: Lake, tables: Sequence[Table]) -> list[Difference]:
    """The tables that differ. One that neither lake has does not."""
    with auditor() as connection:
        return [found for table in tables if (found := _difference(connection, first, second, table))]


def _difference(connection: duckdb.DuckDBPyConnection, first: Lake, second: Lake, table: Table) -> Difference | None:
    columns = [column.name for column in table.columns if column.type not in OF_THE_RUN]
    for name, lake in (("first", first), ("second", second)):
        if lake.exists(table):
            lake.view(connection, table, name=f"all_of_{name}")
        else:
            nothing = ", ".join(f"NULL AS {column}" for column in columns)
            connection.execute(f"CREATE OR REPLACE TEMP VIEW all_of_{name} AS SELECT {nothing} WHERE false")
        # A column that a lake of older code lacks reads as null.
        has = {column for column, *_ in connection.execute(f"DESCRIBE all_of_{name}").fetchall()}
        told = ", ".join(column if column in has else f"NULL AS {column}" for column in columns)
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT {told} FROM all_of_{name}")
    in_first = _count(connection, "(FROM first EXCEPT ALL FROM second)")
    in_second = _count(connection, "(FROM second EXCEPT ALL FROM first)")
    if not in_first and not in_second:
        return None
    same_key = " AND ".join(f"first.{name} IS NOT DISTINCT FROM second.{name}" for name in table.key if name in columns)
    differing = {
        name: _count(connection, f"first JOIN second ON {same_key} WHERE first.{name} IS DISTINCT FROM second.{name}")
        for name in columns
        if name not in table.key
    }
    return Difference(
        table=table.identifier,
        only_in_first=in_first,
        only_in_second=in_second,
        columns={name: rows for name, rows in differing.items() if rows},
    )


def _count(connection: duckdb.DuckDBPyConnection, rows: str) -> int:
    (count,) = connection.execute(f"SELECT count(*) FROM {rows}").fetchone() or (0,)
    return int(count)


def main(homes: Sequence[str]) -> int:
    first, second = (Lake(iceberg.local_catalog(Path(home) / "warehouse")) for home in homes)
    known = [table for table in tables_of() if first.exists(table) or second.exists(table)]
    differences = compare(first, second, known)
    for difference in differences:
        print(difference)
    print(f"{len(known) - len(differences)} of {len(known)} tables are equal in every value")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:3]))
