"""The raw asset of the House's files, as Dagster runs it: fetched from a server on loopback, taken in, told."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from deputies_lake.raw import chamber_expenses, file_versions, kaggle_reimbursements
from deputies_lake.raw.assets import kaggle_reimbursements_asset, take_in_chamber_expenses
from deputies_lake.raw.download import Limits
from deputies_lake.resources.files import FilesResource
from deputies_lake.resources.lake import LakeResource
from deputies_lake.resources.spark import SparkResource
from deputies_lake_tests.raw.house import Fault, House, Published, zip_with
from deputies_lake_tests.raw.test_intake import csv_of

FETCHED = ("chamber_expenses", "files_were_fetched")
STOOD = ("chamber_expenses", "nothing_vanished")
READABLE = ("chamber_expenses", "files_are_readable")


def archive_of(year: int, fuel: int) -> Published:
    content = zip_with({f"Ano-{year}.csv": csv_of(year, fuel)})
    return Published(content=content, etag=f'"{year}-{fuel}"')


class Platform:
    """A lake, its landing zone, and the House's server."""

    def __init__(self, folder: Path, house: House, instance: dg.DagsterInstance) -> None:
        self.landing = folder / "landing"
        self.landing.mkdir()
        self.house = house
        self.lake = LakeResource(warehouse=str(folder / "warehouse"))
        self.files = FilesResource(
            landing=str(self.landing),
            archive=str(folder / "archive"),
            published=str(folder / "published"),
            chamber_url=house.url,
        )
        self._instance = instance

    def without_fetching(self) -> FilesResource:
        files = self.files
        return FilesResource(landing=files.landing, archive=files.archive, published=files.published)

    def run(self, *years: int, files: FilesResource | None = None) -> dg.ExecuteInProcessResult:
        names = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
        return self._materialize(take_in_chamber_expenses, files, dict(zip(names, map(str, years), strict=True)))

    def kaggle(self, files: FilesResource | None = None) -> dg.ExecuteInProcessResult:
        return self._materialize(kaggle_reimbursements_asset, files, {})

    def rows(self) -> dict[int, int]:
        rows = self.lake.open().rows(chamber_expenses.TABLE)
        return {year: sum(row["year"] == year for row in rows) for year in sorted({row["year"] for row in rows})}

    def _materialize(
        self, asset: dg.AssetsDefinition, files: FilesResource | None, tags: dict[str, str]
    ) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [asset],
            instance=self._instance,
            tags=tags,
            raise_on_error=False,
            resources={
                "lake": self.lake,
                "files": files or self.files,
                "pyspark": SparkResource(spark_config={}),
                "pyspark_step_launcher": dg.ResourceDefinition.none_resource(),
            },
        )


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """Whose fetches give up soon."""
    soon = replace(Limits(), attempts=1, pause=0.01)
    monkeypatch.setattr("deputies_lake.raw.fetching.Limits", lambda: soon)
    with House() as house, dg.DagsterInstance.ephemeral() as instance:
        yield Platform(tmp_path, house, instance)


def checks(run: dg.ExecuteInProcessResult) -> dict[tuple[str, str], tuple[bool, str]]:
    return {
        (found.asset_key.path[-1], found.check_name): (found.passed, found.severity.value)
        for found in run.get_asset_check_evaluations()
    }


def failure(run: dg.ExecuteInProcessResult) -> str:
    (event,) = (event for event in run.all_events if event.event_type_value == "STEP_FAILURE")
    data = event.step_failure_data.user_failure_data
    return str(data.description if data else event.step_failure_data.error)


def test_years_are_fetched_and_published(platform: Platform) -> None:
    platform.house.files |= {2021: archive_of(2021, 3), 2022: archive_of(2022, 5)}
    run = platform.run(2021, 2022)
    assert (run.success, platform.rows()) == (True, {2021: 3, 2022: 5})
    assert all(passed for passed, _ in checks(run).values())


def test_what_has_not_changed_is_asked_for_and_not_sent_again(platform: Platform) -> None:
    platform.house.files[2022] = archive_of(2022, 5)
    platform.run(2022, 2022)
    assert platform.run(2022, 2022).success
    assert [seen.status for seen in platform.house.seen] == [200, 304]
    assert len(platform.lake.open().snapshots(chamber_expenses.TABLE)) == 1


def test_a_year_that_can_not_be_fetched_keeps_its_file_and_the_others_go_on(platform: Platform) -> None:
    platform.house.files |= {2021: archive_of(2021, 3), 2022: archive_of(2022, 5)}
    platform.run(2021, 2022)
    platform.house.files[2022] = archive_of(2022, 6)
    del platform.house.files[2021]
    run = platform.run(2021, 2022)
    assert (run.success, platform.rows()) == (True, {2021: 3, 2022: 6})
    assert checks(run)[FETCHED] == (False, "ERROR")


def test_where_no_year_can_be_fetched_the_run_fails_with_the_address_and_the_remedy(platform: Platform) -> None:
    platform.house.faults += [Fault(status=500)]
    run = platform.run(2022, 2022)
    assert not run.success
    assert failure(run).startswith(f"{platform.house.url}/Ano-2022.csv.zip: ")
    assert "set DEPUTIES_LAKE_CHAMBER_URL=none" in failure(run)


def test_a_truncated_file_is_not_published_and_the_check_says_so(platform: Platform) -> None:
    platform.house.files |= {2021: archive_of(2021, 200), 2022: archive_of(2022, 200)}
    platform.run(2021, 2022)
    platform.house.files[2022] = archive_of(2022, 150)
    run = platform.run(2021, 2022)
    assert (run.success, platform.rows()) == (True, {2021: 200, 2022: 200})
    assert checks(run)[STOOD] == (False, "ERROR")


def test_a_file_that_can_not_be_read_is_told_by_a_check_and_beside_its_years_rows(platform: Platform) -> None:
    by_hand = platform.without_fetching()
    for year, content in ((2021, csv_of(2021, 3)), (2022, b"a;b\n1;2\n")):
        (platform.landing / f"Ano-{year}.csv").write_bytes(content)
    run = platform.run(2021, 2022, files=by_hand)
    assert (run.success, platform.rows()) == (True, {2021: 3})
    assert checks(run)[READABLE] == (False, "ERROR")
    told = {
        event.partition: str(event.materialization.metadata["not published"].value)
        for event in run.get_asset_materialization_events()
        if "not published" in event.materialization.metadata
    }
    assert [*told] == ["2022"]
    assert "line 1 is not the header" in told["2022"]


def test_a_run_whose_only_file_can_not_be_read_fails_once(platform: Platform) -> None:
    (platform.landing / "Ano-2022.csv").write_bytes(b"a;b\n1;2\n")
    run = platform.run(2022, 2022, files=platform.without_fetching())
    assert not run.success
    assert "Ano-2022.csv: line 1 is not the header" in failure(run)
    assert not any(event.event_type_value == "STEP_UP_FOR_RETRY" for event in run.all_events)


def test_where_nothing_is_fetched_the_house_is_not_asked(platform: Platform) -> None:
    by_hand = platform.without_fetching()
    (platform.landing / "Ano-2022.csv").write_bytes(csv_of(2022, 5))
    assert platform.run(2022, 2022, files=by_hand).success
    assert (platform.rows(), platform.house.seen) == ({2022: 5}, [])


def test_the_versions_can_be_queried(platform: Platform) -> None:
    platform.house.files[2022] = archive_of(2022, 5)
    platform.run(2022, 2022)
    assert [row["decision"] for row in platform.lake.open().rows(file_versions.TABLE)] == ["published"]


def test_kaggles_file_may_be_missing_where_the_houses_are_fetched(platform: Platform) -> None:
    assert platform.kaggle().success
    assert platform.lake.open().rows(kaggle_reimbursements.TABLE) == []


def test_a_lake_needs_one_of_the_two_sources(platform: Platform) -> None:
    by_hand = platform.without_fetching()
    assert "there is no deputies_dataset.csv" in failure(platform.kaggle(by_hand))
    (platform.landing / "Ano-2022.csv.zip").write_bytes(archive_of(2022, 5).content)
    assert platform.kaggle(by_hand).success


def test_files_that_nobody_takes_are_named_by_a_check(platform: Platform) -> None:
    by_hand = platform.without_fetching()
    (platform.landing / "Ano-2022.csv").write_bytes(csv_of(2022, 5))
    (platform.landing / "ano-2021.csv.zip").write_bytes(archive_of(2021, 5).content)
    run = platform.run(2022, 2022, files=by_hand)
    (found,) = (found for found in run.get_asset_check_evaluations() if found.check_name == "files_are_used")
    assert (run.success, found.passed, found.severity.value) == (True, False, "WARN")
    assert found.description == "left alone: ano-2021.csv.zip: rename it to Ano-2021.csv.zip"


def test_a_folder_with_names_that_are_almost_right_is_not_sent_to_kaggle(platform: Platform) -> None:
    (platform.landing / "ano-2021.csv.zip").write_bytes(archive_of(2021, 5).content)
    (platform.landing / "notes.txt").write_text("?")
    told = failure(platform.kaggle(platform.without_fetching()))
    assert "no file that can be taken: ano-2021.csv.zip: rename it to Ano-2021.csv.zip. Then run again." in told
    assert "Kaggle" not in told
