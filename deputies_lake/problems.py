"""What is wrong now, as `status` tells it: of Dagster's runs, and of years that came no further than raw.

Which runs are a problem is said in `automation/run_problems.py`, which alerts read, too. Files that were refused,
damaged tables and missed deadlines are told in `status.py` itself.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from deputies_lake.alerts import Problem
from deputies_lake.contracts import YEAR
from deputies_lake.environments import Environment
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.raw import kaggle_reimbursements
from deputies_lake.serving import publications

if TYPE_CHECKING:
    import dagster as dg


def problems_of(
    lake: Lake,
    instance: "dg.DagsterInstance | None",
    now: datetime,
    *,
    standing: Mapping[int, Mapping[str, Any]],
    damaged: Collection[str],
    held: Collection[int],
    environment: Environment,
) -> Sequence[Problem]:
    """All that stand.

    Args:
        instance: Dagster's, where there is one.
        now: with a zone.
        standing: of each year the last row of raw.file_versions by which something was published.
        damaged: identifiers of tables that can't be read.
        held: years of which readers were given an earlier version.
        environment: runs are processes of this machine in the local one.
    """
    if instance is None:
        return [*_behind(lake, standing, damaged, held)]
    # Both load Dagster, which takes seconds.
    from deputies_lake.automation.run_problems import run_problems
    from deputies_lake.automation.runs import years_under_way

    # What a run is at work on will be there soon.
    expected = {*held, *years_under_way(instance)}
    is_local = environment is Environment.LOCAL
    return [*run_problems(instance, now, is_local=is_local), *_behind(lake, standing, damaged, expected)]


def _behind(
    lake: Lake, standing: Mapping[int, Mapping[str, Any]], damaged: Collection[str], expected: Collection[int]
) -> Iterator[Problem]:
    """The years whose figures are not of the file that raw has: what came after it was cancelled, or never begun."""
    if {publications.TABLE.identifier, kaggle_reimbursements.TABLE.identifier}.intersection(damaged):
        return
    had = {row[YEAR]: row for row in lake.rows(publications.TABLE)}
    files = {
        year: (row["file_name"], row["sha256"], row["decided_at"].replace(tzinfo=UTC))
        for year, row in standing.items()
        # Of a file without rows there is nothing to publish.
        if row["rows"]
    }
    kaggle = kaggle_reimbursements.TABLE
    if lake.exists(kaggle):
        file = (kaggle_reimbursements.CSV.file_names[0], lake.data_version(kaggle), max(lake.snapshots(kaggle)))
        # Of a year all rows may have been rejected: what readers have says which years the file gives them.
        given = [year for year, row in had.items() if row["source_code"] == kaggle_reimbursements.CSV.source_code]
        files |= {year: file for year in given or lake.years(kaggle) if year not in standing}
    for year, (name, sha256, since) in sorted(files.items()):
        if year not in expected and (year not in had or had[year]["sha256"] != sha256):
            yield Problem(
                name=f"behind {year}",
                title="readers do not have the file that was taken in",
                detail=f"{name} ({str(sha256)[:12]}) was taken in, and the tables after raw were not made from it",
                year=year,
                since=since.isoformat(timespec="seconds"),
                command=f"dagster asset materialize -m deputies_lake.definitions --select '*' --partition {year}",
            )
