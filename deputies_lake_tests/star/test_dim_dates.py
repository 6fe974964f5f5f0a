"""The calendar: every day once, with ISO weeks, names in both languages and the term of office."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

import pytest
from pyspark.sql import Row, SparkSession

from deputies_lake.quota_years import current_year
from deputies_lake.star import dim_dates
from deputies_lake_tests.star.staged_rows import contract_of, nulls_in_required

TABLE: Final = dim_dates.TABLE
FIRST: Final = date(2007, 1, 1)

Calendar = Mapping[date, Row]


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> list[Row]:
    return dim_dates.transform(spark).collect()


@pytest.fixture(scope="module")
def calendar(rows: list[Row]) -> dict[date, Row]:
    return {row["date"]: row for row in rows if row["date"]}


def test_the_columns_are_those_of_the_contract(spark: SparkSession) -> None:
    assert dim_dates.transform(spark).dtypes == contract_of(TABLE)


def test_required_columns_are_never_null(rows: list[Row]) -> None:
    assert nulls_in_required(TABLE, rows) == set()


def test_every_day_is_there_once_from_the_year_before_the_first_to_the_end_of_the_next(rows: list[Row]) -> None:
    last = date(current_year() + 1, 12, 31)
    days = {FIRST + timedelta(number) for number in range((last - FIRST).days + 1)}
    assert {row["date"] for row in rows} == {*days, None}
    assert len(rows) == len(days) + 1


def test_a_days_key_reads_as_the_date(calendar: Calendar) -> None:
    assert [day for day, row in calendar.items() if row["date_key"] != int(day.strftime("%Y%m%d"))] == []


def test_the_unknown_day_has_the_key_0_and_nothing_else(rows: list[Row]) -> None:
    (unknown,) = (row for row in rows if row["date"] is None)
    assert unknown["date_key"] == 0
    assert {unknown[name] for name in TABLE.column_names[1:]} == {None}


def test_year_quarter_month_and_day_are_the_calendars(calendar: Calendar) -> None:
    columns = ("calendar_year", "quarter", "month", "day")
    wrong = [
        day
        for day, row in calendar.items()
        if [row[name] for name in columns] != [day.year, (day.month + 2) // 3, day.month, day.day]
    ]
    assert wrong == []


def test_weeks_are_those_of_iso_8601_around_every_new_year(calendar: Calendar) -> None:
    columns = ("iso_year", "iso_week", "iso_weekday")
    wrong = [day for day, row in calendar.items() if tuple(row[name] for name in columns) != day.isocalendar()]
    assert wrong == []


@pytest.mark.parametrize(
    ("day", "week"),
    [
        (date(2012, 1, 1), (2011, 52)),
        (date(2015, 12, 31), (2015, 53)),
        (date(2016, 1, 3), (2015, 53)),
        (date(2018, 12, 31), (2019, 1)),
        (date(2021, 1, 3), (2020, 53)),
    ],
)
def test_a_day_near_new_year_may_be_of_another_years_week(day: date, week: tuple[int, int], calendar: Calendar) -> None:
    assert (calendar[day]["iso_year"], calendar[day]["iso_week"]) == week


def test_29_february_is_there_in_leap_years_only(calendar: Calendar) -> None:
    leap_days = {day.year for day in calendar if (day.month, day.day) == (2, 29)}
    assert leap_days == {year for year in range(2008, current_year() + 2) if year % 4 == 0}


MONTHS: Final = {
    1: ("janeiro", "January"),
    2: ("fevereiro", "February"),
    3: ("março", "March"),
    4: ("abril", "April"),
    5: ("maio", "May"),
    6: ("junho", "June"),
    7: ("julho", "July"),
    8: ("agosto", "August"),
    9: ("setembro", "September"),
    10: ("outubro", "October"),
    11: ("novembro", "November"),
    12: ("dezembro", "December"),
}


@pytest.mark.parametrize("month", MONTHS)
def test_a_month_has_one_name_in_each_language(month: int, calendar: Calendar) -> None:
    names = {(row["month_name_pt"], row["month_name_en"]) for row in calendar.values() if row["month"] == month}
    assert names == {MONTHS[month]}


# 1 to 7 January 2018 were a Monday to a Sunday.
WEEKDAYS: Final = {
    1: ("segunda-feira", "Monday", False),
    2: ("terça-feira", "Tuesday", False),
    3: ("quarta-feira", "Wednesday", False),
    4: ("quinta-feira", "Thursday", False),
    5: ("sexta-feira", "Friday", False),
    6: ("sábado", "Saturday", True),
    7: ("domingo", "Sunday", True),
}


@pytest.mark.parametrize("number", WEEKDAYS)
def test_a_weekday_has_its_names_and_knows_whether_it_is_a_weekend(number: int, calendar: Calendar) -> None:
    row = calendar[date(2018, 1, number)]
    assert (row["weekday_name_pt"], row["weekday_name_en"], row["is_weekend"]) == WEEKDAYS[number]


def test_a_weekdays_number_decides_its_names(calendar: Calendar) -> None:
    names = {(r["iso_weekday"], r["weekday_name_pt"], r["weekday_name_en"], r["is_weekend"]) for r in calendar.values()}
    assert len(names) == 7


@pytest.mark.parametrize(
    ("day", "term"),
    [
        (date(2007, 1, 31), None),
        (date(2007, 2, 1), 53),
        (date(2011, 1, 31), 53),
        (date(2011, 2, 1), 54),
        (date(2015, 1, 31), 54),
        (date(2015, 2, 1), 55),
        (date(2019, 1, 31), 55),
        (date(2019, 2, 1), 56),
        (date(2023, 1, 31), 56),
        (date(2023, 2, 1), 57),
    ],
)
def test_a_term_of_office_begins_on_1_february(day: date, term: int | None, calendar: Calendar) -> None:
    assert calendar[day]["term_of_office"] == term


def test_every_day_since_february_2007_is_in_a_term_of_office(calendar: Calendar) -> None:
    assert [day for day, row in calendar.items() if day >= date(2007, 2, 1) and not row["term_of_office"]] == []
