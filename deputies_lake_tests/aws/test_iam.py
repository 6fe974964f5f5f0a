"""That the emulated AWS judges calls: what the stack's roles may do they do, and nothing else, for AWS's reasons."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from deputies_lake.emr.artifact import Artifact
from deputies_lake.emr.cluster_request import request
from deputies_lake.environments import AwsSettings, load_settings
from deputies_lake.infrastructure.stack import Stack
from deputies_lake_tests.aws.emulator import ACCOUNT, REGION, serve
from deputies_lake_tests.aws.faults import Gate
from deputies_lake_tests.emr.test_cluster_request import NOW

SETTINGS = load_settings("staging", {"DEPUTIES_LAKE_ACCOUNT": ACCOUNT})
assert SETTINGS.aws
AWS: AwsSettings = SETTINGS.aws
CLUSTER = request(AWS, Artifact(code_id="c0de", environment_id="e"), NOW)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Gate, str]]:
    """An account in which the stack is, with an object in each bucket."""
    with ExitStack() as stack, pytest.MonkeyPatch.context() as environment:
        gate, endpoint = serve(stack)
        variables = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "host", "AWS_SECRET_ACCESS_KEY": "host"}
        for name, value in variables.items():
            environment.setenv(name, value)
        environment.setattr(boto3, "DEFAULT_SESSION", None)
        Stack(SETTINGS).up()
        for bucket, key in {
            AWS.landing_bucket: "deputies_dataset.csv",
            AWS.raw_bucket: "archive/1",
            AWS.lake_bucket: "star/fct_expenses/data/1.parquet",
            AWS.artifacts_bucket: "code/1/deputies_lake.zip",
        }.items():
            boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=b"content")
        yield gate, endpoint


Client = Callable[[str, str], Any]


@pytest.fixture
def client(served: tuple[Gate, str]) -> Iterator[Client]:
    """Makes clients of a service for a role, or for whoever else signs so."""
    gate, endpoint = served
    yield lambda service, key: boto3.client(
        service, endpoint_url=endpoint, region_name=REGION, aws_access_key_id=key, aws_secret_access_key="test"
    )
    gate.denied.clear()


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    assert "AccessDenied" in caught.value.response["Error"]["Code"]
    return str(caught.value)


def test_dagster_starts_a_cluster_with_all_that_the_request_asks_for(client: Client, served: tuple[Gate, str]) -> None:
    assert client("emr", AWS.dagster_role).run_job_flow(**CLUSTER)["JobFlowId"].startswith("j-")
    assert served[0].denied == []


def test_a_cluster_without_our_tags_is_refused(client: Client) -> None:
    without = {**CLUSTER, "Tags": [{"Key": "project", "Value": "another"}]}
    message = refused(lambda: client("emr", AWS.dagster_role).run_job_flow(**without))
    assert f"{AWS.dagster_role} is not authorized to perform elasticmapreduce:RunJobFlow" in message


def test_a_cluster_with_the_role_of_somebody_else_is_refused(client: Client) -> None:
    message = refused(lambda: client("emr", AWS.dagster_role).run_job_flow(**{**CLUSTER, "JobFlowRole": "admin"}))
    assert f"iam:PassRole on arn:aws:iam::{ACCOUNT}:role/admin" in message


def test_the_cluster_of_another_project_is_neither_ended_nor_changed(client: Client) -> None:
    theirs = client("emr", "host").run_job_flow(**{**CLUSTER, "Tags": [{"Key": "project", "Value": "another"}]})
    emr = client("emr", AWS.dagster_role)
    refused(lambda: emr.terminate_job_flows(JobFlowIds=[theirs["JobFlowId"]]))
    policy = {"ClusterId": theirs["JobFlowId"], "AutoTerminationPolicy": {"IdleTimeout": 60}}
    refused(lambda: emr.put_auto_termination_policy(**policy))


def test_a_role_reads_what_it_may_and_nothing_else(client: Client, served: tuple[Gate, str]) -> None:
    s3 = client("s3", AWS.dagster_role)
    code = s3.get_object(Bucket=AWS.artifacts_bucket, Key="code/1/deputies_lake.zip")
    assert code["Body"].read() == b"content"
    message = refused(lambda: s3.get_object(Bucket=AWS.landing_bucket, Key="deputies_dataset.csv"))
    assert f"s3:GetObject on arn:aws:s3:::{AWS.landing_bucket}/deputies_dataset.csv" in message
    assert len(served[0].denied) == 1


def test_of_many_objects_to_delete_one_that_may_not_be_is_enough(client: Client) -> None:
    keys = {"Objects": [{"Key": "serving/a"}, {"Key": "star/fct_expenses/data/1.parquet"}]}
    message = refused(lambda: client("s3", AWS.dagster_role).delete_objects(Bucket=AWS.lake_bucket, Delete=keys))
    assert "s3:DeleteObject on" in message
    assert "star/fct_expenses" in message


def test_what_is_missing_is_not_told_to_who_may_not_list(client: Client) -> None:
    missing = {"Bucket": AWS.lake_bucket, "Key": "star/missing"}
    refused(lambda: client("s3", AWS.reader_role).get_object(**missing))
    # These look for a file before they write it.
    for role in (AWS.emr_instance_profile, AWS.dagster_role):
        with pytest.raises(ClientError, match="NoSuchKey"):
            client("s3", role).get_object(**missing)


def test_a_list_is_judged_by_its_prefix(client: Client) -> None:
    s3 = client("s3", AWS.reader_role)
    found = s3.list_objects_v2(Bucket=AWS.lake_bucket, Prefix="star/fct_expenses/")
    assert found["KeyCount"] == 1
    refused(lambda: s3.list_objects_v2(Bucket=AWS.lake_bucket, Prefix="staging/"))
    refused(lambda: s3.list_objects_v2(Bucket=AWS.lake_bucket))


def test_a_table_is_judged_with_its_database_and_the_catalog(client: Client) -> None:
    table = {"DatabaseName": f"{AWS.database_prefix}raw", "Name": "kaggle_refunds"}
    message = refused(lambda: client("glue", AWS.dagster_role).get_table(**table))
    assert f":table/{AWS.database_prefix}raw/kaggle_refunds" in message


def test_personal_ids_are_read_by_no_administrator_who_is_no_operator(client: Client) -> None:
    raw = {"Bucket": AWS.raw_bucket, "Key": "archive/1"}
    assert client("s3", "host").get_object(**raw)["Body"].read() == b"content"
    administrator = client("s3", "administrator")
    message = refused(lambda: administrator.get_object(**raw))
    assert "the bucket's policy denies it" in message
    # Whoever brings files and ends the environment needs no look into it.
    administrator.put_object(Bucket=AWS.landing_bucket, Key="dirty_deputies_v2.csv", Body=b"content")
    assert administrator.get_object(Bucket=AWS.lake_bucket, Key="star/fct_expenses/data/1.parquet")["Body"].read()


def test_the_secret_is_for_steps_alone(client: Client) -> None:
    assert client("secretsmanager", AWS.emr_instance_profile).get_secret_value(SecretId=AWS.cpf_secret)
    refused(lambda: client("secretsmanager", AWS.dagster_role).get_secret_value(SecretId=AWS.cpf_secret))


def test_a_step_has_the_rights_of_its_cluster_s_profile(client: Client) -> None:
    cluster = client("emr", "host").run_job_flow(**CLUSTER)["JobFlowId"]
    s3 = client("s3", cluster)
    assert s3.get_object(Bucket=AWS.raw_bucket, Key="archive/1")["Body"].read() == b"content"
    message = refused(lambda: s3.delete_object(Bucket=AWS.raw_bucket, Key="archive/1"))
    assert f"{AWS.emr_instance_profile} is not authorized to perform s3:DeleteObject" in message
