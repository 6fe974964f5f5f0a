"""The expenses of all years, each year from its one source: what the dimensions and the fact are made from.

Rows of two sources are never added up, for Kaggle's file is a lossy extract of the House's. Here: which source a year
comes from, and how the sources' staged rows become alike. What a column means is said in their contracts, what is
made of the rows in the dimensions' and the fact's files.
"""

from collections.abc import Collection, Mapping
from functools import reduce
from typing import Final

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from deputies_lake.contracts import Table
from deputies_lake.raw import chamber_expenses, kaggle_reimbursements
from deputies_lake.staging import stg_chamber_expenses, stg_kaggle_reimbursements
from deputies_lake.star.literals import no_rows

HOUSE: Final = stg_chamber_expenses.TABLE
KAGGLE: Final = stg_kaggle_reimbursements.TABLE

SOURCE_CODES: Final[Mapping[Table, str]] = {
    HOUSE: chamber_expenses.CSV.source_code,
    KAGGLE: kaggle_reimbursements.CSV.source_code,
}
"""In order of preference: a year comes from the first source that has rows of it."""

_COLUMNS: Final[Mapping[str, str]] = {
    **{column.name: column.type for source in SOURCE_CODES for column in source.columns},
    "source_code": "string",
}

LEADERSHIP_LABEL: Final = "SEM PARTIDO ASSOCIADO"
"""Kaggle's party label of leadership offices; the House leaves theirs empty."""

NO_PARTY_LABEL: Final = "S.PART."
"""The House's label of a deputy without a party, whose label some of its files leave empty."""


def staged(*columns: str) -> tuple[str, ...]:
    """The lineage of what is made from these columns: `table.column` of each source that has them."""
    return tuple(f"{source.name}.{name}" for source in SOURCE_CODES for name in columns if name in source.column_names)


def chosen(available: Mapping[Table, Collection[int]], years: Collection[int] | None = None) -> dict[Table, list[int]]:
    """Which years each source gives, of `years` only where given. A source that gives none is left out.

    `available` are the years of which a source has rows.
    """
    choice: dict[Table, list[int]] = {}
    taken: set[int] = set()
    for source in SOURCE_CODES:
        given = {*available.get(source, ())} - taken
        taken |= given
        if wanted := sorted(given if years is None else given.intersection(years)):
            choice[source] = wanted
    return choice


def conformed(spark: SparkSession, rows: Mapping[Table, DataFrame]) -> DataFrame:
    """The staged rows of all sources with the columns of all, null where a source has none, and `source_code`."""
    if not rows:
        return no_rows(spark, _COLUMNS)
    frames = (_alike(of_source, source) for source, of_source in rows.items())
    return reduce(lambda one, other: one.unionByName(other), frames)


def _alike(rows: DataFrame, source: Table) -> DataFrame:
    without_party = F.when(F.col("is_leadership"), LEADERSHIP_LABEL).otherwise(NO_PARTY_LABEL)
    columns = {
        name: F.col(name) if name in source.column_names else F.lit(None).cast(kind) for name, kind in _COLUMNS.items()
    } | {
        "party_label": F.coalesce("party_label", without_party),
        "source_code": F.lit(SOURCE_CODES[source]),
    }
    return rows.select(*(column.alias(name) for name, column in columns.items()))
