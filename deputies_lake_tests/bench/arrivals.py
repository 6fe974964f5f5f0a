"""How long a file of the current year takes to reach readers, when a new one arrives every minute at a laptop's daemon.

A file is with the readers when the dashboard was made after a fact that holds it, or a later one, was published. Files
that arrive while a run is at work are taken in together by the next.
"""

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from deputies_lake.sample.chamber import write_chamber_files
from deputies_lake.sample.restatements import Restatement
from deputies_lake.star import fct_expenses
from deputies_lake_tests.automation.daemon import Platform
from deputies_lake_tests.bench.report import table

YEAR: Final = datetime.now(UTC).year
SECONDS_BETWEEN: Final = 60
ADDED: Final = 100


def section(folder: Path, rows: int, files: int) -> str:
    """What `arrivals` found, for the page."""
    seconds, runs = arrivals(folder, rows, files)
    told = [[str(number), f"{one:.0f}"] for number, one in enumerate(seconds, start=1)]
    return (
        f"## A file a minute\n\n{files} files of the current year, {rows:,} rows each, {SECONDS_BETWEEN} s apart, "
        f"where `dagster dev` runs: {runs} runs. From the file to the dashboard:\n\n{table(['file', 's'], told)}"
    )


def arrivals(folder: Path, rows: int, files: int) -> tuple[Sequence[float], int]:
    """The seconds of each file after the first, which finds an empty lake, and the number of runs they took.

    Raises `TimeoutError` where one never reached the readers.
    """
    versions = [_version(folder / f"version {number}", rows, number) for number in range(files + 1)]
    home = folder / "laptop"
    home.mkdir()
    with Platform(home) as platform:
        (first, _), *others = versions
        platform.land(first)
        platform.finished(1)
        landed: list[float] = []
        reached: dict[int, float] = {}
        until = time.time() + SECONDS_BETWEEN * (files + 10)
        while len(reached) < files and time.time() < until:
            if len(landed) < files and (not landed or time.time() >= landed[0] + SECONDS_BETWEEN * len(landed)):
                file, _ = others[len(landed)]
                os.utime(file)
                file.rename(platform.landing / file.name)
                landed.append(time.time())
            shown = _rows_shown(platform)
            for number, (_, expected) in enumerate(others[: len(landed)]):
                if number not in reached and shown >= expected:
                    reached[number] = time.time() - landed[number]
                    click.echo(f"file {number + 1}: {reached[number]:.0f} s", err=True)
            time.sleep(0.5)
        if len(reached) < files:
            raise TimeoutError(
                f"only files {sorted(reached)} of {files} were shown; the daemon said\n{platform.log[-3000:]}"
            )
        return [reached[number] for number in sorted(reached)], len(platform.runs()) - 1


def _version(folder: Path, rows: int, number: int) -> tuple[Path, int]:
    """The file and its rows, which differ from version to version."""
    restated = Restatement(added=ADDED * number)
    drawn = write_chamber_files(folder, years=[YEAR], rows_per_year=rows, restatement=restated).by_year[YEAR]
    return drawn.path, drawn.total.rows


def _rows_shown(platform: Platform) -> int:
    """The fact's rows, all of them of the year, once a dashboard was made after they were published; 0 until then."""
    dashboard = Path(platform.settings.published) / "dashboard.html"
    made = datetime.fromtimestamp(dashboard.stat().st_mtime, UTC)
    rows = dict(platform.lake.overview())[fct_expenses.TABLE.identifier]
    return rows if made > max(platform.lake.snapshots(fct_expenses.TABLE)) else 0
