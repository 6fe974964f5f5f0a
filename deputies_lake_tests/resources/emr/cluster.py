"""A cluster for the launcher's tests: moto's EMR and S3 on a loopback port, and a process for every step's driver.

What moto lacks is added: steps that end, their cancellation, and why they failed. What the host calls can be made to
fail. There is no Spark and no spark-submit: a driver is what this module says it does.
"""

import os
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock
from urllib.request import Request, urlopen

import boto3
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from dagster_aws.emr import emr_step_main
from moto.core.responses import ActionResult
from moto.emr.models import ElasticMapReduceBackend, Step, emr_backends
from moto.emr.responses import ElasticMapReduceResponse

from deputies_lake.emr import artifact, step_main
from deputies_lake.emr.artifact import Artifact
from deputies_lake.environments import AwsSettings
from deputies_lake_tests.emr.cloud import make_bucket
from deputies_lake_tests.lakehouse.workers import PROCESSES

ACCOUNT_ID = "123456789012"
ACTIVE = {"PENDING", "RUNNING"}

Driver = Callable[[str, str], None]


# What drivers do with the bucket and the key that they are given.


def runs(bucket: str, key: str) -> None:
    step_main.main(bucket, key)


def dies(bucket: str, key: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def runs_and_dies(bucket: str, key: str) -> None:
    runs(bucket, key)
    dies(bucket, key)


def hangs(bucket: str, key: str) -> None:
    time.sleep(60)


def runs_and_hangs(bucket: str, key: str) -> None:
    runs(bucket, key)
    hangs(bucket, key)


def runs_and_lingers(bucket: str, key: str) -> None:
    runs(bucket, key)
    time.sleep(1)


def lacks_a_module(bucket: str, key: str) -> None:
    with mock.patch.object(emr_step_main, "main", side_effect=ModuleNotFoundError("No module named 'duckdb'")):
        runs(bucket, key)


def lost_its_environment(bucket: str, key: str) -> None:
    del os.environ["DEPUTIES_LAKE_ENVIRONMENT"]
    runs(bucket, key)


def _drive(driver: Driver, command: list[str], own: Artifact, given: dict[str, str]) -> None:
    """A driver's process, with the environment that `env` in front of spark-submit makes."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
        os.dup2(nowhere.fileno(), sys.stderr.fileno())
    variables = command[1 : next(i for i, word in enumerate(command) if word.endswith("spark-submit"))]
    os.environ.clear()
    os.environ.update(given, **dict(word.split("=", 1) for word in variables))
    bucket, key, _ = command[-3:]
    with mock.patch.object(artifact, "code_id", return_value=own.code_id):
        driver(bucket, key)


def client_error(code: str, status: int = 400, operation: str = "DescribeStep") -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "as told"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


@dataclass(frozen=True)
class Event:
    """What happens when the host calls AWS, before AWS did as asked or, worse, after."""

    happens: Exception | Callable[[], None]
    after: bool = False

    def __call__(self) -> None:
        if isinstance(self.happens, Exception):
            raise self.happens
        self.happens()


NOTHING = Event(lambda: None)


@dataclass
class Cluster:
    """What tests say to it, and what it saw. `drivers` drive one step each, the last one all others.

    `events` lists, for an operation of AWS, what happens at the host's first call of it, the second, and so on.
    """

    aws: AwsSettings
    own: Artifact
    given: dict[str, str]
    id: str
    drivers: list[Driver] = field(default_factory=lambda: [runs])
    events: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    calls: list[tuple[str, Any]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    provided: list[Artifact] = field(default_factory=list)
    on_provide: list[Event] = field(default_factory=list)
    drivers_ignore_interrupts: bool = False
    _cancelled: set[str] = field(default_factory=set)
    _drivers: dict[str, tuple[Any, threading.Thread]] = field(default_factory=dict)

    def provide(self, artifact: Artifact) -> str:
        if self.on_provide:
            self.on_provide.pop(0)()
        self.provided.append(artifact)
        return self.id

    @property
    def step(self) -> Step:
        """The only one."""
        (step,) = self.steps
        return step

    @property
    def command(self) -> list[str]:
        arguments: list[str] = self.step.args
        return arguments

    @property
    def cancellations(self) -> list[str]:
        return [asked["StepCancellationOption"] for asked in self.asked("CancelSteps")]

    @property
    def keys(self) -> set[str]:
        found = boto3.client("s3").list_objects_v2(Bucket=self.aws.artifacts_bucket)
        return {item["Key"] for item in found.get("Contents", [])}

    def asked(self, operation: str) -> list[Any]:
        return [parameters for called, parameters in self.calls if called == operation]

    def start(self, step: Step) -> None:
        driver = self.drivers.pop(0) if len(self.drivers) > 1 else self.drivers[0]
        process = PROCESSES.Process(target=_drive, args=(driver, list(step.args), self.own, self.given))
        process.start()
        watcher = threading.Thread(target=self._watch, args=(step, process))
        self._drivers[step.id] = (process, watcher)
        step.state = "RUNNING"
        self.steps.append(step)
        watcher.start()

    def _watch(self, step: Step, process: Any) -> None:
        process.join()
        if step.id in self._cancelled:
            step.state = "CANCELLED"
        else:
            step.state = "COMPLETED" if process.exitcode == 0 else "FAILED"

    def cancel(self, step: Step, option: str = "SEND_INTERRUPT") -> None:
        if option == "SEND_INTERRUPT" and self.drivers_ignore_interrupts:
            return
        process, _ = self._drivers[step.id]
        self._cancelled.add(step.id)
        process.kill()

    def go_without_ending_steps(self) -> None:
        cluster = emr_backends[ACCOUNT_ID][self.aws.region].clusters[self.id]
        cluster.state = "TERMINATED_WITH_ERRORS"
        setattr(cluster, "last_state_change_reason", "Spot instances were taken back")  # noqa: B010 - moto has no such

    def close(self) -> None:
        for process, watcher in self._drivers.values():
            process.kill()
            watcher.join()


@contextmanager
def _heard(cluster: Cluster) -> Iterator[None]:
    """Note what the host calls, and let happen what should."""
    call = BaseClient._make_api_call

    def api_call(self: Any, operation: str, parameters: Any) -> Any:
        cluster.calls.append((operation, parameters))
        event = cluster.events[operation].pop(0) if cluster.events[operation] else NOTHING
        if not event.after:
            event()
        answer = call(self, operation, parameters)
        if event.after:
            event()
        return answer

    with mock.patch.object(BaseClient, "_make_api_call", api_call):
        yield


@contextmanager
def _steps_end(cluster: Cluster) -> Iterator[None]:
    """What moto's EMR lacks."""
    add_steps = ElasticMapReduceBackend.add_job_flow_steps

    def add_job_flow_steps(self: Any, *arguments: Any) -> Any:
        steps = add_steps(self, *arguments)
        for step in steps:
            cluster.start(step)
        return steps

    def cancel_steps(self: Any) -> ActionResult:
        for step in cluster.steps:
            if step.id in self._get_param("StepIds"):
                cluster.cancel(step, self._get_param("StepCancellationOption"))
        return ActionResult({"CancelStepsInfoList": []})

    def status(self: Step) -> dict[str, Any]:
        reason = {"Message": "Job terminated"} if self.state == "CANCELLED" else {}
        details = {"Reason": "Unknown Error.", "LogFile": "s3://logs/stderr.gz"} if self.state == "FAILED" else {}
        return {"State": self.state, "StateChangeReason": reason, "FailureDetails": details, "Timeline": {}}

    with (
        mock.patch.object(ElasticMapReduceBackend, "add_job_flow_steps", add_job_flow_steps),
        mock.patch.object(ElasticMapReduceResponse, "cancel_steps", cancel_steps, create=True),
        mock.patch.object(Step, "status", property(status)),
    ):
        yield


@contextmanager
def running(aws: AwsSettings, own: Artifact, endpoint: str) -> Iterator[Cluster]:
    """A cluster in an AWS of its own, behind `endpoint`, which the variables of this process name meanwhile."""
    urlopen(Request(f"{endpoint}/moto-api/reset", method="POST")).close()
    keys = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    with mock.patch.dict(os.environ, keys):
        boto3.setup_default_session(region_name=aws.region)
        for bucket in (aws.artifacts_bucket, aws.logs_bucket):
            make_bucket(bucket, aws.region)
        instances = {"KeepJobFlowAliveWhenNoSteps": True}
        made = boto3.client("emr").run_job_flow(
            Name="a cluster", LogUri=f"s3n://{aws.logs_bucket}/emr/", Instances=instances
        )
        cluster = Cluster(aws, own, keys, made["JobFlowId"])
        with _steps_end(cluster), _heard(cluster):
            try:
                yield cluster
            finally:
                cluster.close()
                boto3.setup_default_session()
