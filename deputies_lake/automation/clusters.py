"""The end of clusters that nobody uses, as a job and its schedule. When one is to end is decided in `emr/idle.py`."""

from datetime import UTC, datetime
from typing import Final

import dagster as dg

from deputies_lake.emr.clusters import Clusters
from deputies_lake.emr.idle import Verdict, end_idle, verdicts
from deputies_lake.environments import Environment, Settings, load_settings

_OP: Final = "end_idle_clusters"


class EndIdleClusters(dg.Config):
    """`dry_run`: only say what would be ended."""

    dry_run: bool = True


@dg.op(name=_OP, required_resource_keys={"settings"}, out=dg.Out(dg.Nothing))
def _end_idle_clusters(context: dg.OpExecutionContext, config: EndIdleClusters) -> None:
    """Ends clusters of this project and this environment that have been idle for long, or are idle and expired."""
    clusters = Clusters(load_settings(context.resources.settings.environment))
    judged = verdicts(clusters, datetime.now(UTC))
    ended = [] if config.dry_run else end_idle(clusters, judged)
    outcomes = {verdict.cluster.id: _outcome(verdict, ended, dry_run=config.dry_run) for verdict in judged}
    for verdict in judged:
        context.log.info(f"{verdict.cluster.id} {outcomes[verdict.cluster.id]}: {verdict.why}")
    records = [
        dg.TableRecord({"cluster": v.cluster.id, "outcome": outcomes[v.cluster.id], "why": v.why}) for v in judged
    ]
    columns = [dg.TableColumn(name) for name in ("cluster", "outcome", "why")]
    context.add_output_metadata(
        {
            "clusters": dg.MetadataValue.table(records, dg.TableSchema(columns=columns)),
            "ended": len(ended),
            "dry_run": config.dry_run,
        }
    )


def _outcome(verdict: Verdict, ended: list[str], *, dry_run: bool) -> str:
    if not verdict.ends:
        return "stays"
    if dry_run:
        return "would be ended"
    return "is ended" if verdict.cluster.id in ended else "stays, for it is in use again"


@dg.job(executor_def=dg.in_process_executor)
def terminate_idle_clusters() -> None:
    """End clusters that nobody uses: ours, of this environment, idle for long. Ends none unless `dry_run` is false."""
    _end_idle_clusters()


def cluster_definitions(settings: Settings) -> dg.Definitions:
    """The job and its hourly schedule, where there are clusters. Only prod's schedule ends any."""
    if settings.aws is None:
        return dg.Definitions()
    schedule = dg.ScheduleDefinition(
        job=terminate_idle_clusters,
        # Not on the hour, when everything else starts.
        cron_schedule="17 * * * *",
        run_config={"ops": {_OP: {"config": {"dry_run": settings.environment is not Environment.PROD}}}},
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(jobs=[terminate_idle_clusters], schedules=[schedule])
