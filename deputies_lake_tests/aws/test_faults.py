"""What may go wrong between a run and its cluster, done to the real lake on the emulated AWS, step by real step.

After each test the tables are what they were, or wholly new, and nothing runs that nobody waits for.
"""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import dagster as dg
import duckdb
import pytest

from deputies_lake.emr import artifact
from deputies_lake.emr.artifact import MANIFEST
from deputies_lake.emr.packaging import build, deploy
from deputies_lake.environments import ACCOUNT, ENVIRONMENT, POLL_SECONDS, AwsSettings, load_settings
from deputies_lake.infrastructure.stack import Stack
from deputies_lake.resources import iceberg
from deputies_lake.resources.lake import Lake
from deputies_lake.sample.kaggle import write_kaggle_files
from deputies_lake.staging import stg_kaggle_reimbursements
from deputies_lake_tests.aws import emulator
from deputies_lake_tests.aws.emr import ACTIVE_STEP, Cluster
from deputies_lake_tests.aws.emulator import EmulatedAws

ROWS: Final = 1000
YEAR: Final = 2016
LONG: Final = 150.0

RAW: Final = ["--select", "raw/kaggle_reimbursements"]
# The file is known already: a step that has hardly anything to do.
SMALL: Final = ["--select", "raw/kaggle_refunds"]
STAGED: Final = ["--select", "staging/stg_kaggle_reimbursements", "--partition", str(YEAR)]

Rows = Counter[tuple[Any, ...]]


def until(condition: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail(f"{what}: not within {LONG:.0f} s")


@dataclass
class Run:
    """`dagster asset materialize` in a process of its own, and what it says."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def says(self, pattern: str) -> str:
        """Wait until it says something, which is returned."""

        def found() -> str | None:
            match = re.search(pattern, self.said, re.DOTALL)
            return match[0] if match else None

        said: str = until(found, f"{pattern!r} in:\n{self.said[-3000:]}")
        return said

    def wait(self) -> int:
        return self.process.wait(LONG)

    def end(self) -> None:
        """As Dagster does when a run is terminated."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(LONG)


@dataclass
class Lakeside:
    """A deployed lake, its emulated AWS, and a host that starts runs."""

    aws: EmulatedAws
    settings: AwsSettings
    home: Path
    runs: list[Run] = field(default_factory=list)

    def run(self, arguments: Sequence[str]) -> Run:
        log = self.home / f"run {len(self.runs)}.log"
        dagster = str(Path(sys.executable).with_name("dagster"))
        with log.open("wb") as output:
            process = subprocess.Popen(
                [dagster, "asset", "materialize", "-m", "deputies_lake.definitions", *arguments],
                cwd=self.home,
                stdout=output,
                stderr=output,
            )
        self.runs.append(Run(process, log))
        return self.runs[-1]

    def alive(self) -> list[Cluster]:
        return [cluster for cluster in self.aws.clusters() if not cluster.is_ending]

    def working_step(self) -> str:
        """The id of the step whose driver is at work by now: it has told its first events."""
        step_id: str = until(lambda: next(iter(self.aws.processes()), None), "a running step")
        step = next(step for step in self.aws.steps() if step.id == step_id)
        prefix = step.args[-1].rpartition("/")[0]
        place = {"Bucket": self.settings.artifacts_bucket, "Prefix": f"{prefix}/events"}
        until(lambda: self.aws.client("s3").list_objects_v2(**place)["KeyCount"], "the driver's events")
        return step_id

    def states(self, since: int) -> list[str]:
        return [str(step.state) for step in self.aws.steps()[since:]]

    def rows(self) -> Rows:
        """What readers get of the year."""
        aws = self.settings
        catalog = iceberg.glue_catalog(f"s3://{aws.lake_bucket}", aws.region, aws.database_prefix, aws.endpoint)
        with duckdb.connect() as connection:
            view = Lake(catalog).view(connection, stg_kaggle_reimbursements.TABLE)
            return Counter(connection.sql(f"FROM {view} WHERE year = {YEAR}").fetchall())


@pytest.fixture(scope="module")
def empty(emulated_aws: EmulatedAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lakeside]:
    """Infrastructure, artifact and a landed file; no cluster yet, no table."""
    home = tmp_path_factory.mktemp("host")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {
            ENVIRONMENT: "staging",
            ACCOUNT: emulator.ACCOUNT,
            POLL_SECONDS: "0.5",
            "DAGSTER_HOME": str(home),
        }.items():
            environment.setenv(name, value)
        settings = load_settings()
        assert settings.aws
        Stack(settings).up()
        deploy(settings.aws, build(artifact.current(), home / "dist"))
        write_kaggle_files(home, rows=ROWS, seed=2017, compress=False)
        for file in home.glob("*.csv"):
            emulated_aws.client("s3").upload_file(str(file), settings.aws.landing_bucket, file.name)
        # Two processes would make its database at once.
        (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        dg.DagsterInstance.from_config(str(home)).dispose()
        yield Lakeside(emulated_aws, settings.aws, home)


@pytest.fixture(scope="module")
def first_runs(empty: Lakeside) -> Lakeside:
    """Two runs that started at once, when there was no cluster."""
    runs = [empty.run(RAW), empty.run(SMALL)]
    assert [run.wait() for run in runs] == [0, 0], "\n".join(run.said[-3000:] for run in runs)
    return empty


@pytest.fixture(scope="module")
def rows(first_runs: Lakeside) -> Rows:
    """The year as it is when nothing goes wrong."""
    run = first_runs.run(STAGED)
    assert run.wait() == 0, run.said
    found = first_runs.rows()
    assert sum(found.values()) > 0
    return found


@pytest.fixture
def lake(first_runs: Lakeside, rows: Rows, aws: EmulatedAws) -> Iterator[Lakeside]:
    """The lake, which must be whole again afterwards, with nothing left over."""
    yield first_runs
    for run in first_runs.runs:
        # Of a test that failed.
        if run.process.poll() is None:
            run.process.kill()
            run.wait()
    assert first_runs.rows() == rows
    assert [step.id for step in aws.steps() if step.state in ACTIVE_STEP] == []
    assert aws.processes() == {}
    assert len(first_runs.alive()) == 1


def test_of_two_runs_that_start_at_once_both_get_the_one_cluster(first_runs: Lakeside) -> None:
    assert len(first_runs.aws.clusters()) == 1
    assert len(first_runs.aws.gate.calls("emr:RunJobFlow")) == 1


def test_a_killed_driver_is_tried_again_and_no_row_is_there_twice(lake: Lakeside) -> None:
    before = len(lake.aws.steps())
    run = lake.run(STAGED)
    step_id = lake.working_step()
    lake.aws.kill_step(step_id)
    assert run.wait() == 0, run.said
    assert lake.states(before) == ["FAILED", "COMPLETED"]
    assert f"EMR step {step_id}" in run.says(r"EMR step s-\w+ on cluster j-\w+ gave no result and is FAILED")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_terminated_run_cancels_its_step(lake: Lakeside, how: signal.Signals) -> None:
    before = len(lake.aws.steps())
    run = lake.run(STAGED)
    lake.working_step()
    run.process.send_signal(how)
    assert run.wait() != 0
    assert lake.states(before) == ["CANCELLED"]


def test_a_lost_cluster_is_replaced_and_the_step_runs_on_the_new_one(lake: Lakeside) -> None:
    run = lake.run(STAGED)
    lake.working_step()
    lost = lake.alive()[0]
    lake.aws.lose_cluster(lost.id)
    assert run.wait() == 0, run.said
    assert lake.alive()[0].id != lost.id
    assert lost.id in run.says(r"on cluster j-\w+ gave no result and is [A-Z]+")


def test_a_bad_spark_setting_is_told_with_sparks_own_words(lake: Lakeside) -> None:
    wrong = {"resources": {"pyspark_step_launcher": {"config": {"spark": {"spark.driver.memory": "much"}}}}}
    run = lake.run([*SMALL, "--config-json", json.dumps(wrong)])
    run.says(r"EMR step s-\w+ on cluster j-\w+ gave no result and is FAILED.*?much")
    run.end()


def stored(lake: Lakeside, key: str) -> bytes:
    s3 = lake.aws.client("s3")
    content: bytes = s3.get_object(Bucket=lake.settings.artifacts_bucket, Key=key)["Body"].read()
    return content


@pytest.fixture
def change_code(lake: Lakeside) -> Iterator[Callable[[str, bytes | None], None]]:
    """Replace a file in the deployed zip, or take it out, until the test ends."""
    key, s3 = artifact.current().code_key, lake.aws.client("s3")
    content = stored(lake, key)

    def change(name: str, replacement: bytes | None) -> None:
        changed = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(changed, "w") as after:
            for info in before.infolist():
                kept = before.read(info) if info.filename != name else replacement
                if kept is not None:
                    after.writestr(info, kept)
        s3.put_object(Bucket=lake.settings.artifacts_bucket, Key=key, Body=changed.getvalue())

    yield change
    s3.put_object(Bucket=lake.settings.artifacts_bucket, Key=key, Body=content)


def test_an_import_error_on_the_cluster_names_the_module(
    lake: Lakeside, change_code: Callable[[str, bytes | None], None]
) -> None:
    change_code("deputies_lake/environments.py", None)
    run = lake.run(SMALL)
    run.says(r"EMR step s-\w+ .*?The driver crashed:.*?No module named 'deputies_lake\.environments'")
    run.end()


def test_other_code_on_the_cluster_is_refused_at_once(
    lake: Lakeside, change_code: Callable[[str, bytes | None], None]
) -> None:
    before = len(lake.aws.steps())
    change_code("deputies_lake/progress.py", b"# another version\n")
    run = lake.run(SMALL)
    assert run.wait() != 0
    run.says(
        rf"was refused by its driver:.*the code is \w+ on the cluster, {artifact.code_id()} on the host\. "
        "Run `deputies-lake deploy --env staging`"
    )
    assert len(lake.states(before)) == 1


def keys(lake: Lakeside) -> set[str]:
    s3 = lake.aws.client("s3")
    return {
        f"{bucket}/{entry['Key']}"
        for bucket in (lake.settings.raw_bucket, lake.settings.lake_bucket)
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for entry in page.get("Contents", ())
    }


def test_a_driver_that_is_not_told_its_environment_refuses_before_it_writes_anything(
    lake: Lakeside, monkeypatch: pytest.MonkeyPatch, clusters_directory: Path
) -> None:
    add_steps = Cluster.add_steps

    def forgetful(cluster: Cluster, steps: list[dict[str, Any]]) -> Any:
        for step in steps:
            step["args"] = [word for word in step["args"] if not word.startswith(f"{ENVIRONMENT}=")]
        return add_steps(cluster, steps)

    monkeypatch.setattr(Cluster, "add_steps", forgetful)
    before = keys(lake)
    run = lake.run(STAGED)
    assert run.wait() != 0
    run.says(
        rf"was refused by its driver:.*{ENVIRONMENT} is local on the cluster, staging on the host\. "
        "The launcher sets it before spark-submit"
    )
    assert keys(lake) == before
    # A driver that takes itself for a laptop would have made a lake of its own.
    assert [*clusters_directory.rglob("warehouse")] == []


def test_an_artifact_that_is_not_deployed_fails_at_once_and_costs_nothing(lake: Lakeside) -> None:
    s3, before = lake.aws.client("s3"), len(lake.aws.steps())
    place = {
        "Bucket": lake.settings.artifacts_bucket,
        "Key": f"{artifact.current().environment_key}/{MANIFEST}",
    }
    manifest = stored(lake, place["Key"])
    s3.delete_object(**place)
    run = lake.run(SMALL)
    assert run.wait() != 0
    s3.put_object(**place, Body=manifest)
    run.says(r"the environment \w+ of this host can't be run: .* Type `deputies-lake deploy --env staging`")
    assert lake.states(before) == []


def test_throttling_and_outages_are_waited_out(lake: Lakeside) -> None:
    lake.aws.gate.throttle("emr:DescribeStep", 3, caller="host")
    lake.aws.gate.make_unavailable("emr:AddJobFlowSteps", 1, caller="host")
    lake.aws.gate.drop_connections("s3:GetObject", 1, caller="host")
    before = len(lake.aws.steps())
    run = lake.run(SMALL)
    assert run.wait() == 0, run.said
    assert lake.aws.gate.faults_left() == 0
    assert lake.states(before) == ["COMPLETED"]


def test_expired_credentials_are_waited_out(lake: Lakeside) -> None:
    lake.aws.gate.expire_credentials("emr:DescribeStep", 2, caller="host")
    run = lake.run(SMALL)
    assert run.wait() == 0, run.said
    assert lake.aws.gate.faults_left() == 0
    assert "Trying again in" in run.said


def test_two_runs_that_publish_the_same_year_at_once_leave_each_row_once(lake: Lakeside) -> None:
    before = len(lake.aws.steps())
    runs = [lake.run(STAGED), lake.run(STAGED)]
    assert [run.wait() for run in runs] == [0, 0], "\n".join(run.said[-3000:] for run in runs)
    assert set(lake.states(before)) == {"COMPLETED"}


def test_no_driver_ran_that_could_see_the_hosts_variables(first_runs: Lakeside) -> None:
    words = [word for step in first_runs.aws.steps() for word in step.args]
    assert not any(secret in word for word in words for secret in ("AWS_SECRET", "CPF_KEY", "PASSWORD"))
    assert os.environ["DAGSTER_HOME"] not in " ".join(words)
