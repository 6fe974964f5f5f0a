"""`deputies-lake cluster`, as a person types it and reads it."""

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from deputies_lake.cli.cluster import cluster
from deputies_lake.emr import artifact
from deputies_lake.environments import ACCOUNT, ENVIRONMENT
from deputies_lake_tests.aws import emr
from deputies_lake_tests.emr.cloud import OWN, VARIABLES, Cloud, cloud, cloud_endpoint

__all__ = ["cloud", "cloud_endpoint"]

Run = Callable[..., Result]


@pytest.fixture
def run(cloud: Cloud) -> Run:
    def invoke(*arguments: str, typed: str | None = None, **variables: str) -> Result:
        environment = {**VARIABLES, ENVIRONMENT: "staging", **variables}
        return CliRunner(env=environment).invoke(cluster, arguments, input=typed)

    return invoke


@pytest.fixture
def deployed(cloud: Cloud) -> artifact.Artifact:
    own = artifact.current()
    for key in (own.code_key, f"{own.environment_key}/{artifact.MANIFEST}"):
        cloud.client("s3").put_object(Bucket=cloud.aws.artifacts_bucket, Key=key)
    return own


@pytest.fixture(autouse=True)
def _time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """From one look at a cluster to the next it goes on by one state."""
    describe = emr.Emr.describe_cluster

    def pass_on(response: emr.Emr) -> Any:
        answer = describe(response)
        found = response._named_cluster()
        if found.state == "STARTING":
            found.state = "BOOTSTRAPPING"
        elif found.state == "BOOTSTRAPPING":
            found.become_ready()
        elif found.state == "TERMINATING":
            found.become_terminated()
        return answer

    monkeypatch.setattr(emr.Emr, "describe_cluster", pass_on)


# status


def test_the_status_is_a_table(cloud: Cloud, run: Run) -> None:
    idle = cloud.add(hours=3.5, steps=("COMPLETED",))
    busy = cloud.add(state="RUNNING", hours=0.5, steps=("COMPLETED", "RUNNING", "PENDING", "PENDING"))
    cloud.add(environment="prod")
    result = run("status")
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d"
    assert re.fullmatch(
        "cluster +state +age +idle since +running +pending +units +expiry +reason\n"
        rf"{busy} +RUNNING +30 min +- +1 +2 +4 \+ 4 spot +{moment}( .*)?\n"
        rf"{idle} +WAITING +3 h 30 min +{moment} +0 +0 +4 \+ 4 spot +{moment}( .*)?\n",
        result.output,
    )
    header, *rows = result.output.splitlines()
    assert {row[header.index("expiry") - 1 : header.index("expiry") + 3] for row in rows} == {" 202"}


def test_the_status_shows_what_is_about_to_end(cloud: Cloud, run: Run) -> None:
    ending = cloud.add(state="TERMINATING")
    assert ending in run("status").output


def test_the_status_shows_what_ended_if_it_is_wanted(cloud: Cloud, run: Run) -> None:
    ended, long_ago = cloud.add(), cloud.add(hours=8 * 24)
    for one in (ended, long_ago):
        cloud.cluster(one).terminate("BOOTSTRAP_FAILURE", "the bootstrap action failed")
        cloud.cluster(one).become_terminated()
    assert run("status").output == "No cluster of staging is running.\n"
    _, *rows = run("status", "--all").output.splitlines()
    assert re.fullmatch(
        rf"{ended} +TERMINATED_WITH_ERRORS +3 h 00 min +- +0 +0 +- +\S+ \S+ +BOOTSTRAP_FAILURE: the bootstrap .*",
        "".join(rows),
    )


def test_the_status_says_if_there_is_none(cloud: Cloud, run: Run) -> None:
    cloud.add(environment="prod")
    assert run("status").output == "No cluster of staging is running.\n"


def test_the_environment_can_be_named(cloud: Cloud, run: Run) -> None:
    there = cloud.add(environment="prod")
    assert there in run("status", "--env", "prod").output


def test_the_local_lake_has_no_clusters(run: Run) -> None:
    result = run("status", **{ENVIRONMENT: "local"})
    assert result.exit_code == 2
    assert "local is not in AWS: add --env with one of staging, prod" in result.output


# start


def test_a_start_is_followed_until_it_runs_steps(cloud: Cloud, run: Run, deployed: artifact.Artifact) -> None:
    result = run("start")
    (started,) = cloud.ids()
    assert re.fullmatch(
        f"started cluster {started}\n{started} is WAITING\n"
        r"Done. It ends after 20 min without work, and expires at \d{4}-\d\d-\d\d \d\d:\d\d in Brasília\.\n",
        result.output,
    )
    assert (result.exit_code, cloud.cluster(started)._tags["environment_id"]) == (0, deployed.environment_id)


def test_a_second_start_starts_none(cloud: Cloud, run: Run, deployed: artifact.Artifact) -> None:
    run("start")
    assert "started" not in run("start").output
    assert len(cloud.ids()) == 1


def test_a_start_without_code_says_what_brings_it(cloud: Cloud, run: Run) -> None:
    result = run("start")
    assert (result.exit_code, cloud.ids()) == (1, [])
    assert result.output.endswith("Type `deputies-lake deploy --env staging`.\n")


@pytest.mark.usefixtures("deployed")
def test_a_start_that_fails_says_why(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(found: emr.Cluster) -> None:
        found.terminate("BOOTSTRAP_FAILURE", "the bootstrap action failed")

    monkeypatch.setattr(emr.Cluster, "become_ready", fail)
    result = run("start")
    assert result.exit_code == 1
    assert (
        "is TERMINATED_WITH_ERRORS: BOOTSTRAP_FAILURE: the bootstrap action failed. Its logs will be" in result.output
    )


@pytest.mark.parametrize("arguments", [("start",), ("stop", "--yes")])
def test_nothing_is_started_or_ended_in_another_account(cloud: Cloud, run: Run, arguments: tuple[str, ...]) -> None:
    there = cloud.add(artifact=OWN)
    result = run(*arguments, **{ACCOUNT: "999999999999"})
    assert (result.exit_code, cloud.ids(), cloud.ended()) == (1, [there], set())
    assert f"{ACCOUNT} says 999999999999" in result.output


# stop


def test_all_of_an_environment_are_ended_and_waited_for(cloud: Cloud, run: Run) -> None:
    ours, others = {cloud.add(), cloud.add(expires_in=timedelta(hours=-1))}, cloud.add(environment="prod")
    result = run("stop")
    assert (result.exit_code, cloud.ended()) == (0, ours)
    assert {cloud.cluster(one).state for one in ours} == {"TERMINATED"}
    assert cloud.cluster(others).state == "WAITING"
    assert result.output.endswith("Done.\n")


def test_one_that_is_about_to_end_is_waited_for(cloud: Cloud, run: Run) -> None:
    ending = cloud.add(state="TERMINATING")
    assert run("stop").exit_code == 0
    assert cloud.cluster(ending).state == "TERMINATED"


def test_one_is_ended_by_its_id(cloud: Cloud, run: Run) -> None:
    ends, _ = cloud.add(), cloud.add()
    result = run("stop", ends)
    assert (result.exit_code, cloud.ended()) == (0, {ends})


def test_one_that_is_not_ours_is_left_alone(cloud: Cloud, run: Run) -> None:
    there = cloud.add(environment="prod")
    result = run("stop", "--yes", there)
    assert (result.exit_code, cloud.ended()) == (1, set())
    assert result.output.startswith(f"Error: cluster {there} is not ours: ")


def test_who_ends_steps_is_asked(cloud: Cloud, run: Run) -> None:
    there = cloud.add(state="RUNNING", steps=("COMPLETED", "RUNNING", "PENDING"))
    result = run("stop", typed="n\n")
    assert (result.exit_code, cloud.ended()) == (1, set())
    assert result.output.startswith(
        f"{there}: 1 steps run, 1 wait\nThese steps will be cancelled. Go on? [y/N]: n\n",
    )


@pytest.mark.parametrize(("arguments", "typed"), [(("--yes",), None), ((), "y\n")])
def test_steps_are_ended_if_that_is_meant(
    cloud: Cloud, run: Run, arguments: tuple[str, ...], typed: str | None
) -> None:
    there = cloud.add(state="RUNNING", steps=("RUNNING",))
    assert run("stop", *arguments, typed=typed).exit_code == 0
    assert cloud.ended() == {there}


def test_nothing_to_end_is_said(run: Run) -> None:
    result = run("stop")
    assert (result.exit_code, result.output) == (0, "No cluster of staging is running.\n")


def test_help_needs_no_boto3() -> None:
    code = (
        "import sys; sys.modules['boto3'] = sys.modules['botocore'] = None\n"
        "from deputies_lake.cli.cluster import cluster\ncluster(['--help'])"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
