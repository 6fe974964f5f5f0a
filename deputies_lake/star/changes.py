"""Which published versions of the fact star.fct_expense_changes has yet to account for, and the rows that do it.

Worked out from the fact's snapshots alone, and from the version of each year that the table says it accounts for: so it
can be made at any later time, whatever became of the run that published the fact. What a comparison finds, and the
table, are in `fct_expense_changes.py`.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial
from itertools import pairwise
from typing import Final, NamedTuple

from deputies_lake.checks.audit import Finding, auditor
from deputies_lake.contracts import YEAR
from deputies_lake.lakehouse.lake import Lake, Published, Row, Standing
from deputies_lake.star import fct_expense_changes, fct_expenses

HISTORY: Final = "history_is_whole"
"""The check that names the years of which a version could not be compared."""

_FACT: Final = fct_expenses.TABLE
_TABLE: Final = fct_expense_changes.TABLE


class _Version(NamedTuple):
    """A snapshot of the fact, and since when (UTC) it stands."""

    since: datetime
    snapshot_id: int


_NOTHING: Final = _Version(datetime.min.replace(tzinfo=UTC), 0)
"""What stood before the first version."""


def account(lake: Lake, years: Collection[int], run_id: str) -> Published:
    """Publish what the versions of these years changed that are not accounted for yet, each since it stands.

    A version whose snapshot was expired, or of which a file is lost, can't be compared: the finding says so, and the
    others are. Raises `MissingTableError` where the fact was never published.
    """
    lake.restore(_TABLE, run_id)
    named = _names(lake, lake.snapshot_id(_FACT))
    current = {year: named.get(year, "") for year in years}
    if lake.exists(_TABLE):
        accounted = lake.intact_versions(_TABLE)
        if all(accounted.get(year, "") == name for year, name in current.items()):
            return lake.verify(_TABLE, years, findings=[_finding(set())])
    lost: set[int] = set()
    staged = lake.add_rows(_TABLE, lambda standing: _changes(lake, years, standing, lost), run_id, years=years)
    [published] = lake.publish([replace(staged, versions=current, findings=[_finding(lost)])], run_id)
    return published


def _changes(lake: Lake, years: Collection[int], standing: Standing, lost: set[int]) -> list[Row]:
    """The rows that `standing` lacks. The years of which a version can't be compared go to `lost`."""
    newest_first = [_Version(*one) for one in lake.snapshots(_FACT).items()][::-1]
    names, lost_years = cache(partial(_names, lake)), cache(partial(lake.lost_years, _FACT))

    def name_of(year: int, version: _Version) -> str:
        return names(version.snapshot_id).get(year, "")

    noted = {row[YEAR]: row["changed_at"] for row in sorted(standing.rows, key=lambda row: row["changed_at"])}
    comparisons: defaultdict[tuple[_Version, _Version], list[int]] = defaultdict(list)
    for year in years:
        candidates, accounted = newest_first, standing.versions.get(year)
        if accounted is None and year in noted:
            # Noted before versions had names, just before its version was published.
            candidates = [one for one in newest_first if one.since >= noted[year].replace(tzinfo=UTC)]
        chain, is_found = _back_to(accounted or "", candidates, partial(name_of, year))
        if not is_found and accounted:
            lost.add(year)
        elif not is_found and year not in noted:
            chain.append(_NOTHING)
        whole = [one for one in chain if one == _NOTHING or year not in lost_years(one.snapshot_id)]
        if len(whole) < len(chain):
            lost.add(year)
        for after, before in pairwise(whole):
            comparisons[before, after].append(year)
    return [row for pair, of_pair in comparisons.items() for row in _compared(lake, *pair, of_pair)]


def _back_to(
    name: str, newest_first: Sequence[_Version], name_of: Callable[[_Version], str]
) -> tuple[list[_Version], bool]:
    """The versions from the newest to the one of that name, and whether that one is kept.

    Where several snapshots have one version, the oldest: the one that published it.
    """
    chain: list[_Version] = []
    last = None
    for version in newest_first:
        found = name_of(version)
        if found == last:
            chain[-1] = version
        else:
            chain.append(version)
        last = found
        if found == name:
            break
    return chain, last == name


def _compared(lake: Lake, before: _Version, after: _Version, years: Sequence[int]) -> list[Row]:
    with auditor() as connection:
        lake.view(connection, _FACT, years, snapshot_id=after.snapshot_id, name="after")
        if before == _NOTHING:
            connection.execute("CREATE TEMP VIEW before AS FROM after WHERE false")
        else:
            lake.view(connection, _FACT, years, snapshot_id=before.snapshot_id, name="before")
        return fct_expense_changes.rows(fct_expense_changes.changes(connection), after.since)


def _names(lake: Lake, snapshot_id: int) -> Mapping[int, str]:
    """Of each year a name for the files that a snapshot has of it. Where the lake lies does not matter."""
    return {
        year: hashlib.sha256("\0".join(file.rpartition("/data/")[2] for file in files).encode()).hexdigest()[:16]
        for year, files in lake.files_by_year(_FACT, snapshot_id).items()
    }


def _finding(lost: Collection[int]) -> Finding:
    if not lost:
        return Finding(check=HISTORY, passed=True, blocking=False, summary="every version was compared with the next")
    years = ", ".join(map(str, sorted(lost)))
    return Finding(
        check=HISTORY,
        passed=False,
        blocking=False,
        summary=f"{years}: a version of star.fct_expenses is not kept any more, or has lost a file; what it changed, "
        "and what changed from it to the next, is not known",
    )
