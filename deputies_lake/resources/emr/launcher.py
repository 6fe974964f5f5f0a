"""The EMR step launcher: dagster-aws's own for what crosses the wire, with another host side.

The stock launcher moves a step to one given cluster and replays its events. This one gets its cluster when a step
needs it, runs the deployed artifact with the environment's settings, tells attempts apart, cancels what nobody waits
for, outlives AWS's bad moments, and says why a step failed. Infrastructure that failed is retried by the asset's own
policy, as if its code had failed; a refusal is not.
"""

import json
import pickle
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Protocol

import dagster as dg
from dagster import DagsterEvent, DagsterEventType, EventLogEntry
from dagster._config.pythonic_config import ConfigurableResourceFactory
from dagster._core.errors import raise_execution_interrupts
from dagster._core.execution.context.system import StepExecutionContext
from dagster._core.execution.plan.external_step import PICKLED_STEP_RUN_REF_FILE_NAME, step_context_to_step_run_ref
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)
from dagster._utils.warnings import suppress_dagster_warnings
from dagster_aws.emr import EmrError
from dagster_aws.emr.pyspark_step_launcher import EMR_SPARK_HOME, EmrPySparkStepLauncher

import deputies_lake
from deputies_lake.aws import AwsError
from deputies_lake.emr import artifact, step_main
from deputies_lake.emr.artifact import Artifact
from deputies_lake.emr.clusters import ClusterError, Clusters
from deputies_lake.environments import AwsSettings, Settings, load_settings
from deputies_lake.resources.emr.attempt import MAIN, Attempt
from deputies_lake.resources.emr.patience import Patience
from deputies_lake.resources.emr.provenance import as_of_host, remember_inputs
from deputies_lake.resources.emr.steps import COMPLETED, EmrStep, StepStatus, submit

_RUNS: Final = "runs"
_NAMED_ASSETS: Final = 2
# EMR allows 256 for all.
_ASSETS_LENGTH: Final = 100

_OUTCOMES: Final = {
    DagsterEventType.STEP_SUCCESS,
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.STEP_UP_FOR_RETRY,
}

Outcome = tuple[StepStatus, EventLogEntry | None]
"""How EMR says that a step ended, and how the step itself did, if it came to that."""


class ClusterProvider(Protocol):
    """Finds or starts the cluster that runs an artifact, and says its id. Raises `AwsError`."""

    def provide(self, artifact: Artifact, /) -> str: ...


class EmrStepLauncher(EmrPySparkStepLauncher):
    """Runs steps on the cluster of an environment. Making one calls nothing: it is made on the cluster, too."""

    @suppress_dagster_warnings  # that step launchers are superseded, at every start of a run
    def __init__(self, settings: Settings, *, clusters: ClusterProvider, deployed: Callable[[], Artifact]) -> None:
        """`deployed` returns the artifact of this host, or raises `AwsError` where it was not deployed."""
        aws = _aws(settings)
        super().__init__(  # type: ignore[no-untyped-call]
            region_name=aws.region,
            staging_bucket=aws.artifacts_bucket,
            staging_prefix=_RUNS,
            wait_for_logs=False,
            action_on_failure="CONTINUE",
            # Known when a step needs it.
            cluster_id="",
            spark_config=dict(settings.spark),
            # A definitions file that was given by its path is found on the cluster by its module's name.
            local_job_package_path=str(Path(deputies_lake.__file__).parents[1]),
            deploy_local_job_package=False,
        )
        self._settings, self._aws, self._clusters, self._deployed = settings, aws, clusters, deployed

    def launch_step(self, step_context: StepExecutionContext) -> Iterator[DagsterEvent]:
        """Run the step on EMR and pass on its events.

        Raises `dg.RetryRequested` for infrastructure that failed if the asset's policy allows it, `EmrError` or
        `ClusterError` if not, and `dg.Failure` for what another attempt would not mend.
        """
        try:
            yield from self._launch(step_context)
        except (EmrError, ClusterError) as error:
            policy, retries = step_context.op_retry_policy, step_context.previous_attempt_count
            if policy is None or step_context.retry_mode.disabled or retries >= policy.max_retries:
                raise
            raise dg.RetryRequested(policy.max_retries, policy.calculate_delay(retries + 1)) from error
        except AwsError as error:
            raise dg.Failure(str(error), allow_retries=False) from error

    def _launch(self, context: StepExecutionContext) -> Iterator[DagsterEvent]:
        aws = self._aws
        remedy = f"`deputies-lake infra up --env {aws.environment}` gives the role {aws.dagster_role} what it needs."
        patience = Patience(aws.patience_seconds, context.log, remedy=remedy)
        remember_inputs(context)
        place = [_RUNS, context.run_id, self._sanitize_step_key(context.step.key), _attempt(context)]
        attempt = Attempt(aws=aws, prefix="/".join(place))
        with raise_execution_interrupts():
            own = patience.call("looking for the artifact", self._deployed)
            cluster_id = patience.call("looking for a cluster", partial(self._clusters.provide, own))
            patience.call("sending the step", partial(attempt.send, self._files(context, own)))
        # Not interruptible: a step would be left behind whose id nobody got.
        step = submit(
            aws,
            patience,
            context.log,
            cluster_id=cluster_id,
            name=_name(context),
            command=self._command(own, attempt),
        )
        try:
            context.log.info(f"{step} was submitted and speaks in s3://{self.staging_bucket}/{attempt.prefix}")
            status, outcome = yield from self._follow(context, attempt, step)
        except BaseException:
            step.cancel()
            raise
        if outcome is None:
            raise _without_outcome(step, status, patience.call("reading the driver's report", attempt.report))
        if outcome.dagster_event_type is DagsterEventType.STEP_SUCCESS and status.state != COMPLETED:
            context.log.warning(f"{step} had published everything when it ended: {status}")
        yield from _arrived(context, outcome)

    def _files(self, context: StepExecutionContext, own: Artifact) -> dict[str, bytes]:
        """What the driver needs besides the artifact."""
        reference = step_context_to_step_run_ref(context, self.local_job_package_path)
        hours = self._aws.cluster.step_hours
        expected = step_main.expectations(own.code_id, own.environment_id, self._settings.variables, hours)
        return {
            MAIN: files(deputies_lake.emr).joinpath(MAIN).read_bytes(),
            step_main.EXPECTATIONS: json.dumps(expected).encode(),
            PICKLED_STEP_RUN_REF_FILE_NAME: pickle.dumps(reference),
        }

    def _command(self, own: Artifact, attempt: Attempt) -> list[str]:
        # A driver inherits nothing from the host. boto3 learns the region by a name that is no setting of ours.
        variables = {"AWS_DEFAULT_REGION": self._aws.region, **self._settings.variables}
        python = {"spark.pyspark.driver.python": own.python, "spark.pyspark.python": own.python}
        spark = {**self.spark_config, **python}
        return [
            "env",
            *(f"{name}={value}" for name, value in variables.items()),
            f"{EMR_SPARK_HOME}bin/spark-submit",
            *("--master", "yarn", "--deploy-mode", "client"),
            *(argument for name, value in spark.items() for argument in ("--conf", f"{name}={value}")),
            *("--py-files", own.code_uri(self.staging_bucket)),
            *attempt.arguments,
        ]

    def _follow(
        self, context: StepExecutionContext, attempt: Attempt, step: EmrStep
    ) -> Generator[DagsterEvent, None, Outcome]:
        """Pass on events until EMR says that the step ended.

        How it went for Dagster is kept to the last: what comes next must not start beside a driver that still runs.
        """
        outcome = None
        while True:
            with raise_execution_interrupts():
                time.sleep(self._aws.poll_seconds)
                status = step.status()
                entries = step.patience.call(f"reading the events of {step}", attempt.new_events)
            for entry in entries:
                if entry.is_dagster_event and entry.dagster_event_type in _OUTCOMES:
                    outcome = entry
                else:
                    yield from _arrived(context, entry)
            if status.ended:
                return status, outcome


class EmrStepLauncherResource(ConfigurableResourceFactory[EmrStepLauncher]):
    """The launcher of an environment, as the UI shows it. `variables` name the environment and give its settings."""

    variables: dict[str, str]
    region: str
    buckets: str
    poll_seconds: float
    patience_seconds: float
    spark: dict[str, str]

    @classmethod
    def of(cls, settings: Settings) -> "EmrStepLauncherResource":
        aws = _aws(settings)
        return cls(
            variables=dict(settings.variables),
            region=aws.region,
            buckets=aws.buckets,
            poll_seconds=aws.poll_seconds,
            patience_seconds=aws.patience_seconds,
            spark=dict(settings.spark),
        )

    def create_resource(self, context: dg.InitResourceContext) -> EmrStepLauncher:  # noqa: ARG002
        """Calls nothing."""
        settings = load_settings(variables=self.variables)
        aws = replace(
            _aws(settings),
            region=self.region,
            buckets=self.buckets,
            poll_seconds=self.poll_seconds,
            patience_seconds=self.patience_seconds,
        )
        settings = replace(settings, aws=aws, spark=self.spark)
        return EmrStepLauncher(settings, clusters=Clusters(settings), deployed=partial(_deployed, aws))


def _aws(settings: Settings) -> AwsSettings:
    if settings.aws is None:
        raise ValueError(f"the environment {settings.environment} has no clusters")
    return settings.aws


def _deployed(aws: AwsSettings) -> Artifact:
    own = artifact.current()
    artifact.require_deployed(aws, own)
    return own


def _arrived(context: StepExecutionContext, entry: EventLogEntry) -> Iterator[DagsterEvent]:
    entry = as_of_host(context, entry)
    context.instance.handle_new_event(entry)
    if entry.dagster_event:
        yield entry.dagster_event


def _without_outcome(step: EmrStep, status: StepStatus, report: Mapping[str, Any]) -> Exception:
    """Why no attempt was made at the step, or none that lived to tell."""
    if refusals := report.get("refusals"):
        return dg.Failure("\n".join([f"{step} was refused by its driver:", *refusals]), allow_retries=False)
    crash = report.get("crash")
    words = f"The driver crashed:\n{crash}" if crash else step.last_words()
    return EmrError(f"{step} gave no result and is {status}\n{words}")


def _attempt(context: StepExecutionContext) -> str:
    return f"attempt_{context.previous_attempt_count + 1}"


def _name(context: StepExecutionContext) -> str:
    """What EMR's console shows: assets, partitions, and what makes it unique."""
    keys = sorted(key.to_user_string() for key in context.get_output_asset_keys())
    more = [f"{len(keys) - _NAMED_ASSETS} more"] if len(keys) > _NAMED_ASSETS else []
    assets = ", ".join([*keys[:_NAMED_ASSETS], *more])[:_ASSETS_LENGTH]
    tags = context.dagster_run.tags
    ends = [tags[tag] for tag in (ASSET_PARTITION_RANGE_START_TAG, ASSET_PARTITION_RANGE_END_TAG) if tag in tags]
    partitions = tags.get(PARTITION_NAME_TAG) or "...".join(dict.fromkeys(ends))
    identity = f"{context.step.key} {_attempt(context)} run {context.run_id}"
    return " | ".join(filter(None, (f"{assets} {partitions}".strip(), identity)))
