"""The runs that start by themselves: how a source's are marked, and whether one is going on.

When one starts is said in `landing.py` and `schedules.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import dagster as dg

from deputies_lake.automation.jobs import Source
from deputies_lake.partitions import range_tags, years_of_run

SCHEDULE: Final = "dagster/schedule_name"
"""Dagster's own tag."""

_SOURCE: Final = "deputies_lake/source"

LOST_AFTER_SECONDS: Final = 2 * 3600
"""A run that takes longer is waited for no more: its machine may be gone, and Dagster notices only hours later.

Where it still lives, nothing is lost: of two runs that publish the same year one is overtaken and computes again.
"""

_UNFINISHED: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def request(source: Source, first: int, last: int, tags: Mapping[str, str] | None = None) -> dg.RunRequest:
    """One run of the source's job for the years from `first` to `last`.

    Without a run key: once used, a key never schedules another run, and files do come back as they were. What must
    not start twice is asked for with `is_going_on`.
    """
    return dg.RunRequest(
        job_name=source.job_name, tags={**range_tags(first, last), **of_source(source), **(tags or {})}
    )


def of_source(source: Source) -> Mapping[str, str]:
    """The tag of the source's runs that started by themselves."""
    return {_SOURCE: source.code}


def is_going_on(instance: dg.DagsterInstance, tags: Mapping[str, str]) -> bool:
    """Whether a run with these tags is queued or in progress."""
    return bool(_going_on(instance, dg.RunsFilter(tags=dict(tags), statuses=_UNFINISHED)))


def years_under_way(instance: dg.DagsterInstance) -> set[int]:
    """The years of all runs that are queued or in progress."""
    runs = _going_on(instance, dg.RunsFilter(statuses=_UNFINISHED))
    return {year for run in runs for year in years_of_run(run.dagster_run.tags)}


def _going_on(instance: dg.DagsterInstance, runs: dg.RunsFilter) -> Sequence[dg.RunRecord]:
    now = datetime.now(UTC).timestamp()
    records = instance.get_run_records(runs)
    return [run for run in records if run.start_time is None or now - run.start_time < LOST_AFTER_SECONDS]
