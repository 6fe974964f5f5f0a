"""The stack's life: planned, made, taken down, deleted, and what is refused on the way."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto.cloudformation.models import cloudformation_backends
from moto.emr.models import emr_backends
from moto.s3.models import s3_backends

from deputies_lake.aws import AccountError
from deputies_lake.environments import (
    ACCOUNT,
    ALARM_EMAIL,
    BUCKETS,
    BUDGET_USD,
    OWNER,
    AwsSettings,
    Settings,
    load_settings,
)
from deputies_lake.infrastructure import data
from deputies_lake.infrastructure.data import Data, DeletionError
from deputies_lake.infrastructure.stack import Stack, StackError
from deputies_lake_tests.infrastructure.conftest import VARIABLES

pytestmark = pytest.mark.usefixtures("account")

REGION = "sa-east-1"
NAME = "deputies-lake-staging"
BUCKET = f"{NAME}-123456789012"
VERBS: list[Callable[[Stack], object]] = [Stack.plan, Stack.up, Stack.down, Stack.delete_data]


@cache
def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION)


def settings_with(variables: Mapping[str, str]) -> Settings:
    return load_settings("staging", {**VARIABLES, **variables})


def aws_of(settings: Settings) -> AwsSettings:
    assert settings.aws
    return settings.aws


def stacks() -> list[Any]:
    """As the emulation has them, gone ones included."""
    found: list[Any] = cloudformation_backends["123456789012"][REGION].__dict__.get("like_aws", [])
    return found


def status() -> str | None:
    """The stack's, None where CloudFormation knows none of its name."""
    there = [stack.status for stack in stacks() if stack.name == NAME and stack.status != "DELETE_COMPLETE"]
    return there[0] if there else None


def inventory() -> Mapping[str, set[str]]:
    """Everything in the account that the stack might have made."""
    names = {
        "buckets": [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]],
        "databases": [database["Name"] for database in client("glue").get_databases()["DatabaseList"]],
        "secrets": [secret["Name"] for secret in client("secretsmanager").list_secrets()["SecretList"]],
        "roles": [role["RoleName"] for role in client("iam").list_roles()["Roles"]],
        "profiles": [
            profile["InstanceProfileName"] for profile in client("iam").list_instance_profiles()["InstanceProfiles"]
        ],
        # moto lists none by its API.
        "configurations": list(emr_backends["123456789012"][REGION].security_configurations),
        "workgroups": [group["Name"] for group in client("athena").list_work_groups()["WorkGroups"]],
        "keys": [
            key["KeyId"]
            for key in client("kms").list_keys()["Keys"]
            if client("kms").describe_key(KeyId=key["KeyId"])["KeyMetadata"]["Enabled"]
        ],
        "alarms": [alarm["AlarmName"] for alarm in client("cloudwatch").describe_alarms()["MetricAlarms"]],
        "told": [found["Endpoint"] for found in client("sns").list_subscriptions()["Subscriptions"]],
        "budgets": [
            budget["BudgetLimit"]["Amount"]
            for budget in client("budgets").describe_budgets(AccountId=VARIABLES[ACCOUNT])["Budgets"]
        ],
    }
    return {kind: set(found) for kind, found in names.items() if found}


EMPTY = {"workgroups": {"primary"}}
DATA = {
    "buckets": {f"{BUCKET}-{suffix}" for suffix in ("landing", "raw", "lake", "artifacts", "logs")},
    "databases": {f"deputies_lake_staging_{layer}" for layer in ("raw", "staging", "star", "serving")},
    "secrets": {f"{NAME}/cpf-key"},
    "workgroups": {"primary"},
}


def secret_value() -> str:
    value: str = client("secretsmanager").get_secret_value(SecretId=f"{NAME}/cpf-key")["SecretString"]
    return value


def with_template(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """From now on the template says something else."""
    wanted = Stack._wanted

    def changed(stack: Stack) -> dict[str, Any]:
        request = wanted(stack)
        assert old in request["TemplateBody"]
        return {**request, "TemplateBody": request["TemplateBody"].replace(old, new)}

    monkeypatch.setattr(Stack, "_wanted", changed)


# plan


def test_a_first_plan_adds_everything_and_leaves_nothing_behind(settings: Settings) -> None:
    changes = Stack(settings).plan()
    assert {change.action for change in changes} == {"add"}
    assert {"RawBucket", "StarDatabase", "CpfSecret", "DagsterRole"} <= {change.name for change in changes}
    assert (inventory(), status()) == (EMPTY, None)


def test_a_plan_of_what_is_there_is_empty_and_changes_nothing(settings: Settings) -> None:
    Stack(settings).up()
    before, events = inventory(), len(stacks()[-1].events)
    assert list(Stack(settings).plan()) == []
    assert (inventory(), len(stacks()[-1].events), stacks()[-1].change_sets) == (before, events, {})


def test_an_interrupted_plan_leaves_nothing_behind(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    stack = Stack(settings)
    monkeypatch.setattr("deputies_lake.infrastructure.stack.time", SimpleNamespace(sleep=interrupt))
    with pytest.raises(KeyboardInterrupt):
        stack.plan()
    assert status() is None


def test_a_plan_leaves_someone_elses_alone(settings: Settings) -> None:
    theirs = client("cloudformation").create_change_set(
        StackName=NAME, ChangeSetName="theirs", ChangeSetType="CREATE", **Stack(settings)._wanted()
    )
    assert Stack(settings).plan()
    assert (status(), list(stacks()[0].change_sets)) == ("REVIEW_IN_PROGRESS", [theirs["Id"]])


def test_a_plan_tells_what_would_lose_data(settings: Settings) -> None:
    Stack(settings).up()
    changes = Stack(settings_with({BUCKETS: "others"})).plan()
    assert {change.name for change in changes if change.loses_data} >= DATA["buckets"]
    assert not any(change.loses_data for change in changes if change.type == "AWS::IAM::Role")


# up


def test_up_makes_everything(settings: Settings) -> None:
    assert Stack(settings).up() is True
    roles = {f"{NAME}-emr", f"{NAME}-emr-instance", f"{NAME}-dagster", f"{NAME}-reader"}
    keys = inventory()["keys"]
    assert len(keys) == 1
    assert inventory() == {
        **DATA,
        "roles": roles,
        "profiles": {f"{NAME}-emr-instance", f"{NAME}-dagster"},
        "configurations": {NAME},
        "workgroups": {"primary", NAME},
        "keys": keys,
    }


def test_the_stack_is_protected_and_says_whose_it_is(settings: Settings) -> None:
    Stack(settings).up()
    stack = client("cloudformation").describe_stacks(StackName=NAME)["Stacks"][0]
    assert stack["EnableTerminationProtection"] is True
    assert {tag["Key"]: tag["Value"] for tag in stack["Tags"]} == {
        "project": "deputies_lake",
        "environment": "staging",
        "owner": "data-platform",
    }


def test_a_second_up_changes_nothing(settings: Settings) -> None:
    Stack(settings).up()
    before, secret, events = inventory(), secret_value(), len(stacks()[0].events)
    assert Stack(settings).up() is False
    assert (inventory(), secret_value(), len(stacks()[0].events)) == (before, secret, events)
    assert stacks()[0].change_sets == {}


def test_the_secret_is_long_enough_to_be_one(settings: Settings) -> None:
    Stack(settings).up()
    assert len(secret_value()) == 64


def test_up_takes_over_what_changed(settings: Settings) -> None:
    Stack(settings).up()
    assert Stack(settings_with({OWNER: "maria"})).up() is True
    tags = client("s3").get_bucket_tagging(Bucket=f"{BUCKET}-raw")["TagSet"]
    assert {"Key": "owner", "Value": "maria"} in tags


def test_alarms_are_there_as_long_as_somebody_is_told(settings: Settings) -> None:
    Stack(settings).up()
    quiet = inventory()
    alarms = {"alarms": {f"{NAME}-silence"}, "told": {"lake@example.org"}, "budgets": {"50"}}
    told = Stack(settings_with({ALARM_EMAIL: "lake@example.org", BUDGET_USD: "50"}))
    assert told.up() is True
    assert inventory() == {**quiet, **alarms}
    told.down()
    assert not inventory().keys() & alarms.keys()
    told.up()
    assert inventory().keys() == {*quiet, *alarms}
    Stack(settings).up()
    assert inventory().keys() == quiet.keys()


def test_up_takes_over_what_the_stack_says_of_itself(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    Stack(settings).up()
    with_template(monkeypatch, "  LandingBucket: {Description", "  Landing: {Description")
    assert [(change.action, change.name) for change in Stack(settings).plan()] == [("change", NAME)]
    assert Stack(settings).up() is True
    assert Stack(settings).outputs()["Landing"] == f"{BUCKET}-landing"


def test_up_tells_what_happens_as_it_happens(settings: Settings) -> None:
    lines: list[str] = []
    Stack(settings, lines.append).up()
    assert [line.split()[:3] for line in (lines[0], lines[1], lines[-1])] == [
        ["CREATE_IN_PROGRESS", "AWS::CloudFormation::Stack", NAME],
        ["CREATE_COMPLETE", "AWS::S3::Bucket", "LogsBucket"],
        ["CREATE_COMPLETE", "AWS::CloudFormation::Stack", NAME],
    ]


def test_up_says_what_an_engineer_needs_to_know(settings: Settings) -> None:
    stack = Stack(settings)
    assert stack.outputs() == {}
    stack.up()
    assert stack.outputs()["DagsterRole"] == f"arn:aws:iam::123456789012:role/{NAME}-dagster"
    assert stack.outputs()["LandingBucket"] == f"{BUCKET}-landing"


def test_up_refuses_to_put_empty_buckets_in_the_place_of_full_ones(settings: Settings) -> None:
    Stack(settings).up()
    before = inventory()
    with pytest.raises(StackError) as refused:
        Stack(settings_with({BUCKETS: "others"})).up()
    assert f"{BUCKET}-raw (replace)" in str(refused.value)
    assert f"{BUCKETS}? Set it back. To begin anew with empty ones: deputies-lake infra down --delete-data" in str(
        refused.value
    )
    assert (inventory(), stacks()[0].change_sets) == (before, {})


def test_up_refuses_to_let_go_of_what_holds_data(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    Stack(settings).up()
    with_template(
        monkeypatch,
        "  CpfSecret:\n    Type: AWS::SecretsManager::Secret\n",
        "  CpfSecret:\n    Type: AWS::SecretsManager::Secret\n    Condition: Never\n",
    )
    with_template(
        monkeypatch, "  WithCompute: !Equals", '  Never: !Equals [!Ref Compute, "never"]\n  WithCompute: !Equals'
    )
    # What refers to it would be another mistake, found sooner.
    with_template(monkeypatch, "Resource: !Ref CpfSecret", "Resource: !GetAtt DiskKey.Arn")
    with_template(monkeypatch, "  CpfSecret: {Description", "  CpfSecret: {Condition: Never, Description")
    with pytest.raises(StackError, match=rf"secret:{NAME}/cpf-key-\w+ \(leave\). Nothing was changed"):
        Stack(settings).up()


def test_a_bucket_that_someone_else_has_is_named_with_the_remedy_and_nothing_is_left(settings: Settings) -> None:
    location = {"LocationConstraint": REGION}
    client("s3").create_bucket(Bucket=f"{BUCKET}-raw", CreateBucketConfiguration=location)
    with pytest.raises(StackError) as failed:
        Stack(settings).up()
    assert f"ended in ROLLBACK_COMPLETE:\n  RawBucket: {BUCKET}-raw already exists\n" in str(failed.value)
    assert f"choose others: export {BUCKETS}=" in str(failed.value)
    assert inventory() == {**EMPTY, "buckets": {f"{BUCKET}-raw"}}


def test_up_begins_anew_after_a_failed_creation(settings: Settings) -> None:
    location = {"LocationConstraint": REGION}
    client("s3").create_bucket(Bucket=f"{BUCKET}-raw", CreateBucketConfiguration=location)
    with pytest.raises(StackError):
        Stack(settings).up()
    client("s3").delete_bucket(Bucket=f"{BUCKET}-raw")
    with pytest.raises(StackError, match=r"nothing of it exists\. Make it anew: deputies-lake infra up --env staging"):
        Stack(settings).plan()
    assert Stack(settings).up() is True
    assert status() == "CREATE_COMPLETE"


def test_what_can_not_change_under_its_name_changes_by_going_down_and_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    Stack(settings).up()
    secret = secret_value()
    with_template(monkeypatch, "HttpPutResponseHopLimit: 1", "HttpPutResponseHopLimit: 2")
    assert [change.action for change in Stack(settings).plan()] == ["replace"]
    remedy = "deputies-lake infra down --env staging && deputies-lake infra up --env staging"
    with pytest.raises(
        StackError, match=f"ended in UPDATE_ROLLBACK_COMPLETE:\n  SecurityConfiguration: .*\n.*{remedy}"
    ):
        Stack(settings).up()
    assert Stack(settings).down()
    assert Stack(settings).up()
    configuration = client("emr").describe_security_configuration(Name=NAME)["SecurityConfiguration"]
    assert '"HttpPutResponseHopLimit": 2' in configuration
    assert secret_value() == secret


# whose it is, and in what state


@pytest.mark.parametrize("verb", VERBS)
def test_a_stack_without_our_tags_is_not_touched(verb: Callable[[Stack], object], settings: Settings) -> None:
    Stack(settings).up()
    stacks()[0].tags = {"project": "deputies_lake", "environment": "prod"}
    before, events = inventory(), len(stacks()[0].events)
    with pytest.raises(StackError, match=f"{NAME} in sa-east-1 that is not ours: it lacks .*environment=staging"):
        verb(Stack(settings))
    assert (inventory(), len(stacks()[0].events)) == (before, events)


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_happens_in_another_account(verb: Callable[[Stack], object]) -> None:
    with pytest.raises(AccountError, match=f"are for account 123456789012, {ACCOUNT} says 210987654321"):
        verb(Stack(settings_with({ACCOUNT: "210987654321"})))
    assert (inventory(), stacks()) == (EMPTY, [])


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_happens_where_no_account_is_named(verb: Callable[[Stack], object]) -> None:
    with pytest.raises(AccountError, match=f"If that is meant: export {ACCOUNT}=123456789012"):
        verb(Stack(settings_with({ACCOUNT: ""})))
    assert (inventory(), stacks()) == (EMPTY, [])


@pytest.mark.parametrize("verb", VERBS)
def test_a_stack_that_someone_is_changing_is_left_to_them(verb: Callable[[Stack], object], settings: Settings) -> None:
    Stack(settings).up()
    stacks()[0].status = "UPDATE_IN_PROGRESS"
    with pytest.raises(StackError, match=r"is being changed \(UPDATE_IN_PROGRESS\). Wait until that is done"):
        verb(Stack(settings))


@pytest.mark.parametrize(
    ("stuck", "remedy"),
    [
        ("UPDATE_ROLLBACK_FAILED", f"continue-update-rollback --stack-name {NAME} --region {REGION}"),
        ("DELETE_FAILED", "deputies-lake infra down --delete-data --env staging"),
        ("ROLLBACK_FAILED", "deputies-lake infra down --delete-data --env staging"),
    ],
)
@pytest.mark.parametrize("verb", [Stack.plan, Stack.up, Stack.down])
def test_a_stack_that_is_stuck_is_told_how_to_move(
    verb: Callable[[Stack], object], stuck: str, remedy: str, settings: Settings
) -> None:
    Stack(settings).up()
    stacks()[0].status = stuck
    with pytest.raises(StackError, match=rf"\({stuck}\).*{remedy}"):
        verb(Stack(settings))


def test_what_cloudformation_refuses_is_passed_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {"Status": "FAILED", "StatusReason": "Circular dependency"}
    stack = Stack(settings)
    monkeypatch.setattr(stack._cloudformation, "describe_change_set", lambda **_: refused)
    with pytest.raises(StackError, match=f"refuses this change of {NAME}: Circular dependency. Nothing was changed"):
        stack.up()
    assert status() is None


@pytest.mark.parametrize("verb", [Stack.plan, Stack.up])
def test_a_bucket_that_was_removed_by_hand_is_missed(verb: Callable[[Stack], object], settings: Settings) -> None:
    Stack(settings).up()
    client("s3").delete_bucket(Bucket=f"{BUCKET}-lake")
    with pytest.raises(StackError, match=rf"is missing: {BUCKET}-lake\. .* infra down --delete-data --env staging"):
        verb(Stack(settings))


def test_a_secret_that_was_removed_by_hand_is_given_back(settings: Settings) -> None:
    Stack(settings).up()
    secret = secret_value()
    client("secretsmanager").delete_secret(SecretId=f"{NAME}/cpf-key", RecoveryWindowInDays=7)
    remedy = f"restore-secret --secret-id {NAME}/cpf-key --region {REGION}"
    with pytest.raises(StackError, match=rf"is missing: .*{NAME}/cpf-key-\w+\. .*{remedy}"):
        Stack(settings).up()
    client("secretsmanager").restore_secret(SecretId=f"{NAME}/cpf-key")
    assert (Stack(settings).up(), secret_value()) == (False, secret)


def test_a_secret_in_its_days_of_grace_is_deleted_with_the_data(settings: Settings) -> None:
    Stack(settings).up()
    client("secretsmanager").delete_secret(SecretId=f"{NAME}/cpf-key", RecoveryWindowInDays=7)
    assert Stack(settings).delete_data()
    assert Stack(settings).up()


def test_the_local_lake_has_no_stack() -> None:
    with pytest.raises(StackError, match="the local lake needs no infrastructure"):
        Stack(load_settings("local", {}))


# down


def fill(settings: Settings) -> None:
    """Files, versions of them, a deleted one, an unfinished upload, a table."""
    aws = aws_of(settings)
    s3 = client("s3")
    for bucket in DATA["buckets"]:
        for content in (b"1", b"2"):
            s3.put_object(Bucket=bucket, Key="twice", Body=content)
        s3.put_object(Bucket=bucket, Key="gone", Body=b"1")
        s3.delete_object(Bucket=bucket, Key="gone")
        s3.create_multipart_upload(Bucket=bucket, Key="unfinished")
    client("glue").create_table(DatabaseName=f"{aws.database_prefix}star", TableInput={"Name": "dim_dates"})


def contents() -> Mapping[str, int]:
    s3 = client("s3")
    found = {bucket["Name"]: s3.list_object_versions(Bucket=bucket["Name"]) for bucket in s3.list_buckets()["Buckets"]}
    return {name: len([*page.get("Versions", []), *page.get("DeleteMarkers", [])]) for name, page in found.items()}


def test_down_removes_what_acts_and_keeps_each_object_table_and_the_secret(settings: Settings) -> None:
    Stack(settings).up()
    fill(settings)
    before, secret = contents(), secret_value()
    assert Stack(settings).down() is True
    assert (inventory(), contents(), secret_value()) == (DATA, before, secret)
    assert client("glue").get_table(DatabaseName="deputies_lake_staging_star", Name="dim_dates")


def test_down_a_second_time_finds_nothing_to_remove(settings: Settings) -> None:
    Stack(settings).up()
    Stack(settings).down()
    events = len(stacks()[0].events)
    assert Stack(settings).down() is False
    assert (inventory(), len(stacks()[0].events)) == (DATA, events)


def test_up_brings_back_what_down_removed(settings: Settings) -> None:
    Stack(settings).up()
    before, secret = inventory(), secret_value()
    Stack(settings).down()
    assert Stack(settings).up() is True
    after = inventory()
    assert ({**after, "keys": set()}, secret_value()) == ({**before, "keys": set()}, secret)


def test_going_down_is_no_occasion_for_other_changes(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    Stack(settings).up()
    with_template(
        monkeypatch, "VersioningConfiguration: {Status: Enabled}", "VersioningConfiguration: {Status: Suspended}"
    )
    Stack(settings_with({OWNER: "maria", BUCKETS: "others"})).down()
    assert inventory() == DATA
    assert client("s3").get_bucket_versioning(Bucket=f"{BUCKET}-raw")["Status"] == "Enabled"
    assert stacks()[0].tags["owner"] == "data-platform"


@pytest.mark.parametrize("verb", [Stack.down, Stack.delete_data])
def test_where_nothing_is_there_is_nothing_to_remove(verb: Callable[[Stack], object], settings: Settings) -> None:
    assert verb(Stack(settings)) is False


def test_down_clears_what_a_failed_creation_left(settings: Settings) -> None:
    client("s3").create_bucket(Bucket=f"{BUCKET}-raw", CreateBucketConfiguration={"LocationConstraint": REGION})
    with pytest.raises(StackError):
        Stack(settings).up()
    assert Stack(settings).down() is True
    assert (status(), inventory()) == (None, {**EMPTY, "buckets": {f"{BUCKET}-raw"}})


def start_cluster(environment: str) -> str:
    cluster: str = client("emr").run_job_flow(
        Name=f"deputies-lake-{environment}",
        Instances={"InstanceCount": 1, "MasterInstanceType": "m5.xlarge", "KeepJobFlowAliveWhenNoSteps": True},
        Tags=[{"Key": "project", "Value": "deputies_lake"}, {"Key": "environment", "Value": environment}],
    )["JobFlowId"]
    return cluster


@pytest.mark.parametrize("verb", [Stack.down, Stack.delete_data])
def test_nothing_is_removed_under_a_running_cluster(verb: Callable[[Stack], object], settings: Settings) -> None:
    Stack(settings).up()
    ours = start_cluster("staging")
    # EMR lists 50 on a page, the youngest first.
    for _ in range(51):
        start_cluster("prod")
    before = inventory()
    with pytest.raises(StackError) as refused:
        verb(Stack(settings))
    assert str(refused.value) == (
        f"clusters of staging have not ended: {ours} (WAITING). Nothing was changed. End them, which takes some "
        "minutes: deputies-lake cluster stop --env staging"
    )
    assert inventory() == before


def test_clusters_of_others_and_ended_ones_do_not_matter(settings: Settings) -> None:
    Stack(settings).up()
    start_cluster("prod")
    client("emr").terminate_job_flows(JobFlowIds=[start_cluster("staging")])
    assert Stack(settings).down() is True


# down, with the data


def test_deleting_the_data_leaves_nothing(settings: Settings) -> None:
    Stack(settings).up()
    fill(settings)
    assert Stack(settings).delete_data() is True
    assert (inventory(), status()) == (EMPTY, None)


def test_deleting_the_data_works_when_the_lake_is_down(settings: Settings) -> None:
    Stack(settings).up()
    Stack(settings).down()
    assert Stack(settings).delete_data() is True
    assert (inventory(), status()) == (EMPTY, None)


def test_a_lake_can_be_made_anew_under_the_same_names_with_another_secret(settings: Settings) -> None:
    Stack(settings).up()
    secret = secret_value()
    Stack(settings).delete_data()
    Stack(settings).up()
    assert secret_value() != secret


def test_only_what_the_stack_owns_is_deleted(settings: Settings) -> None:
    Stack(settings).up()
    others = f"{BUCKET}-others"
    client("s3").create_bucket(Bucket=others, CreateBucketConfiguration={"LocationConstraint": REGION})
    client("glue").create_database(DatabaseInput={"Name": "deputies_lake_staging_others"})
    client("secretsmanager").create_secret(Name=f"{NAME}/others", SecretString="theirs")
    Stack(settings).delete_data()
    assert inventory() == {
        **EMPTY,
        "buckets": {others},
        "databases": {"deputies_lake_staging_others"},
        "secrets": {f"{NAME}/others"},
    }


def test_a_bucket_is_emptied_of_versions_deletions_and_unfinished_uploads(settings: Settings) -> None:
    Stack(settings).up()
    fill(settings)
    s3 = client("s3")
    data._empty(s3, f"{BUCKET}-raw")
    assert (contents()[f"{BUCKET}-raw"], "Uploads" in s3.list_multipart_uploads(Bucket=f"{BUCKET}-raw")) == (0, False)


def test_a_bucket_of_several_pages_is_emptied(settings: Settings) -> None:
    Stack(settings).up()
    s3 = s3_backends["123456789012"]["aws"]
    for number in range(2_001):
        s3.put_object(f"{BUCKET}-lake", f"file-{number:04}", b"")
    Stack(settings).delete_data()
    assert inventory() == EMPTY


def test_an_interrupted_deletion_is_ended_by_the_next(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    Stack(settings).up()
    fill(settings)
    delete = Data.delete

    def interrupted(self: Data, kind: str, name: str) -> None:
        if name.endswith("-lake"):
            raise KeyboardInterrupt
        delete(self, kind, name)

    monkeypatch.setattr(Data, "delete", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Stack(settings).delete_data()
    monkeypatch.setattr(Data, "delete", delete)
    assert f"{BUCKET}-lake" in inventory()["buckets"]
    assert f"{BUCKET}-logs" not in inventory()["buckets"]
    assert Stack(settings).delete_data() is True
    assert (inventory(), status()) == (EMPTY, None)


def test_what_keeps_the_stack_from_being_deleted_is_named_and_the_next_call_ends_it(settings: Settings) -> None:
    Stack(settings).up()
    nothing = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    policy = client("iam").create_policy(PolicyName="by-hand", PolicyDocument=json.dumps(nothing))["Policy"]
    attached = {"RoleName": f"{NAME}-reader", "PolicyArn": policy["Arn"]}
    client("iam").attach_role_policy(**attached)
    with pytest.raises(StackError, match=r"ended in DELETE_FAILED:\n  ReaderRole: .*detach all policies first"):
        Stack(settings).delete_data()
    client("iam").detach_role_policy(**attached)
    assert Stack(settings).delete_data() is True
    assert (inventory(), status()) == (EMPTY, None)


def test_what_is_written_meanwhile_is_deleted_too(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    Stack(settings).up()
    late = [f"{BUCKET}-{suffix}" for suffix in ("logs", "raw")]
    empty = data._empty

    def written_meanwhile(s3: Any, bucket: str) -> None:
        empty(s3, bucket)
        if bucket in late:
            late.remove(bucket)
            s3.put_object(Bucket=bucket, Key="late", Body=b"")

    monkeypatch.setattr(data, "_empty", written_meanwhile)
    assert Stack(settings).delete_data() is True
    assert (late, inventory()) == ([], EMPTY)


def test_a_bucket_that_fills_without_end_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    Stack(settings).up()
    client("s3").put_object(Bucket=f"{BUCKET}-lake", Key="again", Body=b"")
    monkeypatch.setattr(data, "_empty", lambda *_: None)
    with pytest.raises(DeletionError, match=f"{BUCKET}-lake fills faster than it is emptied: stop whoever writes"):
        Stack(settings).delete_data()
    assert status() == "CREATE_COMPLETE"


def test_an_object_that_can_not_be_deleted_is_named() -> None:
    s3 = client("s3")
    s3.create_bucket(
        Bucket="locked",
        CreateBucketConfiguration={"LocationConstraint": REGION},
        ObjectLockEnabledForBucket=True,
    )
    s3.put_object(Bucket="locked", Key="kept", Body=b"", ObjectLockLegalHoldStatus="ON")
    with pytest.raises(DeletionError, match="the bucket locked has 1 objects that can't be deleted, such as kept: "):
        data._empty(s3, "locked")
