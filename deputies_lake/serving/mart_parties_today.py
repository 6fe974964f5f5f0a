"""serving.mart_parties_today: what deputies spent, by the party that their party is called or became part of today.

A merger is not a rename: the figures of the parties that merged are added up here, and stand apart in `mart_parties`.
A deputy's own change of party is neither: receipts have the party of the day the file was published.
"""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import YEAR, Column, Table
from deputies_lake.serving.columns import DEPUTIES, MEASURES, OF_YEAR, QUALIFIERS, SOURCE_CODE, SPENT_PER_DEPUTY, TOTALS
from deputies_lake.serving.marts import Star, by_year, measures, named, per_deputy, qualified
from deputies_lake.star import dim_parties

TABLE: Final = Table(
    layer="serving",
    name="mart_parties_today",
    pt="Despesa por ano e partido sucessor de hoje.",
    en="Spending by year and today's successor of the party.",
    grain="one row per year and today's party label",
    partitioned=True,
    columns=(
        OF_YEAR,
        Column(
            name="party_label_today",
            pt="como o partido se chama hoje, ou de qual faz parte",
            en="what the party is called today, or part of which it is",
            source=(f"{dim_parties.TABLE.name}.party_label_today",),
            example="UNIÃO",
        ),
        Column(
            name="party_labels",
            pt="os partidos informados nos recibos que ele reúne",
            en="the parties reported on the receipts that it joins",
            source=(f"{dim_parties.TABLE.name}.party_label",),
            example="DEM, PSL",
        ),
        SOURCE_CODE,
        DEPUTIES,
        SPENT_PER_DEPUTY,
        *MEASURES,
        *QUALIFIERS,
    ),
    key=(YEAR, "party_label_today"),
    totals=TOTALS,
)


def transform(star: Star) -> DataFrame:
    """One row per year and today's label."""
    receipts = named(star.receipts, star.parties, "party_key", ["party_label", "party_label_today"])
    labels = F.array_join(F.array_sort(F.collect_set("party_label")), ", ").alias("party_labels")
    rows = by_year(receipts, "party_label_today").agg(labels, *per_deputy(), *measures())
    return qualified(rows, star.gaps).select(*TABLE.column_names)
