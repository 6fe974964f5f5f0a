"""A publication that is killed on its way leaves the old version or the new one, never something between."""

import signal
from datetime import timedelta
from pathlib import Path

import pytest
from pyiceberg.table import Table

from deputies_lake_tests.lakehouse.tables import counts, publish, remove_orphans
from deputies_lake_tests.lakehouse.workers import DEATHS, PROCESSES, Job, publish_and_die

OLD = {(2018, 1): 3, (2019, 1): 2, (2020, 1): 1}
NEW = {(2018, 1): 3, (2019, 2): 4, (2020, 2): 5}
JOB = Job({2019: 4, 2020: 5}, version=2)


@pytest.mark.parametrize("point", DEATHS)
def test_a_killed_publication_is_all_or_nothing(table: Table, root: Path, point: str) -> None:
    publish(table, {2018: 3, 2019: 2, 2020: 1})
    killed = PROCESSES.Process(target=publish_and_die, args=(root, JOB, point))
    killed.start()
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL

    published = point == "after the swap"
    assert counts(table.refresh()) == (NEW if published else OLD)

    left_behind = remove_orphans(table, older_than=timedelta(0))
    assert bool(left_behind) is not published
    assert counts(table) == (NEW if published else OLD)

    publish(table, JOB.counts, JOB.version)
    assert counts(table) == NEW
    assert remove_orphans(table, older_than=timedelta(0)) == []
