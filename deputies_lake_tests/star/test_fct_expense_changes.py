"""What two versions of a year differ in, row by row and category by category."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest

from deputies_lake.checks.audit import auditor
from deputies_lake.star.fct_expense_changes import TABLE, changed_rows, changes, rows

FUEL, POST = 3, 11
SCHEMA = pa.schema(
    [
        ("year", pa.int32()),
        ("expense_key", pa.int64()),
        ("deputy_key", pa.int64()),
        ("expense_category_key", pa.int64()),
        ("document_id", pa.string()),
        ("source_code", pa.string()),
        ("document_amount", pa.decimal128(14, 2)),
        ("net_amount", pa.decimal128(14, 2)),
    ]
)


def receipt(key: int, document: str | None, net: str, category: int = FUEL, **other: Any) -> dict[str, Any]:
    return {
        "year": 2022,
        "expense_key": key,
        "deputy_key": 7,
        "expense_category_key": category,
        "document_id": document,
        "source_code": "chamber_expenses",
        "document_amount": Decimal(net),
        "net_amount": Decimal(net),
        **other,
    }


STAYS = receipt(1, "100", "10.00")


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with auditor() as opened:
        yield opened


def show(connection: duckdb.DuckDBPyConnection, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    connection.register("before", pa.Table.from_pylist(before, SCHEMA))
    connection.register("after", pa.Table.from_pylist(after, SCHEMA))


def counts(change: Mapping[str, Any]) -> tuple[int, int, int]:
    return change["rows_added"], change["rows_removed"], change["rows_altered"]


def test_equal_versions_differ_in_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    show(connection, [STAYS], [STAYS])
    assert changes(connection) == []


def test_a_row_is_added_removed_or_altered(connection: duckdb.DuckDBPyConnection) -> None:
    show(
        connection,
        [STAYS, receipt(2, "200", "20.00"), receipt(3, "300", "30.00")],
        [STAYS, receipt(4, "300", "31.00"), receipt(5, "400", "40.00"), receipt(6, "500", "50.00")],
    )
    (fuel,) = changes(connection)
    assert counts(fuel) == (2, 1, 1)
    assert (fuel["net_before"], fuel["net_after"]) == (Decimal("60.00"), Decimal("131.00"))
    altered = changed_rows(connection).filter("change = 'altered'").project("net_before, net_after").fetchall()
    assert altered == [(Decimal("30.00"), Decimal("31.00"))]


def test_rows_without_a_document_are_never_taken_for_each_other(connection: duckdb.DuckDBPyConnection) -> None:
    show(connection, [receipt(2, None, "20.00")], [receipt(3, None, "20.00")])
    assert [counts(change) for change in changes(connection)] == [(1, 1, 0)]


def test_a_document_of_several_rows_is_compared_row_by_row(connection: duckdb.DuckDBPyConnection) -> None:
    show(
        connection,
        [receipt(1, "100", "10.00"), receipt(2, "100", "20.00")],
        [receipt(3, "100", "11.00"), receipt(4, "100", "20.00"), receipt(5, "100", "30.00")],
    )
    assert [counts(change) for change in changes(connection)] == [(1, 0, 2)]


def test_a_document_that_moved_is_altered_where_it_is_now_and_both_sums_change(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    show(connection, [STAYS, receipt(2, "200", "20.00", FUEL)], [STAYS, receipt(3, "200", "20.00", POST)])
    found = {change["expense_category_key"]: change for change in changes(connection)}
    assert (counts(found[FUEL]), counts(found[POST])) == ((0, 0, 0), (0, 0, 1))
    assert (found[FUEL]["net_after"], found[POST]["net_after"]) == (Decimal("10.00"), Decimal("20.00"))


def test_other_categories_are_left_out(connection: duckdb.DuckDBPyConnection) -> None:
    show(connection, [STAYS], [STAYS, receipt(2, "200", "20.00", POST)])
    assert [change["expense_category_key"] for change in changes(connection)] == [POST]


def test_a_year_that_changes_its_source_says_so(connection: duckdb.DuckDBPyConnection) -> None:
    kaggle = receipt(2, None, "20.00", source_code="kaggle_reimbursements", net_amount=None)
    show(connection, [kaggle], [receipt(3, "200", "20.17")])
    (change,) = changes(connection)
    assert (change["source_before"], change["source_after"]) == ("kaggle_reimbursements", "chamber_expenses")
    assert (change["net_before"], change["net_after"]) == (Decimal(0), Decimal("20.17"))


def test_a_first_version_adds_all_it_has(connection: duckdb.DuckDBPyConnection) -> None:
    show(connection, [], [STAYS])
    (change,) = changes(connection)
    assert (counts(change), change["source_before"]) == ((1, 0, 0), None)


def test_changes_become_rows_of_the_table(connection: duckdb.DuckDBPyConnection) -> None:
    show(connection, [], [STAYS])
    (row,) = rows(changes(connection), datetime(2026, 8, 17, 4, tzinfo=ZoneInfo("America/Sao_Paulo")))
    assert set(row) == set(TABLE.column_names)
    assert row["changed_at"] == datetime(2026, 8, 17, 7)  # noqa: DTZ001
