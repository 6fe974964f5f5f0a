"""A deployment's Dagster as its files describe it: what its instance, its containers and its image are."""

import json
import re
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import boto3
import dagster as dg
import pytest
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage

from deputies_lake import environments
from deputies_lake.environments import AwsSettings, load_settings
from deputies_lake_tests.infrastructure.deployment import (
    ACCOUNT,
    COMPOSE,
    EXPORTED,
    INSTANCE,
    ROOT,
    VARIABLES,
    Containers,
    composed,
    container,
    deployed,
)

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def aws_settings() -> AwsSettings:
    aws = load_settings(variables=EXPORTED).aws
    assert aws is not None
    return aws


# Every setting of a deployment, none as it would be by itself.
SETTINGS = {
    "DEPUTIES_LAKE_ENVIRONMENT": "prod",
    "DEPUTIES_LAKE_ACCOUNT": ACCOUNT,
    "DEPUTIES_LAKE_LANDING": "s3://somewhere-else/landing",
    "DEPUTIES_LAKE_CHAMBER_URL": "none",
    "DEPUTIES_LAKE_REBUILD": "all",
    "DEPUTIES_LAKE_KEEP_DAYS": "30",
    "DEPUTIES_LAKE_BUCKETS": "some-other-name",
    "DEPUTIES_LAKE_OWNER": "someone-else",
    "DEPUTIES_LAKE_SUBNETS": "subnet-1,subnet-2",
    "DEPUTIES_LAKE_MAX_UNITS": "128",
    "DEPUTIES_LAKE_POLL_SECONDS": "30",
    "DEPUTIES_LAKE_ALARM_EMAIL": "c@example.org",
    "DEPUTIES_LAKE_BUDGET_USD": "50",
    "DEPUTIES_LAKE_ALERT_SLACK": "https://slack.invalid/hook",
    "DEPUTIES_LAKE_ALERT_WEBHOOK": "https://webhook.invalid",
    "DEPUTIES_LAKE_ALERT_EMAIL": "a@example.org,b@example.org",
    "DEPUTIES_LAKE_ALERT_SENDER": "lake@example.org",
    "DEPUTIES_LAKE_ALERT_SMTP": "smtps://user:password@mail.invalid",
    "AWS_REGION": "us-east-1",
    "AWS_ENDPOINT_URL": "http://localhost:5000",
}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    with deployed(tmp_path_factory.mktemp("deployment")) as variables:
        yield variables


@pytest.fixture
def instance(deployment: Mapping[str, str]) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.get() as found:
        yield found


@dg.job
def speaking() -> None:
    @dg.op
    def speak() -> None:
        print("said on standard output")

    speak()


def test_what_dagster_knows_is_in_postgres(instance: dg.DagsterInstance) -> None:
    assert isinstance(instance.run_storage, PostgresRunStorage)
    assert isinstance(instance.event_log_storage, PostgresEventLogStorage)
    assert isinstance(instance.schedule_storage, PostgresScheduleStorage)


def test_what_a_step_prints_is_in_the_logs_bucket(instance: dg.DagsterInstance) -> None:
    run_id = speaking.execute_in_process(instance=instance).run_id
    s3 = boto3.client("s3", region_name="sa-east-1")
    found = s3.list_objects_v2(Bucket=aws_settings().logs_bucket, Prefix=f"dagster/storage/{run_id}/")["Contents"]
    printed = [s3.get_object(Bucket=aws_settings().logs_bucket, Key=entry["Key"])["Body"].read() for entry in found]
    assert any(b"said on standard output" in text for text in printed)


def test_no_more_steps_are_started_than_a_cluster_runs_at_once(instance: dg.DagsterInstance) -> None:
    pools = instance.get_concurrency_config().pool_config
    assert pools.default_pool_limit == aws_settings().cluster.step_concurrency


def test_lost_runs_are_found_and_repeated_but_failed_ones_are_not(instance: dg.DagsterInstance) -> None:
    assert instance.run_monitoring_enabled
    assert instance.run_retries_enabled
    assert instance.get_settings("run_retries")["retry_on_asset_or_op_failure"] is False


def test_the_instance_asks_for_no_variable_that_compose_does_not_give() -> None:
    assert set(re.findall(r"env: (\w+)", INSTANCE)) <= set(VARIABLES)


@pytest.mark.parametrize("service", ["code", "webserver", "daemon"])
@pytest.mark.parametrize("exported", [EXPORTED, {**EXPORTED, **SETTINGS}], ids=["demanded", "all"])
def test_a_container_comes_to_the_settings_of_the_shell(service: str, exported: Mapping[str, str]) -> None:
    found = container(service, exported)
    # Dagster's own files need the region spelled out.
    expected = load_settings(variables={"AWS_REGION": "sa-east-1", **exported})
    assert load_settings(variables=found) == expected
    assert expected.aws is not None
    assert found["DEPUTIES_LAKE_LOGS_BUCKET"] == expected.aws.logs_bucket


def test_every_setting_of_a_deployment_was_tried() -> None:
    assert SETTINGS.keys() == {name for name, said in environments.VARIABLES.items() if not said.startswith("local:")}


def test_compose_demands_what_it_can_not_know() -> None:
    demanded = set(re.findall(r"\$\{(\w+):\?", (ROOT / "compose.yaml").read_text(encoding="utf-8")))
    assert demanded == set(EXPORTED)


def test_what_the_image_copies_is_there_and_reaches_the_build() -> None:
    copied = [word for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]]
    let_through = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied
    assert all((ROOT / name).exists() and f"!{name.partition('/')[0]}" in let_through for name in copied)


def test_images_are_taken_by_digest_where_one_is_given() -> None:
    digest = f"mirror.example.org/library/name:1@sha256:{'a' * 64}"
    defaults = {
        "DEPUTIES_LAKE_PYTHON_IMAGE": COMPOSE["x-dagster"]["build"]["args"]["PYTHON_IMAGE"],
        "DEPUTIES_LAKE_POSTGRES_IMAGE": COMPOSE["services"]["postgres"]["image"],
    }
    for variable, image in defaults.items():
        assert composed(image, {variable: digest}) == digest
        assert re.fullmatch(r"[a-z]+:[0-9][\w.-]*(@sha256:[0-9a-f]{64})?", composed(image, {}))
    assert "FROM ${PYTHON_IMAGE}" in DOCKERFILE


def test_webserver_daemon_and_code_server_start_and_find_each_other(
    deployment: Mapping[str, str], tmp_path: Path
) -> None:
    with Containers(deployment, tmp_path) as containers:
        for service in ("code", "webserver", "daemon"):
            containers.start(service)
        found = containers.wait_for(lambda: _assets(containers.web))
    assert {"raw/kaggle_reimbursements", "star/fct_expenses"} <= found


def _assets(port: int) -> set[str] | None:
    """What the webserver knows once the code is loaded and all daemons have given a sign of life."""
    query = """{ workspaceOrError { ... on Workspace { locationEntries {
        locationOrLoadError { ... on RepositoryLocation { repositories { assetNodes { assetKey { path } } } } } } } }
        instance { daemonHealth { allDaemonStatuses { required healthy } } } }"""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        data=json.dumps({"query": query}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            data = json.loads(answer.read())["data"]
    except OSError:
        return None
    daemons = [status for status in data["instance"]["daemonHealth"]["allDaemonStatuses"] if status["required"]]
    entries = data["workspaceOrError"]["locationEntries"]
    if not entries or not daemons or not all(status["healthy"] for status in daemons):
        return None
    (repository,) = entries[0]["locationOrLoadError"]["repositories"]
    return {"/".join(node["assetKey"]["path"]) for node in repository["assetNodes"]}
