"""An AWS on a loopback port whose clusters stay as a test puts them: the emulator's EMR, without machines.

`cloud` is a fixture for the modules that import it, with `cloud_endpoint`.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import moto.emr.models
import moto.emr.urls
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_api._internal.models import moto_api_backend
from moto.s3.models import s3_backends
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer

from deputies_lake.aws import client
from deputies_lake.emr.artifact import Artifact
from deputies_lake.emr.cluster_request import request
from deputies_lake.environments import ACCOUNT, POLL_SECONDS, AwsSettings, Settings, load_settings
from deputies_lake_tests.aws import emr

VARIABLES = {ACCOUNT: "123456789012", POLL_SECONDS: "0.1", "AWS_REGION": "sa-east-1"}
OWN = Artifact(code_id="0123456789ab", environment_id="abcdef0123456789")


class Cloud:
    """The account, as staging's settings see it."""

    def __init__(self) -> None:
        self.settings = load_settings("staging", VARIABLES)
        self.aws = aws_of(self.settings)

    def reset(self) -> None:
        """What `infra up` leaves, and no cluster."""
        moto_api_backend.reset()
        make_bucket(self.aws.artifacts_bucket, self.aws.region)
        for aws in (self.aws, aws_of(load_settings("prod", VARIABLES))):
            self.client("iam").create_instance_profile(InstanceProfileName=aws.emr_instance_profile)
            self.client("emr").create_security_configuration(Name=aws.stack, SecurityConfiguration="{}")

    def client(self, service: str) -> Any:
        return client(service, self.aws)

    def add(
        self,
        *,
        state: str = "WAITING",
        hours: float = 3,
        idle_minutes: float = 100,
        name: str | None = None,
        artifact: Artifact = OWN,
        environment: str = "staging",
        expires_in: timedelta = timedelta(hours=9),
        tags: Mapping[str, str | None] | None = None,
        steps: tuple[str, ...] = (),
    ) -> str:
        """A cluster that began `hours` ago, ready or done with its last step `idle_minutes` ago.

        `tags` replace those that it would have; None takes one away.
        """
        now = datetime.now(UTC)
        aws = aws_of(load_settings(environment, VARIABLES))
        lifetime = timedelta(hours=aws.cluster.lifetime_hours)
        wanted = request(aws, artifact, now - lifetime + expires_in)
        changed = {**{tag["Key"]: tag["Value"] for tag in wanted["Tags"]}, **(tags or {})}
        wanted["Tags"] = [{"Key": key, "Value": value} for key, value in changed.items() if value is not None]
        wanted["Name"] = name or aws.stack
        cluster_id: str = self.client("emr").run_job_flow(**wanted)["JobFlowId"]
        cluster = self.cluster(cluster_id)
        naive = now.replace(tzinfo=None)
        cluster.creation_datetime = naive - timedelta(hours=hours)
        cluster.ready_datetime = naive - timedelta(minutes=idle_minutes)
        cluster.state = state
        for step_state in steps:
            self.add_step(cluster_id, step_state, ended_minutes_ago=idle_minutes)
        return cluster_id

    def add_step(self, cluster_id: str, state: str, *, ended_minutes_ago: float = 0) -> None:
        step = emr.Step(state=state, name="a step", action_on_failure="CONTINUE")
        if state not in emr.ACTIVE_STEP:
            step.end(state)
            ended = datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=ended_minutes_ago)
            step.end_date_time = ended  # type: ignore[assignment] # in moto none ever ends
        self.cluster(cluster_id).steps.append(step)

    def cluster(self, cluster_id: str) -> emr.Cluster:
        return next(cluster for cluster in emr.all_clusters() if cluster.id == cluster_id)

    def ids(self) -> list[str]:
        return [cluster.id for cluster in emr.all_clusters()]

    def ended(self) -> set[str]:
        return {cluster.id for cluster in emr.all_clusters() if cluster.is_ending}

    def leases(self) -> list[str]:
        found = self.client("s3").list_objects_v2(Bucket=self.aws.artifacts_bucket, Prefix="clusters/")
        return [entry["Key"] for entry in found.get("Contents", [])]


def make_bucket(name: str, region: str) -> None:
    """In moto itself: a request that a busy machine answers late is repeated, and refused, for the bucket is there."""
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(name, region)


def aws_of(settings: Settings) -> AwsSettings:
    assert settings.aws
    return settings.aws


@contextmanager
def running_cloud() -> Iterator[str]:
    """Serve; gives the endpoint."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(moto.emr.models, "Cluster", emr.Cluster))
        stack.enter_context(mock.patch.dict(moto.emr.urls.url_paths, {"{0}/$": emr.Emr.dispatch}))
        stack.enter_context(atomic_conditions())
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        stack.callback(server.stop)
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"


@contextmanager
def atomic_conditions() -> Iterator[None]:
    """In S3 no write comes between another's condition and its effect; moto's threads leave room for one."""
    lock, put, delete = threading.Lock(), S3Response.put_object, S3Response.delete_object

    def locked(method: Any) -> Any:
        def call(response: S3Response, *arguments: Any, **named: Any) -> Any:
            with lock:
                return method(response, *arguments, **named)

        return call

    with (
        mock.patch.object(S3Response, "put_object", locked(put)),
        mock.patch.object(S3Response, "delete_object", locked(delete)),
    ):
        yield


@contextmanager
def all_look_first(count: int) -> Iterator[None]:
    """The first `count` who ask which clusters there are all get the answer before any goes on."""
    barrier, waiting, list_clusters = threading.Barrier(count), list(range(count)), emr.Emr.call_action

    def call_action(response: emr.Emr) -> Any:
        answer = list_clusters(response)
        if response._get_action() == "ListClusters" and waiting:
            waiting.pop()
            barrier.wait(30)
        return answer

    with mock.patch.object(emr.Emr, "call_action", call_action):
        yield


# Not for longer than a module: while it serves, moto's EMR is this one for whoever else is in the process.
@pytest.fixture(scope="module")
def cloud_endpoint() -> Iterator[str]:
    with running_cloud() as endpoint:
        yield endpoint


@pytest.fixture
def cloud(cloud_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """An account with what `infra up` leaves in it, and no cluster."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud_endpoint)
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "testing")
    cloud = Cloud()
    cloud.reset()
    return cloud
