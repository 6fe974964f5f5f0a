"""The demo as a newcomer types it: which lake it builds from which files, and what it says. No step runs here."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deputies_lake.cli import demo, demo_runs
from deputies_lake.cli.demo_runs import Outcome
from deputies_lake.cli.main import main
from deputies_lake.environments import CHAMBER_URL, DAGSTER_HOME, HOME, LANDING, load_settings
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.raw import chamber_expenses
from deputies_lake.sample.chamber import write_chamber_files
from deputies_lake_tests.serving.small_lake import commit, row

REAL = b"whatever the House published"
SAMPLE = {"deputies_dataset.csv", "dirty_deputies_v2.csv", *(f"Ano-{year}.csv.zip" for year in (2018, 2019, 2020))}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, to which one has gone. No variable is set; those that a verb sets are gone afterwards."""
    for variable in (HOME, LANDING, CHAMBER_URL, DAGSTER_HOME):
        # Set first, so that it is put back to what it was.
        monkeypatch.setenv(variable, "something")
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Type a demo whose runs have this outcome."""

    def ask(*arguments: str, outcome: Outcome | None = None) -> Result:
        fine = Outcome(succeeded=True, problems=(), checks_passed=1, warnings=(), refused=False)
        monkeypatch.setattr(demo_runs, "materialize_all", lambda *_: outcome or fine)
        # A demo ends the Java that its runs started, which here would be that of all of this process's tests.
        monkeypatch.setattr(demo, "end_java", lambda: None)
        return CliRunner().invoke(main, ["demo", "--rows", "5000", *arguments])

    return ask


def landed(folder: Path, name: str, content: bytes = REAL) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


# which lake


def test_without_any_file_a_lake_of_invented_data_is_built_in_a_home_of_its_own(
    ask: Callable[..., Result], folder: Path
) -> None:
    asked = ask()
    assert asked.exit_code == 0, asked.output
    assert f"Building the lake in {folder}/demo_lake/warehouse from {folder}/demo_lake/landing" in asked.output
    assert names(folder) == {"demo_lake"}
    assert names(folder / "demo_lake" / "landing") == SAMPLE


def test_what_is_typed_after_a_first_demo_is_about_its_lake(
    ask: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask()
    monkeypatch.delenv(HOME)
    monkeypatch.delenv(LANDING)
    assert load_settings("local").home == f"{folder}/demo_lake"
    landed(folder / "lake" / "landing", "Ano-2019.csv.zip")
    assert load_settings("local").home == f"{folder}/lake"


def test_a_second_demo_takes_the_sample_that_lies_there(
    ask: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask()
    monkeypatch.delenv(HOME)
    monkeypatch.delenv(LANDING)
    again = ask()
    assert "Writing" not in again.output
    assert names(folder) == {"demo_lake"}


@pytest.mark.parametrize("name", ["Ano-2019.csv.zip", "deputies_dataset.csv", "AnoAtual.zip"])
def test_where_any_file_has_landed_nothing_is_invented(ask: Callable[..., Result], folder: Path, name: str) -> None:
    file = landed(folder / "lake" / "landing", name)
    asked = ask()
    assert f"Building the lake in {folder}/lake/warehouse" in asked.output
    assert (names(file.parent), file.read_bytes()) == ({name}, REAL)
    assert names(folder) == {"lake"}


def test_real_files_of_another_folder_go_into_the_lake(ask: Callable[..., Result], folder: Path) -> None:
    landed(folder / "downloads", "Ano-2019.csv.zip")
    asked = ask("--input", "downloads")
    assert f"Building the lake in {folder}/lake/warehouse from {folder}/downloads" in asked.output
    assert names(folder / "downloads") == {"Ano-2019.csv.zip"}


def test_invented_files_of_another_folder_go_into_the_demos_lake(ask: Callable[..., Result], folder: Path) -> None:
    write_chamber_files(folder / "sample", years=[2019], rows_per_year=500)
    asked = ask("--input", "sample")
    assert f"Building the lake in {folder}/demo_lake/warehouse from {folder}/sample" in asked.output
    assert names(folder) == {"demo_lake", "sample"}


def test_a_home_that_is_set_is_kept(ask: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME, str(folder / "mine"))
    assert f"Building the lake in {folder}/mine/warehouse" in ask().output
    assert names(folder) == {"mine"}


def test_a_lake_of_real_data_gets_no_sample(
    ask: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME, str(folder / "mine"))
    table = chamber_expenses.TABLE
    commit(Lake(iceberg.local_catalog(folder / "mine" / "warehouse")), table, [row(table, year=2019)])
    asked = ask()
    assert asked.exit_code == 2
    assert f"the lake in {folder}/mine is of real data, and nothing lies in {folder}/mine/landing" in asked.output
    assert not (folder / "mine" / "landing").exists()


# other verbs that write files


def test_a_sample_is_not_written_among_real_files(folder: Path) -> None:
    file = landed(folder / "lake" / "landing", "Ano-2019.csv.zip")
    asked = CliRunner().invoke(main, ["sample", "--rows", "5000", "lake/landing"])
    assert asked.exit_code == 2
    assert "lake/landing holds Ano-2019.csv.zip, which this verb did not write" in asked.output
    assert (names(file.parent), file.read_bytes()) == ({"Ano-2019.csv.zip"}, REAL)


def test_a_sample_may_be_written_over_a_sample(folder: Path) -> None:
    done = [CliRunner().invoke(main, ["sample", "--rows", rows, "sample"]).exit_code for rows in ("5000", "6000")]
    assert done == [0, 0]
    assert names(folder / "sample") == SAMPLE


def test_nothing_is_fetched_beside_invented_files(folder: Path) -> None:
    write_chamber_files(folder / "lake" / "landing", years=[2019], rows_per_year=500)
    asked = CliRunner().invoke(main, ["fetch", "--years", "2019"])
    assert asked.exit_code == 1
    assert "holds invented files (Ano-2019.csv.zip): real ones are not put beside them" in asked.output


def test_real_files_are_fetched_into_the_lake_even_after_a_demo(
    ask: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask()
    monkeypatch.delenv(HOME)
    monkeypatch.delenv(LANDING)
    # Nobody listens there: that it is asked is enough.
    monkeypatch.setenv(CHAMBER_URL, "none")
    asked = CliRunner().invoke(main, ["fetch", "--years", "2019"])
    assert f"files come into {folder}/lake/landing by hand" in asked.output


# what came of it


def test_where_a_file_was_refused_it_is_named_and_the_demo_has_not_succeeded(
    ask: Callable[..., Result], folder: Path
) -> None:
    landed(folder / "lake" / "landing", "Ano-2019.csv.zip")
    warning = "raw/chamber_expenses files_are_readable: 2019 not published\n    2019: Ano-2019.csv.zip: fetch it again"
    told = ask(outcome=Outcome(succeeded=True, problems=(), checks_passed=1, warnings=[warning], refused=True))
    assert warning in told.output
    assert "1 of 2 passed" in told.output
    assert "Not all was published: see Checks" in told.output
    assert told.exit_code == 1


def test_only_what_was_made_is_shown(ask: Callable[..., Result], folder: Path) -> None:
    before, lake = ask().output, folder / "demo_lake"
    landed(lake / "published", "lake.duckdb")
    after = ask().output
    assert (f"DuckDB      {lake}" in before, f"DuckDB      {lake}" in after) == (False, True)
    assert ("status    #" in before, "query --question 2" in after) == (True, True)


def test_what_stops_nothing_is_told_and_the_demo_has_succeeded(ask: Callable[..., Result], folder: Path) -> None:
    landed(folder / "lake" / "landing", "Ano-2019.csv.zip")
    told = ask(outcome=Outcome(succeeded=True, problems=(), checks_passed=1, warnings=["dates: 3 rows"], refused=False))
    assert ("dates: 3 rows" in told.output, told.exit_code) == (True, 0)
