"""Which figures stood on a given day, and what changed in a year between two days.

From the snapshots of the fact as long as they are kept; what was decided about each of the House's files is in
raw.file_versions for good. How it is said at a terminal is in `cli/history.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from deputies_lake.checks.audit import auditor
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.quota_years import TIMEZONE
from deputies_lake.raw import file_versions, kaggle_reimbursements
from deputies_lake.star import dim_expense_categories, fct_expense_changes, fct_expenses

BRASILIA = ZoneInfo(TIMEZONE)

_WITHOUT_NET: Final = kaggle_reimbursements.CSV.source_code

_IN_ALL: Final = f"""
    SELECT
        count(DISTINCT expense_category_key),
        sum(amount) FILTER (moment = 'before'),
        sum(amount) FILTER (moment = 'after')
    FROM (
        SELECT
            moment, expense_category_key,
            CASE source_code WHEN '{_WITHOUT_NET}' THEN document_amount ELSE net_amount END AS amount
        FROM (SELECT 'before' AS moment, * FROM before UNION ALL BY NAME SELECT 'after' AS moment, * FROM after)
    )
"""


class NoVersionError(Exception):
    """No version of the fact can be read for a day. Says from when on there is one."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of the fact that can be read, and since when it stood, by the House's clock."""

    since: datetime
    snapshot_id: int


@dataclass(frozen=True, kw_only=True)
class Change:
    """What changed in a category of a year. Amounts are net BRL, of the documents where the source knows no net."""

    category: str
    rows_added: int
    rows_removed: int
    rows_altered: int
    before: Decimal
    after: Decimal


@dataclass(frozen=True, kw_only=True)
class Diff:
    """What changed in a year, and what it held `before` and `after` in all, in BRL as its `changes` count them.

    `unchanged` is how many categories stayed as they were.
    """

    changes: Sequence[Change]
    unchanged: int
    before: Decimal
    after: Decimal

    @property
    def unchanged_amount(self) -> Decimal:
        return self.before - sum((change.before for change in self.changes), Decimal(0))


def versions(lake: Lake) -> Sequence[Version]:
    """Those of the fact that can be read, the oldest first. Raises `MissingTableError`."""
    found = lake.snapshots(fct_expenses.TABLE)
    return [Version(since=since.astimezone(BRASILIA), snapshot_id=snapshot) for since, snapshot in found.items()]


def version_on(lake: Lake, day: date) -> Version:
    """The version that stood at the end of a day in Brasília. Raises `NoVersionError`, `MissingTableError`."""
    return version_at(lake, datetime.combine(day, time.max, BRASILIA))


def version_at(lake: Lake, moment: datetime) -> Version:
    """The version that stood at a moment, which has a zone. Raises `NoVersionError`, `MissingTableError`."""
    known = versions(lake)
    standing = [version for version in known if version.since <= moment]
    if not standing:
        raise NoVersionError(
            f"no version of {fct_expenses.TABLE.identifier} of {moment.astimezone(BRASILIA):%Y-%m-%d} is kept; the "
            f"oldest is of {known[0].since:%Y-%m-%d}. What was published before it is in "
            f"{file_versions.TABLE.identifier}."
        )
    return standing[-1]


def before_last_change(lake: Lake, year: int, after: Version) -> Version:
    """The last version before `after` in which the year was another; `after` itself where none is kept."""
    files = lake.files(fct_expenses.TABLE, [year], after.snapshot_id)
    earlier = (version for version in reversed(versions(lake)) if version.since < after.since)
    others = (v for v in earlier if lake.files(fct_expenses.TABLE, [year], v.snapshot_id) != files)
    return next(others, after)


def diff(lake: Lake, year: int, before: Version, after: Version, rows_to: Path | None = None) -> Diff:
    """What differs in a year between two versions, by category; each row that does, as CSV, where a file is given.

    Raises `MissingTableError`.
    """
    with auditor() as connection:
        for name, version in (("before", before), ("after", after)):
            lake.view(connection, fct_expenses.TABLE, [year], snapshot_id=version.snapshot_id, name=name)
        found = fct_expense_changes.changes(connection)
        in_all = connection.sql(_IN_ALL).fetchone() or (0, None, None)
        if rows_to:
            fct_expense_changes.changed_rows(connection).write_csv(str(rows_to), header=True)
    categories = {row["expense_category_key"]: row["name_pt"] for row in lake.rows(dim_expense_categories.TABLE)}
    return Diff(
        changes=[_change(change, categories) for change in found],
        unchanged=in_all[0] - len(found),
        before=in_all[1] or Decimal(0),
        after=in_all[2] or Decimal(0),
    )


def decisions(lake: Lake, year: int) -> Sequence[Mapping[str, Any]]:
    """The year's rows of raw.file_versions, the oldest first."""
    return sorted(lake.rows(file_versions.TABLE, [year]), key=lambda row: row["decided_at"])


def _change(change: Mapping[str, Any], categories: Mapping[int, str]) -> Change:
    def amount(moment: str) -> Decimal:
        measure = "document" if change[f"source_{moment}"] == _WITHOUT_NET else "net"
        return Decimal(change[f"{measure}_{moment}"])

    return Change(
        category=categories.get(change["expense_category_key"], "?"),
        rows_added=change["rows_added"],
        rows_removed=change["rows_removed"],
        rows_altered=change["rows_altered"],
        before=amount("before"),
        after=amount("after"),
    )
