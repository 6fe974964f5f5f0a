"""Running commands the way a person types them: a shell line, in a process of its own, on a lake of its own."""

import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from deputies_lake.environments import Engine

PROJECT = Path(__file__).parent.parent
README = PROJECT / "README.md"
LEIAME = PROJECT / "deputies_lake" / "docs" / "LEIAME.md"

COMPILED_IN_HASTE: Final = "-XX:TieredStopAtLevel=1"
"""For a Java that sees few rows: compiling well what runs so rarely took four tenths of the CPU of Spark's tests."""


@dataclass
class Shell:
    """A terminal with the project's tools on its path, whose lake and Dagster home are below `home`.

    There is no Java on the path and none in the environment, nothing of AWS, and nothing is fetched: what works here
    works on a machine that has only what pip installed. Sail takes a quarter of the time, for tests of what is
    the same with either engine.
    """

    home: Path
    engine: Engine = Engine.SPARK

    @property
    def environment(self) -> dict[str, str]:
        """What a process started here finds in its environment."""
        tools = Path(sys.executable).parent
        return {
            "PATH": f"{tools}:{self._without_java}",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "DEPUTIES_LAKE_HOME": str(self.home / "lake"),
            "DEPUTIES_LAKE_CHAMBER_URL": "none",
            "DEPUTIES_LAKE_ENGINE": self.engine,
            "DAGSTER_HOME": str(self.dagster_home),
            "AWS_EC2_METADATA_DISABLED": "true",
            # Not one of the variables that keep Java from its class archive. Java says on stderr that it found it.
            "_JAVA_OPTIONS": COMPILED_IN_HASTE,
        }

    @property
    def dagster_home(self) -> Path:
        return self.home / "lake" / "dagster"

    def prepare(self) -> None:
        """Make Dagster's home, as `make demo` does where none is set."""
        self.dagster_home.mkdir(parents=True, exist_ok=True)
        (self.dagster_home / "dagster.yaml").write_text("telemetry:\n  enabled: false\nnux:\n  enabled: false\n")

    @cached_property
    def _without_java(self) -> Path:
        """A folder with every program of this machine but Java, which usually lies among the others in /usr/bin."""
        programs = self.home / "programs"
        if not programs.exists():
            programs.mkdir()
            for folder in ("/usr/local/bin", "/usr/bin", "/bin"):
                for program in Path(folder).iterdir():
                    link = programs / program.name
                    if not program.name.startswith("java") and not link.is_symlink():
                        link.symlink_to(program)
        return programs

    def run(self, line: str, *, timeout: int = 900, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Type `line` in the project's folder and wait for it. Both streams come back together, as one reads them."""
        return subprocess.run(
            ["bash", "-c", line],
            cwd=PROJECT,
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )


def commands_in(document: Path, part: str = "") -> list[str]:
    """The command lines in a Markdown document's `sh` blocks, without their comments.

    Only below headings that begin with `part`, where it is given.
    """
    lines: list[str] = []
    inside, heading = False, ""
    for line in document.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            inside = line == "```sh"
        elif inside and heading.startswith(part) and (command := line.split("  #")[0].strip()):
            lines.append(command)
        elif not inside and line.startswith("#"):
            heading = line.lstrip("# ")
    return lines
