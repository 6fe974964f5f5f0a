"""How the lake is: what is fresh, what is late, what is blocked and why, and what to type next.

From the tables and the landing zone, and, where there is one on this machine, from Dagster's instance. No Java. How it
is said at a terminal is in `cli/status.py`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from deputies_lake.alerts import Problem
from deputies_lake.contracts import YEAR
from deputies_lake.environments import SECRETS, VARIABLES, Environment, Settings, values
from deputies_lake.lakehouse.damage import REPAIR, DamagedTableError
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.problems import problems_of
from deputies_lake.quota_years import FIRST_YEAR, current_year
from deputies_lake.raw import chamber_expenses, file_versions, kaggle_refunds, kaggle_reimbursements
from deputies_lake.raw.archive import Archive
from deputies_lake.raw.rejections import Rejections, told
from deputies_lake.raw.unused_files import UnusedFile, unused_files
from deputies_lake.resources.files import FilesResource
from deputies_lake.serving import readiness
from deputies_lake.serving.citation import is_invented
from deputies_lake.star import fct_expenses

if TYPE_CHECKING:
    import dagster as dg

DAYS: Final = 14
"""So many days of readiness are told."""

_RUNS: Final = 5
_SINGLE_FILES: Final = (
    (kaggle_reimbursements.CSV, kaggle_reimbursements.TABLE),
    (kaggle_refunds.CSV, kaggle_refunds.TABLE),
)
_HIDDEN: Final = "(set, and hidden)"


@dataclass(frozen=True, kw_only=True)
class TableStatus:
    """A published table: since when its newest version stands, its rows, and the quota years it has, if it has any.

    `engine` computed what was published last; None of a table that needs none.
    """

    name: str
    published_at: datetime
    rows: int
    years: Sequence[int]
    engine: str | None


@dataclass(frozen=True, kw_only=True)
class FileStatus:
    """The file of a year that readers have: when the House made it, and when it was taken in."""

    year: int
    file_name: str
    made_at: datetime | None
    taken_in_at: datetime


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """A file that was not published; readers keep what they had. `year` is None of a file that has all years.

    One that `can_be_accepted` is not believed, any other can't be read. One that `is_accepted` waits to be published.
    """

    source_code: str
    year: int | None
    file_name: str
    since: datetime
    why: str
    can_be_accepted: bool
    is_accepted: bool


@dataclass(frozen=True, kw_only=True)
class RejectedLines:
    """A file that readers have without those of its lines that can't be read; `told` says how many."""

    file_name: str
    told: str


@dataclass(frozen=True, kw_only=True)
class RolledBack:
    """What readers were given back, a year or a table, and no run replaces: the version that was published `since`."""

    what: str
    since: datetime
    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Morning:
    """A day and its deadline. `ready_at` is None as long as its figures are not ready, or were not measured."""

    day: date
    ready_at: datetime | None
    is_in_time: bool


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """A run of Dagster: `years` as a partition or a range of them, `started_at` None while it waits."""

    run_id: str
    job: str
    years: str
    status: str
    started_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class InstanceStatus:
    """Dagster's own: the last runs, and whether each daemon, sensor and schedule is on.

    Sensors and schedules that nobody has switched, and no daemon has seen, are not among them.
    """

    runs: Sequence[RunStatus]
    daemons: Mapping[str, bool]
    switches: Mapping[str, bool]


@dataclass(frozen=True, kw_only=True)
class Status:
    """All of it. Moments carry a zone. `instance` is None where no Dagster is set up on this machine.

    `is_invented` where no row is real; `late_since` is the deadline that was missed, None where nothing is late;
    `damaged` says of which tables a file is lost; `problems` are runs that ended badly, and years of which readers do
    not have the file that was taken in; `next_commands` mend what is not well.
    """

    environment: Environment
    at: datetime
    is_invented: bool
    tables: Sequence[TableStatus]
    files: Sequence[FileStatus]
    blocked: Sequence[Blocked]
    rejected: Sequence[RejectedLines]
    unused: Sequence[UnusedFile]
    rolled_back: Sequence[RolledBack]
    deadline: datetime
    late_since: datetime | None
    mornings: Sequence[Morning]
    instance: InstanceStatus | None
    next_commands: Sequence[str]
    damaged: Sequence[str]
    problems: Sequence[Problem]

    @property
    def is_well(self) -> bool:
        """Whether nothing is late, blocked, damaged or a problem. An empty lake is well: nothing was promised."""
        is_sound = not (self.damaged or self.problems)
        return self.late_since is None and is_sound and all(one.is_accepted for one in self.blocked)


def status_of(lake: Lake, settings: Settings, instance: "dg.DagsterInstance | None", now: datetime) -> Status:
    """Read it all. `instance` is None where there is none; `now` has a zone."""
    # A table that is to be made again reads others: first all must be such that can be read.
    damaged = sorted(lake.damaged(), key=lambda error: not error.remedy.startswith(REPAIR))
    is_lost = {error.table for error in damaged}
    tables = _tables(lake, is_lost)
    files = FilesResource.of(settings)
    archive = files.open_archive()
    last, standing = _decisions(lake) if file_versions.TABLE.identifier not in is_lost else ({}, {})
    blocked = [*_blocked_years(archive, last), *_blocked_files(archive)]
    rolled_back = [*_rolled_back(lake, is_lost)]
    invented = _is_invented(lake)
    # Nobody publishes invented files in the morning, so none is waited for.
    can_be_late = not (
        invented or is_lost.intersection({readiness.TABLE.identifier, chamber_expenses.TABLE.identifier})
    )
    measured = readiness.first_of_days(lake.rows(readiness.TABLE)) if can_be_late else {}
    late_since = _late_since(measured, now) if can_be_late and readiness.is_of_house(lake) else None
    held = {int(one.what) for one in rolled_back if one.what.isdigit()}
    problems = problems_of(
        lake, instance, now, standing=standing, damaged=is_lost, held=held, environment=settings.environment
    )
    return Status(
        environment=settings.environment,
        at=now,
        is_invented=invented,
        tables=tables,
        files=[_file(row) for _, row in sorted(standing.items())],
        blocked=blocked,
        unused=unused_files(files.landing_zone().files()),
        rolled_back=rolled_back,
        rejected=[*_rejected_of_years(standing), *_rejected_of_files(lake, archive, is_lost)],
        deadline=readiness.deadline_of(readiness.day_of(now)),
        late_since=late_since,
        mornings=_mornings(measured, now),
        instance=_instance(instance) if instance else None,
        next_commands=[
            *(error.remedy for error in damaged),
            *dict.fromkeys(problem.command for problem in problems),
            *_next_commands(settings, tables, blocked, rolled_back, is_late=late_since is not None),
        ],
        damaged=[str(error) for error in damaged],
        problems=problems,
    )


def _is_invented(lake: Lake) -> bool:
    try:
        return is_invented(lake)
    except DamagedTableError:
        # The table that knows it is among those that are told.
        return False


def settings_in_use() -> Mapping[str, tuple[str, str]]:
    """Of each variable: its value, and what it means. A secret's value is not shown."""
    given = values(VARIABLES)
    return {
        name: (_HIDDEN if name in given and name in SECRETS else given.get(name, ""), meaning)
        for name, meaning in VARIABLES.items()
    }


def _tables(lake: Lake, damaged: Collection[str]) -> Sequence[TableStatus]:
    """The published ones, without those that are damaged."""
    from deputies_lake.tables import tables_of

    return [
        TableStatus(
            name=contract.identifier,
            published_at=max(lake.snapshots(contract)),
            rows=rows[contract.identifier],
            years=lake.years(contract) if contract.partitioned else (),
            engine=lake.engine_of(contract),
        )
        for rows in [dict(lake.overview())]
        for contract in tables_of()
        if contract.identifier in rows and contract.identifier not in damaged
    ]


def _rolled_back(lake: Lake, damaged: Collection[str]) -> Iterator[RolledBack]:
    """Of a year the fact tells it, for the marts are rolled back with it."""
    from deputies_lake.tables import SERVED, tables_of

    for contract in tables_of(*SERVED):
        if contract.identifier not in damaged:
            for year, hold in lake.holds(contract).items():
                if year is None or contract == fct_expenses.TABLE:
                    yield RolledBack(
                        what=str(year or contract.identifier),
                        since=datetime.fromisoformat(hold.since),
                        at=datetime.fromisoformat(hold.at),
                        by=hold.by,
                        reason=hold.reason,
                    )


def _decisions(lake: Lake) -> tuple[Mapping[int, Mapping[str, Any]], Mapping[int, Mapping[str, Any]]]:
    """Year by year the last decision, and the last by which something was published."""
    rows = sorted(lake.rows(file_versions.TABLE), key=lambda row: row["decided_at"])
    last = {row[YEAR]: row for row in rows}
    return last, {row[YEAR]: row for row in rows if file_versions.is_believed(row)}


def _blocked_years(archive: Archive, last: Mapping[int, Mapping[str, Any]]) -> Iterator[Blocked]:
    for year, row in sorted(last.items()):
        if not file_versions.is_believed(row):
            yield Blocked(
                source_code=row["source_code"],
                year=year,
                file_name=row["file_name"],
                since=row["decided_at"].replace(tzinfo=UTC),
                why=row["faults"] or "",
                can_be_accepted=row["decision"] == file_versions.BLOCKED,
                is_accepted=archive.acceptance(chamber_expenses.CSV, row["sha256"]) is not None,
            )


def _blocked_files(archive: Archive) -> Iterator[Blocked]:
    for source, _ in _SINGLE_FILES:
        if refusal := archive.refusal(source):
            yield Blocked(
                source_code=source.source_code,
                year=None,
                file_name=refusal.file_name,
                since=datetime.fromisoformat(refusal.at),
                why=f"{refusal.problem}. {refusal.remedy}",
                can_be_accepted=refusal.can_be_accepted,
                is_accepted=archive.acceptance(source, refusal.sha256) is not None,
            )


def _rejected_of_years(standing: Mapping[int, Mapping[str, Any]]) -> Iterator[RejectedLines]:
    for _, row in sorted(standing.items()):
        if row["rejected_rows"]:
            rejections = Rejections(rows=row["rejected_rows"], amount=row["rejected_amount"])
            yield RejectedLines(file_name=row["file_name"], told=told(rejections, rows=row["rows"]))


def _rejected_of_files(lake: Lake, archive: Archive, damaged: Collection[str]) -> Iterator[RejectedLines]:
    for source, table in _SINGLE_FILES:
        is_known = table.identifier not in damaged and lake.exists(table)
        version = lake.data_version(table) if is_known else None
        manifest = archive.manifest(source, version) if version else None
        if manifest and manifest.rejected_rows:
            yield RejectedLines(file_name=manifest.file_name, told=told(manifest.rejections, rows=manifest.rows))


def _file(row: Mapping[str, Any]) -> FileStatus:
    return FileStatus(
        year=row[YEAR],
        file_name=row["file_name"],
        made_at=row["modified_at"].replace(tzinfo=UTC) if row["modified_at"] else None,
        taken_in_at=row["decided_at"].replace(tzinfo=UTC),
    )


def _mornings(measured: Mapping[date, Mapping[str, Any]], now: datetime) -> Sequence[Morning]:
    today = readiness.day_of(now)
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    return [
        Morning(
            day=day,
            ready_at=measured[day]["ready_at"].replace(tzinfo=UTC) if day in measured else None,
            is_in_time=day in measured and measured[day]["is_in_time"],
        )
        for day in days
    ]


def _late_since(measured: Iterable[date], now: datetime) -> datetime | None:
    """The first deadline after the last day that was ready, if it has passed; where none was, the last one."""
    today = readiness.day_of(now)
    due = today if now >= readiness.deadline_of(today) else today - timedelta(days=1)
    last = max(measured, default=due - timedelta(days=1))
    return readiness.deadline_of(last + timedelta(days=1)) if last < due else None


def _instance(instance: "dg.DagsterInstance") -> InstanceStatus:
    records = instance.get_run_records(limit=_RUNS)
    daemons = instance.get_daemon_statuses()
    return InstanceStatus(
        runs=[
            RunStatus(
                run_id=record.dagster_run.run_id,
                job="assets" if record.dagster_run.job_name.startswith("__") else record.dagster_run.job_name,
                years=_years(record.dagster_run.tags),
                status=record.dagster_run.status.value,
                started_at=datetime.fromtimestamp(record.start_time, UTC) if record.start_time else None,
            )
            for record in records
        ],
        daemons={name: bool(daemon.healthy) for name, daemon in sorted(daemons.items())},
        switches={state.instigator_name: state.is_running for state in instance.all_instigator_state()},
    )


def _years(tags: Mapping[str, str]) -> str:
    from deputies_lake.partitions import years_of_run

    years = years_of_run(tags)
    return "..".join(str(year) for year in sorted({*years[:1], *years[-1:]}))


def _next_commands(
    settings: Settings,
    tables: Sequence[TableStatus],
    blocked: Sequence[Blocked],
    rolled_back: Sequence[RolledBack],
    *,
    is_late: bool,
) -> Sequence[str]:
    env = "" if settings.environment is Environment.LOCAL else f" --env {settings.environment}"
    if not tables:
        return ["make demo"] if settings.home else [f"deputies-lake fetch{env}"]
    commands = [command for one in blocked for command in _after(one, env)]
    for one in rolled_back:
        which = f"--year {one.what}" if one.what.isdigit() else one.what
        commands.append(f'deputies-lake rollback {which}{env} --release --reason "..."  # once runs may replace it')
    if is_late:
        year = current_year()
        commands.append(
            f"dagster asset materialize -m deputies_lake.definitions --select '*' --partition-range {year - 1}...{year}"
        )
    return commands


def _after(blocked: Blocked, env: str) -> Iterator[str]:
    """What to type about a file that was not published."""
    of_all_years = f"--partition-range {FIRST_YEAR}...{current_year()}"
    years = f"--partition {blocked.year}" if blocked.year else of_all_years
    publish = f"dagster asset materialize -m deputies_lake.definitions --select '*' {years}"
    if blocked.is_accepted:
        yield publish
        return
    if blocked.year:
        yield f"deputies-lake history --year {blocked.year}{env}"
    if blocked.can_be_accepted:
        which = f"--year {blocked.year}" if blocked.year else f"--source {blocked.source_code}"
        yield f'deputies-lake accept {which}{env} --reason "..."  # if the file is right'
    else:
        yield f"{publish}  # once the right file is in its place"
