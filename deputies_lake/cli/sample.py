"""`deputies-lake sample`: invented input, written where no real file lies. What is invented is in `sample/`."""

from pathlib import Path
from typing import Final

import click

from deputies_lake.raw.archive import LandingZone
from deputies_lake.sample.chamber import FEWEST_ROWS, write_chamber_files
from deputies_lake.sample.kaggle import write_kaggle_files

ROWS: Final = 100_000
# Kaggle's file ends with 2017.
_YEARS: Final = range(2018, 2021)


@click.command()
@click.option("--rows", default=ROWS, show_default=True, help="Rows of deputies_dataset.csv.")
@click.option("--seed", default=2017, show_default=True, help="Equal seeds give equal files.")
@click.option("--compress", is_flag=True, help="Write .csv.gz.")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def sample(rows: int, seed: int, directory: Path, *, compress: bool) -> None:
    """Write invented input to DIRECTORY, at any size: both of Kaggle's files, and the House's of the years after them.

    Each of the House's has a tenth of the rows. No other file is replaced but invented ones.
    """
    # Only here are tables needed, whose library is slow to load.
    from deputies_lake.raw.origin import origins

    if real := [
        name for name, is_invented in origins(LandingZone(str(directory.absolute()))).items() if not is_invented
    ]:
        raise click.UsageError(
            f"{directory} holds {', '.join(real)}, which this verb did not write: choose a folder without real files"
        )
    write_sample(directory, rows=rows, seed=seed, compress=compress)


def write_sample(directory: Path, *, rows: int, seed: int, compress: bool) -> None:
    """Write the invented files of both sources, and say what they hold."""
    with click.progressbar(length=rows, label=f"Writing {rows:,} invented rows to {directory}") as bar:
        written = write_kaggle_files(
            directory, rows=rows, seed=seed, compress=compress, progress=lambda done, _: bar.update(done - bar.pos)
        )
    click.echo(f"  {written.reimbursements.name}: {written.rows:,} rows, BRL {written.total:,}")
    rows_per_year = max(rows // 10, FEWEST_ROWS)
    house = write_chamber_files(directory, years=_YEARS, rows_per_year=rows_per_year, seed=seed, kaggle_rows=rows)
    for year in house.by_year.values():
        click.echo(f"  {year.path.name}: {year.total.rows:,} rows, net BRL {year.total.net:,}")
