"""`deputies-lake query` and `export`, as typed."""

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deputies_lake.cli.main import main
from deputies_lake.environments import HOME
from deputies_lake.serving.questions import QUESTIONS
from deputies_lake.tables import served_tables
from deputies_lake_tests.serving import small_lake

AMOUNTS = "SELECT year, deputy_id, deputy_key, spent_amount, receipts FROM mart_deputies WHERE year = 2016"
# So wide that it would be wrapped in a terminal.
WIDE = "SELECT repeat('a', 300) AS a, month FROM mart_months"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake")
    small_lake.build(folder)
    return folder


@pytest.fixture(autouse=True)
def _at_home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME, str(home))
    monkeypatch.chdir(tmp_path)


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def columns(shown: Result) -> list[list[str]]:
    assert shown.exit_code == 0, shown.output
    return [line.split() for line in shown.stdout.splitlines()]


# query


def test_an_answer_is_a_table() -> None:
    assert columns(typed("query", AMOUNTS)) == [
        ["year", "deputy_id", "deputy_key", "spent_amount", "receipts"],
        ["2016", "x", f"{small_lake.KEY}", "1,234,567.80", "0"],
    ]


def test_in_portuguese_numbers_are_brazilian() -> None:
    assert columns(typed("query", AMOUNTS, "--language", "pt"))[1][3] == "1.234.567,80"


def test_years_and_keys_are_written_digit_by_digit() -> None:
    shown = columns(typed("query", "SELECT 2016 AS year, 12345 AS a_key, 12345 AS rows"))
    assert shown[1] == ["2016", "12345", "12,345"]


def test_what_goes_into_a_pipe_is_not_wrapped() -> None:
    assert columns(typed("query", WIDE))[1] == ["a" * 300, "3"]


def test_what_a_program_reads_is_csv() -> None:
    rows = list(csv.reader(io.StringIO(typed("query", AMOUNTS, "--format", "csv").stdout)))
    assert rows[1] == ["2016", "x", f"{small_lake.KEY}", "1234567.80", "0"]


def test_what_excel_opens_has_decimal_commas_and_keeps_ids() -> None:
    shown = typed("query", "SELECT '0074' AS id, 1.5 AS brl, year FROM mart_months", "--excel").stdout
    assert shown.splitlines() == ["\ufeffid;brl;year", '"=""0074""";1,5;2025']


def test_what_a_program_reads_is_json() -> None:
    [row] = json.loads(typed("query", AMOUNTS, "--format", "json").stdout)
    assert (row["year"], row["deputy_id"], row["spent_amount"]) == (2016, "x", 1234567.8)


def test_only_so_many_rows_are_shown_and_the_way_to_all_is_told() -> None:
    shown = typed("query", "SELECT * FROM range(300)")
    assert len(shown.stdout.splitlines()) == 201
    assert shown.stderr == "The first 200 rows; all of them: --format csv\n"


@pytest.mark.parametrize("kind", ["table", "csv", "json"])
@pytest.mark.parametrize("sql", ["SELECT month FROM mart_months", "SELECT sum(receipts) FROM mart_months"])
def test_an_answer_without_a_value_says_why(kind: str, sql: str) -> None:
    shown = typed("query", f"{sql} WHERE year = 2024", "--format", kind, "--language", "pt")
    assert "0 linhas; o ano 2024 não está neste lake, que tem 2016, 2025\n" in shown.stderr


@pytest.mark.parametrize("kind", ["table", "csv", "json"])
def test_what_qualifies_the_figures_stands_beside_them_not_among_them(kind: str) -> None:
    shown = typed("query", "SELECT * FROM mart_deputies WHERE year = 2025", "--format", kind)
    assert "Note (2025-08..): SIGEPA's flight tickets are missing" in shown.stderr
    assert "SIGEPA" not in shown.stdout


def test_notes_are_of_the_years_in_the_answer() -> None:
    told = typed("query", "SELECT year FROM mart_deputies WHERE year = 2016", "--language", "pt").stderr
    assert "Nota (2009-01..2017-12): O Kaggle corta os centavos" in told
    assert "SIGEPA" not in told


@pytest.mark.parametrize("arguments", [("query", "q01"), ("query", "--question", "1")])
def test_a_ready_made_question_is_asked_by_its_number(arguments: tuple[str, ...]) -> None:
    assert columns(typed(*arguments))[1][:2] == ["2025", "3"]


def test_a_question_that_there_is_not_is_told_which_there_are() -> None:
    assert f"there is no question 99; there are 1 to {len(QUESTIONS)}" in typed("query", "--question", "99").output


def test_without_a_question_it_says_what_there_is() -> None:
    shown = typed("query", "--language", "pt").stdout
    wanted = [*(question.title_pt for question in QUESTIONS), *(t.identifier for t in served_tables().values())]
    assert [text for text in wanted if text not in shown] == []


def test_a_mistake_is_a_message() -> None:
    shown = typed("query", "FROM mart_deputados")
    assert shown.exit_code == 1
    assert shown.output.startswith("Error: there is no table mart_deputados; did you mean mart_deputies")


def test_an_error_while_an_answer_is_read_is_a_message() -> None:
    shown = typed("query", "SELECT CAST(deputy_name AS INT) FROM mart_deputies")
    assert (shown.exit_code, "Could not convert string" in shown.output) == (1, True)


def test_an_empty_lake_says_what_to_materialize(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(HOME, str(tmp_path))
    shown = typed("query", "FROM mart_months")
    assert (shown.exit_code, "dagster asset materialize --select serving/mart_months" in shown.output) == (1, True)


# export


@pytest.mark.parametrize("kind", ["csv", "parquet", "xlsx"])
def test_a_table_becomes_a_file_of_its_name(kind: str, tmp_path: Path) -> None:
    shown = typed("export", "--table", "mart_deputies", "--format", kind)
    assert shown.exit_code == 0, shown.output
    assert (tmp_path / f"mart_deputies.{kind}").is_file()


def test_an_export_says_what_it_wrote() -> None:
    assert typed("export", "--table", "serving.mart_deputies", "--years", "2016..2024").output.splitlines() == [
        "mart_deputies_2016-2024.csv: 1 rows",
        "mart_deputies_2016-2024.csv.citation.txt: how to cite it",
    ]


@pytest.mark.parametrize(("arguments", "amount"), [((), "1234567.80"), (("--excel",), "1234567,80")])
def test_an_exported_csv_is_for_programs_unless_it_is_for_excel(
    arguments: tuple[str, ...], amount: str, tmp_path: Path
) -> None:
    file = tmp_path / "new" / "a.csv"
    typed("export", "--table", "mart_deputies", "--to", str(file), *arguments)
    assert amount in file.read_text(encoding="utf-8-sig")


def test_only_a_csv_is_made_for_excel() -> None:
    shown = typed("export", "--table", "mart_deputies", "--format", "xlsx", "--excel")
    assert (shown.exit_code, "--excel is about --format csv" in shown.output) == (2, True)


def test_a_file_of_one_year_names_it_once() -> None:
    assert typed("export", "--table", "mart_deputies", "--years", "2016").output.startswith("mart_deputies_2016.csv: ")


@pytest.mark.parametrize("years", ["2016-2020", "2020..2016", "16"])
def test_years_that_make_no_sense_are_a_message(years: str) -> None:
    shown = typed("export", "--table", "mart_deputies", "--years", years)
    assert (shown.exit_code, "is neither a year nor a range of years" in shown.output) == (2, True)


def test_raw_tables_are_not_exported() -> None:
    shown = typed("export", "--table", "raw.file_versions")
    assert (shown.exit_code, "raw holds personal ids" in shown.output) == (1, True)


def test_an_export_that_is_not_possible_is_a_message() -> None:
    shown = typed("export", "--table", "dim_suppliers", "--years", "2016")
    assert (shown.exit_code, shown.output) == (1, "Error: star.dim_suppliers is not by year: leave --years out\n")
