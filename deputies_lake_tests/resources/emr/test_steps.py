"""A step of EMR: submitted once whatever happens, ended when it must be, and asked for its last words."""

import gzip
import io
import logging
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import boto3
import dagster as dg
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from dagster_aws.emr import EmrError
from moto.emr.models import emr_backends
from urllib3 import HTTPResponse

from deputies_lake.resources.emr import steps
from deputies_lake.resources.emr.patience import Patience
from deputies_lake.resources.emr.steps import EmrStep, submit
from deputies_lake_tests.resources.emr.cluster import (
    ACCOUNT_ID,
    Cluster,
    Event,
    client_error,
    dies,
    hangs,
)

LOG = logging.getLogger("steps")
COMMAND = ["env", "A=B", "spark-submit", "bucket", "key"]

AMBIGUOUS = [
    client_error("InternalFailure", 500),
    client_error("ServiceUnavailable", 503),
    ReadTimeoutError(endpoint_url="https://emr"),
    ConnectTimeoutError(endpoint_url="https://emr"),
]


@pytest.fixture
def submitted(cluster: Cluster) -> Callable[[], EmrStep]:
    cluster.drivers = [hangs]
    patience = Patience(0.2, LOG)
    return lambda: submit(cluster.aws, patience, LOG, cluster_id=cluster.id, name="a step", command=COMMAND)


# once


@pytest.mark.parametrize("error", AMBIGUOUS, ids=str)
def test_a_submission_that_only_seemed_to_fail_is_not_repeated(
    submitted: Callable[[], EmrStep], cluster: Cluster, error: Exception
) -> None:
    cluster.events["AddJobFlowSteps"] = [Event(error, after=True)]
    assert submitted().step_id == cluster.step.id


@pytest.mark.parametrize("error", AMBIGUOUS, ids=str)
def test_a_submission_that_failed_is_repeated(
    submitted: Callable[[], EmrStep], cluster: Cluster, error: Exception
) -> None:
    cluster.events["AddJobFlowSteps"] = [Event(error)]
    assert submitted().step_id == cluster.step.id
    assert len(cluster.asked("AddJobFlowSteps")) == 2


def test_a_step_is_found_behind_all_that_others_submitted(submitted: Callable[[], EmrStep], cluster: Cluster) -> None:
    def others_come() -> None:
        others = [{"Name": f"other {i}", "HadoopJarStep": {"Jar": "x"}} for i in range(60)]
        with mock.patch.object(cluster, "start"):
            boto3.client("emr").add_job_flow_steps(JobFlowId=cluster.id, Steps=others)
        raise AMBIGUOUS[0]

    cluster.events["AddJobFlowSteps"] = [Event(others_come, after=True)]
    assert submitted().step_id == cluster.step.id
    assert len(cluster.asked("ListSteps")) > 1


def test_boto3_does_not_repeat_a_submission_by_itself(cluster: Cluster) -> None:
    sent: list[str] = []

    def refuse(request: AWSRequest, **_: Any) -> AWSResponse:
        sent.append(request.url)
        return AWSResponse(request.url, 503, {}, HTTPResponse(io.BytesIO(b"{}"), preload_content=False))

    boto3.DEFAULT_SESSION.events.register("before-send.emr.AddJobFlowSteps", refuse)
    with pytest.raises(EmrError, match="gave no answer"):
        submit(cluster.aws, Patience(0, LOG), LOG, cluster_id=cluster.id, name="a step", command=COMMAND)
    assert len(sent) == 1


def test_patience_that_ends_in_doubt_leaves_no_step(submitted: Callable[[], EmrStep], cluster: Cluster) -> None:
    error = client_error("InternalFailure", 500)
    cluster.events["AddJobFlowSteps"] = [Event(error, after=True)]
    cluster.events["ListSteps"] = [Event(error)] * 6
    with pytest.raises((EmrError, dg.Failure)):
        submitted()
    assert cluster.cancellations == ["SEND_INTERRUPT"]


def test_a_cluster_that_ended_meanwhile_is_infrastructure_that_failed(
    submitted: Callable[[], EmrStep], cluster: Cluster
) -> None:
    cluster.go_without_ending_steps()
    cluster.events["AddJobFlowSteps"] = [Event(client_error("ValidationException"))]
    with pytest.raises(EmrError, match=f"cluster {cluster.id} is TERMINATED_WITH_ERRORS: it ended before it got the s"):
        submitted()


def test_a_submission_that_emr_finds_wrong_is_not_repeated(submitted: Callable[[], EmrStep], cluster: Cluster) -> None:
    cluster.events["AddJobFlowSteps"] = [Event(client_error("ValidationException"))]
    with pytest.raises(dg.Failure, match="submitting a step to cluster"):
        submitted()
    assert len(cluster.asked("AddJobFlowSteps")) == 1


# the end


def test_a_step_is_asked_to_end(submitted: Callable[[], EmrStep], cluster: Cluster) -> None:
    submitted().cancel()
    assert (cluster.step.state, cluster.cancellations) == ("CANCELLED", ["SEND_INTERRUPT"])


def test_a_step_that_does_not_listen_is_killed(
    submitted: Callable[[], EmrStep], cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "_CANCELLATIONS", tuple((option, 1.0) for option, _ in steps._CANCELLATIONS))
    cluster.drivers_ignore_interrupts = True
    submitted().cancel()
    assert (cluster.step.state, cluster.cancellations) == ("CANCELLED", ["SEND_INTERRUPT", "TERMINATE_PROCESS"])


def test_a_step_that_ended_is_not_cancelled(submitted: Callable[[], EmrStep], cluster: Cluster) -> None:
    cluster.drivers = [dies]
    step = submitted()
    while not step.status().ended:
        time.sleep(0.05)
    step.cancel()
    assert cluster.cancellations == []


def test_a_step_that_can_not_be_cancelled_is_named_with_the_command_that_ends_it(
    submitted: Callable[[], EmrStep], cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    step = submitted()
    cluster.events["CancelSteps"] = [Event(client_error("AccessDeniedException", operation="CancelSteps"))]
    step.cancel()
    (error,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert "may still be running" in error
    assert "AccessDeniedException" in error
    assert f"aws emr cancel-steps --region us-east-1 --cluster-id {cluster.id} --step-ids {step.step_id}" in error


# last words


def logs_key(step: EmrStep) -> str:
    return f"emr/{step.cluster_id}/steps/{step.step_id}/stderr.gz"


def test_the_end_of_stderr_is_read_where_emr_put_it(submitted: Callable[[], EmrStep], cluster: Cluster) -> None:
    step = submitted()
    lines = "\n".join(f"line {number}" for number in range(100))
    boto3.client("s3").put_object(
        Bucket=cluster.aws.logs_bucket, Key=logs_key(step), Body=gzip.compress(lines.encode())
    )
    words = step.last_words().splitlines()
    assert (words[0], words[1], words[-1]) == ("Last lines of its stderr:", "line 60", "line 99")


def test_logs_that_are_not_there_yet_are_announced(submitted: Callable[[], EmrStep], cluster: Cluster) -> None:
    step = submitted()
    place = f"s3://{cluster.aws.logs_bucket}/{logs_key(step)}"
    assert step.last_words() == f"Its stderr will be in {place} in a few minutes."


def test_logs_that_can_not_be_looked_for_hide_nothing(submitted: Callable[[], EmrStep], cluster: Cluster) -> None:
    step = submitted()
    cluster.events["DescribeCluster"] = [Event(client_error("AccessDeniedException"))]
    assert step.last_words().startswith("Its logs can't be found: ")


def test_a_cluster_without_logs_says_so(submitted: Callable[[], EmrStep], cluster: Cluster) -> None:
    step = submitted()
    emr_backends[ACCOUNT_ID][cluster.aws.region].clusters[cluster.id].log_uri = ""
    assert step.last_words() == "The cluster keeps no logs."
