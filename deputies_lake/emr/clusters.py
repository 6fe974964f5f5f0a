"""The clusters of an environment: found, started, looked at and ended.

A cluster is ours if it carries this project's and this environment's tags; no other is ever used or ended, whatever
its name. What a new one is made of is in `cluster_request.py`, that only one is started in `lease.py`, when one is idle
enough to be ended in `idle.py`.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from deputies_lake.aws import AwsError, client, require_account
from deputies_lake.emr.artifact import Artifact
from deputies_lake.emr.cluster_request import ENVIRONMENT_ID, EXPIRY, request
from deputies_lake.emr.lease import Lease
from deputies_lake.environments import MAX_UNITS, SUBNETS, AwsSettings, Settings

WAITING: Final = "WAITING"

_READY: Final = (WAITING, "RUNNING")
_ALIVE: Final = ("STARTING", "BOOTSTRAPPING", *_READY)
_ENDED: Final = ("TERMINATED", "TERMINATED_WITH_ERRORS")
_PENDING: Final = "PENDING"
_ACTIVE: Final = (_PENDING, "RUNNING", "CANCEL_PENDING")
_INVALID: Final = ("ValidationException", "InvalidRequestException")

_RECENTLY: Final = timedelta(days=7)
_MOST_IN_A_CALL: Final = 10
_LONGEST_PAUSE_SECONDS: Final = 5.0
# Lists of EMR may lag behind what it was told.
_UNTIL_LISTED_SECONDS: Final = 30.0


class ClusterError(AwsError):
    """There is no cluster, and none can be had, or it is not ours. Says why, and what to type."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A cluster of ours, as EMR describes it. `reason` is why it is in its state, if EMR says so. EMR ends no cluster
    that someone made `is_protected`."""

    id: str
    state: str
    reason: str
    tags: Mapping[str, str]
    created: datetime
    ready: datetime | None
    ended: datetime | None = None
    is_protected: bool = False

    @property
    def expiry(self) -> datetime | None:
        """From then on it gets no more work. None where its tag says nothing that can be read."""
        try:
            expiry = datetime.fromisoformat(self.tags.get(EXPIRY, ""))
        except ValueError:
            return None
        return expiry.astimezone(UTC) if expiry.tzinfo else expiry.replace(tzinfo=UTC)

    @property
    def is_ready(self) -> bool:
        return self.state in _READY

    @property
    def is_alive(self) -> bool:
        return self.state in _ALIVE

    @property
    def has_ended(self) -> bool:
        return self.state in _ENDED


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What a cluster does: steps that run, steps that wait, and since when it has had none of either."""

    running: int
    pending: int
    idle_since: datetime | None

    @property
    def active(self) -> int:
        return self.running + self.pending


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """The units that a cluster has now, besides those of its primary machine."""

    on_demand: int
    spot: int


class Clusters:
    """The clusters of the environment of `settings`. Making it calls nothing.

    Methods let botocore's errors pass. Those that change something raise `AccountError` for credentials of another
    account. `report` is told, line by line, what is happening.
    """

    def __init__(self, settings: Settings, report: Callable[[str], None] = lambda _: None) -> None:
        """Raises `ClusterError` for an environment that is not in AWS."""
        if settings.aws is None:
            raise ClusterError(f"the {settings.environment} lake has no clusters. Name an environment: --env staging")
        self.aws: AwsSettings = settings.aws
        self._report = report
        self._pause = min(_LONGEST_PAUSE_SECONDS, self.aws.poll_seconds)

    # Finding and starting

    def provide(self, artifact: Artifact, /) -> str:
        """The id of a cluster that runs the artifact's environment, started if there is none.

        It takes steps, but may not have begun to run them. Of those who ask at once, one starts it and all get it.
        Raises `ClusterError` where EMR refuses to start it.
        """
        lease = Lease(self.aws, f"clusters/{artifact.environment_id}.lease")
        told = False
        while True:
            if found := self._usable(artifact):
                return found.id
            if self._take(lease):
                try:
                    # Since we looked, another may have started one and given the lease back.
                    if found := self._usable(artifact):
                        return found.id
                    if lease.is_safe and (started := self._start(artifact, lease)):
                        return started
                finally:
                    lease.release()
            elif not told:
                self._report("another run is starting a cluster; waiting for it")
                told = True
            time.sleep(self._pause)

    def _usable(self, artifact: Artifact) -> Cluster | None:
        now = datetime.now(UTC)
        usable = [
            (cluster.expiry, cluster)
            for cluster in self.alive()
            if cluster.tags.get(ENVIRONMENT_ID) == artifact.environment_id and cluster.expiry and cluster.expiry > now
        ]
        # All who ask choose the same one, and the one that lasts.
        return max(usable, key=lambda found: (found[0], found[1].id))[1] if usable else None

    def _take(self, lease: Lease) -> bool:
        from botocore.exceptions import ClientError

        try:
            return lease.take()
        except ClientError as error:
            if _code(error) != "NoSuchBucket":
                raise
            environment = self.aws.environment
            raise ClusterError(
                f"there is no bucket {self.aws.artifacts_bucket} in which clusters find their code. "
                f"Type `deputies-lake infra up --env {environment}`, then `deputies-lake deploy --env {environment}`."
            ) from error

    def _start(self, artifact: Artifact, lease: Lease) -> str | None:
        """Have EMR start a cluster, and wait until its lists show it to those who come next.

        None if that took so long that another thought us dead and started one, too: then ours is ended again.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        require_account(self.aws)
        try:
            started = self._run_job_flow(artifact)
        except (BotoCoreError, ClientError) as error:
            # Without an answer it may have been started all the same.
            if _was_refused(error) or (found := self._listed(artifact)) is None:
                raise
            started = found.id
        else:
            self._listed(artifact)
            if not lease.is_kept and self.end([started], lambda cluster: not self.activity(cluster).active):
                return None
        self._report(f"started cluster {started}")
        return started

    def _run_job_flow(self, artifact: Artifact) -> str:
        from botocore.exceptions import ClientError

        # EMR takes the same request twice for two clusters.
        emr = client("emr", self.aws, attempts=1)
        try:
            started: str = emr.run_job_flow(**request(self.aws, artifact, datetime.now(UTC)))["JobFlowId"]
        except ClientError as error:
            if _code(error) in _INVALID:
                message = error.response["Error"]["Message"]
                raise ClusterError(
                    f"EMR starts no cluster for {self.aws.environment}: {message} {self._remedy(message)}".rstrip()
                ) from error
            raise
        return started

    def _listed(self, artifact: Artifact) -> Cluster | None:
        end = time.monotonic() + _UNTIL_LISTED_SECONDS
        while (found := self._usable(artifact)) is None and time.monotonic() < end:
            time.sleep(self._pause)
        return found

    def wait_until_ready(self, cluster_id: str) -> Cluster:
        """Returns when it runs steps. Raises `ClusterError` if it ends first."""
        return self._wait(cluster_id, lambda cluster: cluster.is_ready)

    # Looking

    def alive(self) -> list[Cluster]:
        """All of ours that run steps or will, the newest first."""
        return [cluster for cluster in self._listed_as_ours(_ALIVE) if cluster.is_alive]

    def present(self, *, ended: bool = False) -> list[Cluster]:
        """All of ours that are alive or about to end; those too that `ended` in the past week."""
        found = self._listed_as_ours((*_ALIVE, "TERMINATING"))
        if ended:
            found += self._listed_as_ours(_ENDED, CreatedAfter=datetime.now(UTC) - _RECENTLY)
        return found

    def _listed_as_ours(self, states: Sequence[str], **asked: datetime) -> list[Cluster]:
        pages = client("emr", self.aws).get_paginator("list_clusters").paginate(ClusterStates=list(states), **asked)
        # Each description is a call, and those are few a second. The name tells most of other people's clusters.
        named = [found["Id"] for page in pages for found in page["Clusters"] if found["Name"] == self.aws.stack]
        return [cluster for cluster in map(self._describe, named) if self._is_ours(cluster)]

    def get(self, cluster_id: str) -> Cluster:
        """Raises `ClusterError` for one that is not ours, or does not exist."""
        from botocore.exceptions import ClientError

        try:
            cluster = self._describe(cluster_id)
        except ClientError as error:
            if _code(error) not in _INVALID:
                raise
            raise ClusterError(f"there is no cluster {cluster_id} in {self.aws.region}. {self._ours_are()}") from error
        if not self._is_ours(cluster):
            wanted = ", ".join(f"{key}={value}" for key, value in self.aws.ownership.items())
            raise ClusterError(
                f"cluster {cluster_id} is not ours: it lacks the tags {wanted}. It was left alone. {self._ours_are()}"
            )
        return cluster

    def activity(self, cluster: Cluster) -> Activity:
        """What it does now."""
        pages = client("emr", self.aws).get_paginator("list_steps").paginate(ClusterId=cluster.id)
        steps = [step["Status"] for page in pages for step in page["Steps"]]
        active = [step["State"] for step in steps if step["State"] in _ACTIVE]
        ends = [step["Timeline"]["EndDateTime"] for step in steps if step["Timeline"].get("EndDateTime")]
        return Activity(
            running=len(active) - active.count(_PENDING),
            pending=active.count(_PENDING),
            idle_since=max([cluster.ready or cluster.created, *ends])
            if cluster.state == WAITING and not active
            else None,
        )

    def capacity(self, cluster: Cluster) -> Capacity:
        """What is paid for now, besides the primary machine."""
        pages = client("emr", self.aws).get_paginator("list_instance_fleets").paginate(ClusterId=cluster.id)
        fleets = [fleet for page in pages for fleet in page["InstanceFleets"] if fleet["InstanceFleetType"] != "MASTER"]
        return Capacity(
            on_demand=sum(fleet["ProvisionedOnDemandCapacity"] for fleet in fleets),
            spot=sum(fleet["ProvisionedSpotCapacity"] for fleet in fleets),
        )

    def _describe(self, cluster_id: str) -> Cluster:
        found = client("emr", self.aws).describe_cluster(ClusterId=cluster_id)["Cluster"]
        status, timeline = found["Status"], found["Status"]["Timeline"]
        reason = status.get("StateChangeReason", {})
        return Cluster(
            id=cluster_id,
            state=status["State"],
            reason=": ".join(filter(None, (reason.get("Code"), reason.get("Message")))),
            tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", [])},
            created=timeline["CreationDateTime"],
            ready=timeline.get("ReadyDateTime"),
            ended=timeline.get("EndDateTime"),
            is_protected=found.get("TerminationProtected", False),
        )

    def _is_ours(self, cluster: Cluster) -> bool:
        return self.aws.ownership.items() <= cluster.tags.items()

    def _ours_are(self) -> str:
        return f"Ours: `deputies-lake cluster status --env {self.aws.environment}`"

    # Ending

    def end(self, cluster_ids: Sequence[str], still: Callable[[Cluster], bool] = lambda _: True) -> list[str]:
        """Have EMR end clusters, of which each is looked at once more: it must be ours, and `still` true of it.

        Returns those that will end. Raises `ClusterError` for one that is not ours.
        """
        require_account(self.aws)
        ended: list[str] = []
        for batch in _batches(cluster_ids, _MOST_IN_A_CALL):
            confirmed = [cluster_id for cluster_id in batch if still(self.get(cluster_id))]
            if confirmed:
                client("emr", self.aws).terminate_job_flows(JobFlowIds=confirmed)
            ended += confirmed
        return ended

    def wait_until_ended(self, cluster_id: str) -> Cluster:
        return self._wait(cluster_id, lambda cluster: cluster.has_ended)

    def _wait(self, cluster_id: str, is_reached: Callable[[Cluster], bool]) -> Cluster:
        state = ""
        while True:
            cluster = self.get(cluster_id)
            if cluster.state != state:
                state = cluster.state
                self._report(f"{cluster_id} is {state}")
            if is_reached(cluster):
                return cluster
            if cluster.has_ended:
                remedy = self._remedy(cluster.reason)
                raise ClusterError(
                    f"cluster {cluster_id} is {state}: {cluster.reason or 'EMR gives no reason'}. Its logs will be in "
                    f"s3://{self.aws.logs_bucket}/emr/{cluster_id}/ in a few minutes. {remedy}{' ' if remedy else ''}"
                    f"To try again: deputies-lake cluster start --env {self.aws.environment}"
                )
            time.sleep(self._pause)

    def _remedy(self, message: str) -> str:
        """What to do about EMR's words, as far as they are known."""
        remedies = {
            "limit|quota|exceed|insufficient": "Ask AWS for a higher quota of EC2's vCPUs, on demand and spot, or set "
            f"{MAX_UNITS} to less than {self.aws.cluster.max_units}.",
            r"subnet|\bvpc\b": f"Set {SUBNETS} to subnets of {self.aws.region} from which S3 can be reached.",
            r"\brole\b|instance ?profile|security configuration": "`deputies-lake infra up --env "
            f"{self.aws.environment}` makes what clusters need.",
        }
        return next((remedy for words, remedy in remedies.items() if re.search(words, message, re.IGNORECASE)), "")


def _code(error: Any) -> str:
    return str(error.response["Error"]["Code"])


def _was_refused(error: Any) -> bool:
    """Whether it is certain that nothing came of a request: there is an answer, and it is no failure inside of AWS."""
    status = getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return bool(status < 500 or status == 503)


def _batches(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
