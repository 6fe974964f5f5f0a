"""star.dim_deputies: who pays from a quota: deputies, and the House's leadership offices as members of their own.

What stands here is the latest known of each; the party and state at the time of a receipt are in the fact. A
leadership office is never shown as a deputy without a state.
"""

from typing import Final

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import Column, Table
from deputies_lake.star.keys import UNKNOWN, deputy_key

_EXPENSES: Final = "stg_kaggle_reimbursements"

TABLE: Final = Table(
    layer="star",
    name="dim_deputies",
    pt="Deputados e lideranças, com os dados mais recentes de cada um.",
    en="Deputies and leadership offices, with the latest known of each.",
    grain="one row per deputy number, and one for unknown",
    columns=(
        Column(
            name="deputy_key",
            type="bigint",
            pt="chave substituta",
            en="surrogate key",
            source=(f"{_EXPENSES}.deputy_id",),
        ),
        Column(
            name="deputy_id",
            pt="número do deputado (nuDeputadoId, não ideCadastro)",
            en="the deputy's number (nuDeputadoId, not ideCadastro)",
            source=(f"{_EXPENSES}.deputy_id",),
            published="nuDeputadoId",
            example="1772",
        ),
        Column(
            name="deputy_name",
            pt="nome parlamentar mais recente",
            en="latest parliamentary name",
            source=(f"{_EXPENSES}.deputy_name",),
            published="txNomeParlamentar",
            example="Fulana De Tal",
        ),
        Column(
            name="payer_kind",
            pt="deputy, leadership (liderança) ou unknown",
            en="deputy, leadership (an office of the House) or unknown",
            source=(f"{_EXPENSES}.is_leadership",),
            example="deputy",
        ),
        Column(
            name="party_label",
            pt="partido mais recente",
            en="latest party",
            source=(f"{_EXPENSES}.party_label",),
            published="sgPartido",
            example="PSB",
        ),
        Column(
            name="state_code",
            pt="UF mais recente; nula para lideranças",
            en="latest state; null for leadership offices",
            source=(f"{_EXPENSES}.state_code",),
            published="sgUF",
            nullable=True,
            example="SP",
        ),
        Column(
            name="first_year",
            type="int",
            pt="primeiro ano com despesa",
            en="first quota year with an expense",
            source=(f"{_EXPENSES}.year",),
            nullable=True,
            example="2009",
        ),
        Column(
            name="last_year",
            type="int",
            pt="último ano com despesa",
            en="last quota year with an expense",
            source=(f"{_EXPENSES}.year",),
            nullable=True,
            example="2017",
        ),
    ),
    key=("deputy_key",),
)


def transform(payers: DataFrame) -> DataFrame:
    """From what `mentions.payers` makes of staged expenses: one row per number."""

    # The text breaks ties, so that equal years give the same name in every run.
    def latest(column: str) -> SparkColumn:
        return F.max(F.struct(F.when(F.col(column).isNotNull(), F.col("year")), F.col(column)))[column].alias(column)

    deputies = payers.groupBy("deputy_id").agg(
        latest("deputy_name"),
        F.bool_and("is_leadership").alias("_is_leadership"),
        latest("party_label"),
        latest("state_code"),
        F.min("year").alias("first_year"),
        F.max("year").alias("last_year"),
    )
    unknown = payers.sparkSession.range(1).select(
        F.lit(UNKNOWN).alias("deputy_id"),
        F.lit("Desconhecido / Unknown").alias("deputy_name"),
        F.lit(None).cast("boolean").alias("_is_leadership"),
        F.lit(UNKNOWN).alias("party_label"),
        *(F.lit(None).alias(name) for name in ("state_code", "first_year", "last_year")),
    )
    kind = F.when(F.col("_is_leadership"), "leadership").when(~F.col("_is_leadership"), "deputy").otherwise("unknown")
    return deputies.unionByName(unknown).select(
        deputy_key(F.col("deputy_id")).alias("deputy_key"),
        "deputy_id",
        "deputy_name",
        kind.alias("payer_kind"),
        "party_label",
        "state_code",
        "first_year",
        "last_year",
    )
