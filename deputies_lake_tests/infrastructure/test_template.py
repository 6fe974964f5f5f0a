"""The template: what it promises about encryption, access, retention and rights, and that AWS would take it."""

import json
import re
import warnings
from collections.abc import Mapping
from fnmatch import fnmatchcase
from importlib import resources
from typing import Any

import pytest
from cfnlint.api import lint

from deputies_lake.automation.heartbeat import INTERVAL_SECONDS, METRIC
from deputies_lake.contracts import LAYERS
from deputies_lake.environments import AwsSettings, load_settings
from deputies_lake.infrastructure.stack import Stack
from deputies_lake_tests.infrastructure.policies import Context, Document, allows, denies, listed
from deputies_lake_tests.infrastructure.templates import REF, Resolver, parse

with warnings.catch_warnings():
    # It leaves its own files open while it is imported.
    warnings.simplefilter("ignore", ResourceWarning)
    import parliament

ACCOUNT = "123456789012"
WHOM = "lake@example.org"
SETTINGS = load_settings("prod", {"DEPUTIES_LAKE_ACCOUNT": ACCOUNT, "DEPUTIES_LAKE_ALARM_EMAIL": WHOM})
assert SETTINGS.aws
AWS: AwsSettings = SETTINGS.aws

TEXT = resources.files("deputies_lake.infrastructure").joinpath("template.yaml").read_text(encoding="utf-8")
TEMPLATE = parse(TEXT)
KINDS = {name: item["Type"] for name, item in TEMPLATE["Resources"].items()}

BUCKETS = [name for name, kind in KINDS.items() if kind == "AWS::S3::Bucket"]
ROLES = [name for name, kind in KINDS.items() if kind == "AWS::IAM::Role"]
HOLD_DATA = ("AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::Glue::Database", "AWS::SecretsManager::Secret")

SECRET = f"arn:aws:secretsmanager:sa-east-1:{ACCOUNT}:secret:deputies-lake-prod/cpf-key-AbCdEf"
TOPIC = f"arn:aws:sns:sa-east-1:{ACCOUNT}:alarms"
KEY = f"arn:aws:kms:sa-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def attribute(name: str, of: str) -> str:
    """As AWS names what the template makes."""
    match KINDS[name]:
        case "AWS::S3::Bucket":
            found = RESOLVER.properties(name)["BucketName"]
            return found if of == REF else f"arn:aws:s3:::{found}"
        case "AWS::IAM::Role":
            found = RESOLVER.properties(name)["RoleName"]
            return found if of == REF else f"arn:aws:iam::{ACCOUNT}:role/{found}"
        case "AWS::Glue::Database":
            return str(RESOLVER.properties(name)["DatabaseInput"]["Name"])
        case "AWS::SecretsManager::Secret":
            return SECRET
        case "AWS::KMS::Key":
            return KEY
        case "AWS::SNS::Topic":
            return TOPIC
    raise KeyError(f"{name}.{of}")


def given() -> dict[str, str]:
    parameters = Stack(SETTINGS)._wanted()["Parameters"]
    return {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in parameters}


PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": "sa-east-1",
    "AWS::Partition": "aws",
    "AWS::StackName": AWS.stack,
}
RESOLVER = Resolver(TEMPLATE, {**given(), **PSEUDO}, attribute)


def properties(name: str) -> Mapping[str, Any]:
    return RESOLVER.properties(name)


def policies(role: str) -> list[Document]:
    return [policy["PolicyDocument"] for policy in properties(role)["Policies"]]


STATEMENTS = [
    pytest.param(statement, id=f"{role}-{statement['Sid']}")
    for role in ROLES
    for document in policies(role)
    for statement in document["Statement"]
]
ALLOWING = [parameter for parameter in STATEMENTS if parameter.values[0]["Effect"] == "Allow"]  # type: ignore[index]


# the text


def test_cfn_lint_finds_nothing() -> None:
    assert [str(match) for match in lint(TEXT, regions=["sa-east-1", "us-east-1"])] == []


def test_it_is_small_enough_to_be_sent_with_the_request() -> None:
    assert len(TEXT.encode()) <= 51_200


def test_the_settings_give_each_of_its_parameters() -> None:
    assert given().keys() == TEMPLATE["Parameters"].keys()


# buckets


def test_there_are_the_settings_buckets_and_no_other() -> None:
    assert {properties(name)["BucketName"] for name in BUCKETS} == {
        AWS.landing_bucket,
        AWS.raw_bucket,
        AWS.lake_bucket,
        AWS.artifacts_bucket,
        AWS.logs_bucket,
    }


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_is_encrypted(bucket: str) -> None:
    assert properties(bucket)["BucketEncryption"] == {
        "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    }


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_keeps_old_versions(bucket: str) -> None:
    assert properties(bucket)["VersioningConfiguration"] == {"Status": "Enabled"}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_is_never_public(bucket: str) -> None:
    assert properties(bucket)["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }


@pytest.mark.parametrize("bucket", BUCKETS)
def test_no_object_of_a_bucket_is_anyone_elses(bucket: str) -> None:
    assert properties(bucket)["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_is_reached_by_tls_only(bucket: str) -> None:
    policy = properties(f"{bucket}Policy")
    arn = f"arn:aws:s3:::{policy['Bucket']}"
    assert policy["Bucket"] == properties(bucket)["BucketName"]
    assert {
        "Sid": "OnlyTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    } in policy["PolicyDocument"]["Statement"]


@pytest.mark.parametrize("bucket", sorted({*BUCKETS} - {"LogsBucket"}))
def test_who_used_a_bucket_is_logged_where_the_service_may_write(bucket: str) -> None:
    logging = properties(bucket)["LoggingConfiguration"]
    (statement,) = (s for s in properties("LogsBucketPolicy")["PolicyDocument"]["Statement"] if s["Effect"] == "Allow")
    assert statement["Principal"] == {"Service": "logging.s3.amazonaws.com"}
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    assert f"arn:aws:s3:::{properties(bucket)['BucketName']}" in statement["Condition"]["ArnLike"]["aws:SourceArn"]
    target = f"arn:aws:s3:::{logging['DestinationBucketName']}/{logging['LogFilePrefix']}"
    assert target.startswith(statement["Resource"].removesuffix("*"))


def rules(bucket: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = properties(bucket)["LifecycleConfiguration"]["Rules"]
    return found


@pytest.mark.parametrize("bucket", BUCKETS)
def test_what_an_upload_left_half_done_goes(bucket: str) -> None:
    assert any(
        rule["Status"] == "Enabled" and "Prefix" not in rule and "AbortIncompleteMultipartUpload" in rule
        for rule in rules(bucket)
    )


def test_nothing_current_expires_but_logs_results_and_what_runs_left() -> None:
    expiring = {
        (bucket, rule.get("Prefix", "")): rule["ExpirationInDays"]
        for bucket in BUCKETS
        for rule in rules(bucket)
        if "ExpirationInDays" in rule
    }
    assert expiring == {("ArtifactsBucket", "runs/"): 14, ("LogsBucket", "athena/"): 7, ("LogsBucket", ""): 90}


def test_what_was_deleted_from_the_archive_can_always_be_brought_back() -> None:
    expiring = [rule["Prefix"] for rule in rules("RawBucket") if "NoncurrentVersionExpiration" in rule]
    assert expiring == ["tables/"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "action", ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutLifecycleConfiguration", "s3:PutBucketVersioning"]
)
def test_no_role_takes_anything_out_of_the_archive(role: str, action: str) -> None:
    """Which takes the place of a lock: with one nothing could be erased that must be."""
    assert "ObjectLockEnabled" not in properties("RawBucket")
    for resource in (s3(AWS.raw_bucket), s3(AWS.raw_bucket, "archive/kaggle/1/deputies_dataset.csv")):
        assert not allows(policies(role), action, resource)


# what else holds data


def test_each_layer_has_its_database_where_its_tables_are() -> None:
    databases = [properties(name)["DatabaseInput"] for name, kind in KINDS.items() if kind == "AWS::Glue::Database"]
    assert {database["Name"]: database["LocationUri"] for database in databases} == {
        f"{AWS.database_prefix}{layer}": (
            f"s3://{AWS.raw_bucket}/tables" if layer == "raw" else f"s3://{AWS.lake_bucket}/{layer}"
        )
        for layer in LAYERS
    }


def test_nobody_ever_knows_the_secret_and_a_change_of_these_lines_would_make_another_one() -> None:
    assert properties("CpfSecret")["GenerateSecretString"] == {"PasswordLength": 64, "ExcludePunctuation": True}
    assert properties("CpfSecret")["Name"] == AWS.cpf_secret


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind in HOLD_DATA])
def test_what_holds_data_is_kept_by_every_deletion(name: str) -> None:
    item = TEMPLATE["Resources"][name]
    # With `Retain`, a failed creation would leave buckets that keep the next one from being made.
    kept = (item["DeletionPolicy"], item["UpdateReplacePolicy"], "Condition" in item)
    assert kept == ("RetainExceptOnCreate", "Retain", False)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind not in HOLD_DATA])
def test_what_acts_is_there_only_while_the_lake_is_up(name: str) -> None:
    item = TEMPLATE["Resources"][name]
    assert item["Condition"] in ("WithCompute", "WithAlarms")
    assert "DeletionPolicy" not in item


def test_going_down_leaves_nothing_but_data() -> None:
    down = Resolver(TEMPLATE, {**given(), **PSEUDO, "Compute": "false"}, attribute)
    assert {KINDS[name] for name in down.resources()} == set(HOLD_DATA)
    assert down.outputs().keys() == {*BUCKETS, "CpfSecret"}


# alarms


def test_silence_is_alarming_and_told_to_whom_the_settings_name() -> None:
    alarm = properties("SilenceAlarm")
    told = (alarm["Namespace"], alarm["MetricName"], alarm["Dimensions"])
    assert told == ("deputies_lake", METRIC, [{"Name": "environment", "Value": "prod"}])
    # No figure at all, for half an hour in which there should have been six.
    assert (alarm["TreatMissingData"], alarm["ComparisonOperator"], alarm["Threshold"]) == (
        "breaching",
        "LessThanThreshold",
        1,
    )
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (INTERVAL_SECONDS, 6)
    assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC]
    assert properties("AlarmTopic")["Subscription"] == [{"Protocol": "email", "Endpoint": WHOM}]


def test_the_month_has_a_budget_which_is_told_before_it_is_spent() -> None:
    budget = properties("Budget")
    assert budget["Budget"] == {
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": "200", "Unit": "USD"},
    }
    told = {
        (wanted["Notification"]["NotificationType"], wanted["Notification"]["Threshold"]): wanted["Subscribers"]
        for wanted in budget["NotificationsWithSubscribers"]
    }
    by_mail = [{"SubscriptionType": "EMAIL", "Address": WHOM}]
    assert told == {("ACTUAL", 80): by_mail, ("FORECASTED", 100): by_mail}


def test_without_anybody_to_tell_there_are_no_alarms() -> None:
    alone = Resolver(TEMPLATE, {**given(), **PSEUDO, "AlarmEmail": ""}, attribute)
    assert {*RESOLVER.resources()} - {*alone.resources()} == {"AlarmTopic", "SilenceAlarm", "Budget"}


# clusters and queries


def test_clusters_encrypt_their_disks_and_what_they_write() -> None:
    encryption = properties("SecurityConfiguration")["SecurityConfiguration"]["EncryptionConfiguration"]
    assert encryption["EnableAtRestEncryption"] is True
    assert encryption["AtRestEncryptionConfiguration"] == {
        "S3EncryptionConfiguration": {"EncryptionMode": "SSE-S3"},
        "LocalDiskEncryptionConfiguration": {
            "EncryptionKeyProviderType": "AwsKms",
            "AwsKmsKey": KEY,
            "EnableEbsEncryption": True,
        },
    }


def test_a_machines_credentials_are_asked_for_by_itself_only() -> None:
    configuration = properties("SecurityConfiguration")["SecurityConfiguration"]["InstanceMetadataServiceConfiguration"]
    assert configuration == {"MinimumInstanceMetadataServiceVersion": 2, "HttpPutResponseHopLimit": 1}


def test_a_query_can_neither_scan_without_end_nor_leave_its_result_elsewhere() -> None:
    configuration = properties("Workgroup")["WorkGroupConfiguration"]
    assert configuration["EnforceWorkGroupConfiguration"] is True
    assert configuration["BytesScannedCutoffPerQuery"] == 10 * 2**30
    assert configuration["EngineVersion"] == {"SelectedEngineVersion": "Athena engine version 3"}
    assert configuration["ResultConfiguration"] == {
        "OutputLocation": f"s3://{AWS.logs_bucket}/athena/",
        "ExpectedBucketOwner": ACCOUNT,
        "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
    }


@pytest.mark.parametrize(
    ("name", "property_", "expected"),
    [
        ("EmrServiceRole", "RoleName", AWS.emr_service_role),
        ("EmrInstanceRole", "RoleName", AWS.emr_instance_profile),
        ("EmrInstanceProfile", "InstanceProfileName", AWS.emr_instance_profile),
        ("DagsterRole", "RoleName", AWS.dagster_role),
        ("DagsterInstanceProfile", "InstanceProfileName", AWS.dagster_role),
        ("ReaderRole", "RoleName", AWS.reader_role),
        ("SecurityConfiguration", "Name", AWS.stack),
        ("Workgroup", "Name", AWS.stack),
    ],
)
def test_what_the_code_refers_to_is_named_as_the_settings_say(name: str, property_: str, expected: str) -> None:
    assert properties(name)[property_] == expected


# rights


@pytest.mark.parametrize("role", ROLES)
def test_parliament_finds_no_fault_with_a_roles_policies(role: str) -> None:
    # Both say that a role is passed on, which is what these are for; to whom, see below.
    expected = {"PERMISSIONS_MANAGEMENT_ACTIONS", "PRIVILEGE_ESCALATION"}
    for document in policies(role):
        findings = parliament.analyze_policy_string(json.dumps(document), include_community_auditors=True).findings
        found = [str(finding) for finding in findings if finding.issue not in expected]
        # It does not know that a group is made in a VPC, which EC2 asks for as well.
        assert [finding for finding in found if "[{'action': 'ec2:CreateSecurityGroup'" not in finding] == []


@pytest.mark.parametrize("statement", ALLOWING)
def test_rights_are_given_by_name(statement: Document) -> None:
    assert [action for action in listed(statement["Action"]) if "*" in action] == []


def lists_names_only(statement: Document) -> bool:
    """Athena's own lists of what there is, which IAM can't limit to a resource."""
    lists = {"athena:ListDataCatalogs", "athena:ListEngineVersions", "athena:ListWorkGroups"}
    return {*listed(statement["Action"])} <= lists


@pytest.mark.parametrize("statement", ALLOWING)
def test_rights_to_data_name_the_data(statement: Document) -> None:
    services = {action.partition(":")[0] for action in listed(statement["Action"])}
    if services & {"athena", "glue", "iam", "kms", "s3", "secretsmanager"} and not lists_names_only(statement):
        assert [arn for arn in listed(statement["Resource"]) if not arn.startswith("arn:aws:")] == []
        ours = (
            "deputies-lake-prod",
            "deputies_lake_prod_",
            "aws-service-role",
            ":catalog",
            "database/default",
            CATALOG_OF_ATHENA,
            KEY,
        )
        assert [arn for arn in listed(statement["Resource"]) if not any(name in arn for name in ours)] == []


@pytest.mark.parametrize("statement", ALLOWING)
def test_a_role_is_passed_to_one_service_only(statement: Document) -> None:
    if "iam:PassRole" in listed(statement["Action"]):
        service = {
            f"arn:aws:iam::{ACCOUNT}:role/{AWS.emr_service_role}": "elasticmapreduce.amazonaws.com",
            f"arn:aws:iam::{ACCOUNT}:role/{AWS.emr_instance_profile}": "ec2.amazonaws.com",
        }[statement["Resource"]]
        assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": service}}


def trust(role: str) -> list[Document]:
    found: list[Document] = properties(role)["AssumeRolePolicyDocument"]["Statement"]
    return found


@pytest.mark.parametrize(
    ("role", "principals"),
    [
        ("EmrServiceRole", [{"Service": "elasticmapreduce.amazonaws.com"}]),
        ("EmrInstanceRole", [{"Service": "ec2.amazonaws.com"}]),
        ("DagsterRole", [{"Service": "ec2.amazonaws.com"}, {"Service": "ecs-tasks.amazonaws.com"}]),
        (
            "ReaderRole",
            [
                *[{"AWS": f"arn:aws:iam::{ACCOUNT}:root"}] * 2,
                {"Service": ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]},
            ],
        ),
    ],
)
def test_a_role_trusts_only_whom_it_is_for(role: str, principals: list[Document]) -> None:
    assert [statement["Principal"] for statement in trust(role)] == principals


def test_services_act_for_this_account_only_and_readers_are_named_by_tag_or_permission_set() -> None:
    ours = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    clusters = {"ArnLike": {"aws:SourceArn": f"arn:aws:elasticmapreduce:sa-east-1:{ACCOUNT}:*"}}
    assert trust("EmrServiceRole")[0]["Condition"] == {**ours, **clusters}
    assert trust("DagsterRole")[1]["Condition"] == ours
    assert trust("ReaderRole")[0]["Condition"] == {"StringEquals": {"aws:PrincipalTag/deputies_lake_reader": "prod"}}
    by_permission_set = trust("ReaderRole")[1]["Condition"]["ArnLike"]["aws:PrincipalArn"]
    for path in ("", "sa-east-1/"):
        role = f"aws-reserved/sso.amazonaws.com/{path}AWSReservedSSO_deputies-lake-prod-reader_0123456789abcdef"
        assert fnmatchcase(f"arn:aws:iam::{ACCOUNT}:role/{role}", by_permission_set)
    other = "aws-reserved/sso.amazonaws.com/AWSReservedSSO_deputies-lake-staging-reader_0123456789abcdef"
    assert not fnmatchcase(f"arn:aws:iam::{ACCOUNT}:role/{other}", by_permission_set)


def test_the_disks_key_serves_disks_only() -> None:
    statements = properties("DiskKey")["KeyPolicy"]["Statement"]
    (for_all,) = (statement for statement in statements if statement["Principal"] == {"AWS": "*"})
    assert for_all["Condition"] == {
        "StringEquals": {"kms:CallerAccount": ACCOUNT, "kms:ViaService": "ec2.sa-east-1.amazonaws.com"}
    }


def s3(bucket: str, key: str | None = None) -> str:
    return f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"


def glue(what: str) -> str:
    return f"arn:aws:glue:sa-east-1:{ACCOUNT}:{what}"


CATALOG = glue("catalog")
CATALOG_OF_ATHENA = f"arn:aws:athena:sa-east-1:{ACCOUNT}:datacatalog/AwsDataCatalog"
CLUSTER = f"arn:aws:elasticmapreduce:sa-east-1:{ACCOUNT}:cluster/j-1"
MACHINE = f"arn:aws:ec2:sa-east-1:{ACCOUNT}:instance/i-1"
GROUP = f"arn:aws:ec2:sa-east-1:{ACCOUNT}:security-group/sg-1"
VPC = f"arn:aws:ec2:sa-east-1:{ACCOUNT}:vpc/vpc-1"
WORKGROUP = f"arn:aws:athena:sa-east-1:{ACCOUNT}:workgroup"
OF_OUR_CLUSTER = {"aws:ResourceTag/project": "deputies_lake", "aws:ResourceTag/environment": "prod"}
OF_STAGING = {**OF_OUR_CLUSTER, "aws:ResourceTag/environment": "staging"}
WITH_OUR_TAGS = {"aws:RequestTag/project": "deputies_lake", "aws:RequestTag/environment": "prod"}
STAR, RAW = f"{AWS.database_prefix}star", f"{AWS.database_prefix}raw"
STAGED, SERVING = f"{AWS.database_prefix}staging", f"{AWS.database_prefix}serving"

ALLOWED: list[tuple[str, str, str, Context]] = [
    ("EmrInstanceRole", "s3:GetObject", s3(AWS.landing_bucket, "deputies_dataset.csv"), {}),
    ("EmrInstanceRole", "s3:PutObject", s3(AWS.landing_bucket, "Ano-2022.csv.zip"), {}),
    ("EmrInstanceRole", "s3:PutObject", s3(AWS.landing_bucket, ".fetching/Ano-2022.csv.zip.json"), {}),
    ("EmrInstanceRole", "s3:PutObject", s3(AWS.raw_bucket, "archive/kaggle/1/deputies_dataset.csv"), {}),
    ("EmrInstanceRole", "s3:DeleteObject", s3(AWS.raw_bucket, "tables/kaggle_refunds/data/1.parquet"), {}),
    ("EmrInstanceRole", "s3:PutObject", s3(AWS.lake_bucket, "star/dim_dates/data/1.parquet"), {}),
    ("EmrInstanceRole", "s3:ListBucket", s3(AWS.lake_bucket), {}),
    ("EmrInstanceRole", "s3:GetObject", s3(AWS.artifacts_bucket, "code/1/deputies_lake.zip"), {}),
    ("EmrInstanceRole", "s3:PutObject", s3(AWS.artifacts_bucket, "runs/1/step/events.pkl"), {}),
    ("EmrInstanceRole", "s3:PutObject", s3(AWS.logs_bucket, "emr/j-1/steps/s-1/stderr.gz"), {}),
    ("EmrInstanceRole", "glue:UpdateTable", glue(f"table/{STAR}/dim_dates"), {}),
    ("EmrInstanceRole", "glue:UpdateTable", CATALOG, {}),
    ("EmrInstanceRole", "glue:CreateDatabase", glue(f"database/{RAW}"), {}),
    ("EmrInstanceRole", "secretsmanager:GetSecretValue", SECRET, {}),
    ("EmrInstanceRole", "kms:Decrypt", KEY, {}),
    ("EmrServiceRole", "ec2:RunInstances", MACHINE, {}),
    ("EmrServiceRole", "ec2:TerminateInstances", MACHINE, OF_OUR_CLUSTER),
    ("EmrServiceRole", "ec2:CreateSecurityGroup", GROUP, WITH_OUR_TAGS),
    ("EmrServiceRole", "ec2:CreateSecurityGroup", VPC, {}),
    ("EmrServiceRole", "ec2:AuthorizeSecurityGroupIngress", GROUP, OF_OUR_CLUSTER),
    ("DagsterRole", "elasticmapreduce:RunJobFlow", "*", WITH_OUR_TAGS),
    ("DagsterRole", "elasticmapreduce:AddTags", CLUSTER, WITH_OUR_TAGS),
    ("DagsterRole", "elasticmapreduce:PutAutoTerminationPolicy", CLUSTER, {}),
    ("DagsterRole", "elasticmapreduce:PutManagedScalingPolicy", CLUSTER, {}),
    ("DagsterRole", "elasticmapreduce:AddJobFlowSteps", CLUSTER, OF_OUR_CLUSTER),
    ("DagsterRole", "elasticmapreduce:TerminateJobFlows", CLUSTER, OF_OUR_CLUSTER),
    ("DagsterRole", "elasticmapreduce:ListClusters", "*", {}),
    ("DagsterRole", "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "deputies_lake"}),
    ("DagsterRole", "s3:ListBucket", s3(AWS.landing_bucket), {}),
    ("DagsterRole", "s3:GetObject", s3(AWS.artifacts_bucket, "code/1/deputies_lake.zip"), {}),
    ("DagsterRole", "s3:PutObject", s3(AWS.artifacts_bucket, "runs/1/step/step_run_ref.pkl"), {}),
    ("DagsterRole", "s3:DeleteObject", s3(AWS.artifacts_bucket, "clusters/1.lease"), {}),
    ("DagsterRole", "s3:GetObject", s3(AWS.logs_bucket, "emr/j-1/steps/s-1/stderr.gz"), {}),
    ("DagsterRole", "s3:PutObject", s3(AWS.logs_bucket, "dagster/storage/1.err"), {}),
    ("DagsterRole", "s3:GetObject", s3(AWS.lake_bucket, "serving/mart_months/data/1.parquet"), {}),
    ("DagsterRole", "glue:GetTable", glue(f"table/{STAR}/ref_known_gaps"), {}),
    ("DagsterRole", "s3:PutObject", s3(AWS.lake_bucket, "published/dashboard.html"), {}),
    # As S3 asks when an object is looked for that is not there: without a prefix.
    ("DagsterRole", "s3:ListBucket", s3(AWS.lake_bucket), {}),
    ("DagsterRole", "s3:PutObject", s3(AWS.lake_bucket, "serving/data_dictionary/data/1.parquet"), {}),
    ("DagsterRole", "glue:UpdateTable", glue(f"table/{SERVING}/data_dictionary"), {}),
    ("DagsterRole", "s3:GetObject", s3(AWS.raw_bucket, "tables/file_versions/data/1.parquet"), {}),
    ("DagsterRole", "glue:GetTable", glue(f"table/{RAW}/file_versions"), {}),
    ("ReaderRole", "s3:GetObject", s3(AWS.lake_bucket, "published/dashboard.html"), {}),
    ("ReaderRole", "s3:ListBucket", s3(AWS.lake_bucket), {"s3:prefix": "published/"}),
    ("ReaderRole", "athena:StartQueryExecution", f"{WORKGROUP}/{AWS.stack}-newsroom", {}),
    ("ReaderRole", "athena:ListWorkGroups", "*", {}),
    ("ReaderRole", "athena:ListNamedQueries", f"{WORKGROUP}/{AWS.stack}", {}),
    ("ReaderRole", "athena:GetTableMetadata", CATALOG_OF_ATHENA, {}),
    ("ReaderRole", "s3:GetObject", s3(AWS.lake_bucket, "star/fct_expenses/data/1.parquet"), {}),
    ("ReaderRole", "s3:GetObject", s3(AWS.lake_bucket, "serving/mart_months/data/1.parquet"), {}),
    ("ReaderRole", "s3:ListBucket", s3(AWS.lake_bucket), {"s3:prefix": "star/fct_expenses/"}),
    ("ReaderRole", "glue:GetTable", glue(f"table/{STAR}/fct_expenses"), {}),
    ("ReaderRole", "glue:GetDatabase", glue("database/default"), {}),
    ("ReaderRole", "athena:StartQueryExecution", f"{WORKGROUP}/{AWS.stack}", {}),
    ("ReaderRole", "s3:PutObject", s3(AWS.logs_bucket, "athena/1.csv"), {}),
]

DENIED: list[tuple[str, str, str, Context]] = [
    ("EmrInstanceRole", "s3:DeleteObject", s3(AWS.raw_bucket, "archive/kaggle/1/deputies_dataset.csv"), {}),
    ("EmrInstanceRole", "s3:PutObject", s3(AWS.landing_bucket, "deputies_dataset.csv"), {}),
    ("EmrInstanceRole", "s3:PutObject", s3(AWS.artifacts_bucket, "code/1/deputies_lake.zip"), {}),
    ("EmrInstanceRole", "s3:DeleteObject", s3(AWS.logs_bucket, "access/raw/1"), {}),
    ("EmrInstanceRole", "s3:DeleteObjectVersion", s3(AWS.lake_bucket, "star/dim_dates/data/1.parquet"), {}),
    ("EmrInstanceRole", "s3:GetObject", s3("another-bucket", "1"), {}),
    ("EmrInstanceRole", "glue:UpdateTable", glue("table/deputies_lake_staging_star/dim_dates"), {}),
    ("EmrInstanceRole", "glue:DeleteDatabase", glue(f"database/{STAR}"), {}),
    ("EmrInstanceRole", "secretsmanager:GetSecretValue", f"{SECRET}x", {}),
    ("EmrInstanceRole", "secretsmanager:PutSecretValue", SECRET, {}),
    ("EmrServiceRole", "ec2:TerminateInstances", MACHINE, {}),
    ("EmrServiceRole", "ec2:TerminateInstances", MACHINE, OF_STAGING),
    ("EmrServiceRole", "ec2:CreateSecurityGroup", GROUP, {}),
    ("EmrServiceRole", "ec2:AuthorizeSecurityGroupIngress", GROUP, {}),
    ("EmrServiceRole", "ec2:RevokeSecurityGroupEgress", GROUP, {"aws:ResourceTag/project": "another"}),
    ("EmrServiceRole", "s3:GetObject", s3(AWS.raw_bucket, "archive/1"), {}),
    ("DagsterRole", "elasticmapreduce:RunJobFlow", "*", {}),
    ("DagsterRole", "elasticmapreduce:AddTags", CLUSTER, {**WITH_OUR_TAGS, **OF_STAGING}),
    ("DagsterRole", "elasticmapreduce:PutAutoTerminationPolicy", CLUSTER, OF_STAGING),
    ("DagsterRole", "elasticmapreduce:PutManagedScalingPolicy", CLUSTER, OF_STAGING),
    ("DagsterRole", "elasticmapreduce:AddJobFlowSteps", CLUSTER, {}),
    ("DagsterRole", "elasticmapreduce:TerminateJobFlows", CLUSTER, OF_STAGING),
    ("DagsterRole", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin", {"iam:PassedToService": "ec2.amazonaws.com"}),
    ("DagsterRole", "s3:PutObject", s3(AWS.artifacts_bucket, "code/1/deputies_lake.zip"), {}),
    ("DagsterRole", "s3:GetObject", s3(AWS.landing_bucket, "deputies_dataset.csv"), {}),
    ("DagsterRole", "s3:GetObject", s3(AWS.raw_bucket, "archive/1"), {}),
    ("DagsterRole", "s3:GetObject", s3(AWS.lake_bucket, "staging/rejected_rows/data/1.parquet"), {}),
    ("DagsterRole", "s3:PutObject", s3(AWS.lake_bucket, "star/fct_expenses/data/1.parquet"), {}),
    ("DagsterRole", "s3:DeleteObject", s3(AWS.lake_bucket, "star/fct_expenses/data/1.parquet"), {}),
    ("DagsterRole", "s3:GetObject", s3(AWS.raw_bucket, "tables/chamber_expenses/data/1.parquet"), {}),
    ("DagsterRole", "s3:GetObject", s3(AWS.raw_bucket, "tables/kaggle_reimbursements/data/1.parquet"), {}),
    ("DagsterRole", "s3:GetObject", s3(AWS.raw_bucket, "tables/kaggle_reimbursements/metadata/1-m0.avro"), {}),
    ("DagsterRole", "glue:UpdateTable", glue(f"table/{STAR}/fct_expenses"), {}),
    ("DagsterRole", "secretsmanager:GetSecretValue", SECRET, {}),
    ("DagsterRole", "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "AWS/EC2"}),
    ("ReaderRole", "s3:GetObject", s3(AWS.raw_bucket, "archive/1"), {}),
    ("ReaderRole", "s3:PutObject", s3(AWS.lake_bucket, "published/dashboard.html"), {}),
    ("ReaderRole", "athena:CreateNamedQuery", f"{WORKGROUP}/{AWS.stack}", {}),
    ("ReaderRole", "s3:GetObject", s3(AWS.raw_bucket, "tables/kaggle_refunds/data/1.parquet"), {}),
    ("ReaderRole", "s3:ListBucket", s3(AWS.raw_bucket), {}),
    ("ReaderRole", "s3:GetObject", s3(AWS.landing_bucket, "deputies_dataset.csv"), {}),
    ("ReaderRole", "s3:GetObject", s3(AWS.lake_bucket, "staging/rejected_rows/data/1.parquet"), {}),
    ("ReaderRole", "s3:GetObject", s3(AWS.lake_bucket, "a_layer_of_the_future/1.parquet"), {}),
    ("ReaderRole", "s3:ListBucket", s3(AWS.lake_bucket), {"s3:prefix": "staging/"}),
    ("ReaderRole", "s3:ListBucket", s3(AWS.lake_bucket), {}),
    ("ReaderRole", "s3:PutObject", s3(AWS.lake_bucket, "star/fct_expenses/data/1.parquet"), {}),
    ("ReaderRole", "s3:GetObject", s3(AWS.logs_bucket, "emr/j-1/steps/s-1/stderr.gz"), {}),
    ("ReaderRole", "s3:GetObject", s3(AWS.logs_bucket, "dagster/storage/1.err"), {}),
    ("ReaderRole", "s3:GetObject", s3(AWS.artifacts_bucket, "runs/1/step/events.pkl"), {}),
    ("ReaderRole", "glue:GetTable", glue(f"table/{RAW}/kaggle_refunds"), {}),
    ("ReaderRole", "glue:GetTable", glue(f"table/{STAGED}/rejected_rows"), {}),
    ("ReaderRole", "glue:UpdateTable", glue(f"table/{STAR}/fct_expenses"), {}),
    ("ReaderRole", "athena:StartQueryExecution", f"{WORKGROUP}/primary", {}),
    ("ReaderRole", "secretsmanager:GetSecretValue", SECRET, {}),
]


@pytest.mark.parametrize(("role", "action", "resource", "context"), ALLOWED)
def test_a_role_may_do_its_work(role: str, action: str, resource: str, context: Context) -> None:
    assert allows(policies(role), action, resource, context)


@pytest.mark.parametrize(("role", "action", "resource", "context"), DENIED)
def test_a_role_may_do_nothing_else(role: str, action: str, resource: str, context: Context) -> None:
    assert not allows(policies(role), action, resource, context)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:GetObject", s3(AWS.raw_bucket, "archive/1")),
        ("s3:GetObject", s3(AWS.landing_bucket, "deputies_dataset.csv")),
        ("s3:GetObject", s3(AWS.lake_bucket, "staging/rejected_rows/data/1.parquet")),
        ("glue:GetTable", glue(f"table/{RAW}/kaggle_refunds")),
    ],
)
def test_no_other_policy_can_let_a_reader_see_personal_ids(action: str, resource: str) -> None:
    anything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    assert allows([anything], action, resource)
    assert not allows([anything, *policies("ReaderRole")], action, resource)


def principal(role: str = "admin", operator_of: str | None = None) -> Context:
    tags = {} if operator_of is None else {"aws:PrincipalTag/deputies_lake_operator": operator_of}
    return {"aws:SecureTransport": "true", "aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/{role}", **tags}


def bucket_denies(action: str, resource: str, context: Context) -> bool:
    bucket = next(name for name in BUCKETS if s3(properties(name)["BucketName"]) == resource.partition("/")[0])
    return denies([properties(f"{bucket}Policy")["PolicyDocument"]], action, resource, context)


PERSONAL = [
    s3(AWS.landing_bucket, "deputies_dataset.csv"),
    s3(AWS.raw_bucket, "archive/1"),
    s3(AWS.raw_bucket, "tables/kaggle_refunds/data/1.parquet"),
    s3(AWS.lake_bucket, "staging/rejected_rows/data/1.parquet"),
]


@pytest.mark.parametrize("resource", PERSONAL)
@pytest.mark.parametrize("action", ["s3:GetObject", "s3:GetObjectVersion"])
@pytest.mark.parametrize(
    "caller",
    [principal(), principal(AWS.reader_role), principal(AWS.emr_service_role), principal(operator_of="staging")],
)
def test_a_bucket_shows_personal_ids_to_nobody_else_whatever_the_account_allows(
    resource: str, action: str, caller: Context
) -> None:
    assert bucket_denies(action, resource, caller)


@pytest.mark.parametrize("resource", PERSONAL)
@pytest.mark.parametrize("caller", [principal(AWS.emr_instance_profile), principal(operator_of="prod")])
def test_a_bucket_shows_them_to_steps_and_operators(resource: str, caller: Context) -> None:
    assert not bucket_denies("s3:GetObject", resource, caller)


@pytest.mark.parametrize(
    ("action", "resource", "caller"),
    [
        ("s3:GetObject", s3(AWS.raw_bucket, "tables/file_versions/data/1.parquet"), principal(AWS.dagster_role)),
        ("s3:GetObject", s3(AWS.lake_bucket, "star/fct_expenses/data/1.parquet"), principal(AWS.reader_role)),
        # Files are brought, and the environment is deleted, by people who need not read.
        ("s3:PutObject", s3(AWS.landing_bucket, "deputies_dataset.csv"), principal()),
        ("s3:DeleteObjectVersion", s3(AWS.raw_bucket, "archive/1"), principal()),
        ("s3:ListBucketVersions", s3(AWS.raw_bucket), principal()),
        ("s3:PutBucketPolicy", s3(AWS.raw_bucket), principal()),
    ],
)
def test_a_bucket_denies_nothing_else(action: str, resource: str, caller: Context) -> None:
    assert not bucket_denies(action, resource, caller)


# Lake Formation, as documented

GRANTS = re.findall(
    r"^\| `(-[a-z-]+)` \| ([a-z, ]+) \| ([A-Z_, ]+) \| (?:of (.+) alone: )?([A-Z_, ]+) \|$",
    (resources.files("deputies_lake") / "docs" / "aws.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)
BY_IAM = {
    "DESCRIBE": "glue:GetTable",
    "SELECT": "glue:GetTable",
    "ALTER": "glue:UpdateTable",
    "DROP": "glue:DeleteTable",
    "CREATE_TABLE": "glue:CreateTable",
}
BY_ENDING = {
    properties(role)["RoleName"].removeprefix(AWS.stack): role
    for role in ("EmrInstanceRole", "DagsterRole", "ReaderRole")
}


def granted(ending: str, layer: str) -> dict[str, set[str]]:
    """What the page says to grant a role on a layer's tables, by the table's name or "any"."""
    found: dict[str, set[str]] = {}
    for of, layers, on_database, only, on_tables in GRANTS:
        if of == ending and layer in layers.split(", "):
            for table in re.findall(r"`(\w+)`", only) or ["any"]:
                wanted = {*on_tables.split(", "), *on_database.split(", ")} - {"DESCRIBE"}
                found[table] = {BY_IAM["DESCRIBE"], *(BY_IAM[permission] for permission in wanted)}
    return found


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("ending", BY_ENDING)
def test_what_lake_formation_is_to_grant_is_what_iam_allows(ending: str, layer: str) -> None:
    grants = granted(ending, layer)
    for table in {*grants, "any"}:
        arn = glue(f"table/{AWS.database_prefix}{layer}/{table}")
        allowed = {action for action in BY_IAM.values() if allows(policies(BY_ENDING[ending]), action, arn)}
        assert allowed == grants.get(table, set())
