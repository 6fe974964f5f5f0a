"""A morning on a laptop, with a real daemon: files arrive in a burst, one is broken, one comes anew, one is truncated;
the power fails in the middle of a run; two people backfill the same years at once.

It is played once, in this order, and each test looks at one thing that came of it.
"""

import subprocess
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest

from deputies_lake.checks.audit import auditor
from deputies_lake.definitions import build_definitions
from deputies_lake.raw import file_versions
from deputies_lake.sample.chamber import FEWEST_ROWS, ChamberSample, write_chamber_files
from deputies_lake.sample.restatements import UNCHANGED, Restatement
from deputies_lake.serving.assets import TODAYS_FIGURES
from deputies_lake.star import fct_expenses
from deputies_lake_tests.automation.daemon import SECONDS, Platform

YEARS = range(2018, 2024)
BROKEN, RESTATED, TRUNCATED = 2018, 2021, 2023
READABLE = [year for year in YEARS if year != BROKEN]
ADDED = 40
OVERLAPPING = ("2019...2020", "2020...2021")
BACKFILL = "dagster asset materialize -m deputies_lake.definitions --select 'key:\"staging/stg_chamber_expenses\"+'"


@dataclass
class Morning:
    """What was seen: runs, and the fact's rows by year, as readers got them."""

    burst: Sequence[dg.DagsterRun] = ()
    materialized: set[dg.AssetKey | None] = field(default_factory=set)
    rows_after_burst: dict[int, int] = field(default_factory=dict)
    killed: dg.DagsterRun | None = None
    after_the_kill: Sequence[dg.DagsterRun] = ()
    rows_after_the_kill: dict[int, int] = field(default_factory=dict)
    truncated: Sequence[dg.DagsterRun] = ()
    touched_by_the_truncated: set[dg.AssetKey | None] = field(default_factory=set)
    decisions: list[str] = field(default_factory=list)
    rows_at_the_end: dict[int, int] = field(default_factory=dict)
    failed_backfills: dict[str, str] = field(default_factory=dict)


def sample(folder: Path, years: Sequence[int], restatement: Restatement = UNCHANGED) -> ChamberSample:
    return write_chamber_files(folder, years=years, rows_per_year=FEWEST_ROWS, restatement=restatement)


def rows_by_year(platform: Platform) -> dict[int, int]:
    with auditor() as connection:
        view = platform.lake.view(connection, fct_expenses.TABLE)
        return dict(connection.sql(f"SELECT year, count(*) FROM {view} GROUP BY year ORDER BY year").fetchall())


def burst(folder: Path) -> list[Path]:
    """Thirty files: six years' archives, one of them a web page, their CSV files beside them, and eighteen others."""
    for year in sample(folder, YEARS).by_year.values():
        with zipfile.ZipFile(year.path) as archive:
            archive.extractall(folder)
        for number in range(3):
            (folder / f"note {number} of {year.year}.txt").touch()
    (folder / f"Ano-{BROKEN}.csv.zip").write_bytes(b"<!DOCTYPE html><html>manutencao</html>")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Morning:
    seen = Morning()
    incoming = tmp_path_factory.mktemp("incoming")
    with Platform(tmp_path_factory.mktemp("laptop")) as platform:
        files = burst(incoming / "burst")
        assert len(files) == 30
        platform.land(*files)
        seen.burst = platform.finished(1)
        seen.materialized = platform.materialized(seen.burst[0])
        seen.rows_after_burst = rows_by_year(platform)

        restated = sample(incoming / "restated", [RESTATED], Restatement(added=ADDED))
        platform.land(restated.by_year[RESTATED].path)
        seen.killed = platform.wait_for(lambda: working(platform, len(seen.burst)), "run that is at work")
        platform.kill()
        platform.start()
        seen.after_the_kill = platform.finished(len(seen.burst) + 2)[len(seen.burst) :]
        seen.rows_after_the_kill = rows_by_year(platform)

        truncated = sample(incoming / "truncated", [TRUNCATED], Restatement(truncated=0.25))
        platform.land(truncated.by_year[TRUNCATED].path)
        backfills = {years: backfill(platform, years) for years in OVERLAPPING}
        before = len(seen.burst) + len(seen.after_the_kill) + len(backfills)
        seen.truncated = [run for run in platform.finished(before + 1)[-3:] if run.job_name == "from_chamber_expenses"]
        seen.touched_by_the_truncated = {key for run in seen.truncated for key in platform.materialized(run)}
        for years, process in backfills.items():
            if process.wait(SECONDS):
                seen.failed_backfills[years] = said_by(platform, years).read_text(errors="replace")[-3000:]
        rows = platform.lake.rows(file_versions.TABLE, [TRUNCATED])
        seen.decisions = [row["decision"] for row in sorted(rows, key=lambda row: row["decided_at"])]
        seen.rows_at_the_end = rows_by_year(platform)
    return seen


def working(platform: Platform, after: int) -> dg.DagsterRun | None:
    """A new run whose staging has begun: raw is published, the rest is not."""
    for run in platform.runs()[after:]:
        events = platform.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)
        if any(event.step_key == "stage_expenses" for event in events):
            return run
    return None


def backfill(platform: Platform, years: str) -> "subprocess.Popen[bytes]":
    """As a person types it, of years that are computed anew whether or not anything changed."""
    # To a file: a pipe that nobody empties would stop it.
    with said_by(platform, years).open("wb") as output:
        return subprocess.Popen(
            ["bash", "-c", f"{BACKFILL} --partition-range {years}"],
            cwd=platform.shell.home,
            env=platform.shell.environment | {"DEPUTIES_LAKE_REBUILD": "all"},
            stdout=output,
            stderr=output,
        )


def said_by(platform: Platform, years: str) -> Path:
    return platform.shell.home / f"backfill of {years}.log"


def test_a_burst_of_thirty_files_becomes_a_run_or_two(morning: Morning) -> None:
    assert len(morning.burst) <= 2
    assert {run.job_name for run in morning.burst} == {"from_chamber_expenses"}


def test_its_run_makes_everything_that_readers_get(morning: Morning) -> None:
    job = build_definitions("local").resolve_job_def("from_chamber_expenses")
    # Of today's figures nothing is told: by their entries in the archives, the files are of another day.
    assert morning.materialized == {*job.asset_layer.executable_asset_keys} - {TODAYS_FIGURES.key}


def test_of_a_burst_the_broken_file_holds_up_no_other(morning: Morning) -> None:
    assert morning.rows_after_burst == dict.fromkeys(READABLE, FEWEST_ROWS)


def test_a_run_that_the_power_cut_ended_is_found_and_repeated(morning: Morning) -> None:
    assert morning.killed is not None
    lost, repeated = morning.after_the_kill
    assert (lost.run_id, lost.status.value, repeated.status.value) == (morning.killed.run_id, "FAILURE", "SUCCESS")
    assert repeated.parent_run_id == lost.run_id


def test_an_overwritten_file_reaches_the_readers_once(morning: Morning) -> None:
    assert morning.rows_after_the_kill == {**morning.rows_after_burst, RESTATED: FEWEST_ROWS + ADDED}


def test_a_truncated_file_is_refused_and_readers_keep_what_they_had(morning: Morning) -> None:
    assert (morning.decisions[-1], morning.rows_at_the_end[TRUNCATED]) == ("blocked", FEWEST_ROWS)


def test_its_run_is_one_and_touches_nothing_after_raw(morning: Morning) -> None:
    assert [run.status.value for run in morning.truncated] == ["SUCCESS"]
    assert morning.touched_by_the_truncated == set()


def test_of_two_backfills_of_the_same_years_both_end_well(morning: Morning) -> None:
    assert morning.failed_backfills == {}


def test_after_them_every_year_is_there_once(morning: Morning) -> None:
    assert morning.rows_at_the_end == morning.rows_after_the_kill
