"""The commit: files are read to their footers, then put into one snapshot, in place of what the table had."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.exceptions import (
    CommitFailedException,
    ValidationException,
)
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.fileformat import DataFileStatistics
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.typedef import Record

from deputies_lake.contracts import YEAR
from deputies_lake.lakehouse.damage import reading_metadata
from deputies_lake.lakehouse.iceberg.catalogs import _Transaction, identifier, is_partitioned, name_of
from deputies_lake.lakehouse.iceberg.files import FILES_AT_ONCE, filesystem_of, path_of
from deputies_lake.lakehouse.iceberg.schemas import arrow_schema, columns_of
from deputies_lake.lakehouse.iceberg.snapshots import rows_of, tasks_of


class StagedFilesError(ValueError):
    """Staged files that would corrupt the table. Nothing was published."""


class ConcurrentCommitError(RuntimeError):
    """Someone else published the same rows at the same time. Nothing of this commit was published."""


def inspect_files(
    table: Table, files: Sequence[str], *, years: Collection[int] | None, expected_rows: int
) -> list[DataFile]:
    """Read the footers and refuse what Iceberg would accept in silence, to read it back as nulls or twice.

    Args:
        table: refreshed, for it is its current schema that the files must have.
        files: locations under the table's own.
        years: those that the files may hold, None for any.
        expected_rows: counted by whoever wrote the files.

    Returns:
        What a snapshot needs to know of each file. Files without rows are left out.

    Raises:
        StagedFilesError: names the file and what is wrong with it.
    """
    inspector = _Inspector(table, years)
    if len(set(files)) != len(files):
        raise inspector.refusal("the list", "names a file twice")
    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        inspected = [data_file for data_file in pool.map(inspector.inspect, files) if data_file]
    rows = sum(data_file.record_count for data_file in inspected)
    if rows != expected_rows:
        raise inspector.refusal(f"{len(files)} files", f"hold {rows} rows, {expected_rows} were written")
    return inspected


class _Inspector:
    """Compares footers with one table. What all files share is computed once, for it takes longest."""

    def __init__(self, table: Table, years: Collection[int] | None) -> None:
        self._table = table
        self._years = years
        self._filesystem = filesystem_of(table)
        self._columns = columns_of(arrow_schema(table))
        self._field_ids = parquet_path_to_id_mapping(table.schema())
        self._statistics_plan = compute_statistics_plan(table.schema(), table.properties)

    def refusal(self, what: str, problem: str) -> StagedFilesError:
        return StagedFilesError(f"{name_of(self._table)}: {what} {problem}. Nothing was published.")

    def inspect(self, file: str) -> DataFile | None:
        if not file.startswith(f"{self._table.location()}/"):
            # Another table's clean-up would take it for an orphan and delete it.
            raise self.refusal(file, f"is not below the table's location {self._table.location()}")
        try:
            with self._filesystem.open_input_file(path_of(file)) as stream:
                size, footer = stream.size(), pq.read_metadata(stream)
                columns = columns_of(footer.schema.to_arrow_schema())
        except (pa.ArrowInvalid, OSError) as unreadable:
            raise self.refusal(file, f"can't be read: {unreadable}") from unreadable
        if columns != self._columns:
            found, wanted = sorted(columns - self._columns), sorted(self._columns - columns)
            raise self.refusal(file, f"has columns {found} where the table has {wanted}")
        if not footer.num_rows:
            return None
        statistics = data_file_statistics_from_parquet_metadata(footer, self._statistics_plan, self._field_ids)
        return DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=file,
            file_format=FileFormat.PARQUET,
            partition=self._partition(file, statistics),
            file_size_in_bytes=size,
            spec_id=self._table.metadata.default_spec_id,
            **statistics.to_serialized_dict(),
        )

    def _partition(self, file: str, statistics: DataFileStatistics) -> Record:
        if not is_partitioned(self._table):
            return Record()
        field_id = self._table.schema().find_field(YEAR).field_id
        bounds = statistics.column_aggregates.get(field_id)
        # The bounds leave nulls out: without their count a file of 2019 and null would pass as 2019.
        if bounds is None or statistics.null_value_counts.get(field_id) != 0:
            raise self.refusal(file, f"has rows without a {YEAR}")
        year, last = bounds.current_min, bounds.current_max
        if year != last:
            raise self.refusal(file, f"holds several years, {year} to {last}")
        if self._years is not None and year not in self._years:
            raise self.refusal(file, f"holds {year}, which is not among the years {sorted(self._years)}")
        return Record(year)


def commit(
    table: Table,
    files: Sequence[str],
    *,
    years: Collection[int] | None,
    expected_rows: int,
    properties: Mapping[str, str],
    table_properties: Mapping[str, str] | None = None,
) -> Snapshot:
    """Publish the files in place of what the table holds of these years, all at once or not at all.

    Doing it again gives the same table. Others may publish other years meanwhile: both survive.

    Args:
        table: as it was when what the files were made from was read. What others publish of these years after that
            is a conflict: the files may lack what theirs has.
        files: as `list_files` gives them. Without any, the years are empty from now on.
        years: the years that are replaced, None for the whole table.
        expected_rows: counted by whoever wrote the files.
        properties: recorded in the snapshot's summary, such as the run's id.
        table_properties: set on the table by the same commit. Others' properties stay, whoever is first.

    Raises:
        StagedFilesError: the files would corrupt the table.
        ConcurrentCommitError: someone else published one of these years since the table was loaded.
        ValueError: years are given for a table without years, or for files older than its partitioning.
    """
    replaced = rows_of(table, years)
    # Its columns may have changed since it was loaded; it is today's that the files must have.
    with reading_metadata(identifier(table)):
        current = table.catalog.load_table(table.name())
    data_files = inspect_files(current, files, years=years, expected_rows=expected_rows)
    try:
        with (
            _Transaction(table) as transaction,
            transaction.update_snapshot(snapshot_properties=dict(properties)).overwrite() as overwrite,
        ):
            # Conflicts are looked for in this predicate only. Without it several first loads of an empty
            # table, which have no file to delete, would all succeed and multiply the rows.
            overwrite.delete_by_predicate(replaced)
            if table_properties:
                transaction.set_properties(dict(table_properties))
            for task in tasks_of(table, years):
                if task.residual != AlwaysTrue():
                    # It was written before the table was partitioned. Its other years would be lost with it.
                    raise ValueError(f"{task.file.file_path} holds other years too: replace the whole table")
                overwrite.delete_data_file(task.file)
            for data_file in data_files:
                overwrite.append_data_file(data_file)
    except (CommitFailedException, ValidationException) as lost:
        what = "the whole table" if years is None else f"years {', '.join(map(str, sorted(years)))}"
        raise ConcurrentCommitError(
            f"{name_of(table)}: {what} could not be published, for others published at the same time; theirs stands. "
            "A step is repeated by itself, a command is to be typed again."
        ) from lost
    return next(snapshot for snapshot in table.snapshots() if snapshot.snapshot_id == overwrite.snapshot_id)
