"""Deputies and leadership offices: one member per number, with the latest known of each."""

from collections.abc import Mapping
from typing import Final

import pytest
from pyspark.sql import Row, SparkSession

from deputies_lake.star import dim_deputies
from deputies_lake.star.mentions import payers
from deputies_lake_tests.redacted_texts import PERSON, STARS
from deputies_lake_tests.star.staged_rows import (
    FORMER_DEPUTY,
    HOUSE_LEADERSHIP,
    LEADERSHIP,
    StagedRow,
    contract_of,
    expenses,
    house_expenses,
    nulls_in_required,
)

TABLE: Final = dim_deputies.TABLE


def moved(year: int, name: str, party: str, state: str | None) -> StagedRow:
    return {"deputy_id": "1", "year": year, "deputy_name": name, "party_label": party, "state_code": state}


ROWS: Final[tuple[StagedRow, ...]] = (
    # In an order in which neither the first nor the last row is the latest.
    moved(2012, "Fulana", "PSB", "SP"),
    moved(2015, "Fulana Nova", "PT", "RJ"),
    moved(2013, "Fulana Zuleide", "PV", "TO"),
    {"deputy_id": "2", "year": 2014, "state_code": "BA"},
    {"deputy_id": "2", "year": 2015, "state_code": None},
    {"deputy_id": "3", "year": 2014, "deputy_name": "Beltrana A", "party_label": "DEM", "state_code": "AC"},
    {"deputy_id": "3", "year": 2014, "deputy_name": "Beltrana B", "party_label": "PSDB", "state_code": "TO"},
    {"deputy_id": "03", "deputy_name": "Outra Pessoa"},
    LEADERSHIP,
    {**LEADERSHIP, "deputy_id": "5", "year": 2016},
    {"deputy_id": "5", "deputy_name": "Sicrano", "year": 2012},
    FORMER_DEPUTY,
)


@pytest.fixture(scope="module")
def members(spark: SparkSession) -> dict[str, Row]:
    rows = dim_deputies.transform(expenses(spark, *ROWS)).collect()
    found = {row["deputy_id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def test_the_columns_are_those_of_the_contract(spark: SparkSession) -> None:
    assert dim_deputies.transform(expenses(spark)).dtypes == contract_of(TABLE)


def test_a_cpf_in_a_name_is_hidden(spark: SparkSession) -> None:
    row = {"deputy_id": "1", "deputy_name": f"Fulana {PERSON}"}
    rows = dim_deputies.transform(payers(expenses(spark, row))).collect()
    assert {row["deputy_name"] for row in rows if row["deputy_id"] == "1"} == {f"Fulana {STARS}"}


def test_required_columns_are_never_null(members: Mapping[str, Row]) -> None:
    assert nulls_in_required(TABLE, [*members.values()]) == set()


def test_each_number_is_one_member_with_a_key_of_its_own(members: Mapping[str, Row]) -> None:
    assert members.keys() == {"1", "2", "3", "03", "5", "77", "9001", "UNKNOWN"}
    assert len({row["deputy_key"] for row in members.values()}) == len(members)


@pytest.mark.parametrize(
    ("column", "latest"), [("deputy_name", "Fulana Nova"), ("party_label", "PT"), ("state_code", "RJ")]
)
def test_the_latest_years_value_is_shown(column: str, latest: str, members: Mapping[str, Row]) -> None:
    assert members["1"][column] == latest


def test_first_and_last_year_are_the_years_with_an_expense(members: Mapping[str, Row]) -> None:
    assert (members["1"]["first_year"], members["1"]["last_year"]) == (2012, 2015)


def test_a_state_that_is_missing_later_does_not_hide_the_known_one(members: Mapping[str, Row]) -> None:
    assert members["2"]["state_code"] == "BA"


@pytest.mark.parametrize(
    ("column", "last"), [("deputy_name", "Beltrana B"), ("party_label", "PSDB"), ("state_code", "TO")]
)
def test_of_two_values_in_one_year_the_last_by_alphabet_is_shown(
    column: str, last: str, members: Mapping[str, Row]
) -> None:
    assert members["3"][column] == last


def test_the_order_of_the_rows_does_not_matter(spark: SparkSession, members: Mapping[str, Row]) -> None:
    rows = dim_deputies.transform(expenses(spark, *reversed(ROWS))).collect()
    assert {row["deputy_id"]: row for row in rows} == members


def test_a_deputy_is_a_deputy(members: Mapping[str, Row]) -> None:
    assert members["1"]["payer_kind"] == "deputy"


def test_a_leadership_office_is_one_and_has_no_state(members: Mapping[str, Row]) -> None:
    office = members["9001"]
    assert (office["payer_kind"], office["state_code"]) == ("leadership", None)


def test_a_former_deputy_without_a_state_is_a_deputy(members: Mapping[str, Row]) -> None:
    assert members["77"]["payer_kind"] == "deputy"


def test_a_number_that_was_ever_a_deputys_is_no_office(members: Mapping[str, Row]) -> None:
    assert members["5"]["payer_kind"] == "deputy"


def test_there_is_a_member_for_an_unknown_deputy(members: Mapping[str, Row]) -> None:
    unknown = members["UNKNOWN"]
    assert (unknown["payer_kind"], unknown["state_code"], unknown["first_year"]) == ("unknown", None, None)


def test_without_expenses_only_the_unknown_member_is_there(spark: SparkSession) -> None:
    assert [row["deputy_id"] for row in dim_deputies.transform(expenses(spark)).collect()] == ["UNKNOWN"]


# both sources

HOUSE_ROWS: Final[tuple[StagedRow, ...]] = (
    {"deputy_id": "1", "year": 2016, "deputy_name": "FULANA NOVA", "deputy_register_id": "900001"},
    {"deputy_id": "1", "year": 2019, "deputy_name": "FULANA NOVA", "deputy_register_id": "900099"},
    {"deputy_id": "10", "year": 2019, "deputy_name": "BELTRANO DE TAL"},
    {"deputy_id": "10", "year": 2022, "deputy_name": "Beltrano de Tal"},
    {"deputy_id": "10", "year": 2020, "deputy_name": "Beltrano De Tal"},
    {"deputy_id": "11", "year": 2019, "deputy_name": "SICRANA A"},
    {"deputy_id": "11", "year": 2020, "deputy_name": "SICRANA B"},
    {**HOUSE_LEADERSHIP, "year": 2016},
    {**HOUSE_LEADERSHIP, "deputy_id": "office:PDT", "deputy_name": "PDT"},
)


@pytest.fixture(scope="module")
def conformed(spark: SparkSession) -> dict[str, Row]:
    rows = dim_deputies.transform(expenses(spark, *ROWS).unionByName(house_expenses(spark, *HOUSE_ROWS))).collect()
    found = {row["deputy_id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def test_a_number_that_both_sources_know_is_one_member(conformed: Mapping[str, Row]) -> None:
    assert (conformed["1"]["first_year"], conformed["1"]["last_year"]) == (2012, 2019)


def test_the_latest_number_in_the_houses_register_is_shown(conformed: Mapping[str, Row]) -> None:
    assert conformed["1"]["deputy_register_id"] == "900099"


def test_whom_only_kaggle_knows_has_no_number_in_the_register(conformed: Mapping[str, Row]) -> None:
    assert conformed["2"]["deputy_register_id"] is None


@pytest.mark.parametrize(("number", "name"), [("1", "Fulana Nova"), ("10", "Beltrano de Tal"), ("11", "SICRANA B")])
def test_a_name_is_in_capitals_only_where_no_file_has_it_otherwise(
    number: str, name: str, conformed: Mapping[str, Row]
) -> None:
    assert conformed[number]["deputy_name"] == name


@pytest.mark.parametrize(("number", "name"), [("9001", "LIDERANÇA DO PSOL"), ("office:PDT", "PDT")])
def test_an_offices_name_stays_in_capitals(number: str, name: str, conformed: Mapping[str, Row]) -> None:
    assert conformed[number]["deputy_name"] == name


def test_an_office_that_kaggle_alone_names_is_shown_as_kaggle_does(members: Mapping[str, Row]) -> None:
    assert members["9001"]["deputy_name"] == "Liderança Do Psol"


OFFICES: Final = {
    "LIDERANÇA DO PT": "PT",
    "Liderança Do Psdb": "PSDB",
    "LIDERANÇA DO PCDOB": "PCdoB",
    "LIDERANÇA DO DEMOCRATAS": "DEM",
    "LIDERANÇA DO PODEMOS": "PODE",
    "LIDERANÇA DO PROGRESSISTAS": "PP",
    "LIDERANÇA DO UNIÃO BRASIL": "UNIÃO",
    "LIDERANÇA DO PARTIDO REPUBLICANO DA ORDEM SOCIAL": "PROS",
    "LIDERANÇA DA REDE": "REDE",
    "REPRESENTAÇÃO DO PMN": "PMN",
    "PDT": "PDT",
    "Sdd": "SDD",
    "LIDMIN": "SEM PARTIDO ASSOCIADO",
    "LID.GOV-CD": "SEM PARTIDO ASSOCIADO",
    "LIDERANÇA DA MINORIA": "SEM PARTIDO ASSOCIADO",
}


@pytest.fixture(scope="module")
def offices(spark: SparkSession) -> dict[str, str]:
    rows = [{**HOUSE_LEADERSHIP, "deputy_id": f"office:{name}", "deputy_name": name} for name in OFFICES]
    found = dim_deputies.transform(house_expenses(spark, *rows)).collect()
    return {row["deputy_name"]: row["party_label"] for row in found}


@pytest.mark.parametrize("name", OFFICES)
def test_an_offices_party_is_the_one_in_its_name(name: str, offices: Mapping[str, str]) -> None:
    assert offices[name] == OFFICES[name]


def test_a_deputys_name_tells_no_party(spark: SparkSession) -> None:
    rows = dim_deputies.transform(house_expenses(spark, {"deputy_name": "Avante"})).collect()
    assert {row["party_label"] for row in rows} == {"PSB", "UNKNOWN"}
