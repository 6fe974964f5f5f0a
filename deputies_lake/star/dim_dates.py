"""star.dim_dates: the calendar, one row per day.

From the year before the House's first file to the end of the next year, so that late and early receipts find their
day. `calendar_year` is the date's own; the quota year (`year`) belongs to the fact.
"""

from datetime import date
from typing import Final

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from deputies_lake.contracts import Column, Table
from deputies_lake.quota_years import FIRST_YEAR, current_year
from deputies_lake.reference import tables
from deputies_lake.star.keys import date_key

_MONTHS_PT: Final = (
    "janeiro",
    "fevereiro",
    "março",
    "abril",
    "maio",
    "junho",
    "julho",
    "agosto",
    "setembro",
    "outubro",
    "novembro",
    "dezembro",
)
_WEEKDAYS_PT: Final = (
    "segunda-feira",
    "terça-feira",
    "quarta-feira",
    "quinta-feira",
    "sexta-feira",
    "sábado",
    "domingo",
)

TABLE: Final = Table(
    layer="star",
    name="dim_dates",
    pt="Calendário: um dia por linha, com semana ISO, nomes e legislatura.",
    en="The calendar: one day a row, with ISO week, names and term of office.",
    grain="one row per day, and one for an unknown date",
    columns=(
        Column(
            name="date_key",
            type="int",
            pt="data como número; 0 é desconhecida",
            en="the date as a number; 0 is unknown",
            example="20130327",
        ),
        Column(
            name="date",
            type="date",
            pt="data",
            en="the date; null for the unknown one",
            nullable=True,
            example="2013-03-27",
        ),
        Column(
            name="calendar_year",
            type="int",
            pt="ano civil",
            en="calendar year, not the quota year",
            nullable=True,
            example="2013",
        ),
        Column(name="quarter", type="int", pt="trimestre", en="quarter", nullable=True, example="1"),
        Column(name="month", type="int", pt="mês", en="month", nullable=True, example="3"),
        Column(
            name="month_name_pt",
            pt="nome do mês em português",
            en="the month's name in Portuguese",
            nullable=True,
            example="março",
        ),
        Column(
            name="month_name_en",
            pt="nome do mês em inglês",
            en="the month's name in English",
            nullable=True,
            example="March",
        ),
        Column(name="day", type="int", pt="dia do mês", en="day of the month", nullable=True, example="27"),
        Column(
            name="iso_year",
            type="int",
            pt="ano da semana ISO",
            en="year of the ISO week",
            nullable=True,
            example="2013",
        ),
        Column(name="iso_week", type="int", pt="semana ISO", en="ISO week", nullable=True, example="13"),
        Column(
            name="iso_weekday",
            type="int",
            pt="dia da semana, 1 é segunda-feira",
            en="day of the week, 1 is Monday",
            nullable=True,
            example="3",
        ),
        Column(
            name="weekday_name_pt",
            pt="nome do dia em português",
            en="the day's name in Portuguese",
            nullable=True,
            example="quarta-feira",
        ),
        Column(
            name="weekday_name_en",
            pt="nome do dia em inglês",
            en="the day's name in English",
            nullable=True,
            example="Wednesday",
        ),
        Column(name="is_weekend", type="boolean", pt="sábado ou domingo", en="Saturday or Sunday", nullable=True),
        Column(
            name="term_of_office",
            type="int",
            pt="legislatura",
            en="term of office (legislatura)",
            nullable=True,
            example="54",
        ),
    ),
    key=("date_key",),
    referred_by=("fct_expenses",),
)


def transform(spark: SparkSession) -> DataFrame:
    """The calendar. Names and weeks follow ISO 8601, independent of any locale."""
    first, last = date(FIRST_YEAR - 1, 1, 1), date(current_year() + 1, 12, 31)
    days = spark.range(1).select(F.explode(F.sequence(F.lit(first), F.lit(last))).alias("date"))
    unknown = spark.range(1).select(F.lit(None).cast("date").alias("date"))
    day = F.col("date")
    iso_weekday = (F.dayofweek(day) + 5) % 7 + 1
    return days.unionByName(unknown).select(
        date_key(day).alias("date_key"),
        "date",
        F.year(day).alias("calendar_year"),
        F.quarter(day).alias("quarter"),
        F.month(day).alias("month"),
        _named(_MONTHS_PT, F.month(day)).alias("month_name_pt"),
        F.date_format(day, "MMMM").alias("month_name_en"),
        F.dayofmonth(day).alias("day"),
        # The week is the year's that its Thursday is in.
        F.year(F.date_add(day, 4 - iso_weekday)).alias("iso_year"),
        F.weekofyear(day).alias("iso_week"),
        iso_weekday.alias("iso_weekday"),
        _named(_WEEKDAYS_PT, iso_weekday).alias("weekday_name_pt"),
        F.date_format(day, "EEEE").alias("weekday_name_en"),
        (iso_weekday >= 6).alias("is_weekend"),
        _term_of_office(day).alias("term_of_office"),
    )


def _named(names: tuple[str, ...], number: SparkColumn) -> SparkColumn:
    return F.get(F.array(*map(F.lit, names)), number - 1)


def _term_of_office(day: SparkColumn) -> SparkColumn:
    terms = tables.rows("terms_of_office")
    return F.coalesce(*(F.when(day.between(t["first_date"], t["last_date"]), int(t["term_of_office"])) for t in terms))
