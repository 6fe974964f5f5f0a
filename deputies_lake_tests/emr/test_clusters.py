"""Clusters: which are ours, when one is started, and that many who ask at once get one."""

import re
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError
from moto.core.exceptions import JsonRESTError

from deputies_lake.aws import AccountError
from deputies_lake.emr import clusters as module
from deputies_lake.emr.artifact import Artifact
from deputies_lake.emr.clusters import ClusterError, Clusters
from deputies_lake.emr.lease import Lease
from deputies_lake.environments import load_settings
from deputies_lake_tests.aws import emr
from deputies_lake_tests.emr.cloud import OWN, VARIABLES, Cloud, all_look_first, aws_of, cloud, cloud_endpoint

__all__ = ["cloud", "cloud_endpoint"]

OTHERS = Artifact(code_id=OWN.code_id, environment_id="another")


@pytest.fixture
def clusters(cloud: Cloud) -> Clusters:
    return Clusters(cloud.settings)


# Found


@pytest.mark.parametrize("state", ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"])
def test_one_that_is_there_is_used(cloud: Cloud, clusters: Clusters, state: str) -> None:
    there = cloud.add(state=state)
    assert (clusters.provide(OWN), cloud.ids()) == (there, [there])


@pytest.mark.parametrize(
    "unfit",
    [
        {"tags": {"environment": "prod"}},
        {"tags": {"environment": None}},
        {"tags": {"project": "another"}},
        {"tags": {"project": None}},
        {"tags": {"expiry": "tomorrow"}},
        {"tags": {"expiry": None}},
        {"artifact": OTHERS},
        {"name": "another"},
        {"environment": "prod"},
        {"expires_in": timedelta(seconds=-1)},
        {"state": "TERMINATING"},
        {"state": "TERMINATED"},
    ],
    ids=str,
)
def test_one_that_is_not_ours_or_not_fit_is_not_used(cloud: Cloud, clusters: Clusters, unfit: dict[str, Any]) -> None:
    there = cloud.add(**unfit)
    started = clusters.provide(OWN)
    assert cloud.ids() == [there, started]


def test_one_is_found_behind_pages_of_other_peoples(cloud: Cloud, clusters: Clusters) -> None:
    there = cloud.add(hours=9)
    for _ in range(60):
        cloud.add(name="another")
    assert clusters.provide(OWN) == there


def test_of_several_the_one_that_lasts_is_used(cloud: Cloud, clusters: Clusters) -> None:
    _, last, _ = (cloud.add(expires_in=timedelta(hours=hours)) for hours in (1, 3, 2))
    assert clusters.provide(OWN) == last


# Started


def test_one_that_is_started_is_what_was_asked_for(cloud: Cloud, clusters: Clusters) -> None:
    started = cloud.client("emr").describe_cluster(ClusterId=clusters.provide(OWN))["Cluster"]
    tags = {tag["Key"]: tag["Value"] for tag in started["Tags"]}
    expiry = datetime.fromisoformat(tags.pop("expiry"))
    assert timedelta(hours=11.9) < expiry - datetime.now(UTC) < timedelta(hours=12)
    assert tags == {
        "project": "deputies_lake",
        "environment": "staging",
        "owner": "data-platform",
        "environment_id": OWN.environment_id,
    }
    assert (started["Name"], started["StepConcurrencyLevel"]) == ("deputies-lake-staging", 4)


def test_who_comes_next_gets_the_one_that_was_started(cloud: Cloud, clusters: Clusters) -> None:
    assert clusters.provide(OWN) == Clusters(cloud.settings).provide(OWN)


def test_the_lease_is_given_back(cloud: Cloud, clusters: Clusters) -> None:
    clusters.provide(OWN)
    assert cloud.leases() == []


def test_many_threads_at_once_get_one(cloud: Cloud) -> None:
    got: list[str] = []
    threads = [threading.Thread(target=lambda: got.append(Clusters(cloud.settings).provide(OWN))) for _ in range(4)]
    with all_look_first(len(threads)):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert (len(got), set(got)) == (4, set(cloud.ids()))
    assert len(cloud.ids()) == 1


PROVIDE = f"""
from deputies_lake.emr.artifact import Artifact
from deputies_lake.emr.clusters import Clusters
from deputies_lake.emr.lease import Lease
from deputies_lake.environments import load_settings
print(Clusters(load_settings("staging", {VARIABLES!r})).provide({OWN!r}))
"""


def test_two_processes_at_once_get_one(cloud: Cloud) -> None:
    with all_look_first(2):
        running = [subprocess.Popen([sys.executable, "-c", PROVIDE], stdout=subprocess.PIPE, text=True) for _ in "ab"]
        got = [process.communicate(timeout=60)[0].strip() for process in running]
    assert len(cloud.ids()) == 1
    assert got == cloud.ids() * 2


def test_one_that_was_started_between_the_look_and_the_lease_is_used(
    cloud: Cloud, clusters: Clusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Lease.take

    def take_late(lease: Lease) -> bool:
        cloud.add()
        return take(lease)

    monkeypatch.setattr(Lease, "take", take_late)
    assert [clusters.provide(OWN)] == cloud.ids()


def test_they_are_told_why_they_wait(cloud: Cloud) -> None:
    held = Lease(cloud.aws, f"clusters/{OWN.environment_id}.lease")
    assert held.take()
    said: list[str] = []

    def release(line: str) -> None:
        said.append(line)
        held.release()

    started = Clusters(cloud.settings, release).provide(OWN)
    assert said == ["another run is starting a cluster; waiting for it", f"started cluster {started}"]


def slow(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, *steps: str) -> tuple[str, str]:
    """A run that is stopped within RunJobFlow for so long that another takes the lease and starts a cluster, too.

    The first has these steps when the run wakes up. Returns what the run got, and the other cluster.
    """
    run_job_flow, others = Clusters._run_job_flow, list[str]()

    def sleep_within(clusters: Clusters, artifact: Artifact) -> str:
        started = run_job_flow(clusters, artifact)
        for step in steps:
            cloud.add_step(started, step)
        others.append(cloud.add(expires_in=timedelta(hours=20)))
        key = f"clusters/{artifact.environment_id}.lease"
        cloud.client("s3").put_object(Bucket=cloud.aws.artifacts_bucket, Key=key, Body=b"another")
        return started

    monkeypatch.setattr(Clusters, "_run_job_flow", sleep_within)
    return Clusters(cloud.settings).provide(OWN), others[0]


def test_who_was_thought_dead_ends_its_own_and_takes_the_others(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    got, another = slow(cloud, monkeypatch)
    assert got == another
    assert cloud.ended() == set(cloud.ids()) - {another}


def test_but_not_if_it_has_got_work_meanwhile(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    got, another = slow(cloud, monkeypatch, "PENDING")
    assert (got != another, cloud.ended()) == (True, set())


# Not started


def test_where_there_is_no_bucket_it_is_said_what_makes_it(cloud: Cloud, clusters: Clusters) -> None:
    cloud.client("s3").delete_bucket(Bucket=cloud.aws.artifacts_bucket)
    with pytest.raises(ClusterError) as refusal:
        clusters.provide(OWN)
    assert str(refusal.value) == (
        "there is no bucket deputies-lake-staging-123456789012-artifacts in which clusters find their code. "
        "Type `deputies-lake infra up --env staging`, then `deputies-lake deploy --env staging`."
    )


def test_what_emr_refuses_is_said_with_what_makes_it(cloud: Cloud, clusters: Clusters) -> None:
    cloud.client("iam").delete_instance_profile(InstanceProfileName=cloud.aws.emr_instance_profile)
    with pytest.raises(ClusterError) as refusal:
        clusters.provide(OWN)
    assert str(refusal.value) == (
        "EMR starts no cluster for staging: Invalid InstanceProfile: deputies-lake-staging-emr-instance. "
        "`deputies-lake infra up --env staging` makes what clusters need."
    )
    assert cloud.leases() == []


@pytest.mark.parametrize(
    ("refusal", "remedy"),
    [
        (
            "The instance count exceeds your quota.",
            r"Ask AWS for a higher quota .*, or set DEPUTIES_LAKE_MAX_UNITS to less than 16\.",
        ),
        (
            "The VPC/subnet configuration was invalid.",
            "Set DEPUTIES_LAKE_SUBNETS to subnets of sa-east-1 from which S3 can be reached.",
        ),
        (
            "Service role deputies-lake-staging-emr is invalid.",
            "`deputies-lake infra up --env staging` makes what clusters need.",
        ),
        ("Something that nobody foresaw.", ""),
    ],
)
def test_a_refusal_comes_with_what_to_do_about_it(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch, refusal: str, remedy: str
) -> None:
    def refuse(_: emr.Emr) -> Any:
        raise JsonRESTError("ValidationException", refusal)

    monkeypatch.setattr(emr.Emr, "run_job_flow", refuse)
    with pytest.raises(ClusterError) as raised:
        clusters.provide(OWN)
    assert re.fullmatch(f"EMR starts no cluster for staging: {re.escape(refusal)} ?{remedy}", str(raised.value))


def test_none_is_started_in_another_account(cloud: Cloud) -> None:
    others = replace(cloud.settings, aws=replace(cloud.aws, account="999999999999"))
    with pytest.raises(AccountError):
        Clusters(others).provide(OWN)
    assert cloud.ids() == []


def test_the_local_lake_has_none() -> None:
    with pytest.raises(ClusterError, match=r"the local lake has no clusters\. Name an environment: --env staging"):
        Clusters(load_settings("local", {}))


class ProblemError(JsonRESTError):
    def __init__(self, code: int, name: str) -> None:
        super().__init__(name, "not now")
        self.code = code


def answering(monkeypatch: pytest.MonkeyPatch, code: int, name: str, *, started: bool) -> list[int]:
    """RunJobFlow fails, after or without having started a cluster. Returns a list of its calls."""
    calls: list[int] = []
    run_job_flow = emr.Emr.run_job_flow

    def fail(response: emr.Emr) -> Any:
        calls.append(1)
        if started:
            run_job_flow(response)
        raise ProblemError(code, name)

    monkeypatch.setattr(emr.Emr, "run_job_flow", fail)
    monkeypatch.setattr(module, "_UNTIL_LISTED_SECONDS", 0.3)
    return calls


def test_one_that_was_started_without_a_good_answer_is_found(
    cloud: Cloud, clusters: Clusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = answering(monkeypatch, 500, "InternalServerError", started=True)
    assert ([clusters.provide(OWN)], len(calls)) == (cloud.ids(), 1)


@pytest.mark.parametrize(
    ("code", "name"), [(400, "ThrottlingException"), (503, "ServiceUnavailable"), (500, "InternalServerError")]
)
def test_what_passes_is_left_to_the_caller_and_the_lease_to_the_next(
    cloud: Cloud, clusters: Clusters, monkeypatch: pytest.MonkeyPatch, code: int, name: str
) -> None:
    calls = answering(monkeypatch, code, name, started=False)
    with pytest.raises(ClientError, match=name):
        clusters.provide(OWN)
    assert (len(calls), cloud.ids(), cloud.leases()) == (1, [], [])


# Looked at and ended


def test_one_that_is_not_ours_is_refused_by_name(cloud: Cloud, clusters: Clusters) -> None:
    there = cloud.add(environment="prod")
    with pytest.raises(ClusterError) as refusal:
        clusters.end([there])
    assert str(refusal.value) == (
        f"cluster {there} is not ours: it lacks the tags project=deputies_lake, environment=staging. "
        "It was left alone. Ours: `deputies-lake cluster status --env staging`"
    )
    assert cloud.ended() == set()


def test_one_that_is_not_there_is_refused_by_name(clusters: Clusters) -> None:
    with pytest.raises(ClusterError) as refusal:
        clusters.end(["j-0"])
    assert str(refusal.value) == (
        "there is no cluster j-0 in sa-east-1. Ours: `deputies-lake cluster status --env staging`"
    )


def test_emr_is_told_of_ten_at_a_time(cloud: Cloud, clusters: Clusters) -> None:
    there = [cloud.add() for _ in range(12)]
    sizes: list[int] = []
    terminate = emr.Emr.terminate_job_flows

    def count(response: emr.Emr) -> Any:
        sizes.append(len(response._get_param("JobFlowIds")))
        return terminate(response)

    with mock.patch.object(emr.Emr, "terminate_job_flows", count):
        assert clusters.end(there) == there
    assert (sizes, cloud.ended()) == ([10, 2], set(there))


def test_an_expiry_without_a_zone_is_utc(cloud: Cloud, clusters: Clusters) -> None:
    there = cloud.add(tags={"expiry": "2026-11-23T12:00:00"})
    assert clusters.get(there).expiry == datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_none_is_ended_in_another_account(cloud: Cloud) -> None:
    there = cloud.add()
    others = replace(cloud.settings, aws=replace(cloud.aws, account="999999999999"))
    with pytest.raises(AccountError):
        Clusters(others).end([there])
    assert cloud.ended() == set()


def test_one_that_ends_before_it_is_ready_says_why_and_where_to_look(cloud: Cloud, clusters: Clusters) -> None:
    there = cloud.add(state="STARTING")
    cloud.cluster(there).terminate("BOOTSTRAP_FAILURE", "the bootstrap action failed")
    cloud.cluster(there).become_terminated()
    with pytest.raises(ClusterError) as refusal:
        clusters.wait_until_ready(there)
    assert str(refusal.value) == (
        f"cluster {there} is TERMINATED_WITH_ERRORS: BOOTSTRAP_FAILURE: the bootstrap action failed. "
        f"Its logs will be in s3://{aws_of(cloud.settings).logs_bucket}/emr/{there}/ in a few minutes. "
        "To try again: deputies-lake cluster start --env staging"
    )


@pytest.mark.parametrize(
    ("steps", "running", "pending", "is_idle"),
    [((), 0, 0, True), (("COMPLETED", "FAILED"), 0, 0, True), (("COMPLETED", "PENDING"), 0, 1, False)]
    + [((state,), 1, 0, False) for state in ("RUNNING", "CANCEL_PENDING")],
)
def test_steps_that_run_or_wait_are_counted(
    cloud: Cloud, clusters: Clusters, steps: tuple[str, ...], running: int, pending: int, is_idle: bool
) -> None:
    activity = clusters.activity(clusters.get(cloud.add(steps=steps)))
    assert (activity.running, activity.pending, activity.idle_since is not None) == (running, pending, is_idle)


def test_it_is_idle_since_its_last_step_ended_whichever_that_is(cloud: Cloud, clusters: Clusters) -> None:
    there = cloud.add(idle_minutes=170)
    cloud.add_step(there, "COMPLETED", ended_minutes_ago=30)
    for _ in range(60):
        cloud.add_step(there, "COMPLETED", ended_minutes_ago=90)
    since = clusters.activity(clusters.get(there)).idle_since
    assert since
    assert timedelta(minutes=29) < datetime.now(UTC) - since < timedelta(minutes=32)
