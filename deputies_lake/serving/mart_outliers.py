"""serving.mart_outliers: how far a category's receipts lie apart, and how many lie far out (question 8).

Two usual fences, of all receipts of a category in a year: three standard deviations above the mean, and three times
the middle half's width above it. Beyond them a receipt is unusual, not wrong; none is dropped anywhere.
"""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import TOTAL, YEAR, Column, Table
from deputies_lake.serving.columns import CATEGORY, OF_YEAR, SOURCE_CODE, count, of_fact
from deputies_lake.serving.marts import Star, by_year, in_brl, whole_cents, with_category

DEVIATIONS: Final = 3
WIDTHS: Final = 3

_SPENT: Final = ("net_amount", "document_amount")


def _statistic(name: str, pt: str, en: str, *, nullable: bool = False) -> Column:
    return Column(
        name=name, type=TOTAL, pt=f"{pt}, em BRL", en=f"{en}, in BRL", source=of_fact(*_SPENT), nullable=nullable
    )


TABLE: Final = Table(
    layer="serving",
    name="mart_outliers",
    pt="Distribuição dos recibos por categoria e quantos ficam muito acima.",
    en="How receipts are distributed by category, and how many lie far above.",
    grain="one row per year and category",
    partitioned=True,
    columns=(
        OF_YEAR,
        *CATEGORY,
        SOURCE_CODE,
        count("receipts", "número de recibos", "number of receipts", "expense_key"),
        _statistic("mean_amount", "média", "mean"),
        _statistic(
            "deviation_amount", "desvio padrão; nulo com um recibo só", "standard deviation; null of one", nullable=True
        ),
        _statistic("first_quartile_amount", "primeiro quartil", "first quartile"),
        _statistic("median_amount", "mediana", "median"),
        _statistic("third_quartile_amount", "terceiro quartil", "third quartile"),
        _statistic("largest_amount", "maior recibo", "largest receipt"),
        count(
            "far_above_mean",
            f"recibos acima da média mais {DEVIATIONS} desvios",
            f"receipts above the mean plus {DEVIATIONS} deviations",
            *_SPENT,
        ),
        count(
            "far_above_quartile",
            f"recibos acima do terceiro quartil mais {WIDTHS} intervalos interquartis",
            f"receipts above the third quartile plus {WIDTHS} interquartile ranges",
            *_SPENT,
        ),
    ),
    key=(YEAR, "expense_category_key"),
)


def transform(star: Star) -> DataFrame:
    """One row per year and category."""
    of = [YEAR, "expense_category_key"]
    spent = F.col("_spent")
    distributions = by_year(star.receipts, "expense_category_key").agg(
        F.count(F.lit(1)).alias("receipts"),
        F.avg(spent).alias("_mean"),
        F.stddev_samp(spent).alias("_deviation"),
        F.percentile(spent, F.array(*(F.lit(part) for part in (0.25, 0.5, 0.75)))).alias("_quartiles"),
        F.max(spent).alias("_largest"),
    )
    first, median, third = (F.col("_quartiles")[i] for i in range(3))
    fences = distributions.select(
        *of,
        (F.col("_mean") + DEVIATIONS * F.col("_deviation")).alias("_above_mean"),
        (third + WIDTHS * (third - first)).alias("_above_quartile"),
    )
    far = (
        star.receipts.join(F.broadcast(fences), on=of, how="left")
        .groupBy(*of)
        .agg(
            F.count_if(spent > F.col("_above_mean")).alias("far_above_mean"),
            F.count_if(spent > F.col("_above_quartile")).alias("far_above_quartile"),
        )
    )
    rows = distributions.join(F.broadcast(far), on=of, how="left").withColumns(
        {
            "mean_amount": in_brl(whole_cents(F.col("_mean"))),
            "deviation_amount": in_brl(whole_cents(F.col("_deviation"))),
            "first_quartile_amount": in_brl(whole_cents(first)),
            "median_amount": in_brl(whole_cents(median)),
            "third_quartile_amount": in_brl(whole_cents(third)),
            "largest_amount": in_brl(F.col("_largest")),
        }
    )
    return with_category(rows, star).select(*TABLE.column_names)
