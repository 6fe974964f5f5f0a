"""States: the 27 of the federation, one for leadership offices, one for unknown, and whatever else is mentioned."""

from collections.abc import Mapping
from typing import Final

import pytest
from pyspark.sql import Row, SparkSession

from deputies_lake.star import dim_states
from deputies_lake_tests.star.staged_rows import (
    FORMER_DEPUTY,
    HOUSE_LEADERSHIP,
    LEADERSHIP,
    contract_of,
    expenses,
    house_expenses,
    nulls_in_required,
)

TABLE: Final = dim_states.TABLE
FEDERATION: Final = (
    *("AC", "AM", "AP", "PA", "RO", "RR", "TO"),
    *("AL", "BA", "CE", "MA", "PB", "PE", "PI", "RN", "SE"),
    *("DF", "GO", "MS", "MT"),
    *("ES", "MG", "RJ", "SP"),
    *("PR", "RS", "SC"),
)


@pytest.fixture(scope="module")
def members(spark: SparkSession) -> dict[str, Row]:
    staged = expenses(
        spark, {"state_code": "SP"}, {"state_code": "XX"}, {"state_code": "XX"}, LEADERSHIP, FORMER_DEPUTY
    )
    rows = dim_states.transform(staged).collect()
    found = {row["state_code"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def test_the_columns_are_those_of_the_contract(spark: SparkSession) -> None:
    assert dim_states.transform(expenses(spark)).dtypes == contract_of(TABLE)


def test_required_columns_are_never_null(members: Mapping[str, Row]) -> None:
    assert nulls_in_required(TABLE, [*members.values()]) == set()


def test_each_member_has_a_key_of_its_own(members: Mapping[str, Row]) -> None:
    assert len({row["state_key"] for row in members.values()}) == len(members)


def test_all_states_are_there_though_few_are_mentioned(members: Mapping[str, Row]) -> None:
    assert members.keys() == {*FEDERATION, "NONE", "UNKNOWN", "XX"}


@pytest.mark.parametrize(
    ("code", "name", "region_pt", "region_en"),
    [
        ("SP", "São Paulo", "Sudeste", "Southeast"),
        ("MS", "Mato Grosso do Sul", "Centro-Oeste", "Central-West"),
        ("MT", "Mato Grosso", "Centro-Oeste", "Central-West"),
        ("TO", "Tocantins", "Norte", "North"),
        ("MA", "Maranhão", "Nordeste", "Northeast"),
        ("PR", "Paraná", "Sul", "South"),
    ],
)
def test_a_state_has_its_name_and_region(
    code: str, name: str, region_pt: str, region_en: str, members: Mapping[str, Row]
) -> None:
    state = members[code]
    assert (state["state_name"], state["region_pt"], state["region_en"]) == (name, region_pt, region_en)


def test_the_regions_are_five(members: Mapping[str, Row]) -> None:
    regions = [members[code]["region_en"] for code in FEDERATION]
    sizes = {region: regions.count(region) for region in regions}
    assert sizes == {"North": 7, "Northeast": 9, "Central-West": 4, "Southeast": 4, "South": 3}


def test_a_code_that_the_federation_does_not_have_loads_as_itself(members: Mapping[str, Row]) -> None:
    assert (members["XX"]["state_name"], members["XX"]["region_en"]) == ("XX", "Unknown")


@pytest.mark.parametrize("code", ["NONE", "UNKNOWN"])
def test_a_code_that_spells_a_special_member_is_that_member(code: str, spark: SparkSession) -> None:
    rows = dim_states.transform(expenses(spark, {"state_code": code})).collect()
    assert [row["state_code"] for row in rows].count(code) == 1


def test_the_houses_offices_and_deputies_without_a_state_are_told_apart(spark: SparkSession) -> None:
    rows = house_expenses(spark, HOUSE_LEADERSHIP, {"state_code": None}, {"state_code": "XX"})
    found = {row["state_code"] for row in dim_states.transform(rows).collect()}
    assert found == {*FEDERATION, "NONE", "UNKNOWN", "XX"}
