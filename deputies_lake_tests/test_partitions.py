"""The quota years: from 2008 to the year it is in Brasília, without anybody deploying anything on 1 January."""

from datetime import UTC, datetime
from unittest import mock

import pytest

from deputies_lake import quota_years
from deputies_lake.partitions import (
    BY_YEARS,
    PARTITION_TAG,
    UnknownYearError,
    range_tags,
    reimbursement_years,
    require_years,
    years_of_run,
)
from deputies_lake.quota_years import FIRST_YEAR, counted, current_year

# Three hours behind UTC, without summer time since 2019.
LAST_SECOND = datetime.fromisoformat("2025-12-31T23:59:59-03:00")
NEW_YEAR = datetime.fromisoformat("2026-01-01T00:00:00-03:00")


def test_every_year_from_2008_to_the_current_one_is_a_partition() -> None:
    assert reimbursement_years.get_partition_keys() == [str(year) for year in range(2008, current_year() + 1)]


@pytest.mark.parametrize(("now", "last"), [(LAST_SECOND, "2025"), (NEW_YEAR, "2026")])
def test_a_year_becomes_a_partition_when_it_begins_in_brasilia(now: datetime, last: str) -> None:
    assert reimbursement_years.get_partition_keys(current_time=now)[-1] == last


@pytest.mark.parametrize(("now", "year"), [(LAST_SECOND, 2025), (NEW_YEAR, 2026)])
def test_the_current_year_is_that_of_brasilia(now: datetime, year: int) -> None:
    clock = mock.Mock(now=lambda tz=UTC: now.astimezone(tz))
    with mock.patch.object(quota_years, "datetime", clock):
        assert current_year() == year


def test_there_is_no_partition_before_the_first_year() -> None:
    assert not reimbursement_years.has_partition_key(str(FIRST_YEAR - 1))


def test_a_partition_is_the_whole_year() -> None:
    window = reimbursement_years.time_window_for_partition_key("2013")
    assert (window.start.isoformat(), window.end.isoformat()) == (
        "2013-01-01T00:00:00-02:00",
        "2014-01-01T00:00:00-02:00",
    )


@pytest.mark.parametrize(
    ("tags", "years"),
    [
        ({}, []),
        ({PARTITION_TAG: "2013"}, [2013]),
        (range_tags(2013, 2013), [2013]),
        (range_tags(2013, 2015), [2013, 2014, 2015]),
        ({PARTITION_TAG: "of another code location"}, []),
    ],
)
def test_a_run_tells_its_years_by_its_tags(tags: dict[str, str], years: list[int]) -> None:
    assert [*years_of_run(tags)] == years


@pytest.mark.parametrize("tags", [{}, {PARTITION_TAG: "2013"}, {**BY_YEARS, **range_tags(2008, 2013)}])
def test_a_run_of_years_that_exist_may_start(tags: dict[str, str]) -> None:
    require_years(tags)


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({PARTITION_TAG: "2035"}, "there is no quota year 2035: the years are 2008 to "),
        (range_tags(2007, 2013), "there is no quota year 2007: the years are 2008 to "),
        (BY_YEARS, r"the run must be told its quota year, .*: --tags '\{\"dagster/partition\": "),
    ],
)
def test_a_run_of_no_such_year_is_refused_in_one_sentence(tags: dict[str, str], why: str) -> None:
    with pytest.raises(UnknownYearError, match=f"^{why}") as refused:
        require_years(tags)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("years", "told"), [([], "0 years"), ([2013], "1 year"), ([2013, 2014], "2 years")])
def test_years_are_counted_in_words(years: list[int], told: str) -> None:
    assert counted(years) == told
