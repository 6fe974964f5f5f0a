"""`deputies-lake maintain` and `relocate`: tables cleaned up by hand, and a copied or moved lake made whole.

What is removed is decided in `maintenance.py`, what is rewritten in `resources/local_home.py`.
"""

from pathlib import Path

import click

from deputies_lake.aws import require_account
from deputies_lake.aws_commands import environment_option
from deputies_lake.environments import ENVIRONMENT, Environment, load_settings


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
        for table in clean(LakeResource.of(settings).open(), settings, dry_run=dry_run):
            click.echo(f"{table.kept:>8,}{table.expired:>9,}{table.files:>9,}{table.size:>16,}  {table.table}")
            files, size = files + table.files, size + table.size
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{files:,} files of {size:,} bytes {'would be' if dry_run else 'were'} removed.")


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
