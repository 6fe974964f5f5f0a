"""Dagster's instance on a laptop, as the project writes it, and its launcher, which notices that a run is gone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster import DagsterEvent, DagsterEventType
from dagster._core.events import EngineEventData
from dagster._core.run_coordinator import QueuedRunCoordinator

from deputies_lake.automation.run_launcher import LaptopRunLauncher
from deputies_lake.environments import DAGSTER_HOME, HOME, provide_dagster_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the project keeps Dagster's runs where nothing else is set."""
    # Set first, so that it is put back to what it was.
    monkeypatch.setenv(DAGSTER_HOME, "elsewhere")
    monkeypatch.delenv(DAGSTER_HOME)
    monkeypatch.setenv(HOME, str(tmp_path / "lake"))
    return provide_dagster_home()


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(home)) as found:
        yield found


def test_it_has_a_configuration_without_anybody_doing_anything(home: Path, tmp_path: Path) -> None:
    assert home == tmp_path / "lake" / "dagster"
    assert (home / "dagster.yaml").exists()


def test_its_configuration_is_renewed_with_the_project(home: Path) -> None:
    configuration = home / "dagster.yaml"
    shipped = configuration.read_text(encoding="utf-8")
    configuration.write_text(shipped.splitlines()[0] + "\n# of an older version\n", encoding="utf-8")
    provide_dagster_home()
    assert configuration.read_text(encoding="utf-8") == shipped


def test_a_configuration_that_somebody_took_over_stays(home: Path) -> None:
    configuration = home / "dagster.yaml"
    configuration.write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    provide_dagster_home()
    assert configuration.read_text(encoding="utf-8") == "telemetry:\n  enabled: false\n"


def test_a_home_elsewhere_is_left_as_it_is(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DAGSTER_HOME, str(tmp_path / "own"))
    assert (provide_dagster_home(), (tmp_path / "own").exists()) == (tmp_path / "own", False)


def test_of_a_years_runs_and_of_a_backfills_one_goes_on_at_a_time(instance: dg.DagsterInstance) -> None:
    queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    limits = {limit["key"]: limit["limit"] for limit in queue.tag_concurrency_limits}
    assert (queue.max_concurrent_runs, limits) == (2, {"dagster/partition": 1, "dagster/backfill": 1})


def test_a_queued_run_begins_within_a_second(instance: dg.DagsterInstance) -> None:
    coordinator = instance.run_coordinator
    assert isinstance(coordinator, QueuedRunCoordinator)
    assert coordinator.dequeue_interval_seconds == 1


def test_a_typed_run_prints_what_it_did_and_not_each_event(instance: dg.DagsterInstance) -> None:
    assert instance.python_log_level == "INFO"


def test_lost_runs_are_found_and_repeated_but_failed_ones_are_not(instance: dg.DagsterInstance) -> None:
    assert instance.run_monitoring_enabled
    assert instance.run_retries_enabled
    assert instance.get_settings("run_retries")["retry_on_asset_or_op_failure"] is False
    assert isinstance(instance.run_launcher, LaptopRunLauncher)
    assert instance.run_launcher.supports_check_run_worker_health


def test_a_laptop_and_a_deployment_agree_on_what_runs_at_once(home: Path) -> None:
    deployed = Path(__file__).parents[2] / "deputies_lake" / "infrastructure" / "dagster.yaml"
    both = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (home / "dagster.yaml", deployed)]
    limits = [configuration["concurrency"]["runs"]["tag_concurrency_limits"] for configuration in both]
    assert limits[0] == limits[1]


def health(instance: dg.DagsterInstance, process: int | None) -> str:
    """Of a run in progress in that process."""
    run = instance.create_run_for_job(dg.job(name="working")(lambda: None))
    if process is not None:
        begun = DagsterEvent(
            DagsterEventType.ENGINE_EVENT.value,
            run.job_name,
            event_specific_data=EngineEventData.in_process(process),
        )
        instance.report_dagster_event(begun, run.run_id)
    found = instance.run_launcher.check_run_worker_health(run)
    return f"{found.status.value} {found.msg or ''}".strip()


def test_a_run_whose_process_is_there_lives(instance: dg.DagsterInstance) -> None:
    assert health(instance, os.getpid()) == "RUNNING"


def test_a_run_that_has_not_told_its_process_yet_lives(instance: dg.DagsterInstance) -> None:
    assert health(instance, None) == "RUNNING"


def test_a_run_whose_process_is_gone_is_lost(instance: dg.DagsterInstance) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert health(instance, ended.pid) == f"NOT_FOUND its process {ended.pid} is gone, killed or crashed"


def test_a_process_number_that_somebody_else_has_now_is_not_the_runs(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert health(instance, 1).startswith("NOT_FOUND")
