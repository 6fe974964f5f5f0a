"""`deputies-lake infra`: what must exist in AWS, planned, made and taken down.

What happens is in `stack.py`; here are arguments, and what a person reads.
"""

from collections import Counter

import click

from deputies_lake.aws import require_account
from deputies_lake.cli.options import environment_option, in_aws
from deputies_lake.environments import AwsSettings
from deputies_lake.infrastructure.readers import put_questions, redshift_schemas
from deputies_lake.infrastructure.stack import Change, Stack


@click.group()
def infra() -> None:
    """What must exist in AWS before the first run."""


@infra.command()
@environment_option
def plan(environment: str | None) -> None:
    """Show what `up` would do. Changes nothing."""
    with in_aws(environment) as (settings, aws):
        changes = Stack(settings).plan()
        _place(aws)
        for change in sorted(
            changes, key=lambda change: (not change.loses_data, change.action, change.type, change.name)
        ):
            _show(change)
        counts = Counter(change.action for change in changes)
        summary = ", ".join(f"{count} to {action}" for action, count in counts.items())
        click.echo(f"{summary or 'Nothing to change'}. Nothing was changed.")


@infra.command()
@environment_option
def up(environment: str | None) -> None:
    """Make what is missing and change what differs. A second time there is nothing to do."""
    with in_aws(environment) as (settings, aws):
        stack = Stack(settings, click.echo)
        changed = stack.up()
        _place(aws)
        for name, value in stack.outputs().items():
            click.echo(f"  {name:<24} {value}")
        click.echo("Done." if changed else "Nothing to change.")


@infra.command()
@environment_option
def readers(environment: str | None) -> None:
    """Have the ready-made questions in Athena, and say what opens the lake in Redshift."""
    # No other verb needs them.
    from deputies_lake.serving.questions import QUESTIONS

    with in_aws(environment) as (_, aws):
        done = Counter(put_questions(aws, QUESTIONS).values())
        _place(aws)
        counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(done.items()))
        click.echo(f"Saved queries of the workgroup {aws.stack}: {counts}")
        click.echo("In Redshift, once the reader role is attached to it:\n")
        click.echo(redshift_schemas(aws, require_account(aws)))


@infra.command()
@environment_option
@click.option("--delete-data", is_flag=True, help="Delete the data, too: all buckets, tables, the secret. For good.")
@click.option("--yes", is_flag=True, help="Do not ask before data are deleted.")
def down(environment: str | None, *, delete_data: bool, yes: bool) -> None:
    """Remove what can act: roles, keys, the workgroup. Data stay where they are, until told otherwise."""
    with in_aws(environment) as (settings, aws):
        stack = Stack(settings, click.echo)
        if delete_data:
            if not yes:
                _ask(aws)
            changed = stack.delete_data()
            outcome = "Done. Nothing is left; AWS itself deletes the key of the disks in a week, at no cost."
        else:
            changed = stack.down()
            outcome = "Done. Buckets, tables and the secret are where they were."
        click.echo(outcome if changed else "Nothing to remove.")


def _ask(aws: AwsSettings) -> None:
    _place(aws)
    click.secho(
        "All buckets, all tables and the secret will be deleted. Nothing brings them back.", fg="red", bold=True
    )
    if click.prompt(f"To go on, type {aws.environment}") != aws.environment:
        raise click.Abort


def _place(aws: AwsSettings) -> None:
    click.secho(f"account {aws.account}, region {aws.region}, stack {aws.stack}", bold=True)


def _show(change: Change) -> None:
    line = f"  {change.action:<12} {change.type:<32} {change.name}"
    if change.loses_data:
        click.secho(f"{line}  <- holds data: `up` will refuse", fg="red", bold=True)
    else:
        click.echo(line)
