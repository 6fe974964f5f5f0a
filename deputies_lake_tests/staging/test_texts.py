"""Readings of published text: what Spark takes for an amount is what raw's control totals do."""

from collections.abc import Mapping
from decimal import Decimal

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from deputies_lake.staging.texts import amount_fault, readable_amount
from deputies_lake_tests.raw.amount_texts import AMOUNTS, NO_AMOUNTS

FAULTS = {
    "": "vlrLiquido is empty",
    "  ": "vlrLiquido is empty",
    "1.234,56": "vlrLiquido has a comma, where amounts have a decimal point: 1.234,56",
    "FULANO DE TAL, BSB": "vlrLiquido has a comma, where amounts have a decimal point",
    "FULANO DE TAL": "vlrLiquido is not an amount",
    "1.234": "vlrLiquido is not an amount: 1.234",
    "202200000000": "vlrLiquido has more than 8 digits before the decimal point: no receipt is that large",
    "-123456789.00": "vlrLiquido has more than 8 digits before the decimal point: no receipt is that large",
}


@pytest.fixture(scope="module")
def read(spark: SparkSession) -> Mapping[str, Row]:
    texts = [(text,) for text in (*AMOUNTS, *NO_AMOUNTS, *FAULTS)]
    rows = spark.createDataFrame(texts, "vlrLiquido string").select(
        "vlrLiquido",
        readable_amount(F.col("vlrLiquido")).alias("amount"),
        amount_fault("vlrLiquido").alias("fault"),
        amount_fault("vlrLiquido", may_be_empty=True).alias("fault_of_what_may_be_empty"),
    )
    return {row["vlrLiquido"]: row for row in rows.collect()}


@pytest.mark.parametrize(("text", "amount"), AMOUNTS.items())
def test_an_amount_is_read_as_raw_reads_it(text: str, amount: str, read: Mapping[str, Row]) -> None:
    assert (read[text]["amount"], read[text]["fault"]) == (Decimal(amount), None)


@pytest.mark.parametrize("text", NO_AMOUNTS)
def test_what_is_no_amount_for_raw_is_none_here(text: str, read: Mapping[str, Row]) -> None:
    assert read[text]["amount"] is None
    assert read[text]["fault"] is not None


@pytest.mark.parametrize(("text", "fault"), FAULTS.items())
def test_the_reason_shows_a_number_and_no_words(text: str, fault: str, read: Mapping[str, Row]) -> None:
    assert read[text]["fault"] == fault


@pytest.mark.parametrize("text", ["", "  "])
def test_a_column_that_may_be_empty_may_hold_blanks(text: str, read: Mapping[str, Row]) -> None:
    assert read[text]["fault_of_what_may_be_empty"] is None
