"""The lake's tables on disk: Iceberg v2 tables of plain Parquet files, published by one swap in the catalog.

Spark or PyArrow writes files that carry Iceberg's field ids under a fresh prefix of the table. Nobody sees
them until `commit` has read every footer and put all files into one snapshot, which replaces the given years
or the whole table. Whoever dies on the way leaves the old version and some files, which `orphans` finds.

Here belongs what knows Iceberg, each part in a file of its own: catalogs, schemas, files before they are published,
the commit, a snapshot's files, rows for an engine, and what is cleaned up. What a table means, when it is published and
what is audited before does not belong here, nor does Dagster or the start of a Spark session.
"""

from deputies_lake.lakehouse.iceberg.catalogs import (
    ensure_table,
    glue_catalog,
    identifier,
    load_table,
    local_catalog,
    set_properties,
    table_names,
)
from deputies_lake.lakehouse.iceberg.commits import ConcurrentCommitError, StagedFilesError, commit, inspect_files
from deputies_lake.lakehouse.iceberg.expiry import Orphan, expire_snapshots, orphans, outlived
from deputies_lake.lakehouse.iceberg.files import (
    filesystem_and_path,
    list_files,
    new_prefix,
    provide_directory,
    write_columns,
    write_file,
)
from deputies_lake.lakehouse.iceberg.frames import dataset, project, read
from deputies_lake.lakehouse.iceberg.schemas import arrow_schema
from deputies_lake.lakehouse.iceberg.snapshots import (
    data_files,
    files_by_year,
    lacks_columns,
    lost_files,
    newest_whole_files,
    require,
    require_whole,
    row_count,
    years,
)

__all__ = [
    "ConcurrentCommitError",
    "Orphan",
    "StagedFilesError",
    "arrow_schema",
    "commit",
    "data_files",
    "dataset",
    "ensure_table",
    "expire_snapshots",
    "files_by_year",
    "filesystem_and_path",
    "glue_catalog",
    "identifier",
    "inspect_files",
    "lacks_columns",
    "list_files",
    "load_table",
    "local_catalog",
    "lost_files",
    "new_prefix",
    "newest_whole_files",
    "orphans",
    "outlived",
    "project",
    "provide_directory",
    "read",
    "require",
    "require_whole",
    "row_count",
    "set_properties",
    "table_names",
    "write_columns",
    "write_file",
    "years",
]
