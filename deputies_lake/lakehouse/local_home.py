"""A local lake's catalog file: opened, and made right again after the lake was copied or moved.

Iceberg writes absolute locations: into the catalog, the tables' metadata and the manifests. A copy of a lake would read
and write the original's files, and clean them up. So a catalog that names a place outside its own directory is refused
until `relocate` has rewritten it. What tables are is in `iceberg.py`; data files name no places and stay as they are.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from pyiceberg.avro.file import AvroFile, AvroOutputFile
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import StaticTable
from pyiceberg.typedef import Record
from sqlalchemy import event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import OperationalError

_FILE: Final = "catalog.db"
_SCHEME: Final = "file://"

# Nobody waits for minutes to be told that it is in vain; who writes, waits for those who write before.
_PATIENCE_SECONDS: Final = 20
_WRITERS_PATIENCE_SECONDS: Final = 30

# Readers take these for wildcards (`a*b` reads its siblings too), a fragment, or a partition column.
_MISREAD: Final = r"[*?\[\]{}\\#=]"


class LakeError(RuntimeError):
    """A local lake that can't be used as it is. Says what is wrong with it and what to do."""


class LockedLakeError(LakeError):
    """Another process holds the catalog. It may let go of it: what failed can be tried again."""


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A table as the catalog has it: `metadata` is the location of its newest metadata file."""

    namespace: str
    name: str
    metadata: str

    @property
    def root(self) -> str:
        """The directory of the lake that it is in: a table is `<root>/<namespace>/<name>`."""
        return self.metadata.removeprefix(_SCHEME).removesuffix(self._inside)

    @property
    def _inside(self) -> str:
        return f"/{'/'.join(self.metadata.rsplit('/', 4)[1:])}"


def open_catalog(name: str, root: Path, settings: dict[str, str]) -> Catalog:
    """The catalog of a lake in a local directory, which is made if it is missing.

    Raises `LakeError`: Spark or DuckDB would read other files than meant below a directory of this name, the catalog
    can't be used, or a table is elsewhere.
    """
    root = root.resolve()
    if found := set(re.findall(_MISREAD, str(root))):
        raise LakeError(
            f"the lake's directory {root} may not contain {' '.join(sorted(found))}, for Spark and DuckDB would read "
            "other files than meant: choose another one"
        )
    file = root / _FILE
    with _told(file):
        root.mkdir(parents=True, exist_ok=True)
        _require_own(root, _rows(file))
        # Its parts, not their text, in which a `%` would begin a code and a `?` the options.
        uri = URL.create("sqlite", database=str(file), query={"timeout": str(_WRITERS_PATIENCE_SECONDS)})
        settings = {**settings, "warehouse": f"{_SCHEME}{root}"}
        catalog = _made(lambda: SqlCatalog(name, **{**settings, "uri": uri}))  # type: ignore[arg-type]

    @event.listens_for(catalog.engine, "handle_error")
    def tell(context: ExceptionContext) -> None:
        if isinstance(context.original_exception, sqlite3.Error):
            _tell(file, context.original_exception)

    return catalog


def _made(make: Callable[[], SqlCatalog]) -> SqlCatalog:
    """The first two processes of a lake may both find no catalog and both create its tables."""
    try:
        return make()
    except OperationalError as error:
        if "already exists" not in str(error):
            raise
        return make()


@contextmanager
def _told(file: Path) -> Any:
    try:
        yield
    except sqlite3.Error as error:
        _tell(file, error)
        raise
    except OperationalError as error:
        if isinstance(error.orig, sqlite3.Error):
            _tell(file, error.orig)
        raise
    except OSError as error:
        raise LakeError(f"{file.parent} can't be used: {error.strerror or error}") from error


def _tell(file: Path, error: sqlite3.Error) -> None:
    """Raise what a person can do something about; anything else stays as it is."""
    # The low byte is the kind, the others tell kinds of the kind.
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            raise LockedLakeError(
                f"{file} is held by another process. Wait until that has ended, or end it, and try again"
            ) from error
        case sqlite3.SQLITE_FULL:
            raise LakeError(f"the disk is full: {file} can't be written. Make room and try again") from error
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            raise LakeError(f"{file} can't be written: let its directory be one that you may write to") from error
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            raise LakeError(
                f"{file} is no catalog, or a damaged one ({error}). Put a copy of it back, or move "
                f"{file.parent} away and build the lake anew from its archive"
            ) from error


def _rows(file: Path) -> list[_Row]:
    if not file.exists():
        return []
    with closing(sqlite3.connect(file, timeout=_PATIENCE_SECONDS)) as connection:
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'iceberg_tables'").fetchall()
        if not known:
            return []
        found = connection.execute(
            "SELECT table_namespace, table_name, metadata_location FROM iceberg_tables ORDER BY 1, 2"
        )
        return [_Row(namespace=namespace, name=name, metadata=metadata) for namespace, name, metadata in found]


def _elsewhere(root: Path, rows: Iterable[_Row]) -> list[_Row]:
    return [row for row in rows if not row.metadata.startswith(f"{_SCHEME}{root}/")]


def _require_own(root: Path, rows: Iterable[_Row]) -> None:
    if others := _elsewhere(root, rows):
        where = " and ".join(sorted({row.root for row in others}))
        raise LakeError(
            f"the catalog in {root} names {len(others)} tables in {where}: this lake was copied or moved from there. "
            "Nothing was read or changed. To make it a lake of its own here: deputies-lake relocate"
        )


# After a copy or a move


def relocate(root: Path) -> list[str]:
    """Let a copied or moved lake's tables name the files below its own directory; gives the names of those changed.

    The lake it came from is neither read nor written. Who dies on the way leaves the catalog as it was, and some files
    that the next clean-up removes.

    Raises `LakeError`: the copy lacks a file, or a table has one outside its directory. Nothing was changed then.
    """
    root = root.resolve()
    file = root / _FILE
    with _told(file):
        others = _elsewhere(root, _rows(file))
        moved = {row: _Relocation(root, row).write() for row in others}
        with closing(sqlite3.connect(file, timeout=_PATIENCE_SECONDS)) as connection, connection:
            for row, metadata in moved.items():
                done = connection.execute(
                    "UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = NULL "
                    "WHERE table_namespace = ? AND table_name = ? AND metadata_location = ?",
                    (metadata, row.namespace, row.name, row.metadata),
                )
                if done.rowcount != 1:
                    raise LakeError(f"{row.namespace}.{row.name} was changed meanwhile by another process. Try again")
    return [f"{row.namespace}.{row.name}" for row in others]


class _Relocation:
    """Writes a table's metadata anew, beside the old, with locations below another root."""

    def __init__(self, root: Path, row: _Row) -> None:
        self._io = PyArrowFileIO()
        self._name = f"{row.namespace}.{row.name}"
        self._old = row.metadata.rpartition("/metadata/")[0]
        self._new = f"{_SCHEME}{root}{self._old.removeprefix(f'{_SCHEME}{row.root}')}"
        self._metadata = row.metadata
        self._manifests: dict[str, tuple[str, int]] = {}

    def write(self) -> str:
        """The location of the new metadata file, which nothing refers to yet."""
        metadata = json.loads(self._text(self._moved(self._metadata)))
        metadata["location"] = self._new
        for snapshot in metadata.get("snapshots", ()):
            snapshot["manifest-list"], _ = self._rewritten(snapshot["manifest-list"], self._move_manifest)
        for entries, name in (
            ("metadata-log", "metadata-file"),
            ("statistics", "statistics-path"),
            ("partition-statistics", "statistics-path"),
        ):
            for entry in metadata.get(entries, ()):
                entry[name] = self._moved(entry[name])
        version = re.match("[0-9]+", self._metadata.rpartition("/")[2])
        new = f"{self._new}/metadata/{version[0] if version else '00000'}-{uuid4()}.metadata.json"
        with self._io.new_output(new).create() as stream:
            stream.write(json.dumps(metadata).encode())
        return new

    def _text(self, location: str) -> bytes:
        self._require(location)
        with self._io.new_input(location).open() as stream:
            return stream.read()

    def _move_manifest(self, entry: Record, at: dict[str, int]) -> None:
        path = entry[at["manifest_path"]]
        if path not in self._manifests:
            self._manifests[path] = self._rewritten(path, self._move_data_file)
        entry[at["manifest_path"]], entry[at["manifest_length"]] = self._manifests[path]

    def _move_data_file(self, entry: Record, at: dict[str, int]) -> None:
        data_file = entry[at["data_file"]]
        data_file[at["data_file.file_path"]] = self._moved(data_file[at["data_file.file_path"]])
        # Those that a version deleted may be gone for long.
        if entry[at["status"]] != _DELETED:
            self._require(data_file[at["data_file.file_path"]])

    def _rewritten(self, path: str, change: Callable[[Record, dict[str, int]], None]) -> tuple[str, int]:
        """A copy of one of Iceberg's Avro files with changed records: its location and size."""
        self._require(self._moved(path))
        with AvroFile[Record](self._io.new_input(self._moved(path))) as reader:
            records = list(reader)
        at = {name: position for position, name in enumerate(field.name for field in reader.schema.fields)}
        for field in reader.schema.fields:
            for position, inner in enumerate(getattr(field.field_type, "fields", ())):
                at[f"{field.name}.{inner.name}"] = position
        for record in records:
            change(record, at)
        new = f"{self._new}/metadata/{uuid4()}.avro"
        schema = json.loads(reader.header.meta["avro.schema"])
        output = self._io.new_output(new)
        with AvroOutputFile[Record](output, reader.schema, schema["name"], metadata=reader.header.meta) as writer:
            writer.write_block(records)
        return new, len(output)

    def _moved(self, location: str) -> str:
        if not location.startswith(f"{self._old}/"):
            raise LakeError(f"{self._name} has a file outside its directory, {location}: it can't be relocated")
        return f"{self._new}{location.removeprefix(self._old)}"

    def _require(self, location: str) -> None:
        if not self._io.new_input(location).exists():
            raise LakeError(
                f"{self._name} lacks the file {location.removeprefix(_SCHEME)}: the copy is not whole. Copy the lake "
                "again while nothing writes to it"
            )


# The status of an entry in a manifest.
_DELETED: Final = 2


# After damage


def go_back(root: Path, namespace: str, name: str) -> tuple[str, str | None]:
    """Let a table whose metadata or manifests are lost have its newest version that can be read.

    Gives the metadata file that it had, and the one that it has now: the same where nothing was lost, None where no
    version can be read. Then the catalog has forgotten the table, and whoever publishes it next makes it anew. No data
    file is looked at or removed. Raises `LakeError`: the lake has no such table.
    """
    file = root.resolve() / _FILE
    with _told(file), closing(sqlite3.connect(file, timeout=_PATIENCE_SECONDS)) as connection, connection:
        of_table = (namespace, name)
        found = connection.execute(
            "SELECT metadata_location, previous_metadata_location FROM iceberg_tables "
            "WHERE table_namespace = ? AND table_name = ?",
            of_table,
        ).fetchone()
        if found is None:
            raise LakeError(f"there is no table {namespace}.{name} in {root}")
        whole = _newest_whole(found, f"{_SCHEME}{root.resolve()}/")
        if whole is None:
            connection.execute("DELETE FROM iceberg_tables WHERE table_namespace = ? AND table_name = ?", of_table)
        elif whole != found[0]:
            connection.execute(
                "UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = NULL "
                "WHERE table_namespace = ? AND table_name = ?",
                (whole, *of_table),
            )
    return found[0], whole


def _newest_whole(metadata: Iterable[str | None], root: str) -> str | None:
    """Of these metadata files, and those that they followed, the first of which the current version can be read.

    Only such that were published: a run that lost a race leaves a file as well. And only such of a table below `root`:
    those from before the lake was copied name the files of the lake that it was copied from.
    """
    waiting = [location for location in metadata if location]
    for location in waiting:
        try:
            table = StaticTable.from_metadata(location)
            waiting += [entry.metadata_file for entry in reversed(table.metadata.metadata_log)]
            [*table.scan().plan_files()]
        except (OSError, EOFError, ValueError):
            continue
        if table.location().startswith(root):
            return location
    return None
