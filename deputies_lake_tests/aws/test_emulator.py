import gzip
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.fs as pafs
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField

from deputies_lake.aws import client, require_account
from deputies_lake.environments import ACCOUNT as ACCOUNT_VARIABLE
from deputies_lake.environments import AwsSettings, load_settings
from deputies_lake.lakehouse.iceberg import glue_catalog
from deputies_lake_tests.aws import machine
from deputies_lake_tests.aws.emulator import ACCOUNT, EmulatedAws
from deputies_lake_tests.aws.machine import Machine, MachineError
from deputies_lake_tests.aws.nodes import as_run_here
from deputies_lake_tests.aws.sandbox import CHECKOUT, SandboxError, require_sandbox
from deputies_lake_tests.emr.cloud import make_bucket

BUCKET = "deputies-lake-test"
PROFILE = "deputies-lake-test"
EXPORTED = "export AWS_ENDPOINT_URL"

BOOTSTRAP = """#!/bin/bash
set -eu
aws s3 cp "$1" "$HOME/received"
python3.11 -m venv --without-pip "$2"
date +%N > "$HOME/made_at"
"""
PROGRAM = """
import json, os, sys
import pyspark
from pyspark.sql import SparkSession
from shipped import PROOF

spark = SparkSession.builder.getOrCreate()
spark.range(100).write.mode("overwrite").parquet(sys.argv[1])
print(json.dumps({
    "rows": spark.read.parquet(sys.argv[1]).count(),
    "python": sys.executable,
    "pyspark": pyspark.__file__,
    "version": pyspark.__version__,
    "master": spark.sparkContext.master,
    "partitions": spark.conf.get("spark.sql.shuffle.partitions"),
    "proof": PROOF,
    "variables": dict(os.environ),
}))
"""


def eventually(look: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def account(emulated_aws: EmulatedAws) -> EmulatedAws:
    """With a bucket, and an instance profile for clusters."""
    s3 = emulated_aws.client("s3")
    make_bucket(BUCKET, "sa-east-1")
    iam = emulated_aws.client("iam")
    anything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.create_instance_profile(InstanceProfileName=PROFILE)
    iam.create_role(RoleName=PROFILE, AssumeRolePolicyDocument="{}")
    iam.put_role_policy(RoleName=PROFILE, PolicyName="anything", PolicyDocument=json.dumps(anything))
    iam.add_role_to_instance_profile(InstanceProfileName=PROFILE, RoleName=PROFILE)
    s3.put_object(Bucket=BUCKET, Key="bootstrap.sh", Body=BOOTSTRAP)
    s3.put_object(Bucket=BUCKET, Key="received", Body="hello")
    s3.put_object(Bucket=BUCKET, Key="failing.sh", Body="#!/bin/sh\necho no luck >&2\nexit 7\n")
    return emulated_aws


def start_cluster(aws: EmulatedAws, **given: Any) -> str:
    instances = {"KeepJobFlowAliveWhenNoSteps": True, **given.pop("Instances", {})}
    defaults = {"Name": "test", "JobFlowRole": PROFILE, "LogUri": f"s3://{BUCKET}/logs"}
    cluster: str = aws.client("emr").run_job_flow(**{**defaults, **given}, Instances=instances)["JobFlowId"]
    return cluster


def action(script: str, *arguments: str) -> dict[str, Any]:
    path = f"s3://{BUCKET}/{script}"
    return {"Name": script, "ScriptBootstrapAction": {"Path": path, "Args": list(arguments)}}


def add_step(aws: EmulatedAws, cluster: str, *command: str, on_failure: str = "CONTINUE") -> str:
    jar = {"Jar": "command-runner.jar", "Args": list(command)}
    step = {"Name": "test", "ActionOnFailure": on_failure, "HadoopJarStep": jar}
    added: list[str] = aws.client("emr").add_job_flow_steps(JobFlowId=cluster, Steps=[step])["StepIds"]
    return added[0]


def cluster_status(aws: EmulatedAws, cluster: str) -> dict[str, Any]:
    status: dict[str, Any] = aws.client("emr").describe_cluster(ClusterId=cluster)["Cluster"]["Status"]
    return status


def step_status(aws: EmulatedAws, cluster: str, step: str) -> dict[str, Any]:
    status: dict[str, Any] = aws.client("emr").describe_step(ClusterId=cluster, StepId=step)["Step"]["Status"]
    return status


def end_of_cluster(aws: EmulatedAws, cluster: str) -> dict[str, Any]:
    eventually(lambda: cluster_status(aws, cluster)["State"].startswith("TERMINATED"))
    return cluster_status(aws, cluster)


def end_of_step(aws: EmulatedAws, cluster: str, step: str) -> dict[str, Any]:
    over = ("COMPLETED", "FAILED", "CANCELLED")
    eventually(lambda: step_status(aws, cluster, step)["State"] in over, seconds=60)
    return step_status(aws, cluster, step)


def log(aws: EmulatedAws, key: str) -> str:
    stored = aws.client("s3").get_object(Bucket=BUCKET, Key=f"logs/{key}.gz")["Body"].read()
    return gzip.decompress(stored).decode()


def said(aws: EmulatedAws, cluster: str, *command: str) -> str:
    """What a command prints that runs as a step."""
    step = add_step(aws, cluster, *command)
    assert end_of_step(aws, cluster, step)["State"] == "COMPLETED", log(aws, f"{cluster}/steps/{step}/stderr")
    return log(aws, f"{cluster}/steps/{step}/stdout").strip()


def with_marker(marker: str) -> list[int]:
    """The processes that have it in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker in path.read_text(encoding="utf-8", errors="replace"):
                found.append(int(path.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


@pytest.fixture(scope="module")
def cluster(account: EmulatedAws) -> str:
    """One that is ready, for tests that don't end it."""
    started = start_cluster(
        account,
        StepConcurrencyLevel=2,
        BootstrapActions=[action("bootstrap.sh", f"s3://{BUCKET}/received", "/home/hadoop/bare")],
        Configurations=[{"Classification": "spark-defaults", "Properties": {"spark.sql.shuffle.partitions": "3"}}],
    )
    eventually(lambda: cluster_status(account, started)["State"] == "WAITING")
    return started


@pytest.fixture
def own_cluster(account: EmulatedAws) -> Iterator[str]:
    started = start_cluster(account)
    eventually(lambda: cluster_status(account, started)["State"] == "WAITING")
    yield started
    account.client("emr").terminate_job_flows(JobFlowIds=[started])
    end_of_cluster(account, started)


# Spark on the cluster


@pytest.fixture(scope="module")
def report(account: EmulatedAws, cluster: str) -> Mapping[str, Any]:
    """What a program saw that ran on the cluster as the launcher's does."""
    s3 = account.client("s3")
    shipped = io.BytesIO()
    with zipfile.ZipFile(shipped, "w") as code:
        code.writestr("shipped.py", "PROOF = 'from the zip'")
    s3.put_object(Bucket=BUCKET, Key="code.zip", Body=shipped.getvalue())
    s3.put_object(Bucket=BUCKET, Key="program.py", Body=PROGRAM)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DEPUTIES_LAKE_HOME", "of the host")
        environment.setenv("DAGSTER_HOME", "of the host")
        printed = said(
            account,
            cluster,
            *("env", "FORWARDED=yes", "/usr/lib/spark/bin/spark-submit", "--master", "yarn", "--deploy-mode", "client"),
            *("--conf", "spark.pyspark.driver.python=/home/hadoop/bare/bin/python"),
            *("--py-files", f"s3://{BUCKET}/code.zip", f"s3://{BUCKET}/program.py", f"s3://{BUCKET}/table"),
        )
    found: Mapping[str, Any] = json.loads(printed)
    return found


def test_a_step_writes_to_s3_and_reads_it_back(account: EmulatedAws, report: Mapping[str, Any]) -> None:
    objects = account.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="table/")["Contents"]
    assert report["rows"] == 100
    assert any(stored["Key"].endswith(".parquet") for stored in objects)


def test_spark_submit_brings_spark_to_a_python_that_has_none(report: Mapping[str, Any]) -> None:
    assert report["python"].endswith("/bare/bin/python")
    assert report["pyspark"].startswith(report["variables"]["SPARK_HOME"])
    assert report["version"] == "3.5.6"


def test_spark_runs_here_where_emr_would_ask_yarn(report: Mapping[str, Any]) -> None:
    assert report["master"] == "local[2]"


def test_the_code_that_runs_is_the_one_that_was_shipped(report: Mapping[str, Any]) -> None:
    assert report["proof"] == "from the zip"


def test_the_cluster_s_own_spark_settings_hold(report: Mapping[str, Any]) -> None:
    assert report["partitions"] == "3"


def test_a_step_has_the_variables_of_its_cluster_and_none_of_the_host(cluster: str, report: Mapping[str, Any]) -> None:
    variables = report["variables"]
    assert variables["FORWARDED"] == "yes"
    assert variables["AWS_ACCESS_KEY_ID"] == variables["EMR_CLUSTER_ID"] == cluster
    assert "AWS_REGION" not in variables
    assert not [name for name in variables if name.startswith(("DEPUTIES_LAKE_", "DAGSTER_"))]


def test_a_step_s_calls_are_listed_under_its_cluster(
    account: EmulatedAws, cluster: str, report: Mapping[str, Any]
) -> None:
    operations = {call.operation for call in account.gate.calls(caller=cluster)}
    assert {"s3:GetObject", "s3:PutObject"} <= operations


# What a step can see


def test_a_step_can_t_see_the_checkout(account: EmulatedAws, cluster: str) -> None:
    assert said(account, cluster, "ls", "-A", str(CHECKOUT)) == ""


def test_its_home_is_the_cluster_s_own(account: EmulatedAws, cluster: str, own_cluster: str) -> None:
    assert "received" in said(account, cluster, "ls", "/home/hadoop")
    assert said(account, own_cluster, "ls", "/home/hadoop") == ""


def test_the_machine_s_python_knows_no_spark(account: EmulatedAws, cluster: str) -> None:
    look = "import importlib.util as u; print(u.find_spec('pyspark'), u.find_spec('dagster'))"
    assert said(account, cluster, "python3.11", "-c", look) == "None None"


# The machine


def test_what_a_sandbox_would_hide_is_refused_with_the_remedy() -> None:
    with pytest.raises(SandboxError, match="Put it elsewhere: XDG_CACHE_HOME decides where the EMR machine is"):
        require_sandbox(CHECKOUT / ".cache")


def test_where_nothing_can_be_hidden_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SandboxError, match="runs on Linux only: it needs unshare and setpriv"):
        require_sandbox()


def test_a_machine_is_built_once_by_however_many_want_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    built: list[Machine] = []

    def build(made: Machine) -> None:
        time.sleep(0.2)
        made.directory.mkdir()
        built.append(made)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(machine, "_build", build)
    with ThreadPoolExecutor(3) as builders:
        provided = list(builders.map(lambda _: machine.provide_machine(), range(3)))
    assert provided == built * 3


def test_a_machine_that_was_left_unfinished_is_built_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def build(made: Machine) -> None:
        made.directory.mkdir()
        raise KeyboardInterrupt

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(machine, "_build", build)
    with pytest.raises(KeyboardInterrupt):
        machine.provide_machine()
    monkeypatch.setattr(machine, "_build", lambda made: made.directory.mkdir())
    assert machine.provide_machine().directory.is_dir()


def test_a_jar_with_other_bytes_is_refused(tmp_path: Path) -> None:
    """A stand-in for pip brings a package with the names that are wanted."""
    pip = tmp_path / "pip.py"
    pip.write_text(
        "import io, sys, tarfile\n"
        "with tarfile.open(sys.argv[sys.argv.index('--dest') + 1] + '/package.tar.gz', 'w:gz') as package:\n"
        "    for name in ('hadoop-aws-3.3.1.jar', 'aws-java-sdk-bundle-1.11.901.jar'):\n"
        "        package.addfile(tarfile.TarInfo(f'package/deps/jars/{name}'), io.BytesIO())\n",
        encoding="utf-8",
    )
    with pytest.raises(MachineError, match=r"hadoop-aws-3\.3\.1\.jar of sagemaker_pyspark==1.4.5 has sha256 e3b0c44"):
        machine._install_jars([sys.executable, str(pip)], tmp_path / "jars")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["spark-submit", "p.py", "--master", "own"], ["S", "p.py", "--master", "own"]),
        (["spark-submit", "--verbose", "--master", "yarn", "p.py"], ["S", "--verbose", "--master", "local[2]", "p.py"]),
        (["env", "A=b", "/usr/lib/spark/bin/spark-submit", "p.py"], ["env", "A=b", "S", "p.py"]),
        (["env", "A=b", "ls", "-l"], ["env", "A=b", "ls", "-l"]),
        (["aws", "s3", "ls"], ["aws", "s3", "ls"]),
    ],
    ids=["own arguments", "option without value", "env", "env of another program", "another program"],
)
def test_only_what_asks_for_spark_is_translated(given: Sequence[str], expected: Sequence[str]) -> None:
    spark = ["/spark", "--properties-file", "/defaults"]
    wanted = [part for argument in expected for part in (spark if argument == "S" else [argument])]
    assert as_run_here(given, Path("/spark"), Path("/defaults")) == wanted


# Clusters


def test_a_cluster_starts_bootstraps_and_waits(account: EmulatedAws) -> None:
    account.client("s3").put_object(Bucket=BUCKET, Key="slow.sh", Body="#!/bin/sh\nsleep 0.7\n")
    seen: list[str] = []
    started = start_cluster(account, BootstrapActions=[action("slow.sh")])
    while not seen or seen[-1] != "WAITING":
        state = cluster_status(account, started)["State"]
        seen += [state] if state not in seen else []
    account.client("emr").terminate_job_flows(JobFlowIds=[started])
    assert seen in (["STARTING", "BOOTSTRAPPING", "WAITING"], ["BOOTSTRAPPING", "WAITING"])


def test_a_cluster_is_described_as_it_was_asked_for(account: EmulatedAws) -> None:
    def fleet(kind: str, on_demand: int, spot: int) -> dict[str, Any]:
        types = [{"InstanceType": "m6i.xlarge", "WeightedCapacity": 4}]
        targets = {"TargetOnDemandCapacity": on_demand, "TargetSpotCapacity": spot}
        return {"Name": kind, "InstanceFleetType": kind, "InstanceTypeConfigs": types, **targets}

    emr = account.client("emr")
    emr.create_security_configuration(Name="encrypted", SecurityConfiguration="{}")
    limits = {"UnitType": "InstanceFleetUnits", "MinimumCapacityUnits": 4, "MaximumCapacityUnits": 16}
    fleets = [fleet("MASTER", 1, 0), fleet("CORE", 4, 0), fleet("TASK", 0, 4)]
    started = start_cluster(
        account,
        ReleaseLabel="emr-7.13.0",
        StepConcurrencyLevel=4,
        SecurityConfiguration="encrypted",
        AutoTerminationPolicy={"IdleTimeout": 1200},
        ManagedScalingPolicy={"ComputeLimits": limits},
        Tags=[{"Key": "project", "Value": "deputies_lake"}],
        Instances={"InstanceFleets": fleets, "Ec2SubnetIds": ["subnet-1"]},
    )
    eventually(lambda: cluster_status(account, started)["State"] == "WAITING")
    found = emr.describe_cluster(ClusterId=started)["Cluster"]
    listed = emr.list_instance_fleets(ClusterId=started)["InstanceFleets"]
    assert found["Tags"] == [{"Key": "project", "Value": "deputies_lake"}]
    assert found["Status"]["Timeline"].keys() == {"CreationDateTime", "ReadyDateTime"}
    assert (found["ReleaseLabel"], found["StepConcurrencyLevel"]) == ("emr-7.13.0", 4)
    assert (found["InstanceCollectionType"], found["SecurityConfiguration"]) == ("INSTANCE_FLEET", "encrypted")
    assert found["LogUri"] == f"s3n://{BUCKET}/logs/"
    assert found["Ec2InstanceAttributes"]["IamInstanceProfile"] == PROFILE
    assert found["Ec2InstanceAttributes"]["Ec2SubnetId"] == "subnet-1"
    assert [(f["InstanceFleetType"], f["TargetSpotCapacity"], f["Status"]["State"]) for f in listed] == [
        ("MASTER", 0, "RUNNING"),
        ("CORE", 0, "RUNNING"),
        ("TASK", 4, "RUNNING"),
    ]
    assert listed[0]["InstanceTypeSpecifications"][0]["InstanceType"] == "m6i.xlarge"
    assert emr.get_managed_scaling_policy(ClusterId=started)["ManagedScalingPolicy"] == {"ComputeLimits": limits}
    assert emr.get_auto_termination_policy(ClusterId=started)["AutoTerminationPolicy"] == {"IdleTimeout": 1200}
    assert emr.describe_cluster(ClusterId=started)["Cluster"]["ClusterArn"].split(":")[3] == "sa-east-1"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"JobFlowRole": "unknown"}, "Invalid InstanceProfile: unknown."),
        ({"SecurityConfiguration": "unknown"}, "Security configuration with name 'unknown' does not exist."),
        ({"AutoTerminationPolicy": {"IdleTimeout": 30}}, "IdleTimeout must be from 60"),
        (
            {"Instances": {"InstanceFleets": [{"InstanceFleetType": "CORE", "TargetOnDemandCapacity": 1}]}},
            "one master instance fleet",
        ),
    ],
    ids=["instance profile", "security configuration", "idle timeout", "fleets"],
)
def test_a_cluster_that_aws_would_refuse_is_refused(account: EmulatedAws, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        start_cluster(account, **given)


def test_clusters_are_listed_newest_first_on_pages_of_50(account: EmulatedAws) -> None:
    far = boto3.client("emr", region_name="eu-west-1")
    started = [
        far.run_job_flow(Name=str(n), JobFlowRole=PROFILE, Instances={"KeepJobFlowAliveWhenNoSteps": True})["JobFlowId"]
        for n in range(51)
    ]
    far.terminate_job_flows(JobFlowIds=started[:1])
    first = far.list_clusters()
    second = far.list_clusters(Marker=first["Marker"])
    eventually(lambda: far.list_clusters(ClusterStates=["TERMINATED"])["Clusters"])
    ended = far.list_clusters(ClusterStates=["TERMINATED"])["Clusters"]
    far.terminate_job_flows(JobFlowIds=started)
    assert [found["Id"] for found in first["Clusters"] + second["Clusters"]] == started[::-1]
    assert (len(first["Clusters"]), "Marker" in second) == (50, False)
    assert [found["Id"] for found in ended] == started[:1]
    assert not {found["Id"] for found in account.client("emr").list_clusters()["Clusters"]} & set(started)


def test_a_bootstrap_that_fails_ends_the_cluster_and_says_which(account: EmulatedAws) -> None:
    fine = action("bootstrap.sh", f"s3://{BUCKET}/received", "/home/hadoop/bare")
    started = start_cluster(account, BootstrapActions=[fine, action("failing.sh")])
    status = end_of_cluster(account, started)
    message = f"On the master instance ({started}), bootstrap action 2 returned a non-zero return code"
    assert status["State"] == "TERMINATED_WITH_ERRORS"
    assert status["StateChangeReason"] == {"Code": "BOOTSTRAP_FAILURE", "Message": message}
    assert log(account, f"{started}/node/{started}/bootstrap-actions/2/stderr") == "no luck\n"


def test_a_bootstrap_script_that_is_missing_ends_the_cluster(account: EmulatedAws) -> None:
    status = end_of_cluster(account, start_cluster(account, BootstrapActions=[action("missing.sh")]))
    assert status["StateChangeReason"]["Code"] == "BOOTSTRAP_FAILURE"
    assert f"there is no s3://{BUCKET}/missing.sh" in status["StateChangeReason"]["Message"]


def test_the_same_bootstrap_is_not_repeated(account: EmulatedAws, cluster: str) -> None:
    actions = [action("bootstrap.sh", f"s3://{BUCKET}/received", "/home/hadoop/bare")]
    second = start_cluster(account, BootstrapActions=actions)
    eventually(lambda: cluster_status(account, second)["State"] == "WAITING")
    look = ("sh", "-c", "cat ~/made_at && /home/hadoop/bare/bin/python -c ''")
    assert said(account, second, *look) == said(account, cluster, *look)
    account.client("emr").terminate_job_flows(JobFlowIds=[second])


def end_when_idle(aws: EmulatedAws, cluster: str) -> None:
    """After 0.6 seconds."""
    aws.scale_idle_time(0.01)
    aws.client("emr").put_auto_termination_policy(ClusterId=cluster, AutoTerminationPolicy={"IdleTimeout": 60})


def test_an_idle_cluster_ends_by_its_policy(aws: EmulatedAws, own_cluster: str) -> None:
    end_when_idle(aws, own_cluster)
    assert end_of_cluster(aws, own_cluster)["State"] == "TERMINATED"


def test_a_cluster_ends_under_a_step_without_an_application_of_yarn(aws: EmulatedAws, own_cluster: str) -> None:
    unseen = add_step(aws, own_cluster, "sleep", "60")
    eventually(lambda: step_status(aws, own_cluster, unseen)["State"] == "RUNNING")
    end_when_idle(aws, own_cluster)
    assert end_of_cluster(aws, own_cluster)["State"] == "TERMINATED"
    assert step_status(aws, own_cluster, unseen)["State"] == "CANCELLED"


def test_a_cluster_whose_busy_mark_is_touched_stays(aws: EmulatedAws, own_cluster: str) -> None:
    touch = "for _ in $(seq 20); do touch /emr/metricscollector/isbusy; sleep 0.1; done"
    end_when_idle(aws, own_cluster)
    assert end_of_step(aws, own_cluster, add_step(aws, own_cluster, "sh", "-c", touch))["State"] == "COMPLETED"


def test_a_cluster_on_which_spark_runs_stays(aws: EmulatedAws, own_cluster: str) -> None:
    program = (
        "from pathlib import Path; import time; from pyspark.sql import SparkSession\n"
        "spark = SparkSession.builder.getOrCreate(); Path.home().joinpath('up').touch(); time.sleep(2)"
    )
    aws.client("s3").put_object(Bucket=BUCKET, Key="waiting.py", Body=program)
    busy = add_step(aws, own_cluster, "spark-submit", f"s3://{BUCKET}/waiting.py")
    eventually(lambda: "up" in said(aws, own_cluster, "ls", "/home/hadoop"), seconds=60)
    end_when_idle(aws, own_cluster)
    assert end_of_step(aws, own_cluster, busy)["State"] == "COMPLETED"


def test_a_cluster_that_is_not_to_stay_ends_after_its_steps(account: EmulatedAws) -> None:
    started = start_cluster(account, Instances={"KeepJobFlowAliveWhenNoSteps": False})
    assert end_of_cluster(account, started)["StateChangeReason"]["Code"] == "ALL_STEPS_COMPLETED"


def test_a_terminated_cluster_takes_no_steps(account: EmulatedAws) -> None:
    started = start_cluster(account)
    account.client("emr").terminate_job_flows(JobFlowIds=[started])
    assert end_of_cluster(account, started)["StateChangeReason"]["Code"] == "USER_REQUEST"
    with pytest.raises(ClientError, match="shutting down, terminated, or finished may not be modified"):
        add_step(account, started, "true")


# Steps


def test_as_many_steps_run_at_once_as_the_cluster_allows(account: EmulatedAws, cluster: str) -> None:
    steps = [add_step(account, cluster, "sleep", "1") for _ in range(3)]
    eventually(lambda: len(account.processes()) == 2)
    states = [step_status(account, cluster, step)["State"] for step in steps]
    assert states == ["RUNNING", "RUNNING", "PENDING"]
    assert cluster_status(account, cluster)["State"] == "RUNNING"
    assert [end_of_step(account, cluster, step)["State"] for step in steps] == ["COMPLETED"] * 3
    eventually(lambda: cluster_status(account, cluster)["State"] == "WAITING")


def test_a_failed_step_says_why_and_where_to_read_more(account: EmulatedAws, cluster: str) -> None:
    step = add_step(account, cluster, "sh", "-c", "echo 'ValueError: a year is missing' >&2; exit 3")
    status = end_of_step(account, cluster, step)
    assert status["State"] == "FAILED"
    assert status["FailureDetails"] == {
        "Reason": "Unknown Error.",
        "Message": "ValueError: a year is missing",
        "LogFile": f"s3n://{BUCKET}/logs/{cluster}/steps/{step}/stderr.gz",
    }
    assert "ended with exit code 3" in log(account, f"{cluster}/steps/{step}/controller")


def test_a_step_that_fails_may_cancel_those_that_wait(aws: EmulatedAws, own_cluster: str) -> None:
    aws.delay_steps(0.5)
    failing = add_step(aws, own_cluster, "false", on_failure="CANCEL_AND_WAIT")
    waiting = add_step(aws, own_cluster, "true")
    assert end_of_step(aws, own_cluster, failing)["State"] == "FAILED"
    assert end_of_step(aws, own_cluster, waiting)["State"] == "CANCELLED"
    assert cluster_status(aws, own_cluster)["State"] in {"RUNNING", "WAITING"}


def test_a_step_that_fails_may_end_its_cluster(account: EmulatedAws) -> None:
    started = start_cluster(account)
    add_step(account, started, "false", on_failure="TERMINATE_CLUSTER")
    status = end_of_cluster(account, started)
    assert (status["State"], status["StateChangeReason"]["Code"]) == ("TERMINATED_WITH_ERRORS", "STEP_FAILURE")


def test_where_steps_run_at_once_they_must_continue(account: EmulatedAws, cluster: str) -> None:
    with pytest.raises(ClientError, match="ActionOnFailure must be CONTINUE"):
        add_step(account, cluster, "true", on_failure="CANCEL_AND_WAIT")


@pytest.mark.parametrize("option", ["SEND_INTERRUPT", "TERMINATE_PROCESS"])
def test_a_running_step_can_be_cancelled(account: EmulatedAws, cluster: str, option: str) -> None:
    step = add_step(account, cluster, "sleep", "600")
    eventually(lambda: step in account.processes())
    answer = account.client("emr").cancel_steps(ClusterId=cluster, StepIds=[step], StepCancellationOption=option)
    assert answer["CancelStepsInfoList"] == [{"StepId": step, "Status": "SUBMITTED"}]
    assert end_of_step(account, cluster, step)["State"] == "CANCELLED"
    assert step not in account.processes()


def test_a_step_that_is_over_can_t_be_cancelled(account: EmulatedAws, cluster: str) -> None:
    step = add_step(account, cluster, "true")
    end_of_step(account, cluster, step)
    answer = account.client("emr").cancel_steps(ClusterId=cluster, StepIds=[step])["CancelStepsInfoList"][0]
    assert (answer["Status"], answer["Reason"]) == ("FAILED", "Cannot cancel a step that is in state COMPLETED.")


def test_unknown_ids_are_refused(account: EmulatedAws, cluster: str) -> None:
    with pytest.raises(ClientError, match="Cluster id 'j-UNKNOWN' is not valid"):
        step_status(account, "j-UNKNOWN", "s-UNKNOWN")
    with pytest.raises(ClientError, match="Step id 's-UNKNOWN' is not valid"):
        step_status(account, cluster, "s-UNKNOWN")


# What can go wrong


def test_a_step_can_be_killed(aws: EmulatedAws, cluster: str) -> None:
    step = add_step(aws, cluster, "sleep", "600")
    eventually(lambda: step in aws.processes())
    aws.kill_step(step)
    assert end_of_step(aws, cluster, step)["State"] == "FAILED"
    assert "exit code 137" in log(aws, f"{cluster}/steps/{step}/controller")


def test_a_cluster_can_be_lost_with_its_steps(aws: EmulatedAws, own_cluster: str) -> None:
    step = add_step(aws, own_cluster, "sleep", "600")
    eventually(lambda: step in aws.processes())
    aws.lose_cluster(own_cluster)
    status = end_of_cluster(aws, own_cluster)
    assert (status["State"], status["StateChangeReason"]["Code"]) == ("TERMINATED_WITH_ERRORS", "INSTANCE_FAILURE")
    assert step_status(aws, own_cluster, step)["State"] == "CANCELLED"
    assert not aws.processes()


def test_a_step_can_be_kept_waiting(aws: EmulatedAws, cluster: str) -> None:
    aws.delay_steps(600)
    step = add_step(aws, cluster, "true")
    time.sleep(0.3)
    assert step_status(aws, cluster, step)["State"] == "PENDING"
    aws.delay_steps(0)
    assert end_of_step(aws, cluster, step)["State"] == "COMPLETED"


def impatient(service: str) -> Any:
    return boto3.client(service, config=Config(retries={"total_max_attempts": 1}))


CALLS: Mapping[str, Callable[[], Any]] = {
    "emr:ListClusters": lambda: impatient("emr").list_clusters(),
    "sts:GetCallerIdentity": lambda: impatient("sts").get_caller_identity(),
    "s3:PutObject": lambda: impatient("s3").put_object(Bucket=BUCKET, Key="key", Body=b"x" * 300_000),
}


@pytest.mark.parametrize(
    ("fault", "operation", "status", "code"),
    [
        ("throttle", "emr:ListClusters", 400, "ThrottlingException"),
        ("throttle", "sts:GetCallerIdentity", 400, "Throttling"),
        ("throttle", "s3:PutObject", 503, "SlowDown"),
        ("make_unavailable", "emr:ListClusters", 503, "ServiceUnavailable"),
        ("make_unavailable", "s3:PutObject", 503, "ServiceUnavailable"),
        ("expire_credentials", "emr:ListClusters", 400, "ExpiredTokenException"),
        ("expire_credentials", "sts:GetCallerIdentity", 403, "ExpiredToken"),
        ("expire_credentials", "s3:PutObject", 400, "ExpiredToken"),
        ("deny", "emr:ListClusters", 400, "AccessDeniedException"),
    ],
)
def test_calls_fail_as_often_as_they_are_told_to(
    account: EmulatedAws, aws: EmulatedAws, fault: str, operation: str, status: int, code: str
) -> None:
    before = len(aws.gate.calls(operation, caller="host"))
    getattr(aws.gate, fault)(operation, 2)
    for _ in range(2):
        with pytest.raises(ClientError) as caught:
            CALLS[operation]()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        assert caught.value.response["Error"]["Code"] == code
    CALLS[operation]()
    assert len(aws.gate.calls(operation, caller="host")) == before + 3


def test_a_connection_can_break(aws: EmulatedAws) -> None:
    aws.gate.drop_connections("emr:*", 1)
    with pytest.raises(ConnectionClosedError):
        CALLS["emr:ListClusters"]()
    CALLS["emr:ListClusters"]()


def test_a_fault_may_be_for_one_caller_only(aws: EmulatedAws) -> None:
    aws.gate.throttle("emr:*", 1, caller="host")
    aws.client("emr").list_clusters()
    assert aws.gate.faults_left() == 1


def test_a_held_call_waits_and_then_goes_on(account: EmulatedAws, aws: EmulatedAws) -> None:
    with ThreadPoolExecutor(1) as pool:
        with aws.gate.hold("s3:PutObject", caller="host") as held:
            answer = pool.submit(CALLS["s3:PutObject"])
            assert held.reached.wait(30)
            assert not answer.done()
        assert answer.result(30)["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_held_call_is_void_if_its_caller_was_ended(account: EmulatedAws, aws: EmulatedAws) -> None:
    credential = "AWS4-HMAC-SHA256 Credential=gone/20260101/sa-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    connection = HTTPConnection(aws.endpoint.removeprefix("http://"))
    for key, is_ended in (("made", False), ("void", True)):
        with aws.gate.hold("s3:PutObject", caller="gone") as held:
            connection.request("PUT", f"/{BUCKET}/{key}", body=b"x", headers={"Authorization": credential})
            assert held.reached.wait(30)
            if is_ended:
                connection.close()
        if not is_ended:
            assert connection.getresponse().read() == b""
    eventually(lambda: not [thread for thread in threading.enumerate() if "process_request_thread" in thread.name])
    found = aws.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    assert {"made", "void"} & {entry["Key"] for entry in found} == {"made"}


def test_what_moto_does_not_know_is_refused_at_once(aws: EmulatedAws) -> None:
    with pytest.raises(ClientError, match="moto has no such operation"):
        aws.client("emr").list_notebook_executions()
    assert len(aws.gate.calls("emr:ListNotebookExecutions")) == 1


# Who takes it for AWS


@pytest.fixture
def settings(emulated_aws: EmulatedAws) -> AwsSettings:
    aws = load_settings("staging", {ACCOUNT_VARIABLE: ACCOUNT}).aws
    assert aws
    return aws


def test_the_project_finds_itself_in_the_right_account(settings: AwsSettings) -> None:
    assert require_account(settings) == ACCOUNT


def test_pyarrow_and_boto3_share_one_s3(account: EmulatedAws, settings: AwsSettings) -> None:
    # Only a file system that is made of a URI heeds AWS_ENDPOINT_URL: https://github.com/apache/arrow/issues/49643
    filesystem, folder = pafs.FileSystem.from_uri(f"s3://{BUCKET}/arrow?region={settings.region}")
    with filesystem.open_output_stream(f"{folder}/hello") as stream:
        stream.write(b"hello")
    assert client("s3", settings).get_object(Bucket=BUCKET, Key="arrow/hello")["Body"].read() == b"hello"


def test_of_writers_of_a_new_object_one_wins(account: EmulatedAws, settings: AwsSettings) -> None:
    s3 = client("s3", settings)

    def put(number: int) -> str:
        try:
            s3.put_object(Bucket=BUCKET, Key="lease", Body=str(number), IfNoneMatch="*")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "won"

    with ThreadPoolExecutor(8) as writers:
        outcomes = sorted(writers.map(put, range(8)))
    assert outcomes == ["PreconditionFailed"] * 7 + ["won"]


def test_an_old_version_of_a_glue_table_can_t_be_updated(account: EmulatedAws, settings: AwsSettings) -> None:
    glue = client("glue", settings)
    glue.create_database(DatabaseInput={"Name": "versions"})
    glue.create_table(DatabaseName="versions", TableInput={"Name": "table"})
    seen = glue.get_table(DatabaseName="versions", Name="table")["Table"]["VersionId"]
    update = {"DatabaseName": "versions", "TableInput": {"Name": "table"}, "VersionId": seen, "SkipArchive": True}
    glue.update_table(**update)
    with pytest.raises(glue.exceptions.ConcurrentModificationException):
        glue.update_table(**update)


def test_of_two_iceberg_commits_at_once_one_loses(
    account: EmulatedAws, settings: AwsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = glue_catalog(f"s3://{BUCKET}/iceberg", settings.region, endpoint=account.endpoint)
    catalog.create_namespace("races")
    schema = Schema(NestedField(1, "n", LongType(), required=False))
    table = catalog.create_table("races.table", schema, properties={"commit.retry.num-retries": "0"})
    update = GlueCatalog._update_glue_table

    def overtaken(self: GlueCatalog, *args: Any, **kwargs: Any) -> None:
        monkeypatch.setattr(GlueCatalog, "_update_glue_table", update)
        catalog.load_table("races.table").append(pa.table({"n": [1]}))
        update(self, *args, **kwargs)

    monkeypatch.setattr(GlueCatalog, "_update_glue_table", overtaken)
    with pytest.raises(CommitFailedException, match="Glue detected concurrent update"):
        table.append(pa.table({"n": [2]}))
    assert catalog.load_table("races.table").scan().to_arrow().to_pydict() == {"n": [1]}


# By hand, and the end


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_by_hand_it_says_what_to_export_and_leaves_no_process(
    end: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even one that a step sent to the background, nor when the emulator was given no time."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [sys.executable, "-m", "deputies_lake_tests.aws"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as emulator:
        assert emulator.stdout
        try:
            lines = [emulator.stdout.readline().strip() for _ in range(12)]
            monkeypatch.setenv("AWS_ENDPOINT_URL", dict(line.split("=") for line in lines if "=" in line)[EXPORTED])
            boto3.client("iam").create_instance_profile(InstanceProfileName=PROFILE)
            marker = f"600.{emulator.pid}"
            arguments = ["sh", "-c", f"setsid sleep {marker} & sleep {marker}"]
            jar = {"Jar": "command-runner.jar", "Args": arguments}
            boto3.client("emr").run_job_flow(
                Name="test", JobFlowRole=PROFILE, Instances={}, Steps=[{"Name": "test", "HadoopJarStep": jar}]
            )
            eventually(lambda: len([pid for pid in with_marker(marker) if pid != os.getpid()]) > 2)
        finally:
            emulator.send_signal(end)
    assert lines[-1] == "export DEPUTIES_LAKE_POLL_SECONDS=1"
    eventually(lambda: not with_marker(marker), seconds=5)
    assert end is signal.SIGKILL or not list(tmp_path.iterdir())
