"""`deputies-lake package`: what clusters run, built in a folder. How is in `emr/packaging.py`."""

from pathlib import Path

import click

from deputies_lake.cli.options import to_option
from deputies_lake.emr.artifact import Artifact, ArtifactError, current
from deputies_lake.emr.packaging import Built, build


@click.command()
@to_option
def package(folder: Path) -> None:
    """Build what clusters run: this code as a zip, and the wheels of its Python environment. Once per version."""
    try:
        build_into(folder, current())
    except ArtifactError as error:
        raise click.ClickException(str(error)) from error


def build_into(folder: Path, artifact: Artifact) -> Built:
    """Build the artifact of this code, and say of each part whether it is new."""
    built = build(artifact, folder, click.echo)
    for part, identity in (("code", built.artifact.code_id), ("environment", built.artifact.environment_id)):
        click.echo(f"  {part:<12} {identity}  {'new' if part in built.new else 'was there already'}")
    size = sum(file.stat().st_size for file in (*built.of_code(), *built.of_environment()))
    click.echo(f"  {size / 2**20:,.0f} MiB in {folder}")
    return built
