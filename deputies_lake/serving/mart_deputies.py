"""serving.mart_deputies: what each deputy and each leadership office spent in a year (question 2).

In BRL a ranking compares states with different quotas; by share of the own quota: `mart_quota_shares`.
"""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import YEAR, Table
from deputies_lake.serving.columns import (
    DEPUTY,
    MEASURES,
    OF_YEAR,
    PARTY_LABEL,
    PAYER_KIND,
    QUALIFIERS,
    REGISTER,
    SOURCE_CODE,
    STATE_CODE,
    TOTALS,
    count,
)
from deputies_lake.serving.marts import Star, by_year, measures, named, qualified, with_deputy

TABLE: Final = Table(
    layer="serving",
    name="mart_deputies",
    pt="Despesa por ano de cada deputado e de cada liderança.",
    en="Spending a year of each deputy and each leadership office.",
    grain="one row per year and payer; party and state are those of the payer's latest receipts of the year",
    partitioned=True,
    columns=(
        OF_YEAR,
        *DEPUTY,
        REGISTER,
        PAYER_KIND,
        PARTY_LABEL,
        STATE_CODE,
        SOURCE_CODE,
        count("months", "meses com recibo", "months with a receipt", "competence_month", "date_key"),
        *MEASURES,
        *QUALIFIERS,
    ),
    key=(YEAR, "deputy_key"),
    totals=TOTALS,
)


def transform(star: Star) -> DataFrame:
    """One row per year and payer."""
    # A structure's maximum has Spark sort what it is of: of all receipts that is slow. The keys break ties, so that
    # every run shows the same.
    latest = (
        star.receipts.groupBy(YEAR, "deputy_key", "party_key", "state_key", "month")
        .agg(F.max("date_key").alias("date_key"))
        .groupBy(YEAR, "deputy_key")
        .agg(F.max(F.struct("month", "date_key", "party_key", "state_key")).alias("_latest"))
        .select(YEAR, "deputy_key", "_latest.party_key", "_latest.state_key")
    )
    months = F.countDistinct(F.when(F.col("month") > 0, F.col("month"))).alias("months")
    rows = by_year(star.receipts, "deputy_key", "payer_kind").agg(months, *measures())
    rows = rows.join(latest, on=[YEAR, "deputy_key"], how="left")
    rows = with_deputy(rows, star, "deputy_register_id")
    rows = named(rows, star.parties, "party_key", ["party_label"])
    rows = named(rows, star.states, "state_key", ["state_code"])
    return qualified(rows, star.gaps).select(*TABLE.column_names)
