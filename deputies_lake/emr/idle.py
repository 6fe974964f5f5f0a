"""Which clusters of an environment nobody uses any more, and their end.

EMR ends idle clusters by itself; this ends those that it missed, and those that are busy long after their expiry, and
says of each of ours why it stays or goes. Whose a cluster is, is decided in `clusters.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from deputies_lake.emr.clusters import WAITING, Activity, Cluster, Clusters
from deputies_lake.environments import ClusterSettings
from deputies_lake.quota_years import clock

# Somebody may have started it for what comes next.
_YOUNG: Final = timedelta(hours=1)
# A run that got it just before its expiry needs a moment to send its step.
_HANDED_OUT: Final = timedelta(minutes=5)
# EMR comes first. This is for what it left.
_EMRS_TURNS: Final = 2


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a cluster is to end, and why, or why not."""

    cluster: Cluster
    ends: bool
    why: str


def judge(cluster: Cluster, activity: Activity, settings: ClusterSettings, now: datetime) -> Verdict:
    """A cluster of ours, as of `now`."""

    def verdict(why: str, *, ends: bool = False) -> Verdict:
        return Verdict(cluster=cluster, ends=ends, why=why)

    # No step is sent after the expiry, so by then the last one has had all the time that a step has.
    if cluster.expiry and now >= cluster.expiry + timedelta(hours=settings.step_hours) and not cluster.is_protected:
        return verdict(f"it expired at {clock(cluster.expiry)} in Brasília, and no step may take until now", ends=True)
    if cluster.is_protected or cluster.state != WAITING:
        return verdict("it is protected from termination" if cluster.is_protected else f"it is {cluster.state}")
    if activity.idle_since is None:
        return verdict(f"{activity.running} steps run and {activity.pending} wait")
    age, idle = now - cluster.created, now - activity.idle_since
    if age < _YOUNG:
        return verdict(f"it is only {_minutes(age)} old")
    if cluster.expiry and now >= cluster.expiry and idle >= _HANDED_OUT:
        return verdict(f"it expired at {clock(cluster.expiry)} in Brasília and is idle", ends=True)
    limit = timedelta(minutes=_EMRS_TURNS * settings.idle_minutes)
    less = "" if idle >= limit else f", less than {_minutes(limit)}"
    return verdict(f"it has been idle for {_minutes(idle)}{less}", ends=not less)


def verdicts(clusters: Clusters, now: datetime) -> list[Verdict]:
    """On all clusters of ours that are alive."""
    return [judge(cluster, clusters.activity(cluster), clusters.aws.cluster, now) for cluster in clusters.alive()]


def end_idle(clusters: Clusters, judged: Sequence[Verdict]) -> list[str]:
    """Have those end that are to end and, looked at once more, still are. Returns their ids.

    One at a time: between the look and the end of each is one call, in which no step may come.
    """

    def still(cluster: Cluster) -> bool:
        return judge(cluster, clusters.activity(cluster), clusters.aws.cluster, datetime.now(UTC)).ends

    return [ended for verdict in judged if verdict.ends for ended in clusters.end([verdict.cluster.id], still)]


def _minutes(duration: timedelta) -> str:
    return f"{duration // timedelta(minutes=1)} min"
