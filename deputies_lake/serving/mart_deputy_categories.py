"""serving.mart_deputy_categories: on what each deputy and each leadership office spent in a year."""

from typing import Final

from pyspark.sql import DataFrame

from deputies_lake.contracts import YEAR, Table
from deputies_lake.serving.columns import (
    CATEGORY,
    DEPUTY,
    MEASURES,
    OF_YEAR,
    PAYER_KIND,
    SOURCE_CODE,
    TOTALS_BY_CATEGORY,
)
from deputies_lake.serving.marts import Star, by_year, measures, with_category, with_deputy

TABLE: Final = Table(
    layer="serving",
    name="mart_deputy_categories",
    pt="Despesa por ano e categoria de cada deputado e de cada liderança.",
    en="Spending by year and category of each deputy and each leadership office.",
    grain="one row per year, payer and category",
    partitioned=True,
    columns=(OF_YEAR, *DEPUTY, PAYER_KIND, *CATEGORY, SOURCE_CODE, *MEASURES),
    key=(YEAR, "deputy_key", "expense_category_key"),
    totals=TOTALS_BY_CATEGORY,
)


def transform(star: Star) -> DataFrame:
    """One row per year, payer and category."""
    rows = by_year(star.receipts, "deputy_key", "payer_kind", "expense_category_key").agg(*measures())
    return with_category(with_deputy(rows, star), star).select(*TABLE.column_names)
