"""What a file adds up to, counted block by block."""

from decimal import Decimal

import pyarrow as pa

from deputies_lake.checks.audit import Sums
from deputies_lake.raw.control_totals import ControlTotals

FUEL, POST = (2022, "Fuel"), (2022, "Post")


def amounts(*texts: str | None) -> pa.Array:
    return pa.array([None if text is None else Decimal(text) for text in texts], pa.decimal128(38, 10))


def test_blocks_add_up() -> None:
    totals = ControlTotals()
    totals.add(pa.array([2022, 2022]), pa.array(["Fuel", "Post"]), amounts("1.10", "2"))
    totals.add(pa.array([2022]), pa.array(["Fuel"]), amounts("-0.30"))
    assert totals.sums() == Sums({FUEL: 2, POST: 1}, {FUEL: Decimal("0.80"), POST: Decimal(2)})


def test_several_amounts_are_summed_side_by_side() -> None:
    totals = ControlTotals()
    years, categories = pa.array([2022, 2022]), pa.array(["Fuel", "Fuel"])
    totals.add(years, categories, amounts("1", "2"), amounts("0.01", None), amounts(None, None))
    assert totals.sums().amounts_of(FUEL) == (Decimal(3), Decimal("0.01"), Decimal(0))


def test_a_row_whose_amount_can_not_be_read_counts() -> None:
    totals = ControlTotals()
    totals.add(pa.array([2022]), pa.array(["Fuel"]), amounts(None))
    assert totals.sums() == Sums({FUEL: 1}, {FUEL: Decimal(0)})


def test_nothing_adds_up_to_nothing() -> None:
    assert ControlTotals().sums() == Sums.none()


def test_how_much_money_there_is_counts_what_is_below_0_too() -> None:
    totals = ControlTotals()
    years, categories = pa.array([2022, 2022]), pa.array(["Fuel", "Post"])
    totals.add(years, categories, amounts("5", "-4"), amounts("1", None))
    assert (totals.sizes(), ControlTotals().sizes()) == ([Decimal(9), Decimal(1)], [])
