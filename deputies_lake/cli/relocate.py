"""`deputies-lake relocate`: a copied or moved lake made one of its own. How is in `lakehouse/local_home.py`."""

from pathlib import Path

import click

from deputies_lake.environments import ENVIRONMENT, Environment, load_settings


@click.command()
def relocate() -> None:
    """Make a copied or moved local lake one of its own: its tables name the files where they are now.

    The lake it was copied from is neither read nor changed.
    """
    settings = load_settings()
    if settings.environment is not Environment.LOCAL:
        raise click.UsageError(f"only a local lake can be moved; unset {ENVIRONMENT}, which is {settings.environment}")
    from deputies_lake.lakehouse.local_home import relocate

    tables = relocate(Path(settings.warehouse))
    if not tables:
        click.echo(f"All tables of {settings.warehouse} are where they should be; nothing was changed")
        return
    click.echo(f"{len(tables)} tables now name their files in {settings.warehouse}")
