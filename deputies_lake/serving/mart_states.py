"""serving.mart_states: what the deputies of each state spent (question 4). Regions are sums of their states."""

from typing import Final

from pyspark.sql import DataFrame

from deputies_lake.contracts import YEAR, Column, Table
from deputies_lake.serving.columns import (
    DEPUTIES,
    MEASURES,
    OF_YEAR,
    QUALIFIERS,
    SOURCE_CODE,
    SPENT_PER_DEPUTY,
    STATE_CODE,
    TOTALS,
    of_fact,
)
from deputies_lake.serving.marts import Star, by_year, measures, named, per_deputy, qualified
from deputies_lake.star import dim_states

_NAMES: Final = ("state_code", "state_name", "region_pt", "region_en")


def _name(column: str, pt: str, en: str, example: str) -> Column:
    return Column(name=column, pt=pt, en=en, source=(f"{dim_states.TABLE.name}.{column}",), example=example)


TABLE: Final = Table(
    layer="serving",
    name="mart_states",
    pt="Despesa por ano e UF.",
    en="Spending by year and state.",
    grain="one row per year and state",
    partitioned=True,
    columns=(
        OF_YEAR,
        Column(
            name="state_key",
            type="bigint",
            pt="chave da UF em dim_states",
            en="the state's key in dim_states",
            source=of_fact("state_key"),
        ),
        STATE_CODE,
        _name("state_name", "nome da UF", "the state's name", "São Paulo"),
        _name("region_pt", "região em português", "region in Portuguese", "Sudeste"),
        _name("region_en", "região em inglês", "region in English", "Southeast"),
        SOURCE_CODE,
        DEPUTIES,
        SPENT_PER_DEPUTY,
        *MEASURES,
        *QUALIFIERS,
    ),
    key=(YEAR, "state_key"),
    totals=TOTALS,
)


def transform(star: Star) -> DataFrame:
    """One row per year and state."""
    rows = by_year(star.receipts, "state_key").agg(*per_deputy(), *measures())
    return qualified(named(rows, star.states, "state_key", _NAMES), star.gaps).select(*TABLE.column_names)
