"""The sensor of alerts: what is wrong now, told once when it begins and once when it is over.

It looks at what Dagster knows, not into the lake, in which the host of a deployment may not read all. Dagster's own
run-failure sensors tell each run, not each state: they would repeat themselves every minute, never say that it is
over, and forget what a target did not take. What an alert is, and how it travels, is in `alerts.py` and
`alert_targets.py`.
"""

import json
import re
import shlex
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import dagster as dg

from deputies_lake.alert_targets import NotSentError, Target, targets_of
from deputies_lake.alerts import Alert, Problem, alerts_of
from deputies_lake.assets import key_of
from deputies_lake.causes import of_event
from deputies_lake.checks.predicates import KNOWN, checks_of
from deputies_lake.environments import Environment, Settings
from deputies_lake.partitions import PARTITION_TAG, RANGE_TAGS, years_of_run
from deputies_lake.raw.assets import FILES_WERE_FETCHED
from deputies_lake.raw.intake import FILES_ARE_READABLE, NOTHING_VANISHED
from deputies_lake.serving import readiness
from deputies_lake.serving.assets import TODAYS_FIGURES
from deputies_lake.tables import tables_of

INTERVAL_SECONDS: Final = 60

MOST_TRIES: Final = 120
"""Two hours of looks. What a target did not take by then is in the log only."""

FORGOTTEN_AFTER: Final = timedelta(days=30)
"""A failed run that nobody repeated for so long will not be."""

_MOST_WAITING: Final = 50
"""For each target. The oldest go first: what comes last says how things are."""

_EVALUATIONS: Final = 50
"""Of each check, at each look. More than can happen between two looks, so that none is missed whatever their order."""

_MOST_RUNS: Final = 100
_LONGEST_DETAIL: Final = 500

_FAILED_RUN: Final = "run "


@dataclass(frozen=True, kw_only=True)
class _Watched:
    """A check that is alerted. `command` is for a year; `warns` where what is not severe counts, too."""

    title: str
    command: str
    warns: bool


_WATCHED: Final[Mapping[str, _Watched]] = {
    FILES_ARE_READABLE: _Watched(
        title="a new file of the House could not be read, readers keep what they had",
        command="deputies-lake history --year {year}{env}  # once the right file is in its place: dagster asset "
        "materialize -m deputies_lake.definitions --select '*' --partition {year}",
        warns=True,
    ),
    NOTHING_VANISHED: _Watched(
        title="a new file of the House was not published, readers keep what they had",
        command="deputies-lake history --year {year}{env}  # if it is right: deputies-lake accept --year {year}{env} "
        '--reason "..."',
        # Below its threshold a loss is a remark, not an alert.
        warns=False,
    ),
    FILES_WERE_FETCHED: _Watched(
        title="files could not be fetched from the House",
        command="deputies-lake fetch --years {year}",
        warns=True,
    ),
    KNOWN.name: _Watched(
        title="categories appeared that the reference does not know; their rows are loaded as they are",
        command="dagster asset materialize -m deputies_lake.definitions --select '*' --partition {year}"
        "  # once they are in reference/expense_category_labels.csv",
        warns=True,
    ),
}

_AUDITED: Final = _Watched(
    title="a year failed its audit and was not published, readers keep what they had",
    command="dagster asset materialize -m deputies_lake.definitions --select '*' --partition {year}"
    "  # once what the check names is mended",
    warns=False,
)
"""Of tables by years: a year that fails holds up no other, so no run fails for it."""


@dataclass(kw_only=True)
class Sending:
    """An alert on its way to a target that has not taken it yet."""

    target: str
    alert: Alert
    tries: int = 0


@dataclass(kw_only=True)
class Memory:
    """What is wrong and was told, what waits to be sent, and the failed runs that were looked at."""

    problems: dict[str, Problem] = field(default_factory=dict)
    waiting: list[Sending] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, cursor: str | None) -> Self:
        """Of a cursor that is not ours, nothing: then what is wrong is told again."""
        try:
            found = json.loads(cursor or "{}")
            return cls(
                problems={name: Problem(**values) for name, values in found.get("problems", {}).items()},
                waiting=[Sending(**{**one, "alert": Alert.read(one["alert"])}) for one in found.get("waiting", ())],
                runs=found.get("runs", []),
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            return cls()

    def write(self) -> str:
        problems = {name: asdict(problem) for name, problem in self.problems.items()}
        waiting = [{**asdict(one), "alert": one.alert.values} for one in self.waiting]
        return json.dumps({"problems": problems, "waiting": waiting, "runs": self.runs})


def look(
    instance: dg.DagsterInstance, checks: Collection[dg.AssetCheckKey], memory: Memory, environment: Environment
) -> Sequence[Alert]:
    """What began and what ended since the look before; `memory` is brought up to date."""
    before, told = dict(memory.problems), memory.problems
    for check in checks:
        _look_at_check(instance, check, told, environment)
    _look_at_deadline(instance, told)
    forgotten = _look_at_runs(instance, memory, datetime.now(UTC))
    began = [problem for name, problem in told.items() if name not in before]
    ended = [problem for name, problem in before.items() if name not in told and name not in forgotten]
    return [*alerts_of(began, environment), *alerts_of(ended, environment, over=True)]


def deliver(memory: Memory, alerts: Iterable[Alert], targets: Sequence[Target], warn: Callable[[str], None]) -> None:
    """Send what is new and what is waiting. What a target does not take waits for the next look, for two hours."""
    for target in targets:
        memory.waiting += [Sending(target=target.name, alert=alert) for alert in alerts]
    left: list[Sending] = []
    for target in targets:
        mine = [one for one in memory.waiting if one.target == target.name]
        left += _send(target, mine[-_MOST_WAITING:], warn)
    # What waits for a target that is configured no more is dropped with this.
    memory.waiting = left


def _send(target: Target, waiting: Sequence[Sending], warn: Callable[[str], None]) -> Sequence[Sending]:
    """In their order. A target that does not answer is asked once a look: the sensor has other things to do."""
    for number, one in enumerate(waiting):
        try:
            target.send(one.alert)
        except NotSentError as error:
            one.tries += 1
            given_up = one.tries >= MOST_TRIES
            warn(f"{error}. {'Given up' if given_up else 'It is tried again'}: {one.alert.subject}")
            return waiting[number + given_up :]
    return ()


def _look_at_check(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, told: dict[str, Problem], environment: Environment
) -> None:
    """Year by year the newest evaluation counts that was about the year."""
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=_EVALUATIONS)
    evaluations = [
        (record.event.timestamp, record.run_id, record.event.dagster_event.asset_check_evaluation_data)
        for record in records
        if record.event and record.event.dagster_event and record.status.value != "PLANNED"
    ]
    runs = instance.get_runs(dg.RunsFilter(run_ids=[run_id for _, run_id, _ in evaluations])) if evaluations else ()
    years = {run.run_id: years_of_run(run.tags) for run in runs}
    for timestamp, run_id, evaluation in sorted(evaluations, key=lambda one: one[0]):
        found = _problems_of(evaluation, years.get(run_id, ()), timestamp, run_id, environment)
        about = {_name_of(key, year) for year in years.get(run_id) or (None,)}
        for name in about - found.keys():
            told.pop(name, None)
        for name, problem in found.items():
            told[name] = replace(problem, since=told[name].since) if name in told else problem


def _problems_of(
    evaluation: dg.AssetCheckEvaluation,
    years: Sequence[int],
    timestamp: float,
    run_id: str,
    environment: Environment,
) -> Mapping[str, Problem]:
    watched = _WATCHED.get(evaluation.check_name, _AUDITED)
    if evaluation.passed or not (watched.warns or evaluation.severity is dg.AssetCheckSeverity.ERROR):
        return {}
    description = evaluation.description or evaluation.check_name
    found = {}
    for year in _years_named(description) or years or (None,):
        figure = evaluation.metadata.get(str(year))
        detail = f"{year}: {figure.value}" if figure else _with_figures(description, evaluation)
        name = _name_of(evaluation.asset_check_key, year)
        env = "" if environment is Environment.LOCAL else f" --env {environment}"
        found[name] = Problem(
            name=name,
            title=watched.title,
            detail=detail[:_LONGEST_DETAIL],
            year=year,
            since=_iso(timestamp),
            command=watched.command.format(year=year, env=env),
            run_id=run_id,
        )
    return found


def _with_figures(description: str, evaluation: dg.AssetCheckEvaluation) -> str:
    figures = ", ".join(f"{name}: {figure.value}" for name, figure in evaluation.metadata.items())
    return f"{description} ({figures})" if figures else description


def _years_named(description: str) -> Sequence[int]:
    """With which a summary begins that is about some of a run's years."""
    named = re.match(r"\d{4}(?:, \d{4})*(?= )", description)
    return [int(year) for year in named[0].split(", ")] if named else ()


def _name_of(check: dg.AssetCheckKey, year: int | None) -> str:
    return f"{check.asset_key.to_user_string()} {check.name} {year or ''}".rstrip()


def _look_at_deadline(instance: dg.DagsterInstance, told: dict[str, Problem]) -> None:
    """As the UI shows it: by what the freshness daemon found of the one asset that is there when the day's data are."""
    key = TODAYS_FIGURES.key
    record = instance.get_freshness_state_records([key]).get(key)
    if record is None or record.freshness_state.value != "FAIL":
        told.pop("deadline", None)
        return
    problem = Problem(
        name="deadline",
        title=f"the day's figures were not ready by {readiness.DEADLINE:%H:%M} in Brasília",
        detail="Readers have those of the last day that was ready, and the dashboard says which.",
        year=None,
        since=_iso(record.updated_at.timestamp()),
        command="deputies-lake status",
    )
    told.setdefault(problem.name, problem)


def _look_at_runs(instance: dg.DagsterInstance, memory: Memory, now: datetime) -> Collection[str]:
    """Failed runs are a problem until one of the same job succeeds for their years. Gives the names of those forgotten.

    A run that Dagster repeats by itself has not failed yet, and one that failed for a check told above is no news.
    """
    told, oldest = memory.problems, now - FORGOTTEN_AFTER
    failed = instance.get_run_records(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=oldest), limit=_MOST_RUNS
    )
    known = {*memory.runs, *(problem.run_id for problem in told.values())}
    memory.runs = [record.dagster_run.run_id for record in failed]
    for record in reversed(failed):
        run = record.dagster_run
        if run.run_id not in known and run.tags.get("dagster/will_retry") != "true":
            for problem in _failures_of(instance, run, record.end_time or now.timestamp()):
                told.setdefault(problem.name, problem)
    standing = {name: problem for name, problem in told.items() if name.startswith(_FAILED_RUN)}
    forgotten = {name for name, problem in standing.items() if datetime.fromisoformat(problem.since) < oldest}
    for name in forgotten | _mended(instance, standing.values()):
        del told[name]
    return forgotten


def _failures_of(instance: dg.DagsterInstance, run: dg.DagsterRun, ended: float) -> Sequence[Problem]:
    """One for each year of the run, so that each is over when it has been made good."""
    job = _job_of(run)
    return [
        Problem(
            name=f"{_FAILED_RUN}{run.job_name} {year or ''}".rstrip(),
            title=f"a run of {job} failed",
            detail=f"{_reason(instance, run)} (run {run.run_id})",
            year=year,
            since=_iso(ended),
            command=_again(run),
            run_id=run.run_id,
        )
        for year in years_of_run(run.tags) or (None,)
    ]


def _mended(instance: dg.DagsterInstance, failures: Collection[Problem]) -> set[str]:
    """The names of those after which a run of the same job succeeded that was about the year, too."""
    by_job: dict[str, list[Problem]] = {}
    for failure in failures:
        by_job.setdefault(failure.name.split(" ")[1], []).append(failure)
    mended = set()
    for job, of_job in by_job.items():
        first = min(datetime.fromisoformat(failure.since) for failure in of_job)
        succeeded = instance.get_run_records(
            dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS], updated_after=first), limit=_MOST_RUNS
        )
        for record in succeeded:
            years = years_of_run(record.dagster_run.tags) or (None,)
            ended = datetime.fromtimestamp(record.end_time or 0, UTC)
            mended |= {f.name for f in of_job if f.year in years and ended >= datetime.fromisoformat(f.since)}
    return mended


def _reason(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """What the step that failed says, or else Dagster."""
    steps = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    events = steps or instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
    event = events[-1].event_log_entry.dagster_event if events else None
    return of_event(event)[:_LONGEST_DETAIL]


def _again(run: dg.DagsterRun) -> str:
    years = {name: run.tags[name] for name in (*RANGE_TAGS, PARTITION_TAG) if name in run.tags}
    if not run.asset_selection or not run.job_name.startswith("__"):
        tags = f" --tags {shlex.quote(json.dumps(years))}" if years else ""
        return f"dagster job execute -m deputies_lake.definitions -j {run.job_name}{tags}"
    keys = sorted(key.to_user_string() for key in run.asset_selection)
    partition = f" --partition {run.tags[PARTITION_TAG]}" if PARTITION_TAG in run.tags else ""
    if years and not partition:
        partition = f" --partition-range {'...'.join(years[name] for name in RANGE_TAGS)}"
    return f"dagster asset materialize -m deputies_lake.definitions --select {','.join(keys)}{partition}"


def _job_of(run: dg.DagsterRun) -> str:
    return "assets" if run.job_name.startswith("__") else run.job_name


def _iso(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="seconds")


def _watched_checks(keys: Iterable[Any]) -> Sequence[dg.AssetCheckKey]:
    audited = {
        dg.AssetCheckKey(key_of(table), check.name)
        for table in tables_of()
        if table.partitioned
        for check in checks_of(table)
        if check.blocking
    }
    return sorted((key for key in keys if key.name in _WATCHED or key in audited), key=str)


def alert_definitions(settings: Settings) -> dg.Definitions:
    """The sensor, on from the start: its log needs no configuration, other targets are nobody's until they are set."""

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells what is wrong: failed runs, files and years not published, files not fetched, unknown "
        "categories, data that are late. Each once, and once when it is over.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        memory = Memory.read(context.cursor)
        repository = context.repository_def
        checks = _watched_checks(repository.asset_graph.asset_check_keys if repository else ())
        found = look(context.instance, checks, memory, settings.environment)
        for alert in found:
            (context.log.info if alert.over else context.log.error)(alert.text)
        deliver(memory, found, targets_of(settings.alerts), context.log.warning)
        said = "; ".join(alert.subject for alert in found) or f"nothing new; {len(memory.problems)} problems stand"
        return dg.SensorResult(skip_reason=said, cursor=memory.write())

    return dg.Definitions(sensors=[alerts])
