"""How the lake is, as a person and a monitor ask for it: on lakes that are empty, well, late and blocked."""

import json
import subprocess
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from deputies_lake.checks.audit import AuditFailedError
from deputies_lake.cli import status as status_verb
from deputies_lake.cli.main import main
from deputies_lake.environments import ALERT_SLACK, DAGSTER_HOME, HOME, LANDING, load_settings
from deputies_lake.quota_years import current_year
from deputies_lake.raw import chamber_expenses, kaggle_reimbursements
from deputies_lake.raw.archive import Refusal
from deputies_lake.sample.chamber import FEWEST_ROWS, write_chamber_files
from deputies_lake.serving import publications, readiness
from deputies_lake.serving.readiness import BRASILIA
from deputies_lake.status import Status, status_of
from deputies_lake_tests.raw.test_intake import House, csv_of
from deputies_lake_tests.test_history import commit

MONDAY = date(2026, 11, 23)
YEAR_OF_RUN = "dagster/partition"


def at(hour: int, minute: int = 0, *, day: date = MONDAY) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=BRASILIA)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(HOME, str(tmp_path))
    for variable in (DAGSTER_HOME, LANDING):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


@pytest.fixture
def house(root: Path) -> House:
    """A lake with two years of the House."""
    house = House(root)
    for year in (2021, 2022):
        house.land(year, csv_of(year, fuel=200))
    house.take_in(2021, 2022)
    build(house)
    return house


def build(house: House, *, invented: bool = False) -> None:
    """As if all that comes after raw had been built."""
    rows = [
        {
            "year": year,
            "source_code": "chamber_expenses",
            "file_name": f"Ano-{year}.csv.zip",
            "sha256": sha256,
            "as_of": MONDAY,
            "last_month": 12,
            "is_incomplete": False,
            "rejected_lines": 0,
            "rejected_amount": None,
            "published_at": at(9).replace(tzinfo=None),
            "version": "1",
        }
        for year, sha256 in house.lake.versions(chamber_expenses.TABLE).items()
    ]
    staged = house.lake.stage_rows(publications.TABLE, lambda: rows, "run")
    house.lake.publish([replace(staged, invented=invented)], "run")


def measured(house: House, *ready: datetime) -> None:
    """As if the files of these days had been ready then."""
    utc = [moment.astimezone(UTC).replace(tzinfo=None) for moment in ready]
    rows = [
        {
            "day": moment.date(),
            "sha256": "x",
            "file_name": "Ano-2022.csv.zip",
            "made_at": naive,
            "taken_in_at": naive,
            "ready_at": naive,
            "is_in_time": moment.hour < 7,
        }
        for moment, naive in zip(ready, utc, strict=True)
    ]
    commit(house.lake, readiness.TABLE, rows)


def refuse(house: House, year: int) -> None:
    house.land(year, csv_of(year, fuel=150))
    with pytest.raises(AuditFailedError):
        house.take_in(year)


def asked(house: House, now: datetime) -> Status:
    return status_of(house.lake, load_settings("local"), None, now)


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["status", *arguments])


def test_who_computed_the_tables_is_told(house: House) -> None:
    staged = house.lake.stage_rows(readiness.TABLE, list, "run")
    house.lake.publish([replace(staged, engine="Sail 0.7.2")], "run")
    [of_serving] = [line for line in typed().stdout.splitlines() if line.startswith("  serving")]
    assert of_serving.endswith("by Sail 0.7.2")
    assert {one.engine for one in asked(house, at(9)).tables if one.name.startswith("raw.")} == {None}


# The deadline


@pytest.mark.parametrize(
    ("ready", "now", "late_since"),
    [
        ([at(6, 30)], at(6, 59), None),
        ([at(6, 30)], at(7), None),
        ([at(6, 30, day=date(2026, 11, 22))], at(6, 59), None),
        ([at(6, 30, day=date(2026, 11, 22))], at(7), at(7)),
        ([at(6, 30, day=date(2026, 11, 20))], at(9), at(7, day=date(2026, 11, 21))),
        ([at(6, 30, day=date(2026, 11, 20)), at(8)], at(9), None),
        ([], at(9), at(7)),
    ],
)
def test_it_is_late_from_the_first_deadline_that_was_missed(
    house: House, ready: list[datetime], now: datetime, late_since: datetime | None
) -> None:
    measured(house, *ready)
    assert asked(house, now).late_since == late_since


def test_a_lake_without_files_of_the_house_is_never_late(root: Path) -> None:
    assert asked(House(root), at(9)).late_since is None


def test_a_lake_of_invented_files_is_never_late(root: Path, tmp_path: Path) -> None:
    write_chamber_files(tmp_path, years=[2021], rows_per_year=FEWEST_ROWS)
    with zipfile.ZipFile(tmp_path / "Ano-2021.csv.zip") as zipped:
        content = zipped.read("Ano-2021.csv")
    house = House(root)
    house.land(2021, content)
    house.take_in(2021)
    build(house, invented=True)
    found = asked(house, at(9))
    assert (found.is_invented, found.late_since, found.is_well) == (True, None, True)


def test_a_lake_older_than_the_measuring_is_late_since_the_last_deadline(house: House) -> None:
    assert asked(house, at(9)).late_since == at(7)


def test_the_last_two_weeks_are_told_day_by_day(house: House) -> None:
    measured(house, at(6, 30, day=date(2026, 11, 22)), at(8))
    mornings = asked(house, at(9)).mornings
    assert (mornings[0].day, mornings[-1].day, len(mornings)) == (date(2026, 11, 10), MONDAY, 14)
    assert [(morning.ready_at, morning.is_in_time) for morning in mornings[-3:]] == [
        (None, False),
        (at(6, 30, day=date(2026, 11, 22)), True),
        (at(8), False),
    ]


# What is blocked


def test_a_year_that_was_refused_is_blocked_with_the_reason_and_the_command(house: House) -> None:
    refuse(house, 2022)
    found = asked(house, at(9))
    [blocked] = found.blocked
    assert (blocked.year, blocked.file_name) == (2022, "Ano-2022.csv.zip")
    assert "rows fell by 25.00%" in blocked.why
    assert datetime.now(UTC) - blocked.since < timedelta(minutes=1)
    assert found.next_commands[:2] == [
        "deputies-lake history --year 2022",
        'deputies-lake accept --year 2022 --reason "..."  # if the file is right',
    ]


def test_what_a_person_accepted_is_blocked_no_more_and_waits_to_be_published(house: House) -> None:
    measured(house, datetime.now(BRASILIA))
    refuse(house, 2022)
    house.accept(2022)
    found = status_of(house.lake, load_settings("local"), None, datetime.now(UTC))
    publish = "dagster asset materialize -m deputies_lake.definitions --select '*' --partition 2022"
    assert ([one.is_accepted for one in found.blocked], found.is_well) == ([True], True)
    assert found.next_commands == [publish]
    assert "accepted Ano-2022.csv.zip: it waits to be published" in typed().stdout.splitlines()
    house.take_in(2022)
    assert asked(house, at(9)).blocked == []


def test_a_file_that_can_not_be_read_is_told_with_its_remedy_and_not_to_be_accepted(house: House) -> None:
    measured(house, datetime.now(BRASILIA))
    (house.landing / "Ano-2022.csv.zip").write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(AuditFailedError):
        house.take_in(2022)
    result = typed()
    assert (result.exit_code, ": 1 file refused" in result.stdout) == (1, True)
    assert "Ano-2022.csv.zip: this is a web page, not a zip archive" in result.stdout
    assert "Try again later. Fetch it with `deputies-lake fetch --years 2022`." in result.stdout
    assert "accept" not in result.stdout
    assert "--partition 2022  # once the right file is in its place" in result.stdout


def test_kaggles_file_that_was_refused_is_told_too(house: House) -> None:
    refusal = Refusal(
        file_name="deputies_dataset.csv",
        sha256="0" * 64,
        problem="7 of 10 lines can't be read",
        remedy="Download it again.",
        can_be_accepted=True,
        at="2026-11-23T09:00:00+00:00",
    )
    house.archive.refuse(kaggle_reimbursements.CSV, refusal)
    shown = typed().stdout
    assert "blocked  all years since 2026-11-23 06:00: deputies_dataset.csv: 7 of 10 lines can't be read" in shown
    assert 'deputies-lake accept --source kaggle_reimbursements --reason "..."' in shown


def test_lines_that_were_rejected_are_told_of_the_files_that_readers_have(house: House) -> None:
    house.land(2022, csv_of(2022, fuel=200) + csv_of(2022, fuel=1, net="1,5").partition(b"\n")[2])
    house.take_in(2022)
    assert "rejected Ano-2022.csv.zip: 1 of 201 lines can't be read" in typed().stdout.splitlines()


def test_files_that_nobody_takes_are_told(house: House) -> None:
    (house.landing / "Ano2020.csv.zip").write_bytes(b"?")
    measured(house, datetime.now(BRASILIA))
    result = typed()
    assert "unused   Ano2020.csv.zip: rename it to Ano-2020.csv.zip" in result.stdout.splitlines()
    assert result.exit_code == 0


def test_a_blocked_years_file_is_still_the_one_readers_have(house: House) -> None:
    before = asked(house, at(9)).files
    refuse(house, 2022)
    assert asked(house, at(9)).files == before
    assert [file.year for file in before] == [2021, 2022]


def test_a_year_is_blocked_no_more_when_a_good_file_came(house: House) -> None:
    refuse(house, 2022)
    house.land(2022, csv_of(2022, fuel=201))
    house.take_in(2022)
    assert asked(house, at(9)).blocked == []


def test_each_table_is_told_with_its_years_and_since_when_it_stands(house: House) -> None:
    found = {table.name: table for table in asked(house, at(9)).tables}
    table = found["raw.chamber_expenses"]
    assert (table.rows, table.years) == (400, [2021, 2022])
    assert datetime.now(UTC) - table.published_at < timedelta(minutes=1)


# What readers have


def test_a_year_whose_new_file_came_no_further_than_raw_is_a_problem_until_the_rest_is_built(house: House) -> None:
    measured(house, datetime.now(BRASILIA))
    assert (typed().exit_code, asked(house, datetime.now(UTC)).problems) == (0, [])
    house.land(2022, csv_of(2022, fuel=201))
    house.take_in(2022)
    result = typed()
    assert (result.exit_code, result.stdout.splitlines()[0].endswith(": 1 problem")) == (1, True)
    assert "problem  readers do not have the file that was taken in (2022), since " in result.stdout
    assert "dagster asset materialize -m deputies_lake.definitions --select '*' --partition 2022" in result.stdout
    build(house)
    assert typed().exit_code == 0


def test_a_year_that_was_never_built_is_a_problem(house: House) -> None:
    house.land(2020, csv_of(2020, fuel=200))
    house.take_in(2020)
    assert [problem.year for problem in asked(house, at(9)).problems] == [2020]


def test_a_year_that_a_run_is_about_now_is_none_yet(house: House) -> None:
    house.land(2022, csv_of(2022, fuel=201))
    house.take_in(2022)
    with dg.DagsterInstance.local_temp(str(house.landing)) as instance:
        instance.add_run(dg.DagsterRun(job_name="lake", status=dg.DagsterRunStatus.STARTED, tags={YEAR_OF_RUN: "2022"}))
        assert status_of(house.lake, load_settings("local"), instance, at(9)).problems == []


# Dagster


def test_a_run_that_was_cancelled_is_a_problem(house: House) -> None:
    with dg.DagsterInstance.local_temp(str(house.landing)) as instance:
        cancelled = dg.DagsterRun(job_name="lake", status=dg.DagsterRunStatus.CANCELED, tags={YEAR_OF_RUN: "2022"})
        instance.add_run(cancelled)
        found = status_of(house.lake, load_settings("local"), instance, datetime.now(UTC))
    assert [(problem.title, problem.year) for problem in found.problems] == [("a run of lake was cancelled", 2022)]
    again = 'dagster job execute -m deputies_lake.definitions -j lake --tags \'{"dagster/partition": "2022"}\''
    assert (found.is_well, found.next_commands[0]) == (False, again)


def test_the_last_runs_and_what_is_on_are_told_where_there_is_an_instance(house: House) -> None:
    @dg.op
    def nothing() -> None: ...

    @dg.job
    def lake() -> None:
        nothing()

    with dg.DagsterInstance.local_temp(str(house.landing)) as instance:
        tags = {"dagster/asset_partition_range_start": "2021", "dagster/asset_partition_range_end": "2022"}
        lake.execute_in_process(instance=instance, tags=tags)
        found = status_of(house.lake, load_settings("local"), instance, at(9)).instance
    assert found is not None
    [run] = found.runs
    assert (run.job, run.years, run.status, run.started_at is None) == ("lake", "2021..2022", "SUCCESS", False)
    assert (set(found.daemons.values()), found.daemons["SENSOR"], found.switches) == ({False}, False, {})


# At the terminal


def test_an_empty_lake_is_no_fault_and_says_how_to_begin(root: Path) -> None:
    result = typed()
    assert result.exit_code == 0
    assert "The lake is empty." in result.stdout
    assert result.stdout.rstrip().endswith("make demo")
    assert "no instance on this machine" in result.stdout


def test_a_late_lake_ends_with_1_and_says_what_to_type(house: House) -> None:
    result = typed()
    assert result.exit_code == 1
    assert ": late" in result.stdout.splitlines()[0]
    year = current_year()
    assert f"--select '*' --partition-range {year - 1}...{year}" in result.stdout


def test_a_blocked_lake_ends_with_1_although_nothing_is_late(house: House) -> None:
    measured(house, datetime.now(BRASILIA))
    assert typed().exit_code == 0
    refuse(house, 2022)
    result = typed()
    assert result.exit_code == 1
    assert ": 1 file blocked" in result.stdout.splitlines()[0]
    assert "blocked  2022 since " in result.stdout


def test_the_days_are_a_bar_each(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(house, at(0, 30, day=date(2026, 11, 21)), at(6, 30, day=date(2026, 11, 22)), at(8))
    now = type("At", (datetime,), {"now": classmethod(lambda cls, zone: at(9))})
    monkeypatch.setattr(status_verb, "datetime", now)
    assert "  ···········▁▇█  today at 08:00" in typed().stdout.splitlines()


def test_a_monitor_gets_json(house: House) -> None:
    found = json.loads(typed("--json").stdout)
    assert (found["is_well"], found["environment"], found["instance"]) == (False, "local", None)
    assert found["tables"][0]["years"] == [2021, 2022]


def test_settings_are_told_and_secrets_are_not(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALERT_SLACK, "https://hooks.example/SECRET")
    for arguments in (["--settings"], ["--settings", "--json"]):
        result = typed(*arguments)
        assert f"{HOME}" in result.stdout
        assert "(set, and hidden)" in result.stdout
        assert "SECRET" not in result.output


def test_the_instance_in_the_local_lake_is_found(root: Path) -> None:
    (root / "dagster").mkdir()
    (root / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    result = typed()
    assert "no run yet" in result.stdout
    assert "no sign of" in result.stdout


def test_an_instance_that_cannot_be_opened_does_not_hide_the_lake(root: Path) -> None:
    (root / "dagster").mkdir()
    (root / "dagster" / "dagster.yaml").write_text("storage:\n  postgres:\n    postgres_url: {env: NOT_SET}\n")
    result = typed()
    assert result.exit_code == 0
    assert "can't be opened" in result.stderr
    assert "The lake is empty." in result.stdout


def test_nothing_is_started_for_it_no_java_either(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(house, datetime.now(BRASILIA))
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    assert typed().exit_code == 0
