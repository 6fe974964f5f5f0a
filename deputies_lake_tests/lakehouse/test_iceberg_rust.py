"""What we publish, an implementation of Iceberg that is not ours reads as we do, also after the columns changed."""

from dataclasses import replace
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from deputies_lake.contracts import Column
from deputies_lake.lakehouse import iceberg
from deputies_lake_tests.lakehouse import rust
from deputies_lake_tests.lakehouse.tables import EXPENSES, expenses, publish, retyped, rows_of, stage


def by_rust(table: Table) -> list[dict[str, Any]]:
    found = rust.read({"expenses": table.metadata_location}, {})["expenses"]
    rows: list[dict[str, Any]] = found.sort_by("expense_key").to_pylist()
    return rows


def test_every_type_is_read_as_it_was_written(table: Table) -> None:
    publish(table, {2018: 3, 2019: 2})
    assert by_rust(table) == expenses(2018, 3) + expenses(2019, 2)


def test_of_a_replaced_year_it_reads_the_new_rows_and_of_an_emptied_one_none(table: Table) -> None:
    publish(table, {2018: 3, 2019: 2, 2020: 1})
    publish(table, {2019: 4}, version=2)
    iceberg.commit(table, [], years=[2018], expected_rows=0, properties={})
    assert by_rust(table) == rows_of(table) == expenses(2019, 4, version=2) + expenses(2020, 1)


def test_a_column_is_found_by_its_id_whatever_it_was_called_and_however_wide(catalog: Catalog) -> None:
    table = iceberg.ensure_table(catalog, retyped(EXPENSES, expense_key="int", version="int"))
    publish(table, {2018: 2})
    added = Column(name="source_code", pt="Fonte", en="Source", nullable=True)
    table = iceberg.ensure_table(catalog, replace(EXPENSES, columns=(*EXPENSES.columns, added)))
    with table.update_schema() as update:
        update.rename_column("supplier", "vendor")

    def renamed(row: dict[str, Any], **new: Any) -> dict[str, Any]:
        return {("vendor" if name == "supplier" else name): value for name, value in row.items()} | new

    old = [renamed(row, source_code=None) for row in expenses(2018)]
    new = [renamed(row, source_code="chamber", expense_key=2**40 + n) for n, row in enumerate(expenses(2020))]
    iceberg.commit(table, stage(table, new), years=[2020], expected_rows=2, properties={})
    assert by_rust(table) == old + new
