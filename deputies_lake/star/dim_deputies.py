"""star.dim_deputies: who pays from a quota: deputies, and the House's leadership offices as members of their own.

What stands here is the latest known of each, from whichever source; the party and state at the time of a receipt are
in the fact. A leadership office is never shown as a deputy without a state.
"""

from collections.abc import Mapping
from typing import Final

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from deputies_lake.contracts import Column, Table
from deputies_lake.reference import tables
from deputies_lake.staging.texts import looked_up
from deputies_lake.star.expenses import staged
from deputies_lake.star.keys import UNKNOWN, deputy_key

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
            source=staged("deputy_id"),
        ),
        Column(
            name="deputy_id",
            pt="número do deputado (nuDeputadoId, não ideCadastro)",
            en="the deputy's number (nuDeputadoId, not ideCadastro)",
            source=staged("deputy_id"),
            published="nuDeputadoId",
            example="1772",
        ),
        Column(
            name="deputy_register_id",
            pt="número no cadastro da Câmara (ideCadastro), o da API; nulo para lideranças e onde só há Kaggle",
            en="number in the House's register (ideCadastro), the API's; null for offices and where only Kaggle is",
            source=staged("deputy_register_id"),
            published="ideCadastro",
            nullable=True,
            example="178000",
        ),
        Column(
            name="deputy_name",
            pt="nome parlamentar mais recente, em maiúsculas só se nenhum arquivo o traz de outra forma",
            en="latest parliamentary name, in capitals only where no file has it otherwise",
            source=staged("deputy_name"),
            published="txNomeParlamentar",
            example="Fulana De Tal",
        ),
        Column(
            name="payer_kind",
            pt="deputy, leadership (liderança) ou unknown",
            en="deputy, leadership (an office of the House) or unknown",
            source=staged("is_leadership"),
            example="deputy",
        ),
        Column(
            name="party_label",
            pt="partido mais recente; de lideranças, o do nome, se há um",
            en="latest party; a leadership office's is the one in its name, where there is one",
            source=staged("party_label", "deputy_name"),
            published="sgPartido",
            example="PSB",
        ),
        Column(
            name="state_code",
            pt="UF mais recente; nula para lideranças",
            en="latest state; null for leadership offices",
            source=staged("state_code"),
            published="sgUF",
            nullable=True,
            example="SP",
        ),
        Column(
            name="first_year",
            type="int",
            pt="primeiro ano com despesa",
            en="first quota year with an expense",
            source=staged("year"),
            nullable=True,
            example="2009",
        ),
        Column(
            name="last_year",
            type="int",
            pt="último ano com despesa",
            en="last quota year with an expense",
            source=staged("year"),
            nullable=True,
            example="2017",
        ),
    ),
    key=("deputy_key",),
    referred_by=("fct_expenses",),
)


def transform(payers: DataFrame) -> DataFrame:
    """From what `mentions.payers` makes of staged expenses: one row per number."""

    # The text breaks ties, so that equal years give the same name in every run.
    def latest(column: str) -> SparkColumn:
        return F.max(F.when(F.col(column).isNotNull(), F.struct("year", column)))[column].alias(column)

    spelled = payers.withColumn("deputy_name", _best_spelling())
    deputies = spelled.groupBy("deputy_id").agg(
        latest("deputy_register_id"),
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
        *(F.lit(None).alias(name) for name in ("deputy_register_id", "state_code", "first_year", "last_year")),
    )
    # Its own projection, so that the office is found once and not for each of the names it is compared with.
    named = deputies.unionByName(unknown).withColumn("_office", _office())
    party_of_office = F.when(F.col("_is_leadership"), looked_up(F.col("_office"), _party_names()))
    kind = F.when(F.col("_is_leadership"), "leadership").when(~F.col("_is_leadership"), "deputy").otherwise("unknown")
    return named.select(
        deputy_key(F.col("deputy_id")).alias("deputy_key"),
        "deputy_id",
        "deputy_register_id",
        "deputy_name",
        kind.alias("payer_kind"),
        F.coalesce(party_of_office, "party_label").alias("party_label"),
        "state_code",
        "first_year",
        "last_year",
    )


def _best_spelling() -> SparkColumn:
    """The House wrote names in capitals until 2020: of spellings that differ in case alone, the latest that did not.

    Offices stay in capitals, where it has them so: Kaggle made `Liderança Do Pt` of theirs.
    """
    name = F.col("deputy_name")
    is_better = (name == F.upper(name)) == F.col("is_leadership")
    alike = Window.partitionBy("deputy_id", F.upper(name))
    return F.max(F.struct(is_better, "year", name)).over(alike)["deputy_name"]


def _office() -> SparkColumn:
    """What follows the word for an office in its name (`LIDERANÇA DO PT`), or the whole name (`PDT`), in capitals."""
    office = r"^(LIDERAN[CÇ]A|REPRESENTA[CÇ][AÃ]O) D[AEO] "
    return F.regexp_replace(F.upper("deputy_name"), office, "")


def _party_names() -> Mapping[str, str]:
    """The party that an office's name tells by its label or in full."""
    names = {row["party_name_pt"].upper(): row["party_label"] for row in tables.rows("parties")}
    return tables.party_labels() | names
