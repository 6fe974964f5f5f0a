"""The hourly end of idle clusters, as Dagster runs it."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest

from deputies_lake.automation.clusters import cluster_definitions, terminate_idle_clusters
from deputies_lake.environments import Environment, load_settings
from deputies_lake.resources.settings import SettingsResource
from deputies_lake_tests.emr.cloud import VARIABLES, Cloud, cloud, cloud_endpoint

__all__ = ["cloud", "cloud_endpoint"]


@dataclass
class Account:
    """An idle and a busy cluster of staging, an idle one of prod, and another team's."""

    cloud: Cloud
    idle: str
    busy: str
    of_prod: str
    others: str


@pytest.fixture
def account(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Account:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return Account(
        cloud=cloud,
        idle=cloud.add(),
        busy=cloud.add(state="RUNNING", steps=("RUNNING",)),
        of_prod=cloud.add(environment="prod"),
        others=cloud.add(tags={"project": "another"}),
    )


@dataclass
class Ran:
    metadata: Mapping[str, Any]
    messages: list[str]

    @property
    def table(self) -> dict[Any, Any]:
        return {record.data["cluster"]: (record.data["outcome"], record.data["why"]) for record in self._records}

    @property
    def _records(self) -> Any:
        return self.metadata["clusters"].records


def run(environment: str = "staging", run_config: Mapping[str, Any] | None = None) -> Ran:
    with dg.DagsterInstance.ephemeral() as instance:
        result = terminate_idle_clusters.execute_in_process(
            instance=instance,
            run_config=run_config,
            resources={"settings": SettingsResource(environment=environment)},
        )
        (output,) = [event.step_output_data for event in result.all_events if event.is_successful_output]
        messages = [entry.user_message for entry in instance.all_logs(result.run_id)]
    return Ran(output.metadata, messages)


def scheduled(environment: str) -> Mapping[str, Any]:
    """The configuration of the schedule's runs."""
    (schedule,) = cluster_definitions(load_settings(environment, VARIABLES)).schedules or ()
    assert isinstance(schedule, dg.ScheduleDefinition)
    ticked = schedule.evaluate_tick(dg.build_schedule_context())
    assert ticked.run_requests
    return ticked.run_requests[0].run_config


WHY = "it has been idle for 100 min"


def test_unless_told_otherwise_it_ends_none_and_says_which_it_would(account: Account) -> None:
    ran = run()
    assert account.cloud.ended() == set()
    assert ran.table == {account.idle: ("would be ended", WHY), account.busy: ("stays", "it is RUNNING")}
    assert [ran.metadata[key].value for key in ("ended", "dry_run")] == [0, True]


def test_prods_schedule_ends_those_of_prod_and_no_others(account: Account) -> None:
    ran = run("prod", scheduled("prod"))
    assert account.cloud.ended() == {account.of_prod}
    assert ran.table == {account.of_prod: ("is ended", WHY)}
    assert [ran.metadata[key].value for key in ("ended", "dry_run")] == [1, False]


def test_elsewhere_the_schedule_ends_none(account: Account) -> None:
    run("staging", scheduled("staging"))
    assert account.cloud.ended() == set()


def test_each_is_logged_with_the_reason(account: Account) -> None:
    messages = run().messages
    assert f"{account.idle} would be ended: {WHY}" in messages
    assert f"{account.busy} stays: it is RUNNING" in messages


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_it_is_hourly_and_on_from_the_start(environment: str) -> None:
    (schedule,) = cluster_definitions(load_settings(environment, VARIABLES)).schedules or ()
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert (schedule.cron_schedule, schedule.default_status) == ("17 * * * *", dg.DefaultScheduleStatus.RUNNING)
    assert schedule.job_name == "terminate_idle_clusters"


def test_a_laptop_has_neither() -> None:
    found = cluster_definitions(load_settings(Environment.LOCAL, {}))
    assert (list(found.jobs or ()), list(found.schedules or ())) == ([], [])


def test_it_needs_the_settings_and_no_step_launcher() -> None:
    (node,) = terminate_idle_clusters.nodes
    assert isinstance(node.definition, dg.OpDefinition)
    assert node.definition.required_resource_keys == {"settings"}


def test_its_definitions_need_no_boto3() -> None:
    code = (
        "import sys; sys.modules['boto3'] = sys.modules['botocore'] = None\n"
        "from deputies_lake.environments import load_settings\n"
        "from deputies_lake.automation.clusters import cluster_definitions\n"
        "cluster_definitions(load_settings('prod', {}))"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
