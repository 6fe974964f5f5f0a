"""The sensor of alerts: what is wrong now, told once when it begins and once when it is over.

It looks at what Dagster knows, not into the lake, in which the host of a deployment may not read all. Dagster's own
run-failure sensors tell each run, not each state: they would repeat themselves every minute, never say that it is
over, and forget what a target did not take. What an alert is, and how it travels, is in `alerts.py` and
`alert_targets.py`.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Self

import dagster as dg

from deputies_lake.alert_targets import NotSentError, Target, targets_of
from deputies_lake.alerts import Alert, Problem, alerts_of
from deputies_lake.assets import key_of
from deputies_lake.automation.run_problems import FORGOTTEN_AFTER, LONGEST_DETAIL, NAMED, run_problems
from deputies_lake.checks.predicates import KNOWN, checks_of
from deputies_lake.environments import Environment, Settings
from deputies_lake.partitions import years_of_run
from deputies_lake.raw.assets import FILES_WERE_FETCHED
from deputies_lake.raw.intake import FILES_ARE_READABLE, NOTHING_VANISHED
from deputies_lake.serving import readiness
from deputies_lake.serving.assets import TODAYS_FIGURES
from deputies_lake.tables import tables_of

INTERVAL_SECONDS: Final = 60

MOST_TRIES: Final = 120
"""Two hours of looks. What a target did not take by then is in the log only."""

_MOST_WAITING: Final = 50
"""For each target. The oldest go first: what comes last says how things are."""

_EVALUATIONS: Final = 50
"""Of each check, at each look. More than can happen between two looks, so that none is missed whatever their order."""


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
    forgotten = _look_at_runs(instance, memory, datetime.now(UTC), environment)
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
            detail=detail[:LONGEST_DETAIL],
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


def _look_at_runs(
    instance: dg.DagsterInstance, memory: Memory, now: datetime, environment: Environment
) -> Collection[str]:
    """Gives the names of those that stand no more only because they are too old.

    A run that failed for a check told above is no news, also when the check is well again.
    """
    told, oldest = memory.problems, now - FORGOTTEN_AFTER
    standing = run_problems(instance, now, is_local=environment is Environment.LOCAL)
    known = {*memory.runs, *(problem.run_id for problem in told.values())}
    memory.runs = sorted({problem.run_id for problem in standing})
    for problem in standing:
        if problem.run_id not in known:
            told.setdefault(problem.name, problem)
    over = {name: problem for name, problem in told.items() if name.startswith(NAMED)}
    for problem in standing:
        over.pop(problem.name, None)
    for name in over:
        del told[name]
    return {name for name, problem in over.items() if datetime.fromisoformat(problem.since) < oldest}


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
        description="Tells what is wrong: runs that ended badly, files and years not published, files not fetched, "
        "unknown categories, data that are late. Each once, and once when it is over.",
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
