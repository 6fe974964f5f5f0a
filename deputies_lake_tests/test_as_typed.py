"""The README's commands, typed as they stand there, on a machine without Java and without AWS."""

import json
import re
from pathlib import Path

import dagster as dg
import pytest

from deputies_lake.cli.demo_runs import totals_by_year
from deputies_lake.environments import Engine
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.resources.lake import LakeResource
from deputies_lake_tests.as_typed import LEIAME, README, Shell, commands_in

ROWS = 3_000
# Three years, each of the fewest rows that look like a published file.
HOUSE_ROWS = 3 * 500


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    shell = Shell(tmp_path_factory.mktemp("as typed"), Engine.SAIL)
    shell.prepare()
    return shell


@pytest.fixture(scope="module")
def demo(shell: Shell) -> str:
    """What `make demo` prints; the tests after it find the lake it built."""
    done = shell.run(f"make demo ROWS={ROWS}")
    assert done.returncode == 0, done.stdout
    return done.stdout


def _lake(shell: Shell) -> Lake:
    return LakeResource(warehouse=str(shell.home / "lake" / "warehouse")).open()


def _instance(shell: Shell) -> dg.DagsterInstance:
    return dg.DagsterInstance.from_config(str(shell.dagster_home))


def _successful_runs(shell: Shell) -> int:
    with _instance(shell) as instance:
        return instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]))


def test_the_machine_has_no_java_of_its_own(shell: Shell) -> None:
    assert shell.run("command -v java").returncode != 0


def test_the_demo_says_what_it_built(demo: str) -> None:
    tables = {"kaggle_reimbursements": ROWS, "chamber_expenses": HOUSE_ROWS}
    for table, rows in tables.items():
        assert re.search(rf"raw\.{table} +{rows:,} rows", demo), demo
        assert re.search(rf"staging\.stg_{table} +{rows:,} rows", demo), demo
    assert re.search(rf"star\.fct_expenses +{ROWS + HOUSE_ROWS:,} rows", demo), demo
    assert len(re.findall(r"^  20\d\d +[\d,]+ rows   BRL", demo, re.MULTILINE)) == 12
    assert "dagster dev" in demo


def test_the_demo_names_the_checks_that_stop_nothing_and_did_not_pass(demo: str) -> None:
    found = re.search(r"^  (\d+) of (\d+) passed(?:; good to know of the others?:)?$", demo, re.MULTILINE)
    assert found, demo
    warnings = demo[found.end() :].partition("Where things are")[0].split("\n")
    told = [line for line in warnings if re.match(r"  \w+/\w+ \w+: ", line)]
    assert int(found[2]) - int(found[1]) == len(told)


def test_the_demo_shows_progress(demo: str) -> None:
    assert re.search(r"s    star/dim_suppliers: [\d,]+ rows", demo), demo
    assert "WARN" not in demo


def test_the_fact_adds_up_to_the_sample(demo: str, shell: Shell) -> None:
    (kaggle,) = re.findall(r"deputies_dataset.csv: ([\d,]+) rows, BRL ([\d,]+)", demo)
    house = re.findall(r"Ano-(\d+).csv.zip: ([\d,]+) rows, net BRL ([\d,.]+)", demo)
    totals = totals_by_year(_lake(shell))
    of_kaggle = [total for total in totals if total.net is None]
    assert sum(total.rows for total in of_kaggle) == int(kaggle[0].replace(",", ""))
    assert sum(total.amount for total in of_kaggle) == int(kaggle[1].replace(",", ""))
    of_house = [(str(total.year), f"{total.rows:,}", f"{total.net:,.2f}") for total in totals if total.net is not None]
    assert of_house == house


@pytest.mark.parametrize("line", [c for c in commands_in(README) if re.match(r"dagster (asset|job execute)", c)])
def test_a_documented_materialization_runs(line: str, demo: str, shell: Shell) -> None:
    before = _successful_runs(shell)
    done = shell.run(line)
    assert done.returncode == 0, done.stdout
    assert _successful_runs(shell) == before + 1


@pytest.mark.parametrize("line", [c for c in commands_in(LEIAME) if re.search(r"deputies-lake (query|export)", c)])
def test_a_line_of_the_portuguese_page_has_an_answer_in_the_demo(
    line: str, demo: str, shell: Shell, tmp_path: Path
) -> None:
    done = shell.run(f"cd '{tmp_path}' && {line.removeprefix('.venv/bin/')}")
    assert (done.returncode, "0 linhas" in done.stdout) == (0, False), done.stdout
    assert [
        file.name for file in tmp_path.glob("*.csv") if len(file.read_text(encoding="utf-8").splitlines()) < 2
    ] == []


def test_the_portuguese_page_puts_the_commands_on_the_path_before_it_types_them() -> None:
    lines = commands_in(LEIAME)
    first = next(number for number, line in enumerate(lines) if line.startswith("deputies-lake "))
    assert lines[first - 1] == 'export PATH="$PWD/.venv/bin:$PATH"'


@pytest.mark.parametrize("environment", ["local", "staging", "prod"])
def test_the_definitions_of_each_environment_are_valid(environment: str, shell: Shell) -> None:
    assert "dagster definitions validate" in commands_in(README)
    done = shell.run(
        "dagster definitions validate", DEPUTIES_LAKE_ENVIRONMENT=environment, DEPUTIES_LAKE_ENGINE="spark"
    )
    assert done.returncode == 0, done.stdout


def test_an_unknown_environment_is_refused_with_the_list(shell: Shell) -> None:
    done = shell.run("dagster definitions validate", DEPUTIES_LAKE_ENVIRONMENT="production")
    assert done.returncode != 0
    assert "set it to one of: local, staging, prod" in done.stdout


def test_the_documented_sample_is_written(shell: Shell) -> None:
    (line,) = [c for c in commands_in(README) if c.startswith("deputies-lake sample")]
    folder = shell.home / "sample_input"
    done = shell.run(line.replace("sample_input", f"'{folder}'"))
    assert done.returncode == 0, done.stdout
    house = {f"Ano-{year}.csv.zip" for year in (2018, 2019, 2020)}
    assert {file.name for file in folder.iterdir()} == {"deputies_dataset.csv", "dirty_deputies_v2.csv"} | house


def test_the_documented_preparation_keeps_the_classes_of_the_java_that_came_with_pip(shell: Shell) -> None:
    (line,) = [c for c in commands_in(README) if c.startswith("deputies-lake prepare")]
    done = shell.run(line)
    assert done.returncode == 0, done.stdout
    assert re.search(r"[1-9][0-9]+ MiB of classes in ", done.stdout)


@pytest.fixture(scope="module")
def bad_input(shell: Shell) -> Path:
    folder = shell.home / "bad input"
    folder.mkdir()
    (folder / "deputies_dataset.csv").write_text("a;b\n1;2\n")
    return folder


def test_a_bad_file_is_named_with_its_remedy_and_changes_nothing(demo: str, shell: Shell, bad_input: Path) -> None:
    before = totals_by_year(_lake(shell))
    done = shell.run(f"make demo INPUT='{bad_input}'")
    assert done.returncode != 0
    assert str(bad_input / "deputies_dataset.csv") in done.stdout
    assert "the delimiter must be a comma" in done.stdout
    assert "Traceback" not in done.stdout
    assert totals_by_year(_lake(shell)) == before


def test_a_missing_folder_is_named(shell: Shell) -> None:
    done = shell.run("make demo INPUT=/nowhere")
    assert done.returncode != 0
    assert "'/nowhere' does not exist" in done.stdout


def test_the_real_file_gives_the_exact_answers(shell: Shell, real_data: Path) -> None:
    truth = json.loads((real_data / "truth" / "kaggle_shared_file.json").read_text())
    # Where a lake has the House's files a year comes from them: here are none.
    lake = shell.home / "real"
    done = shell.run(f"make demo INPUT='{real_data / 'kaggle'}'", DEPUTIES_LAKE_HOME=str(lake))
    assert done.returncode == 0, done.stdout
    totals = totals_by_year(LakeResource(warehouse=str(lake / "warehouse")).open())
    assert {str(total.year): total.rows for total in totals} == truth["rows_by_year"]
    assert {str(total.year): total.amount for total in totals} == truth["total_by_year"]
