"""Parties: each label as reported, what it became, and its attributes where the refunds know them."""

from collections.abc import Mapping
from typing import Final

import pytest
from pyspark.sql import Row, SparkSession

from deputies_lake.staging.stg_kaggle_refunds import PARTY_ATTRIBUTES
from deputies_lake.star import dim_parties
from deputies_lake_tests.star.staged_rows import (
    HOUSE_LEADERSHIP,
    StagedRow,
    contract_of,
    expenses,
    house_expenses,
    nulls_in_required,
    refunds,
)

TABLE: Final = dim_parties.TABLE
ATTRIBUTES: Final = tuple(column.name for column in PARTY_ATTRIBUTES)
DEM: Final[StagedRow] = {
    "party_label": "DEM",
    "party_name_pt": "Democratas",
    "party_name_en": "Democrats",
    "party_number": "25",
    "party_registered": "11.9.1986",
    "party_members": 1_094_678,
    "party_ideologies": "Liberalism; Conservatism",
    "party_position": "Centreright",
}
LABELS: Final = (
    *("PT", "DEM", "PMDB", "PCdoB", "PCDOB", "PTDOB", "PTdoB", "PEN", "PR", "PSL", "SD", "SDD", "PTN"),
    *("S.PART.", "S/PARTIDO", "SEM PARTIDO ASSOCIADO", "NOVO"),
)
REFUNDS: Final[tuple[StagedRow, ...]] = (
    DEM,
    DEM,
    {"party_label": "PCDOB", "party_number": "65"},
    {"party_label": "REDE"},
    {"party_label": None, "party_position": "Centre"},
)


def of_label(rows: list[Row]) -> dict[str, Row]:
    found = {row["party_label"]: row for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.fixture(scope="module")
def members(spark: SparkSession) -> dict[str, Row]:
    staged = expenses(spark, *({"party_label": label} for label in LABELS))
    return of_label(dim_parties.transform(staged, refunds(spark, *REFUNDS)).collect())


@pytest.fixture(scope="module")
def without_refunds(spark: SparkSession) -> dict[str, Row]:
    staged = expenses(spark, *({"party_label": label} for label in (*LABELS, "REDE")))
    return of_label(dim_parties.transform(staged, refunds(spark)).collect())


def test_the_columns_are_those_of_the_contract(spark: SparkSession) -> None:
    assert dim_parties.transform(expenses(spark), refunds(spark)).dtypes == contract_of(TABLE)


def test_required_columns_are_never_null(members: Mapping[str, Row]) -> None:
    assert nulls_in_required(TABLE, [*members.values()]) == set()


def test_each_member_has_a_key_of_its_own(members: Mapping[str, Row]) -> None:
    assert len({row["party_key"] for row in members.values()}) == len(members)


def test_labels_that_differ_in_case_are_one_member_with_the_mixed_spelling(members: Mapping[str, Row]) -> None:
    assert {label for label in members if label.upper() in {"PTDOB", "PCDOB"}} == {"PTdoB", "PCdoB"}


def test_a_label_that_only_the_refunds_mention_is_a_member(members: Mapping[str, Row]) -> None:
    assert "REDE" in members


@pytest.mark.parametrize(
    ("label", "today"),
    [
        ("PMDB", "MDB"),
        ("DEM", "UNIÃO"),
        ("PSL", "UNIÃO"),
        ("PTdoB", "AVANTE"),
        ("PEN", "PRD"),
        ("PR", "PL"),
        ("PTN", "PODE"),
        ("SD", "SOLIDARIEDADE"),
        ("SDD", "SOLIDARIEDADE"),
        ("PT", "PT"),
        ("PCdoB", "PCdoB"),
        ("NOVO", "NOVO"),
        ("S.PART.", "S.PART."),
        ("SEM PARTIDO ASSOCIADO", "SEM PARTIDO ASSOCIADO"),
        ("UNKNOWN", "UNKNOWN"),
    ],
)
def test_a_party_has_the_label_of_todays_successor(label: str, today: str, members: Mapping[str, Row]) -> None:
    assert members[label]["party_label_today"] == today


@pytest.mark.parametrize(
    ("label", "event"),
    [("DEM", "merger (DEM+PSL), 2022-02"), ("PTN", "rename, 2017-05"), ("SDD", "alias"), ("PT", None), ("NOVO", None)],
)
def test_what_led_to_the_successor_is_said(label: str, event: str | None, members: Mapping[str, Row]) -> None:
    assert members[label]["party_event"] == event


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("PT", "party"),
        ("REDE", "party"),
        ("S.PART.", "no_party"),
        ("S/PARTIDO", "no_party"),
        ("SEM PARTIDO ASSOCIADO", "leadership"),
        ("UNKNOWN", "unknown"),
    ],
)
def test_a_member_is_of_its_kind(label: str, kind: str, members: Mapping[str, Row]) -> None:
    assert members[label]["party_kind"] == kind


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_a_partys_attribute_comes_from_the_refunds(attribute: str, members: Mapping[str, Row]) -> None:
    assert members["DEM"][attribute] == DEM[attribute]


def test_an_attribute_is_found_although_the_refunds_spell_the_label_otherwise(members: Mapping[str, Row]) -> None:
    assert members["PCdoB"]["party_number"] == "65"


@pytest.mark.parametrize("label", ["PT", "SEM PARTIDO ASSOCIADO", "UNKNOWN"])
def test_a_party_that_the_refunds_do_not_have_has_no_attributes(label: str, members: Mapping[str, Row]) -> None:
    assert {members[label][attribute] for attribute in ATTRIBUTES} == {None}


def test_without_refunds_all_attributes_are_null(without_refunds: Mapping[str, Row]) -> None:
    assert {row[attribute] for row in without_refunds.values() for attribute in ATTRIBUTES} == {None}


def test_without_refunds_nothing_but_the_attributes_changes(
    members: Mapping[str, Row], without_refunds: Mapping[str, Row]
) -> None:
    def others(rows: Mapping[str, Row]) -> list[list[object]]:
        return sorted([row[name] for name in TABLE.column_names if name not in ATTRIBUTES] for row in rows.values())

    assert others(without_refunds) == others(members)


def test_a_label_that_says_unknown_makes_no_second_member_of_that_key(spark: SparkSession) -> None:
    staged = expenses(spark, {"party_label": "Unknown"})
    keys = [row["party_key"] for row in dim_parties.transform(staged, refunds(spark)).collect()]
    assert len(keys) == len(set(keys))


# the House's labels


@pytest.fixture(scope="module")
def house(spark: SparkSession) -> dict[str, Row]:
    labels = ("UNIÃO", "UB", "REP", "PATRI", "PATRIOTA", "PODEMOS", "PP**", "SDD", "S.PART", "S/PARTIDO", None)
    rows = house_expenses(spark, *({"party_label": label} for label in labels), HOUSE_LEADERSHIP)
    return of_label(dim_parties.transform(rows, refunds(spark)).collect())


@pytest.mark.parametrize(
    ("label", "today"),
    [
        ("UNIÃO", "UNIÃO"),
        ("UB", "UNIÃO"),
        ("REP", "REPUBLICANOS"),
        ("PATRI", "PRD"),
        ("PATRIOTA", "PRD"),
        ("PODEMOS", "PODE"),
        ("PP**", "PP"),
        ("SDD", "SOLIDARIEDADE"),
    ],
)
def test_another_spelling_stays_and_leads_to_the_party(label: str, today: str, house: Mapping[str, Row]) -> None:
    assert house[label]["party_label_today"] == today


def test_deputies_without_a_party_are_so_in_every_spelling(house: Mapping[str, Row]) -> None:
    without = {label for label, row in house.items() if row["party_kind"] == "no_party"}
    assert without == {"S.PART.", "S.PART", "S/PARTIDO"}


def test_offices_are_one_member_whichever_source_names_them(
    house: Mapping[str, Row], members: Mapping[str, Row]
) -> None:
    (key,) = {row["party_key"] for row in house.values() if row["party_kind"] == "leadership"}
    assert key == members["SEM PARTIDO ASSOCIADO"]["party_key"]
