"""A local lake's catalog: opened wherever the lake is, refused where it names another's files, and made right again."""

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner
from pyiceberg.io.pyarrow import PyArrowFileIO

from deputies_lake import maintenance
from deputies_lake.causes import of_event
from deputies_lake.cli.main import main
from deputies_lake.environments import HOME, load_settings
from deputies_lake.lakehouse import iceberg, local_home
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.lakehouse.local_home import LakeError, LockedLakeError, relocate
from deputies_lake.maintenance import clean
from deputies_lake.resources.lake import LakeResource
from deputies_lake.star import dim_expense_categories, fct_expenses
from deputies_lake_tests.test_history import FUEL, YEAR, blank, commit, receipt

FACT, CATEGORIES = fct_expenses.TABLE, dim_expense_categories.TABLE


class Home:
    """A directory with a lake in it, or a copy of one."""

    def __init__(self, path: Path) -> None:
        self.path, self.warehouse = path, path / "warehouse"

    def open(self) -> Lake:
        return Lake(iceberg.local_catalog(self.warehouse))

    def publish(self, *amounts: str) -> None:
        rows = [receipt(key, f"{key}", net) for key, net in enumerate(amounts)]
        commit(self.open(), FACT, rows, [YEAR])

    def versions(self) -> list[list[str]]:
        """The amounts of each version that can be read, the oldest first."""
        lake = self.open()
        table = iceberg.load_table(lake._catalog, FACT.layer, FACT.name)
        files = [iceberg.data_files(table, [YEAR], snapshot) for snapshot in lake.snapshots(FACT).values()]
        read = [iceberg.dataset(table, of_version).to_table()["net_amount"].to_pylist() for of_version in files]
        return [[str(amount) for amount in amounts] for amounts in read]

    def content(self) -> dict[str, bytes]:
        """Every file by its name."""
        files = (path for path in self.path.rglob("*") if path.is_file())
        return {path.relative_to(self.path).as_posix(): path.read_bytes() for path in files}

    def clean(self, monkeypatch: pytest.MonkeyPatch) -> int:
        """Clean up as thoroughly as can be, and say how many files went."""
        monkeypatch.setattr(maintenance, "LEFTOVER_AGE", timedelta(0))
        monkeypatch.setattr(maintenance, "FEWEST_VERSIONS", 1)
        settings = load_settings("local", {HOME: str(self.path)})
        return sum(table.files for table in clean(self.open(), settings, dry_run=False))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Three versions of the fact, and a dimension."""
    home = Home(tmp_path / "original")
    commit(home.open(), CATEGORIES, [blank(CATEGORIES, expense_category_key=FUEL, name_pt="Combustíveis")])
    home.publish("10", "20")
    home.publish("10", "25")
    home.publish("30")
    return home


VERSIONS = [["10.00", "20.00"], ["10.00", "25.00"], ["30.00"]]


@pytest.fixture
def copy(home: Home, tmp_path: Path) -> Home:
    """As `cp -r` makes it, at a place whose name is longer and holds what other programs would decode."""
    path = tmp_path / "cópia de 50%25 d'água"
    shutil.copytree(home.path, path)
    return Home(path)


# a copy, and a move


def test_a_copied_lake_is_refused_with_both_places_and_the_remedy(home: Home, copy: Home) -> None:
    before = (home.content(), copy.content())
    with pytest.raises(LakeError) as refusal:
        copy.open()
    assert str(refusal.value) == (
        f"the catalog in {copy.warehouse} names 2 tables in {home.warehouse}: this lake was copied or moved from "
        "there. Nothing was read or changed. To make it a lake of its own here: deputies-lake relocate"
    )
    assert (home.content(), copy.content()) == before


def test_a_copied_lake_becomes_one_of_its_own_and_the_original_is_not_touched(home: Home, copy: Home) -> None:
    before = home.content()
    assert relocate(copy.warehouse) == ["star.dim_expense_categories", "star.fct_expenses"]
    assert home.content() == before
    shutil.rmtree(home.path)
    assert copy.versions() == VERSIONS
    assert [row["name_pt"] for row in copy.open().rows(CATEGORIES)] == ["Combustíveis"]
    # Which snapshot a file came with is not lost either.
    assert set(copy.open().published_at(FACT)) == {YEAR}
    copy.publish("40")
    assert copy.versions() == [*VERSIONS, ["40.00"]]


def test_a_moved_lake_becomes_whole_again(home: Home, tmp_path: Path) -> None:
    moved = Home(tmp_path / "b")
    home.path.rename(moved.path)
    with pytest.raises(LakeError, match="deputies-lake relocate"):
        moved.open()
    relocate(moved.warehouse)
    assert moved.versions() == VERSIONS


def test_a_lake_that_is_where_it_was_has_nothing_to_relocate(home: Home) -> None:
    before = home.content()
    assert relocate(home.warehouse) == []
    assert home.content() == before


def test_neither_of_two_lakes_publishes_into_the_other_or_cleans_it(
    home: Home, copy: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    relocate(copy.warehouse)
    home.publish("50")
    before = home.content()
    copy.publish("60")
    assert copy.clean(monkeypatch) > 0
    assert home.content() == before
    before = copy.content()
    assert home.clean(monkeypatch) == 0
    assert copy.content() == before
    assert (home.versions()[-1], copy.versions()[-1]) == (["50.00"], ["60.00"])


def test_the_clean_up_touches_no_table_outside_the_home(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.publish("50")
    monkeypatch.setattr(maintenance, "LEFTOVER_AGE", timedelta(0))
    before = home.content()
    elsewhere = load_settings("local", {HOME: str(tmp_path / "another")})
    with pytest.raises(RuntimeError, match=r"outside file://.*/another/warehouse: nothing of it was touched"):
        list(clean(home.open(), elsewhere, dry_run=False))
    assert home.content() == before


@pytest.mark.parametrize("written", [0, 1, 4])
def test_who_dies_on_the_way_leaves_the_catalog_as_it_was(
    copy: Home, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    before, files = copy.content(), iter(range(written))
    new_output = PyArrowFileIO.new_output

    def die(io: PyArrowFileIO, location: str) -> Any:
        if next(files, None) is None:
            raise KeyboardInterrupt
        return new_output(io, location)

    with monkeypatch.context() as patch:
        patch.setattr(PyArrowFileIO, "new_output", die)
        with pytest.raises(KeyboardInterrupt):
            relocate(copy.warehouse)
    after = copy.content()
    assert {name: after[name] for name in before} == before
    with pytest.raises(LakeError, match="deputies-lake relocate"):
        copy.open()
    relocate(copy.warehouse)
    assert copy.versions() == VERSIONS


def test_a_copy_that_lacks_a_file_is_not_relocated(copy: Home) -> None:
    lost = next(copy.warehouse.rglob("*.parquet"))
    lost.unlink()
    before = (copy.warehouse / "catalog.db").read_bytes()
    with pytest.raises(LakeError, match="the copy is not whole") as refusal:
        relocate(copy.warehouse)
    assert str(lost) in str(refusal.value)
    assert (copy.warehouse / "catalog.db").read_bytes() == before


def test_at_the_command_line_a_copy_is_refused_and_relocated(copy: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME, str(copy.path))
    verbs = (["query", "SELECT 1 FROM fct_expenses"], ["status"], ["maintain"], ["history", "--year", "2022"])
    refused = [CliRunner().invoke(main, verb) for verb in verbs]
    assert {result.exit_code for result in refused} == {1}
    assert all(result.output.splitlines()[-1].startswith("Error: the catalog in ") for result in refused)
    relocated = CliRunner().invoke(main, ["relocate"])
    assert relocated.output == f"2 tables now name their files in {copy.warehouse}\n"
    asked = CliRunner().invoke(main, ["query", "--format", "csv", "SELECT sum(net_amount) AS net FROM fct_expenses"])
    assert asked.output.splitlines() == ["net", "30.00"]


def run(home: Home) -> dg.ExecuteInProcessResult:
    """Of a job that has the lake and a step that is tried three times."""

    @dg.op(required_resource_keys={"lake"}, retry_policy=dg.RetryPolicy(max_retries=2))
    def step() -> None:
        pass

    @dg.job(resource_defs={"lake": LakeResource(warehouse=str(home.warehouse))})
    def job() -> None:
        step()

    return job.execute_in_process(raise_on_error=False)


def test_a_run_on_a_copied_lake_fails_before_its_first_step(copy: Home) -> None:
    result = run(copy)
    assert not any(event.is_step_start for event in result.all_events)
    (failure,) = [event for event in result.all_events if event.is_failure]
    assert "deputies-lake relocate" in of_event(failure)


# names


@pytest.mark.parametrize("name", ["50%25", "a b", "ação", "d'água", 'a"b', "a:b", "a+b&c;d,e", "~$HOME", "%41"])
def test_a_lake_is_where_its_directory_says_whatever_the_name(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path / name)
    home.publish("10")
    assert home.versions() == [["10.00"]]
    assert home.open().rows(FACT)[0]["net_amount"] == 10
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_percent_sign_does_not_lead_to_another_lake(tmp_path: Path) -> None:
    Home(tmp_path / "50%").publish("10")
    assert not Home(tmp_path / "50%25").open().exists(FACT)


# what can't be used


@pytest.fixture
def held(home: Home) -> Iterator[Path]:
    """The catalog, which another program holds for itself."""
    file = home.warehouse / "catalog.db"
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    yield file
    other.close()


def test_a_catalog_that_another_process_holds_is_named(home: Home, held: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert local_home._PATIENCE_SECONDS < 30
    monkeypatch.setattr(local_home, "_PATIENCE_SECONDS", 0.1)
    with pytest.raises(LockedLakeError) as refusal:
        home.open()
    assert str(refusal.value).startswith(f"{held} is held by another process.")
    (failure,) = [event for event in run(home).all_events if event.is_failure]
    assert of_event(failure) == str(refusal.value)


def test_a_catalog_that_is_held_once_the_lake_is_open_is_named_too(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_home, "_WRITERS_PATIENCE_SECONDS", 0)
    lake, file = home.open(), home.warehouse / "catalog.db"
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(LockedLakeError, match="is held by another process"):
        lake.exists(FACT)
    other.close()
    assert lake.exists(FACT)


def test_a_catalog_that_is_none_is_named(home: Home) -> None:
    file = home.warehouse / "catalog.db"
    file.write_text("not a database, whatever its name says", encoding="utf-8")
    with pytest.raises(LakeError, match=r"catalog\.db is no catalog, or a damaged one"):
        home.open()


def test_a_file_where_the_lake_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "warehouse").write_text("", encoding="utf-8")
    with pytest.raises(LakeError, match=r"warehouse can't be used: File exists"):
        Home(tmp_path).open()
