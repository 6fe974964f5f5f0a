"""`lake.duckdb`: the served tables in one file, for whoever has DuckDB, or a tool that opens its files.

The file holds the rows themselves: it can be copied, mailed and kept, and needs nothing of the lake. Tables are in
DuckDB's own schema, so that their bare names are enough; `serving.NAME` and `star.NAME`, as elsewhere, are there too.
Where the lake is in S3, which DuckDB could not read without an extension, the largest tables are left out.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from deputies_lake.contracts import Table
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.published import PublishedFiles
from deputies_lake.serving.citation import Citation, citation
from deputies_lake.tables import SERVED, served_tables

NAME: Final = "lake.duckdb"

LARGEST_COPY: Final = 1_000_000
"""Rows. Of a lake in S3 a table with more is left out: it would take minutes to fetch."""

_ABOUT_CONTENTS: Final = (
    "O que há neste arquivo, e de que instantâneo do lake; absent: grande demais, leia no Athena. / "
    "What is in this file, and of which snapshot of the lake; absent: too large, read it in Athena."
)
_ABOUT_CITATION: Final = (
    "Como citar; os arquivos de cada ano estão em publications. / "
    "How to cite; the files of each year are in publications."
)


@dataclass(frozen=True, kw_only=True)
class Content:
    """What became of a table in the file: it is there as a `table`, or `absent`."""

    table: Table
    kind: str
    rows: int
    snapshot_id: int


def publish(lake: Lake, published: PublishedFiles) -> tuple[str, int, Sequence[Content]]:
    """Make the file and put it in the place of the one before. Says where it is, its size in bytes, and what is in it.

    Who holds the old one open keeps it. Raises `MissingTableError` where nothing was published yet.
    """
    with tempfile.TemporaryDirectory(prefix="deputies_lake_duckdb_") as folder:
        path = Path(folder) / NAME
        contents = build(lake, path)
        return published.write_file(NAME, path), path.stat().st_size, contents


def build(lake: Lake, path: Path) -> Sequence[Content]:
    """Make the file at a path where there is none."""
    cited = citation(lake)
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET enable_progress_bar = false")
        for layer in SERVED:
            connection.execute(f"CREATE SCHEMA {layer}")
        # One transaction: each of the thousand comments by itself would be written to the disk, which takes longer than
        # the rows.
        connection.begin()
        contents = list(_tables(lake, connection))
        _tell(connection, contents, cited)
        connection.commit()
        return contents


def _tables(lake: Lake, connection: duckdb.DuckDBPyConnection) -> Iterator[Content]:
    rows_of = dict(lake.overview(SERVED))
    for table in served_tables().values():
        rows = rows_of.get(table.identifier)
        if rows is None:
            continue
        kind = _add(lake, connection, table, rows)
        yield Content(table=table, kind=kind, rows=rows, snapshot_id=lake.snapshot_id(table))


def _add(lake: Lake, connection: duckdb.DuckDBPyConnection, table: Table, rows: int) -> str:
    if select := lake.select(table):
        connection.execute(f"CREATE TABLE main.{table.name} AS {select}")
    elif rows > LARGEST_COPY:
        return "absent"
    else:
        name = lake.view(connection, table)
        connection.execute(f"CREATE TABLE main.{table.name} AS FROM {name}")
        connection.unregister(name)
    connection.execute(f"CREATE VIEW {table.identifier} AS FROM main.{table.name}")
    # Rows that earlier code published, and that no run has touched since, lack what is new.
    there = connection.table(f"main.{table.name}").columns
    for kind, name in (("TABLE", f"main.{table.name}"), ("VIEW", table.identifier)):
        connection.execute(f"COMMENT ON {kind} {name} IS {_text(f'{table.pt} / {table.en}')}")
        for column in (column for column in table.columns if column.name in there):
            connection.execute(f"COMMENT ON COLUMN {name}.{column.name} IS {_text(column.description)}")
    return "table"


def _tell(connection: duckdb.DuckDBPyConnection, contents: Sequence[Content], cited: Citation) -> None:
    """The tables `main.contents` and `main.citation`."""
    connection.execute(
        "CREATE TABLE main.contents (table_name VARCHAR, kind VARCHAR, row_count BIGINT, snapshot_id BIGINT)"
    )
    told = [(one.table.identifier, one.kind, one.rows, one.snapshot_id) for one in contents]
    connection.executemany("INSERT INTO main.contents VALUES (?, ?, ?, ?)", told)
    connection.execute(f"COMMENT ON TABLE main.contents IS {_text(_ABOUT_CONTENTS)}")
    connection.execute(
        "CREATE TABLE main.citation AS SELECT ? AS version, ?::DATE AS as_of, ? AS text_pt, ? AS text_en, "
        "? AS licence_pt, ? AS licence_en, ? AS is_invented",
        [
            cited.version,
            cited.as_of,
            cited.text_pt,
            cited.text_en,
            cited.licence_pt,
            cited.licence_en,
            cited.is_invented,
        ],
    )
    connection.execute(f"COMMENT ON TABLE main.citation IS {_text(_ABOUT_CITATION)}")


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
