"""Reference tables in the star: what ships has the contract's columns and types, and no key twice."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

import pytest

from deputies_lake.contracts import MONEY, Column, Table
from deputies_lake.reference import tables
from deputies_lake.star import (
    ref_category_labels,
    ref_category_limits,
    ref_functional_suppliers,
    ref_known_gaps,
    ref_monthly_quotas,
    ref_party_events,
)
from deputies_lake.star.shipped import Row, typed

SHIPPED: Final[Mapping[Table, Sequence[Row]]] = {
    ref_monthly_quotas.TABLE: tables.rows("monthly_quotas"),
    ref_category_limits.TABLE: tables.rows("category_limits"),
    ref_category_labels.TABLE: tables.rows("expense_category_labels"),
    ref_party_events.TABLE: tables.rows("party_events"),
    ref_functional_suppliers.TABLE: tables.rows("functional_suppliers"),
    ref_known_gaps.TABLE: ref_known_gaps.gaps(date(2026, 9, 16)),
}

every_table = pytest.mark.parametrize("table", SHIPPED, ids=lambda table: table.name)


@every_table
def test_every_column_of_the_csv_is_published(table: Table) -> None:
    assert {tuple(row) for row in SHIPPED[table]} == {table.column_names}


@every_table
def test_every_row_is_of_the_contracts_types(table: Table) -> None:
    assert len(typed(table, SHIPPED[table])) == len(SHIPPED[table]) > 0


@every_table
def test_required_columns_are_never_null(table: Table) -> None:
    rows = typed(table, SHIPPED[table])
    assert {name for row in rows for name in table.required if row[name] is None} == set()


@every_table
def test_no_two_rows_share_the_key(table: Table) -> None:
    keys = Counter(tuple(row[name] for name in table.key) for row in SHIPPED[table])
    assert [key for key, times in keys.items() if times > 1] == []


SMALL: Final = Table(
    layer="star",
    name="ref_small",
    pt="Pequena.",
    en="Small.",
    grain="one row per name",
    columns=(
        Column(name="name", pt="nome", en="name"),
        Column(name="count", type="int", pt="número", en="count", nullable=True),
        Column(name="day", type="date", pt="dia", en="day", nullable=True),
        Column(name="amount", type=MONEY, pt="valor", en="amount", nullable=True),
    ),
    key=("name",),
)


def test_texts_become_what_their_columns_hold() -> None:
    assert typed(SMALL, [{"name": "a", "count": "2016", "day": "2016-03-01", "amount": "37043.53"}]) == [
        {"name": "a", "count": 2016, "day": date(2016, 3, 1), "amount": Decimal("37043.53")}
    ]


def test_what_is_empty_becomes_null() -> None:
    row = {"name": "a", "count": "", "day": "", "amount": ""}
    assert typed(SMALL, [row]) == [{"name": "a", "count": None, "day": None, "amount": None}]


def test_columns_that_the_contract_does_not_have_stay_behind() -> None:
    row = {"name": "a", "count": "", "day": "", "amount": "", "other": "b"}
    assert typed(SMALL, [row]) == [{"name": "a", "count": None, "day": None, "amount": None}]


@pytest.mark.parametrize(("column", "text"), [("count", "MMXVI"), ("day", "2016-02-30"), ("amount", "1.234,56")])
def test_a_text_of_another_type_is_refused(column: str, text: str) -> None:
    with pytest.raises((ValueError, ArithmeticError)):
        typed(SMALL, [{"name": "a", "count": "", "day": "", "amount": "", column: text}])
