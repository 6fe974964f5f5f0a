"""Only clusters that are ours, of this environment, idle for long and not young are ended."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest

from deputies_lake.emr.clusters import Activity, Cluster, Clusters
from deputies_lake.emr.idle import end_idle, judge, verdicts
from deputies_lake.environments import ClusterSettings
from deputies_lake_tests.aws import emr
from deputies_lake_tests.emr.cloud import Cloud, cloud, cloud_endpoint

__all__ = ["cloud", "cloud_endpoint"]

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SETTINGS = ClusterSettings(core_units=4, max_units=16, subnets=(), idle_minutes=20)


def cluster(
    *, state: str = "WAITING", minutes_old: float = 180, expires_in_minutes: float = 300, is_protected: bool = False
) -> Cluster:
    return Cluster(
        id="j-1",
        state=state,
        reason="",
        tags={"expiry": (NOW + timedelta(minutes=expires_in_minutes)).isoformat()},
        created=NOW - timedelta(minutes=minutes_old),
        ready=None,
        is_protected=is_protected,
    )


def idle(minutes: float) -> Activity:
    return Activity(running=0, pending=0, idle_since=NOW - timedelta(minutes=minutes))


OVERDUE = "it expired at 2026-11-23 04:00 in Brasília, and no step may take until now"
BUSY = Activity(running=1, pending=2, idle_since=None)


@pytest.mark.parametrize(
    ("looked_at", "activity", "ends", "why"),
    [
        (cluster(), idle(40), True, "it has been idle for 40 min"),
        (cluster(), idle(39.9), False, "it has been idle for 39 min, less than 40 min"),
        (cluster(is_protected=True), idle(40), False, "it is protected from termination"),
        (cluster(), BUSY, False, "1 steps run and 2 wait"),
        (cluster(state="RUNNING"), BUSY, False, "it is RUNNING"),
        (cluster(state="STARTING"), BUSY, False, "it is STARTING"),
        (cluster(minutes_old=60), idle(40), True, "it has been idle for 40 min"),
        (cluster(minutes_old=59.9), idle(40), False, "it is only 59 min old"),
        (cluster(expires_in_minutes=0), idle(5), True, "it expired at 2026-11-23 09:00 in Brasília and is idle"),
        (cluster(expires_in_minutes=0), idle(4.9), False, "it has been idle for 4 min, less than 40 min"),
        (cluster(expires_in_minutes=1), idle(5), False, "it has been idle for 5 min, less than 40 min"),
        (cluster(expires_in_minutes=-60), BUSY, False, "1 steps run and 2 wait"),
        (cluster(expires_in_minutes=-299), BUSY, False, "1 steps run and 2 wait"),
        (cluster(expires_in_minutes=-300), BUSY, True, OVERDUE),
        (cluster(expires_in_minutes=-300, state="RUNNING"), BUSY, True, OVERDUE),
        (cluster(expires_in_minutes=-300, is_protected=True), BUSY, False, "it is protected from termination"),
        (cluster(expires_in_minutes=-60, minutes_old=30), idle(20), False, "it is only 30 min old"),
    ],
)
def test_it_is_said_why_it_ends_or_stays(looked_at: Cluster, activity: Activity, why: str, *, ends: bool) -> None:
    verdict = judge(looked_at, activity, SETTINGS, NOW)
    assert (verdict.ends, verdict.why) == (ends, why)


@pytest.fixture
def clusters(cloud: Cloud) -> Clusters:
    return Clusters(cloud.settings)


def test_one_that_got_work_meanwhile_stays(cloud: Cloud, clusters: Clusters) -> None:
    lucky, idle = cloud.add(), cloud.add()
    judged = verdicts(clusters, datetime.now(UTC))
    cloud.add_step(lucky, "PENDING")
    assert (end_idle(clusters, judged), cloud.ended()) == ([idle], {idle})


def test_one_is_looked_at_when_it_is_its_turn_and_not_before(cloud: Cloud, clusters: Clusters) -> None:
    first, second = cloud.add(hours=3), cloud.add(hours=4)
    judged = verdicts(clusters, datetime.now(UTC))
    terminate = emr.Emr.terminate_job_flows

    def then_a_step_comes(response: emr.Emr) -> Any:
        answer = terminate(response)
        cloud.add_step(second, "PENDING")
        return answer

    with mock.patch.object(emr.Emr, "terminate_job_flows", then_a_step_comes):
        assert end_idle(clusters, judged) == [first]
    assert cloud.ended() == {first}


def test_a_protected_one_does_not_keep_others_alive(cloud: Cloud, clusters: Clusters) -> None:
    protected, ends = cloud.add(), cloud.add()
    cloud.cluster(protected).set_termination_protection(True)
    assert end_idle(clusters, verdicts(clusters, datetime.now(UTC))) == [ends]


def of_others(cloud: Cloud) -> Sequence[dict[str, Any]]:
    """Clusters that are as idle as ours: of other people, and some that only look like ours."""
    return [
        *[{"name": f"team {n}", "tags": {"project": None, "environment": None, "expiry": None}} for n in range(60)],
        *[{"name": f"lake {n}", "tags": {"project": "lake", "environment": "staging"}} for n in range(60)],
        # As ours are named.
        *[{"tags": {"project": None, "environment": None}} for _ in range(10)],
        *[{"tags": {"project": None}} for _ in range(5)],
        *[{"tags": {"project": "lake"}} for _ in range(5)],
        *[{"tags": {"environment": None}} for _ in range(5)],
        *[{"tags": {"environment": "prod"}} for _ in range(5)],
        *[{"environment": "prod", "expires_in": timedelta(hours=-1)} for _ in range(5)],
    ]


def test_of_an_account_full_of_clusters_exactly_ours_that_are_idle_end(cloud: Cloud, clusters: Clusters) -> None:
    """The predecessor of this project ended all that waited, whosever they were."""
    others = of_others(cloud)
    ends: list[str] = []
    # Ours are on every page: the first, the ones between and the last.
    for number, other in enumerate(others):
        cloud.add(**other)
        if number % 12 == 0:
            ends.append(cloud.add(steps=("COMPLETED", "FAILED", "CANCELLED")))
    ends.append(cloud.add(idle_minutes=10, expires_in=timedelta(minutes=-1)))
    ends.append(cloud.add(state="RUNNING", steps=("RUNNING",), expires_in=timedelta(hours=-6)))
    stay = [
        cloud.add(idle_minutes=30),
        cloud.add(hours=0.9, idle_minutes=50),
        cloud.add(steps=("COMPLETED", "PENDING")),
        cloud.add(state="RUNNING", steps=("RUNNING",)),
        cloud.add(state="STARTING"),
        cloud.add(state="BOOTSTRAPPING", expires_in=timedelta(minutes=-1)),
        cloud.add(state="RUNNING", steps=("RUNNING",), expires_in=timedelta(hours=-1)),
    ]
    assert len(cloud.ids()) == len(others) + len(ends) + len(stay)

    judged = verdicts(clusters, datetime.now(UTC))

    assert {v.cluster.id: v.ends for v in judged} == {**dict.fromkeys(ends, True), **dict.fromkeys(stay, False)}
    assert cloud.ended() == set()
    assert set(end_idle(clusters, judged)) == set(ends)
    assert cloud.ended() == set(ends)
