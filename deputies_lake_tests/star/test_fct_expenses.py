"""The fact: one row per staged row, its amount untouched, its keys all found in the dimensions of the same rows."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final

import duckdb
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from deputies_lake.checks.audit import Group, Sums
from deputies_lake.contracts import Reference
from deputies_lake.star import (
    dim_dates,
    dim_deputies,
    dim_expense_categories,
    dim_parties,
    dim_states,
    dim_suppliers,
    fct_expenses,
)
from deputies_lake_tests.star.staged_rows import (
    FORMER_DEPUTY,
    LEADERSHIP,
    UNMAPPED,
    WITHOUT_ID,
    StagedRow,
    contract_of,
    expenses,
    nulls_in_required,
    refunds,
)

TABLE: Final = fct_expenses.TABLE
SOURCE: Final = "kaggle_reimbursements"
ROWS: Final[Mapping[str, StagedRow]] = {
    "ordinary": {},
    "leadership": LEADERSHIP,
    "former deputy": FORMER_DEPUTY,
    "no date": {"receipt_date": None},
    "last day of the year": {"receipt_date": date(2013, 12, 31)},
    "leap day": {"year": 2016, "receipt_date": date(2016, 2, 29)},
    "no supplier id": WITHOUT_ID,
    "a person": {"supplier_id": "***.456.789-**", "supplier_id_kind": "cpf", "supplier_token": "hash-1"},
    "no code": UNMAPPED,
    "no code and no label": {"expense_category_id": None, "expense_category_label": ""},
    "flight": {"expense_category_id": "9+999", "expense_category_label": "Airline tickets"},
    "another state": {"state_code": "XX"},
    "party in capitals": {"party_label": "PCDOB"},
    "party in mixed case": {"party_label": "PCdoB"},
    "returned": {"document_amount": Decimal("-6100.01")},
    "nothing": {"document_amount": Decimal("0.00")},
    "another year": {"year": 2009, "receipt_date": date(2009, 1, 1)},
}
KEYS: Final[Mapping[str, int]] = {kind: number for number, kind in enumerate(ROWS)}


def staged(spark: SparkSession) -> DataFrame:
    return expenses(spark, *({"expense_key": KEYS[kind], **row} for kind, row in ROWS.items()))


@pytest.fixture(scope="module")
def facts(spark: SparkSession) -> dict[str, Row]:
    rows = fct_expenses.transform(staged(spark), source_code=SOURCE).collect()
    kinds = {key: kind for kind, key in KEYS.items()}
    found = {kinds[row["expense_key"]]: row for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.fixture(scope="module")
def members(spark: SparkSession) -> dict[str, dict[int, Row]]:
    """For each dimension made from the same rows its members by key."""
    rows = staged(spark)
    dimensions = {
        "dim_dates": dim_dates.transform(spark),
        "dim_deputies": dim_deputies.transform(rows),
        "dim_parties": dim_parties.transform(rows, refunds(spark)),
        "dim_states": dim_states.transform(rows),
        "dim_suppliers": dim_suppliers.transform(rows),
        "dim_expense_categories": dim_expense_categories.transform(rows),
    }
    return {name: {row[0]: row for row in dimension.collect()} for name, dimension in dimensions.items()}


def test_the_columns_are_those_of_the_contract(spark: SparkSession) -> None:
    assert fct_expenses.transform(expenses(spark), source_code=SOURCE).dtypes == contract_of(TABLE)


def test_required_columns_are_never_null(facts: Mapping[str, Row]) -> None:
    assert nulls_in_required(TABLE, [*facts.values()]) == set()


def test_every_staged_row_is_one_fact(facts: Mapping[str, Row]) -> None:
    assert facts.keys() == ROWS.keys()


@pytest.mark.parametrize(("kind", "amount"), [("ordinary", "70.00"), ("returned", "-6100.01"), ("nothing", "0.00")])
def test_the_amount_is_untouched(kind: str, amount: str, facts: Mapping[str, Row]) -> None:
    assert facts[kind]["document_amount"] == Decimal(amount)


def test_the_year_is_the_quota_year(facts: Mapping[str, Row]) -> None:
    assert facts["another year"]["year"] == 2009


def test_the_source_is_named(facts: Mapping[str, Row]) -> None:
    assert {row["source_code"] for row in facts.values()} == {SOURCE}


@pytest.mark.parametrize("reference", TABLE.references, ids=lambda reference: reference.column)
def test_every_key_is_a_member_of_its_dimension(
    reference: Reference, facts: Mapping[str, Row], members: Mapping[str, Mapping[int, Row]]
) -> None:
    known = members[reference.table]
    assert {kind for kind, row in facts.items() if row[reference.column] not in known} == set()


@pytest.mark.parametrize(
    ("kind", "dimension", "column", "value"),
    [
        ("ordinary", "dim_dates", "date", date(2013, 3, 27)),
        ("no date", "dim_dates", "date_key", 0),
        ("leap day", "dim_dates", "date", date(2016, 2, 29)),
        ("ordinary", "dim_deputies", "deputy_id", "4242"),
        ("leadership", "dim_deputies", "payer_kind", "leadership"),
        ("former deputy", "dim_deputies", "payer_kind", "deputy"),
        ("ordinary", "dim_parties", "party_label", "PSB"),
        ("party in capitals", "dim_parties", "party_label", "PCdoB"),
        ("party in mixed case", "dim_parties", "party_label", "PCdoB"),
        ("leadership", "dim_parties", "party_kind", "leadership"),
        ("ordinary", "dim_states", "state_code", "SP"),
        ("another state", "dim_states", "state_code", "XX"),
        ("leadership", "dim_states", "state_code", "NONE"),
        ("former deputy", "dim_states", "state_code", "UNKNOWN"),
        ("ordinary", "dim_suppliers", "supplier_id", "11222333000181"),
        ("no supplier id", "dim_suppliers", "supplier_name", "Celular Funcional"),
        ("a person", "dim_suppliers", "supplier_id", "***.456.789-**"),
        ("ordinary", "dim_expense_categories", "expense_category_id", "3"),
        ("flight", "dim_expense_categories", "expense_category_id", "9+999"),
        ("no code", "dim_expense_categories", "kaggle_label", "Space travel"),
        ("no code and no label", "dim_expense_categories", "kaggle_label", ""),
    ],
)
def test_a_key_leads_to_the_member_that_the_row_names(
    kind: str,
    dimension: str,
    column: str,
    value: object,
    facts: Mapping[str, Row],
    members: Mapping[str, Mapping[int, Row]],
) -> None:
    (key,) = (reference.column for reference in TABLE.references if reference.table == dimension)
    assert members[dimension][facts[kind][key]][column] == value


def test_a_year_alone_has_the_keys_it_has_among_all_years(spark: SparkSession, facts: Mapping[str, Row]) -> None:
    alone = fct_expenses.transform(staged(spark).where("year = 2016"), source_code=SOURCE).collect()
    assert alone == [facts["leap day"]]


# What the fact must add up to is computed by another engine, from the staged rows and the categories


@pytest.fixture(scope="module")
def expected(spark: SparkSession, members: Mapping[str, Mapping[int, Row]]) -> Sums:
    with duckdb.connect() as connection:
        tables = {
            "staging_stg_kaggle_reimbursements": staged(spark).collect(),
            "star_dim_expense_categories": list(members["dim_expense_categories"].values()),
        }
        for name, rows in tables.items():
            connection.register(name, pa.Table.from_pylist([row.asDict() for row in rows]))
        return Sums.of(connection.sql(fct_expenses.STAGED_SUMS).fetchall())


def test_rows_and_cents_by_category_are_those_that_were_staged(facts: Mapping[str, Row], expected: Sums) -> None:
    found = Sums.none()
    for row in facts.values():
        group: Group = (row["year"], row["expense_category_key"])
        found += Sums({group: 1}, {group: row["document_amount"]})
    assert found == expected
