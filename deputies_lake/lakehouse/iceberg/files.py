"""Data files on their way into a table: where an attempt writes them, and how they are written without an engine."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast
from uuid import uuid4

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import (
    PyArrowFileIO,
)
from pyiceberg.table import Table

from deputies_lake.lakehouse.iceberg.schemas import arrow_schema

FILES_AT_ONCE: Final = 16


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
    return filesystem_of(table), path_of(location)


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
    found = (info.path for info in filesystem_of(table).get_file_info(selector) if info.is_file)
    return sorted(
        f"{scheme}://{path}"
        for path in found
        if path.endswith(".parquet") and not re.search(r"/(\.|_[^/=]*(/|$))", path.removeprefix(root))
    )


def path_of(location: str) -> str:
    return PyArrowFileIO.parse_location(location)[2]


def filesystem_of(table: Table) -> pafs.FileSystem:
    # The catalogs above ask for this FileIO and no other.
    io = cast("PyArrowFileIO", table.io)
    scheme, netloc, _ = io.parse_location(table.location())
    return io.fs_by_scheme(scheme, netloc)
