"""How long one restated year takes, from the House's file to what readers get, beside DuckDB typing the same file.

The lake of two years is built once; then, in turns, each contender gets the next version of the later year. The lake
archives it, compares it with the version before, replaces the year and all that is made from it. Its figures must be
those drawn, and DuckDB's rows the lake's.
"""

import sys
from collections.abc import Sequence
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
from deputies_lake_tests.bench.contenders import lake_command
from deputies_lake_tests.bench.measure import Progress, Usage, measure
from deputies_lake_tests.bench.report import seconds_of_steps, spread, table
from deputies_lake_tests.bench.verify import hashed, odd_columns

YEARS: Final = (2023, 2024)
YEAR: Final = YEARS[-1]


@dataclass(frozen=True, kw_only=True)
class Round:
    """What a refresh took: the lake, the seconds in each of its steps, and DuckDB."""

    lake: Usage
    steps: dict[str, float]
    duckdb: Usage


def refresh(directory: Path, rows: int, rounds: int, progress: Progress) -> Sequence[Round]:
    """`rounds` versions of a year of `rows` rows. Raises `CommandFailedError`, and `ValueError` for wrong figures."""
    landing, home = directory / "landing", directory / "lake"
    home.mkdir()
    write_chamber_files(landing, years=YEARS, rows_per_year=rows)
    measure(lake_command(home, landing, f"{YEARS[0]}...{YEAR}", selection="*"), directory / "first.log", progress)
    found = []
    for number in range(1, rounds + 1):
        restated = Restatement(added=100 * number, removed=10 * number, altered=50 * number)
        drawn = write_chamber_files(landing, years=[YEAR], rows_per_year=rows, restatement=restated).by_year[YEAR]
        log, tables = directory / f"lake_{number}.log", directory / f"duckdb_{number}"
        lake = measure(lake_command(home, landing, f"{YEAR}...{YEAR}", selection="*"), log, progress)
        peer = measure(
            [sys.executable, "-m", f"{__package__}.house_year", "--input", str(drawn.path), "--output", str(tables)],
            directory / f"duckdb_{number}.log",
            progress,
        )
        _require_equal(home, tables, drawn)
        found.append(Round(lake=lake, steps=dict(seconds_of_steps(log.read_text())), duckdb=peer))
    return found


def section(rows: int, rounds: Sequence[Round]) -> str:
    """The figures as markdown: medians (min to max)."""
    lines = [
        ["deputies_lake", spread([r.lake.wall_seconds for r in rounds]), spread([r.lake.cpu_seconds for r in rounds])],
        ["DuckDB", spread([r.duckdb.wall_seconds for r in rounds]), spread([r.duckdb.cpu_seconds for r in rounds])],
    ]
    steps = [[step, spread([r.steps[step] for r in rounds])] for step in rounds[0].steps]
    rest = [r.lake.wall_seconds - sum(r.steps.values()) for r in rounds]
    ratio = spread([r.lake.wall_seconds / r.duckdb.wall_seconds for r in rounds])
    text = (
        f"{rows:,} rows, versions in turns: {len(rounds)}, each a cold process. The lake archives, compares the file, "
        "replaces the year in every layer, builds the dimensions of all years, audits, commits and makes what people "
        f"open; DuckDB types the rows and makes the fact's. The lake takes {ratio} times as long."
    )
    return "\n\n".join(
        [
            "## A restated year of the House",
            text,
            table(["", "wall s", "CPU s"], lines),
            table(["step of the lake", "s"], [*steps, ["(outside the steps)", spread(rest)]]),
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
