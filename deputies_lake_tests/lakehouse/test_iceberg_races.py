"""Publications at the same time: different years survive, of the same rows one wins, readers see no mix."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from pyiceberg.table import Table

from deputies_lake.lakehouse import iceberg
from deputies_lake_tests.lakehouse.tables import EXPENSES, counts, publish
from deputies_lake_tests.lakehouse.workers import PROCESSES, Job, open_at_once, publish_at_once

ONE_YEAR = [Job({2019: 3}, version) for version in (2, 3, 4, 5)]


def run_together(target: Callable[..., None], arguments: Sequence[tuple[Any, ...]]) -> list[str]:
    """One process for each set of arguments; what each of them reported."""
    barrier, outcomes = PROCESSES.Barrier(len(arguments)), PROCESSES.Queue()
    processes = [PROCESSES.Process(target=target, args=(*args, barrier, outcomes)) for args in arguments]
    for process in processes:
        process.start()
    reports = [outcomes.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    return reports


def race(root: Path, jobs: Sequence[Job]) -> list[str]:
    return run_together(publish_at_once, [(root, job) for job in jobs])


def test_processes_that_open_a_new_lake_at_once_share_one_table(root: Path) -> None:
    assert len(set(run_together(open_at_once, [(root,)] * 4))) == 1


@pytest.mark.parametrize("before", [{}, {2018: 1, 2019: 1, 2020: 1, 2021: 1, 2022: 1}], ids=["empty", "filled"])
def test_different_years_all_survive(table: Table, root: Path, before: Mapping[int, int]) -> None:
    if before:
        publish(table, before)
    reports = race(root, [Job({year: 2}, version=2) for year in (2019, 2020, 2021, 2022)])
    assert reports == ["published"] * 4
    after = {(year, 2): 2 for year in (2019, 2020, 2021, 2022)}
    assert counts(table.refresh()) == ({(2018, 1): 1} | after if before else after)
    assert {table.properties[f"version.{year}"] for year in (2019, 2020, 2021, 2022)} == {"2"}


@pytest.mark.parametrize(
    ("before", "jobs"),
    [
        ({2018: 1, 2019: 2}, ONE_YEAR),
        ({2018: 1}, ONE_YEAR),
        ({}, ONE_YEAR),
        ({}, [Job({2019: 3}, version, whole=True) for version in (2, 3)]),
        ({2018: 1, 2019: 2}, [Job({2019: 3}, 2), Job({2018: 5, 2019: 5}, 3, whole=True)]),
        ({2018: 1, 2019: 2}, [Job({2019: 3}, 2), Job({2019: 0}, 3)]),
        ({2018: 1, 2019: 2}, [Job({2018: 3, 2019: 3}, 2), Job({2019: 3, 2020: 3}, 3)]),
    ],
    ids=[
        "a year",
        "a new year",
        "first load",
        "first load, whole",
        "a year, whole",
        "a year, emptied",
        "overlap",
    ],
)
def test_of_the_same_rows_one_publication_wins(
    table: Table, root: Path, before: Mapping[int, int], jobs: Sequence[Job]
) -> None:
    if before:
        publish(table, before)
    reports = race(root, jobs)
    refused = [report for report in reports if report != "published"]
    assert len(refused) == len(jobs) - 1
    for report in refused:
        assert "star.fct_expenses" in report
        assert "2019" in report or "the whole table" in report
        assert "A step is repeated by itself" in report

    def result(job: Job) -> dict[tuple[int, int], int]:
        kept = {} if job.whole else {(y, 1): n for y, n in before.items() if y not in job.counts}
        return kept | {(year, job.version): count for year, count in job.counts.items() if count}

    assert counts(table.refresh()) in [result(job) for job in jobs]
    publish(table, {2019: 9}, version=9)
    assert counts(table)[2019, 9] == 9


def test_a_reader_never_sees_two_versions(table: Table, root: Path) -> None:
    years = {2018: 3, 2019: 4, 2020: 5}
    publish(table, years)
    done, seen, torn = Event(), set[int](), list[dict[tuple[int, int], int]]()

    def read() -> None:
        reader = iceberg.local_catalog(root).load_table(EXPENSES.identifier)
        while not done.is_set():
            found = counts(reader.refresh())
            versions = {version for _, version in found}
            seen.update(versions)
            if len(versions) != 1 or {year: n for (year, _), n in found.items()} != years:
                torn.append(found)

    readers = [Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for version in range(2, 100):
        publish(table, years, version, whole=True)
        if version > 10 and len(seen) > 3:
            break
    done.set()
    for reader in readers:
        reader.join(30)
    assert torn == []
    assert len(seen) > 3, "the readers were too slow to prove anything"
