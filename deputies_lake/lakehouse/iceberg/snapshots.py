"""A snapshot's files: which they are, of which years, and whether each of them is still there and whole."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import suppress

from pyiceberg.expressions import AlwaysTrue, BooleanExpression, In, Reference
from pyiceberg.expressions.literals import literal
from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table
from pyiceberg.typedef import Record

from deputies_lake import contracts
from deputies_lake.contracts import YEAR
from deputies_lake.lakehouse.damage import DamagedTableError, lost_rows, reading_metadata
from deputies_lake.lakehouse.iceberg.catalogs import identifier, is_partitioned, name_of
from deputies_lake.lakehouse.iceberg.files import filesystem_of, path_of


def data_files(table: Table, years: Collection[int] | None = None, snapshot_id: int | None = None) -> list[str]:
    """Locations of a snapshot's files: of the one current when the table was loaded, unless another is named.

    They stay readable until that snapshot is expired. Spark takes them as they are, DuckDB with
    `hive_partitioning = false`. They are not percent-encoded, so `pyarrow.fs` can't take them as URIs: use
    `dataset`.

    Raises:
        ValueError: years are given for a table without years, the snapshot is unknown, or single rows
            of it were deleted.
    """
    tasks = tasks_of(table, years, snapshot_id)
    if any(task.delete_files for task in tasks):
        # Athena's DELETE and UPDATE leave the rows in the files and list them elsewhere.
        raise ValueError(f"{name_of(table)} has row-level deletes: its files still hold what was deleted")
    return sorted(task.file.file_path for task in tasks)


def row_count(table: Table, years: Collection[int] | None = None, snapshot_id: int | None = None) -> int:
    """The rows of `data_files`, by what Iceberg knows of them."""
    return sum(task.file.record_count for task in tasks_of(table, years, snapshot_id))


def lacks_columns(table: Table, contract: contracts.Table, years: Collection[int] | None = None) -> bool:
    """Whether a file of these years is from before one of the contract's columns was added: it reads as null there."""
    ids = {field.name: field.field_id for field in table.schema().fields}
    wanted = [ids.get(name) for name in contract.column_names]
    tasks = tasks_of(table, years)
    return any(field_id not in (task.file.value_counts or {}) for task in tasks for field_id in wanted)


def years(table: Table) -> list[int]:
    """The years of which the current snapshot has rows.

    Raises:
        ValueError: the table has no years.
    """
    if not is_partitioned(table):
        raise ValueError(f"{name_of(table)} is not partitioned by {YEAR}")
    return sorted(files_by_year(table))


def files_by_year(table: Table, snapshot_id: int | None = None) -> dict[int, list[str]]:
    """As `data_files`, of each year that has rows. The table must be one with years."""
    files: defaultdict[int, list[str]] = defaultdict(list)
    for task in tasks_of(table, snapshot_id=snapshot_id):
        files[int(task.file.partition[0])].append(task.file.file_path)
    return {year: sorted(of_year) for year, of_year in files.items()}


def require_whole(table: Table) -> None:
    """Raises `DamagedTableError` where a file of what is published is lost or not whole."""
    if lost := lost_files(table):
        years = {int(file.partition[0]) for file in lost} if is_partitioned(table) else ()
        raise lost_rows(identifier(table), lost[0].file_path, years)


def lost_files(table: Table, snapshot_id: int | None = None) -> list[DataFile]:
    """Those of a snapshot's files that are not there any more, or not whole. None is opened to find out."""
    return _lost(table, [task.file for task in tasks_of(table, snapshot_id=snapshot_id)])


def newest_whole_files(table: Table) -> list[str]:
    """As `data_files`, but of a year that lost a file those of its newest version that is whole.

    A table without years counts as one year. What has no whole version any more is left out.
    """
    newest_first = sorted(table.snapshots(), key=lambda snapshot: snapshot.sequence_number or 0, reverse=True)
    whole: dict[Record, list[DataFile]] = {}
    wanted: Collection[Record] | None = None
    for snapshot in newest_first:
        with suppress(DamagedTableError):
            parts: defaultdict[Record, list[DataFile]] = defaultdict(list)
            for task in tasks_of(table, snapshot_id=snapshot.snapshot_id):
                parts[task.file.partition].append(task.file)
            wanted = parts.keys() if wanted is None else wanted
            whole |= {
                part: files
                for part, files in parts.items()
                if part in wanted and part not in whole and not _lost(table, files)
            }
        if wanted is not None and len(whole) == len(wanted):
            break
    return sorted(file.file_path for files in whole.values() for file in files)


def _lost(table: Table, files: Sequence[DataFile]) -> list[DataFile]:
    found = zip(files, filesystem_of(table).get_file_info([path_of(file.file_path) for file in files]), strict=True)
    return [file for file, info in found if not info.is_file or info.size != file.file_size_in_bytes]


def require(table: Table, files: Collection[str]) -> None:
    """Look whether data files are there before they are read, for then an engine speaks of paths.

    Raises:
        DamagedTableError: one is not.
    """
    found = zip(files, filesystem_of(table).get_file_info([path_of(file) for file in files]), strict=True)
    if lost := [file for file, info in found if not info.is_file]:
        require_whole(table)
        raise lost_rows(identifier(table), lost[0], ())


def tasks_of(table: Table, years: Collection[int] | None = None, snapshot_id: int | None = None) -> list[FileScanTask]:
    """The data files of a snapshot, with what Iceberg knows of each. Raises `DamagedTableError`."""
    scan = table.scan(row_filter=rows_of(table, years), snapshot_id=snapshot_id)
    if snapshot_id and table.snapshot_by_id(snapshot_id) is None:
        raise ValueError(f"{name_of(table)} has no snapshot {snapshot_id}")
    with reading_metadata(identifier(table)):
        return [*scan.plan_files()]


def rows_of(table: Table, years: Collection[int] | None) -> BooleanExpression:
    if years is None:
        return AlwaysTrue()
    if not is_partitioned(table):
        raise ValueError(f"{name_of(table)} is not partitioned by {YEAR}: it is read and replaced as a whole")
    return In(term=Reference(YEAR), literals={literal(year) for year in years})
