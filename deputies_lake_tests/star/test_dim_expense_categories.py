"""Expense categories: the House's codes with their names, and each label without a code as itself."""

from collections.abc import Mapping
from typing import Final

import pytest
from pyspark.sql import Row, SparkSession

from deputies_lake.star import dim_expense_categories
from deputies_lake_tests.star.staged_rows import (
    UNMAPPED,
    StagedRow,
    contract_of,
    expenses,
    house_expenses,
    nulls_in_required,
)

TABLE: Final = dim_expense_categories.TABLE
CODES: Final = {
    *("1", "2", "3", "4", "5", "6", "7", "8", "9", "9+999", "10", "11", "12", "13", "14", "15"),
    *("119", "120", "121", "122", "123", "137", "998", "999"),
}


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> list[Row]:
    other = {**UNMAPPED, "expense_category_label": "Time travel"}
    number = {**UNMAPPED, "expense_category_label": "3"}
    return dim_expense_categories.transform(expenses(spark, {}, UNMAPPED, UNMAPPED, other, number)).collect()


@pytest.fixture(scope="module")
def coded(found: list[Row]) -> dict[str, Row]:
    return {row["expense_category_id"]: row for row in found if row["expense_category_id"]}


@pytest.fixture(scope="module")
def uncoded(found: list[Row]) -> dict[str, Row]:
    """By their English name."""
    return {row["name_en"]: row for row in found if row["expense_category_id"] is None}


def test_the_columns_are_those_of_the_contract(spark: SparkSession) -> None:
    assert dim_expense_categories.transform(expenses(spark)).dtypes == contract_of(TABLE)


def test_required_columns_are_never_null(found: list[Row]) -> None:
    assert nulls_in_required(TABLE, found) == set()


def test_each_member_has_a_key_of_its_own(found: list[Row]) -> None:
    assert len({row["expense_category_key"] for row in found}) == len(found)


def test_all_codes_of_the_house_are_there_though_few_are_mentioned(coded: Mapping[str, Row]) -> None:
    assert coded.keys() == CODES


def test_flight_tickets_that_kaggle_does_not_tell_apart_are_a_member_of_their_own(coded: Mapping[str, Row]) -> None:
    assert coded["9+999"]["kaggle_label"] == "Airline tickets"
    assert (coded["9"]["kaggle_label"], coded["999"]["kaggle_label"]) == (None, None)


def test_all_kinds_of_flight_tickets_are_one_group(coded: Mapping[str, Row]) -> None:
    assert {coded[code]["group_en"] for code in ("9", "9+999", "998", "999")} == {"Flight tickets"}


def test_a_category_is_named_in_both_languages(coded: Mapping[str, Row]) -> None:
    fuel = coded["3"]
    assert (fuel["name_pt"], fuel["name_en"]) == ("Combustíveis e lubrificantes", "Fuels and lubricants")


def test_kaggles_label_is_spelled_as_in_the_file(coded: Mapping[str, Row]) -> None:
    assert coded["3"]["kaggle_label"] == "Fuels and lubricants."


def test_an_empty_note_is_null(found: list[Row]) -> None:
    assert "" not in {row["note"] for row in found}


def test_each_label_without_a_code_is_one_member_besides_the_unknown_one(uncoded: Mapping[str, Row]) -> None:
    assert sorted(uncoded) == ["3", "Space travel", "Time travel", "Unknown"]


def test_a_label_without_a_code_loads_as_itself(uncoded: Mapping[str, Row]) -> None:
    member = uncoded["Space travel"]
    assert (member["name_pt"], member["kaggle_label"], member["group_en"]) == (
        *("Space travel", "Space travel"),
        "Without a code",
    )


def test_there_is_a_member_for_an_unknown_category(uncoded: Mapping[str, Row]) -> None:
    assert (uncoded["Unknown"]["kaggle_label"], uncoded["Unknown"]["group_en"]) == (None, "Unknown")


# both sources

TOKENS: Final[StagedRow] = {"expense_category_id": "145", "expense_category_label": "TOKENS"}


@pytest.fixture(scope="module")
def conformed(spark: SparkSession) -> list[Row]:
    house = house_expenses(
        spark,
        {},
        {**TOKENS, "year": 2026, "expense_category_label": "TOKENS E CERTIFICADOS"},
        TOKENS,
        {**UNMAPPED, "expense_category_label": "VIAGENS ESPACIAIS"},
        UNMAPPED,
        {**UNMAPPED, "expense_category_label": "TELEFONIA"},
    )
    return dim_expense_categories.transform(expenses(spark, {}, UNMAPPED).unionByName(house)).collect()


def test_members_of_both_sources_have_keys_of_their_own(conformed: list[Row]) -> None:
    assert len({row["expense_category_key"] for row in conformed}) == len(conformed)


@pytest.mark.parametrize(
    ("code", "kaggle", "chamber"),
    [
        ("3", "Fuels and lubricants.", "COMBUSTÍVEIS E LUBRIFICANTES."),
        ("9", None, "PASSAGEM AÉREA - REEMBOLSO"),
        ("999", None, "PASSAGEM AÉREA - RPA"),
        ("9+999", "Airline tickets", None),
        ("998", None, "PASSAGEM AÉREA - SIGEPA"),
    ],
)
def test_a_category_shows_the_latest_label_of_each_source(
    code: str, kaggle: str | None, chamber: str | None, conformed: list[Row]
) -> None:
    (member,) = (row for row in conformed if row["expense_category_id"] == code)
    assert (member["kaggle_label"], member["chamber_label"]) == (kaggle, chamber)


def test_a_code_that_is_not_in_the_reference_is_one_member_with_the_files_latest_label(conformed: list[Row]) -> None:
    (member,) = (row for row in conformed if row["expense_category_id"] == "145")
    assert [member[name] for name in ("name_pt", "name_en", "group_en", "kaggle_label", "chamber_label")] == [
        *("TOKENS E CERTIFICADOS", "TOKENS E CERTIFICADOS", "Without a group", None, "TOKENS E CERTIFICADOS")
    ]


@pytest.mark.parametrize(
    ("label", "kaggle", "chamber"),
    [
        ("Space travel", "Space travel", "Space travel"),
        ("VIAGENS ESPACIAIS", None, "VIAGENS ESPACIAIS"),
        # The House's label of a code, on a row that has lost it: nothing tells that it means the code.
        ("TELEFONIA", None, "TELEFONIA"),
    ],
)
def test_a_label_without_a_code_is_one_member_whichever_source_has_it(
    label: str, kaggle: str | None, chamber: str | None, conformed: list[Row]
) -> None:
    (member,) = (row for row in conformed if row["expense_category_id"] is None and row["name_pt"] == label)
    assert (member["kaggle_label"], member["chamber_label"]) == (kaggle, chamber)


@pytest.mark.parametrize(("name", "what"), [("TOKENS E CERTIFICADOS", "Code"), ("Space travel", "Label")])
def test_what_is_not_in_the_reference_is_noted(name: str, what: str, conformed: list[Row]) -> None:
    (member,) = (row for row in conformed if row["name_pt"] == name)
    assert member["note"] == f"{what} not in the reference: it loads as itself"
