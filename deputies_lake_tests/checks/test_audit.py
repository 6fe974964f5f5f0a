"""The arithmetic of sums, what an audit looks at, and what is said of one that failed."""

import tempfile
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deputies_lake.checks.audit import Audit, AuditFailedError, Check, Finding, Sums, auditor, sums
from deputies_lake.contracts import MONEY, Column, Table, Totals

FUEL, PHONE = (2013, "Fuel"), (2014, "Phone")

CONTRACT = Table(
    layer="star",
    name="fct_tests",
    pt="Testes",
    en="Tests",
    grain="one row per test",
    columns=(
        Column(name="year", type="int", pt="ano", en="year"),
        Column(name="label", pt="rótulo", en="label"),
        Column(name="amount", type=MONEY, pt="valor", en="amount"),
    ),
    key=("year", "label"),
    totals=Totals(by=("year", "label"), amount="amount"),
)


# sums


def test_sums_are_read_from_rows_of_groups_counts_and_amounts() -> None:
    found = Sums.of([(2013, "Fuel", 2, Decimal("1.50")), (2014, "Phone", 1, Decimal(-3))])
    assert found == Sums({FUEL: 2, PHONE: 1}, {FUEL: Decimal("1.50"), PHONE: Decimal(-3)})


def test_a_group_without_readable_amounts_adds_up_to_nothing() -> None:
    assert Sums.of([(2013, "Fuel", 2, None)]).amounts == {FUEL: Decimal(0)}


def test_no_sums_have_no_rows_and_no_amount() -> None:
    assert (Sums.none().row_count, Sums.none().amount) == (0, Decimal(0))


def test_the_count_and_the_amount_are_those_of_all_groups() -> None:
    found = Sums.of([(2013, "Fuel", 2, Decimal("1.50")), (2014, "Phone", 1, Decimal("-3.25"))])
    assert (found.row_count, found.amount) == (3, Decimal("-1.75"))


def test_adding_keeps_the_groups_of_both() -> None:
    found = Sums.of([(*FUEL, 2, Decimal("1.50"))]) + Sums.of([(*FUEL, 1, Decimal("0.05")), (*PHONE, 1, Decimal(3))])
    assert found == Sums({FUEL: 3, PHONE: 1}, {FUEL: Decimal("1.55"), PHONE: Decimal(3)})


def test_subtracting_takes_rows_and_cents_from_their_group() -> None:
    found = Sums.of([(*FUEL, 3, Decimal("1.55")), (*PHONE, 1, Decimal(3))]) - Sums.of([(*FUEL, 1, Decimal("0.05"))])
    assert found == Sums({FUEL: 2, PHONE: 1}, {FUEL: Decimal("1.50"), PHONE: Decimal(3)})


def test_a_group_that_loses_all_its_rows_is_left_out() -> None:
    both = Sums.of([(*FUEL, 3, Decimal("1.55")), (*PHONE, 1, Decimal(3))])
    assert both - Sums.of([(*FUEL, 3, Decimal("1.55"))]) == Sums.of([(*PHONE, 1, Decimal(3))])


def test_subtracting_more_rows_than_there_are_shows() -> None:
    assert (Sums.of([(*FUEL, 1, Decimal(1))]) - Sums.of([(*FUEL, 2, Decimal(1))])).rows == {FUEL: -1}


def test_subtracting_a_group_that_was_never_there_shows() -> None:
    found = Sums.of([(*FUEL, 1, Decimal(1))]) - Sums.of([(*PHONE, 5, Decimal(3))])
    assert found == Sums({FUEL: 1, PHONE: -5}, {FUEL: Decimal(1), PHONE: Decimal(-3)})


CENTS = st.integers(-(10**14), 10**14).map(lambda cents: Decimal(cents).scaleb(-2))
SUMS = st.dictionaries(
    st.tuples(st.integers(2009, 2012), st.sampled_from(["Fuel", "Phone"])),
    st.tuples(st.integers(1, 10**9), CENTS, CENTS, CENTS),
).map(lambda groups: Sums.of([(*group, *figures) for group, figures in groups.items()], others=2))


@settings(deadline=None, max_examples=60)
@given(one=SUMS, other=SUMS)
def test_what_was_added_can_be_taken_away_to_the_cent(one: Sums, other: Sums) -> None:
    assert one + other - other == one


@settings(deadline=None, max_examples=60)
@given(one=SUMS, other=SUMS)
def test_adding_loses_no_row_and_no_cent(one: Sums, other: Sums) -> None:
    both = one + other
    assert (both.row_count, both.amount) == (one.row_count + other.row_count, one.amount + other.amount)
    for group in both.rows:
        each = zip_longest(one.amounts_of(group), other.amounts_of(group), fillvalue=0)
        assert both.amounts_of(group) == tuple(sum(amounts) for amounts in each)


# the auditor


def test_a_view_is_summed_by_the_groups_of_its_totals() -> None:
    with auditor() as connection:
        connection.sql(
            f"CREATE TABLE staged AS SELECT year, label, amount::{MONEY} AS amount FROM (VALUES "
            "(2013, 'Fuel', '0.10'), (2013, 'Fuel', '0.20'), (2014, 'Phone', '-3'), (2014, 'Phone', NULL)"
            ") AS rows(year, label, amount)"
        )
        assert CONTRACT.totals
        found = sums(connection, "staged", CONTRACT.totals)
    assert found == Sums({FUEL: 2, PHONE: 2}, {FUEL: Decimal("0.30"), PHONE: Decimal(-3)})


def test_a_view_is_summed_by_all_amounts_of_its_totals() -> None:
    with auditor() as connection:
        connection.sql(
            "CREATE TABLE staged AS SELECT 2013 AS year, 'Fuel' AS label, unnest([1.50, 2.00])::DECIMAL(14, 2) AS net, "
            "unnest([0.25, NULL])::DECIMAL(14, 2) AS returned"
        )
        found = sums(connection, "staged", Totals(by=("year", "label"), amount="net", also=("returned",)))
    assert found == Sums({FUEL: 2}, {FUEL: Decimal("3.50")}, {FUEL: (Decimal("0.25"),)})


def test_an_empty_view_has_no_sums() -> None:
    with auditor() as connection:
        connection.sql("CREATE TABLE staged (year INT, label VARCHAR, amount DECIMAL(14, 2))")
        assert CONTRACT.totals
        assert sums(connection, "staged", CONTRACT.totals) == Sums.none()


def test_the_auditor_takes_no_more_memory_than_it_may() -> None:
    with auditor() as connection:
        (limit,) = connection.sql("SELECT current_setting('memory_limit')").fetchall()[0]
    assert limit == "244.1 MiB"


def test_what_does_not_fit_into_memory_goes_to_a_directory_that_is_removed() -> None:
    with auditor() as connection:
        (place,) = connection.sql("SELECT current_setting('temp_directory')").fetchall()[0]
        assert Path(place).parent == Path(tempfile.gettempdir())
        # Five million numbers as texts of 40 characters: 200 MB and a hash table over them.
        groups = "SELECT count(*) FROM (SELECT 1 FROM range(5_000_000) GROUP BY lpad(range::VARCHAR, 40, '0'))"
        assert connection.sql(groups).fetchall() == [(5_000_000,)]
    assert not Path(place).exists()


def test_the_auditor_is_closed_after_use() -> None:
    with auditor() as connection:
        pass
    with pytest.raises(duckdb.ConnectionException):
        connection.sql("SELECT 1")


def test_an_audit_gives_all_rows_of_a_query_or_the_first() -> None:
    with auditor() as connection:
        audit = Audit(contract=CONTRACT, connection=connection)
        query = "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS rows(number, letter) ORDER BY number"
        assert (audit.rows(query), audit.one(query)) == ([(1, "a"), (2, "b")], (1, "a"))


# checks, and audits that fail


@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize("passed", [True, False])
def test_a_check_tells_what_it_saw(passed: bool, blocking: bool) -> None:
    seen = (passed, "two rows too many", {"rows": 2})
    check = Check(name="is_fine", description="All is fine.", blocking=blocking, examine=lambda _: seen)
    with auditor() as connection:
        finding = check.run(Audit(contract=CONTRACT, connection=connection))
    assert finding == Finding(
        check="is_fine", passed=passed, blocking=blocking, summary="two rows too many", figures={"rows": 2}
    )


def finding(check: str, *, passed: bool = False, blocking: bool = True) -> Finding:
    return Finding(check=check, passed=passed, blocking=blocking, summary=f"what {check} saw")


def test_a_failed_audit_names_each_table_and_check_that_failed() -> None:
    error = AuditFailedError({"fct_expenses": [finding("adds_up")], "dim_dates": [finding("grain_is_unique")]})
    assert str(error) == (
        "The audit failed, nothing was published and readers keep the last good version. "
        "fct_expenses.adds_up: what adds_up saw; dim_dates.grain_is_unique: what grain_is_unique saw"
    )


@pytest.mark.parametrize("harmless", [finding("fine", passed=True), finding("mere_warning", blocking=False)])
def test_a_failed_audit_is_not_blamed_on_what_stops_nothing(harmless: Finding) -> None:
    assert harmless.check not in str(AuditFailedError({"fct_expenses": [harmless, finding("adds_up")]}))


def test_a_failed_audit_carries_all_its_findings() -> None:
    findings = {"fct_expenses": [finding("fine", passed=True), finding("adds_up")]}
    assert AuditFailedError(findings).findings == findings
