"""Runs the contenders in turns and prints what each took: `python -m deputies_lake_tests.bench`.

In turns, because a shared machine is never equally fast for long: ratios are taken within a round. After each run its
fact must have the figures that were drawn, and after each round the opponents' tables must have the lake's values.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from deputies_lake.java import provide_java
from deputies_lake_tests.bench import arrivals, inputs, measure, refresh, report, verify
from deputies_lake_tests.bench.contenders import ALL, LAKE, LAKES, Contender, TheLake

_SECONDS_BETWEEN_LINES: Final = 30
"""Where nobody watches a terminal."""


def main() -> None:
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description=__doc__)
    parser.add_argument("--rows", type=int, default=3_000_000, help="rows of the input (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="0: no comparison (default %(default)s)")
    parser.add_argument("--year-rows", type=int, default=230_000, help="rows of a restated year (default %(default)s)")
    parser.add_argument("--memory", action="store_true", help="also: the lake's memory for files of two sizes")
    parser.add_argument("--memory-rows", type=int, nargs=2, default=(1_000_000, 10_000_000), metavar="N")
    parser.add_argument(
        "--arrivals", type=int, metavar="FILES", help="also: how long files take, one arriving a minute"
    )
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="write the page to this file too")
    given = parser.parse_args()
    provide_java()
    sections = ["# Benchmark"]
    if given.rounds:
        sections += compare(given.rows, given.rounds)
        sections.append(restate(given.year_rows, given.rounds))
    if given.memory:
        runs = {lake.title: {rows: run_alone(lake, rows) for rows in given.memory_rows} for lake in LAKES}
        sections += ["## The lake's memory", report.memory(runs)]
    if given.arrivals:
        with _fresh_directory() as directory:
            sections.append(arrivals.section(directory, given.year_rows, given.arrivals))
    page = "\n\n".join([*sections, "## Measured on", report.surroundings()])
    click.echo(page)
    if given.write:
        given.write.write_text(f"{page}\n", encoding="utf-8")


def compare(rows: int, rounds: int) -> Sequence[str]:
    found: list[report.Round] = []
    lake_runs: list[tuple[measure.Usage, report.Steps]] = []
    for number in range(1, rounds + 1):
        with _fresh_directory() as directory:
            usages = {}
            for contender in ALL:
                usages[contender.name] = run(contender, rows, directory, f"round {number}/{rounds}")
            for contender in ALL:
                if contender.tables_as_lake and contender is not LAKE:
                    _require_equal_tables(contender, directory)
            found.append(usages)
            lake_runs.append((usages[LAKE.name], report.seconds_of_steps(_log(directory, LAKE).read_text())))
    return [
        f"{rows:,} rows; rounds in turns: {rounds}. Medians; ratios within a round: median (min to max).",
        report.comparison(found),
        report.steps(lake_runs),
    ]


def restate(rows: int, rounds: int) -> str:
    with _fresh_directory() as directory:
        return refresh.section(rows, refresh.refresh(directory, rows, rounds, _Progress(f"{rows:,} rows of a year")))


def run_alone(lake: TheLake, rows: int) -> measure.Usage:
    with _fresh_directory() as directory:
        return run(lake, rows, directory, f"{rows:,} rows")


def run(contender: Contender, rows: int, directory: Path, what: str) -> measure.Usage:
    """One measured run, its output below `directory`. Exits with a message if it failed or its fact is wrong."""
    data = inputs.of_size(rows)
    output = directory / contender.name
    if isinstance(contender, TheLake):
        output.mkdir()
    # What the run before left to be written is not this one's burden.
    os.sync()
    show = _Progress(f"{what}, {contender.title}")
    try:
        usage = measure.measure(contender.command(data.csv, output), _log(directory, contender), show)
    except measure.CommandFailedError as error:
        kept = shutil.copy(_log(directory, contender), inputs.cache() / f"{contender.name}.failed.log")
        raise SystemExit(f"{error} (copied to {kept})") from error
    show.done(usage)
    if verify.figures(contender, output) != data.figures:
        raise SystemExit(f"{contender.title}: the fact's rows and amounts by year are not those of the input")
    return usage


class _Progress:
    def __init__(self, what: str) -> None:
        self._what, self._watched, self._seconds = what, sys.stderr.isatty(), 0.0

    def __call__(self, seconds: float, resident: int) -> None:
        if self._watched or seconds - self._seconds >= _SECONDS_BETWEEN_LINES:
            self._seconds = seconds
            self._show(f"{seconds:6.0f} s, {resident / 2**20:6,.0f} MiB", ended=not self._watched)

    def done(self, usage: measure.Usage) -> None:
        figures = f"{usage.wall_seconds:6.1f} s, {usage.cpu_seconds:.1f} CPU s, {usage.peak_bytes / 2**20:,.0f} MiB"
        self._show(figures, ended=True)

    def _show(self, figures: str, *, ended: bool) -> None:
        start = "\r\033[K" if self._watched else ""
        click.echo(f"{start}{self._what}: {figures}", err=True, nl=ended)


def _require_equal_tables(contender: Contender, directory: Path) -> None:
    if odd := verify.differences(contender, directory / contender.name, directory / LAKE.name):
        raise SystemExit(f"{contender.title} has other values than the lake: {'; '.join(odd)}")


@contextmanager
def _fresh_directory() -> Iterator[Path]:
    inputs.cache().mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=inputs.cache()) as directory:
        yield Path(directory)


def _log(directory: Path, contender: Contender) -> Path:
    return directory / f"{contender.name}.log"


if __name__ == "__main__":
    main()
