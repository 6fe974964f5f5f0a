"""Which source a year comes from, and how the rows of both become alike."""

from collections.abc import Mapping
from typing import Final

import pytest
from pyspark.sql import Row, SparkSession

from deputies_lake.contracts import Table
from deputies_lake.star.expenses import HOUSE, KAGGLE, chosen, conformed
from deputies_lake.star.expenses import staged as lineage
from deputies_lake_tests.star.staged_rows import FORMER_DEPUTY, HOUSE_LEADERSHIP, LEADERSHIP, staged

Years = Mapping[Table, list[int]]


@pytest.mark.parametrize(
    ("available", "choice"),
    [
        ({HOUSE: [2016, 2022], KAGGLE: [2015, 2016, 2017]}, {HOUSE: [2016, 2022], KAGGLE: [2015, 2017]}),
        ({HOUSE: [], KAGGLE: [2017, 2015]}, {KAGGLE: [2015, 2017]}),
        ({KAGGLE: [2015]}, {KAGGLE: [2015]}),
        ({HOUSE: [2022]}, {HOUSE: [2022]}),
        ({HOUSE: [2015, 2016], KAGGLE: [2015, 2016]}, {HOUSE: [2015, 2016]}),
        ({HOUSE: [], KAGGLE: []}, {}),
    ],
    ids=["both", "House empty", "Kaggle alone", "House alone", "House has all", "neither"],
)
def test_a_year_comes_from_the_house_where_it_has_it_else_from_kaggle(available: Years, choice: Years) -> None:
    assert chosen(available) == choice


@pytest.mark.parametrize(
    ("years", "choice"),
    [([2015, 2016], {HOUSE: [2016], KAGGLE: [2015]}), ([2016], {HOUSE: [2016]}), ([2020], {}), ([], {})],
)
def test_no_other_years_are_chosen_than_those_asked_for(years: list[int], choice: Years) -> None:
    assert chosen({HOUSE: [2016, 2022], KAGGLE: [2015, 2016, 2017]}, years) == choice


PARTIES: Final = {
    "Kaggle's deputy": (KAGGLE, {}, "PSB"),
    "Kaggle's leadership": (KAGGLE, LEADERSHIP, "SEM PARTIDO ASSOCIADO"),
    "Kaggle's former deputy": (KAGGLE, FORMER_DEPUTY, "SEM PARTIDO ASSOCIADO"),
    "the House's deputy": (HOUSE, {}, "PSB"),
    "the House's leadership": (HOUSE, HOUSE_LEADERSHIP, "SEM PARTIDO ASSOCIADO"),
    "the House's deputy without a party": (HOUSE, {"party_label": None}, "S.PART."),
    "the House's deputy said to be without a party": (HOUSE, {"party_label": "S/PARTIDO"}, "S/PARTIDO"),
}


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> dict[str, Row]:
    by_source = {
        source: staged(
            spark, source, *({**row, "supplier_name": who} for who, (of, row, _) in PARTIES.items() if of == source)
        )
        for source in (HOUSE, KAGGLE)
    }
    found = conformed(spark, by_source).collect()
    assert len(found) == len(PARTIES)
    return {row["supplier_name"]: row for row in found}


@pytest.mark.parametrize("who", PARTIES)
def test_a_party_label_is_never_missing(who: str, rows: Mapping[str, Row]) -> None:
    assert rows[who]["party_label"] == PARTIES[who][2]


@pytest.mark.parametrize("who", PARTIES)
def test_each_row_names_its_source(who: str, rows: Mapping[str, Row]) -> None:
    codes = {HOUSE: "chamber_expenses", KAGGLE: "kaggle_reimbursements"}
    assert rows[who]["source_code"] == codes[PARTIES[who][0]]


def test_kaggles_rows_have_null_where_only_the_house_has_a_column(rows: Mapping[str, Row]) -> None:
    only_house = set(HOUSE.column_names) - set(KAGGLE.column_names)
    assert {rows["Kaggle's deputy"][name] for name in only_house} == {None}


def test_the_houses_rows_keep_every_column(spark: SparkSession, rows: Mapping[str, Row]) -> None:
    (published,) = staged(spark, HOUSE, {"supplier_name": "the House's deputy"}).collect()
    kept = rows["the House's deputy"].asDict()
    assert {name: kept[name] for name in HOUSE.column_names} == published.asDict()


@pytest.mark.parametrize("sources", [[], [HOUSE], [KAGGLE], [KAGGLE, HOUSE]], ids=["none", "House", "Kaggle", "both"])
def test_the_columns_are_the_same_whatever_sources_there_are(spark: SparkSession, sources: list[Table]) -> None:
    frame = conformed(spark, {source: staged(spark, source) for source in sources})
    columns = {column.name: column.type for source in (HOUSE, KAGGLE) for column in source.columns}
    assert dict(frame.dtypes) == {**columns, "source_code": "string"}


def test_without_a_source_there_are_no_rows(spark: SparkSession) -> None:
    assert conformed(spark, {}).collect() == []


def test_the_lineage_of_a_column_is_that_of_every_source_that_has_it() -> None:
    assert lineage("deputy_id", "net_amount") == (
        "stg_chamber_expenses.deputy_id",
        "stg_chamber_expenses.net_amount",
        "stg_kaggle_reimbursements.deputy_id",
    )
