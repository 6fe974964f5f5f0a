"""EMR's side of a launched step: submitted once, watched, cancelled, and asked what became of it."""

import contextlib
import gzip
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from logging import Logger
from typing import Any, Final
from urllib.parse import urlparse

import dagster as dg
from botocore.exceptions import ClientError
from dagster_aws.emr import EmrError

from deputies_lake.aws import client
from deputies_lake.environments import AwsSettings
from deputies_lake.resources.emr.patience import AWS_ERRORS, Patience

COMPLETED: Final = "COMPLETED"

_LOST: Final = "LOST"
_ENDED: Final = {COMPLETED, "FAILED", "CANCELLED", "INTERRUPTED", _LOST}
_CLUSTER_ENDED: Final = {"TERMINATED", "TERMINATED_WITH_ERRORS"}
_CLUSTER_CLOSED: Final = {"TERMINATING", *_CLUSTER_ENDED}
_INVALID: Final = {"ValidationException", "InvalidRequestException"}

_TAIL_LINES: Final = 40
_POLLS_PER_LOOK_AT_CLUSTER: Final = 4

# A driver gets time to end its JVM and its containers before it is killed.
_CANCELLATIONS: Final = (("SEND_INTERRUPT", 60.0), ("TERMINATE_PROCESS", 30.0))
_CANCEL_PATIENCE_SECONDS: Final = 60.0
_CANCEL_POLL_SECONDS: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class StepStatus:
    """What EMR says of a step. `why` is empty unless it failed."""

    state: str
    why: str = ""

    @property
    def ended(self) -> bool:
        return self.state in _ENDED

    def __str__(self) -> str:
        return f"{self.state}. {self.why}".strip()


@dataclass(kw_only=True)
class EmrStep:
    """A step that was submitted. Methods raise as `Patience` does."""

    aws: AwsSettings
    patience: Patience
    log: Logger
    cluster_id: str
    step_id: str
    _last: StepStatus | None = field(default=None, init=False)
    _polls: int = field(default=0, init=False)

    def __str__(self) -> str:
        return f"EMR step {self.step_id} on cluster {self.cluster_id}"

    def status(self) -> StepStatus:
        """How it is now. A change of state is logged."""
        status = self.patience.call(f"asking for {self}", self._status)
        self._polls += 1
        # EMR ends the steps of a cluster that ends. Should it fail to, a run would wait forever.
        if not status.ended and self._polls % _POLLS_PER_LOOK_AT_CLUSTER == 0:
            status = self._unless_lost(status)
        if self._last is None or status.state != self._last.state:
            self.log.info(f"{self} is {status}")
        self._last = status
        return status

    def _status(self) -> StepStatus:
        found = client("emr", self.aws).describe_step(ClusterId=self.cluster_id, StepId=self.step_id)
        status = found["Step"]["Status"]
        why = [*_parts("Reason", status.get("StateChangeReason")), *_parts("Failure", status.get("FailureDetails"))]
        return StepStatus(state=status["State"], why=" ".join(why))

    def _unless_lost(self, status: StepStatus) -> StepStatus:
        cluster = self.patience.call(f"asking for cluster {self.cluster_id}", partial(_cluster, self))
        if cluster["Status"]["State"] not in _CLUSTER_ENDED:
            return status
        # The step may have ended between the two questions.
        status = self.patience.call(f"asking for {self}", self._status)
        return status if status.ended else StepStatus(state=_LOST)

    def cancel(self) -> None:
        """See to it that it ends: ask the driver, then kill it. Raises nothing; logs what could not be done."""
        patience = Patience(_CANCEL_PATIENCE_SECONDS, self.log, pause=time.sleep)
        try:
            for option, seconds in _CANCELLATIONS:
                if self._ends_within(0.0, patience):
                    return
                self.log.warning(f"{self} is cancelled: {option}")
                patience.call(f"cancelling {self}", partial(self._cancel, option))
                if self._ends_within(seconds, patience):
                    return
            problem = "it does not end"
        except (EmrError, dg.Failure) as error:
            problem = str(error)
        self.log.error(
            f"{self} may still be running: {problem}. Look at it, and end it: aws emr cancel-steps "
            f"--region {self.aws.region} --cluster-id {self.cluster_id} --step-ids {self.step_id} "
            "--step-cancellation-option TERMINATE_PROCESS"
        )

    def _cancel(self, option: str) -> None:
        client("emr", self.aws).cancel_steps(
            ClusterId=self.cluster_id, StepIds=[self.step_id], StepCancellationOption=option
        )

    def _ends_within(self, seconds: float, patience: Patience) -> bool:
        end = time.monotonic() + seconds
        while not patience.call(f"asking for {self}", self._status).ended:
            if time.monotonic() >= end:
                return False
            time.sleep(min(self.aws.poll_seconds, _CANCEL_POLL_SECONDS))
        return True

    def last_words(self) -> str:
        """What is left of a step that failed: why its cluster ended, if it did, and the end of the driver's stderr.

        Raises nothing: what can't be had is said instead.
        """
        try:
            cluster = _cluster(self)
            return "\n".join(filter(None, (_end_of(cluster), self._stderr(cluster.get("LogUri")))))
        except AWS_ERRORS as error:
            return f"Its logs can't be found: {error}"

    def _stderr(self, log_uri: str | None) -> str:
        """EMR takes minutes to put it there."""
        if not log_uri:
            return "The cluster keeps no logs."
        # EMR says s3n:// where it was told s3://.
        place = urlparse(log_uri)
        key = "/".join(filter(None, (place.path.strip("/"), self.cluster_id, "steps", self.step_id, "stderr.gz")))
        with contextlib.suppress(*AWS_ERRORS, OSError, EOFError):
            body = client("s3", self.aws).get_object(Bucket=place.netloc, Key=key)["Body"].read()
            lines = gzip.decompress(body).decode(errors="replace").splitlines()
            return "\n".join(["Last lines of its stderr:", *lines[-_TAIL_LINES:]])
        return f"Its stderr will be in s3://{place.netloc}/{key} in a few minutes."


def submit(
    aws: AwsSettings, patience: Patience, log: Logger, *, cluster_id: str, name: str, command: Sequence[str]
) -> EmrStep:
    """Make EMR run a command, once. `name` must be unique: by it a step is found whose submission seemed to fail.

    Raises as `Patience` does, and `EmrError` for a cluster that ended meanwhile; then no step is left.
    """
    definition = {
        "Name": name,
        # Anything else would cancel the other steps of the cluster.
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": list(command)},
    }
    maybe_submitted = False

    def once() -> str:
        nonlocal maybe_submitted
        if maybe_submitted and (found := _find(aws, cluster_id, name)):
            return found
        maybe_submitted = True
        return _add(aws, cluster_id, definition)

    try:
        step_id = patience.call(f"submitting a step to cluster {cluster_id}", once)
    except BaseException:
        if maybe_submitted:
            _cancel_by_name(aws, log, cluster_id, name)
        raise
    return EmrStep(aws=aws, patience=patience, log=log, cluster_id=cluster_id, step_id=step_id)


def _cancel_by_name(aws: AwsSettings, log: Logger, cluster_id: str, name: str) -> None:
    patience = Patience(_CANCEL_PATIENCE_SECONDS, log, pause=time.sleep)
    try:
        step_id = patience.call(f"looking for a step on cluster {cluster_id}", partial(_find, aws, cluster_id, name))
    except (EmrError, dg.Failure) as error:
        where = f"aws emr list-steps --region {aws.region} --cluster-id {cluster_id}"
        log.error(f"{error} If the step {name!r} is there, it will run for nobody. Look: {where}")
        return
    if step_id:
        EmrStep(aws=aws, patience=patience, log=log, cluster_id=cluster_id, step_id=step_id).cancel()


def _add(aws: AwsSettings, cluster_id: str, definition: Any) -> str:
    # EMR takes the same request twice for two steps.
    emr = client("emr", aws, attempts=1)
    try:
        step_id: str = emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=[definition])["StepIds"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] in _INVALID:
            state = client("emr", aws).describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"]
            if state in _CLUSTER_CLOSED:
                raise EmrError(f"cluster {cluster_id} is {state}: it ended before it got the step") from error
        raise
    return step_id


def _find(aws: AwsSettings, cluster_id: str, name: str) -> str | None:
    pages = client("emr", aws).get_paginator("list_steps").paginate(ClusterId=cluster_id)
    return next((step["Id"] for page in pages for step in page["Steps"] if step["Name"] == name), None)


def _cluster(step: EmrStep) -> Any:
    return client("emr", step.aws).describe_cluster(ClusterId=step.cluster_id)["Cluster"]


def _end_of(cluster: Any) -> str:
    """Why a cluster is no more; empty while it is."""
    status = cluster["Status"]
    if status["State"] not in _CLUSTER_CLOSED:
        return ""
    return " ".join([f"The cluster is {status['State']}.", *_parts("Reason", status.get("StateChangeReason"))])


def _parts(title: str, details: dict[str, str] | None) -> list[str]:
    """What EMR says in a field of several parts, as one sentence."""
    said = [f"{name}={text}" for name, text in (details or {}).items() if text]
    return [f"{title}: {', '.join(said)}."] if said else []
