"""The clean-up of tables, in a directory and on S3: what goes, what stays, and who may read or write meanwhile."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from click.testing import CliRunner
from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer

from deputies_lake import history, maintenance
from deputies_lake.aws import AwsError
from deputies_lake.cli.main import main
from deputies_lake.environments import ACCOUNT, ENDPOINT, HOME, Settings, load_settings
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.maintenance import Cleaned, clean
from deputies_lake.resources.lake import LakeResource
from deputies_lake.star import dim_expense_categories, fct_expenses
from deputies_lake_tests.test_history import FUEL, YEAR, blank, commit, receipt

TABLE = fct_expenses.TABLE


@dataclass
class Place:
    """A lake, its settings, and the names of all files or objects that there are."""

    lake: Lake
    settings: Settings
    names: Callable[[], set[str]]
    archived: str

    def clean(self, *, dry_run: bool = False) -> Cleaned:
        """What was removed of the fact."""
        cleaned = clean(self.lake, self.settings, dry_run=dry_run)
        return {found.table: found for found in cleaned}[TABLE.identifier]

    def publish(self, *amounts: str) -> None:
        commit(self.lake, TABLE, [receipt(key, f"{key}", net) for key, net in enumerate(amounts)], [YEAR])

    def stage(self, *amounts: str) -> Any:
        """What a run writes before it publishes, with what Spark leaves beside it."""
        rows = [receipt(key, f"{key}", net) for key, net in enumerate(amounts)]
        staged = self.lake.stage_rows(TABLE, lambda: rows, "killed", years=[YEAR])
        file = staged.files[0]
        for left in ("_SUCCESS", "_temporary/0/part-0.parquet"):
            iceberg.write_file(staged.table, f"{file.rpartition('/')[0]}/{left}", rows)
        return staged

    def amounts(self, snapshot_id: int | None = None) -> list[str]:
        """What readers get."""
        table = iceberg.load_table(self.lake._catalog, TABLE.layer, TABLE.name)
        files = iceberg.data_files(table, [YEAR], snapshot_id)
        return [str(amount) for amount in iceberg.dataset(table, files).to_table()["net_amount"].to_pylist()]

    def snapshots(self) -> list[int]:
        return [*self.lake.snapshots(TABLE).values()]


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    """One for all tests: a session reads the services' descriptions anew."""
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    settings = load_settings("local", {HOME: str(tmp_path)})
    monkeypatch.setenv(HOME, str(tmp_path))
    archived = Path(settings.archive) / "kaggle" / "1.csv"
    archived.parent.mkdir(parents=True)
    archived.write_text("a", encoding="utf-8")

    def names() -> set[str]:
        return {str(path) for path in tmp_path.rglob("*") if path.name != "catalog.db"}

    return Place(LakeResource.of(settings).open(), settings, names, str(archived))


@pytest.fixture
def s3(endpoint: str, session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> Place:
    variables = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    moto_api_backend.reset()
    client = boto3.client("s3", region_name="us-east-1")
    settings = load_settings("staging", {ACCOUNT: "123456789012", ENDPOINT: endpoint, "AWS_REGION": "us-east-1"})
    assert settings.aws
    buckets = (settings.aws.lake_bucket, settings.aws.raw_bucket)
    for bucket in buckets:
        client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=settings.aws.raw_bucket, Key="archive/kaggle/1.csv", Body=b"a")

    def names() -> set[str]:
        return {
            f"s3://{bucket}/{found['Key']}"
            for bucket in buckets
            for found in client.list_objects_v2(Bucket=bucket).get("Contents", [])
        }

    return Place(LakeResource.of(settings).open(), settings, names, f"{settings.archive}/kaggle/1.csv")


@pytest.fixture(params=["directory", "s3"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Of each kind. Whatever is done to it, its archive stays."""
    found: Place = request.getfixturevalue(request.param)
    yield found
    assert found.archived in found.names()


@pytest.fixture
def days_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is too young to be removed."""
    monkeypatch.setattr(maintenance, "LEFTOVER_AGE", timedelta(0))


@pytest.mark.usefixtures("days_later")
def test_what_a_killed_run_wrote_goes_and_readers_have_what_they_had(place: Place) -> None:
    place.publish("10", "20")
    place.publish("10", "25")
    before, after = place.snapshots()
    published = place.names()
    place.stage("99")
    left = place.names() - published
    cleaned = place.clean()
    assert (cleaned.kept, cleaned.expired, cleaned.files) == (2, 0, 3)
    assert cleaned.size > 0
    # Neither a file nor, on S3, an empty object where a directory was.
    assert place.names() == published
    assert left
    assert (place.amounts(before), place.amounts(after)) == (["10.00", "20.00"], ["10.00", "25.00"])


def place_star(s3: Place, location: str) -> None:
    """Let the database of the fact be elsewhere, as the infrastructure puts that of the raw layer into its bucket."""
    assert s3.settings.aws
    database = {"Name": f"{s3.settings.aws.database_prefix}{TABLE.layer}", "LocationUri": location}
    boto3.client("glue", region_name="us-east-1").create_database(DatabaseInput=database)


@pytest.mark.usefixtures("days_later")
def test_the_tables_beside_the_archive_are_cleaned_too(s3: Place) -> None:
    assert s3.settings.aws
    place_star(s3, f"s3://{s3.settings.aws.raw_bucket}/tables")
    s3.publish("10")
    published = s3.names()
    s3.stage("99")
    assert s3.clean().files == 3
    assert s3.names() == published
    assert any(name.startswith(f"s3://{s3.settings.aws.raw_bucket}/tables/") for name in published)


@pytest.mark.usefixtures("days_later")
def test_nothing_in_the_archive_is_taken_for_a_table(s3: Place) -> None:
    place_star(s3, s3.settings.archive)
    s3.publish("10")
    s3.stage("99")
    names = s3.names()
    with pytest.raises(RuntimeError, match=r"-raw/archive/\w+, outside s3://\S+-lake and s3://\S+-raw/tables: nothing"):
        s3.clean()
    assert s3.names() == names


@pytest.mark.usefixtures("days_later")
def test_a_second_time_there_is_nothing_to_remove(directory: Place) -> None:
    directory.publish("10")
    directory.stage("99")
    directory.clean()
    names = directory.names()
    cleaned = directory.clean()
    assert (cleaned.expired, cleaned.files, cleaned.size) == (0, 0, 0)
    assert directory.names() == names


def test_a_run_in_progress_publishes_what_it_wrote_before_the_clean_up(place: Place) -> None:
    place.publish("10")
    staged = place.stage("30")
    assert place.clean().files == 0
    iceberg.commit(staged.table, staged.files, years=[YEAR], expected_rows=1, properties={})
    assert place.amounts() == ["30.00"]


@pytest.mark.parametrize(("days", "files"), [(2, 0), (4, 3)])
def test_a_file_must_be_older_than_the_longest_run(directory: Place, days: int, files: int) -> None:
    directory.publish("10")
    published = directory.names()
    directory.stage("99")
    written = time.time() - timedelta(days=days).total_seconds()
    for name in directory.names() - published:
        os.utime(name, (written, written))
    assert directory.clean().files == files


@pytest.mark.usefixtures("days_later")
def test_a_dry_run_says_what_would_go_and_removes_nothing(directory: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "FEWEST_VERSIONS", 1)
    directory.settings = replace(directory.settings, keep_days=0)
    directory.publish("10")
    directory.publish("20")
    directory.stage("99")
    names, snapshots = directory.names(), directory.snapshots()
    said = directory.clean(dry_run=True)
    assert (directory.names(), directory.snapshots()) == (names, snapshots)
    assert said.expired == 1
    done = directory.clean()
    # Expiring writes a version of the metadata, and the replaced one stays listed in it.
    assert (done.kept, done.expired, done.files, done.size) == (said.kept, said.expired, said.files, said.size)


@pytest.mark.usefixtures("days_later")
def test_versions_replaced_long_ago_go_with_their_files_but_for_the_newest(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "FEWEST_VERSIONS", 2)
    place.settings = replace(place.settings, keep_days=0)
    for amount in ("10", "20", "30", "40"):
        place.publish(amount)
    third, fourth = place.snapshots()[2:]
    data = {name for name in place.names() if name.endswith(".parquet")}
    cleaned = place.clean()
    assert (cleaned.kept, cleaned.expired) == (2, 2)
    assert place.snapshots() == [third, fourth]
    assert (place.amounts(third), place.amounts()) == (["30.00"], ["40.00"])
    assert len(data - place.names()) == 2


@pytest.mark.usefixtures("days_later")
def test_two_versions_within_the_time_can_be_compared_after_the_clean_up(
    directory: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "FEWEST_VERSIONS", 1)
    categories = dim_expense_categories.TABLE
    commit(directory.lake, categories, [blank(categories, expense_category_key=FUEL, name_pt="Combustíveis")])
    directory.publish("10", "20")
    directory.publish("10", "25")
    before, after = history.versions(directory.lake)
    compared = history.diff(directory.lake, YEAR, before, after)
    directory.clean()
    assert history.diff(directory.lake, YEAR, before, after) == compared
    assert compared.changes != []


@pytest.mark.usefixtures("days_later")
def test_a_table_that_was_never_published_loses_what_was_staged_and_stays(directory: Place) -> None:
    directory.stage("99")
    assert directory.clean().files == 3
    directory.publish("10")
    assert directory.amounts() == ["10.00"]


@pytest.mark.usefixtures("days_later")
def test_a_file_that_s3_does_not_delete_is_named(s3: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.publish("10")
    s3.stage("99")
    refusal = {"Errors": [{"Key": "star/a.parquet", "Code": "AccessDenied", "Message": "no"}]}
    monkeypatch.setattr(maintenance, "client", lambda *_: SimpleNamespace(delete_objects=lambda **_: refusal))
    with pytest.raises(AwsError, match=r"1 files of s3://\S+ could not be deleted; the first: star/a.parquet: AccessD"):
        s3.clean()


@pytest.mark.usefixtures("days_later")
def test_at_the_command_line_it_says_table_by_table_what_was_removed(directory: Place) -> None:
    directory.publish("10")
    directory.stage("99")
    asked = CliRunner().invoke(main, ["maintain", "--dry-run"])
    done = CliRunner().invoke(main, ["maintain"])
    again = CliRunner().invoke(main, ["maintain"])
    assert [result.exit_code for result in (asked, done, again)] == [0, 0, 0]
    assert asked.output.splitlines()[-1].startswith("3 files of ")
    assert asked.output.splitlines()[-1].endswith(" would be removed.")
    assert done.output == asked.output.replace("would be", "were")
    assert again.output.splitlines()[-1] == "0 files of 0 bytes were removed."
    assert "star.fct_expenses" in done.output
