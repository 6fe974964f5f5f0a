"""The lake's tables on disk: Iceberg v2 tables of plain Parquet files, published by one swap in the catalog.

Spark or PyArrow writes files that carry Iceberg's field ids under a fresh prefix of the table. Nobody sees
them until `commit` has read every footer and put all files into one snapshot, which replaces the given years
or the whole table. Whoever dies on the way leaves the old version and some files, which `orphans` finds.

Here belongs what knows Iceberg: catalogs, schemas, the checks of staged files, the commit, the lists of files
that readers need and of those that nobody does. What a table means, when it is published and what is audited
before does not belong here, nor does Dagster or the start of a Spark session.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from uuid import uuid4

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NoSuchTableError,
    TableAlreadyExistsError,
    ValidationException,
)
from pyiceberg.expressions import AlwaysTrue, BooleanExpression, In, Reference
from pyiceberg.expressions.literals import literal
from pyiceberg.io.fileformat import DataFileStatistics
from pyiceberg.io.pyarrow import (
    PyArrowFileIO,
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
    pyarrow_to_schema,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask, Table, Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.transforms import IdentityTransform
from pyiceberg.typedef import Record
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    IcebergType,
    IntegerType,
    LongType,
    NestedField,
    PrimitiveType,
    StringType,
    TimestampType,
)
from sqlalchemy.exc import IntegrityError

from deputies_lake import contracts
from deputies_lake.contracts import YEAR
from deputies_lake.lakehouse.damage import DamagedTableError, lost_rows, reading_metadata
from deputies_lake.lakehouse.local_home import open_catalog

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import StructType

_T = TypeVar("_T")

_CATALOG: Final = "deputies_lake"
_DATABASE_PREFIX: Final = "deputies-lake.database-prefix"
_FILE_IO: Final = {"py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"}

_TABLE_PROPERTIES: Final = {
    "write.parquet.compression-codec": "zstd",
    # PyIceberg doubles its wait up to a minute: many short waits let parallel years through sooner.
    "commit.retry.num-retries": "20",
    "commit.retry.max-wait-ms": "2000",
    # Each commit writes the whole metadata anew, and the new copy knows all that the old ones did.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}

# What a contract's type is called in Iceberg, in Arrow and in Spark's JSON.
_TYPES: Final[Mapping[str, tuple[PrimitiveType, pa.DataType, str]]] = {
    "string": (StringType(), pa.string(), "string"),
    "int": (IntegerType(), pa.int32(), "integer"),
    "bigint": (LongType(), pa.int64(), "long"),
    "boolean": (BooleanType(), pa.bool_(), "boolean"),
    "date": (DateType(), pa.date32(), "date"),
    "timestamp_ntz": (TimestampType(), pa.timestamp("us"), "timestamp_ntz"),
}
_ARROW: Final[Mapping[IcebergType, pa.DataType]] = {iceberg: arrow for iceberg, arrow, _ in _TYPES.values()}
_SPARK: Final[Mapping[IcebergType, str]] = {iceberg: spark for iceberg, _, spark in _TYPES.values()}

_FIELD_ID: Final = b"PARQUET:field_id"
_SPARK_FIELD_ID: Final = "parquet.field.id"
_FOOTER_READERS: Final = 16


class StagedFilesError(ValueError):
    """Staged files that would corrupt the table. Nothing was published."""


class ConcurrentCommitError(RuntimeError):
    """Someone else published the same rows at the same time. Nothing of this commit was published."""


# Catalogs


def local_catalog(root: Path) -> Catalog:
    """The catalog of a lake in a local directory, which is made if it is missing. Raises `LakeError`."""
    return open_catalog(_CATALOG, root, _FILE_IO)


def glue_catalog(warehouse: str, region: str | None, database_prefix: str = "", endpoint: str | None = None) -> Catalog:
    """The AWS Glue catalog of a region. Credentials are found as boto3 finds them.

    Args:
        warehouse: `s3://` location under which tables are created, where their database names none.
        region: AWS region of catalog and bucket.
        database_prefix: what the names of the layers' databases begin with, for a region may hold several lakes.
        endpoint: where an emulated Glue and S3 listen.
    """
    # boto3 is slow to import, and a lake in a local directory does without it.
    from pyiceberg.catalog.glue import GlueCatalog

    settings = {"warehouse": warehouse, "client.region": region, _DATABASE_PREFIX: database_prefix, **_FILE_IO}
    if endpoint:
        settings |= {"glue.endpoint": endpoint, "s3.endpoint": endpoint}
    return GlueCatalog(_CATALOG, **settings)


# Tables


def load_table(catalog: Catalog, layer: str, name: str) -> Table:
    """A table as it is now. Raises `NoSuchTableError`, `DamagedTableError`."""
    with reading_metadata(f"{layer}.{name}"):
        return catalog.load_table((_database(catalog, layer), name))


def table_names(catalog: Catalog, layer: str) -> list[str]:
    """The names of all tables of a layer."""
    database = _database(catalog, layer)
    return [name for _, name in catalog.list_tables(database)] if catalog.namespace_exists(database) else []


def ensure_table(catalog: Catalog, contract: contracts.Table) -> Table:
    """The contract's table, created or brought up to the contract.

    Columns are added, types widened and descriptions renewed. No column is ever dropped or narrowed. Others
    may do the same at the same time.

    Raises:
        ValidationError: a column's type changed in a way that old files cannot follow.
        ValueError: the contract is partitioned and the table is not, or the other way round.
    """
    # Iceberg's `required` is not used. Spark seldom knows that a column has no nulls and declares it
    # optional, a required column can't be added to a table, and PyIceberg reads nulls from one without a
    # word.
    schema = Schema(
        *(
            NestedField(field_id, column.name, _iceberg_type(column.type), doc=column.description)
            for field_id, column in enumerate(contract.columns, start=1)
        )
    )
    lost_races = (CommitFailedException, TableAlreadyExistsError, IntegrityError)
    return _repeated(lambda: _create_or_evolve(catalog, contract, schema), *lost_races)


def _create_or_evolve(catalog: Catalog, contract: contracts.Table, schema: Schema) -> Table:
    properties = {**_TABLE_PROPERTIES, "comment": contract.en}
    try:
        table = load_table(catalog, contract.layer, contract.name)
    except NoSuchTableError:
        database = _database(catalog, contract.layer)
        catalog.create_namespace_if_not_exists(database)
        spec = UNPARTITIONED_PARTITION_SPEC
        if contract.partitioned:
            spec = PartitionSpec(PartitionField(schema.find_field(YEAR).field_id, 1000, IdentityTransform(), YEAR))
        return catalog.create_table(
            (database, contract.name), schema, partition_spec=spec, properties={**properties, "format-version": "2"}
        )
    if _is_partitioned(table) is not contract.partitioned:
        raise ValueError(f"{contract.identifier}: partitioning by {YEAR} can't be changed; drop the table first")
    with _Transaction(table) as transaction:
        with transaction.update_schema() as update:
            update.union_by_name(schema)
        if renewed := {k: v for k, v in properties.items() if table.properties.get(k) != v}:
            transaction.set_properties(renewed)
    return table


def arrow_schema(table: Table) -> pa.Schema:
    """The table's columns for files written by PyArrow, with the field ids that `commit` asks for."""
    return pa.schema(
        [
            pa.field(f.name, _arrow_type(f.field_type), metadata={_FIELD_ID: str(f.field_id)})
            for f in table.schema().fields
        ]
    )


def project(frame: "DataFrame", table: Table, key: Collection[str] = (), *, with_ids: bool = True) -> "DataFrame":
    """The frame as it must be written: the table's columns in its order and types, with field ids for Spark to write.

    A value that its column's type can't hold fails the job, which names it and its row's `key`: Spark's own cast would
    write null in its place.

    Raises:
        ValueError: the frame lacks a column of the table, or has one that the table does not know.
    """
    from pyspark.sql import functions as F

    schema, given = table.schema(), frame.schema
    missing = [name for name in schema.column_names if name not in given.names]
    extra = [name for name in given.names if name not in schema.column_names]
    if missing or extra:
        raise ValueError(f"{_name(table)}: columns missing: {missing}; columns the table does not have: {extra}")

    def column(name: str, target: "StructType") -> "Column":
        value, wanted = F.col(name), target[name].dataType
        if given[name].dataType != wanted:
            cast = value.cast(wanted)
            place = [F.concat_ws(" ", F.lit(f", {column}"), F.col(column).cast("string")) for column in key]
            told = [F.lit(f"{_name(table)}.{name}: "), value.cast("string"), F.lit(f" is not {wanted.simpleString()}")]
            refusal = F.raise_error(F.concat(*told, *place))
            value = F.when(value.isNull() | cast.isNotNull(), cast).otherwise(refusal)
        return value.alias(name, metadata=target[name].metadata) if with_ids else value.alias(name)

    target = _spark_schema(schema.fields)
    return frame.select(*(column(name, target) for name in schema.column_names))


# Staging and publication


def new_prefix(table: Table, run_id: str) -> str:
    """A place for one attempt's data files. It is never given out twice, so no file is ever overwritten.

    Raises:
        ValueError: the run id holds a character to which readers of a path give a meaning, as in `key=value`.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", run_id):
        raise ValueError(f"run id {run_id!r} can't be part of a path: letters, digits, '.', '_' and '-' only")
    return f"{table.location()}/data/{run_id}/{uuid4().hex}"


def filesystem_and_path(table: Table, location: str) -> tuple[pafs.FileSystem, str]:
    """Where a location below the table is, for those who write files there themselves."""
    return _filesystem(table), _path(location)


def provide_directory(filesystem: pafs.FileSystem, path: str) -> None:
    """Make the directory of a file, where the file system has any."""
    if isinstance(filesystem, pafs.LocalFileSystem):
        filesystem.create_dir(path.rpartition("/")[0], recursive=True)


def write_file(table: Table, location: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of the table's columns as one file at a location below a prefix."""
    write_columns(table, location, pa.Table.from_pylist([*rows], arrow_schema(table)))


def write_columns(table: Table, location: str, rows: pa.Table) -> None:
    """The same of rows by columns, which may be in another order."""
    schema = arrow_schema(table)
    filesystem, path = filesystem_and_path(table, location)
    provide_directory(filesystem, path)
    pq.write_table(rows.select(schema.names).cast(schema), path, filesystem=filesystem, compression="zstd")


def list_files(table: Table, prefix: str) -> list[str]:
    """The data files under a prefix. As for Spark, `.crc` and `_temporary` are no data, `_key=value` is."""
    scheme, _, root = PyArrowFileIO.parse_location(prefix)
    selector = pafs.FileSelector(root, recursive=True, allow_not_found=True)
    found = (info.path for info in _filesystem(table).get_file_info(selector) if info.is_file)
    return sorted(
        f"{scheme}://{path}"
        for path in found
        if path.endswith(".parquet") and not re.search(r"/(\.|_[^/=]*(/|$))", path.removeprefix(root))
    )


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
    with ThreadPoolExecutor(_FOOTER_READERS) as pool:
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
        self._filesystem = _filesystem(table)
        self._columns = _columns(arrow_schema(table))
        self._field_ids = parquet_path_to_id_mapping(table.schema())
        self._statistics_plan = compute_statistics_plan(table.schema(), table.properties)

    def refusal(self, what: str, problem: str) -> StagedFilesError:
        return StagedFilesError(f"{_name(self._table)}: {what} {problem}. Nothing was published.")

    def inspect(self, file: str) -> DataFile | None:
        if not file.startswith(f"{self._table.location()}/"):
            # Another table's clean-up would take it for an orphan and delete it.
            raise self.refusal(file, f"is not below the table's location {self._table.location()}")
        try:
            with self._filesystem.open_input_file(_path(file)) as stream:
                size, footer = stream.size(), pq.read_metadata(stream)
                columns = _columns(footer.schema.to_arrow_schema())
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
        if not _is_partitioned(self._table):
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
    replaced = _rows_of(table, years)
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
            for task in _tasks(table, years):
                if task.residual != AlwaysTrue():
                    # It was written before the table was partitioned. Its other years would be lost with it.
                    raise ValueError(f"{task.file.file_path} holds other years too: replace the whole table")
                overwrite.delete_data_file(task.file)
            for data_file in data_files:
                overwrite.append_data_file(data_file)
    except (CommitFailedException, ValidationException) as lost:
        what = "the whole table" if years is None else f"years {', '.join(map(str, sorted(years)))}"
        raise ConcurrentCommitError(
            f"{_name(table)}: {what} could not be published, for others published at the same time. "
            f"Theirs stands. Run it again to replace it. ({lost})"
        ) from lost
    return next(snapshot for snapshot in table.snapshots() if snapshot.snapshot_id == overwrite.snapshot_id)


class _Transaction(Transaction):
    """PyIceberg's, which copies the metadata of all versions each time it looks at it: some 25 times for one commit.

    Here it is copied when it changed, so that a commit to a table of hundreds of versions takes no longer.
    """

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        self._seen: tuple[TableMetadata, object, TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        base, updates = self._table.metadata, self._updates
        if self._seen is None or self._seen[0] is not base or self._seen[1] is not updates:
            self._seen = (base, updates, super().table_metadata)
        return self._seen[2]


# Readers


def data_files(table: Table, years: Collection[int] | None = None, snapshot_id: int | None = None) -> list[str]:
    """Locations of a snapshot's files: of the one current when the table was loaded, unless another is named.

    They stay readable until that snapshot is expired. Spark takes them as they are, DuckDB with
    `hive_partitioning = false`. They are not percent-encoded, so `pyarrow.fs` can't take them as URIs: use
    `dataset`.

    Raises:
        ValueError: years are given for a table without years, the snapshot is unknown, or single rows
            of it were deleted.
    """
    tasks = _tasks(table, years, snapshot_id)
    if any(task.delete_files for task in tasks):
        # Athena's DELETE and UPDATE leave the rows in the files and list them elsewhere.
        raise ValueError(f"{_name(table)} has row-level deletes: its files still hold what was deleted")
    return sorted(task.file.file_path for task in tasks)


def lacks_columns(table: Table, contract: contracts.Table, years: Collection[int] | None = None) -> bool:
    """Whether a file of these years is from before one of the contract's columns was added: it reads as null there."""
    ids = {field.name: field.field_id for field in table.schema().fields}
    wanted = [ids.get(name) for name in contract.column_names]
    tasks = _tasks(table, years)
    return any(field_id not in (task.file.value_counts or {}) for task in tasks for field_id in wanted)


def years(table: Table) -> list[int]:
    """The years of which the current snapshot has rows.

    Raises:
        ValueError: the table has no years.
    """
    if not _is_partitioned(table):
        raise ValueError(f"{_name(table)} is not partitioned by {YEAR}")
    return sorted(files_by_year(table))


def files_by_year(table: Table, snapshot_id: int | None = None) -> dict[int, list[str]]:
    """As `data_files`, of each year that has rows. The table must be one with years."""
    files: defaultdict[int, list[str]] = defaultdict(list)
    for task in _tasks(table, snapshot_id=snapshot_id):
        files[int(task.file.partition[0])].append(task.file.file_path)
    return {year: sorted(of_year) for year, of_year in files.items()}


def require_whole(table: Table) -> None:
    """Raises `DamagedTableError` where a file of what is published is lost or not whole."""
    if lost := lost_files(table):
        years = {int(file.partition[0]) for file in lost} if _is_partitioned(table) else ()
        raise lost_rows(identifier(table), lost[0].file_path, years)


def lost_files(table: Table, snapshot_id: int | None = None) -> list[DataFile]:
    """Those of a snapshot's files that are not there any more, or not whole. None is opened to find out."""
    return _lost(table, [task.file for task in _tasks(table, snapshot_id=snapshot_id)])


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
            for task in _tasks(table, snapshot_id=snapshot.snapshot_id):
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
    found = zip(files, _filesystem(table).get_file_info([_path(file.file_path) for file in files]), strict=True)
    return [file for file, info in found if not info.is_file or info.size != file.file_size_in_bytes]


def require(table: Table, files: Collection[str]) -> None:
    """Look whether data files are there before they are read, for then an engine speaks of paths.

    Raises:
        DamagedTableError: one is not.
    """
    found = zip(files, _filesystem(table).get_file_info([_path(file) for file in files]), strict=True)
    if lost := [file for file, info in found if not info.is_file]:
        require_whole(table)
        raise lost_rows(identifier(table), lost[0], ())


def read(
    spark: "SparkSession", table: Table, years: Collection[int] | None = None, *, for_spark: bool = True
) -> "DataFrame":
    """The current rows as a Spark frame, without any Iceberg jar, by field id.

    Sail knows no ids, so it is given names, and takes locations for URLs, which must have no bare `%`: it reads nothing
    where it finds nothing.

    Raises:
        ValueError: years are given for a table without years.
    """
    from pyspark.sql import functions as F

    if for_spark:
        # Only the session can ask for it. Reads whose schema names no field ids are not touched by it.
        spark.conf.set("spark.sql.parquet.fieldId.read.enabled", "true")
    files = data_files(table, years)
    require(table, files)
    groups = _by_written_types(table, files)
    if not groups:
        # `createDataFrame` would start Python workers to read no rows.
        none = (F.lit(None).cast(field.dataType).alias(field.name) for field in _spark_schema(table.schema().fields))
        return spark.range(0).select(*none)
    frames = (
        spark.read.schema(_spark_schema(written, with_ids=for_spark)).parquet(
            *(files if for_spark else [file.replace("%", "%25") for file in files])
        )
        for written, files in groups
    )
    return reduce(
        lambda one, other: one.unionAll(other), (project(frame, table, with_ids=for_spark) for frame in frames)
    )


def dataset(table: Table, files: Sequence[str]) -> pads.Dataset:
    """The files, published or staged, as a PyArrow dataset, which DuckDB can query wherever the table is.

    Columns are matched by name. That is enough for a table that only `ensure_table` evolves: it renames none.
    """
    paths = [_path(file) for file in files]
    return pads.dataset(paths, schema=arrow_schema(table), format="parquet", filesystem=_filesystem(table))


def _by_written_types(table: Table, files: Sequence[str]) -> list[tuple[tuple[NestedField, ...], list[str]]]:
    """The files, grouped by the types their columns were written with.

    Spark 3.5 refuses to read an int as a bigint or a decimal as a wider one, so a group is read as what it is
    and cast afterwards. Footers are read only for tables that ever widened a column.
    """
    fields = table.schema().fields
    current = {field.field_id: field.field_type for field in fields}
    known = (field for schema in table.schemas().values() for field in schema.fields)
    if all(current.get(field.field_id, field.field_type) == field.field_type for field in known):
        return [(fields, list(files))] if files else []

    filesystem = _filesystem(table)

    def written(file: str) -> tuple[NestedField, ...]:
        with filesystem.open_input_file(_path(file)) as stream:
            types = {field.field_id: field.field_type for field in pyarrow_to_schema(pq.read_schema(stream)).fields}
        return tuple(
            field.model_copy(update={"field_type": types.get(field.field_id, field.field_type)}) for field in fields
        )

    groups: defaultdict[tuple[NestedField, ...], list[str]] = defaultdict(list)
    with ThreadPoolExecutor(_FOOTER_READERS) as pool:
        for file, columns in zip(files, pool.map(written, files), strict=True):
            groups[columns].append(file)
    return list(groups.items())


# Maintenance


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

    return _repeated(expire, CommitFailedException)


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
    listed = [i for i in _filesystem(table).get_file_info(pafs.FileSelector(root, recursive=True)) if i.is_file]
    # Only now: what was published since the listing began must count as referenced.
    referenced = _referenced_paths(table.refresh(), forgotten)
    if referenced.isdisjoint(info.path for info in listed):
        raise RuntimeError(f"{_name(table)}: no file of the table was found below {table.location()}; nothing deleted")
    return [
        Orphan(location=f"{scheme}://{info.path}", size=info.size)
        for info in listed
        if info.path not in referenced and info.mtime < limit
    ]


def _referenced_paths(table: Table, forgotten: Collection[int]) -> set[str]:
    metadata = table.metadata
    snapshots = [snapshot for snapshot in metadata.snapshots if snapshot.snapshot_id not in forgotten]
    with ThreadPoolExecutor(_FOOTER_READERS) as pool, reading_metadata(identifier(table)):
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
    return {_path(location) for location in locations}


# Helpers


def _repeated(action: Callable[[], _T], *lost_races: type[Exception]) -> _T:
    """Repeat what failed because another process did the same first. A failure that persists is raised."""
    for _ in range(9):
        try:
            return action()
        except lost_races:
            continue
    return action()


def _database(catalog: Catalog, layer: str) -> str:
    return f"{catalog.properties.get(_DATABASE_PREFIX, '')}{layer}"


def identifier(table: Table) -> str:
    """`layer.name`, whatever the catalog calls the layer's database."""
    database, name = table.name()[-2:]
    return f"{database.removeprefix(table.catalog.properties.get(_DATABASE_PREFIX, ''))}.{name}"


def _tasks(table: Table, years: Collection[int] | None = None, snapshot_id: int | None = None) -> list[FileScanTask]:
    """The data files of a snapshot, with what Iceberg knows of each. Raises `DamagedTableError`."""
    scan = table.scan(row_filter=_rows_of(table, years), snapshot_id=snapshot_id)
    if snapshot_id and table.snapshot_by_id(snapshot_id) is None:
        raise ValueError(f"{_name(table)} has no snapshot {snapshot_id}")
    with reading_metadata(identifier(table)):
        return [*scan.plan_files()]


def _name(table: Table) -> str:
    return ".".join(table.name())


def _is_partitioned(table: Table) -> bool:
    return not table.spec().is_unpartitioned()


def _rows_of(table: Table, years: Collection[int] | None) -> BooleanExpression:
    if years is None:
        return AlwaysTrue()
    if not _is_partitioned(table):
        raise ValueError(f"{_name(table)} is not partitioned by {YEAR}: it is read and replaced as a whole")
    return In(term=Reference(YEAR), literals={literal(year) for year in years})


def _iceberg_type(contract_type: str) -> PrimitiveType:
    if decimal := re.fullmatch(r"decimal\((\d+),(\d+)\)", contract_type):
        return DecimalType(int(decimal[1]), int(decimal[2]))
    return _TYPES[contract_type][0]


def _arrow_type(iceberg_type: IcebergType) -> pa.DataType:
    if isinstance(iceberg_type, DecimalType):
        return pa.decimal128(iceberg_type.precision, iceberg_type.scale)
    return _ARROW[iceberg_type]


def _spark_schema(fields: Iterable[NestedField], *, with_ids: bool = True) -> "StructType":
    from pyspark.sql.types import StructType

    def spark_type(iceberg_type: IcebergType) -> str:
        if isinstance(iceberg_type, DecimalType):
            return f"decimal({iceberg_type.precision},{iceberg_type.scale})"
        return _SPARK[iceberg_type]

    columns = [
        {
            "name": field.name,
            "type": spark_type(field.field_type),
            "nullable": True,
            "metadata": {_SPARK_FIELD_ID: field.field_id} if with_ids else {},
        }
        for field in fields
    ]
    return StructType.fromJson({"fields": columns})


def _columns(schema: pa.Schema) -> Counter[tuple[int, str, str]]:
    """Field id, name and type of each column. The id is -1 where the file has none."""
    return Counter((int((f.metadata or {}).get(_FIELD_ID, -1)), f.name, str(f.type)) for f in schema)


def _path(location: str) -> str:
    return PyArrowFileIO.parse_location(location)[2]


def _filesystem(table: Table) -> pafs.FileSystem:
    # The catalogs above ask for this FileIO and no other.
    io = cast("PyArrowFileIO", table.io)
    scheme, netloc, _ = io.parse_location(table.location())
    return io.fs_by_scheme(scheme, netloc)
