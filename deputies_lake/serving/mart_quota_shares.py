"""serving.mart_quota_shares: what each deputy spent of the quota of the own state, month by month (question 7).

The quota of a month is the one valid on its first day. What is not spent is kept within the year, and offices add to
the quota what no file tells: a month above it is normal. So compare `share_to_date`, and word it with care. Of the
House's years only: Kaggle's file has neither net values nor quota months.
"""

from typing import Final

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from deputies_lake.contracts import TOTAL, YEAR, Column, Table
from deputies_lake.serving.columns import DEPUTY, MONTH, OF_YEAR, QUALIFIERS, SOURCE_CODE, STATE_CODE, of_fact, share
from deputies_lake.serving.marts import HOUSE, Star, by_year, in_brl, named, qualified, ratio, with_deputy
from deputies_lake.star import ref_monthly_quotas

_QUOTA: Final = f"{ref_monthly_quotas.TABLE.name}.monthly_quota_amount"
_SPENT: Final = of_fact("net_amount")


def _amount(name: str, pt: str, en: str, *source: str, nullable: bool) -> Column:
    return Column(name=name, type=TOTAL, pt=pt, en=en, source=source, nullable=nullable)


TABLE: Final = Table(
    layer="serving",
    name="mart_quota_shares",
    pt="Parte da cota usada por deputado e mês, e acumulada no ano.",
    en="Share of the quota used by deputy and month, and to date within the year.",
    grain="one row per year, month, deputy and state, of months with a receipt",
    partitioned=True,
    columns=(
        OF_YEAR,
        MONTH,
        *DEPUTY,
        Column(
            name="state_key",
            type="bigint",
            pt="chave da UF em dim_states",
            en="the state's key in dim_states",
            source=of_fact("state_key"),
        ),
        STATE_CODE,
        SOURCE_CODE,
        _amount(
            "spent_amount", "despesa líquida do mês em BRL", "the month's net spending in BRL", *_SPENT, nullable=False
        ),
        _amount(
            "quota_amount",
            "cota do mês em BRL, sem adicionais de cargos; nula se não conhecida",
            "the month's quota in BRL, without add-ons of offices; null where not known",
            _QUOTA,
            nullable=True,
        ),
        Column(
            name="act",
            pt="ato da Mesa que fixou a cota",
            en="the act of the House that set the quota",
            source=(f"{ref_monthly_quotas.TABLE.name}.act",),
            nullable=True,
            example="Ato da Mesa 76/2016",
        ),
        share(
            "share_of_quota",
            "despesa do mês dividida pela cota do mês; acima de 1 é normal, pois o saldo acumula no ano",
            "the month's spending divided by the month's quota; above 1 is normal, the balance is kept within the year",
            *_SPENT,
            _QUOTA,
            nullable=True,
        ),
        _amount(
            "spent_to_date",
            "despesa líquida de janeiro até o mês, em BRL",
            "net spending from January to the month, in BRL",
            *_SPENT,
            nullable=False,
        ),
        _amount(
            "quota_to_date",
            "soma das cotas de janeiro até o mês, em BRL, também de quem assumiu depois",
            "sum of the quotas from January to the month, in BRL, also of who took office later",
            _QUOTA,
            nullable=True,
        ),
        share(
            "share_to_date",
            "despesa até o mês dividida pelas cotas até o mês: o que se compara entre UFs",
            "spending to date divided by the quotas to date: what to compare between states",
            *_SPENT,
            _QUOTA,
            nullable=True,
        ),
        *QUALIFIERS,
    ),
    key=(YEAR, "month", "deputy_key", "state_key"),
)


def transform(star: Star) -> DataFrame:
    """One row per year, month, deputy and state."""
    paid = star.receipts.where((F.col("payer_kind") == "deputy") & (F.col("source_code") == HOUSE))
    months = by_year(paid.where(F.col("month") > 0), "month", "deputy_key", "state_key").agg(
        in_brl(F.sum("_spent")).alias("spent_amount")
    )
    to_date = Window.partitionBy(YEAR, "deputy_key", "state_key").orderBy("month")
    rows = named(months, star.states, "state_key", ["state_code"]).join(
        F.broadcast(_quotas(star)), on=[YEAR, "month", "state_code"], how="left"
    )
    rows = rows.withColumn("spent_to_date", F.sum("spent_amount").over(to_date).cast(TOTAL)).withColumns(
        {
            "share_of_quota": ratio(F.col("spent_amount"), F.col("quota_amount")),
            "share_to_date": ratio(F.col("spent_to_date"), F.col("quota_to_date")),
        }
    )
    return qualified(with_deputy(rows, star), star.gaps, by_month=True).select(*TABLE.column_names)


def _quotas(star: Star) -> DataFrame:
    """Year, month, state_code, quota_amount, act and quota_to_date: every month of the receipts' years."""
    years = star.receipts.groupBy(YEAR).agg(F.explode(F.sequence(F.lit(1), F.lit(12))).alias("month"))
    first_day = F.make_date(YEAR, "month", F.lit(1))
    is_valid = (F.col("valid_from") <= first_day) & (F.col("valid_to").isNull() | (F.col("valid_to") >= first_day))
    to_date = Window.partitionBy(YEAR, "state_code").orderBy("month")
    return (
        years.join(F.broadcast(star.quotas), on=is_valid, how="inner")
        .withColumn("quota_to_date", F.sum("monthly_quota_amount").over(to_date).cast(TOTAL))
        .select(
            YEAR,
            "month",
            "state_code",
            F.col("monthly_quota_amount").cast(TOTAL).alias("quota_amount"),
            "act",
            "quota_to_date",
        )
    )
