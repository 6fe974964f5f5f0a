"""`deputies-lake maintain`: tables cleaned up by hand. What is removed is decided in `maintenance.py`."""

import click

from deputies_lake.aws import require_account
from deputies_lake.cli.options import environment_option
from deputies_lake.environments import load_settings


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
