"""The benchmark's input: generated files, kept below the system's temporary directory, and what they must add up to."""

import json
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import click

from deputies_lake.sample.kaggle import REIMBURSEMENTS_NAME, write_kaggle_files
from deputies_lake_tests.bench.verify import Figures


@dataclass(frozen=True)
class Input:
    csv: Path
    figures: Figures


def cache() -> Path:
    """May be deleted at any time."""
    return Path(tempfile.gettempdir()) / "deputies_lake_bench"


def of_size(rows: int) -> Input:
    """A file of `rows` rows, made unless it is there already, and read once so that it is in the page cache."""
    folder = cache() / f"{rows}_rows"
    truth = folder / "figures.json"
    if not truth.exists():
        click.echo(f"making a file of {rows:,} rows in {folder}", err=True)
        sample = write_kaggle_files(folder, rows=rows, refunds=False)
        figures = [(year, count, sample.total_by_year[year]) for year, count in sample.rows_by_year.items()]
        truth.write_text(json.dumps(figures))
    csv = folder / REIMBURSEMENTS_NAME
    with csv.open("rb") as file:
        while file.read(1 << 24):
            pass
    return Input(csv, {year: (count, Decimal(total)) for year, count, total in json.loads(truth.read_text())})
