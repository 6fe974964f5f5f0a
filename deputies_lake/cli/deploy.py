"""`deputies-lake deploy`: what clusters run, uploaded. How is in `emr/packaging.py`."""

from pathlib import Path

import click

from deputies_lake.aws import require_account
from deputies_lake.cli.options import environment_option, in_aws, to_option
from deputies_lake.cli.package import build_into
from deputies_lake.emr.artifact import current, missing_parts
from deputies_lake.emr.packaging import deploy as upload
from deputies_lake.emr.packaging import to_deploy


@click.command()
@environment_option
@to_option
def deploy(environment: str | None, folder: Path) -> None:
    """Upload what clusters run, as far as it is not there yet; build it first if need be."""
    with in_aws(environment) as (_, aws):
        require_account(aws)
        artifact = current()
        if not missing_parts(aws, artifact):
            click.echo("All there already; nothing was sent")
            return
        built = build_into(folder, artifact)
        with click.progressbar(length=to_deploy(built), label=f"Uploading to s3://{aws.artifacts_bucket}") as bar:
            sent = upload(aws, built, lambda _: bar.update(1))
        click.echo(f"  {len(sent)} files sent")
