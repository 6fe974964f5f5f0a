"""`deputies-lake prepare`: Java made ready for quick starts. How is in `java.py`."""

import click

from deputies_lake.java import ClassArchiveError, make_class_archive


@click.command()
def prepare() -> None:
    """Keep Java's loaded classes on disk, so that every run on this machine takes seconds less.

    Builds a small lake in a temporary directory to learn which they are. Again after an update of Java or Spark.
    """
    click.echo("Preparing Java for quick starts: Spark builds a small lake, which takes one to three minutes, once")
    try:
        archive = make_class_archive()
    except ClassArchiveError as error:
        raise click.ClickException(f"{error}\nWithout it all works as well, a few seconds slower.") from error
    size = sum(file.stat().st_size for file in archive.iterdir())
    click.echo(f"  {size / 2**20:,.0f} MiB of classes in {archive}")
