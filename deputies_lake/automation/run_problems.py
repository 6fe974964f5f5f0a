"""What is wrong with Dagster's runs: failed, cancelled, lost, or waiting for nobody. `status` and alerts read it here.

A run that ended badly is a problem until one of the same job succeeds for its years. When an alert is sent is decided
in `alerts.py`; what is wrong with the tables themselves is in `deputies_lake/status.py`.
"""

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Final

import dagster as dg

from deputies_lake.alerts import Problem
from deputies_lake.automation.run_launcher import why_lost
from deputies_lake.causes import of_event
from deputies_lake.partitions import PARTITION_TAG, RANGE_TAGS, UnknownYearError, require_years, years_of_run
from deputies_lake.raw.assets import AS_IT_LIES

FORGOTTEN_AFTER: Final = timedelta(days=30)
"""A failed run that nobody repeated for so long will not be."""

LONGEST_DETAIL: Final = 500
NAMED: Final = "run "
"""With which the name of each such problem begins."""

_MOST_RUNS: Final = 100
_ENDED_BADLY: Final = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_UNDER_WAY: Final = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_COORDINATOR: Final = "QUEUED_RUN_COORDINATOR"
"""Dagster's name of the daemon that starts runs which wait."""


def run_problems(instance: dg.DagsterInstance, now: datetime, *, is_local: bool) -> Sequence[Problem]:
    """Those that stand, one for each year of a run. `is_local` where runs are processes of this machine."""
    lost = _lost(instance) if is_local else ()
    return [*_ended_badly(instance, now), *lost, *_waiting_in_vain(instance)]


def _ended_badly(instance: dg.DagsterInstance, now: datetime) -> Sequence[Problem]:
    """A run that Dagster repeats by itself has not failed yet; one that was refused for its year changed nothing."""
    oldest = now - FORGOTTEN_AFTER
    of_status = partial(instance.get_run_records, limit=_MOST_RUNS)
    succeeded = cache(
        lambda job: of_status(dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS], updated_after=oldest))
    )
    skipped = cache(partial(_skipped, instance))
    standing: dict[str, Problem] = {}
    # The newest first: it says how things are; they have been so since the oldest.
    for record in of_status(dg.RunsFilter(statuses=_ENDED_BADLY, updated_after=oldest)):
        run = record.dagster_run
        if run.tags.get("dagster/will_retry") == "true" or _is_refused(run):
            continue
        later = [other for other in succeeded(run.job_name) if _ended_at(other) >= _ended_at(record)]
        good = {
            year
            for other in later
            if _is_as_much(other.dagster_run, run) and not skipped(other.dagster_run.run_id)
            for year in (None, *years_of_run(other.dagster_run.tags))
        }
        for year in years_of_run(run.tags) or (None,):
            if year not in good:
                problem = _ended(instance, run, year, _ended_at(record))
                known = standing.get(problem.name)
                standing[problem.name] = replace(known, since=problem.since) if known else problem
    return [*standing.values()]


def _ended_at(record: dg.RunRecord) -> float:
    return record.end_time or record.update_timestamp.timestamp()


def _is_as_much(run: dg.DagsterRun, other: dg.DagsterRun) -> bool:
    """Whether it was of all assets that the other, of the same job, was of."""
    if run.asset_selection is None:
        return True
    return other.asset_selection is not None and other.asset_selection <= run.asset_selection


def _is_refused(run: dg.DagsterRun) -> bool:
    try:
        require_years(run.tags)
    except UnknownYearError:
        return True
    return False


def _ended(instance: dg.DagsterInstance, run: dg.DagsterRun, year: int | None, ended: float) -> Problem:
    was_cancelled = run.status is dg.DagsterRunStatus.CANCELED
    reason = "it was cancelled, and what it had not come to is as it was" if was_cancelled else _reason(instance, run)
    return _problem(run, year, ended, "was cancelled" if was_cancelled else "failed", reason)


def _skipped(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether steps of it were skipped, as they are when the year's file was refused."""
    return bool(instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_SKIPPED, limit=1).records)


def _lost(instance: dg.DagsterInstance) -> Sequence[Problem]:
    """Runs that Dagster takes for going on although none of their processes is there: killed, or the machine went off.

    Dagster's daemon notices that of the runs that it started; of those that were typed nobody does.
    """
    problems = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=_UNDER_WAY), limit=_MOST_RUNS):
        if why := why_lost(instance, record.dagster_run):
            started = record.start_time or record.create_timestamp.timestamp()
            years = years_of_run(record.dagster_run.tags) or (None,)
            problems += [_problem(record.dagster_run, year, started, "was lost", why) for year in years]
    return problems


def _waiting_in_vain(instance: dg.DagsterInstance) -> Sequence[Problem]:
    """Runs that wait in the queue while no daemon is there to start them."""
    waiting = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]), limit=_MOST_RUNS)
    if not waiting or instance.get_daemon_statuses([_COORDINATOR])[_COORDINATOR].healthy is not False:
        return ()
    return [
        Problem(
            name=f"{NAMED}{record.dagster_run.job_name} waits {year or ''}".rstrip(),
            title=f"a run of {job_of(record.dagster_run)} waits, and no daemon is there to start it",
            detail=f"run {record.dagster_run.run_id}",
            year=year,
            since=_iso(record.create_timestamp.timestamp()),
            command="dagster dev",
            run_id=record.dagster_run.run_id,
        )
        for record in waiting
        for year in years_of_run(record.dagster_run.tags) or (None,)
    ]


def _problem(run: dg.DagsterRun, year: int | None, since: float, what: str, reason: str) -> Problem:
    """One for each year of the run, so that each is over when it has been made good."""
    return Problem(
        name=f"{NAMED}{run.job_name} {year or ''}".rstrip(),
        title=f"a run of {job_of(run)} {what}",
        detail=f"{reason} (run {run.run_id})",
        year=year,
        since=_iso(since),
        command=_again(run),
        run_id=run.run_id,
    )


def _reason(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """What the step that failed says, or else Dagster."""
    steps = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    events = steps or instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
    event = events[-1].event_log_entry.dagster_event if events else None
    return of_event(event)[:LONGEST_DETAIL]


def _again(run: dg.DagsterRun) -> str:
    """The command that does what the run did, its own tags included: whether it fetches is said by one of them."""
    years = {name: run.tags[name] for name in (*RANGE_TAGS, PARTITION_TAG) if name in run.tags}
    if not run.asset_selection or not run.job_name.startswith("__"):
        told = {**years, **{name: run.tags[name] for name in AS_IT_LIES if name in run.tags}}
        tags = f" --tags {shlex.quote(json.dumps(told))}" if told else ""
        return f"dagster job execute -m deputies_lake.definitions -j {run.job_name}{tags}"
    keys = sorted(key.to_user_string() for key in run.asset_selection)
    partition = f" --partition {run.tags[PARTITION_TAG]}" if PARTITION_TAG in run.tags else ""
    if years and not partition:
        partition = f" --partition-range {'...'.join(years[name] for name in RANGE_TAGS)}"
    return f"dagster asset materialize -m deputies_lake.definitions --select {','.join(keys)}{partition}"


def job_of(run: dg.DagsterRun) -> str:
    """Its name for people: what was selected asset by asset has none of its own."""
    return "assets" if run.job_name.startswith("__") else run.job_name


def _iso(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="seconds")
