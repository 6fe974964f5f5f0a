"""`deputies-lake cluster`: what runs in an environment, started and ended by hand.

What happens is in `clusters.py`; here are arguments, and what a person reads.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click

from deputies_lake.aws import require_account
from deputies_lake.cli.options import environment_option, in_aws
from deputies_lake.emr.artifact import current, require_deployed
from deputies_lake.emr.clusters import Cluster, Clusters
from deputies_lake.quota_years import clock

_HEADER = ("cluster", "state", "age", "idle since", "running", "pending", "units", "expiry", "reason")


@click.group()
def cluster() -> None:
    """The EMR clusters of an environment. Runs start them by themselves; they end when they are idle."""


@cluster.command()
@environment_option
@click.option("--all", "ended", is_flag=True, help="Also those that ended in the past week.")
def status(environment: str | None, *, ended: bool) -> None:
    """Show the clusters, and what they do. Times are Brasília's; units are vCPUs besides the primary machine's."""
    with in_aws(environment) as (settings, _):
        clusters = Clusters(settings)
        if rows := [_row(clusters, found, datetime.now(UTC)) for found in clusters.present(ended=ended)]:
            _table([_HEADER, *rows])
        else:
            click.echo(f"No cluster of {settings.environment} is running.")


@cluster.command()
@environment_option
def start(environment: str | None) -> None:
    """Start a cluster for this version, unless one is there, and wait until it runs steps."""
    with in_aws(environment) as (settings, aws):
        require_account(aws)
        artifact = current()
        require_deployed(aws, artifact)
        clusters = Clusters(settings, click.echo)
        found = clusters.wait_until_ready(clusters.provide(artifact))
        minutes = aws.cluster.idle_minutes
        click.echo(f"Done. It ends after {minutes} min without work, and expires at {_at(found.expiry)} in Brasília.")


@cluster.command()
@environment_option
@click.option("--yes", is_flag=True, help="Do not ask before steps are ended that run or wait.")
@click.argument("cluster_id", required=False)
def stop(environment: str | None, cluster_id: str | None, *, yes: bool) -> None:
    """End CLUSTER_ID, or all clusters of the environment, and wait until they are gone."""
    with in_aws(environment) as (settings, aws):
        require_account(aws)
        clusters = Clusters(settings, click.echo)
        found = [clusters.get(cluster_id)] if cluster_id else clusters.present()
        if not found:
            click.echo(f"No cluster of {settings.environment} is running.")
            return
        if not yes:
            _ask(clusters, found)
        for ended in clusters.end([one.id for one in found]):
            clusters.wait_until_ended(ended)
        click.echo("Done.")


def _ask(clusters: Clusters, found: Sequence[Cluster]) -> None:
    steps = {one.id: clusters.activity(one) for one in found}
    busy = {name: activity for name, activity in steps.items() if activity.active}
    for name, activity in busy.items():
        click.secho(f"{name}: {activity.running} steps run, {activity.pending} wait", fg="red", bold=True)
    if busy:
        click.confirm("These steps will be cancelled. Go on?", abort=True)


def _row(clusters: Clusters, found: Cluster, now: datetime) -> tuple[str, ...]:
    activity, units = clusters.activity(found), "-"
    if not found.has_ended:
        capacity = clusters.capacity(found)
        units = f"{capacity.on_demand} + {capacity.spot} spot"
    return (
        found.id,
        found.state,
        _duration((found.ended or now) - found.created),
        _at(activity.idle_since),
        str(activity.running),
        str(activity.pending),
        units,
        _at(found.expiry),
        found.reason,
    )


def _table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _at(moment: datetime | None) -> str:
    return clock(moment) if moment else "-"


def _duration(duration: timedelta) -> str:
    hours, minutes = divmod(duration // timedelta(minutes=1), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
