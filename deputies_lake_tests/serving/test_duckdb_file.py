"""One file for whoever has DuckDB: opened as a reader does it, in a program of its own."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import boto3
import duckdb
import pytest

from deputies_lake.contracts import Column
from deputies_lake.environments import Settings
from deputies_lake.lakehouse.lake import Lake, MissingTableError
from deputies_lake.published import PublishedFiles
from deputies_lake.resources.lake import LakeResource
from deputies_lake.serving import duckdb_file, mart_deputies, mart_months, publications
from deputies_lake.star import fct_expenses
from deputies_lake_tests.serving import small_lake


@contextmanager
def reading(path: str | Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """As any program opens it: read-only, no extension within reach."""
    with duckdb.connect(str(path), read_only=True, config={"autoinstall_known_extensions": "false"}) as connection:
        yield connection


@pytest.fixture(scope="module")
def file(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / duckdb_file.NAME
    duckdb_file.build(lake, path)
    return path


@pytest.mark.parametrize("name", ["mart_deputies", "serving.mart_deputies"])
def test_the_tables_hold_what_is_published(file: Path, name: str) -> None:
    with reading(file) as connection:
        [(rows, spent)] = connection.sql(f"SELECT count(*), sum(spent_amount) FROM {name}").fetchall()
    assert (rows, str(spent)) == (3, "1234570.30")


def test_the_file_goes_where_the_lake_is_not(tmp_path: Path) -> None:
    home, sent = tmp_path / "lake", tmp_path / "mailed.duckdb"
    duckdb_file.build(small_lake.build(home), sent)
    shutil.rmtree(home)
    with reading(sent) as connection:
        assert connection.sql("SELECT count(*) FROM mart_deputies NATURAL JOIN mart_months").fetchall() == [(0,)]
        assert connection.sql("SELECT f.year FROM fct_expenses f ORDER BY ALL").fetchall() == [(2016,), (2025,)]


def test_show_tables_shows_them(file: Path) -> None:
    with reading(file) as connection:
        shown = {name for (name,) in connection.sql("SHOW TABLES").fetchall()}
    published = {"mart_deputies", "mart_months", "publications", "fct_expenses", "dim_suppliers", "ref_known_gaps"}
    assert shown == published | {"contents", "citation"}


def test_only_the_layers_for_readers_are_there(file: Path) -> None:
    with reading(file) as connection:
        schemas = connection.sql("SELECT DISTINCT schema_name FROM duckdb_views() WHERE NOT internal").fetchall()
    assert {name for (name,) in schemas} == {"star", "serving"}


def test_each_column_says_in_both_languages_what_it_is(file: Path, lake: Lake) -> None:
    with reading(file) as connection:
        found = connection.sql(
            "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'mart_deputies'"
            " AND schema_name = 'main'"
        ).fetchall()
    assert dict(found) == {column.name: column.description for column in mart_deputies.TABLE.columns}


def test_each_table_says_in_both_languages_what_it_is(file: Path) -> None:
    table = mart_deputies.TABLE
    with reading(file) as connection:
        found = connection.sql("SELECT comment FROM duckdb_tables() WHERE table_name = 'mart_deputies'").fetchall()
    assert found == [(f"{table.pt} / {table.en}",)]


def test_rows_that_earlier_code_published_go_into_the_file_as_they_are(tmp_path: Path) -> None:
    lake = small_lake.build(tmp_path)
    newer = Column(name="is_new", type="boolean", pt="nova", en="new", nullable=True)
    table = replace(mart_months.TABLE, columns=(*mart_months.TABLE.columns, newer))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb_file, "served_tables", lambda: {table.name: table})
        duckdb_file.build(lake, tmp_path / duckdb_file.NAME)
    with reading(tmp_path / duckdb_file.NAME) as connection:
        assert connection.sql("SELECT month FROM mart_months").fetchall() == [(3,)]


def test_it_says_what_is_in_it_and_how_to_cite_it(file: Path, lake: Lake) -> None:
    with reading(file) as connection:
        kind, snapshot = connection.sql(
            "SELECT kind, snapshot_id FROM contents WHERE table_name = 'serving.mart_deputies'"
        ).fetchall()[0]
        [(version, text)] = connection.sql("SELECT version, text_pt FROM citation").fetchall()
        years = connection.sql("SELECT year, sha256 FROM serving.publications ORDER BY year").fetchall()
    assert (kind, snapshot) == ("table", lake.snapshot_id(mart_deputies.TABLE))
    assert version in text
    assert years == [(2016, None), (2025, small_lake.SHA)]


def test_a_new_file_has_the_new_figures_and_who_holds_the_old_one_keeps_the_old(tmp_path: Path) -> None:
    lake, published = small_lake.build(tmp_path), PublishedFiles(str(tmp_path / "published"))
    path, _, _ = duckdb_file.publish(lake, published)
    with reading(path) as old:
        rows = [small_lake.row(mart_months.TABLE, year=2025, month=month) for month in (1, 2)]
        small_lake.commit(lake, mart_months.TABLE, rows)
        duckdb_file.publish(lake, published)
        assert old.sql("SELECT count(*) FROM serving.mart_months").fetchall() == [(1,)]
    with reading(path) as new:
        assert new.sql("SELECT count(*) FROM serving.mart_months").fetchall() == [(2,)]


def test_a_lake_in_which_nothing_was_published_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    published = PublishedFiles(str(tmp_path))
    published.write(duckdb_file.NAME, b"of yesterday")
    with pytest.raises(MissingTableError):
        duckdb_file.publish(small_lake.open_lake(tmp_path), published)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [duckdb_file.NAME]
    assert published.read(duckdb_file.NAME) == b"of yesterday"


# in AWS


@pytest.fixture(scope="module")
def copied(in_aws: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The file of a lake in S3, fetched as a reader does it, with one table too large to be copied."""
    lake, published = LakeResource.of(in_aws).open(), PublishedFiles.of(in_aws)
    year = {"year": 2025, "source_code": small_lake.HOUSE}
    small_lake.commit(lake, fct_expenses.TABLE, [small_lake.row(fct_expenses.TABLE, **year)])
    small_lake.commit(lake, publications.TABLE, [small_lake.row(publications.TABLE, **year)])
    small_lake.commit(lake, mart_months.TABLE, [small_lake.row(mart_months.TABLE, month=3, **year)])
    deputies = [small_lake.deputies(2025, deputy_key=key) for key in range(3)]
    small_lake.commit(lake, mart_deputies.TABLE, deputies)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb_file, "LARGEST_COPY", 2)
        patch.setattr(
            duckdb_file, "served_tables", lambda: {t.name: t for t in (mart_deputies.TABLE, mart_months.TABLE)}
        )
        location, size, _ = duckdb_file.publish(lake, published)
    assert location == f"{in_aws.published}/lake.duckdb"
    path = tmp_path_factory.mktemp("fetched") / "lake.duckdb"
    path.write_bytes(published.read("lake.duckdb"))
    assert path.stat().st_size == size
    with reading(path) as connection:
        yield connection


def test_of_a_lake_in_s3_the_file_holds_the_rows_themselves(copied: duckdb.DuckDBPyConnection) -> None:
    assert copied.sql("SELECT year, month FROM serving.mart_months").fetchall() == [(2025, 3)]


def test_a_table_that_is_too_large_to_be_copied_is_said_to_be_absent(copied: duckdb.DuckDBPyConnection) -> None:
    assert copied.sql("SELECT kind, row_count FROM contents ORDER BY row_count").fetchall() == [
        ("table", 1),
        ("absent", 3),
    ]


def test_what_is_published_in_s3_says_what_it_is_so_that_a_browser_shows_it(in_aws: Settings) -> None:
    content = b"<!doctype html>"
    PublishedFiles.of(in_aws).write("dashboard.html", content)
    bucket, _, prefix = in_aws.published.removeprefix("s3://").partition("/")
    found = boto3.client("s3", region_name="us-east-1").get_object(Bucket=bucket, Key=f"{prefix}/dashboard.html")
    assert found["ContentType"] == "text/html; charset=utf-8"
    assert hashlib.sha256(found["Body"].read()).digest() == hashlib.sha256(content).digest()
