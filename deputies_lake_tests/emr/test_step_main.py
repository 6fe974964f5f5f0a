"""What a driver does before it runs a step: it compares, refuses, and leaves a report of what went wrong."""

import ast
import json
import os
import re
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path, PurePath
from typing import Any

import boto3
import pytest
import yaml
from dagster_aws.emr import emr_step_main
from moto import mock_aws

from deputies_lake.emr import artifact, step_main
from deputies_lake.environments import load_settings

BUCKET, FOLDER = "artifacts", "runs/1/step/attempt_1"
VARIABLES = load_settings("staging", {"DEPUTIES_LAKE_OWNER": "maria"}).variables


@pytest.fixture(autouse=True)
def _driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver to which everything was forwarded."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(artifact, "code_id", lambda: "c0de")


@pytest.fixture
def expected() -> dict[str, Any]:
    """What a host says that differs in nothing."""
    return step_main.expectations("c0de", PurePath(sys.prefix).name, VARIABLES, 5)


def test_equal_sides_find_nothing(expected: dict[str, Any]) -> None:
    assert step_main.refusals(json.loads(json.dumps(expected))) == []


def test_both_sides_must_have_the_versions_that_the_wire_depends_on(expected: dict[str, Any]) -> None:
    assert set(expected["versions"]) == {"Python", "dagster", "dagster-aws", "Spark"}
    assert (expected["versions"]["Python"], expected["versions"]["Spark"]) == ("3.11", "3.5")


RENEW = (
    "Run `deputies-lake deploy --env staging`, then `deputies-lake cluster stop --env staging`: "
    "the next run starts a new cluster."
)


@pytest.mark.parametrize(
    ("kind", "name", "remedy"),
    [
        ("versions", "Python", RENEW),
        ("versions", "dagster", RENEW),
        ("versions", "dagster-aws", RENEW),
        ("versions", "Spark", RENEW),
        ("environment", "the Python environment", RENEW),
        ("code", "the code", "Run `deputies-lake deploy --env staging`."),
        (
            "settings",
            "DEPUTIES_LAKE_OWNER",
            "The launcher sets it before spark-submit; look for what on the cluster sets it otherwise.",
        ),
    ],
)
def test_a_difference_is_said_with_both_sides_and_the_remedy(
    expected: dict[str, Any], kind: str, name: str, remedy: str
) -> None:
    here = expected[kind][name]
    expected[kind][name] = "other"
    assert step_main.refusals(expected) == [f"{name} is {here} on the cluster, other on the host. {remedy}"]


def test_all_differences_are_said_at_once(expected: dict[str, Any]) -> None:
    expected["versions"].update(Python="3.12", dagster="1.14.0")
    assert [sentence.split()[0] for sentence in step_main.refusals(expected)] == ["Python", "dagster"]


def test_a_setting_that_was_not_forwarded_is_named(expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEPUTIES_LAKE_OWNER")
    (sentence,) = step_main.refusals(expected)
    assert sentence.startswith("DEPUTIES_LAKE_OWNER is not set on the cluster, maria on the host.")


def test_a_driver_that_would_fall_back_to_a_local_lake_is_refused(
    expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEPUTIES_LAKE_ENVIRONMENT")
    assert any(
        sentence.startswith("DEPUTIES_LAKE_ENVIRONMENT is local on the cluster, staging on the host.")
        for sentence in step_main.refusals(expected)
    )


def test_a_setting_that_only_the_driver_has_is_named(expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPUTIES_LAKE_BUCKETS", "others")
    (sentence,) = step_main.refusals(expected)
    assert sentence.startswith("DEPUTIES_LAKE_BUCKETS is others on the cluster, not set on the host.")


def test_nothing_of_the_lake_is_imported_while_versions_differ(
    expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected["versions"]["Python"] = "3.12"
    monkeypatch.setattr(artifact, "code_id", lambda: pytest.fail("the lake was asked"))
    assert len(step_main.refusals(expected)) == 1


def test_a_missing_package_is_a_difference(expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_main, "_PACKAGES", ("dagster", "nobody-has-this"))
    expected["versions"]["nobody-has-this"] = "1.0"
    del expected["versions"]["dagster-aws"]
    (sentence,) = step_main.refusals(expected)
    assert sentence.startswith("nobody-has-this is missing on the cluster, 1.0 on the host.")


# the file itself


def test_the_wrong_interpreter_can_still_say_that_it_is_wrong() -> None:
    ast.parse(Path(step_main.__file__).read_text(encoding="utf-8"), feature_version=(3, 9))


def test_it_starts_without_the_lake_and_without_dagster() -> None:
    code = (
        "import sys; sys.modules['deputies_lake'] = sys.modules['dagster'] = sys.modules['boto3'] = None\n"
        f"exec(compile(open({step_main.__file__!r}).read(), 'step_main.py', 'exec'), {{'__name__': 'step_main'}})"
    )
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


def test_the_code_in_a_zip_is_the_code_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with zipfile.ZipFile(tmp_path / "deputies_lake.zip", "w") as code:
        for name, content in artifact.code_files():
            code.writestr(name, content)
    ask = "from deputies_lake.emr import artifact; print(artifact.__file__, artifact.code_id())"
    run = subprocess.run(
        [sys.executable, "-c", ask],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "deputies_lake.zip")},
    )
    place, code_id = run.stdout.split()
    assert ("deputies_lake.zip" in place, code_id) == (True, artifact.code_id())


# running


class Step:
    """The stock main, and S3 around it."""

    def __init__(self, expected: dict[str, Any], busy_mark: Path) -> None:
        self.busy_mark = busy_mark
        self.s3 = boto3.client("s3", region_name="us-east-1")
        self.s3.create_bucket(Bucket=BUCKET)
        self.s3.put_object(Bucket=BUCKET, Key=f"{FOLDER}/{step_main.EXPECTATIONS}", Body=json.dumps(expected).encode())
        self.started: list[tuple[str, str]] = []

    def start(self, bucket: str, key: str) -> None:
        self.started.append((bucket, key))

    def run(self) -> None:
        step_main.main(BUCKET, f"{FOLDER}/step_run_ref.pkl", str(self.busy_mark))

    @property
    def report(self) -> dict[str, Any]:
        body = self.s3.get_object(Bucket=BUCKET, Key=f"{FOLDER}/{step_main.REPORT}")["Body"].read()
        found: dict[str, Any] = json.loads(body)
        return found


@pytest.fixture
def step(expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Step]:
    with mock_aws():
        step = Step(expected, tmp_path / "isbusy")
        monkeypatch.setattr(emr_step_main, "main", step.start)
        yield step


def test_equal_sides_run_the_step(step: Step) -> None:
    step.run()
    assert step.started == [(BUCKET, f"{FOLDER}/step_run_ref.pkl")]


def test_a_refused_step_does_not_start_and_is_reported(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPUTIES_LAKE_OWNER", "joana")
    with pytest.raises(SystemExit, match=r"This step was refused:\nDEPUTIES_LAKE_OWNER is joana on the cluster"):
        step.run()
    (sentence,) = step.report["refusals"]
    assert (step.started, sentence.split(".")[0]) == (
        [],
        "DEPUTIES_LAKE_OWNER is joana on the cluster, maria on the host",
    )


def test_a_crash_is_reported_with_what_was_printed_before(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: str) -> None:
        print("about to crash", file=sys.stderr)
        raise ModuleNotFoundError("No module named 'duckdb'")

    monkeypatch.setattr(emr_step_main, "main", crash)
    with pytest.raises(ModuleNotFoundError):
        step.run()
    lines = step.report["crash"].splitlines()
    assert (lines[0], lines[-1]) == ("about to crash", "ModuleNotFoundError: No module named 'duckdb'")


def test_only_the_end_of_what_was_printed_is_reported(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: str) -> None:
        print("\n".join(f"line {number}" for number in range(1000)), file=sys.stderr)
        raise OSError("over")

    monkeypatch.setattr(emr_step_main, "main", crash)
    with pytest.raises(OSError, match="over"):
        step.run()
    assert "line 999" in step.report["crash"]
    assert "line 799" not in step.report["crash"]


def test_what_is_printed_still_reaches_emrs_own_log(
    step: Step, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(emr_step_main, "main", lambda *_: print("for the log", file=sys.stderr))
    step.run()
    assert capsys.readouterr().err == "for the log\n"


# that the cluster is busy


def touched_within(mark: Path, seconds: float = 10) -> bool:
    """Whether the mark is touched from now on."""
    before, end = mark.stat().st_mtime_ns if mark.exists() else 0, time.monotonic() + seconds
    while time.monotonic() < end:
        if mark.exists() and mark.stat().st_mtime_ns > before:
            return True
        time.sleep(0.01)
    return False


def test_emr_is_told_again_and_again_that_the_cluster_is_busy_while_the_step_runs(
    step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched = list[bool]()
    monkeypatch.setattr(step_main, "_SECONDS_BETWEEN_MARKS", 0.05)
    monkeypatch.setattr(
        emr_step_main, "main", lambda *_: touched.extend(touched_within(step.busy_mark) for _ in range(2))
    )
    step.run()
    assert touched == [True, True]
    assert not touched_within(step.busy_mark, seconds=0.3)


def test_a_mark_of_roots_is_touched_as_root(
    step: Step, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    sudo = tmp_path / "bin" / "sudo"
    sudo.parent.mkdir()
    # What follows its one option is run, by whoever runs the test.
    sudo.write_text('#!/bin/sh\n[ "$1" = --non-interactive ] && shift && exec "$@"\n', encoding="utf-8")
    sudo.chmod(0o755)
    monkeypatch.setenv("PATH", str(sudo.parent), prepend=os.pathsep)
    monkeypatch.setattr(Path, "touch", refuse)
    monkeypatch.setattr(step_main, "_SECONDS_BETWEEN_MARKS", 0.05)
    touched = list[bool]()
    monkeypatch.setattr(emr_step_main, "main", lambda *_: touched.append(touched_within(step.busy_mark)))
    step.run()
    assert (touched, step.busy_mark.stat().st_mode & 0o222, capsys.readouterr().err) == ([True], 0o222, "")


def test_a_mark_that_nobody_can_touch_is_told_once_and_stops_no_step(
    step: Step, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step.busy_mark = tmp_path / "missing" / "isbusy"
    monkeypatch.setattr(step_main, "_SECONDS_BETWEEN_MARKS", 0.01)
    monkeypatch.setattr(emr_step_main, "main", lambda *_: time.sleep(0.2))
    step.run()
    assert capsys.readouterr().err.count("EMR may take this cluster for idle and end it") == 1


# that it ends


def test_a_step_that_takes_too_long_is_ended_and_says_so(
    step: Step, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, codes = threading.Event(), list[int]()

    # In its place: the tests' own process shall not end.
    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(emr_step_main, "main", lambda *_: ended.wait(30))
    body = json.dumps({**expected, "hours": 0.1 / 3600})
    step.s3.put_object(Bucket=BUCKET, Key=f"{FOLDER}/{step_main.EXPECTATIONS}", Body=body.encode())
    step.run()
    assert codes == [1]
    assert re.match(r"It was ended after \S+ hours, which is as long as a step may take", step.report["crash"])


def test_a_step_that_is_done_in_time_is_not_ended(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "_exit", lambda code: pytest.fail("it was ended"))
    step.run()
    assert [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)] == []


def test_a_step_has_less_time_than_dagster_gives_a_run() -> None:
    instance = yaml.safe_load(files("deputies_lake.infrastructure").joinpath("dagster.yaml").read_text("utf-8"))
    aws = load_settings("prod", {}).aws
    assert aws is not None
    assert aws.cluster.step_hours * 3600 < instance["run_monitoring"]["max_runtime_seconds"]
