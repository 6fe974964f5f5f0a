"""A small table of every type that a contract knows, and rows for it written by PyArrow."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.table import Table

from deputies_lake import contracts
from deputies_lake.contracts import MONEY, Column
from deputies_lake.lakehouse import iceberg

EXPENSES = contracts.Table(
    layer="star",
    name="fct_expenses",
    pt="Despesas",
    en="Expenses",
    grain="one row per receipt",
    columns=(
        Column(name="expense_key", type="bigint", pt="Chave", en="Key"),
        Column(name="year", type="int", pt="Ano", en="Year"),
        Column(name="version", type="int", pt="Versão", en="Which publication wrote the row"),
        Column(name="net_amount", type=MONEY, pt="Valor", en="Amount"),
        Column(name="supplier", pt="Fornecedor", en="Supplier", nullable=True),
        Column(name="deputy", pt="Deputado", en="Deputy", nullable=True),
        Column(name="is_refund", type="boolean", pt="Devolução", en="Refund"),
        Column(name="receipt_date", type="date", pt="Data", en="Date", nullable=True),
        Column(name="loaded_at", type="timestamp_ntz", pt="Carga", en="Loaded"),
    ),
    key=("expense_key",),
    partitioned=True,
)

PARTIES = contracts.Table(
    layer="star",
    name="dim_parties",
    pt="Partidos",
    en="Parties",
    grain="one row per party",
    columns=(
        Column(name="party_key", type="int", pt="Chave", en="Key"),
        Column(name="name", pt="Nome", en="Name"),
    ),
    key=("party_key",),
)


def retyped(contract: contracts.Table, **types: str) -> contracts.Table:
    """The same table with other types for these columns."""
    columns = tuple(replace(column, type=types.get(column.name, column.type)) for column in contract.columns)
    return replace(contract, columns=columns)


def expenses(year: int, count: int = 2, version: int = 1) -> list[dict[str, Any]]:
    """Rows of one year. The last one has null in every column that may be null."""
    return [
        {
            "expense_key": year * 1000 + number,
            "year": year,
            "version": version,
            "net_amount": Decimal("10.25") + number,
            "supplier": None if number == count - 1 else f"Fornecedor nº {number}",
            "deputy": None if number == count - 1 else "João",
            "is_refund": number % 2 == 1,
            "receipt_date": None if number == count - 1 else date(year, 1, 31),
            "loaded_at": datetime.fromisoformat("2024-02-29T23:59:59.123456"),
        }
        for number in range(count)
    ]


def write(path: str, rows: Iterable[Mapping[str, Any]], schema: pa.Schema, **options: Any) -> str:
    """One Parquet file at a location below a local lake."""
    local = Path(path.removeprefix("file://"))
    local.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), local, **options)
    return path


def stage(table: Table, *parts: list[dict[str, Any]]) -> list[str]:
    """One file per part under a fresh prefix."""
    prefix = iceberg.new_prefix(table, "test-run")
    for number, rows in enumerate(parts):
        write(f"{prefix}/part-{number}.parquet", rows, iceberg.arrow_schema(table))
    return iceberg.list_files(table, prefix)


def publish(table: Table, counts: Mapping[int, int], version: int = 1, whole: bool = False) -> None:
    """Replace these years, or the whole table, by as many rows of each year; a property names each one's version."""
    files = stage(table, *(expenses(year, count, version) for year, count in counts.items()))
    years = None if whole else [*counts]
    versions = {f"version.{year}": str(version) for year in counts}
    iceberg.commit(
        table, files, years=years, expected_rows=sum(counts.values()), properties={}, table_properties=versions
    )


def remove_orphans(table: Table, older_than: timedelta) -> list[str]:
    """Delete what may be deleted, and say what it was."""
    found = [orphan.location for orphan in iceberg.orphans(table, older_than=older_than)]
    for location in found:
        Path(location.removeprefix("file://")).unlink()
    return found


def rows_of(table: Table) -> list[dict[str, Any]]:
    """The current rows, in the order of their keys."""
    rows: list[dict[str, Any]] = iceberg.dataset(table, iceberg.data_files(table)).to_table().to_pylist()
    return sorted(rows, key=lambda row: row[table.schema().fields[0].name])


def counts(table: Table) -> dict[tuple[int, int], int]:
    """How many current rows there are of each year and version."""
    return Counter((row["year"], row["version"]) for row in rows_of(table))
