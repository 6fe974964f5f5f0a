"""The script that lays an environment down, run by a real bash with a stand-in for AWS's command line."""

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from deputies_lake.emr import packaging
from deputies_lake.emr.artifact import BOOTSTRAP, Artifact
from deputies_lake.emr.packaging import Built, build
from deputies_lake_tests.emr.conftest import pinned, write_wheel

SCRIPT = files("deputies_lake.emr").joinpath(BOOTSTRAP)
OURS = Artifact(code_id="c0de", environment_id="e417")
# What the script imports in the end to see that the environment works.
IMPORTED = ("dagster", "dagster_aws", "duckdb", "pyarrow", "pyiceberg")


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built")
    lines = [pinned(name, "1.0", write_wheel(folder / "shelf", name, "1.0")) for name in IMPORTED]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packaging, "pins", lambda: lines)
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(folder / "shelf"))
        return build(OURS, folder / "dist")


@pytest.fixture
def built(tmp_path: Path, built_once: Built) -> Built:
    """An artifact of which a test may break what it likes."""
    return replace(built_once, folder=shutil.copytree(built_once.folder, tmp_path / "dist"))


class Node:
    """A machine of a cluster: a home, python3.11, sleep that takes no time, and an `aws` that copies from a folder."""

    def __init__(self, root: Path, bucket: Path) -> None:
        self.home, self.programs = root / "home", root / "programs"
        self.home.mkdir(parents=True)
        self.programs.mkdir()
        self.calls = root / "calls"
        copy = f'source=${{5#s3://bucket/}}; mkdir -p "$6"; cp -r {shlex.quote(str(bucket))}/"$source". "$6"'
        self.program("aws", f'echo "$@" >> {shlex.quote(str(self.calls))}; {copy}')
        self.information = root / "instance.json"
        self.program("sleep", "exit 0")
        self.program("python3.11", f'exec {shlex.quote(sys.executable)} "$@"')

    def program(self, name: str, script: str) -> None:
        (self.programs / name).write_text(f"#!/bin/bash\n{script}\n")
        (self.programs / name).chmod(0o755)

    def bootstrap(self) -> "subprocess.CompletedProcess[str]":
        # A cluster has no index either: what pip was told here must not count there.
        variables = {
            "EMR_INSTANCE_INFO": str(self.information),
            "HOME": str(self.home),
            "PATH": f"{self.programs}:{os.defpath}",
        }
        return subprocess.run(
            ["bash", str(SCRIPT), OURS.environment_uri("bucket"), OURS.environment_id],
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def python(self) -> Path:
        return Path(OURS.python.replace("/home/hadoop", str(self.home)))


@pytest.fixture
def node(tmp_path: Path, built: Built) -> Node:
    return Node(tmp_path / "node", built.folder)


def test_the_environment_is_where_the_launcher_looks_for_it_and_a_second_time_nothing_is_copied(node: Node) -> None:
    done = node.bootstrap()
    assert done.returncode == 0, done.stderr
    script = "import dagster; print(dagster.version)"
    found = subprocess.run([node.python, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout == "1.0\n"
    before = node.calls.read_text()
    again = node.bootstrap()
    assert (again.returncode, node.calls.read_text()) == (0, before)
    assert "is there already" in again.stderr


def test_what_a_broken_attempt_left_is_made_anew(node: Node) -> None:
    node.python.parent.mkdir(parents=True)
    node.python.write_text("half a program")
    assert node.bootstrap().returncode == 0
    assert subprocess.run([node.python, "-c", ""], check=False).returncode == 0


def test_an_environment_that_is_not_wholly_uploaded_is_refused(node: Node, built: Built) -> None:
    built.manifest.unlink()
    done = node.bootstrap()
    assert done.returncode == 1
    assert f"{OURS.environment_uri('bucket')} is not wholly there. Type: deputies-lake deploy" in done.stderr
    assert not node.python.exists()


def test_a_copy_that_fails_is_tried_again(node: Node, tmp_path: Path) -> None:
    works = (node.programs / "aws").read_text()
    node.program("aws", f"[[ -e {tmp_path}/tried ]] || {{ touch {tmp_path}/tried; exit 1; }}\n{works}")
    assert node.bootstrap().returncode == 0


def test_a_file_that_is_not_the_manifests_is_refused(node: Node, built: Built) -> None:
    (wheel,) = [file for file in built.of_environment() if file.name.startswith("duckdb")]
    with wheel.open("ab") as forged:
        forged.write(b"\0")
    refused(node, f"wheels/{wheel.name} is not what was deployed")


def test_a_file_that_is_missing_or_was_added_is_refused(node: Node, built: Built) -> None:
    (wheel,) = [file for file in built.of_environment() if file.name.startswith("duckdb")]
    wheel.rename(wheel.with_name("forged-1.0-py3-none-any.whl"))
    refused(node, f"wheels/{wheel.name} is not there", "wheels/forged-1.0-py3-none-any.whl was not deployed")


def test_the_manifest_of_another_environment_is_refused(node: Node, built: Built) -> None:
    content = json.loads(built.manifest.read_text())
    built.manifest.write_text(json.dumps({**content, "environment_id": "other"}))
    refused(node, f"its manifest is of other, not of {OURS.environment_id}")


def test_a_wheel_that_is_not_the_locked_one_is_refused(node: Node, built: Built) -> None:
    """Also where the manifest was forged with it."""
    (wheel,) = [file for file in built.of_environment() if file.name.startswith("duckdb")]
    with wheel.open("ab") as forged:
        forged.write(b"\0")
    content = json.loads(built.manifest.read_text())
    content["sha256"][f"wheels/{wheel.name}"] = hashlib.sha256(wheel.read_bytes()).hexdigest()
    built.manifest.write_text(json.dumps(content))
    refused(node, "DO NOT MATCH THE HASHES")


def refused(node: Node, *reasons: str) -> None:
    done = node.bootstrap()
    assert done.returncode != 0
    assert [reason for reason in reasons if reason not in done.stderr] == [], done.stderr
    assert not (node.python.parents[1] / "complete").exists()


@pytest.mark.parametrize("information", ['{"isMaster": false}', '{"isMaster":false}', '{ "isMaster" : false }'])
def test_only_the_primary_node_needs_it(node: Node, information: str) -> None:
    node.information.write_text(information)
    done = node.bootstrap()
    assert (done.returncode, node.calls.exists()) == (0, False)
    assert "nothing to do on this node" in done.stderr


def test_a_copy_that_never_works_is_said_to_be_one(node: Node) -> None:
    node.program("aws", "echo 'fatal error: Access Denied' >&2; exit 1")
    done = node.bootstrap()
    assert done.returncode == 1
    assert done.stderr.count("Access Denied") == 3
    assert "can't be copied; what aws says of it is above. May this machine's role read it?" in done.stderr


def test_missing_arguments_are_named(node: Node) -> None:
    done = subprocess.run(["bash", str(SCRIPT), "s3://b/e"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "two arguments are needed: s3://BUCKET/environments/ID ID" in done.stderr


def test_shellcheck_has_nothing_to_say() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, "--severity", "style", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0
