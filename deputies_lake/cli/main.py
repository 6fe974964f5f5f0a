"""The command itself: its verbs, and how any of them says what went wrong."""

from typing import Any

import click

from deputies_lake.causes import told
from deputies_lake.cli.accept import accept
from deputies_lake.cli.cluster import cluster
from deputies_lake.cli.demo import demo
from deputies_lake.cli.deploy import deploy
from deputies_lake.cli.diff import diff
from deputies_lake.cli.export import export
from deputies_lake.cli.fetch import fetch
from deputies_lake.cli.history import history
from deputies_lake.cli.infra import infra
from deputies_lake.cli.maintain import maintain
from deputies_lake.cli.package import package
from deputies_lake.cli.prepare import prepare
from deputies_lake.cli.query import query
from deputies_lake.cli.relocate import relocate
from deputies_lake.cli.repair import repair
from deputies_lake.cli.rollback import rollback
from deputies_lake.cli.sample import sample
from deputies_lake.cli.status import status


class _Verbs(click.Group):
    """What a person can mend becomes a message without a traceback, whichever verb it was."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if sentence := told(error):
                raise click.ClickException(sentence) from error
            raise


@click.group(cls=_Verbs)
def main() -> None:
    """The expense receipts of Brazil's House of Deputies as a star schema."""


for verb in (
    accept,
    cluster,
    demo,
    deploy,
    diff,
    export,
    fetch,
    history,
    infra,
    maintain,
    package,
    prepare,
    query,
    relocate,
    repair,
    rollback,
    sample,
    status,
):
    main.add_command(verb)
