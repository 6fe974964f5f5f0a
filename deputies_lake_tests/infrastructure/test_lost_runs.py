"""What a deployment does about runs whose processes were killed: each is found, ended, repeated, and blocks nothing."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import dagster as dg
import pytest

from deputies_lake_tests.infrastructure.deployment import INSTANCE, Containers, deployed

# One slot instead of four, so that one run that keeps it is enough to stop all others; and nobody waits for minutes.
SHORTER = {
    "default_limit: 4": "default_limit: 1",
    "poll_interval_seconds: 60": "poll_interval_seconds: 1",
    "free_slots_after_run_end_seconds: 60": "free_slots_after_run_end_seconds: 1",
}


def shortened(text: str) -> str:
    for deployed_, tested in SHORTER.items():
        assert deployed_ in text
        text = text.replace(deployed_, tested)
    return text


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    with deployed(tmp_path_factory.mktemp("deployment"), shortened(INSTANCE)) as variables:
        yield variables


def kill_run(_: Containers, process: int) -> None:
    os.kill(process, signal.SIGKILL)


def restart_code_container(containers: Containers, _: int) -> None:
    containers.kill("code")
    containers.start("code")


@pytest.mark.parametrize("kill", [kill_run, restart_code_container])
def test_a_run_that_was_killed_is_repeated_and_gets_its_slot(
    kill: Callable[[Containers, int], None], deployment: Mapping[str, str], tmp_path: Path
) -> None:
    held, logs = tmp_path / "held", tmp_path / "logs"
    held.mkdir()
    logs.mkdir()
    module = "deputies_lake_tests.infrastructure.held_slots"

    def holder(count: int) -> str | None:
        """The run that holds the slot, once so many have."""
        runs = sorted(held.iterdir(), key=lambda run: run.stat().st_mtime)
        return runs[-1].name if len(runs) == count else None

    with (
        Containers({**deployment, "HELD_IN": str(held)}, logs, module) as containers,
        dg.DagsterInstance.get() as dagster,
    ):
        for service in ("code", "daemon"):
            containers.start(service)
        lost = containers.wait_for(lambda: holder(1))
        kill(containers, int((held / lost).read_text(encoding="utf-8")))
        repeated = containers.wait_for(lambda: holder(2))
        (held / "let go").touch()
        ended = containers.wait_for(
            lambda: run if (run := dagster.get_run_by_id(repeated)) and run.is_finished else None
        )
        found = dagster.get_run_by_id(lost)
    assert found is not None
    assert (found.status, ended.status) == (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS)
    assert ended.parent_run_id == lost
