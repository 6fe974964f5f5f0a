"""What Dagster's freshness daemon says of the deadline: of marts, and of what stands for the day's figures."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import create_test_daemon_workspace_context, freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.freshness import FreshnessDaemon

from deputies_lake.assets import key_of
from deputies_lake.automation.freshness import POLICY
from deputies_lake.definitions import defs
from deputies_lake.quota_years import TIMEZONE
from deputies_lake.serving import mart_months, mart_states
from deputies_lake.serving.assets import TODAYS_FIGURES

# Dagster's own, when it describes a schedule to a daemon.
pytestmark = pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`:DeprecationWarning")

MART = key_of(mart_months.TABLE)
TODAY = TODAYS_FIGURES.key


@dataclass
class Daemon:
    """The freshness daemon, run by hand on the project's own definitions, by a clock in Brasília of November 2026."""

    instance: dg.DagsterInstance
    workspace: WorkspaceProcessContext

    def made(self, key: dg.AssetKey, day: int, hour: int, minute: int, year: str | None = None) -> None:
        with self.at(day, hour, minute):
            self.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=year))

    def state(self, key: dg.AssetKey, day: int, hour: int, minute: int) -> str:
        with self.at(day, hour, minute):
            list(FreshnessDaemon().run_iteration(self.workspace))
        return self.instance.get_freshness_state_records([key])[key].freshness_state.value

    def at(self, day: int, hour: int, minute: int) -> AbstractContextManager[None]:
        return freeze_time(datetime(2026, 11, day, hour, minute, tzinfo=ZoneInfo(TIMEZONE)))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceProcessContext]:
    origin = InProcessCodeLocationOrigin(
        loadable_target_origin=LoadableTargetOrigin(module_name="deputies_lake.definitions"),
        location_name="deputies_lake",
    )
    with (
        dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as instance,
        create_test_daemon_workspace_context(InProcessWorkspaceLoadTarget(origin), instance) as workspace,
    ):
        yield workspace


@pytest.fixture
def daemon(workspace: WorkspaceProcessContext) -> Daemon:
    """Of an instance that others have used: each test begins with what was made last."""
    return Daemon(workspace.instance, workspace)


def test_figures_of_the_morning_are_in_time_until_the_next_deadline(daemon: Daemon) -> None:
    daemon.made(TODAY, 23, 6, 40)
    assert [daemon.state(TODAY, *moment) for moment in [(23, 6, 59), (23, 7, 0), (24, 6, 59), (24, 7, 0)]] == [
        "PASS",
        "PASS",
        "PASS",
        "FAIL",
    ]


def test_figures_that_come_late_are_late_until_then(daemon: Daemon) -> None:
    daemon.made(TODAY, 22, 6, 0)
    assert daemon.state(TODAY, 23, 7, 0) == "FAIL"
    daemon.made(TODAY, 23, 8, 30)
    assert daemon.state(TODAY, 23, 8, 31) == "PASS"


def test_what_was_made_the_evening_before_is_not_of_the_day(daemon: Daemon) -> None:
    daemon.made(TODAY, 22, 23, 59)
    assert daemon.state(TODAY, 23, 7, 0) == "FAIL"


def test_what_was_never_made_is_not_late(daemon: Daemon) -> None:
    assert daemon.state(key_of(mart_states.TABLE), 23, 7, 0) == "UNKNOWN"


def test_a_mart_is_late_where_nothing_was_made_but_not_late_for_any_year_that_was(daemon: Daemon) -> None:
    daemon.made(MART, 22, 6, 0, "2026")
    assert daemon.state(MART, 23, 7, 0) == "FAIL"
    daemon.made(MART, 23, 7, 1, "2010")
    assert daemon.state(MART, 23, 7, 2) == "PASS"


def test_a_backfill_of_old_years_does_not_make_the_day_look_ready(daemon: Daemon) -> None:
    daemon.made(TODAY, 22, 6, 0)
    daemon.made(MART, 23, 6, 50, "2010")
    assert daemon.state(TODAY, 23, 7, 0) == "FAIL"


def test_all_that_readers_get_has_the_deadline_and_nothing_else_has() -> None:
    nodes = defs.resolve_asset_graph().asset_nodes
    assert {node.key for node in nodes if node.freshness_policy == POLICY} == {
        node.key for node in nodes if node.group_name == "serving"
    }
    assert all(node.freshness_policy is None for node in nodes if node.group_name != "serving")
