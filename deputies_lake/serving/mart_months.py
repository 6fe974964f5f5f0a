"""serving.mart_months: what was spent, year by year and month by month (question 1)."""

from typing import Final

from pyspark.sql import DataFrame

from deputies_lake.contracts import YEAR, Table
from deputies_lake.serving.columns import MEASURES, MONTH, OF_YEAR, PAYER_KIND, QUALIFIERS, SOURCE_CODE, TOTALS
from deputies_lake.serving.marts import Star, by_year, measures, qualified

TABLE: Final = Table(
    layer="serving",
    name="mart_months",
    pt="Despesa por mês da cota, de deputados e de lideranças.",
    en="Spending by quota month, of deputies and of leadership offices.",
    grain="one row per year, month and kind of payer",
    partitioned=True,
    columns=(OF_YEAR, MONTH, PAYER_KIND, SOURCE_CODE, *MEASURES, *QUALIFIERS),
    key=(YEAR, "month", "payer_kind"),
    totals=TOTALS,
)


def transform(star: Star) -> DataFrame:
    """One row per year, month and kind of payer."""
    rows = by_year(star.receipts, "month", "payer_kind").agg(*measures())
    return qualified(rows, star.gaps, by_month=True).select(*TABLE.column_names)
