"""When each day's figures were ready: on a lake of raw files and one mart, by the files' own dates."""

import os
import zipfile
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from deputies_lake.assets import key_of
from deputies_lake.checks.audit import AuditFailedError
from deputies_lake.environments import HOME, load_settings
from deputies_lake.lakehouse.holds import Hold
from deputies_lake.quota_years import current_year
from deputies_lake.raw.archive import LandingZone
from deputies_lake.resources.files import FilesResource
from deputies_lake.resources.lake import LakeResource
from deputies_lake.serving import mart_months, readiness
from deputies_lake.serving.assets import TODAYS_FIGURES, measure_readiness
from deputies_lake.serving.readiness import BRASILIA, deadline_of, first_of_days, ready_row
from deputies_lake_tests.raw.test_intake import House, csv_of
from deputies_lake_tests.test_history import blank, commit

YEAR = current_year()
MART = mart_months.TABLE
NOW = datetime.now(UTC)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def land(house: House, *, rows: int = 200, year: int = YEAR, made: datetime = NOW - timedelta(hours=2)) -> None:
    house.land(year, csv_of(year, fuel=rows))
    os.utime(house.landing / f"Ano-{year}.csv.zip", (made.timestamp(),) * 2)


def make_mart(house: House, year: int = YEAR) -> None:
    commit(house.lake, MART, [blank(MART, year=year)], [year])


def ready(house: House) -> Mapping[str, Any] | None:
    return ready_row(house.lake, LandingZone(str(house.landing)), MART, datetime.now(UTC))


def test_readers_have_it_when_the_mart_was_made_after_the_file_was_taken_in(house: House) -> None:
    land(house)
    house.take_in(YEAR)
    make_mart(house)
    row = ready(house)
    assert row is not None
    assert row["file_name"] == f"Ano-{YEAR}.csv.zip"
    assert row["made_at"].replace(tzinfo=UTC) == NOW - timedelta(hours=2)
    assert row["made_at"] < row["taken_in_at"] < row["ready_at"]
    assert row["ready_at"].replace(tzinfo=UTC) == house.lake.published_at(MART)[YEAR]


def test_a_file_put_there_by_hand_is_of_the_day_that_its_archive_says(house: House) -> None:
    land(house)
    with zipfile.ZipFile(house.landing / f"Ano-{YEAR}.csv.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(f"Ano-{YEAR}.csv", (YEAR, 1, 2, 3, 27, 0)), csv_of(YEAR, fuel=200))
    house.take_in(YEAR)
    make_mart(house)
    row = ready(house)
    assert row is not None
    assert (row["day"], row["is_in_time"]) == (date(YEAR, 1, 2), False)


def test_without_a_file_of_the_house_nothing_is_measured(house: House) -> None:
    assert ready(house) is None


def test_a_file_that_is_not_taken_in_yet_is_not_ready(house: House) -> None:
    make_mart(house)
    land(house)
    assert ready(house) is None


def test_a_file_that_is_taken_in_but_not_in_the_mart_is_not_ready(house: House) -> None:
    make_mart(house)
    land(house)
    house.take_in(YEAR)
    assert ready(house) is None


def test_a_file_that_was_refused_is_not_ready(house: House) -> None:
    land(house)
    house.take_in(YEAR)
    land(house, rows=100)
    with pytest.raises(AuditFailedError):
        house.take_in(YEAR)
    make_mart(house)
    assert ready(house) is None


def test_a_year_that_was_rolled_back_is_not_ready(house: House) -> None:
    land(house)
    house.take_in(YEAR)
    make_mart(house)
    house.lake.hold(MART, YEAR, Hold(since=NOW.isoformat(), at=NOW.isoformat(), by="somebody", reason="a fault"))
    assert ready(house) is None


def test_the_same_bytes_under_a_new_date_are_ready_when_that_is_known(house: House) -> None:
    land(house)
    house.take_in(YEAR)
    make_mart(house)
    made = datetime.now(UTC) + timedelta(seconds=1)
    land(house, made=made)
    row = ready_row(house.lake, LandingZone(str(house.landing)), MART, made + timedelta(minutes=5))
    assert row is not None
    assert row["ready_at"].replace(tzinfo=UTC) == made + timedelta(minutes=5)


def test_the_newest_years_file_counts(house: House) -> None:
    for year in (YEAR - 1, YEAR):
        land(house, year=year)
    house.take_in(YEAR - 1)
    make_mart(house, YEAR - 1)
    assert ready(house) is None


@pytest.mark.parametrize(("seconds", "in_time"), [(0, True), (1, False)])
def test_seven_in_brasilia_is_in_time_and_a_second_later_is_not(house: House, seconds: int, in_time: bool) -> None:
    land(house)
    house.take_in(YEAR)
    make_mart(house)
    day = date(2030, 3, 14)
    land(house, made=datetime(2030, 3, 14, 3, tzinfo=BRASILIA))
    row = ready_row(house.lake, LandingZone(str(house.landing)), MART, deadline_of(day) + timedelta(seconds=seconds))
    assert row is not None
    assert (row["day"], row["is_in_time"]) == (day, in_time)


def test_a_day_is_brasilias(house: House) -> None:
    land(house, made=datetime(2026, 1, 2, 2, 30, tzinfo=UTC))
    house.take_in(YEAR)
    make_mart(house)
    row = ready(house)
    assert row is not None
    assert row["day"] == date(2026, 1, 1)


def test_of_a_day_its_first_file_counts() -> None:
    day = date(2026, 11, 23)
    rows = [{"day": day, "ready_at": datetime(2026, 11, 23, hour)} for hour in (15, 9, 11)]  # noqa: DTZ001
    assert first_of_days(rows) == {day: rows[1]}


def test_the_table_has_what_a_row_has(house: House) -> None:
    land(house)
    house.take_in(YEAR)
    make_mart(house)
    row = ready(house)
    assert row is not None
    assert list(row) == [column.name for column in readiness.TABLE.columns]
    commit(house.lake, readiness.TABLE, [row])
    assert house.lake.rows(readiness.TABLE) == [row]


# The asset


def measure(house: House, instance: dg.DagsterInstance) -> list[dg.AssetKey]:
    """Materialize it, and say what Dagster was told of: the day's figures may be among it."""
    root = house.landing.parent
    run = dg.materialize(
        [measure_readiness],
        instance=instance,
        resources={
            "lake": LakeResource(warehouse=str(root / "warehouse")),
            "files": FilesResource.of(load_settings("local", {HOME: str(root)})),
            "pyspark_step_launcher": dg.ResourceDefinition.none_resource(),
        },
    )
    return [event.asset_key for event in run.all_events if event.is_step_materialization and event.asset_key]


TABLE_KEY = key_of(readiness.TABLE)


def test_todays_file_is_noted_once_and_told_each_time(house: House) -> None:
    land(house, made=datetime.now(UTC))
    house.take_in(YEAR)
    make_mart(house)
    with dg.DagsterInstance.ephemeral() as instance:
        assert [measure(house, instance) for _ in range(2)] == [[TABLE_KEY, TODAYS_FIGURES.key]] * 2
    assert len(house.lake.rows(readiness.TABLE)) == 1


def test_an_older_file_is_noted_but_is_not_todays(house: House) -> None:
    land(house, made=NOW - timedelta(days=2))
    house.take_in(YEAR)
    make_mart(house)
    with dg.DagsterInstance.ephemeral() as instance:
        assert measure(house, instance) == [TABLE_KEY]
    [row] = house.lake.rows(readiness.TABLE)
    assert row["day"] == readiness.day_of(NOW - timedelta(days=2))


def test_the_days_before_stay_in_the_table(house: House) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for rows, days in ((200, 2), (201, 1)):
            land(house, rows=rows, made=NOW - timedelta(days=days))
            house.take_in(YEAR)
            make_mart(house)
            measure(house, instance)
    assert len(house.lake.rows(readiness.TABLE)) == 2


def test_days_whose_file_was_lost_are_those_of_the_version_before_and_today(house: House) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for rows, days in ((200, 2), (201, 1)):
            land(house, rows=rows, made=NOW - timedelta(days=days))
            house.take_in(YEAR)
            make_mart(house)
            measure(house, instance)
        before = [row["day"] for row in house.lake.rows(readiness.TABLE)]
        [file] = house.lake.files(readiness.TABLE)
        Path(file.removeprefix("file://")).unlink()
        measure(house, instance)
    assert [row["day"] for row in house.lake.rows(readiness.TABLE)] == before


def test_where_there_is_nothing_to_note_there_is_an_empty_table_to_read(house: House) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert measure(house, instance) == [TABLE_KEY]
    assert house.lake.exists(readiness.TABLE)
    assert house.lake.rows(readiness.TABLE) == []
