"""serving.mart_categories: on what was spent, and which share of the year's spending that is (question 5)."""

from typing import Final

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from deputies_lake.contracts import YEAR, Column, Table
from deputies_lake.serving.columns import (
    CATEGORY,
    MEASURES,
    OF_YEAR,
    QUALIFIERS,
    SOURCE_CODE,
    TOTALS_BY_CATEGORY,
    of_fact,
    share,
)
from deputies_lake.serving.marts import Star, by_year, measures, qualified, ratio, with_category
from deputies_lake.star import dim_expense_categories


def _group(column: str, pt: str, en: str, example: str) -> Column:
    return Column(name=column, pt=pt, en=en, source=(f"{dim_expense_categories.TABLE.name}.{column}",), example=example)


TABLE: Final = Table(
    layer="serving",
    name="mart_categories",
    pt="Despesa por ano e categoria.",
    en="Spending by year and category.",
    grain="one row per year and category",
    partitioned=True,
    columns=(
        OF_YEAR,
        *CATEGORY,
        _group("group_pt", "grupo em português", "group in Portuguese", "Combustíveis"),
        _group("group_en", "grupo em inglês", "group in English", "Fuel"),
        SOURCE_CODE,
        share(
            "share_of_year",
            "parte da despesa do ano; nula se o ano soma zero",
            "part of the year's spending; null where the year sums up to zero",
            *of_fact("net_amount", "document_amount"),
            nullable=True,
        ),
        *MEASURES,
        *QUALIFIERS,
    ),
    key=(YEAR, "expense_category_key"),
    totals=TOTALS_BY_CATEGORY,
)


def transform(star: Star) -> DataFrame:
    """One row per year and category."""
    rows = by_year(star.receipts, "expense_category_key").agg(*measures())
    of_year = F.sum("spent_amount").over(Window.partitionBy(YEAR))
    rows = with_category(rows, star, "group_pt", "group_en").withColumn(
        "share_of_year", ratio(F.col("spent_amount"), of_year)
    )
    return qualified(rows, star.gaps, by_category=True).select(*TABLE.column_names)
