"""What is cleaned up: snapshots that were replaced long ago, and files to which no snapshot refers."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pyarrow.fs as pafs
from pyiceberg.exceptions import (
    CommitFailedException,
)
from pyiceberg.io.pyarrow import (
    PyArrowFileIO,
)
from pyiceberg.table import Table

from deputies_lake.lakehouse.damage import reading_metadata
from deputies_lake.lakehouse.iceberg.catalogs import identifier, name_of, repeated
from deputies_lake.lakehouse.iceberg.files import FILES_AT_ONCE, filesystem_of, path_of


@dataclass(frozen=True, kw_only=True)
class Orphan:
    """A file below a table to which no version of it refers. `size` is in bytes."""

    location: str
    size: int


def outlived(table: Table, *, keep: timedelta, fewest: int = 1) -> list[int]:
    """The versions that were replaced longer than `keep` ago, without the newest `fewest` and those that are tagged.

    What counts is when a version was replaced, not when it was made: a reader may have started on a year-old
    version a minute before.
    """
    limit = (datetime.now(UTC) - keep).timestamp() * 1000
    named = {ref.snapshot_id for ref in table.metadata.refs.values()}
    history = sorted(table.snapshots(), key=lambda snapshot: snapshot.sequence_number or 0)
    replaced = [*pairwise(history)][: max(0, len(history) - fewest)]
    return [
        snapshot.snapshot_id
        for snapshot, successor in replaced
        if successor.timestamp_ms < limit and snapshot.snapshot_id not in named
    ]


def expire_snapshots(table: Table, *, keep: timedelta, fewest: int = 1) -> list[int]:
    """Forget the versions that are `outlived`, and say which. Their files are `orphans` from then on."""

    def expire() -> list[int]:
        expired = outlived(table.refresh(), keep=keep, fewest=fewest)
        if expired:
            table.maintenance.expire_snapshots().by_ids(expired).commit()
        return expired

    return repeated(expire, CommitFailedException)


def orphans(table: Table, *, older_than: timedelta, forgotten: Collection[int] = ()) -> list[Orphan]:
    """The files below the table to which no version refers. They can be deleted: nobody reads or will publish them.

    Args:
        table: refreshed by the call.
        older_than: must exceed the longest time between the staging of a file and its commit.
        forgotten: versions that count as expired already.

    Raises:
        RuntimeError: none of the files that the table refers to was found, so the listing can't be trusted.
    """
    scheme, _, root = PyArrowFileIO.parse_location(table.location())
    limit = datetime.now(UTC) - older_than
    listed = [i for i in filesystem_of(table).get_file_info(pafs.FileSelector(root, recursive=True)) if i.is_file]
    # Only now: what was published since the listing began must count as referenced.
    referenced = _referenced_paths(table.refresh(), forgotten)
    if referenced.isdisjoint(info.path for info in listed):
        raise RuntimeError(
            f"{name_of(table)}: no file of the table was found below {table.location()}; nothing deleted"
        )
    return [
        Orphan(location=f"{scheme}://{info.path}", size=info.size)
        for info in listed
        if info.path not in referenced and info.mtime < limit
    ]


def _referenced_paths(table: Table, forgotten: Collection[int]) -> set[str]:
    metadata = table.metadata
    snapshots = [snapshot for snapshot in metadata.snapshots if snapshot.snapshot_id not in forgotten]
    with ThreadPoolExecutor(FILES_AT_ONCE) as pool, reading_metadata(identifier(table)):
        lists = pool.map(lambda snapshot: snapshot.manifests(table.io), snapshots)
        manifests = {manifest.manifest_path: manifest for of_snapshot in lists for manifest in of_snapshot}
        entries = pool.map(lambda manifest: manifest.fetch_manifest_entry(table.io), manifests.values())
        data = [entry.data_file.file_path for of_manifest in entries for entry in of_manifest]
    locations = {
        table.metadata_location,
        *(entry.metadata_file for entry in metadata.metadata_log),
        *(statistics.statistics_path for statistics in metadata.statistics),
        *(statistics.statistics_path for statistics in metadata.partition_statistics),
        *(snapshot.manifest_list for snapshot in snapshots),
        *manifests,
        *data,
    }
    return {path_of(location) for location in locations}
