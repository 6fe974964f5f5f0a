"""Real rows in the star: no row and no cent lost, and no key that leads nowhere."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

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
from deputies_lake_tests.star.staged_rows import refunds

REFERENCES: Final = fct_expenses.TABLE.references


@pytest.fixture(scope="module")
def facts(spark: SparkSession, real_expenses: DataFrame, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    path = str(tmp_path_factory.mktemp("real_facts") / "rows")
    fct_expenses.transform(real_expenses, source_code="kaggle_reimbursements").write.parquet(path)
    return spark.read.parquet(path)


@pytest.fixture(scope="module")
def keys(spark: SparkSession, real_expenses: DataFrame) -> dict[str, list[int]]:
    """The keys of each dimension, all of them."""
    dimensions = {
        "dim_dates": dim_dates.transform(spark),
        "dim_deputies": dim_deputies.transform(real_expenses),
        "dim_parties": dim_parties.transform(real_expenses, refunds(spark)),
        "dim_states": dim_states.transform(real_expenses),
        "dim_suppliers": dim_suppliers.transform(real_expenses),
        "dim_expense_categories": dim_expense_categories.transform(real_expenses),
    }
    return {name: [row[0] for row in rows.select(rows.columns[0]).collect()] for name, rows in dimensions.items()}


def test_rows_and_totals_are_those_of_the_file(facts: DataFrame, real_data: Path) -> None:
    truth = json.loads((real_data / "truth" / "kaggle_shared_file.json").read_text(encoding="utf-8"))
    found = facts.groupBy("year").agg(F.count("*").alias("rows"), F.sum("document_amount").alias("total")).collect()
    assert {str(row["year"]): row["rows"] for row in found} == truth["rows_by_year"]
    assert {str(row["year"]): row["total"] for row in found} == truth["total_by_year"]


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda reference: reference.column)
def test_no_key_leads_nowhere(reference: Reference, facts: DataFrame, keys: Mapping[str, list[int]]) -> None:
    used = {row[0] for row in facts.select(reference.column).distinct().collect()}
    assert len(used - {*keys[reference.table]}) == 0


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda reference: reference.table)
def test_no_two_members_of_a_dimension_share_a_key(reference: Reference, keys: Mapping[str, list[int]]) -> None:
    assert len({*keys[reference.table]}) == len(keys[reference.table])
