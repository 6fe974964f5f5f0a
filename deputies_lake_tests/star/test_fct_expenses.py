"""The fact: one row per staged row, its amounts untouched, its keys all found in the dimensions of the same rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

import duckdb
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from deputies_lake.checks.audit import Group, Sums
from deputies_lake.contracts import Reference, Table
from deputies_lake.star import (
    dim_dates,
    dim_deputies,
    dim_document_types,
    dim_expense_categories,
    dim_parties,
    dim_states,
    dim_suppliers,
    fct_expenses,
)
from deputies_lake.star.expenses import HOUSE, KAGGLE, conformed
from deputies_lake_tests.star.staged_rows import (
    FORMER_DEPUTY,
    HOUSE_LEADERSHIP,
    LEADERSHIP,
    UNMAPPED,
    WITHOUT_ID,
    StagedRow,
    contract_of,
    expenses,
    nulls_in_required,
    refunds,
    staged,
)

TABLE: Final = fct_expenses.TABLE
KAGGLE_ROWS: Final[Mapping[str, StagedRow]] = {
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
HOUSE_ROWS: Final[Mapping[str, StagedRow]] = {
    "House: ordinary": {"trip": "BSB/GRU", "receipt_url": "https://example.org/1.pdf"},
    "House: leadership": HOUSE_LEADERSHIP,
    "House: no party": {"party_label": None},
    "House: no state": {"state_code": None},
    "House: returned ticket": {"document_amount": Decimal("500.50"), "net_amount": Decimal("-500.50")},
    "House: paid back": {"returned_amount": Decimal("12.34")},
    "House: code not in the reference": {"expense_category_id": "145", "expense_category_label": "TOKENS"},
    "House: no code": {"expense_category_id": None, "expense_category_label": "TELEFONIA"},
    "House: type not in the reference": {"document_type_id": "9"},
    "House: no type": {"document_type_id": None},
    "House: December's quota": {"competence_year": 2021, "competence_month": 12},
}
ROWS: Final = {**KAGGLE_ROWS, **HOUSE_ROWS}
KEYS: Final[Mapping[str, int]] = {kind: number for number, kind in enumerate(ROWS)}


def staged_of(spark: SparkSession, source: Table) -> DataFrame:
    rows = {KAGGLE: KAGGLE_ROWS, HOUSE: HOUSE_ROWS}[source]
    return staged(spark, source, *({"expense_key": KEYS[kind], **row} for kind, row in rows.items()))


def both(spark: SparkSession) -> DataFrame:
    return conformed(spark, {source: staged_of(spark, source) for source in (HOUSE, KAGGLE)})


@pytest.fixture(scope="module")
def facts(spark: SparkSession) -> dict[str, Row]:
    rows = fct_expenses.transform(both(spark)).collect()
    kinds = {key: kind for kind, key in KEYS.items()}
    found = {kinds[row["expense_key"]]: row for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.fixture(scope="module")
def members(spark: SparkSession) -> dict[str, dict[int, Row]]:
    """For each dimension made from the same rows its members by key."""
    rows = both(spark)
    dimensions = {
        "dim_dates": dim_dates.transform(spark),
        "dim_deputies": dim_deputies.transform(rows),
        "dim_parties": dim_parties.transform(rows, refunds(spark)),
        "dim_states": dim_states.transform(rows),
        "dim_suppliers": dim_suppliers.transform(rows),
        "dim_expense_categories": dim_expense_categories.transform(rows),
        "dim_document_types": dim_document_types.transform(rows),
    }
    return {name: {row[0]: row for row in dimension.collect()} for name, dimension in dimensions.items()}


def test_the_columns_are_those_of_the_contract(spark: SparkSession) -> None:
    assert fct_expenses.transform(expenses(spark)).dtypes == contract_of(TABLE)


def test_required_columns_are_never_null(facts: Mapping[str, Row]) -> None:
    assert nulls_in_required(TABLE, [*facts.values()]) == set()


def test_every_staged_row_is_one_fact(facts: Mapping[str, Row]) -> None:
    assert facts.keys() == ROWS.keys()


@pytest.mark.parametrize(("kind", "amount"), [("ordinary", "70.00"), ("returned", "-6100.01"), ("nothing", "0.00")])
def test_the_amount_is_untouched(kind: str, amount: str, facts: Mapping[str, Row]) -> None:
    assert facts[kind]["document_amount"] == Decimal(amount)


@pytest.mark.parametrize(
    ("kind", "amounts"),
    [
        ("House: ordinary", ("70.25", "0.25", "70.00", None)),
        ("House: returned ticket", ("500.50", "0.25", "-500.50", None)),
        ("House: paid back", ("70.25", "0.25", "70.00", "12.34")),
        ("ordinary", ("70.00", None, None, None)),
    ],
)
def test_all_amounts_are_those_that_were_staged(
    kind: str, amounts: tuple[str | None, ...], facts: Mapping[str, Row]
) -> None:
    columns = ("document_amount", "deduction_amount", "net_amount", "returned_amount")
    assert tuple(facts[kind][name] for name in columns) == tuple(amount and Decimal(amount) for amount in amounts)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("competence_year", 2022),
        ("competence_month", 3),
        ("document_id", "70000001"),
        ("document_number", "A-17"),
        ("instalment", 0),
        ("trip", "BSB/GRU"),
        ("receipt_url", "https://example.org/1.pdf"),
    ],
)
def test_what_only_the_house_publishes_is_kept_and_null_in_kaggles_years(
    column: str, value: object, facts: Mapping[str, Row]
) -> None:
    assert (facts["House: ordinary"][column], facts["ordinary"][column]) == (value, None)


def test_the_year_is_the_quota_year(facts: Mapping[str, Row]) -> None:
    assert facts["another year"]["year"] == 2009


def test_the_year_is_the_files_whatever_the_row_says(facts: Mapping[str, Row]) -> None:
    assert facts["House: December's quota"]["year"] == 2022


@pytest.mark.parametrize(
    ("rows", "source_code"), [(KAGGLE_ROWS, "kaggle_reimbursements"), (HOUSE_ROWS, "chamber_expenses")]
)
def test_the_source_is_named(rows: Mapping[str, StagedRow], source_code: str, facts: Mapping[str, Row]) -> None:
    assert {facts[kind]["source_code"] for kind in rows} == {source_code}


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
        ("ordinary", "dim_document_types", "name_en", "Unknown"),
        ("House: ordinary", "dim_document_types", "document_type_id", "4"),
        ("House: no type", "dim_document_types", "name_en", "Unknown"),
        ("House: type not in the reference", "dim_document_types", "document_type_id", "9"),
        ("House: leadership", "dim_parties", "party_kind", "leadership"),
        ("House: leadership", "dim_states", "state_code", "NONE"),
        ("House: leadership", "dim_deputies", "payer_kind", "leadership"),
        ("House: no party", "dim_parties", "party_kind", "no_party"),
        ("House: no state", "dim_states", "state_code", "UNKNOWN"),
        ("House: code not in the reference", "dim_expense_categories", "expense_category_id", "145"),
        ("House: no code", "dim_expense_categories", "expense_category_id", None),
        ("House: no code", "dim_expense_categories", "chamber_label", "TELEFONIA"),
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
    alone = fct_expenses.transform(both(spark).where("year = 2016")).collect()
    assert alone == [facts["leap day"]]


@pytest.mark.parametrize("reference", TABLE.references, ids=lambda reference: reference.column)
def test_what_both_sources_name_alike_has_one_key(reference: Reference, facts: Mapping[str, Row]) -> None:
    # Of the ordinary rows all is equal but the day and the kind of document, of which Kaggle knows nothing.
    same = facts["ordinary"][reference.column] == facts["House: ordinary"][reference.column]
    assert same is (reference.column not in {"date_key", "document_type_key"})


# What the fact must add up to is computed by another engine, from the staged rows and the categories


@pytest.fixture(scope="module")
def staged_rows(spark: SparkSession) -> dict[Table, list[Row]]:
    return {source: staged_of(spark, source).collect() for source in (HOUSE, KAGGLE)}


@pytest.fixture
def connection(members: Mapping[str, Mapping[int, Row]]) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        show(opened, "star_dim_expense_categories", members["dim_expense_categories"].values())
        yield opened


def show(connection: duckdb.DuckDBPyConnection, name: str, rows: Iterable[Row]) -> None:
    connection.register(name, pa.Table.from_pylist([row.asDict() for row in rows]))


def staged_sums(connection: duckdb.DuckDBPyConnection, rows: Mapping[Table, Sequence[Row]]) -> Sums:
    for source, of_source in rows.items():
        show(connection, f"staging_{source.name}", of_source)
    return Sums.of(connection.sql(fct_expenses.staged_sums([*rows])).fetchall(), others=3)


def sums_of(facts: Iterable[Row]) -> Sums:
    found = Sums.none()
    for row in facts:
        group: Group = (row["year"], row["expense_category_key"])
        others = tuple(row[name] or Decimal(0) for name in ("net_amount", "deduction_amount", "returned_amount"))
        found += Sums({group: 1}, {group: row["document_amount"]}, {group: others})
    return found


def test_rows_and_cents_by_category_are_those_that_were_staged(
    facts: Mapping[str, Row], staged_rows: Mapping[Table, Sequence[Row]], connection: duckdb.DuckDBPyConnection
) -> None:
    assert staged_sums(connection, staged_rows) == sums_of(facts.values())


@pytest.mark.parametrize(("source", "kinds"), [(KAGGLE, KAGGLE_ROWS), (HOUSE, HOUSE_ROWS)], ids=["kaggle", "house"])
def test_a_lake_of_one_source_adds_up_too(
    source: Table,
    kinds: Mapping[str, StagedRow],
    facts: Mapping[str, Row],
    staged_rows: Mapping[Table, Sequence[Row]],
    connection: duckdb.DuckDBPyConnection,
) -> None:
    found = staged_sums(connection, {source: staged_rows[source]})
    assert found == sums_of(facts[kind] for kind in kinds)


def test_a_year_that_both_sources_have_must_add_up_to_the_houses_rows(
    facts: Mapping[str, Row], staged_rows: Mapping[Table, Sequence[Row]], connection: duckdb.DuckDBPyConnection
) -> None:
    also_in_kaggle = Row(**{**staged_rows[KAGGLE][0].asDict(), "year": 2022})
    rows = {**staged_rows, KAGGLE: [*staged_rows[KAGGLE], also_in_kaggle]}
    assert staged_sums(connection, rows) == sums_of(facts.values())
