"""What the sensor of the landing zone decides, look by look, without a daemon: on a directory, and on S3."""

import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import dagster as dg
import pytest
from moto.backends import get_backend
from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer

from deputies_lake.automation import landing
from deputies_lake.automation.jobs import HOUSE, SOURCES, Source
from deputies_lake.automation.landing import Look, Memory, landing_definitions, look
from deputies_lake.automation.runs import LOST_AFTER_SECONDS, of_source
from deputies_lake.definitions import build_definitions
from deputies_lake.environments import Environment, Settings, load_settings
from deputies_lake.partitions import range_tags
from deputies_lake.quota_years import FIRST_YEAR, current_year
from deputies_lake.raw.archive import LandingZone
from deputies_lake.raw.assets import take_in_chamber_expenses
from deputies_lake.resources.files import FilesResource
from deputies_lake.resources.lake import LakeResource
from deputies_lake.resources.spark import SparkResource
from deputies_lake_tests.raw.house import House
from deputies_lake_tests.raw.test_intake import csv_of

LONG_AGO = time.time() - 3600
THE_MOST = 4_000
"""Characters that a cursor may have."""
PAGE = 1_000
"""Objects that S3 lists at once."""


class Zone:
    """A landing zone, and what is remembered of it from one look to the next."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.zone = LandingZone(str(folder))
        self.memory = Memory()
        self.going_on: set[str] = set()
        self.seen: set[tuple[str, int]] = set()

    def land(self, *names: str, content: bytes = b"one", at: float = LONG_AGO) -> None:
        for name in names:
            path = self.folder / name
            path.write_bytes(content)
            os.utime(path, (at, at))

    def look(self) -> Look:
        """One tick; what it leaves is written and read as the cursor is."""

        found = look(
            self.zone,
            self.memory,
            is_going_on=lambda source: source.code in self.going_on,
            was_seen=lambda source, year, _: (source.code, year) in self.seen,
        )
        self.memory = Memory.read(found.memory.write())
        return found

    def runs(self) -> list[tuple[str, str, str]]:
        """Which jobs one tick starts, from which year to which."""
        return runs_of(self.look().requests)


def runs_of(requests: Any) -> list[tuple[str, str, str]]:
    names = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
    return [(request.job_name, *(request.tags[name] for name in names)) for request in requests]


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    folder = tmp_path / "landing"
    folder.mkdir()
    return Zone(folder)


def test_a_file_of_the_house_starts_its_job_for_its_year_only(zone: Zone) -> None:
    zone.land("Ano-2019.csv.zip")
    assert zone.runs() == [("from_chamber_expenses", "2019", "2019")]


def test_a_file_starts_its_job_once(zone: Zone) -> None:
    zone.land("Ano-2019.csv.zip")
    assert [len(zone.runs()) for _ in range(3)] == [1, 0, 0]


def test_kaggles_files_start_their_jobs_for_the_years_they_may_be_about(zone: Zone) -> None:
    zone.land("deputies_dataset.csv", "dirty_deputies_v2.csv.gz")
    assert zone.runs() == [
        ("from_kaggle_reimbursements", str(FIRST_YEAR), str(current_year())),
        ("from_kaggle_refunds", "2016", "2016"),
    ]


def test_an_overwritten_file_starts_its_job_again(zone: Zone) -> None:
    zone.land("Ano-2019.csv.zip")
    zone.look()
    zone.land("Ano-2019.csv.zip", content=b"more")
    assert zone.runs() == [("from_chamber_expenses", "2019", "2019")]


def test_one_overwritten_by_as_many_bytes_is_known_by_its_time(zone: Zone) -> None:
    zone.land("Ano-2019.csv.zip")
    zone.look()
    zone.land("Ano-2019.csv.zip", content=b"two", at=LONG_AGO + 1)
    assert len(zone.runs()) == 1


def test_a_version_that_comes_back_as_it_was_is_taken_in_again(zone: Zone) -> None:
    found = []
    for content, at in ((b"one", LONG_AGO), (b"two", LONG_AGO + 1), (b"one", LONG_AGO)):
        zone.land("Ano-2019.csv.zip", content=content, at=at)
        found += zone.runs()
    assert len(found) == 3


def test_no_run_has_a_key_for_a_used_one_would_never_start_a_run_again(zone: Zone) -> None:
    zone.land("Ano-2019.csv.zip")
    assert [request.run_key for request in zone.look().requests] == [None]


def test_a_deleted_file_starts_nothing_and_is_new_when_it_comes_back(zone: Zone) -> None:
    zone.land("Ano-2019.csv.zip")
    zone.look()
    (zone.folder / "Ano-2019.csv.zip").unlink()
    assert (zone.runs(), zone.memory.handled) == ([], {})
    zone.land("Ano-2019.csv.zip")
    assert len(zone.runs()) == 1


def test_a_run_takes_what_lies_there_before_what_was_queued_for_years_long_past(zone: Zone) -> None:
    zone.land("Ano-2019.csv.zip")
    (request,) = zone.look().requests
    assert (request.tags["deputies_lake/fetch"], request.tags["dagster/priority"]) == ("nothing", "1")


# Files that are not finished


def test_a_file_that_is_still_being_written_is_left_alone(zone: Zone) -> None:
    found = []
    for size in (1, 2, 3):
        zone.land("Ano-2019.csv.zip", content=b"x" * size, at=time.time())
        found += zone.runs()
    assert found == []


def test_it_is_taken_in_when_two_looks_find_it_alike(zone: Zone) -> None:
    zone.land("Ano-2019.csv.zip", at=time.time())
    assert zone.look().remarks == ["Ano-2019.csv.zip may still be growing"]
    assert len(zone.runs()) == 1


def test_a_file_that_nobody_touched_for_long_needs_one_look(zone: Zone) -> None:
    zone.land("Ano-2019.csv.zip", at=time.time() - landing.QUIET_SECONDS - 1)
    assert len(zone.runs()) == 1


def test_temporary_names_and_folders_are_nobodys_business(zone: Zone) -> None:
    (zone.folder / ".fetching").mkdir()
    (zone.folder / "old").mkdir()
    (zone.folder / ".fetching" / "Ano-2019.csv.zip.part").write_bytes(b"x")
    (zone.folder / "old" / "Ano-2018.csv.zip").write_bytes(b"x")
    zone.land("Ano-2019.csv.zip.part", ".Ano-2019.csv.zip.unfinished", "Ano-2020.csv.zip.crdownload", "Ano-2020.csv~")
    found = zone.look()
    assert (found.requests, found.warnings, found.remarks) == ([], [], [])


def test_of_a_years_two_files_the_one_counts_that_is_read(zone: Zone) -> None:
    zone.land("Ano-2019.csv.zip", "Ano-2019.csv")
    found = zone.look()
    assert len(found.requests) == 1
    assert ["Ano-2019.csv: Ano-2019.csv.zip is taken instead. " in warning for warning in found.warnings] == [True]
    zone.land("Ano-2019.csv", content=b"other")
    found = zone.look()
    assert (found.requests, found.warnings) == ([], [])


# Names nobody knows


def test_unknown_names_are_told_of_once(zone: Zone) -> None:
    zone.land("Ano-2007.csv.zip", "notes.txt")
    (warning,) = zone.look().warnings
    assert "left alone: Ano-2007.csv.zip: the House's files begin with 2008; notes.txt: no source has a file" in warning
    assert zone.look().warnings == []


def test_a_new_unknown_name_is_told_of_alone(zone: Zone) -> None:
    zone.land("notes.txt")
    zone.look()
    zone.land("more.txt")
    (warning,) = zone.look().warnings
    assert ("more.txt" in warning, "notes.txt" in warning) == (True, False)


def test_the_year_to_come_is_not_known_yet(zone: Zone) -> None:
    zone.land(f"Ano-{current_year() + 1}.csv.zip")
    found = zone.look()
    assert (found.requests, len(found.warnings)) == ([], 1)


# Many files


def test_a_burst_becomes_one_run(zone: Zone) -> None:
    zone.land(*(f"Ano-{year}.csv.zip" for year in range(2010, 2021)))
    assert zone.runs() == [("from_chamber_expenses", "2010", "2020")]
    assert zone.runs() == []


def test_years_that_do_not_follow_each_other_become_runs_one_after_the_other(zone: Zone) -> None:
    zone.land("Ano-2010.csv.zip", "Ano-2015.csv.zip", "Ano-2016.csv.zip")
    assert zone.runs() == [("from_chamber_expenses", "2010", "2010")]
    assert zone.runs() == [("from_chamber_expenses", "2015", "2016")]
    assert zone.runs() == []


def test_what_arrives_during_a_run_goes_into_the_next_one(zone: Zone) -> None:
    zone.land("Ano-2019.csv.zip")
    zone.look()
    zone.going_on.add(HOUSE.code)
    for year in (2020, 2021):
        zone.land(f"Ano-{year}.csv.zip")
        assert zone.runs() == []
    assert "a run of from_chamber_expenses is going on" in zone.look().remarks[0]
    zone.going_on.clear()
    assert zone.runs() == [("from_chamber_expenses", "2020", "2021")]


def test_a_file_that_changes_during_its_run_starts_it_again_afterwards(zone: Zone) -> None:
    zone.land("Ano-2019.csv.zip")
    zone.look()
    zone.going_on.add(HOUSE.code)
    zone.land("Ano-2019.csv.zip", content=b"more")
    assert zone.runs() == []
    zone.going_on.clear()
    assert zone.runs() == [("from_chamber_expenses", "2019", "2019")]


def test_one_sources_run_does_not_hold_up_another_source(zone: Zone) -> None:
    zone.going_on.add(HOUSE.code)
    zone.land("Ano-2019.csv.zip", "dirty_deputies_v2.csv")
    assert zone.runs() == [("from_kaggle_refunds", "2016", "2016")]


def test_thousands_of_files_are_looked_at_and_the_cursor_stays_small(zone: Zone) -> None:
    zone.land(*(f"report-{number}.pdf" for number in range(3_000)))
    zone.land(*(f"Ano-{year}.csv{packed}" for year in range(FIRST_YEAR, current_year() + 1) for packed in ("", ".zip")))
    found = zone.look()
    assert runs_of(found.requests) == [("from_chamber_expenses", str(FIRST_YEAR), str(current_year()))]
    assert len(found.memory.write()) < THE_MOST
    assert zone.look().warnings == []


# What a run has seen already


def test_a_file_that_a_run_has_seen_starts_nothing(zone: Zone) -> None:
    zone.seen.add((HOUSE.code, 2019))
    zone.land("Ano-2019.csv.zip", "Ano-2020.csv.zip")
    assert zone.runs() == [("from_chamber_expenses", "2020", "2020")]
    assert set(zone.memory.handled) == {"Ano-2019.csv.zip", "Ano-2020.csv.zip"}


def test_nothing_is_read_but_the_list_for_a_host_may_do_no_more(zone: Zone) -> None:
    zone.land("Ano-2019.csv.zip")
    zone.zone = mock.Mock(spec_set=["files"], files=zone.zone.files)
    assert len(zone.runs()) == 1


def test_there_need_not_be_a_landing_zone_yet(tmp_path: Path) -> None:
    found = Zone(tmp_path / "none").look()
    assert (found.requests, found.warnings) == ([], [])


@pytest.mark.parametrize("cursor", ["no json", "[1]", '{"of another kind": 1}', "12"])
def test_a_cursor_that_is_not_ours_is_forgotten(cursor: str) -> None:
    assert Memory.read(cursor) == Memory()


# The sensor, as Dagster evaluates it


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "lake" / "landing").mkdir(parents=True)
    return load_settings("local", {"DEPUTIES_LAKE_HOME": str(tmp_path / "lake"), "DEPUTIES_LAKE_CHAMBER_URL": "none"})


def evaluate(settings: Settings, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    (sensor,) = landing_definitions(settings).sensors or ()
    assert isinstance(sensor, dg.SensorDefinition)
    context = dg.build_sensor_context(instance=instance, cursor=cursor, definitions=build_definitions("local"))
    result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result


def land(settings: Settings, year: int, content: bytes) -> None:
    path = Path(settings.landing) / f"Ano-{year}.csv"
    path.write_bytes(content)
    os.utime(path, (LONG_AGO, LONG_AGO))


def take_in(
    settings: Settings, instance: dg.DagsterInstance, year: int, tags: Mapping[str, str] | None = None
) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [take_in_chamber_expenses],
        instance=instance,
        tags={**range_tags(year, year), **(tags or {})},
        raise_on_error=False,
        resources={
            "lake": LakeResource.of(settings),
            "files": FilesResource.of(settings),
            "pyspark": SparkResource(spark_config={}),
            "pyspark_step_launcher": dg.ResourceDefinition.none_resource(),
        },
    )


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def test_what_a_run_took_in_starts_no_other_run_until_it_changes(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land(settings, 2022, csv_of(2022, fuel=200))
    assert take_in(settings, instance, 2022).success
    taken_in = evaluate(settings, instance)
    land(settings, 2022, csv_of(2022, fuel=201))
    changed = evaluate(settings, instance, taken_in.cursor)
    assert (taken_in.run_requests, runs_of(changed.run_requests)) == ([], [("from_chamber_expenses", "2022", "2022")])


def test_what_a_run_refused_starts_no_other_run(settings: Settings, instance: dg.DagsterInstance) -> None:
    land(settings, 2022, b"<!DOCTYPE html><html>manutencao</html>")
    assert take_in(settings, instance, 2022).get_asset_materialization_events() == []
    assert evaluate(settings, instance).run_requests == []


def test_another_years_file_was_not_seen(settings: Settings, instance: dg.DagsterInstance) -> None:
    land(settings, 2022, csv_of(2022, fuel=200))
    take_in(settings, instance, 2022)
    land(settings, 2021, csv_of(2021, fuel=200))
    assert runs_of(evaluate(settings, instance).run_requests) == [("from_chamber_expenses", "2021", "2021")]


def test_the_run_of_a_landed_file_does_not_replace_it_by_the_houses(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    with House() as house:
        house.publish(2022, b"of the House")
        home = {"DEPUTIES_LAKE_HOME": str(tmp_path), "DEPUTIES_LAKE_CHAMBER_URL": house.url}
        settings = load_settings("local", home)
        Path(settings.landing).mkdir()
        land(settings, 2022, csv_of(2022, fuel=200))
        (request,) = evaluate(settings, instance).run_requests or ()
        assert take_in(settings, instance, 2022, request.tags).success
        assert house.seen == []


def started(instance: dg.DagsterInstance, source: Source, status: dg.DagsterRunStatus) -> None:
    instance.add_run(dg.DagsterRun(job_name=source.job_name, run_id="0", status=status, tags=dict(of_source(source))))


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_a_run_that_is_going_on_is_waited_for(
    settings: Settings, instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    started(instance, HOUSE, status)
    land(settings, 2022, csv_of(2022, fuel=2))
    waiting = evaluate(settings, instance)
    assert (waiting.run_requests, "Ano-2022.csv wait for its end" in str(waiting.skip_reason)) == ([], True)


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS])
def test_a_run_that_failed_does_not_block_the_next_file(
    settings: Settings, instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    started(instance, HOUSE, status)
    land(settings, 2022, csv_of(2022, fuel=2))
    assert len(evaluate(settings, instance).run_requests or ()) == 1


def test_a_run_whose_machine_is_gone_is_not_waited_for_all_day(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(instance, HOUSE, dg.DagsterRunStatus.STARTING)
    instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", HOUSE.job_name), "0")
    land(settings, 2022, csv_of(2022, fuel=2))
    assert evaluate(settings, instance).run_requests == []
    later = datetime.now(UTC) + timedelta(seconds=LOST_AFTER_SECONDS + 1)
    monkeypatch.setattr("deputies_lake.automation.runs.datetime", mock.Mock(now=lambda _: later))
    assert len(evaluate(settings, instance).run_requests or ()) == 1


@pytest.mark.parametrize("environment", list(Environment))
def test_the_sensor_is_on_from_the_start(environment: Environment) -> None:
    (sensor,) = landing_definitions(load_settings(environment, {})).sensors or ()
    assert isinstance(sensor, dg.SensorDefinition)
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert {job.name for job in sensor.jobs} == {source.job_name for source in SOURCES}


# S3


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    """An emulated S3 with a bucket `landed`."""
    # What an earlier module of this process left in the emulated AWS.
    moto_api_backend.reset()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        # A session of its own: boto3's would keep these credentials for other tests.
        s3 = boto3.Session().client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="landed")
        yield s3
    server.stop()


@pytest.fixture
def _nothing_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes to put objects there."""
    monkeypatch.setattr(landing, "QUIET_SECONDS", 3600)


@pytest.mark.usefixtures("_nothing_is_quiet")
def test_a_bucket_is_looked_at_in_the_same_way_page_by_page(zone: Zone, bucket: Any) -> None:
    # Behind the server's back: a thousand requests take many seconds.
    storage = get_backend("s3")["123456789012"]["aws"]
    names = [f"{number:04}.pdf" for number in range(PAGE + 10)]
    for name in ("Ano-2019.csv.zip", ".fetching/Ano-2020.csv.zip", *names, "deputies_dataset.csv"):
        storage.put_object("landed", f"here/{name}", b"one")
    zone.zone = LandingZone("s3://landed/here", "us-east-1")
    assert zone.look().remarks == ["Ano-2019.csv.zip may still be growing", "deputies_dataset.csv may still be growing"]
    assert [job for job, _, _ in zone.runs()] == ["from_chamber_expenses", "from_kaggle_reimbursements"]
    assert zone.runs() == []


@pytest.mark.usefixtures("_nothing_is_quiet")
def test_an_object_that_is_overwritten_starts_its_job_again(zone: Zone, bucket: Any) -> None:
    zone.zone = LandingZone("s3://landed/there", "us-east-1")
    for content in (b"one", b"others"):
        bucket.put_object(Bucket="landed", Key="there/Ano-2019.csv.zip", Body=content)
        assert [len(zone.runs()) for _ in range(3)] == [0, 1, 0]
