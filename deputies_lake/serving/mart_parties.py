"""serving.mart_parties: what the deputies of each party spent, as the file names it (question 3).

Leadership offices belong to no party here: their receipts are under the label of those without one. A party that was
renamed or merged appears under each of its names; under today's: `mart_parties_today`.
"""

from typing import Final

from pyspark.sql import DataFrame

from deputies_lake.contracts import YEAR, Column, Table
from deputies_lake.serving.columns import (
    DEPUTIES,
    MEASURES,
    OF_YEAR,
    PARTY_LABEL,
    QUALIFIERS,
    SOURCE_CODE,
    SPENT_PER_DEPUTY,
    TOTALS,
    of_fact,
)
from deputies_lake.serving.marts import Star, by_year, measures, named, per_deputy, qualified
from deputies_lake.star import dim_parties

TABLE: Final = Table(
    layer="serving",
    name="mart_parties",
    pt="Despesa por ano e partido que o arquivo traz: o da data da publicação, não o do recibo.",
    en="Spending by year and party in the file: that of the day of publication, not of the receipt.",
    grain="one row per year and party label",
    partitioned=True,
    columns=(
        OF_YEAR,
        Column(
            name="party_key",
            type="bigint",
            pt="chave do partido em dim_parties",
            en="the party's key in dim_parties",
            source=of_fact("party_key"),
        ),
        PARTY_LABEL,
        Column(
            name="party_kind",
            pt="party, no_party (sem partido), leadership (lideranças) ou unknown",
            en="party, no_party, leadership (leadership offices) or unknown",
            source=(f"{dim_parties.TABLE.name}.party_kind",),
            example="party",
        ),
        SOURCE_CODE,
        DEPUTIES,
        SPENT_PER_DEPUTY,
        *MEASURES,
        *QUALIFIERS,
    ),
    key=(YEAR, "party_key"),
    totals=TOTALS,
)


def transform(star: Star) -> DataFrame:
    """One row per year and party label."""
    rows = by_year(star.receipts, "party_key").agg(*per_deputy(), *measures())
    rows = named(rows, star.parties, "party_key", ["party_label", "party_kind"])
    return qualified(rows, star.gaps).select(*TABLE.column_names)
