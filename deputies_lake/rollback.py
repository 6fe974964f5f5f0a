"""Giving readers back an earlier version: of a year in all tables from the fact on, or of one table.

The version's files are published again, audited as any others, and held (`lakehouse/holds.py`): runs go on and leave
what is held as it is, for what had to be rolled back is mostly a fault that the next run would make again. That ends
with a release. The reasons are kept in the archive, as acceptances are. Raw and staging, which readers don't see, are
not rolled back. What is said at a terminal is in `cli/rollback.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Final

from deputies_lake import history
from deputies_lake.checks.audit import AuditFailedError, Sums, auditor
from deputies_lake.contracts import Table
from deputies_lake.history import BRASILIA, Version
from deputies_lake.lakehouse.holds import Hold
from deputies_lake.lakehouse.iceberg import StagedFilesError
from deputies_lake.lakehouse.lake import Lake, Staged, Years
from deputies_lake.raw.archive import Archive, Rollback
from deputies_lake.serving import publications
from deputies_lake.serving.assets import expected, publish_rows
from deputies_lake.star import changes, fct_expense_changes, fct_expenses
from deputies_lake.tables import SERVED, served_tables, tables_of

_FACT: Final = fct_expenses.TABLE
_MARTS: Final = tuple(table for table in tables_of("serving") if table.partitioned)


class RollbackError(Exception):
    """What was asked for can't be given back, or released. Says why; nothing was changed."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}. Nothing was changed.")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a person asks for, of one lake: who, why, and to which moment (with a zone; None for the last change)."""

    lake: Lake
    archive: Archive
    reason: str
    by: str
    to: datetime | None = None

    def hold(self, since: datetime) -> Hold:
        return Hold(since=_iso(since), at=_iso(datetime.now(UTC)), by=self.by, reason=self.reason)

    def note(self, hold: Hold | None, *, year: int | None = None, table: str | None = None) -> None:
        """In the archive: what was given back, or, without a hold, released."""
        at = hold.at if hold else _iso(datetime.now(UTC))
        since = hold.since if hold else None
        self.archive.note(Rollback(year=year, table=table, since=since, reason=self.reason, by=self.by, at=at))


@dataclass(frozen=True, kw_only=True)
class RolledBack:
    """What readers have again: the version that was published `since`, by Brasília's clock, in these tables.

    `before` and `after` are a year's rows and BRL: net, of the documents where the source knows no net.
    """

    since: datetime
    tables: Sequence[Table]
    before: tuple[int, Decimal] = (0, Decimal(0))
    after: tuple[int, Decimal] = (0, Decimal(0))


def roll_back_year(request: Request, year: int) -> RolledBack:
    """Give back the year as it stood then, in the fact and the marts, and hold it.

    Raises `RollbackError`, `NoVersionError`, `MissingTableError`, `ConcurrentCommitError`.
    """
    lake = request.lake
    first, wanted, end = _versions_of(request, year)
    hold = request.hold(first.since)
    snapshots = {
        _FACT: wanted.snapshot_id,
        **{mart: _last_before(lake, mart, end) for mart in _MARTS if lake.exists(mart)},
    }
    changed = [
        table for table, then in snapshots.items() if lake.files(table, [year]) != lake.files(table, [year], then)
    ]
    if not changed:
        raise RollbackError(f"{year} stands as it did then")
    run_id = _run_id(hold)
    adds_up = partial(expected, lake, years=[year], snapshot_id=wanted.snapshot_id)
    staged = [_earlier(lake, table, snapshots[table], hold, [year], adds_up) for table in changed]
    before, after = _figures(lake, year), _figures(lake, year, wanted.snapshot_id)
    _publish(lake, staged, run_id)
    for table in snapshots.keys() - {*changed}:
        lake.hold(table, year, hold)
    # As a run does when it has published the fact.
    changes.account(lake, [year], run_id)
    publish_rows(lake, publications.TABLE, partial(publications.rows, lake), run_id)
    request.note(hold, year=year)
    return RolledBack(since=first.since, tables=[*snapshots, publications.TABLE], before=before, after=after)


def roll_back_table(request: Request, name: str) -> RolledBack:
    """Give back a table as it stood then, and hold it. A mart must still add up to the fact, and a dimension keeps the
    members that have come since and are referred to.

    Raises `RollbackError`, `MissingTableError`, `ConcurrentCommitError`.
    """
    lake, table, to = request.lake, _table(name), request.to
    if to is None and None in lake.holds(table):
        raise RollbackError(f"{name} is rolled back already: say to which version, with --to")
    known, files = lake.snapshots(table), lake.files(table)
    earlier = [
        (since, then)
        for since, then in known.items()
        if (since <= to if to else lake.files(table, snapshot_id=then) != files)
    ]
    if not earlier:
        raise RollbackError(f"no such version of {name} is kept; the oldest is of {_clock(min(known))}")
    since, then = earlier[-1]
    if lake.files(table, snapshot_id=then) == files:
        raise RollbackError(f"{name} stands as it did then")
    hold = request.hold(since)
    adds_up = partial(expected, lake, years=None)
    _publish(lake, [_earlier(lake, table, then, hold, None, adds_up)], _run_id(hold))
    request.note(hold, table=name)
    return RolledBack(since=since.astimezone(BRASILIA), tables=[table])


def release_year(request: Request, year: int) -> None:
    """Let runs replace the year again. Raises `RollbackError`."""
    held = [table for table in (*_MARTS, _FACT) if year in request.lake.holds(table)]
    if not held:
        raise RollbackError(f"{year} is not rolled back")
    for table in held:
        request.lake.hold(table, year, None)
    request.note(None, year=year)


def release_table(request: Request, name: str) -> None:
    """Let runs replace the table again. Raises `RollbackError`."""
    table = _table(name)
    if None not in request.lake.holds(table):
        raise RollbackError(f"{name} is not rolled back")
    request.lake.hold(table, None, None)
    request.note(None, table=name)


def _versions_of(request: Request, year: int) -> tuple[Version, Version, Version | None]:
    """The version of the fact that is wanted, the first one with these rows of the year, and the one that ended it."""
    lake, to = request.lake, request.to
    if to is None and year in lake.holds(_FACT):
        raise RollbackError(f"{year} is rolled back already: say to which version, with --to")
    known = history.versions(lake)
    wanted = history.version_at(lake, to) if to else history.before_last_change(lake, year, known[-1])
    files = {version: lake.files(_FACT, [year], version.snapshot_id) for version in known}
    alike = [version for version in known if files[version] == files[wanted]]
    if not files[wanted] or (to is None and alike[-1] == known[-1]):
        raise RollbackError(
            f"no earlier version of {year} with rows is kept; the oldest of {_FACT.identifier} is of "
            f"{_clock(known[0].since)}"
        )
    later = (version for version in known if version.since > wanted.since and files[version] != files[wanted])
    return alike[0], wanted, next(later, None)


def _last_before(lake: Lake, mart: Table, end: Version | None) -> int:
    """The mart's last version from before the fact was changed."""
    known = [then for since, then in lake.snapshots(mart).items() if end is None or since < end.since]
    if not known:
        raise RollbackError(f"no version of {mart.identifier} of that time is kept")
    return known[-1]


def _earlier(lake: Lake, table: Table, then: int, hold: Hold, years: Years, adds_up: Callable[[Table], Sums]) -> Staged:
    try:
        staged = lake.earlier(table, then, _run_id(hold), hold, years, partial(adds_up, table))
    except StagedFilesError as error:
        raise RollbackError(f"that version can't be published any more: {error}") from error
    return staged


def _publish(lake: Lake, staged: Sequence[Staged], run_id: str) -> None:
    try:
        lake.publish(staged, run_id)
    except AuditFailedError as error:
        raise RollbackError(f"that version does not fit what is published beside it: {error}") from error


def _table(name: str) -> Table:
    """One that can be rolled back by itself."""
    table = {one.identifier: one for one in served_tables().values()}.get(name)
    if table is None:
        raise RollbackError(f"there is no table {name} among those that readers see ({' and '.join(SERVED)})")
    if table == _FACT:
        raise RollbackError(f"marts must add up to {name}: roll back a year of all of them, with --year")
    if table == fct_expense_changes.TABLE:
        raise RollbackError(f"{name} is a history, to which rows are only added")
    return table


def _figures(lake: Lake, year: int, snapshot_id: int | None = None) -> tuple[int, Decimal]:
    with auditor() as connection:
        view = lake.view(connection, _FACT, [year], snapshot_id=snapshot_id)
        query = f"SELECT count(*), coalesce(sum(coalesce(net_amount, document_amount)), 0) FROM {view}"
        rows, amount = connection.sql(query).fetchall()[0]
    return rows, amount


def _run_id(hold: Hold) -> str:
    return f"rollback-{datetime.fromisoformat(hold.at):%Y%m%dT%H%M%S}"


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(BRASILIA):%Y-%m-%d %H:%M}"
