"""The serving layer's assets that need no cluster, materialized as Dagster does it."""

from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from deputies_lake.lakehouse.lake import Lake
from deputies_lake.resources.files import FilesResource
from deputies_lake.resources.lake import LakeResource
from deputies_lake.serving import data_dictionary, publications
from deputies_lake.serving.assets import build_duckdb_file, describe_tables
from deputies_lake.serving.reading import asked
from deputies_lake.staging import rejected_rows
from deputies_lake_tests.serving import small_lake


def materialized(home: Path, *, raise_on_error: bool = True) -> dg.ExecuteInProcessResult:
    files = FilesResource(landing=str(home / "landing"), archive=str(home), published=str(home / "published"))
    resources = {
        "lake": LakeResource(warehouse=str(home / "warehouse")),
        "files": files,
        "pyspark_step_launcher": dg.ResourceDefinition.none_resource(),
    }
    return dg.materialize([describe_tables, build_duckdb_file], resources=resources, raise_on_error=raise_on_error)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("lake")
    lake = small_lake.build(home)
    house = {"year": 2025, "source_code": small_lake.HOUSE, "source_line": 7, "rejection_reason": "31 fields"}
    small_lake.commit(lake, rejected_rows.TABLE, [small_lake.row(rejected_rows.TABLE, **house)])
    return home


@pytest.fixture(scope="module")
def run(built: Path) -> dg.ExecuteInProcessResult:
    return materialized(built)


@pytest.fixture(scope="module")
def lake(built: Path) -> Lake:
    return small_lake.open_lake(built)


def metadata(run: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    [event] = [e for e in run.get_asset_materialization_events() if e.asset_key == dg.AssetKey(["serving", asset])]
    return {name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()}


def test_the_dictionary_is_a_table_and_files(run: dg.ExecuteInProcessResult, built: Path, lake: Lake) -> None:
    assert len(lake.rows(data_dictionary.TABLE)) == len(data_dictionary.rows())
    names = {path.name for path in (built / "published").iterdir()}
    assert names == {"dictionary.html", "dictionary.csv", "datapackage.json", "lake.duckdb"}
    assert set(metadata(run, "data_dictionary")["files"]) == {
        str(built / "published" / name) for name in names - {"lake.duckdb"}
    }


def test_the_file_is_made_after_what_it_holds(run: dg.ExecuteInProcessResult, built: Path) -> None:
    with duckdb.connect(str(built / "published" / "lake.duckdb"), read_only=True) as connection:
        [(count,)] = connection.sql("SELECT count(*) FROM serving.data_dictionary").fetchall()
    assert count == len(data_dictionary.rows())


def test_lines_that_could_not_be_read_are_in_the_file_and_answer_questions(
    run: dg.ExecuteInProcessResult, built: Path, lake: Lake
) -> None:
    wanted = [(2025, 7, "31 fields")]
    with duckdb.connect(str(built / "published" / "lake.duckdb"), read_only=True) as connection:
        assert connection.sql("SELECT year, line, reason FROM serving.rejected_lines").fetchall() == wanted
    with asked(lake, "SELECT year, line, reason FROM rejected_lines") as connection:
        assert connection.fetchall() == wanted


def test_the_ui_shows_what_is_in_the_file_and_its_size(run: dg.ExecuteInProcessResult, built: Path) -> None:
    told = metadata(run, "duckdb_file")
    assert "| serving.mart_deputies | table | 3 |" in told["tables"]
    assert told["bytes"] == (built / "published" / "lake.duckdb").stat().st_size


def test_what_has_not_changed_is_no_new_version(run: dg.ExecuteInProcessResult, built: Path, lake: Lake) -> None:
    before = [lake.snapshot_id(table) for table in (publications.TABLE, data_dictionary.TABLE)]
    materialized(built)
    assert [lake.snapshot_id(table) for table in (publications.TABLE, data_dictionary.TABLE)] == before


def test_an_empty_lake_fails_with_what_to_materialize_first(tmp_path: Path) -> None:
    run = materialized(tmp_path, raise_on_error=False)
    failure = run.failure_data_for_node("describe_tables")
    assert failure
    assert failure.user_failure_data
    assert "--select star/fct_expenses" in (failure.user_failure_data.description or "")
