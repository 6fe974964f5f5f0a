"""`deputies-lake maintain`, `relocate` and `repair`: tables cleaned up by hand, a moved or damaged lake made whole.

What is removed is decided in `maintenance.py`, what is rewritten in `resources/local_home.py`.
"""

from pathlib import Path

import click

from deputies_lake.aws import require_account
from deputies_lake.aws_commands import environment_option
from deputies_lake.environments import ENVIRONMENT, Environment, load_settings
from deputies_lake.quota_years import FIRST_YEAR, current_year


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@environment_option
def maintain(environment: str | None, *, dry_run: bool) -> None:
    """Forget the tables' versions that were replaced long ago, and delete the files that no version refers to.

    What is published stays as it is, and so does what runs in progress have written.
    """
    # Opening a lake loads Dagster and more, which takes seconds; other verbs need none.
    from deputies_lake.maintenance import clean
    from deputies_lake.resources.lake import LakeResource

    settings = load_settings(environment)
    try:
        if settings.aws:
            require_account(settings.aws)
        click.echo(f"{'kept':>8}{'expired':>9}{'files':>9}{'bytes':>16}  table")
        files = size = 0
        lake = LakeResource.of(settings).open()
        for table in clean(lake, settings, dry_run=dry_run):
            click.echo(f"{table.kept:>8,}{table.expired:>9,}{table.files:>9,}{table.size:>16,}  {table.table}")
            files, size = files + table.files, size + table.size
        damaged = lake.damaged()
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{files:,} files of {size:,} bytes {'would be' if dry_run else 'were'} removed.")
    if damaged:
        raise click.ClickException("; ".join(map(str, damaged)))


@click.command()
def relocate() -> None:
    """Make a copied or moved local lake one of its own: its tables name the files where they are now.

    The lake it was copied from is neither read nor changed.
    """
    settings = load_settings()
    if settings.environment is not Environment.LOCAL:
        raise click.UsageError(f"only a local lake can be moved; unset {ENVIRONMENT}, which is {settings.environment}")
    from deputies_lake.published import PublishedFiles
    from deputies_lake.resources.lake import LakeResource
    from deputies_lake.resources.local_home import relocate
    from deputies_lake.serving import duckdb_file, publications

    tables = relocate(Path(settings.warehouse))
    if not tables:
        click.echo(f"All tables of {settings.warehouse} are where they should be; nothing was changed")
        return
    click.echo(f"{len(tables)} tables now name their files in {settings.warehouse}")
    lake = LakeResource.of(settings).open()
    if lake.exists(publications.TABLE):
        # Its views name files, too.
        location, _ = duckdb_file.publish(lake, PublishedFiles.of(settings))
        click.echo(f"  {location} was made anew")


@click.command()
@click.argument("table")
def repair(table: str) -> None:
    """Let TABLE (layer.name), whose metadata is lost, have its newest version that can be read.

    What was published after that must be materialized again; years that are made from the same are not computed anew.
    """
    from deputies_lake.resources.local_home import LakeError, go_back
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
