"""Which losses of a year are believed."""

from decimal import Decimal

import pytest

from deputies_lake.checks.audit import Group, Sums
from deputies_lake.quota_years import current_year
from deputies_lake.raw.drop_guard import Comparison, Earlier, compare
from deputies_lake_tests.redacted_texts import PERSON, STARS

CLOSED = 2022
FUEL, FLIGHTS, POST = "COMBUSTÍVEIS E LUBRIFICANTES.", "PASSAGENS AÉREAS", "SERVIÇOS POSTAIS"


def sums(year: int = CLOSED, **rows: int) -> Sums:
    """Ten reais a row."""
    groups: dict[Group, int] = {
        (year, {"fuel": FUEL, "flights": FLIGHTS, "post": POST}.get(name, name)): n for name, n in rows.items()
    }
    return Sums(groups, {group: Decimal(10) * n for group, n in groups.items()})


def compared(before: Sums, after: Sums, year: int = CLOSED) -> Comparison:
    return compare(year, before, after)


def test_the_first_version_of_a_year_has_nothing_to_lose() -> None:
    assert compared(Sums.none(), sums(fuel=3)).faults == ()


def test_a_year_may_grow() -> None:
    grown = compared(sums(fuel=1000), sums(fuel=2000, flights=10))
    assert (grown.faults, grown.remarks) == ((), ())


@pytest.mark.parametrize(
    ("rows_left", "faults", "remarks"),
    [
        (10_000, (), ()),
        (9_950, (), ()),
        (9_949, (), ("rows fell by 0.51%", "net BRL fell by 0.51%")),
        (9_800, (), ("rows fell by 2.00%", "net BRL fell by 2.00%")),
        (
            9_799,
            (
                "rows fell by 2.01%, more than the 2.0% that 2022 may lose",
                "net BRL fell by 2.01%, more than the 2.0% that 2022 may lose",
            ),
            (),
        ),
    ],
)
def test_a_closed_year_loses_half_a_percent_silently_and_two_at_most(
    rows_left: int, faults: tuple[str, ...], remarks: tuple[str, ...]
) -> None:
    comparison = compared(sums(fuel=10_000), sums(fuel=rows_left))
    assert (comparison.faults, comparison.remarks) == (faults, remarks)


@pytest.mark.parametrize(("rows_left", "refused"), [(9_900, False), (9_899, True)])
def test_the_current_year_loses_one_percent_at_most(rows_left: int, refused: bool) -> None:
    year = current_year()
    comparison = compared(sums(year, fuel=10_000), sums(year, fuel=rows_left), year)
    assert (bool(comparison.faults), bool(comparison.remarks)) == (refused, not refused)


def test_money_may_vanish_while_rows_stay() -> None:
    after = sums(fuel=1000)
    cheaper = Sums(after.rows, {group: amount * Decimal("0.9") for group, amount in after.amounts.items()})
    assert compared(sums(fuel=1000), cheaper).faults == (
        "net BRL fell by 10.00%, more than the 2.0% that 2022 may lose",
    )


def test_a_category_that_is_gone_is_refused_although_the_year_grew() -> None:
    comparison = compared(sums(fuel=50_000, flights=100), sums(fuel=51_000))
    assert comparison.faults == (f"category {FLIGHTS!r} fell from 100 to 0 rows",)


def test_no_cpf_in_a_categorys_place_is_shown() -> None:
    gone = compared(sums(fuel=50_000, **{PERSON: 500}), sums(fuel=50_000))
    renamed = compared(sums(fuel=50_000, flights=500), sums(fuel=50_000, **{PERSON: 510}))
    assert gone.faults == (f"category {STARS!r} fell from 500 to 0 rows",)
    assert renamed.remarks == (f"category {FLIGHTS!r} seems to be called {STARS!r} now",)


def test_a_small_category_may_vary() -> None:
    assert compared(sums(fuel=50_000, flights=99), sums(fuel=51_000)).faults == ()


def test_a_category_with_a_new_name_is_not_gone() -> None:
    comparison = compared(sums(fuel=50_000, flights=500), sums(fuel=50_000, reembolso=510))
    assert not comparison.faults
    assert comparison.remarks == (f"category {FLIGHTS!r} seems to be called 'reembolso' now",)


def test_it_says_in_one_line_what_there_is_and_was() -> None:
    assert compared(sums(fuel=2000), sums(fuel=1500)).summary == (
        "2022: 1,500 rows, net BRL 15,000.00 (2,000 rows, net BRL 20,000.00 before)"
    )
    assert compared(Sums.none(), sums(fuel=1500)).summary == "2022: 1,500 rows, net BRL 15,000.00 (the first)"


def test_what_falls_by_a_little_each_night_is_compared_with_the_largest_version_of_the_last_weeks() -> None:
    largest = Earlier(name="version abc of 2026-11-01", sums=sums(fuel=10_000))
    found = compare(CLOSED, sums(fuel=9_820), sums(fuel=9_640), largest)
    assert found.faults == (
        "rows fell by 3.60%, more than the 2.0% that 2022 may lose; compared with version abc of 2026-11-01",
        "net BRL fell by 3.60%, more than the 2.0% that 2022 may lose; compared with version abc of 2026-11-01",
    )
    assert compare(CLOSED, sums(fuel=9_820), sums(fuel=9_640)).faults == ()


def test_what_fell_since_yesterday_is_told_by_that_alone() -> None:
    largest = Earlier(name="version abc of 2026-11-01", sums=sums(fuel=10_000))
    assert compare(CLOSED, sums(fuel=9_000), sums(fuel=8_000), largest) == compare(
        CLOSED, sums(fuel=9_000), sums(fuel=8_000)
    )
