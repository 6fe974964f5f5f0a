"""An artifact is built once, uploaded once, and never taken for whole before it is."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from deputies_lake.aws import AccountError
from deputies_lake.cli.main import main
from deputies_lake.emr import artifact, packaging
from deputies_lake.emr.artifact import Artifact, ArtifactError
from deputies_lake.emr.packaging import LOCK, Built, build, deploy
from deputies_lake.environments import ACCOUNT, AwsSettings, load_settings
from deputies_lake_tests.emr.cloud import atomic_conditions
from deputies_lake_tests.emr.conftest import MOTO_ACCOUNT, pinned, write_wheel

OURS = Artifact(code_id="c0de", environment_id="e417")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two packages, which pip finds here and nowhere else."""
    folder = tmp_path_factory.mktemp("shelf")
    for name, version in (("lake_one", "1.0"), ("lake_two", "2.1")):
        write_wheel(folder, name, version)
    return folder


def offer(shelf: Path, patch: pytest.MonkeyPatch) -> None:
    one, two = (shelf / f"{name}-py3-none-any.whl" for name in ("lake_one-1.0", "lake_two-2.1"))
    lines = [pinned("lake-one", "1.0", one), pinned("lake-two", "2.1", two)]
    patch.setattr(packaging, "pins", lambda: lines)
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", str(shelf))


@pytest.fixture(autouse=True)
def packages(monkeypatch: pytest.MonkeyPatch, shelf: Path) -> None:
    offer(shelf, monkeypatch)


@pytest.fixture(scope="module")
def built_once(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    with pytest.MonkeyPatch.context() as patch:
        offer(shelf, patch)
        return build(OURS, tmp_path_factory.mktemp("built") / "dist")


@pytest.fixture
def built(tmp_path: Path, built_once: Built) -> Built:
    """An artifact of the test's own, built into `dist`."""
    return replace(built_once, folder=shutil.copytree(built_once.folder, tmp_path / "dist"))


def test_a_version_is_built_once(built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert built.new == ["code", "environment"]
    monkeypatch.setattr(packaging, "_download", lambda *_: pytest.fail("pip was asked again"))
    assert build(OURS, tmp_path / "dist").new == []


def test_new_code_does_not_build_its_environment_anew(built: Built, tmp_path: Path) -> None:
    newer = Artifact(code_id="newer", environment_id=OURS.environment_id)
    assert build(newer, tmp_path / "dist").new == ["code"]


def test_the_zip_has_the_same_bytes_every_time(tmp_path: Path) -> None:
    zips = [build(OURS, tmp_path / name).of_code()[0].read_bytes() for name in ("one", "other")]
    assert zips[0] == zips[1]


def test_the_lock_names_every_package_with_the_hash_of_its_wheel(built: Built) -> None:
    (lock,) = [file for file in built.of_environment() if file.name == LOCK]
    lines = [line.split(" --hash=sha256:") for line in lock.read_text().splitlines()[1:]]
    wheels = {file.name.split("-")[0]: file for file in built.of_environment() if file.suffix == ".whl"}
    assert [[pin, hashed] for pin, hashed in lines] == [
        ["lake-one==1.0", packaging._sha256(wheels["lake_one"])],
        ["lake-two==2.1", packaging._sha256(wheels["lake_two"])],
    ]


def test_a_package_without_a_wheel_for_a_cluster_is_named_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packaging, "pins", lambda: [f"only-for-mac==3.0 --hash=sha256:{'0' * 64}"])
    with pytest.raises(ArtifactError, match=r"(?s)Linux, x86-64 and Python 3\.11: .*only-for-mac==3\.0"):
        build(OURS, tmp_path / "dist")
    assert list((tmp_path / "dist" / "environments").iterdir()) == []


def test_a_wheel_that_is_not_the_locked_one_is_refused(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = pinned("lake-one", "1.0", shelf / "lake_two-2.1-py3-none-any.whl")
    monkeypatch.setattr(packaging, "pins", lambda: [other])
    with pytest.raises(ArtifactError, match="THESE PACKAGES DO NOT MATCH THE HASHES"):
        build(OURS, tmp_path / "dist")


def keys(s3: Any, aws: AwsSettings) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=aws.artifacts_bucket).get("Contents", ())]


def test_what_is_deployed_is_what_a_cluster_needs(built: Built, aws: AwsSettings, bucket: Any) -> None:
    deploy(aws, built)
    artifact.require_deployed(aws, OURS)
    manifest = bucket.get_object(Bucket=aws.artifacts_bucket, Key=f"{OURS.environment_key}/{artifact.MANIFEST}")
    listed = json.loads(manifest["Body"].read())["sha256"]
    there = {key.removeprefix(f"{OURS.environment_key}/") for key in keys(bucket, aws) if key.startswith("environ")}
    assert there == {*listed, artifact.MANIFEST}
    assert {artifact.BOOTSTRAP, LOCK, "wheels/lake_one-1.0-py3-none-any.whl"} < there


def test_a_second_time_nothing_is_sent(built: Built, aws: AwsSettings, bucket: Any) -> None:
    assert len(deploy(aws, built)) == 6
    assert deploy(aws, built) == []


def test_what_an_interrupted_upload_left_is_completed(built: Built, aws: AwsSettings, bucket: Any) -> None:
    deploy(aws, built)
    lost = [f"{OURS.environment_key}/{artifact.MANIFEST}", f"{OURS.environment_key}/{LOCK}"]
    for key in lost:
        bucket.delete_object(Bucket=aws.artifacts_bucket, Key=key)
    assert sorted(deploy(aws, built)) == sorted(lost)


def test_the_manifest_is_sent_after_all_else(
    built: Built, aws: AwsSettings, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = deploy(aws, built)
    assert sent[-1].endswith(artifact.MANIFEST)


@pytest.mark.usefixtures("bucket")
def test_two_may_deploy_the_same_version_at_once(built: Built, aws: AwsSettings) -> None:
    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(deploy(aws, built))) for _ in range(4)]
    with atomic_conditions():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(key for result in results for key in result) == sorted({key for result in results for key in result})
    assert len(results) == 4
    artifact.require_deployed(aws, OURS)


def test_nothing_goes_to_another_account(built: Built, bucket: Any, aws: AwsSettings) -> None:
    other = load_settings("staging", {ACCOUNT: "210987654321"}).aws
    assert other is not None
    with pytest.raises(AccountError, match="Nothing was changed"):
        deploy(other, built)
    assert keys(bucket, aws) == []


def test_without_a_bucket_the_remedy_is_said(built: Built, aws: AwsSettings) -> None:
    with pytest.raises(ArtifactError) as refusal:
        deploy(aws, built)
    assert str(refusal.value) == (
        "there is no bucket deputies-lake-staging-123456789012-artifacts. "
        "Type `deputies-lake infra up --env staging` first."
    )


class Recorder:
    """A client of S3 that notes what is put, and may refuse it first."""

    def __init__(self, s3: Any, *refusals: str) -> None:
        self._s3, self._refusals = s3, [*refusals]
        self.puts: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def put_object(self, **arguments: Any) -> Any:
        self.puts.append(arguments)
        if self._refusals:
            raise ClientError({"Error": {"Code": self._refusals.pop(), "Message": "no"}}, "PutObject")
        return self._s3.put_object(**arguments)


def recorded(monkeypatch: pytest.MonkeyPatch, s3: Any, *refusals: str) -> Recorder:
    recorder = Recorder(s3, *refusals)
    monkeypatch.setattr(packaging, "client", lambda *_: recorder)
    monkeypatch.setattr(packaging, "_PAUSE_SECONDS", 0)
    return recorder


def test_other_refusals_of_aws_are_not_taken_for_someone_elses_upload(
    built: Built, aws: AwsSettings, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(monkeypatch, bucket, "AccessDenied")
    with pytest.raises(ClientError, match="AccessDenied"):
        deploy(aws, built)


def test_an_upload_that_meets_anothers_is_repeated(
    built: Built, aws: AwsSettings, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(monkeypatch, bucket, *["ConditionalRequestConflict"] * 3)
    assert len(deploy(aws, built)) == 6
    assert len(keys(bucket, aws)) == 6


def test_uploads_are_checked_by_s3_bound_to_our_account_and_overwrite_nothing(
    built: Built, aws: AwsSettings, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = recorded(monkeypatch, bucket)
    deploy(aws, built)
    guards = {(put["ChecksumAlgorithm"], put["ExpectedBucketOwner"], put["IfNoneMatch"]) for put in recorder.puts}
    assert guards == {("SHA256", MOTO_ACCOUNT, "*")}


def test_another_build_of_the_same_version_is_not_mixed_with_ours(built: Built, aws: AwsSettings, bucket: Any) -> None:
    lock = f"{OURS.environment_key}/{LOCK}"
    bucket.put_object(Bucket=aws.artifacts_bucket, Key=lock, Body=b"another", ChecksumAlgorithm="SHA256")
    with pytest.raises(ArtifactError, match=rf"{lock} is not what was built here: .*aws s3 rm --recursive s3://"):
        deploy(aws, built)
    with pytest.raises(ArtifactError, match="the environment"):
        artifact.require_deployed(aws, OURS)


def test_wheels_are_those_of_the_clusters_machines(
    built: Built, tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = ("macosx_11_0_arm64", "manylinux_2_35_x86_64", "manylinux_2_28_x86_64")
    three = [write_wheel(shelf, "lake_three", "1.0", f"cp311-cp311-{tag}") for tag in tags]
    monkeypatch.setattr(packaging, "pins", lambda: [pinned("lake-three", "1.0", *three)])
    wheels = [file.name for file in build(OURS, tmp_path / "other").of_environment() if file.suffix == ".whl"]
    assert wheels == ["lake_three-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"]


# as typed


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(ACCOUNT, MOTO_ACCOUNT)
    for verb in ("deploy", "package"):
        monkeypatch.setattr(f"deputies_lake.cli.{verb}.current", lambda: OURS)
    return CliRunner()


@pytest.mark.usefixtures("bucket")
def test_deploy_says_what_it_built_and_sent(typed: CliRunner) -> None:
    first = typed.invoke(main, ["deploy", "--env", "staging"])
    second = typed.invoke(main, ["deploy", "--env", "staging"])
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert "code         c0de  new" in first.output
    assert "6 files sent" in first.output
    assert "All there already; nothing was sent" in second.output


def test_package_needs_no_account(typed: CliRunner, tmp_path: Path) -> None:
    assert typed.invoke(main, ["package"]).exit_code == 0
    assert (tmp_path / "dist" / "code" / "c0de" / artifact.CODE).exists()


def test_a_local_lake_is_deployed_nowhere(typed: CliRunner) -> None:
    result = typed.invoke(main, ["deploy"], env={"DEPUTIES_LAKE_ENVIRONMENT": "local"})
    assert result.exit_code == 2
    assert "local is not in AWS: add --env with one of staging, prod" in result.output
