"""The page `docs/aws.md`, typed line by line in one terminal, against the emulated AWS.

`python -m deputies_lake_tests.aws.page` plays it for a person to watch (`make aws-demo`); `test_page.py` looks at what
comes of it. What stands on the page is not repeated here.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import deputies_lake
from deputies_lake.environments import CHAMBER_URL, POLL_SECONDS, REBUILD
from deputies_lake.sample.chamber import FEWEST_ROWS, write_chamber_files
from deputies_lake.sample.kaggle import write_kaggle_files
from deputies_lake_tests.as_typed import commands_in
from deputies_lake_tests.aws.emulator import EmulatedAws
from deputies_lake_tests.aws.machine import provide_machine

PAGE: Final = Path(deputies_lake.__file__).parent / "docs" / "aws.md"
ENVIRONMENT: Final = "staging"


@dataclass
class Terminal:
    """A shell in `folder`, in which what a line exports holds for the next one."""

    folder: Path
    variables: dict[str, str]
    echo: bool = False
    said: dict[str, str] = field(default_factory=dict)

    def type(self, line: str, answers: str = "") -> int:
        """Type a line, and `answers` to what it asks. What it says is kept in `said`; returns its exit code."""
        if self.echo:
            print(f"\n$ {line}", flush=True)
        exported = self.folder / ".exported"
        with subprocess.Popen(
            ["bash", "-c", f"{line}\nresult=$?; env -0 > {shlex.quote(str(exported))}; exit $result"],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdin
            assert process.stdout
            process.stdin.write(answers)
            process.stdin.close()
            self.said[line] = "".join(self._shown(process.stdout))
        self.variables = dict(
            entry.split("=", 1) for entry in exported.read_text(encoding="utf-8").split("\0") if "=" in entry
        )
        return process.returncode

    def _shown(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            if self.echo:
                print(line, end="", flush=True)
            yield line


HOUSE_YEAR: Final = 2016
"""Of which the terminal's folder has the House's file beside Kaggle's."""


def new_terminal(aws: EmulatedAws, folder: Path, rows: int, *, echo: bool = False) -> Terminal:
    """A terminal as the page's reader has it: credentials, the project's tools, AWS's own, and a published file."""
    write_kaggle_files(folder, rows=rows, seed=2017, compress=False)
    write_chamber_files(folder, years=[HOUSE_YEAR], rows_per_year=FEWEST_ROWS, seed=2017, kaggle_rows=rows)
    (folder / "demo_lake" / "dagster").mkdir(parents=True)
    tools = [Path(sys.executable).parent, *os.environ["PATH"].split(os.pathsep), provide_machine().programs]
    variables = {
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join(map(str, tools)),
        **aws.variables,
        CHAMBER_URL: "none",
        # What is typed a second time is to be seen at work, too.
        REBUILD: "all",
        # EMR needs minutes where this needs seconds.
        POLL_SECONDS: "1",
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }
    return Terminal(folder, variables, echo)


def lines(part: str = "") -> Sequence[str]:
    """What the page says to type, without what needs Docker; of the parts whose title begins with `part`."""
    return [line for line in commands_in(PAGE, part) if not line.startswith(("docker", "export DAGSTER_POSTGRES"))]


def answers_to(line: str) -> str:
    return f"{ENVIRONMENT}\n" if "--delete-data" in line else ""


def play(terminal: Terminal, typed: Sequence[str]) -> None:
    """Type the lines one after another, up to the first that fails."""
    for line in typed:
        if terminal.type(line, answers_to(line)):
            raise SystemExit(f"{line}\nfailed:\n{terminal.said[line]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000, help="rows of the invented input")
    rows: int = parser.parse_args().rows
    print(f"Playing {PAGE.name} on an emulated AWS on this machine", flush=True)
    with tempfile.TemporaryDirectory() as folder, EmulatedAws() as aws:
        play(new_terminal(aws, Path(folder), rows, echo=True), lines())


if __name__ == "__main__":
    main()
