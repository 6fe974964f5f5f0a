"""How long one restated year takes, from the House's file to what readers get, beside DuckDB typing the same file.

The lake of two years is built once; then, in turns, each contender gets the next version of the later year. The lake
archives it, compares it with the version before, replaces the year and all that is made from it. Its figures must be
those drawn, and DuckDB's rows the lake's.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.sample.chamber import ChamberYear, write_chamber_files
from deputies_lake.sample.restatements import Restatement
from deputies_lake.staging import stg_chamber_expenses
from deputies_lake.star import fct_expenses
from deputies_lake_tests.bench.contenders import LAKES, TheLake, lake_command
from deputies_lake_tests.bench.measure import Progress, Usage, measure
from deputies_lake_tests.bench.report import Steps, seconds_of_steps, spread, table
from deputies_lake_tests.bench.verify import hashed, odd_columns

YEARS: Final = (2023, 2024)
YEAR: Final = YEARS[-1]


@dataclass(frozen=True, kw_only=True)
class Round:
    """What a refresh took: each lake, by its title, the seconds in each of its steps, and DuckDB."""

    lakes: Mapping[str, Usage]
    steps: Mapping[str, Steps]
    duckdb: Usage


def refresh(directory: Path, rows: int, rounds: int, progress: Progress) -> Sequence[Round]:
    """`rounds` versions of a year of `rows` rows. Raises `CommandFailedError`, and `ValueError` for wrong figures."""
    landing = directory / "landing"
    write_chamber_files(landing, years=YEARS, rows_per_year=rows)
    for lake in LAKES:
        (directory / lake.name).mkdir()
        _materialize(lake, directory, f"{YEARS[0]}...{YEAR}", progress)
    found = []
    for number in range(1, rounds + 1):
        restated = Restatement(added=100 * number, removed=10 * number, altered=50 * number)
        drawn = write_chamber_files(landing, years=[YEAR], rows_per_year=rows, restatement=restated).by_year[YEAR]
        tables = directory / f"duckdb_{number}"
        done = {lake.title: _materialize(lake, directory, f"{YEAR}...{YEAR}", progress) for lake in LAKES}
        peer = measure(
            [sys.executable, "-m", f"{__package__}.house_year", "--input", str(drawn.path), "--output", str(tables)],
            directory / f"duckdb_{number}.log",
            progress,
        )
        for lake in LAKES:
            _require_equal(directory / lake.name, tables, drawn)
        found.append(
            Round(
                lakes={title: usage for title, (usage, _) in done.items()},
                steps={title: steps for title, (_, steps) in done.items()},
                duckdb=peer,
            )
        )
    return found


def _materialize(lake: TheLake, directory: Path, years: str, progress: Progress) -> tuple[Usage, Steps]:
    log = directory / f"{lake.name}.log"
    command = lake_command(directory / lake.name, directory / "landing", years, selection="*", engine=lake.engine)
    return measure(command, log, progress), seconds_of_steps(log.read_text())


def section(rows: int, rounds: Sequence[Round]) -> str:
    """The figures as markdown: medians (min to max)."""
    used = {title: [one.lakes[title] for one in rounds] for title in rounds[0].lakes}
    used["DuckDB"] = [one.duckdb for one in rounds]
    lines = [
        [title, spread([one.wall_seconds for one in of]), spread([one.cpu_seconds for one in of])]
        for title, of in used.items()
    ]
    ratios = [
        f"{title} takes {spread([one.lakes[title].wall_seconds / one.duckdb.wall_seconds for one in rounds])} times"
        for title in rounds[0].lakes
    ]
    titles = [*rounds[0].lakes]
    steps = [
        [step, *(spread([one.steps[title][step] for one in rounds]) for title in titles)]
        for step in rounds[0].steps[titles[0]]
    ]
    rest = [
        spread([one.lakes[title].wall_seconds - sum(one.steps[title].values()) for one in rounds]) for title in titles
    ]
    text = (
        f"{rows:,} rows, versions in turns: {len(rounds)}, each a cold process. The lake archives, compares the file, "
        "replaces the year in every layer, builds the dimensions of all years, audits, commits and makes what people "
        f"open; DuckDB types the rows and makes the fact's. Beside DuckDB, {', '.join(ratios)} as long."
    )
    return "\n\n".join(
        [
            "## A restated year of the House",
            text,
            table(["", "wall s", "CPU s"], lines),
            table(["step, s", *titles], [*steps, ["(outside the steps)", *rest]]),
        ]
    )


def _require_equal(home: Path, tables: Path, drawn: ChamberYear) -> None:
    lake = Lake(iceberg.local_catalog(home / "warehouse"))
    with duckdb.connect() as connection:
        for contract in (stg_chamber_expenses.TABLE, fct_expenses.TABLE):
            ours = lake.view(connection, contract, [YEAR])
            theirs = f"peer_{contract.name}"
            connection.read_parquet(str(tables / f"{contract.name}.parquet")).create_view(theirs)
            columns = sorted({*contract.column_names} - {"source_line"} - hashed(contract))
            if odd := odd_columns(connection, theirs, ours, columns):
                raise ValueError(f"DuckDB has other values than the lake in {contract.name}: {', '.join(odd)}")
            figures = connection.sql(f"SELECT count(*), sum(net_amount) FROM {ours}").fetchone()
            if figures != (drawn.total.rows, drawn.total.net):
                raise ValueError(f"{contract.name} of {YEAR} has {figures}, drawn were {drawn.total}")
