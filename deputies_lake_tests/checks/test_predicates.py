"""Each check passes on good rows, and on bad ones says how many there are and which."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from deputies_lake.checks import predicates
from deputies_lake.checks.audit import Audit, Check, Finding, Sums, auditor
from deputies_lake.checks.predicates import (
    ADDS_UP,
    COMPETENCE,
    DATES,
    FILLED,
    GRAIN,
    KNOWN,
    MEMBERS,
    NET,
    NO_CPF,
    REFERENCES,
    checks_of,
)
from deputies_lake.contracts import MONEY, Column, Reference, Table, Totals
from deputies_lake.raw import kaggle_refunds, kaggle_reimbursements
from deputies_lake.staging import rejected_rows, stg_chamber_expenses, stg_kaggle_refunds, stg_kaggle_reimbursements
from deputies_lake.star import dim_dates, dim_expense_categories, dim_suppliers, fct_expenses
from deputies_lake_tests.redacted_texts import OTHER_PERSON, PERSON, REDACTED, STARS

CONTRACT = Table(
    layer="star",
    name="fct_receipts",
    pt="Recibos",
    en="Receipts",
    grain="one row per receipt",
    columns=(
        Column(name="year", type="int", pt="ano", en="year"),
        Column(name="receipt_key", pt="chave", en="key"),
        Column(name="state_key", type="bigint", pt="UF", en="state"),
        Column(name="party_key", type="bigint", pt="partido", en="party"),
        Column(name="label", pt="rótulo", en="label"),
        Column(name="amount", type=MONEY, pt="valor", en="amount"),
        Column(name="note", pt="nota", en="note", nullable=True),
    ),
    key=("receipt_key",),
    references=(
        Reference(column="state_key", table="dim_states"),
        Reference(column="party_key", table="dim_parties"),
    ),
    totals=Totals(by=("year", "label"), amount="amount"),
)
ARROW_TYPES = {"int": pa.int32(), "bigint": pa.int64(), "string": pa.string(), MONEY: pa.decimal128(14, 2)}
SCHEMA = pa.schema([(column.name, ARROW_TYPES[column.type]) for column in CONTRACT.columns])
GOOD: dict[str, Any] = {
    "year": 2013,
    "receipt_key": "a-1",
    "state_key": 1,
    "party_key": 1,
    "label": "Fuel",
    "amount": Decimal("1.50"),
    "note": None,
}


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """With two dimensions, each of the members 1 and 2."""
    with auditor() as opened:
        for dimension, key in (("dim_states", "state_key"), ("dim_parties", "party_key")):
            opened.execute(f"CREATE TABLE star_{dimension} AS SELECT unnest([1, 2])::BIGINT AS {key}")
        yield opened


def receipts(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    """A good row for each of `changes`, with a key of its own, changed by it."""
    return [{**GOOD, "receipt_key": f"{number}-1", **change} for number, change in enumerate(changes)]


def run(
    connection: duckdb.DuckDBPyConnection,
    check: Check,
    rows: Sequence[dict[str, Any]],
    contract: Table = CONTRACT,
    expected: Sums | None = None,
) -> Finding:
    connection.register("staged", pa.Table.from_pylist(list(rows), schema=SCHEMA))
    return check.run(Audit(contract=contract, connection=connection, expected=expected))


# which checks a table has


@pytest.mark.parametrize(
    ("contract", "checks"),
    [
        (kaggle_reimbursements.TABLE, (GRAIN, FILLED)),
        (kaggle_refunds.TABLE, (GRAIN, FILLED)),
        (stg_kaggle_reimbursements.TABLE, (GRAIN, FILLED, ADDS_UP, NO_CPF, KNOWN)),
        (stg_kaggle_refunds.TABLE, (GRAIN, FILLED, ADDS_UP, NO_CPF, KNOWN)),
        (stg_chamber_expenses.TABLE, (GRAIN, FILLED, ADDS_UP, NO_CPF, KNOWN, COMPETENCE, NET, DATES)),
        (rejected_rows.TABLE, (GRAIN, FILLED, ADDS_UP, NO_CPF)),
        (dim_dates.TABLE, (GRAIN, FILLED, MEMBERS, NO_CPF)),
        (dim_expense_categories.TABLE, (GRAIN, FILLED, MEMBERS, NO_CPF)),
        (fct_expenses.TABLE, (GRAIN, FILLED, REFERENCES, ADDS_UP, NO_CPF)),
    ],
    ids=lambda value: value.name if isinstance(value, Table) else "",
)
def test_a_table_has_the_checks_its_contract_asks_for(contract: Table, checks: tuple[Check, ...]) -> None:
    assert checks_of(contract) == checks


def test_every_check_blocks_but_those_of_what_is_odd_in_a_source() -> None:
    checks = [value for value in vars(predicates).values() if isinstance(value, Check)]
    assert [check for check in checks if not check.blocking] == [KNOWN, COMPETENCE, NET, DATES]


# grain_is_unique


def test_rows_of_different_keys_pass(connection: duckdb.DuckDBPyConnection) -> None:
    assert run(connection, GRAIN, receipts({}, {})).passed


def test_no_rows_pass(connection: duckdb.DuckDBPyConnection) -> None:
    assert run(connection, GRAIN, []).passed


def test_two_rows_of_one_key_fail(connection: duckdb.DuckDBPyConnection) -> None:
    finding = run(connection, GRAIN, receipts({"receipt_key": "x"}, {}, {"receipt_key": "x"}, {"receipt_key": "x"}))
    assert not finding.passed
    assert finding.summary == "1 values of receipt_key occur more than once in 2013, such as receipt_key x"
    assert finding.figures == {"repeated": 1, "examples": "[('x', 3)]"}


def test_two_rows_without_a_key_share_it(connection: duckdb.DuckDBPyConnection) -> None:
    assert not run(connection, GRAIN, receipts({"receipt_key": None}, {"receipt_key": None})).passed


def test_all_repeated_keys_are_counted_and_five_are_shown(connection: duckdb.DuckDBPyConnection) -> None:
    finding = run(connection, GRAIN, receipts(*({"receipt_key": letter} for letter in "hgfedcbahgfedcba")))
    assert finding.figures == {"repeated": 8, "examples": str([(letter, 2) for letter in "abcde"])}


COMPOSITE = replace(CONTRACT, key=("year", "label"))


def test_a_key_of_two_columns_is_repeated_only_where_both_are(connection: duckdb.DuckDBPyConnection) -> None:
    rows = receipts({"year": 2013, "label": "a"}, {"year": 2013, "label": "b"}, {"year": 2014, "label": "a"})
    assert run(connection, GRAIN, rows, COMPOSITE).passed


def test_a_repeated_key_of_two_columns_fails(connection: duckdb.DuckDBPyConnection) -> None:
    rows = receipts({"year": 2013, "label": "a"}, {"year": 2014, "label": "a"}, {"year": 2014, "label": "a"})
    finding = run(connection, GRAIN, rows, COMPOSITE)
    assert (finding.passed, finding.figures["examples"]) == (False, "[(2014, 'a', 2)]")


# required_columns_are_filled


def test_nulls_where_the_contract_allows_them_pass(connection: duckdb.DuckDBPyConnection) -> None:
    assert run(connection, FILLED, receipts({"note": None}, {"note": "a note"})).passed


def test_an_empty_text_is_no_null(connection: duckdb.DuckDBPyConnection) -> None:
    assert run(connection, FILLED, receipts({"label": ""})).passed


@pytest.mark.parametrize("column", CONTRACT.required)
def test_a_null_in_a_required_column_fails(connection: duckdb.DuckDBPyConnection, column: str) -> None:
    finding = run(connection, FILLED, receipts({}, {column: None}))
    assert (finding.passed, finding.figures) == (False, {column: 1})
    assert finding.summary.startswith(f"nulls in {column} in ")


def test_of_a_null_the_years_and_a_row_are_told(connection: duckdb.DuckDBPyConnection) -> None:
    nulls = [{"year": year, "receipt_key": f"{year}", "label": None} for year in range(2019, 2013, -1)]
    finding = run(connection, FILLED, receipts(*nulls))
    assert finding.summary == "nulls in label in 2014, 2015, 2016, 2017, 2018 and others, such as receipt_key 2014"


def test_nulls_are_counted_for_each_column(connection: duckdb.DuckDBPyConnection) -> None:
    finding = run(connection, FILLED, receipts({"label": None, "amount": None}, {"amount": None}, {}))
    assert finding.figures == {"label": 1, "amount": 2}


# references_resolve


def test_keys_that_have_their_member_pass(connection: duckdb.DuckDBPyConnection) -> None:
    assert run(connection, REFERENCES, receipts({"state_key": 1}, {"state_key": 2}, {"state_key": 1})).passed


def test_keys_without_a_member_fail_and_are_counted_by_rows(connection: duckdb.DuckDBPyConnection) -> None:
    finding = run(connection, REFERENCES, receipts({"state_key": 7}, {"state_key": 7}, {"state_key": 8}, {}))
    assert (finding.passed, finding.figures) == (False, {"state_key": 3})


def test_each_dimension_is_told_of_its_own(connection: duckdb.DuckDBPyConnection) -> None:
    finding = run(connection, REFERENCES, receipts({"state_key": 7}, {"party_key": 7}, {"party_key": 8}))
    assert finding.summary == (
        "keys without a member: state_key (1 rows in 2013, such as receipt_key 0-1, state_key 7), "
        "party_key (2 rows in 2013, such as receipt_key 1-1, party_key 7); materialize the dimensions first"
    )


def test_a_null_key_has_no_member(connection: duckdb.DuckDBPyConnection) -> None:
    assert run(connection, REFERENCES, receipts({"state_key": None})).figures == {"state_key": 1}


def test_nothing_resolves_in_an_empty_dimension(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("DELETE FROM star_dim_parties")
    assert run(connection, REFERENCES, receipts({}, {})).figures == {"party_key": 2}


def test_no_rows_refer_to_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("DELETE FROM star_dim_parties")
    assert run(connection, REFERENCES, []).passed


# adds_up

FUEL, PHONE = (2013, "Fuel"), (2014, "Phone")
RECEIPTS = receipts(
    {"amount": Decimal("0.10")},
    {"amount": Decimal("0.20")},
    {"year": 2014, "label": "Phone", "amount": Decimal("-3.00")},
)
EXPECTED = Sums({FUEL: 2, PHONE: 1}, {FUEL: Decimal("0.30"), PHONE: Decimal(-3)})


def test_rows_and_cents_that_are_all_there_pass(connection: duckdb.DuckDBPyConnection) -> None:
    finding = run(connection, ADDS_UP, RECEIPTS, expected=EXPECTED)
    assert finding.passed
    assert finding.summary == "3 rows and BRL -2.70 in 2 groups, none lost"
    assert finding.figures == {"rows expected": 3, "rows found": 3, "BRL expected": "-2.70", "BRL found": "-2.70"}


def test_nothing_adds_up_to_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    assert run(connection, ADDS_UP, [], expected=Sums.none()).passed


OFF: dict[str, tuple[list[dict[str, Any]], str, str]] = {
    "a cent lost": (
        [{**RECEIPTS[0], "amount": Decimal("0.09")}, *RECEIPTS[1:]],
        "group 2013 | Fuel",
        "expected 2 rows, BRL 0.30; found 2 rows, BRL 0.29",
    ),
    "a row of nothing too many": (
        [*RECEIPTS, *receipts({"amount": Decimal(0)})],
        "group 2013 | Fuel",
        "expected 2 rows, BRL 0.30; found 3 rows, BRL 0.30",
    ),
    "a row twice": (
        [*RECEIPTS, RECEIPTS[2]],
        "group 2014 | Phone",
        "expected 1 rows, BRL -3.00; found 2 rows, BRL -6.00",
    ),
    "a sign lost": (
        [*RECEIPTS[:2], {**RECEIPTS[2], "amount": Decimal(3)}],
        "group 2014 | Phone",
        "expected 1 rows, BRL -3.00; found 1 rows, BRL 3.00",
    ),
    "a group lost": (RECEIPTS[:2], "group 2014 | Phone", "expected 1 rows, BRL -3.00; found 0 rows, BRL 0.00"),
    "a group invented": (
        [*RECEIPTS, *receipts({"label": "Fun", "amount": Decimal(5)})],
        "group 2013 | Fun",
        "expected 0 rows, BRL 0.00; found 1 rows, BRL 5.00",
    ),
    "a group without a name": (
        [*RECEIPTS, *receipts({"label": None, "amount": Decimal(5)})],
        "group 2013 | None",
        "expected 0 rows, BRL 0.00; found 1 rows, BRL 5.00",
    ),
}


@pytest.mark.parametrize("case", OFF)
def test_what_does_not_add_up_fails_and_the_group_is_shown(connection: duckdb.DuckDBPyConnection, case: str) -> None:
    rows, group, figures = OFF[case]
    finding = run(connection, ADDS_UP, rows, expected=EXPECTED)
    assert (finding.passed, finding.figures.get(group)) == (False, figures)


def test_an_amount_filed_under_another_group_fails_although_the_total_is_right(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    moved = [RECEIPTS[0], {**RECEIPTS[1], "year": 2014, "label": "Phone"}, RECEIPTS[2]]
    finding = run(connection, ADDS_UP, moved, expected=EXPECTED)
    shown = "such as group 2013 | Fuel: expected 2 rows, BRL 0.30; found 1 rows, BRL 0.10"
    assert (finding.passed, finding.summary) == (False, f"2 of 2 groups by year, label do not add up, {shown}")


def test_groups_that_do_not_add_up_are_counted_and_five_are_shown(connection: duckdb.DuckDBPyConnection) -> None:
    finding = run(connection, ADDS_UP, receipts(*({"year": year} for year in range(2009, 2018))), expected=Sums.none())
    assert finding.summary.startswith("9 of 9 groups by year, label do not add up, such as group 2009 | Fuel: ")
    assert [name for name in finding.figures if name.startswith("group ")] == [
        f"group {year} | Fuel" for year in range(2009, 2014)
    ]


def test_a_further_amount_that_does_not_add_up_fails_and_is_named(connection: duckdb.DuckDBPyConnection) -> None:
    rows = [{**row, "returned": Decimal("0.10")} for row in receipts({})]
    schema = SCHEMA.append(pa.field("returned", pa.decimal128(14, 2)))
    connection.register("staged", pa.Table.from_pylist(rows, schema))
    totals = Totals(by=("year", "label"), amount="amount", also=("returned",))
    returned = Column(name="returned", type=MONEY, pt="devolvido", en="returned")
    contract = replace(CONTRACT, columns=(*CONTRACT.columns, returned), totals=totals)
    expected = Sums({FUEL: 1}, {FUEL: Decimal("1.50")}, {FUEL: (Decimal("0.20"),)})
    finding = ADDS_UP.run(Audit(contract=contract, connection=connection, expected=expected))
    assert not finding.passed
    assert finding.figures["group 2013 | Fuel"] == (
        "expected 1 rows, BRL 1.50; found 1 rows, BRL 1.50; returned: expected BRL 0.20, found BRL 0.10"
    )


def test_rows_without_an_amount_count_and_add_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    expected = Sums({FUEL: 2}, {FUEL: Decimal("1.50")})
    assert run(connection, ADDS_UP, receipts({}, {"amount": None}), expected=expected).passed


def test_a_table_that_nothing_was_expected_of_can_not_be_said_to_add_up(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    with pytest.raises(ValueError, match=r"star\.fct_receipts: nothing was given that its rows must add up to"):
        run(connection, ADDS_UP, RECEIPTS)


# what is odd in a source


def staged_as(connection: duckdb.DuckDBPyConnection, check: Check, rows: str) -> Finding:
    """What a check finds in rows given as SQL."""
    connection.execute(f"CREATE OR REPLACE TEMP VIEW staged AS {rows}")
    return check.run(Audit(contract=stg_chamber_expenses.TABLE, connection=connection))


def labelled(connection: duckdb.DuckDBPyConnection, *rows: tuple[str, str | None]) -> Finding:
    values = ", ".join(f"('{label}', " + (f"'{code}')" if code else "NULL)") for label, code in rows)
    return staged_as(connection, KNOWN, f"FROM (VALUES {values}) AS _(expense_category_label, expense_category_id)")


def test_known_codes_pass(connection: duckdb.DuckDBPyConnection) -> None:
    assert labelled(connection, ("FUEL COSTS", "3"), ("MEAL COSTS", "13")).passed


def test_labels_without_a_code_are_shown_with_their_rows_the_most_frequent_first(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    finding = labelled(connection, ("FUEL COSTS", "3"), ("RARE", None), ("NEW", None), ("NEW", None))
    assert not finding.passed
    assert finding.summary.startswith("2 categories without a code that is known: add them to expense_category_labels")
    assert list(finding.figures.items()) == [("label 'NEW'", 2), ("label 'RARE'", 1)]


def test_no_cpf_in_the_place_of_a_label_or_a_code_is_shown(connection: duckdb.DuckDBPyConnection) -> None:
    assert labelled(connection, (PERSON, None), ("X", OTHER_PERSON)).figures == {
        f"label {STARS!r}": 1,
        f"code {STARS!r}, label 'X'": 1,
    }


def test_no_cpf_in_the_place_of_a_label_is_shown_where_sums_differ(connection: duckdb.DuckDBPyConnection) -> None:
    finding = run(connection, ADDS_UP, receipts({"label": PERSON}), expected=Sums.none())
    assert f"group 2013 | {STARS}" in finding.figures
    assert PERSON not in str(finding)


def test_a_code_that_the_reference_does_not_know_is_shown_with_its_label(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert labelled(connection, ("TOKENS", "145")).figures == {"code '145', label 'TOKENS'": 1}


def test_all_labels_without_a_code_are_counted_and_five_are_shown(connection: duckdb.DuckDBPyConnection) -> None:
    finding = labelled(connection, *((letter, None) for letter in "abcdefgh"))
    assert (finding.summary[0], len(finding.figures)) == ("8", 5)


@pytest.mark.parametrize(
    ("years", "passed", "figures"),
    [
        ("(2022)", True, {}),
        ("(2022), (2021)", False, {"file of 2022, quota year 2021": 1}),
        ("(NULL)", False, {"file of 2022, quota year unknown": 1}),
    ],
)
def test_rows_of_another_quota_year_are_told(
    connection: duckdb.DuckDBPyConnection, years: str, passed: bool, figures: dict[str, int]
) -> None:
    rows = f"SELECT 2022 AS year, competence_year FROM (VALUES {years}) AS _(competence_year)"
    finding = staged_as(connection, COMPETENCE, rows)
    assert (finding.passed, finding.figures) == (passed, figures)


def test_net_values_that_do_not_follow_are_told_with_what_they_are_apart(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    rows = """
        SELECT unnest([8.00, 9.00]) AS net_amount, 10.00 AS document_amount, 2.00 AS deduction_amount,
            net_amount <> document_amount - deduction_amount AS is_net_inconsistent
    """
    finding = staged_as(connection, NET, rows)
    assert (finding.passed, finding.figures) == (False, {"BRL apart": "1.00"})
    assert staged_as(connection, NET, f"FROM ({rows}) WHERE net_amount = 8").passed


@pytest.mark.parametrize("impossible", [True, False])
def test_impossible_dates_are_counted(connection: duckdb.DuckDBPyConnection, impossible: bool) -> None:
    finding = staged_as(connection, DATES, f"SELECT {impossible} AS is_date_impossible")
    assert (finding.passed, finding.summary[:6]) == (not impossible, "1 rows" if impossible else "no row")


# no_cpf_is_shown


def shown(connection: duckdb.DuckDBPyConnection, texts: Sequence[str | None]) -> Finding:
    """What the check says of a table with these document numbers."""
    contract = replace(CONTRACT, columns=(*CONTRACT.columns, Column(name="document_number", pt="nº", en="number")))
    rows = [{**row, "document_number": text} for row, text in zip(receipts(*[{}] * len(texts)), texts, strict=True)]
    schema = SCHEMA.append(pa.field("document_number", pa.string()))
    connection.register("staged", pa.Table.from_pylist(rows, schema=schema))
    return NO_CPF.run(Audit(contract=contract, connection=connection))


def test_what_the_redaction_leaves_passes(connection: duckdb.DuckDBPyConnection) -> None:
    assert shown(connection, [None, *(redacted for _, redacted in REDACTED.values())]).passed


@pytest.mark.parametrize("must", [must for must, (text, redacted) in REDACTED.items() if text != redacted])
def test_what_the_redaction_hides_does_not_pass(must: str, connection: duckdb.DuckDBPyConnection) -> None:
    assert not shown(connection, ["17", REDACTED[must][0]]).passed


def test_of_a_dimension_all_texts_are_looked_at_but_tax_ids(connection: duckdb.DuckDBPyConnection) -> None:
    contract = dim_suppliers.TABLE
    row = {column.name: None for column in contract.columns} | {"supplier_id": PERSON, "supplier_id_kind": PERSON}
    schema = pa.schema([(column.name, pa.string()) for column in contract.columns])
    connection.register("staged", pa.Table.from_pylist([row], schema=schema))
    assert NO_CPF.run(Audit(contract=contract, connection=connection)).figures.keys() == {"supplier_id_kind"}


def test_a_column_that_shows_a_cpf_is_named_and_the_cpf_is_not(connection: duckdb.DuckDBPyConnection) -> None:
    finding = shown(connection, [f"2022{PERSON}", "17", "123.456.789-00"])
    assert finding.figures == {"document_number": 2}
    assert "document_number" in finding.summary
    assert PERSON not in f"{finding.summary}{finding.figures}"
