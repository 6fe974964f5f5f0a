"""The benchmark's own parts, and that its contenders still make the same tables: the lake's change."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from deputies_lake.sample.chamber import write_chamber_files
from deputies_lake.sample.kaggle import write_kaggle_files
from deputies_lake_tests.bench import report, verify
from deputies_lake_tests.bench.contenders import DUCKDB, LAKE, LAKE_ON_SAIL, PLAIN_PYSPARK

# Two copies of a process that works for half a second; the second outlives the command, as a JVM does.
WORK = "import time; held = bytearray(64 << 20)\nwhile time.process_time() < 0.5: pass"
COMMAND = f"{sys.executable} -c '{WORK}'; {sys.executable} -c '{WORK}' &"
MEASURE = f"""
import dataclasses, json, pathlib, sys
from deputies_lake_tests.bench.measure import measure
usage = measure(["sh", "-c", {COMMAND!r}], pathlib.Path(sys.argv[1]), lambda seconds, resident: None)
print(json.dumps(dataclasses.asdict(usage)))
"""


def test_duckdb_finds_what_was_drawn(tmp_path: Path) -> None:
    sample = write_kaggle_files(tmp_path, rows=3_000, refunds=False)
    output = tmp_path / "tables"
    subprocess.run(DUCKDB.command(sample.reimbursements, output), check=True)
    expected = {year: (rows, Decimal(sample.total_by_year[year])) for year, rows in sample.rows_by_year.items()}
    assert verify.figures(DUCKDB, output) == expected


def test_duckdb_finds_what_was_drawn_for_a_year_of_the_house(tmp_path: Path) -> None:
    drawn = write_chamber_files(tmp_path, years=[2022], rows_per_year=3_000).by_year[2022]
    output = tmp_path / "tables"
    command = [sys.executable, "-m", "deputies_lake_tests.bench.house_year"]
    subprocess.run([*command, "--input", str(drawn.path), "--output", str(output)], check=True)
    with duckdb.connect() as connection:
        fact = connection.read_parquet(str(output / "fct_expenses.parquet"))
        assert fact.aggregate("count(*), sum(net_amount)").fetchone() == (drawn.total.rows, drawn.total.net)


def test_the_other_engine_and_the_opponents_have_the_lakes_values(tmp_path: Path) -> None:
    landing, output = tmp_path / "landing", tmp_path / "tables"
    sample = write_kaggle_files(landing, rows=3_000, refunds=False)
    for lake in (LAKE, LAKE_ON_SAIL):
        (output / lake.name).mkdir(parents=True)
    for contender in (LAKE, LAKE_ON_SAIL, PLAIN_PYSPARK, DUCKDB):
        command = contender.command(sample.reimbursements, output / contender.name)
        subprocess.run(command, check=True, capture_output=True)
    for opponent in (LAKE_ON_SAIL, PLAIN_PYSPARK, DUCKDB):
        assert verify.differences(opponent, output / opponent.name, output / LAKE.name) == []


def test_measure_counts_processes_that_outlive_the_command(tmp_path: Path) -> None:
    # In a process of its own, because measuring takes over all child processes.
    run = [sys.executable, "-c", MEASURE, str(tmp_path / "log")]
    usage = json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
    assert usage["cpu_seconds"] == pytest.approx(1, abs=0.3)
    assert usage["peak_bytes"] > 64 << 20


def test_seconds_of_steps() -> None:
    log = """
        STEP_SUCCESS - Finished execution of step "kaggle_refunds" in 291ms.
        STEP_SUCCESS - Finished execution of step "stage_reimbursements" in 1m5s.
        STEP_SUCCESS - Finished execution of step "build_fact" in 3.76s.
        RUN_SUCCESS - Finished execution of run for "__ASSET_JOB".
    """
    assert report.seconds_of_steps(log) == {"kaggle_refunds": 0.291, "stage_reimbursements": 65, "build_fact": 3.76}
