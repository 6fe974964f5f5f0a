"""`deputies-lake repair`: a table whose metadata is lost made whole. How is in `lakehouse/local_home.py`."""

from pathlib import Path

import click

from deputies_lake.environments import Environment, load_settings
from deputies_lake.quota_years import FIRST_YEAR, current_year


@click.command()
@click.argument("table")
def repair(table: str) -> None:
    """Let TABLE (layer.name), whose metadata is lost, have its newest version that can be read.

    What was published after that must be materialized again; years that are made from the same are not computed anew.
    """
    from deputies_lake.lakehouse.local_home import LakeError, go_back
    from deputies_lake.tables import tables_of

    settings = load_settings()
    if settings.environment is not Environment.LOCAL:
        raise click.UsageError(
            f"only a local lake is repaired like this; of {settings.environment}, put the object back in its bucket"
        )
    contracts = {contract.identifier: contract for contract in tables_of()}
    if table not in contracts:
        raise click.UsageError(f"there is no table {table}; deputies-lake status names those that are damaged")
    try:
        had, has = go_back(Path(settings.warehouse), *table.split("."))
    except LakeError as error:
        raise click.ClickException(str(error)) from error
    if has == had:
        click.echo(f"The metadata of {table} is whole: nothing was changed")
        return
    click.echo(f"{table}: {has.removeprefix('file://')} is its version now" if has else f"{table} is empty now")
    years = f" --partition-range {FIRST_YEAR}...{current_year()}" if contracts[table].partitioned else ""
    click.echo("Next, have made again what was published after it:")
    click.echo(f"  dagster asset materialize -m deputies_lake.definitions --select {table.replace('.', '/')}{years}")
