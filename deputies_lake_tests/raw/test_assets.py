"""The raw asset of the House's files, as Dagster runs it: fetched from a server on loopback, taken in, told."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from deputies_lake import causes
from deputies_lake.assets import key_of
from deputies_lake.contracts import Table
from deputies_lake.partitions import PARTITION_TAG, range_tags, reimbursement_years
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


@dg.multi_asset(
    specs=[dg.AssetSpec("follower", deps=[key_of(chamber_expenses.TABLE)], partitions_def=reimbursement_years)],
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def follower() -> None:
    """What comes after raw in a run."""


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

    def run(
        self,
        *years: int | str,
        files: FilesResource | None = None,
        then: Sequence[dg.AssetsDefinition] = (),
    ) -> dg.ExecuteInProcessResult:
        """Of one year, or of a range; with the assets that come after."""
        tags = {PARTITION_TAG: str(years[0])} if len(years) == 1 else range_tags(int(years[0]), int(years[1]))
        return self._materialize([take_in_chamber_expenses, *then], files, tags)

    def kaggle(self, files: FilesResource | None = None) -> dg.ExecuteInProcessResult:
        return self._materialize([kaggle_reimbursements_asset], files, {})

    def materialized(self, table: Table) -> set[str]:
        """The partitions that Dagster calls materialized."""
        return set(self._instance.get_materialized_partitions(key_of(table)))

    def data_versions(self) -> dict[str, str]:
        """Of the House's years, the latest that Dagster knows."""
        found = {}
        for year in self.materialized(chamber_expenses.TABLE):
            records = dg.AssetRecordsFilter(asset_key=key_of(chamber_expenses.TABLE), asset_partitions=[year])
            (last,) = self._instance.fetch_materializations(records, limit=1).records
            assert last.asset_materialization is not None
            found[year] = str((last.asset_materialization.tags or {})["dagster/data_version"])
        return found

    def rows(self) -> dict[int, int]:
        rows = self.lake.open().rows(chamber_expenses.TABLE)
        return {year: sum(row["year"] == year for row in rows) for year in sorted({row["year"] for row in rows})}

    def _materialize(
        self, assets: Sequence[dg.AssetsDefinition], files: FilesResource | None, tags: Mapping[str, str]
    ) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            assets,
            instance=self._instance,
            tags=dict(tags),
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


def test_a_file_that_can_not_be_read_is_told_by_a_check_and_its_year_is_not_materialized(platform: Platform) -> None:
    by_hand = platform.without_fetching()
    for year, content in ((2021, csv_of(2021, 3)), (2022, b"a;b\n1;2\n")):
        (platform.landing / f"Ano-{year}.csv").write_bytes(content)
    run = platform.run(2021, 2022, files=by_hand)
    assert (run.success, platform.rows()) == (True, {2021: 3})
    assert checks(run)[READABLE] == (False, "ERROR")
    assert platform.materialized(chamber_expenses.TABLE) == {"2021"}


def test_a_run_whose_only_file_can_not_be_read_materializes_nothing_and_skips_what_follows(platform: Platform) -> None:
    (platform.landing / "Ano-2022.csv").write_bytes(b"a;b\n1;2\n")
    run = platform.run(2022, 2022, files=platform.without_fetching(), then=[follower])
    assert (run.success, checks(run)[READABLE]) == (True, (False, "ERROR"))
    assert platform.materialized(chamber_expenses.TABLE) == set()
    events = {event.event_type_value: event.step_key for event in run.all_events if event.step_key == "follower"}
    assert events == {"STEP_SKIPPED": "follower"}
    assert "STEP_UP_FOR_RETRY" not in {event.event_type_value for event in run.all_events}


def test_years_without_a_file_are_missing_and_hold_up_nothing(platform: Platform) -> None:
    (platform.landing / "Ano-2022.csv").write_bytes(csv_of(2022, 5))
    run = platform.run(2020, 2023, files=platform.without_fetching(), then=[follower])
    assert (run.success, platform.materialized(chamber_expenses.TABLE)) == (True, {"2022"})
    # A file was looked for in each.
    assert platform.materialized(file_versions.TABLE) == {"2020", "2021", "2022", "2023"}
    assert "follower" in {event.step_key for event in run.all_events if event.event_type_value == "STEP_SUCCESS"}


def test_each_year_keeps_its_data_version_until_its_bytes_change(platform: Platform) -> None:
    by_hand = platform.without_fetching()
    for year in (2021, 2022):
        (platform.landing / f"Ano-{year}.csv").write_bytes(csv_of(year, 5))
    platform.run(2021, 2022, files=by_hand)
    first = platform.data_versions()
    (platform.landing / "Ano-2022.csv").write_bytes(csv_of(2022, 6))
    platform.run(2021, 2022, files=by_hand)
    second = platform.data_versions()
    assert first.keys() == second.keys() == {"2021", "2022"}
    assert (second["2021"] == first["2021"], second["2022"] == first["2022"]) == (True, False)


@pytest.mark.parametrize("year", ["2007", "2035"])
def test_a_year_that_does_not_exist_is_refused_before_the_first_step(platform: Platform, year: str) -> None:
    run = platform.run(year, files=platform.without_fetching())
    assert not run.success
    assert not [event for event in run.all_events if event.is_step_event and event.is_step_start]
    (failed,) = (event for event in run.all_events if event.is_run_failure)
    assert causes.of_event(failed).startswith(f"there is no quota year {year}: the years are 2008 to ")


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
