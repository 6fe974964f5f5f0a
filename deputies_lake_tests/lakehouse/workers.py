"""What runs in processes of its own: publications that are killed on the way, and publications that race.

The processes come from a fork server that has imported what they need, so that starting one costs milliseconds.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from pyiceberg.catalog import Catalog
from pyiceberg.table.update import snapshot as snapshots

from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.iceberg import commits
from deputies_lake_tests.lakehouse.tables import EXPENSES, publish

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier

PROCESSES = multiprocessing.get_context("forkserver")
# Python has one fork server and one list for it: a second list would take the place of this one, for all tests.
PROCESSES.set_forkserver_preload(
    [__name__, "deputies_lake_tests.resources.emr.cluster", "deputies_lake_tests.resources.emr.assets", "pyspark"]
)


@dataclass(frozen=True)
class Job:
    """Replace these years, or the whole table, by as many rows of each year."""

    counts: Mapping[int, int]
    version: int
    whole: bool = False


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str) -> None:
    setattr(owner, name, die)


def after(owner: Any, name: str) -> None:
    action = getattr(owner, name)
    setattr(owner, name, lambda *args, **kwargs: die(action(*args, **kwargs)))


DEATHS: Mapping[str, Callable[[Catalog], None]] = {
    "after the data files": lambda catalog: before(commits, "inspect_files"),
    "after the manifests": lambda catalog: before(snapshots, "write_manifest_list"),
    "after the manifest list": lambda catalog: before(catalog, "commit_table"),
    "after the metadata": lambda catalog: after(catalog, "_write_metadata"),
    "after the swap": lambda catalog: after(catalog, "commit_table"),
}


def publish_and_die(root: Path, job: Job, point: str) -> None:
    """Publish and be killed at this point of the way."""
    catalog = iceberg.local_catalog(root)
    table = catalog.load_table(EXPENSES.identifier)
    DEATHS[point](catalog)
    publish(table, job.counts, job.version, job.whole)


def publish_at_once(root: Path, job: Job, everyone_is_ready: "Barrier", outcomes: "Queue[str]") -> None:
    """Publish, but wait before the first swap until all others are about to swap too."""
    catalog = iceberg.local_catalog(root)
    table = catalog.load_table(EXPENSES.identifier)
    swap = catalog.commit_table

    def swap_together(*args: Any) -> Any:
        once.stop()
        everyone_is_ready.wait(timeout=30)
        return swap(*args)

    once = mock.patch.object(catalog, "commit_table", swap_together)
    once.start()
    try:
        publish(table, job.counts, job.version, job.whole)
        outcomes.put("published")
    except iceberg.ConcurrentCommitError as refused:
        outcomes.put(str(refused))


def open_at_once(root: Path, everyone_is_ready: "Barrier", outcomes: "Queue[str]") -> None:
    """Open a lake that does not exist yet, and its table."""
    everyone_is_ready.wait(timeout=30)
    outcomes.put(str(iceberg.ensure_table(iceberg.local_catalog(root), EXPENSES).metadata.table_uuid))
