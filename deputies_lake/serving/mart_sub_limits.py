"""serving.mart_sub_limits: what each deputy spent in a month on categories that have a limit of their own (question 7).

Unlike the quota, what is not spent of a limit is lost. A month above it is a point to look at: limits are dated, and
whether the act of 2026 changed them is not known (`ref_known_gaps`). Of the House's years only.
"""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import MONEY, TOTAL, YEAR, Column, Table
from deputies_lake.serving.columns import CATEGORY, DEPUTY, MONTH, OF_YEAR, QUALIFIERS, SOURCE_CODE, of_fact, share
from deputies_lake.serving.marts import (
    HOUSE,
    Star,
    by_year,
    in_brl,
    qualified,
    ratio,
    with_category,
    with_deputy,
)
from deputies_lake.star import ref_category_limits

_LIMIT: Final = f"{ref_category_limits.TABLE.name}.monthly_limit_amount"

TABLE: Final = Table(
    layer="serving",
    name="mart_sub_limits",
    pt="Despesa por deputado e mês nas categorias que têm limite mensal.",
    en="Spending by deputy and month in the categories that have a monthly limit.",
    grain="one row per year, month, deputy and category with a limit, of months with a receipt",
    partitioned=True,
    columns=(
        OF_YEAR,
        MONTH,
        *DEPUTY,
        *CATEGORY,
        SOURCE_CODE,
        Column(
            name="spent_amount",
            type=TOTAL,
            pt="despesa líquida do mês na categoria, em BRL",
            en="the month's net spending in the category, in BRL",
            source=of_fact("net_amount"),
        ),
        Column(
            name="limit_amount",
            type=MONEY,
            pt="limite do mês em BRL: o que vale no primeiro dia dele",
            en="the month's limit in BRL: the one valid on its first day",
            source=(_LIMIT,),
        ),
        share(
            "share_of_limit",
            "despesa dividida pelo limite",
            "spending divided by the limit",
            *of_fact("net_amount"),
            _LIMIT,
        ),
        *QUALIFIERS,
    ),
    key=(YEAR, "month", "deputy_key", "expense_category_key"),
)


def transform(star: Star) -> DataFrame:
    """One row per year, month, deputy and category that has a limit then."""
    paid = star.receipts.where((F.col("payer_kind") == "deputy") & (F.col("source_code") == HOUSE))
    months = by_year(paid.where(F.col("month") > 0), "month", "deputy_key", "expense_category_key").agg(
        in_brl(F.sum("_spent")).alias("spent_amount")
    )
    first_day = F.make_date(YEAR, "month", F.lit(1))
    limits = star.limits.withColumnRenamed("expense_category_id", "_limited")
    is_limited = (
        (F.col("_limited") == F.col("expense_category_id"))
        & (F.col("valid_from") <= first_day)
        & (F.col("valid_to").isNull() | (F.col("valid_to") >= first_day))
    )
    rows = (
        with_category(months, star)
        .join(F.broadcast(limits), on=is_limited, how="inner")
        .withColumn("limit_amount", F.col("monthly_limit_amount"))
        .withColumn("share_of_limit", ratio(F.col("spent_amount"), F.col("limit_amount")))
    )
    return qualified(with_deputy(rows, star), star.gaps, by_month=True, by_category=True).select(*TABLE.column_names)
