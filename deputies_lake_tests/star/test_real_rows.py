"""Real rows of both sources in the star: every known figure exact, and no key that leads nowhere.

Only figures stand here. The rows hold personal ids: what a failure shows is a number, never a row.
"""

import json
import zipfile
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from deputies_lake.contracts import YEAR, Reference, Table
from deputies_lake.raw import chamber_expenses
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
from deputies_lake.star.expenses import HOUSE, KAGGLE, chosen, conformed
from deputies_lake.star.mentions import payers
from deputies_lake_tests.staging.raw_rows import lines_of, loaded, stage_chamber_expenses
from deputies_lake_tests.star.staged_rows import refunds

REFERENCES: Final = fct_expenses.TABLE.references
HOUSE_YEARS: Final = (2008, 2015, 2016, 2019, 2020, 2021, 2022, 2024)
KAGGLE_YEARS: Final = (2016, 2017)
ANSWERED: Final = (2016, 2019, 2020, 2021, 2022)

Figures = tuple[int, Decimal]
Dimensions = Mapping[str, DataFrame]


@pytest.fixture(scope="module")
def real_chamber_expenses(spark: SparkSession, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    """The House's shared files, staged: computed once, then read from disk."""

    def lines(year: int) -> pa.Table:
        with zipfile.ZipFile(real_data / "chamber" / f"Ano-{year}.csv.zip") as archive:
            return lines_of(chamber_expenses.CSV.of_year(year), archive.read(f"Ano-{year}.csv"))

    raw = loaded(spark, pa.concat_tables(map(lines, HOUSE_YEARS)), tmp_path_factory.mktemp("real_chamber"))
    return on_disk(stage_chamber_expenses(raw), tmp_path_factory, "real_chamber_staged")


def on_disk(rows: DataFrame, folders: pytest.TempPathFactory, name: str) -> DataFrame:
    path = str(folders.mktemp(name) / "rows")
    rows.write.parquet(path)
    return rows.sparkSession.read.parquet(path)


@pytest.fixture(scope="module")
def expenses(spark: SparkSession, real_expenses: DataFrame, real_chamber_expenses: DataFrame) -> DataFrame:
    """All years, each from its one source."""
    staged: Mapping[Table, DataFrame] = {HOUSE: real_chamber_expenses, KAGGLE: real_expenses}
    choice = chosen({HOUSE: HOUSE_YEARS, KAGGLE: KAGGLE_YEARS})
    return conformed(spark, {source: staged[source].where(F.col(YEAR).isin(years)) for source, years in choice.items()})


@pytest.fixture(scope="module")
def facts(expenses: DataFrame, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    return on_disk(fct_expenses.transform(expenses), tmp_path_factory, "real_facts")


@pytest.fixture(scope="module")
def dimensions(spark: SparkSession, expenses: DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Dimensions:
    mentioned = payers(expenses).cache()
    made = {
        "dim_dates": dim_dates.transform(spark),
        "dim_deputies": dim_deputies.transform(mentioned),
        "dim_parties": dim_parties.transform(mentioned, refunds(spark)),
        "dim_states": dim_states.transform(mentioned),
        "dim_suppliers": dim_suppliers.transform(expenses),
        "dim_expense_categories": dim_expense_categories.transform(expenses),
        "dim_document_types": dim_document_types.transform(expenses),
    }
    return {name: on_disk(rows, tmp_path_factory, name) for name, rows in made.items()}


@pytest.fixture(scope="module")
def keys(dimensions: Dimensions) -> Mapping[str, Sequence[int]]:
    """The keys of each dimension, all of them."""
    return {name: [row[0] for row in rows.select(rows.columns[0]).collect()] for name, rows in dimensions.items()}


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda reference: reference.column)
def test_no_key_leads_nowhere(reference: Reference, facts: DataFrame, keys: Mapping[str, Sequence[int]]) -> None:
    used = {row[0] for row in facts.select(reference.column).distinct().collect()}
    assert len(used - {*keys[reference.table]}) == 0


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda reference: reference.table)
def test_no_two_members_of_a_dimension_share_a_key(reference: Reference, keys: Mapping[str, Sequence[int]]) -> None:
    assert len({*keys[reference.table]}) == len(keys[reference.table])


def test_a_key_is_of_one_row_whichever_source_it_is_from(facts: DataFrame) -> None:
    counted = facts.agg(F.count("*").alias("rows"), F.count_distinct("expense_key").alias("keys")).collect()[0]
    assert counted["rows"] == counted["keys"]


# years


@pytest.fixture(scope="module")
def by_year(facts: DataFrame) -> Mapping[int, Row]:
    found = facts.groupBy(YEAR).agg(
        F.count("*").alias("rows"),
        F.count_distinct("source_code").alias("sources"),
        F.sum("net_amount").alias("sum_liquido"),
        F.sum("document_amount").alias("sum_documento"),
        F.sum("deduction_amount").alias("sum_glosa"),
    )
    return {row[YEAR]: row for row in found.collect()}


@pytest.fixture(scope="module")
def truths(real_data: Path) -> Mapping[int, Mapping[str, Any]]:
    text = (real_data / "truth" / "chamber_answers.json").read_text(encoding="utf-8")
    return {answers["year"]: answers for answers in json.loads(text, parse_float=Decimal)}


def test_every_year_has_one_source(by_year: Mapping[int, Row]) -> None:
    assert {year: row["sources"] for year, row in by_year.items()} == dict.fromkeys({*HOUSE_YEARS, *KAGGLE_YEARS}, 1)


@pytest.mark.parametrize("year", ANSWERED)
@pytest.mark.parametrize("figure", ["rows", "sum_liquido", "sum_documento", "sum_glosa"])
def test_a_year_of_the_house_is_exact(
    year: int, figure: str, by_year: Mapping[int, Row], truths: Mapping[int, Mapping[str, Any]]
) -> None:
    assert by_year[year][figure] == truths[year][figure]


@pytest.mark.parametrize(
    ("year", "rows", "net"),
    [(2008, 445, "211877.88"), (2015, 13_142, "8955727.17"), (2024, 1_330, "1636536.95")],
)
def test_rows_and_net_of_a_year_without_further_answers_are_exact(
    year: int, rows: int, net: str, by_year: Mapping[int, Row]
) -> None:
    assert (by_year[year]["rows"], by_year[year]["sum_liquido"]) == (rows, Decimal(net))


def test_a_year_that_only_kaggle_has_is_exact(by_year: Mapping[int, Row], real_data: Path) -> None:
    truth = json.loads((real_data / "truth" / "kaggle_shared_file.json").read_text(encoding="utf-8"))
    found = by_year[2017]
    assert (found["rows"], found["sum_documento"]) == (truth["rows_by_year"]["2017"], truth["total_by_year"]["2017"])


# by a dimension's names


def by_name(facts: DataFrame, dimension: DataFrame, name: str) -> Mapping[int, Mapping[str, Figures]]:
    """Year by year rows and net of each name."""
    groups = facts.join(dimension, on=dimension.columns[0], how="left").groupBy(YEAR, name)
    found: dict[int, dict[str, Figures]] = {}
    for row in groups.agg(F.count("*").alias("rows"), F.sum("net_amount").alias("net")).collect():
        found.setdefault(row[YEAR], {})[row[name]] = (row["rows"], row["net"])
    return found


@pytest.fixture(scope="module")
def of_deputies(facts: DataFrame, dimensions: Dimensions) -> DataFrame:
    """The answers by party and state are those of deputies; offices have neither."""
    deputies = dimensions["dim_deputies"].where("payer_kind = 'deputy'")
    return facts.join(deputies.select("deputy_key"), on="deputy_key", how="left_semi")


@pytest.fixture(scope="module")
def by_category(facts: DataFrame, dimensions: Dimensions) -> Mapping[int, Mapping[str, Figures]]:
    return by_name(facts, dimensions["dim_expense_categories"], "expense_category_id")


@pytest.fixture(scope="module")
def by_party(of_deputies: DataFrame, dimensions: Dimensions) -> Mapping[int, Mapping[str, Figures]]:
    return by_name(of_deputies, dimensions["dim_parties"], "party_label")


@pytest.fixture(scope="module")
def by_state(of_deputies: DataFrame, dimensions: Dimensions) -> Mapping[int, Mapping[str, Figures]]:
    return by_name(of_deputies, dimensions["dim_states"], "state_code")


@pytest.mark.parametrize("year", ANSWERED)
def test_every_category_is_exact(
    year: int, by_category: Mapping[int, Mapping[str, Figures]], truths: Mapping[int, Mapping[str, Any]]
) -> None:
    assert by_category[year] == {code: (rows, net) for code, _, rows, net, _ in truths[year]["Q5_category"]}


@pytest.mark.parametrize("year", ANSWERED)
def test_every_party_is_exact(
    year: int, by_party: Mapping[int, Mapping[str, Figures]], truths: Mapping[int, Mapping[str, Any]]
) -> None:
    assert by_party[year] == {party: (rows, net) for party, (rows, _, net, _) in truths[year]["Q3_party"].items()}


@pytest.mark.parametrize("year", ANSWERED)
def test_every_state_is_exact(
    year: int, by_state: Mapping[int, Mapping[str, Figures]], truths: Mapping[int, Mapping[str, Any]]
) -> None:
    assert by_state[year] == {state: (rows, net) for state, (rows, _, net, _) in truths[year]["Q4_uf"].items()}


@pytest.mark.parametrize("year", ANSWERED)
def test_every_month_of_the_quota_is_exact(
    year: int, facts: DataFrame, truths: Mapping[int, Mapping[str, Any]]
) -> None:
    months = facts.where(F.col(YEAR) == year).groupBy("competence_month")
    found = months.agg(F.count("*").alias("rows"), F.sum("net_amount").alias("net")).collect()
    assert {str(row["competence_month"]): [row["rows"], row["net"]] for row in found} == truths[year]["Q1_month"]


def test_offices_are_apart_from_deputies_and_all_of_one_party_member(
    facts: DataFrame, dimensions: Dimensions, truths: Mapping[int, Mapping[str, Any]]
) -> None:
    parties = dimensions["dim_parties"].where("party_kind = 'leadership'").select("party_key")
    found = facts.join(parties, on="party_key", how="left_semi").where(F.col(YEAR).isin(*ANSWERED)).groupBy(YEAR)
    figures = found.agg(F.count("*").alias("rows"), F.sum("net_amount").alias("net")).collect()
    assert {row[YEAR]: (row["rows"], row["net"]) for row in figures} == {
        year: (truths[year]["leadership_rows"], truths[year]["leadership_liquido"]) for year in ANSWERED
    }


def test_every_party_that_an_office_is_named_after_is_found(dimensions: Dimensions) -> None:
    offices = dimensions["dim_deputies"].where("payer_kind = 'leadership' AND party_label = 'SEM PARTIDO ASSOCIADO'")
    assert offices.where("NOT upper(deputy_name) RLIKE '^LID(MIN|[.])'").count() == 0
