"""What may go wrong between a run and its cluster, done to the real lake on the emulated AWS, step by real step.

After each test the year is what it was, its versions are as many as were published, and nothing runs that nobody waits
for. What the launcher does with an answer of EMR is proven in `deputies_lake_tests/resources/emr`.
"""

import io
import json
import os
import re
import signal
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Final, TypeVar

import dagster as dg
import duckdb
import pytest
from pyiceberg.catalog import Catalog

from deputies_lake.emr import artifact
from deputies_lake.emr.artifact import MANIFEST
from deputies_lake.emr.packaging import build, deploy
from deputies_lake.environments import (
    ACCOUNT,
    CHAMBER_URL,
    ENVIRONMENT,
    POLL_SECONDS,
    REBUILD,
    AwsSettings,
    load_settings,
)
from deputies_lake.infrastructure.stack import Stack
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.resources.emr.launcher import EmrStepLauncherResource
from deputies_lake.sample.kaggle import write_kaggle_files
from deputies_lake.staging import stg_kaggle_reimbursements
from deputies_lake_tests.aws import emulator, host
from deputies_lake_tests.aws.emr import ACTIVE_STEP, Cluster
from deputies_lake_tests.aws.emulator import EmulatedAws

ROWS: Final = 1000
YEAR: Final = 2016
TABLE: Final = stg_kaggle_reimbursements.TABLE
# Minutes on a busy machine. What hangs is found as well.
LONG: Final = 600.0

RAW: Final = ("--select", "raw/kaggle_reimbursements")
# From the second time on its file is known: a step that has hardly anything to do.
SMALL: Final = ("--select", "raw/kaggle_refunds")
STAGED: Final = ("--select", f"staging/{TABLE.name}", "--partition", str(YEAR))

Rows = Counter[tuple[Any, ...]]
T = TypeVar("T")


def until(condition: Callable[[], T | None], what: Callable[[], str]) -> T:
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail(f"not within {LONG:.0f} s: {what()}")


@dataclass(frozen=True)
class Run:
    """`dagster asset materialize` in a process of its own, and what it says."""

    process: ForkServerProcess
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def says(self, pattern: str) -> str:
        """Wait until it says something, which is returned."""

        def found() -> str | None:
            match = re.search(pattern, self.said, re.DOTALL)
            return match[0] if match else None

        return until(found, lambda: f"{pattern!r} in:\n{self.said[-3000:]}")

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        """As Dagster does when a run is terminated. Its exit code."""
        assert self.process.pid
        os.kill(self.process.pid, how)
        return self.exit_code()

    def exit_code(self) -> int:
        self.process.join(LONG)
        assert self.process.exitcode is not None, f"still running after {LONG:.0f} s:\n{self.said[-3000:]}"
        return self.process.exitcode

    def succeeds(self) -> None:
        assert self.exit_code() == 0, self.said[-5000:]

    def fails(self) -> None:
        assert self.exit_code() != 0, self.said[-5000:]


@dataclass
class Lakeside:
    """A deployed lake, its emulated AWS, and a host that starts runs."""

    aws: EmulatedAws
    settings: AwsSettings
    home: Path
    runs: list[Run] = field(default_factory=list)

    def run(self, arguments: Sequence[str], variables: Mapping[str, str] | None = None) -> Run:
        log = self.home / f"run {len(self.runs)}.log"
        log.touch()
        command = ["asset", "materialize", "-m", "deputies_lake.definitions", *arguments]
        # As Dagster's machine, with the rights of its role.
        variables = variables or {**os.environ, "AWS_ACCESS_KEY_ID": self.settings.dagster_role}
        self.runs.append(Run(host.start(command, home=self.home, variables=variables, log=log), log))
        return self.runs[-1]

    def stop(self) -> None:
        """End the runs that a test which failed left behind."""
        for run in self.runs:
            run.process.kill()
            run.process.join()

    def alive(self) -> list[str]:
        return [cluster.id for cluster in self.aws.clusters() if not cluster.is_ending]

    def states(self, since: int) -> list[str]:
        return [str(step.state) for step in self.aws.steps()[since:]]

    def running_step(self) -> str:
        """The id of the step whose driver runs by now."""
        return until(lambda: next(iter(self.aws.processes()), None), lambda: "a running step")

    def keys(self) -> set[str]:
        """All there is in the buckets that hold data."""
        pages = self.aws.client("s3").get_paginator("list_objects_v2")
        return {
            f"{bucket}/{entry['Key']}"
            for bucket in (self.settings.raw_bucket, self.settings.lake_bucket)
            for page in pages.paginate(Bucket=bucket)
            for entry in page.get("Contents", ())
        }

    @contextmanager
    def writing(self) -> Iterator[tuple[Run, str]]:
        """A run, and its step that has written the year's files. Their publication waits until the end of `with`."""
        before = self.keys()
        (cluster,) = self.alive()
        with self.aws.gate.hold("glue:UpdateTable", caller=cluster) as publication:
            run = self.run(STAGED)
            until(publication.reached.is_set, lambda: f"a publication:\n{run.said[-3000:]}")
            assert any(key.endswith("/_SUCCESS") for key in self.keys() - before)
            yield run, self.running_step()

    def catalog(self) -> Catalog:
        aws = self.settings
        return iceberg.glue_catalog(f"s3://{aws.lake_bucket}", aws.region, aws.database_prefix, aws.endpoint)

    def rows(self) -> Rows:
        """What readers get of the year."""
        with duckdb.connect() as connection:
            view = Lake(self.catalog()).view(connection, TABLE)
            return Counter(connection.sql(f"FROM {view} WHERE year = {YEAR}").fetchall())

    def versions(self) -> int:
        """How often the table was published."""
        return len(iceberg.load_table(self.catalog(), TABLE.layer, TABLE.name).snapshots())


@pytest.fixture(scope="module")
def empty(emulated_aws: EmulatedAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lakeside]:
    """Infrastructure, artifact and landed files; no cluster yet, no table."""
    home = tmp_path_factory.mktemp("host")
    given = {
        ENVIRONMENT: "staging",
        ACCOUNT: emulator.ACCOUNT,
        POLL_SECONDS: "0.5",
        CHAMBER_URL: "none",
        # A fault must hit a run that has work to do.
        REBUILD: "all",
        "DAGSTER_HOME": str(home),
    }
    with pytest.MonkeyPatch.context() as environment:
        for name, value in given.items():
            environment.setenv(name, value)
        host.prepare()
        settings = load_settings()
        assert settings.aws
        Stack(settings).up()
        deploy(settings.aws, build(artifact.current(), home / "dist"))
        write_kaggle_files(home, rows=ROWS, seed=2017, compress=False)
        for file in home.glob("*.csv"):
            emulated_aws.client("s3").upload_file(str(file), settings.aws.landing_bucket, file.name)
        # Two processes would make its database at once.
        (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
        dg.DagsterInstance.from_config(str(home)).dispose()
        lake = Lakeside(emulated_aws, settings.aws, home)
        yield lake
        lake.stop()


@pytest.fixture(scope="module")
def first_runs(empty: Lakeside) -> Lakeside:
    """Two runs that started at once, when there was no cluster."""
    for run in [empty.run(RAW), empty.run(SMALL)]:
        run.succeeds()
    return empty


@pytest.fixture(scope="module")
def rows(first_runs: Lakeside) -> Rows:
    """The year as it is when nothing goes wrong."""
    first_runs.run(STAGED).succeeds()
    found = first_runs.rows()
    assert found
    return found


@pytest.fixture
def lake(first_runs: Lakeside, rows: Rows, aws: EmulatedAws) -> Iterator[Lakeside]:
    """The lake, which must be whole again afterwards, with nothing left over."""
    yield first_runs
    assert first_runs.rows() == rows
    assert [step.id for step in aws.steps() if step.state in ACTIVE_STEP] == []
    assert aws.processes() == {}
    assert aws.gate.denied == []
    assert len(first_runs.alive()) == 1


def test_an_artifact_that_is_not_deployed_fails_at_once_and_starts_no_cluster(empty: Lakeside) -> None:
    s3 = empty.aws.client("s3")
    place = {"Bucket": empty.settings.artifacts_bucket, "Key": f"{artifact.current().environment_key}/{MANIFEST}"}
    manifest = s3.get_object(**place)["Body"].read()
    s3.delete_object(**place)
    run = empty.run(SMALL)
    try:
        run.fails()
    finally:
        s3.put_object(**place, Body=manifest)
    run.says(r"the environment \w+ of this host can't be run: .* Type `deputies-lake deploy --env staging`")
    assert "STEP_UP_FOR_RETRY" not in run.said
    assert empty.aws.clusters() == []


def test_of_two_runs_that_start_at_once_both_get_the_one_cluster(first_runs: Lakeside) -> None:
    assert len(first_runs.aws.gate.calls("emr:RunJobFlow")) == len(first_runs.aws.clusters()) == 1


def test_a_step_that_starts_no_spark_tells_emr_that_its_cluster_is_busy(
    first_runs: Lakeside, clusters_directory: Path
) -> None:
    (mark,) = clusters_directory.glob("clusters/*/home/.metricscollector/isbusy")
    (cluster,) = first_runs.aws.clusters()
    assert mark.stat().st_mtime > max(
        step.start_date_time.timestamp() for step in cluster.steps if step.start_date_time
    )


def test_a_driver_killed_before_it_publishes_is_tried_again_and_publishes_once(lake: Lakeside) -> None:
    steps, versions = len(lake.aws.steps()), lake.versions()
    with lake.writing() as (run, step_id):
        lake.aws.kill_step(step_id)
        run.says(rf"EMR step {step_id} on cluster j-\w+ gave no result and is FAILED")
    run.succeeds()
    assert lake.states(steps) == ["FAILED", "COMPLETED"]
    assert lake.versions() == versions + 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_terminated_run_cancels_its_step_and_publishes_nothing(lake: Lakeside, how: signal.Signals) -> None:
    steps, versions = len(lake.aws.steps()), lake.versions()
    with lake.writing() as (run, _):
        assert run.end(how) != 0
    assert lake.states(steps) == ["CANCELLED"]
    assert lake.versions() == versions


def test_a_lost_cluster_is_replaced_and_the_step_runs_on_the_new_one(lake: Lakeside) -> None:
    (lost,) = lake.alive()
    run = lake.run(SMALL)
    lake.running_step()
    lake.aws.lose_cluster(lost)
    run.says(rf"on cluster {lost} gave no result and is [A-Z]+")
    run.succeeds()
    (new,) = lake.alive()
    assert new != lost
    assert [cluster.id for cluster in lake.aws.clusters()] == [lost, new]


def test_a_bad_spark_setting_is_told_with_sparks_own_words(lake: Lakeside) -> None:
    # What is given for a resource stands for all of its configuration.
    launcher = EmrStepLauncherResource.of(load_settings()).model_dump() | {"spark": {"spark.driver.memory": "much"}}
    config = {"resources": {"pyspark_step_launcher": {"config": launcher}}}
    run = lake.run([*SMALL, "--config-json", json.dumps(config)])
    run.says(r"EMR step s-\w+ on cluster j-\w+ gave no result and is FAILED.*Last lines of its stderr:.*much")
    run.end()


@pytest.fixture
def without_settings_module(lake: Lakeside) -> Iterator[None]:
    """The deployed code lacks a module until the test ends."""
    s3 = lake.aws.client("s3")
    place = {"Bucket": lake.settings.artifacts_bucket, "Key": artifact.current().code_key}
    content, changed = s3.get_object(**place)["Body"].read(), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(changed, "w") as after:
        for info in before.infolist():
            if info.filename != "deputies_lake/environments.py":
                after.writestr(info, before.read(info))
    s3.put_object(**place, Body=changed.getvalue())
    yield
    s3.put_object(**place, Body=content)


@pytest.mark.usefixtures("without_settings_module")
def test_an_import_error_on_the_cluster_names_the_module(lake: Lakeside) -> None:
    run = lake.run(SMALL)
    run.says(r"EMR step s-\w+ .*The driver crashed:.*No module named 'deputies_lake\.environments'")
    run.end()


def test_a_driver_that_is_not_told_its_environment_refuses_before_it_writes_anything(
    lake: Lakeside, monkeypatch: pytest.MonkeyPatch, clusters_directory: Path
) -> None:
    add_steps = Cluster.add_steps

    def forgetful(cluster: Cluster, steps: list[dict[str, Any]]) -> Any:
        added = add_steps(cluster, steps)
        for step in added:
            step.args = [word for word in step.args if not word.startswith(f"{ENVIRONMENT}=")]
        return added

    monkeypatch.setattr(Cluster, "add_steps", forgetful)
    before, steps = lake.keys(), len(lake.aws.steps())
    run = lake.run(STAGED)
    run.fails()
    run.says(
        rf"was refused by its driver:.*{ENVIRONMENT} is local on the cluster, staging on the host\. "
        "The launcher sets it before spark-submit"
    )
    (refused,) = lake.aws.steps()[steps:]
    assert lake.keys() == before
    # A driver that takes itself for a laptop would make a lake where it runs.
    (directory,) = clusters_directory.glob(f"clusters/*/steps/{refused.id}")
    assert {path.name for path in directory.iterdir()} == {"controller", "stdout", "stderr"}


def test_throttling_and_outages_are_waited_out_on_both_sides(lake: Lakeside) -> None:
    (cluster,) = lake.alive()
    gate, steps = lake.aws.gate, len(lake.aws.steps())
    gate.throttle("emr:DescribeStep", 3, caller=lake.settings.dagster_role)
    gate.make_unavailable("emr:AddJobFlowSteps", 1, caller=lake.settings.dagster_role)
    gate.throttle("s3:PutObject", 2, caller=lake.settings.dagster_role)
    gate.drop_connections("s3:GetObject", 1, caller=lake.settings.dagster_role)
    gate.throttle("s3:PutObject", 2, caller=cluster)
    lake.run(SMALL).succeeds()
    assert gate.faults_left() == 0
    assert lake.states(steps) == ["COMPLETED"]


def test_a_run_whose_credentials_expire_goes_on_with_new_ones(lake: Lakeside, tmp_path: Path) -> None:
    credentials, steps = tmp_path / "credentials", len(lake.aws.steps())

    def issue(name: str) -> None:
        credentials.write_text(f"[default]\naws_access_key_id = {name}\naws_secret_access_key = {name}\n")

    issue("old")
    variables = {name: value for name, value in os.environ.items() if name not in lake.aws.variables}
    kept = {name: value for name, value in lake.aws.variables.items() if not re.search("ACCESS_KEY|CREDENTIALS", name)}
    run = lake.run(SMALL, {**variables, **kept, "AWS_SHARED_CREDENTIALS_FILE": str(credentials)})
    lake.running_step()
    lake.aws.gate.expire_credentials("*", sys.maxsize, caller="old")
    run.says(r"\(ExpiredToken\w*\).* Trying again in \d+ s")
    issue("new")
    run.succeeds()
    assert lake.aws.gate.calls("emr:DescribeStep", caller="new")
    assert lake.states(steps) == ["COMPLETED"]


def test_of_two_runs_that_publish_a_year_at_once_the_later_reads_it_again(lake: Lakeside) -> None:
    steps, versions = len(lake.aws.steps()), lake.versions()
    with lake.writing() as (overtaken, step_id):
        # Or it would lose patience and ask again.
        lake.aws.processes()[step_id].send(signal.SIGSTOP)
        lake.run(STAGED).succeeds()
        assert lake.versions() == versions + 1
        lake.aws.processes()[step_id].send(signal.SIGCONT)
    overtaken.succeeds()
    # A step whose asset asks for another try is no failure to EMR.
    assert lake.states(steps) == ["COMPLETED"] * 3
    assert lake.versions() == versions + 2
