"""`deputies-lake accept`: a file that was not believed may stand, for a reason. How is in `raw/intake.py`."""

from getpass import getuser
from typing import TYPE_CHECKING

import click

from deputies_lake.cli.history import figures, publish_command
from deputies_lake.cli.options import environment_option, opened
from deputies_lake.environments import load_settings
from deputies_lake.quota_years import FIRST_YEAR, current_year

if TYPE_CHECKING:
    from deputies_lake.raw.archive import Archive


@click.command()
@click.option("--year", type=int, help="Quota year, of a file of the House.")
@click.option(
    "--source", type=click.Choice(["kaggle_reimbursements", "kaggle_refunds"]), help="Instead of a year: Kaggle's file."
)
@click.option("--reason", required=True, help="Why the file is right although it is doubted; kept with it.")
@environment_option
def accept(environment: str | None, year: int | None, source: str | None, reason: str) -> None:
    """Have a file published that was not believed, by the next materialization."""
    from deputies_lake.raw import chamber_expenses, intake
    from deputies_lake.resources.files import FilesResource

    if (year is None) == (source is None):
        raise click.UsageError("say which file: --year of the House's, or --source of Kaggle's")
    with opened(environment) as lake:
        archive = FilesResource.of(load_settings(environment)).open_archive()
        try:
            if year is None:
                years = _accept_file(archive, str(source), reason)
            else:
                row = intake.accept(lake, archive, chamber_expenses.CSV, year=year, reason=reason, by=getuser())
                click.echo(f"Accepted {row['file_name']}, {row['sha256'][:12]}: {figures(row).strip()}")
                click.echo(f"  {row['faults']}")
                years = f"--partition {year}"
        except intake.NothingToAcceptError as error:
            raise click.ClickException(str(error)) from error
    click.echo("Publish it:")
    click.echo(f"  {publish_command(years)}")


def _accept_file(archive: "Archive", source: str, reason: str) -> str:
    """Gives the years for which what depends on the file is to be built again."""
    from deputies_lake.raw import kaggle_refunds, kaggle_reimbursements, single_file

    csv = next(csv for csv in (kaggle_reimbursements.CSV, kaggle_refunds.CSV) if csv.source_code == source)
    refusal = single_file.accept(archive, csv, reason=reason, by=getuser())
    click.echo(f"Accepted {refusal.file_name}, {refusal.sha256[:12]}")
    click.echo(f"  {refusal.problem}")
    return f"--partition-range {FIRST_YEAR}...{current_year()}"
