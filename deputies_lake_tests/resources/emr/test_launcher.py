"""Steps of a small code location, run through the launcher against a cluster of threads.

Where a test is about what the stock launcher gets wrong, it fails with the stock launcher.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import dagster as dg
import pytest
from botocore.exceptions import ReadTimeoutError
from dagster_aws.emr.pyspark_step_launcher import EmrPySparkStepLauncher

from deputies_lake.emr.artifact import Artifact, ArtifactError
from deputies_lake.emr.clusters import ClusterError
from deputies_lake.environments import Settings
from deputies_lake.resources.emr import step_launcher
from deputies_lake.resources.emr.launcher import EmrStepLauncher, EmrStepLauncherResource
from deputies_lake_tests.resources.emr import assets
from deputies_lake_tests.resources.emr.cluster import (
    NOTHING,
    Cluster,
    Event,
    client_error,
    dies,
    hangs,
    lacks_a_module,
    lost_its_environment,
    running,
    runs,
    runs_and_dies,
    runs_and_hangs,
    runs_and_lingers,
)
from deputies_lake_tests.resources.emr.conftest import Ran, Run, run_job

Type = dg.DagsterEventType

PARTITION = "dagster/partition"
RANGE = {"dagster/asset_partition_range_start": "2015", "dagster/asset_partition_range_end": "2017"}


@pytest.fixture(scope="module")
def source(settings: Settings, own: Artifact, endpoint: str) -> Iterator[tuple[Ran, Cluster]]:
    """A step that went well, for those who only look."""
    assert settings.aws
    with dg.DagsterInstance.ephemeral() as instance:
        with running(settings.aws, own, endpoint) as cluster:
            assets.use(EmrStepLauncher(settings, clusters=cluster, deployed=lambda: own))
            ran = run_job(instance, "source")
            assets.use(None)
        yield ran, cluster


Source = tuple[Ran, Cluster]


# what is submitted


def test_a_step_is_moved_to_the_cluster_and_its_events_arrive(source: Source) -> None:
    ran, cluster = source
    assert (ran.success, len(cluster.steps)) == (True, 1)
    assert ran.types("source")[-6:] == [
        "ASSET_CHECK_EVALUATION",
        "STEP_OUTPUT",
        "ASSET_MATERIALIZATION",
        "STEP_OUTPUT",
        "ASSET_CHECK_EVALUATION",
        "STEP_SUCCESS",
    ]


def test_log_messages_of_the_driver_arrive_once(source: Source) -> None:
    ran, _ = source
    assert ran.messages.count("hello from the driver") == 1


def test_metadata_and_check_results_arrive(source: Source) -> None:
    ran, _ = source
    (made,) = ran.events(Type.ASSET_MATERIALIZATION)
    _, checked = ran.events(Type.ASSET_CHECK_EVALUATION)
    assert made.step_materialization_data.materialization.metadata["rows"].value == 3
    assert checked.asset_check_evaluation_data.metadata["bad"].value == 0


def test_the_environment_comes_before_spark_submit(source: Source, settings: Settings) -> None:
    _, cluster = source
    before = cluster.command[: cluster.command.index("/usr/lib/spark/bin/spark-submit")]
    assert before[0] == "env"
    assert {"AWS_DEFAULT_REGION=us-east-1", *(f"{k}={v}" for k, v in settings.variables.items())} == set(before[1:])


def test_spark_gets_the_environments_settings_and_the_artifacts_python(
    source: Source, settings: Settings, own: Artifact
) -> None:
    _, cluster = source
    after = zip(cluster.command, cluster.command[1:], strict=False)
    given = dict(value.split("=", 1) for argument, value in after if argument == "--conf")
    python = {"spark.pyspark.driver.python": own.python, "spark.pyspark.python": own.python}
    assert given == {**settings.spark, **python}


def test_the_code_is_the_deployed_artifact(source: Source, own: Artifact) -> None:
    _, cluster = source
    assert cluster.command[cluster.command.index("--py-files") + 1] == own.code_uri(cluster.aws.artifacts_bucket)
    assert cluster.provided == [own]


def test_a_failed_step_leaves_the_others_of_the_cluster_alone(source: Source) -> None:
    _, cluster = source
    assert cluster.step.action_on_failure == "CONTINUE"


def test_the_run_says_where_the_step_is(source: Source) -> None:
    ran, cluster = source
    place = f"s3://{cluster.aws.artifacts_bucket}/runs/{ran.result.run_id}/source/attempt_1"
    assert f"EMR step {cluster.step.id} on cluster {cluster.id} was submitted and speaks in {place}" in ran.messages


@pytest.mark.parametrize(
    ("assets", "tags", "shown"),
    [
        (["source"], {}, "source | source "),
        (["by_year"], {PARTITION: "2016"}, "by_year 2016 | by_year "),
        (["by_year"], RANGE, "by_year 2015...2017 | by_year "),
        (["left", "right"], {}, "left, right | pair "),
    ],
)
def test_emrs_console_shows_assets_partitions_attempt_and_run(
    run: Run, cluster: Cluster, assets: list[str], tags: dict[str, str], shown: str
) -> None:
    ran = run(*assets, tags=tags)
    assert cluster.step.name == f"{shown}attempt_1 run {ran.result.run_id}"


def test_aws_is_asked_as_often_as_the_settings_say(
    run: Run, cluster: Cluster, settings: Settings, own: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps, sleep = set[float](), time.sleep

    def nap(seconds: float) -> None:
        naps.add(seconds)
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", nap)
    eager = replace(settings, aws=replace(cluster.aws, poll_seconds=0.0625))
    assets.use(EmrStepLauncher(eager, clusters=cluster, deployed=lambda: own))
    run("source")
    assert 0.0625 in naps


# before anything is submitted


def test_without_a_deployed_artifact_nothing_is_started(run: Run, cluster: Cluster, settings: Settings) -> None:
    def deployed() -> Artifact:
        raise ArtifactError("it is not there. Run `deputies-lake deploy --env staging`")

    assets.use(EmrStepLauncher(settings, clusters=cluster, deployed=deployed))
    ran = run("steady")
    assert "Run `deputies-lake deploy --env staging`" in ran.failure
    assert (cluster.provided, cluster.steps, ran.events(Type.STEP_UP_FOR_RETRY)) == ([], [], [])


def test_a_cluster_that_can_not_be_had_is_tried_again_by_the_assets_policy(run: Run, cluster: Cluster) -> None:
    cluster.on_provide = [Event(ClusterError("no capacity"))]
    ran = run("steady")
    (retry,) = ran.events(Type.STEP_UP_FOR_RETRY)
    assert ran.success
    assert "no capacity" in retry.step_retry_data.error.cause.message


# failures and retries


def test_a_failure_of_the_assets_own_arrives_with_what_it_says(run: Run) -> None:
    ran = run("fails")
    (failed,) = ran.events(Type.STEP_FAILURE)
    assert failed.step_failure_data.user_failure_data.metadata["line"].value == 7


def test_an_attempt_sees_nothing_of_the_one_before(run: Run) -> None:
    ran = run("unlucky")
    assert ran.success
    assert [message for message in ran.messages if message.startswith("attempt ")] == ["attempt 0", "attempt 1"]


def test_a_retry_that_the_asset_itself_asked_for_is_counted_on_both_sides(run: Run, cluster: Cluster) -> None:
    ran = run("overtaken")
    assert (ran.success, len(cluster.steps)) == (True, 3)
    assert ran.types("overtaken").count("STEP_UP_FOR_RETRY") == 2


def test_a_run_without_retries_has_none_on_the_cluster_either(run: Run, cluster: Cluster) -> None:
    ran = run("overtaken", retries=False)
    assert (ran.success, len(cluster.steps)) == (False, 1)


def test_a_driver_that_was_killed_is_replaced_by_the_assets_policy(run: Run, cluster: Cluster) -> None:
    cluster.drivers = [dies, runs]
    ran = run("steady")
    assert (ran.success, len(cluster.steps)) == (True, 2)


def test_the_assets_policy_ends(run: Run, cluster: Cluster) -> None:
    cluster.drivers = [dies]
    ran = run("steady")
    assert (ran.success, len(cluster.steps)) == (False, assets.RETRIES + 1)
    assert ran.failure.startswith("dagster_aws.emr.emr.EmrError: EMR step s-")


def test_without_a_policy_a_killed_driver_fails_the_step(run: Run, cluster: Cluster) -> None:
    cluster.drivers = [dies]
    ran = run("source")
    assert (ran.success, len(cluster.steps)) == (False, 1)


def test_what_a_driver_said_before_it_was_killed_is_kept(run: Run, cluster: Cluster) -> None:
    cluster.drivers = [runs_and_dies]
    assert "hello from the driver" in run("source").messages


def test_a_success_stays_one_when_the_driver_dies_on_its_way_out(run: Run, cluster: Cluster) -> None:
    cluster.drivers = [runs_and_dies]
    ran = run("source")
    assert (ran.success, ran.types("source").count("STEP_SUCCESS")) == (True, 1)
    assert any("had published everything when it ended: FAILED" in message for message in ran.messages)


def test_success_is_told_when_the_driver_has_gone(run: Run, cluster: Cluster) -> None:
    cluster.drivers = [runs_and_lingers]
    texts = run("source").messages
    ended = next(i for i, text in enumerate(texts) if text.endswith("is COMPLETED."))
    success = next(i for i, text in enumerate(texts) if text.startswith("Finished execution of step"))
    assert ended < success


def test_a_step_cancelled_by_somebody_else_is_retried(run: Run, cluster: Cluster) -> None:
    cluster.drivers = [hangs, runs]
    cluster.events["DescribeStep"] = [Event(lambda: cluster.cancel(cluster.step))]
    ran = run("steady")
    (retry,) = ran.events(Type.STEP_UP_FOR_RETRY)
    assert ran.success
    assert "is CANCELLED. Reason: Message=Job terminated." in retry.step_retry_data.error.cause.message


def test_a_cluster_that_goes_without_ending_its_steps_is_not_waited_for(run: Run, cluster: Cluster) -> None:
    cluster.drivers = [hangs]
    cluster.events["DescribeStep"] = [Event(cluster.go_without_ending_steps)]
    ran = run("source")
    assert "gave no result and is LOST." in ran.failure
    assert "The cluster is TERMINATED_WITH_ERRORS. Reason: Message=Spot instances were taken back." in ran.failure


# diagnosis


def test_a_failure_names_step_cluster_reason_and_details(run: Run, cluster: Cluster) -> None:
    cluster.drivers = [dies]
    failure = run("source").failure
    assert f"EMR step {cluster.step.id} on cluster {cluster.id} gave no result and is FAILED" in failure
    assert "Failure: Reason=Unknown Error., LogFile=s3://logs/stderr.gz." in failure


def test_a_failure_says_where_emr_will_put_the_logs(run: Run, cluster: Cluster) -> None:
    cluster.drivers = [dies]
    failure = run("source").failure
    step = cluster.step.id
    place = f"s3://{cluster.aws.logs_bucket}/emr/{cluster.id}/steps/{step}/stderr.gz"
    assert f"Its stderr will be in {place} in a few minutes." in failure


def test_a_crash_of_the_driver_arrives_without_waiting_for_emrs_logs(run: Run, cluster: Cluster) -> None:
    cluster.drivers = [lacks_a_module]
    failure = run("source").failure
    assert "The driver crashed:" in failure
    assert "ModuleNotFoundError: No module named 'duckdb'" in failure


def test_a_driver_with_other_settings_refuses_the_step_before_it_reads_it(run: Run, cluster: Cluster) -> None:
    cluster.drivers = [lost_its_environment]
    ran = run("steady")
    assert "was refused by its driver:\n" in ran.failure
    assert "DEPUTIES_LAKE_ENVIRONMENT is local on the cluster, staging on the host." in ran.failure
    assert not any(key.endswith("events.pkl") for key in cluster.keys)


def test_a_refusal_is_not_retried(run: Run, cluster: Cluster) -> None:
    cluster.drivers = [lost_its_environment]
    ran = run("steady")
    assert (ran.success, len(cluster.steps)) == (False, 1)


# AWS's bad moments


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ("PutObject", client_error("SlowDown", 503)),
        ("AddJobFlowSteps", client_error("ThrottlingException")),
        ("AddJobFlowSteps", ReadTimeoutError(endpoint_url="https://elasticmapreduce")),
        ("DescribeStep", client_error("ExpiredTokenException")),
        ("GetObject", client_error("InternalError", 500)),
    ],
    ids=str,
)
def test_what_passes_is_waited_out(run: Run, cluster: Cluster, operation: str, error: Exception) -> None:
    cluster.events[operation] = [Event(error), Event(error)]
    ran = run("source")
    assert (ran.success, len(cluster.steps)) == (True, 1)
    assert sum("Trying again in" in message for message in ran.messages) == 2


@pytest.mark.parametrize("operation", ["DescribeStep", "GetObject"])
def test_what_does_not_pass_fails_at_once_and_leaves_no_step(run: Run, cluster: Cluster, operation: str) -> None:
    cluster.drivers = [hangs]
    cluster.events[operation] = [Event(client_error("AccessDeniedException", operation=operation))]
    ran = run("steady")
    assert "AccessDeniedException" in ran.failure
    assert "`deputies-lake infra up --env staging` gives the role deputies-lake-staging-dagster" in ran.failure
    assert (len(cluster.steps), cluster.cancellations) == (1, ["SEND_INTERRUPT"])


def test_patience_ends_and_leaves_no_step(run: Run, cluster: Cluster, settings: Settings, own: Artifact) -> None:
    impatient = replace(settings, aws=replace(cluster.aws, patience_seconds=0.05))
    assets.use(EmrStepLauncher(impatient, clusters=cluster, deployed=lambda: own))
    cluster.drivers = [hangs]
    cluster.events["GetObject"] = [Event(client_error("SlowDown", 503))] * 50
    ran = run("source")
    assert "AWS gave no answer for 0 s" in ran.failure
    assert cluster.cancellations == ["SEND_INTERRUPT"]


def test_events_are_not_read_again_while_they_stay_the_same(run: Run, cluster: Cluster) -> None:
    cluster.drivers = [runs_and_lingers]
    run("source")
    reads = cluster.asked("GetObject")
    assert all("IfNoneMatch" in asked for asked in reads[-3:])


# termination


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("stop", [interrupt, terminate])
def test_a_terminated_run_ends_its_step(
    run: Run, cluster: Cluster, instance: dg.DagsterInstance, stop: Callable[[], None]
) -> None:
    def terminated() -> None:
        # As the UI does it.
        instance.report_run_canceling(instance.get_runs()[0])
        stop()

    cluster.drivers = [hangs]
    cluster.events["DescribeStep"] = [NOTHING, Event(terminated)]
    run("steady")
    assert cluster.step.state == "CANCELLED"
    assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.CANCELED]


def test_a_run_terminated_while_it_submits_ends_the_step(run: Run, cluster: Cluster) -> None:
    cluster.drivers = [hangs]
    cluster.events["AddJobFlowSteps"] = [Event(interrupt)]
    ran = run("steady")
    assert (ran.success, len(cluster.steps), cluster.step.state) == (False, 1, "CANCELLED")


def test_a_run_terminated_while_it_waits_for_a_cluster_submits_nothing(run: Run, cluster: Cluster) -> None:
    cluster.on_provide = [Event(interrupt)]
    ran = run("steady")
    assert (ran.success, cluster.steps) == (False, [])


def test_a_run_terminated_while_it_uploads_submits_nothing(run: Run, cluster: Cluster) -> None:
    cluster.events["PutObject"] = [NOTHING, Event(interrupt)]
    ran = run("steady")
    assert (ran.success, cluster.steps) == (False, [])


def test_a_run_terminated_before_it_knows_its_step_ends_it(run: Run, cluster: Cluster) -> None:
    def fail() -> None:
        interrupt()
        raise client_error("InternalFailure", 500)

    cluster.drivers = [hangs]
    cluster.events["AddJobFlowSteps"] = [Event(fail, after=True)]
    ran = run("steady")
    assert (ran.success, len(cluster.steps), cluster.step.state) == (False, 1, "CANCELLED")


def test_a_host_that_fails_ends_its_step(
    run: Run, cluster: Cluster, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = instance.handle_new_event

    def full(event: Any, **more: Any) -> None:
        if event.message == "hello from the driver":
            raise OSError("no space left on device")
        store(event, **more)

    monkeypatch.setattr(instance, "handle_new_event", full)
    cluster.drivers = [runs_and_hangs]
    assert "no space left on device" in run("source").failure
    assert cluster.step.state == "CANCELLED"


# the resource


def test_making_the_resource_calls_nothing(settings: Settings, cluster: Cluster) -> None:
    with dg.build_resources({"launcher": step_launcher(settings)}) as resources:
        assert isinstance(resources.launcher, EmrPySparkStepLauncher)
    assert cluster.calls == []


def test_the_ui_shows_the_launchers_settings(settings: Settings) -> None:
    shown = step_launcher(settings).get_resource_definition().config_field.default_value
    assert shown["variables"] == settings.variables
    assert (shown["region"], shown["buckets"]) == ("us-east-1", "deputies-lake-staging-123456789012")
    assert (shown["poll_seconds"], shown["patience_seconds"]) == (0.05, 900.0)
    assert shown["spark"] == settings.spark


def test_the_launcher_is_what_the_ui_shows(settings: Settings) -> None:
    changed = {**EmrStepLauncherResource.of(settings).model_dump(), "poll_seconds": 7.0, "buckets": "others"}
    with dg.build_resources({"launcher": EmrStepLauncherResource(**changed)}) as resources:
        assert resources.launcher._aws.poll_seconds == 7.0
        assert resources.launcher.staging_bucket == "others-artifacts"


def test_nothing_warns_that_step_launchers_are_superseded(settings: Settings, recwarn: pytest.WarningsRecorder) -> None:
    with dg.build_resources({"launcher": step_launcher(settings)}):
        assert recwarn.list == []
