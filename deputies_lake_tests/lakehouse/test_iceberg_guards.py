"""Staged files that would corrupt a table are refused, and the table stays as it was."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from deputies_lake.contracts import MONEY
from deputies_lake.lakehouse import iceberg
from deputies_lake_tests.lakehouse.tables import (
    EXPENSES,
    counts,
    expenses,
    publish,
    retyped,
    stage,
    write,
)

Rows = list[dict[str, Any]]
Change = Callable[[pa.Schema], pa.Schema]


def staged(table: Table, rows: Rows, schema: pa.Schema, **options: Any) -> list[str]:
    return [write(f"{iceberg.new_prefix(table, 'run')}/part.parquet", rows, schema, **options)]


def column(name: str, change: Callable[[pa.Field], pa.Field]) -> Change:
    return lambda schema: schema.set(schema.get_field_index(name), change(schema.field(name)))


def swapped(schema: pa.Schema) -> pa.Schema:
    supplier, deputy = schema.field("supplier").metadata, schema.field("deputy").metadata
    return column("deputy", lambda f: f.with_metadata(supplier))(
        column("supplier", lambda f: f.with_metadata(deputy))(schema)
    )


EXTRA = pa.field("extra", pa.string(), metadata={"PARQUET:field_id": "99"})

SCHEMAS: dict[str, tuple[str, Change]] = {
    "no field ids": ("-1, 'deputy'", lambda schema: pa.schema([f.remove_metadata() for f in schema])),
    "one wrong field id": (
        "77, 'deputy'",
        column("deputy", lambda f: f.with_metadata({"PARQUET:field_id": "77"})),
    ),
    "swapped field ids": ("6, 'supplier'", swapped),
    "a missing column": ("'deputy'", lambda schema: schema.remove(schema.get_field_index("deputy"))),
    "the year only in the path": ("'year'", lambda schema: schema.remove(schema.get_field_index("year"))),
    "an extra column": ("99, 'extra'", lambda schema: schema.append(EXTRA)),
    "a column twice": ("'deputy'", lambda schema: schema.append(schema.field("deputy"))),
    "a narrower number": ("'int32'", column("expense_key", lambda f: f.with_type(pa.int32()))),
    "another scale": ("decimal128.14, 3.", column("net_amount", lambda f: f.with_type(pa.decimal128(14, 3)))),
    "milliseconds": (r"timestamp\[ms\]", column("loaded_at", lambda f: f.with_type(pa.timestamp("ms")))),
    "a time zone": (
        r"timestamp\[us, tz=UTC\]",
        column("loaded_at", lambda f: f.with_type(pa.timestamp("us", "UTC"))),
    ),
}


def refused(
    table: Table, files: Sequence[str], match: str, years: Sequence[int] | None = (2019,), rows: int = 2
) -> None:
    publish(table, {2018: 1, 2019: 1})
    before = table.metadata_location
    with pytest.raises(iceberg.StagedFilesError, match=f"(?s)star.fct_expenses.*{match}.*Nothing was published"):
        iceberg.commit(table, files, years=years, expected_rows=rows, properties={})
    assert table.refresh().metadata_location == before
    assert counts(table) == {(2018, 1): 1, (2019, 1): 1}


@pytest.mark.parametrize(("match", "change"), SCHEMAS.values(), ids=SCHEMAS)
def test_columns_must_be_the_tables(table: Table, match: str, change: Change) -> None:
    schema = iceberg.arrow_schema(table)
    rows = [{**row, "loaded_at": row["loaded_at"].replace(microsecond=0)} for row in expenses(2019, 1)]
    bad = staged(table, rows, change(schema))
    # The first file is right: each footer has to be looked at.
    refused(table, staged(table, rows, schema) + bad, f"{bad[0]}.*{match}")


def test_int96_timestamps_are_refused(table: Table) -> None:
    bad = staged(table, expenses(2019), iceberg.arrow_schema(table), use_deprecated_int96_timestamps=True)
    refused(table, bad, r"timestamp\[ns\]")


@pytest.mark.parametrize("years", [[2019], None])
@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ([*expenses(2019, 1), {**expenses(2019, 1)[0], "year": None}], "without a year"),
        ([{**row, "year": None} for row in expenses(2019)], "without a year"),
        (expenses(2018, 1) + expenses(2019, 1), "several years, 2018 to 2019"),
    ],
    ids=["one row without a year", "all rows without a year", "two years"],
)
def test_a_file_holds_exactly_one_year(table: Table, rows: Rows, match: str, years: list[int] | None) -> None:
    refused(table, staged(table, rows, iceberg.arrow_schema(table)), match, years)


def test_a_file_without_statistics_cannot_say_its_year(table: Table) -> None:
    bad = staged(table, expenses(2019), iceberg.arrow_schema(table), write_statistics=["version"])
    refused(table, bad, "without a year")


def test_a_file_of_a_year_that_is_not_replaced_is_refused(table: Table) -> None:
    refused(table, stage(table, expenses(2018)), r"holds 2018, which is not among the years \[2019\]")


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_rows_must_be_as_many_as_were_written(table: Table, expected: int) -> None:
    refused(table, stage(table, expenses(2019)), f"hold 2 rows, {expected} were written", rows=expected)


def test_a_file_is_listed_once(table: Table) -> None:
    refused(table, stage(table, expenses(2019)) * 2, "names a file twice", rows=4)


def test_a_file_of_another_table_is_refused(table: Table) -> None:
    elsewhere = f"{table.location()}_2/part.parquet"
    write(elsewhere, expenses(2019), iceberg.arrow_schema(table))
    refused(table, [elsewhere], "not below the table's location")


@pytest.mark.parametrize("cut", [slice(0), slice(500), slice(0, -20)])
def test_a_broken_file_is_refused(table: Table, cut: slice) -> None:
    bad = stage(table, expenses(2019))
    local = Path(bad[0].removeprefix("file://"))
    local.write_bytes(local.read_bytes()[cut])
    refused(table, bad, f"{bad[0]} can't be read")


def test_a_missing_file_is_refused(table: Table) -> None:
    refused(table, [f"{iceberg.new_prefix(table, 'run')}/gone.parquet"], "can't be read")


def test_files_staged_before_a_change_of_the_columns_are_refused(catalog: Catalog, table: Table) -> None:
    files = stage(table, expenses(2019))
    iceberg.ensure_table(catalog, retyped(EXPENSES, version="bigint"))
    with pytest.raises(iceberg.StagedFilesError, match="'version', 'int32'"):
        iceberg.commit(table, files, years=[2019], expected_rows=2, properties={})
    assert counts(table) == {}


def test_empty_files_are_left_out(table: Table) -> None:
    publish(table, {2019: 1})
    files = stage(table, expenses(2019), [], [])
    iceberg.commit(table, files, years=[2019], expected_rows=2, properties={})
    assert iceberg.data_files(table) == files[:1]


def test_a_decimal_may_be_stored_as_an_integer_or_as_bytes(table: Table) -> None:
    for number, as_integer in enumerate((True, False)):
        rows = [{**row, "net_amount": Decimal("-123456789012.34")} for row in expenses(2018 + number)]
        schema = iceberg.arrow_schema(table)
        files = staged(table, rows, schema, store_decimal_as_integer=as_integer)
        iceberg.commit(table, files, years=[2018 + number], expected_rows=2, properties={})
    amounts = iceberg.dataset(table, iceberg.data_files(table)).to_table().column("net_amount")
    assert str(amounts.type) == MONEY.replace("decimal(14,2)", "decimal128(14, 2)")
    assert set(amounts.to_pylist()) == {Decimal("-123456789012.34")}


def test_prefixes_are_never_given_twice(table: Table) -> None:
    one, other = (iceberg.new_prefix(table, "run-1") for _ in range(2))
    assert one != other
    assert one.startswith(f"{table.location()}/data/run-1/")
    with pytest.raises(ValueError, match="run id"):
        iceberg.new_prefix(table, "run=1")


def test_only_data_files_are_listed(table: Table) -> None:
    prefix, schema = iceberg.new_prefix(table, "run"), iceberg.arrow_schema(table)
    files = [write(f"{prefix}/{name}", [], schema) for name in ("_year=2019/b.parquet", "a.parquet")]
    for hidden in (
        "_temporary/0/c.parquet",
        ".hidden.parquet",
        ".d/e.parquet",
        "_metadata.parquet",
        "_SUCCESS",
    ):
        write(f"{prefix}/{hidden}", [], schema)
    assert iceberg.list_files(table, prefix) == files
    assert iceberg.list_files(table, f"{prefix}-nothing") == []
