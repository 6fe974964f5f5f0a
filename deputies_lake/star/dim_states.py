"""star.dim_states: the 27 federative units and their regions, and a member for offices that belong to none.

The state on a receipt is the one its source states. A code that the reference does not have loads as itself.
"""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import Column, Table
from deputies_lake.reference import tables
from deputies_lake.star.expenses import staged
from deputies_lake.star.keys import NO_STATE, UNKNOWN, state_key
from deputies_lake.star.literals import frame_of
from deputies_lake.star.mentions import mentions

TABLE: Final = Table(
    layer="star",
    name="dim_states",
    pt="Unidades da federação e suas regiões.",
    en="Federative units and their regions.",
    grain="one row per state code, one for leadership offices (NONE), one for unknown",
    columns=(
        Column(
            name="state_key",
            type="bigint",
            pt="chave substituta",
            en="surrogate key",
            source=staged("state_code"),
        ),
        Column(
            name="state_code",
            pt="sigla da UF; NONE para lideranças, UNKNOWN se desconhecida",
            en="the state's code; NONE for leadership offices, UNKNOWN where it is not known",
            source=staged("state_code", "is_leadership"),
            published="sgUF",
            example="SP",
        ),
        Column(name="state_name", pt="nome da UF", en="the state's name", example="São Paulo"),
        Column(name="region_pt", pt="região em português", en="region in Portuguese", example="Sudeste"),
        Column(name="region_en", pt="região em inglês", en="region in English", example="Southeast"),
    ),
    key=("state_key",),
    referred_by=("fct_expenses",),
)


def transform(payers: DataFrame) -> DataFrame:
    """From what `mentions.payers` makes of staged expenses: the reference's states and any other code they mention."""
    columns = ("state_code", "state_name", "region_pt", "region_en")
    known = [tuple(row[c] for c in columns) for row in tables.rows("states")]
    offices = (NO_STATE, "Sem UF (lideranças) / No state (leadership offices)", "Sem região", "No region")
    unknown = (UNKNOWN, "Desconhecida / Unknown", "Desconhecida", "Unknown")
    reference = frame_of(payers.sparkSession, columns, [*known, offices, unknown])
    mentioned = mentions(payers.where(F.col("state_code").isNotNull()), "state_code")
    unlisted = mentioned.join(reference, on="state_code", how="left_anti").select(
        "state_code",
        F.col("state_code").alias("state_name"),
        F.lit(unknown[2]).alias("region_pt"),
        F.lit(unknown[3]).alias("region_en"),
    )
    return reference.unionByName(unlisted).select(
        state_key(F.col("state_code"), F.lit(False)).alias("state_key"), *columns
    )
