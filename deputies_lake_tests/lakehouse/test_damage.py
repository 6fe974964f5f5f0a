"""Files of a lake that are lost: which table it is and what mends it is said, and every other table goes on."""

import contextlib
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pyiceberg.table.snapshots import Snapshot

from deputies_lake import maintenance
from deputies_lake.checks.audit import AuditFailedError
from deputies_lake.cli.main import main
from deputies_lake.contracts import Table
from deputies_lake.environments import DAGSTER_HOME, HOME
from deputies_lake.lakehouse.damage import DamagedTableError
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.serving import mart_deputies
from deputies_lake.star import dim_suppliers, fct_expenses
from deputies_lake_tests.serving import small_lake

TABLE = mart_deputies.TABLE
OF_2025 = "dagster asset materialize -m deputies_lake.definitions --select serving/mart_deputies"
REPAIR = "deputies-lake repair serving.mart_deputies"


Damage = Callable[..., None]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv(HOME, str(tmp_path))
    monkeypatch.delenv(DAGSTER_HOME, raising=False)
    return small_lake.build(tmp_path)


def typed(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def local(location: str) -> Path:
    return Path(location.removeprefix("file://"))


def lose_rows(lake: Lake, table: Table = TABLE) -> None:
    newest = [max(lake.years(table))] if table.partitioned else None
    local(lake.files(table, newest)[0]).unlink()


def lose_metadata(lake: Lake, table: Table = TABLE) -> None:
    local(lake.table(table).metadata_location).unlink()


def lose_manifests(lake: Lake) -> None:
    local(snapshot_of(lake, TABLE).manifest_list).unlink()


def lose_manifest(lake: Lake, table: Table = TABLE) -> None:
    local(snapshot_of(lake, table).manifests(lake.table(table).io)[0].manifest_path).unlink()


def snapshot_of(lake: Lake, table: Table) -> Snapshot:
    snapshot = lake.table(table).current_snapshot()
    assert snapshot
    return snapshot


def cut_off(lake: Lake) -> None:
    file = local(lake.files(TABLE, [2025])[0])
    file.write_bytes(file.read_bytes()[:100])


@pytest.mark.parametrize("damage", [lose_rows, cut_off])
def test_a_question_to_a_table_that_lost_rows_names_the_year_and_what_mends_it(lake: Lake, damage: Damage) -> None:
    damage(lake)
    asked = typed("query", "SELECT count(deputy_name) FROM mart_deputies")
    assert asked.exit_code == 1
    assert "serving.mart_deputies is damaged: a file of 2025 is lost or not whole" in asked.output
    assert f"{OF_2025} --partition-range 2025...2025" in asked.output
    assert "ermission" not in asked.output


@pytest.mark.parametrize("damage", [lose_metadata, lose_manifests, lose_manifest])
def test_a_question_to_a_table_that_lost_metadata_names_what_mends_it(lake: Lake, damage: Damage) -> None:
    damage(lake)
    asked = typed("query", "SELECT count(*) FROM mart_deputies")
    assert (asked.exit_code, REPAIR in asked.output) == (1, True)
    assert typed("query", "SELECT count(*) FROM dim_suppliers").exit_code == 0


@pytest.mark.parametrize("damage", [lose_rows, cut_off, lose_metadata, lose_manifests, lose_manifest])
def test_status_names_the_damaged_table_and_shows_the_others(lake: Lake, damage: Damage) -> None:
    damage(lake)
    shown = typed("status")
    assert (shown.exit_code, "1 table damaged" in shown.output) == (1, True)
    assert "damaged  serving.mart_deputies is damaged: " in shown.output
    assert "  star " in shown.output
    assert f"  {REPAIR}" in shown.output or f"  {OF_2025} --partition-range 2025...2025" in shown.output


def test_whichever_table_lost_its_metadata_status_shows_the_others(lake: Lake) -> None:
    for name, table in lake.tables():
        file = local(table.metadata_location)
        content = file.read_bytes()
        file.unlink()
        shown = typed("status")
        assert f"damaged  {name} is damaged: " in shown.output
        file.write_bytes(content)


@pytest.mark.parametrize("damage", [lose_metadata, lose_manifests, lose_manifest])
def test_the_clean_up_leaves_a_damaged_table_alone_names_it_and_cleans_the_others(
    lake: Lake, damage: Damage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "LEFTOVER_AGE", timedelta(0))
    for table in (TABLE, dim_suppliers.TABLE):
        lake.stage_rows(table, lambda: [small_lake.row(table, year=2025)], "killed")  # noqa: B023
    damage(lake)
    folders = [tmp_path / "warehouse" / name for name in ("serving/mart_deputies/data", "star/dim_suppliers/data")]
    before = [{*folder.rglob("*.parquet")} for folder in folders]
    shown = typed("maintain")
    assert (shown.exit_code, REPAIR in shown.output, "star.dim_suppliers" in shown.output) == (1, True, True)
    lost = [len(files - {*folder.rglob("*.parquet")}) for files, folder in zip(before, folders, strict=True)]
    assert lost == [0, 1]


@pytest.mark.parametrize("damage", [lose_metadata, lose_manifests, lose_manifest])
def test_a_repaired_table_has_its_last_whole_version_and_can_be_published_again(lake: Lake, damage: Damage) -> None:
    def rows() -> list[str]:
        return sorted(map(str, lake.rows(TABLE)))

    before = rows()
    version = lake.snapshot_id(TABLE)
    small_lake.commit(lake, TABLE, [small_lake.deputies(2025, deputy_key=5)])
    damage(lake)
    with pytest.raises(DamagedTableError, match=REPAIR):
        small_lake.commit(lake, TABLE, [small_lake.deputies(2025, deputy_key=5)])
    repaired = typed("repair", "serving.mart_deputies")
    assert repaired.exit_code == 0, repaired.output
    assert (lake.snapshot_id(TABLE), rows()) == (version, before)
    assert OF_2025 in repaired.output
    small_lake.commit(lake, TABLE, [small_lake.deputies(2025, deputy_key=5)])
    assert [row["deputy_key"] for row in lake.rows(TABLE, [2025])] == [5]


def test_a_table_of_which_no_version_is_whole_is_made_anew(lake: Lake) -> None:
    for file in local(lake.table(TABLE).metadata_location).parent.iterdir():
        file.unlink()
    assert "is empty now" in typed("repair", "serving.mart_deputies").output
    assert not lake.exists(TABLE)
    small_lake.commit(lake, TABLE, [small_lake.deputies(2025, deputy_key=5)])
    assert len(lake.rows(TABLE)) == 1


def test_a_copied_lake_does_not_go_back_to_the_files_of_the_lake_it_was_copied_from(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(tmp_path / "warehouse", copied / "warehouse")
    monkeypatch.setenv(HOME, str(copied))
    assert typed("relocate").exit_code == 0
    copy = small_lake.open_lake(copied)
    lose_metadata(copy)
    assert "is empty now" in typed("repair", "serving.mart_deputies").output
    assert not copy.exists(TABLE)
    assert lake.rows(TABLE)


def test_a_whole_table_stays_as_it_is(lake: Lake) -> None:
    before = lake.table(TABLE).metadata_location
    repaired = typed("repair", "serving.mart_deputies")
    assert (repaired.exit_code, repaired.output) == (
        0,
        "The metadata of serving.mart_deputies is whole: nothing was changed\n",
    )
    assert lake.table(TABLE).metadata_location == before


def test_a_table_that_does_not_exist_is_told(lake: Lake) -> None:
    assert "there is no table serving.mart_x" in typed("repair", "serving.mart_x").output


def test_a_dimension_can_be_published_while_the_fact_has_lost_a_file(lake: Lake) -> None:
    lose_rows(lake, fct_expenses.TABLE)
    rows = lake.rows(dim_suppliers.TABLE)
    staged = lake.stage_rows(dim_suppliers.TABLE, lambda: rows, "run")
    with contextlib.suppress(AuditFailedError):
        # Of these few columns some are nobody's; that the fact is looked at, and not refused, is the question.
        lake.publish([staged], "run")


def test_what_can_not_be_read_is_repaired_before_anything_is_made_again(lake: Lake) -> None:
    lose_rows(lake, dim_suppliers.TABLE)
    lose_metadata(lake)
    shown = typed("status").output
    assert shown.index(f"\n  {REPAIR}") < shown.index("\n  dagster asset materialize")
