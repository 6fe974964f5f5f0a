"""The weekly clean-up of tables, as Dagster runs it."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from deputies_lake import maintenance
from deputies_lake.automation.maintenance import maintain_tables, maintenance_definitions
from deputies_lake.environments import HOME, load_settings
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.resources.lake import LakeResource
from deputies_lake.resources.settings import SettingsResource
from deputies_lake.star import fct_expenses
from deputies_lake_tests.test_history import YEAR, commit, receipt

ACCOUNT = {"DEPUTIES_LAKE_ACCOUNT": "123456789012"}


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """With a published version, and a file that nobody published."""
    monkeypatch.setenv(HOME, str(tmp_path))
    monkeypatch.setattr(maintenance, "LEFTOVER_AGE", timedelta(0))
    lake = LakeResource.of(load_settings("local")).open()
    commit(lake, fct_expenses.TABLE, [receipt(1, "a", "10")], [YEAR])
    lake.stage_rows(fct_expenses.TABLE, lambda: [receipt(2, "b", "20")], "killed", years=[YEAR])
    return lake


def run(run_config: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """What the run says of what it did."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = maintain_tables.execute_in_process(
            instance=instance,
            run_config=run_config,
            resources={
                "lake": LakeResource.of(load_settings("local")),
                "settings": SettingsResource(environment="local"),
                "pyspark_step_launcher": dg.ResourceDefinition.none_resource(),
            },
        )
    (output,) = [event.step_output_data for event in result.all_events if event.is_successful_output]
    return output.metadata


def schedule_of(environment: str) -> dg.ScheduleDefinition:
    (schedule,) = maintenance_definitions(load_settings(environment, ACCOUNT)).schedules or ()
    assert isinstance(schedule, dg.ScheduleDefinition)
    return schedule


def files(root: Path) -> int:
    return len([*root.rglob("*.parquet")])


def test_unless_told_otherwise_it_removes_nothing_and_says_what_it_would(lake: Lake, tmp_path: Path) -> None:
    said = run()
    assert [said[key].value for key in ("versions", "files", "dry_run")] == [0, 1, True]
    assert files(tmp_path) == 2


def test_the_schedules_run_removes_it_and_says_so_table_by_table(lake: Lake, tmp_path: Path) -> None:
    ticked = schedule_of("prod").evaluate_tick(dg.build_schedule_context())
    assert ticked.run_requests
    said = run(ticked.run_requests[0].run_config)
    assert files(tmp_path) == 1
    (record,) = said["tables"].records
    assert {name: record.data[name] for name in ("table", "versions kept", "versions expired", "files removed")} == {
        "table": "star.fct_expenses",
        "versions kept": 1,
        "versions expired": 0,
        "files removed": 1,
    }
    assert said["bytes"].value == record.data["bytes removed"] > 0


@pytest.mark.parametrize(("environment", "status"), [("local", "STOPPED"), ("staging", "STOPPED"), ("prod", "RUNNING")])
def test_it_is_weekly_and_by_itself_in_prod(environment: str, status: str) -> None:
    schedule = schedule_of(environment)
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 10 * * 0", "America/Sao_Paulo")
    assert (schedule.default_status.value, schedule.job_name) == (status, "maintain_tables")


def test_on_aws_it_runs_where_tables_may_be_changed() -> None:
    (node,) = maintain_tables.nodes
    assert isinstance(node.definition, dg.OpDefinition)
    assert "pyspark_step_launcher" in node.definition.required_resource_keys
