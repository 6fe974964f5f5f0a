"""A lake that earlier code wrote, of narrower types and fewer columns: it is read, and the next run brings it up."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from unittest import mock

import pytest
from pyspark.sql import SparkSession

from deputies_lake import contracts
from deputies_lake.contracts import MONEY, SHARE, TOTAL, Column, Table
from deputies_lake.environments import Engine
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.raw import file_versions
from deputies_lake.serving import receipts as receipts_mart
from deputies_lake.star import fct_expense_changes, fct_expenses
from deputies_lake.star.expenses import HOUSE
from deputies_lake_tests.compare_lakes import compare
from deputies_lake_tests.raw.test_intake import House, csv_of
from deputies_lake_tests.serving.small_lake import commit, row
from deputies_lake_tests.serving.test_build_marts import MARTS, build
from deputies_lake_tests.star.staged_rows import StagedRow
from deputies_lake_tests.star.test_assets import Star

pytestmark = pytest.mark.engine(Engine.SPARK)

FACT, CHANGES, FILES = fct_expenses.TABLE, fct_expense_changes.TABLE, file_versions.TABLE

NARROWER: Final = {TOTAL: MONEY, SHARE: "decimal(9,6)"}
ADDED_SINCE: Final = {
    *("gross_amount", "difference_amount", "rejected_rows", "rejected_amount"),
}
MARTS_OF_BEFORE: Final = [mart for mart in MARTS if mart != receipts_mart.TABLE]


def earlier(table: Table) -> Table:
    """The contract as it was before amounts were wide enough for absurd ones, and before the columns added since."""
    with mock.patch.object(contracts, "TYPES", {*contracts.TYPES, *NARROWER.values()}):
        columns: Sequence[Column] = [
            replace(column, type=NARROWER.get(column.type, column.type))
            for column in table.columns
            if column.name not in ADDED_SINCE
        ]
    return replace(table, columns=tuple(columns), totals=None)


def of_contract(table: Table, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: one[name] for name in table.column_names} for one in rows]


LATE: Final = 2022_99


def receipts() -> list[StagedRow]:
    """Of 2021 and 2022, two deputies and two categories."""
    rows: list[StagedRow] = [
        {
            "year": year,
            "competence_year": year,
            "competence_month": month,
            "expense_key": year * 100 + month * 10 + deputy,
            "deputy_id": f"{deputy}",
            "expense_category_id": category,
            "net_amount": Decimal(f"{month}{deputy}0.45"),
            "document_amount": Decimal(f"{month}{deputy}0.45"),
            "deduction_amount": Decimal(0),
        }
        for year in (2021, 2022)
        for month in (1, 2)
        for deputy, category in ((1, "3"), (2, "119"))
    ]
    return [*rows, {**rows[-1], "expense_key": LATE}]


def build_years(folder: Path, *years: int) -> Lake:
    star = Star(folder)
    star.stage(HOUSE, *receipts(), version="a file")
    for year in years:
        assert build(star, str(folder), year).success
    return star.lake


@pytest.fixture(scope="module")
def of_today(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """What today's code makes of both years."""
    return build_years(tmp_path_factory.mktemp("of_today"), 2021, 2022)


def write_as_before(lake: Lake, of_today: Lake) -> None:
    """The fact, its history and the marts of both years as earlier code wrote them, before a late receipt of 2022."""
    moment = datetime(2022, 3, 1)  # noqa: DTZ001
    known = [
        row(earlier(CHANGES), year=year, changed_at=moment, rows_added=4, net_after=Decimal("2.50"))
        for year in (2021, 2022)
    ]
    commit(lake, earlier(CHANGES), known)
    commit(lake, FACT, [one for one in of_today.rows(FACT) if one["expense_key"] != LATE])
    for mart in MARTS_OF_BEFORE:
        commit(lake, earlier(mart), of_contract(earlier(mart), of_today.rows(mart)))


@pytest.fixture(scope="module")
def upgraded(of_today: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """An earlier lake after today's code built 2022."""
    folder = tmp_path_factory.mktemp("upgraded")
    write_as_before(Star(folder).lake, of_today)
    return build_years(folder, 2022)


def test_an_earlier_lake_is_read_as_it_is(of_today: Lake, tmp_path: Path) -> None:
    lake = Star(tmp_path).lake
    write_as_before(lake, of_today)
    for mart in MARTS_OF_BEFORE:
        assert in_order(lake.rows(mart)) == in_order(of_contract(earlier(mart), of_today.rows(mart)))


def in_order(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(rows, key=str)


def test_all_years_hold_what_todays_code_makes_of_them_after_the_next_run_of_one(
    of_today: Lake, upgraded: Lake
) -> None:
    assert compare(of_today, upgraded, [*MARTS, FACT]) == []
    assert [mart.name for mart in MARTS if upgraded.lacks_columns(mart)] == []


def test_the_history_of_before_stays_and_goes_on(upgraded: Lake) -> None:
    names = ("year", "rows_added", "rows_removed", "net_before", "net_after")
    rows = sorted(upgraded.rows(CHANGES), key=lambda one: (one["year"], one["changed_at"]))
    assert [tuple(one[name] for name in names) for one in rows] == [
        (2021, 4, 0, Decimal(0), Decimal("2.50")),
        (2022, 4, 0, Decimal(0), Decimal("2.50")),
        (2022, 1, 0, Decimal("340.90"), Decimal("561.35")),
    ]


def test_decisions_of_before_stay_beside_new_ones(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.land(2022, csv_of(2022, fuel=5))
    with mock.patch.object(file_versions, "TABLE", earlier(FILES)):
        house.take_in(2022)
    before = house.lake.rows(FILES)
    house.land(2022, csv_of(2022, fuel=6))
    house.take_in(2022)
    rows = sorted(house.lake.rows(FILES), key=lambda one: one["decided_at"])
    assert of_contract(earlier(FILES), rows[:1]) == before
    assert [(one["rows"], one["rejected_rows"]) for one in rows] == [(5, None), (6, 0)]
