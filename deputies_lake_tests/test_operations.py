"""The page for operators: what it has one type exists, and the archive gives back the files that readers had."""

import re
import shlex
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Final

import duckdb
import pytest

from deputies_lake.cli.main import main

PAGE: Final = resources.files("deputies_lake").joinpath("docs/operations.md").read_text()
BLOCKS: Final = re.findall(r"```(?:sh)?\n(.*?)```", PAGE, re.DOTALL)
TYPED: Final = [
    *(line for block in BLOCKS for line in block.splitlines() if line.startswith("deputies-lake ")),
    *re.findall(r"`(deputies-lake [^`]+)`", PAGE),
]


def test_the_page_has_something_typed() -> None:
    assert len(TYPED) > len(BLOCKS) > 0


@pytest.mark.parametrize("line", [command for line in TYPED for command in line.split(" && ")])
def test_each_verb_and_option_of_the_page_exists(line: str) -> None:
    [_, verb, *arguments] = shlex.split(line.replace("--years Y", "--years 2022").replace("...", "x"))
    command = main.commands[verb]
    known = {option for parameter in command.params for option in parameter.opts}
    given = {argument for argument in arguments if argument.startswith("--")}
    assert given - {"--env"} <= known


def test_the_archive_gives_back_the_files_that_readers_had(tmp_path: Path) -> None:
    published, landing = tmp_path / "lake" / "published", tmp_path / "lake" / "landing"
    published.mkdir(parents=True)
    landing.mkdir()
    for sha256, source, name, content in (
        ("aa", "chamber_expenses", "Ano-2022.csv.zip", "what readers had"),
        ("bb", "chamber_expenses", "Ano-2022.csv.zip", "what was not believed"),
        ("cc", "kaggle_reimbursements", "deputies_dataset.csv.gz", "Kaggle's"),
    ):
        folder = tmp_path / "lake" / "archive" / source / sha256
        folder.mkdir(parents=True)
        (folder / name).write_text(content)
        (folder / "manifest.json").write_text("{}")
    with duckdb.connect(published / "lake.duckdb") as connection:
        connection.execute(
            "CREATE TABLE publications AS FROM (VALUES (2022, 'chamber_expenses', 'aa'), "
            "(2009, 'kaggle_reimbursements', 'cc'), (2010, 'kaggle_reimbursements', 'cc'), "
            "(2011, 'chamber_expenses', NULL)) AS rows(year, source_code, sha256)"
        )
    [program] = re.findall(r"python - <<'EOF'\n(.*?)EOF\n", PAGE, re.DOTALL)
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert {file.name: file.read_text() for file in landing.iterdir()} == {
        "Ano-2022.csv.zip": "what readers had",
        "deputies_dataset.csv.gz": "Kaggle's",
    }
