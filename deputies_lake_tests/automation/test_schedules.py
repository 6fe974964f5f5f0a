"""The schedules of the House's files: when they tick, what they start, and when they leave it be."""

import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from deputies_lake.automation.jobs import HOUSE
from deputies_lake.automation.schedules import schedule_definitions
from deputies_lake.environments import Environment, Settings, load_settings
from deputies_lake.quota_years import FIRST_YEAR, TIMEZONE, current_year

FILES_ARE_THERE = "05:30"
DEADLINE = "07:00"
# When ticks are evaluated does not matter to what they start; today does, for that is when test files land.
TODAY = datetime.now(tz=ZoneInfo(TIMEZONE)).replace(hour=6, minute=30, second=0, microsecond=0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "landing").mkdir()
    return load_settings("local", {"DEPUTIES_LAKE_HOME": str(tmp_path)})


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as found:
        yield found


@pytest.fixture
def instance(storage: dg.DagsterInstance) -> dg.DagsterInstance:
    """One without any runs, on disk, as schedules demand it."""
    storage.wipe()
    return storage


def schedules(settings: Settings) -> Mapping[str, dg.ScheduleDefinition]:
    found = schedule_definitions(settings).schedules or ()
    return {schedule.name: schedule for schedule in found if isinstance(schedule, dg.ScheduleDefinition)}


def evaluate(
    name: str, settings: Settings, instance: dg.DagsterInstance, at: datetime = TODAY
) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=at)
    result = schedules(settings)[name](context)
    assert isinstance(result, dg.RunRequest | dg.SkipReason)
    return result


def starts(result: dg.RunRequest | dg.SkipReason) -> tuple[str | None, int, int]:
    assert isinstance(result, dg.RunRequest), result
    first, last = (int(result.tags[f"dagster/asset_partition_range_{end}"]) for end in ("start", "end"))
    return result.job_name, first, last


def ran(instance: dg.DagsterInstance, name: str, status: dg.DagsterRunStatus) -> None:
    instance.add_run(dg.DagsterRun(job_name=HOUSE.job_name, status=status, tags={"dagster/schedule_name": name}))


def land(settings: Settings, at: datetime) -> None:
    path = Path(settings.landing) / f"Ano-{current_year()}.csv.zip"
    path.write_bytes(b"")
    os.utime(path, (at.timestamp(), at.timestamp()))


def took_in(instance: dg.DagsterInstance) -> None:
    """As the raw asset tells Dagster that readers have the current year's file."""
    instance.report_runless_asset_event(
        dg.AssetMaterialization(["raw", "chamber_expenses"], partition=str(current_year()))
    )


def test_every_morning_this_year_and_the_last_one_are_refreshed(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    result = evaluate("daily_refresh", settings, instance)
    assert starts(result) == ("from_chamber_expenses", current_year() - 1, current_year())


def test_every_week_all_years_are_looked_at(settings: Settings, instance: dg.DagsterInstance) -> None:
    result = evaluate("weekly_refresh", settings, instance)
    assert starts(result) == ("from_chamber_expenses", FIRST_YEAR, current_year())


@pytest.mark.parametrize("name", ["daily_refresh", "weekly_refresh"])
def test_their_runs_fetch(name: str, settings: Settings, instance: dg.DagsterInstance) -> None:
    result = evaluate(name, settings, instance)
    assert isinstance(result, dg.RunRequest)
    assert "deputies_lake/fetch" not in result.tags


@pytest.mark.parametrize("name", ["daily_refresh", "weekly_refresh"])
def test_there_are_never_two_runs_of_a_schedule(name: str, settings: Settings, instance: dg.DagsterInstance) -> None:
    ran(instance, name, dg.DagsterRunStatus.STARTED)
    assert evaluate(name, settings, instance) == dg.SkipReason("the run before is still going on")


def test_the_daily_run_does_not_keep_the_weekly_one_from_starting(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    ran(instance, "daily_refresh", dg.DagsterRunStatus.STARTED)
    assert isinstance(evaluate("weekly_refresh", settings, instance), dg.RunRequest)


def clock_of(cron: str) -> str:
    minute, hour, *_ = cron.split()
    return f"{int(hour):02}:{int(minute):02}"


def test_the_daily_ticks_are_between_the_houses_files_and_the_deadline(settings: Settings) -> None:
    schedule = schedules(settings)["daily_refresh"]
    times = [clock_of(cron) for cron in schedule.cron_schedule]
    assert (times[0] > FILES_ARE_THERE, times[-1] < DEADLINE, times) == (True, True, ["05:45", "06:10", "06:30"])
    assert all(cron.endswith(" * * *") for cron in schedule.cron_schedule)
    assert schedule.execution_timezone == TIMEZONE


def test_the_weekly_tick_is_after_sundays_deadline(settings: Settings) -> None:
    schedule = schedules(settings)["weekly_refresh"]
    cron = str(schedule.cron_schedule)
    assert (clock_of(cron) > DEADLINE, cron.endswith(" * * 0"), schedule.execution_timezone) == (True, True, TIMEZONE)


def test_when_the_morning_is_done_the_later_ticks_start_nothing(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land(settings, TODAY.replace(hour=0, minute=0))
    ran(instance, "daily_refresh", dg.DagsterRunStatus.SUCCESS)
    took_in(instance)
    assert isinstance(evaluate("daily_refresh", settings, instance), dg.SkipReason)


def test_a_file_that_was_refused_is_asked_for_again(settings: Settings, instance: dg.DagsterInstance) -> None:
    """Its run succeeds: a refused year is not taken in and holds up no other."""
    land(settings, TODAY.replace(hour=0, minute=0))
    ran(instance, "daily_refresh", dg.DagsterRunStatus.SUCCESS)
    assert isinstance(evaluate("daily_refresh", settings, instance), dg.RunRequest)


def test_if_the_houses_file_was_not_there_yet_it_is_asked_for_again(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land(settings, TODAY - timedelta(hours=7))
    ran(instance, "daily_refresh", dg.DagsterRunStatus.SUCCESS)
    assert isinstance(evaluate("daily_refresh", settings, instance), dg.RunRequest)


def test_if_the_run_failed_another_one_follows(settings: Settings, instance: dg.DagsterInstance) -> None:
    land(settings, TODAY)
    ran(instance, "daily_refresh", dg.DagsterRunStatus.FAILURE)
    assert isinstance(evaluate("daily_refresh", settings, instance), dg.RunRequest)


def test_yesterdays_success_is_not_todays(settings: Settings, instance: dg.DagsterInstance) -> None:
    land(settings, TODAY)
    ran(instance, "daily_refresh", dg.DagsterRunStatus.SUCCESS)
    took_in(instance)
    tomorrow = TODAY + timedelta(days=1)
    assert isinstance(evaluate("daily_refresh", settings, instance, tomorrow), dg.RunRequest)


@pytest.mark.parametrize("environment", list(Environment))
def test_they_run_by_themselves_in_prod_and_elsewhere_when_they_are_switched_on(environment: Environment) -> None:
    found = schedules(load_settings(environment, {}))
    in_prod = environment is Environment.PROD
    status = dg.DefaultScheduleStatus.RUNNING if in_prod else dg.DefaultScheduleStatus.STOPPED
    assert {name: schedule.default_status for name, schedule in found.items()} == dict.fromkeys(
        ("daily_refresh", "weekly_refresh"), status
    )
