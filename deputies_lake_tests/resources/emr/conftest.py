import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import PurePath
from typing import Any

import dagster as dg
import pytest
from moto.server import ThreadedMotoServer

from deputies_lake.emr.artifact import Artifact
from deputies_lake.environments import ACCOUNT, REGION, Settings, load_settings
from deputies_lake.resources.emr import patience
from deputies_lake.resources.emr.launcher import EmrStepLauncher
from deputies_lake_tests.resources.emr import assets
from deputies_lake_tests.resources.emr.cluster import ACCOUNT_ID, Cluster, running

Run = Callable[..., "Ran"]


class Ran:
    """A run that is over, and what its instance knows of it."""

    def __init__(self, result: dg.JobExecutionResult, instance: dg.DagsterInstance) -> None:
        self.result, self.instance = result, instance
        self.success = result.success

    def events(self, kind: dg.DagsterEventType) -> list[Any]:
        found = self.instance.all_logs(self.result.run_id, of_type=kind)
        return [entry.dagster_event for entry in found]

    def types(self, step: str) -> list[str]:
        """What happened to a step, in order."""
        entries = self.instance.all_logs(self.result.run_id)
        return [e.dagster_event.event_type_value for e in entries if e.dagster_event and e.step_key == step]

    @property
    def messages(self) -> list[str]:
        return [entry.message for entry in self.instance.all_logs(self.result.run_id)]

    @property
    def failure(self) -> str:
        """Why the step failed: the whole chain of errors."""
        (event,) = self.events(dg.DagsterEventType.STEP_FAILURE)
        error, texts = event.event_specific_data.error, []
        while error:
            texts.append(error.message)
            error = error.cause
        return "\n".join(texts)


@pytest.fixture(scope="session")
def settings() -> Settings:
    """moto's EMR is in us-east-1, whatever it is asked."""
    settings = load_settings("staging", {ACCOUNT: ACCOUNT_ID, REGION: "us-east-1"})
    assert settings.aws
    return replace(settings, aws=replace(settings.aws, poll_seconds=0.05))


@pytest.fixture(scope="session")
def own() -> Artifact:
    """The artifact of both sides."""
    return Artifact(code_id="0123456789ab", environment_id=PurePath(sys.prefix).name)


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """An empty AWS on a loopback port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def cluster(settings: Settings, own: Artifact, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    assert settings.aws
    monkeypatch.setattr(patience, "_FIRST_PAUSE", 0.01)
    with running(settings.aws, own, endpoint) as cluster:
        yield cluster


@pytest.fixture
def launcher(settings: Settings, cluster: Cluster, own: Artifact) -> Iterator[EmrStepLauncher]:
    launcher = EmrStepLauncher(settings, clusters=cluster, deployed=lambda: own)
    assets.use(launcher)
    yield launcher
    assets.use(None)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def run_job(instance: dg.DagsterInstance, *names: str, tags: dict[str, str] | None = None, retries: bool = True) -> Ran:
    """Materialize assets by name, through the launcher in use if there is one."""
    result = dg.execute_job(
        dg.reconstructable(assets.job),
        instance,
        asset_selection=[dg.AssetKey(name) for name in names],
        tags=tags,
        run_config=None if retries else {"execution": {"config": {"retries": {"disabled": {}}}}},
    )
    return Ran(result, instance)


@pytest.fixture
def run(instance: dg.DagsterInstance, launcher: EmrStepLauncher) -> Run:
    """`run_job` through the launcher, on the instance."""
    return partial(run_job, instance)
