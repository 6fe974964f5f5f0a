"""Which runs are a problem, and until when: of an instance in which runs really ran, were killed, or wait."""

import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._daemon.types import DaemonHeartbeat

from deputies_lake.alerts import Problem
from deputies_lake.automation.run_problems import FORGOTTEN_AFTER, run_problems
from deputies_lake.partitions import BY_YEARS, PARTITION_TAG, range_tags
from deputies_lake.raw.assets import AS_IT_LIES

STARTED, QUEUED = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.QUEUED
CANCELED, FAILURE = dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.FAILURE


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def ran(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, tags: Mapping[str, str] | None = None, job: str = "lake"
) -> dg.DagsterRun:
    return instance.add_run(dg.DagsterRun(job_name=job, status=status, tags=dict(tags or range_tags(2021, 2022))))


def found(instance: dg.DagsterInstance, *, is_local: bool = True, now: datetime | None = None) -> list[Problem]:
    return [*run_problems(instance, now or datetime.now(UTC), is_local=is_local)]


def told(instance: dg.DagsterInstance, **asked: Any) -> list[tuple[str, int | None]]:
    return [(problem.title, problem.year) for problem in found(instance, **asked)]


def test_runs_that_are_well_are_none(instance: dg.DagsterInstance) -> None:
    succeeds(instance, 2021)
    ran(instance, STARTED)
    assert told(instance) == []


@pytest.mark.parametrize(("status", "word"), [(FAILURE, "failed"), (CANCELED, "was cancelled")])
def test_a_run_that_ended_badly_is_one_for_each_of_its_years_until_the_job_succeeds_for_them(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, word: str
) -> None:
    ran(instance, status)
    assert told(instance) == [(f"a run of lake {word}", 2021), (f"a run of lake {word}", 2022)]
    succeeds(instance, 2021)
    assert told(instance) == [(f"a run of lake {word}", 2022)]


def succeeds(instance: dg.DagsterInstance, year: int, *, skips: bool = False) -> None:
    run = ran(instance, dg.DagsterRunStatus.NOT_STARTED, range_tags(year, year))
    if skips:
        instance.report_dagster_event(dg.DagsterEvent("STEP_SKIPPED", run.job_name), run.run_id)
    for event in ("PIPELINE_START", "PIPELINE_SUCCESS"):
        instance.report_dagster_event(dg.DagsterEvent(event, run.job_name), run.run_id)


def test_a_run_that_skipped_steps_makes_nothing_good(instance: dg.DagsterInstance) -> None:
    ran(instance, CANCELED, range_tags(2021, 2021))
    succeeds(instance, 2021, skips=True)
    assert told(instance) == [("a run of lake was cancelled", 2021)]


def test_nobody_repeats_a_run_after_a_month(instance: dg.DagsterInstance) -> None:
    ran(instance, CANCELED)
    assert told(instance, now=datetime.now(UTC) + FORGOTTEN_AFTER + timedelta(minutes=1)) == []


@pytest.mark.parametrize("tags", [{PARTITION_TAG: "2035"}, BY_YEARS])
def test_a_run_that_was_refused_for_its_year_is_none(instance: dg.DagsterInstance, tags: Mapping[str, str]) -> None:
    ran(instance, FAILURE, tags)
    assert told(instance) == []


def test_the_command_does_what_the_run_did(instance: dg.DagsterInstance) -> None:
    ran(instance, CANCELED, {PARTITION_TAG: "2021", **AS_IT_LIES, "dagster/priority": "1"}, "from_chamber_expenses")
    (problem,) = found(instance)
    assert problem.command == (
        "dagster job execute -m deputies_lake.definitions -j from_chamber_expenses "
        """--tags '{"dagster/partition": "2021", "deputies_lake/fetch": "nothing"}'"""
    )


def with_process(instance: dg.DagsterInstance, pid: int) -> None:
    """As Dagster's executor tells it."""
    run = ran(instance, STARTED, {PARTITION_TAG: "2021"})
    data = EngineEventData(metadata={"pid": dg.MetadataValue.text(str(pid))})
    instance.report_engine_event("Executing steps in process", run, data)


def test_a_run_whose_process_was_killed_is_one(instance: dg.DagsterInstance) -> None:
    process = subprocess.Popen(["sleep", "60"])
    with_process(instance, process.pid)
    assert told(instance) == []
    process.kill()
    process.wait()
    assert told(instance) == [("a run of lake was lost", 2021)]


def test_processes_of_another_machine_are_not_looked_for(instance: dg.DagsterInstance) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    with_process(instance, process.pid)
    assert told(instance, is_local=False) == []


@pytest.fixture
def with_queue(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    queue = {"module": "dagster.core.run_coordinator", "class": "QueuedRunCoordinator"}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides={"run_coordinator": queue}) as found:
        yield found


def test_a_run_that_waits_is_one_while_no_daemon_is_there(with_queue: dg.DagsterInstance) -> None:
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "repository"), "lake")
    tags = {PARTITION_TAG: "2021"}
    with_queue.add_run(dg.DagsterRun(job_name="lake", status=QUEUED, tags=tags, remote_job_origin=origin))
    (problem,) = found(with_queue)
    waits = "a run of lake waits, and no daemon is there to start it"
    assert (problem.title, problem.year, problem.command) == (waits, 2021, "dagster dev")
    now = datetime.now(UTC).timestamp()
    with_queue.add_daemon_heartbeat(DaemonHeartbeat(now, "QUEUED_RUN_COORDINATOR", "id", None))
    assert told(with_queue) == []
