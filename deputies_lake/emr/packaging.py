"""How an artifact is built, once per version, and how it comes to where clusters look for it.

A folder that is laid out as the artifacts bucket is: what has the same name has the same content, so nothing is built
or uploaded twice. What is in an artifact says `artifact.py`.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from packaging.utils import parse_wheel_filename

from deputies_lake.aws import client, require_account
from deputies_lake.emr.artifact import BOOTSTRAP, CODE, MANIFEST, PACKAGE, Artifact, ArtifactError, code_files, pins
from deputies_lake.environments import AwsSettings

LOCK: Final = "requirements.lock"
WHEELS: Final = "wheels"

# Amazon Linux 2023, on which EMR 7 runs, has glibc 2.34.
_GLIBC_MINORS: Final = range(34, 4, -1)
_PLATFORMS: Final = (
    *(f"manylinux_2_{minor}_x86_64" for minor in _GLIBC_MINORS),
    *("manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"),
)
_ZIP_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_PARALLEL_UPLOADS: Final = 8

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Built:
    """An artifact in a folder. `new` names the parts that were not there before."""

    artifact: Artifact
    folder: Path
    new: Sequence[str]

    def of_code(self) -> list[Path]:
        return _below(self.folder / Path(self.artifact.code_key).parent)

    def of_environment(self) -> list[Path]:
        """All but the manifest, which is uploaded after them."""
        return [file for file in _below(self.folder / self.artifact.environment_key) if file.name != MANIFEST]

    @property
    def manifest(self) -> Path:
        return self.folder / self.artifact.environment_key / MANIFEST


def build(artifact: Artifact, folder: Path, report: Progress = lambda _: None) -> Built:
    """Build what `folder` does not hold yet of `artifact`, the one that is `artifact.current()`.

    The wheels are found as pip is set up to. Raises `ArtifactError` where a package has none for a cluster.
    """
    new = []
    code, environment = folder / Path(artifact.code_key).parent, folder / artifact.environment_key
    if not code.exists():
        with _new(code) as made:
            _write_zip(made / CODE)
        new.append("code")
    if not environment.exists():
        report(f"Fetching {len(pins())} packages for Linux, Python 3.11")
        with _new(environment) as made:
            _write_environment(made, artifact)
        new.append("environment")
    return Built(artifact=artifact, folder=folder, new=new)


def deploy(aws: AwsSettings, built: Built, progress: Progress = lambda _: None) -> list[str]:
    """Upload what the artifacts bucket does not hold yet; the keys that were. `progress` is told each of them.

    The manifest comes last: without it an environment is not taken for deployed. Raises `AccountError` before anything
    is sent to the wrong account, `ArtifactError` where there is no bucket.
    """
    account = require_account(aws)
    s3 = client("s3", aws)

    def send(file: Path) -> str:
        key = file.relative_to(built.folder).as_posix()
        with file.open("rb") as body:
            # Bucket names are the world's: this one must be ours. Content-addressed, so never overwritten.
            s3.put_object(
                Bucket=aws.artifacts_bucket,
                Key=key,
                Body=body,
                ChecksumAlgorithm="SHA256",
                IfNoneMatch="*",
                ExpectedBucketOwner=account,
            )
        progress(key)
        return key

    there = _keys(s3, aws, built.artifact)
    wanted = [*built.of_code(), *built.of_environment()]
    missing = [file for file in wanted if file.relative_to(built.folder).as_posix() not in there]
    with ThreadPoolExecutor(_PARALLEL_UPLOADS) as pool:
        sent = list(pool.map(_unless_sent_meanwhile(send), missing))
    if built.manifest.relative_to(built.folder).as_posix() not in there:
        sent.append(_unless_sent_meanwhile(send)(built.manifest))
    return [key for key in sent if key]


def to_deploy(built: Built) -> int:
    """How many files an artifact has."""
    return len(built.of_code()) + len(built.of_environment()) + 1


def _keys(s3: Any, aws: AwsSettings, artifact: Artifact) -> set[str]:
    pages = s3.get_paginator("list_objects_v2")
    prefixes = (str(Path(artifact.code_key).parent), artifact.environment_key)
    try:
        return {
            entry["Key"]
            for prefix in prefixes
            for page in pages.paginate(Bucket=aws.artifacts_bucket, Prefix=f"{prefix}/")
            for entry in page.get("Contents", ())
        }
    except s3.exceptions.NoSuchBucket as error:
        raise ArtifactError(
            f"there is no bucket {aws.artifacts_bucket}. Type `deputies-lake infra up --env {aws.environment}` first."
        ) from error


def _unless_sent_meanwhile(send: Callable[[Path], str]) -> Callable[[Path], str | None]:
    """Two engineers may deploy the same version at once; what one sent is what the other would."""
    from botocore.exceptions import ClientError

    def attempt(file: Path) -> str | None:
        try:
            return send(file)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"PreconditionFailed", "ConditionalRequestConflict"}:
                return None
            raise

    return attempt


@contextmanager
def _new(folder: Path) -> Iterator[Path]:
    """A folder that appears under its name when all is in it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as work:
        made = Path(work) / folder.name
        made.mkdir()
        yield made
        made.rename(folder)


def _write_zip(path: Path) -> None:
    """The same bytes on any machine: no times, no permissions, and no compression, which differs between zlibs."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in code_files():
            archive.writestr(zipfile.ZipInfo(name, _ZIP_EPOCH), content)


def _write_environment(folder: Path, artifact: Artifact) -> None:
    wheels = folder / WHEELS
    _download(wheels)
    lock = [
        "# Made by `deputies-lake package`: what a cluster's Python runs, with nothing left to be resolved there.",
        *(f"{_pin(wheel)} --hash=sha256:{_sha256(wheel)}" for wheel in sorted(wheels.iterdir())),
    ]
    (folder / LOCK).write_text("\n".join([*lock, ""]), encoding="utf-8")
    (folder / BOOTSTRAP).write_bytes(files(f"{PACKAGE}.emr").joinpath(BOOTSTRAP).read_bytes())
    content = {
        "environment_id": artifact.environment_id,
        "sha256": {file.relative_to(folder).as_posix(): _sha256(file) for file in _below(folder)},
    }
    (folder / MANIFEST).write_text(json.dumps(content, indent=1), encoding="utf-8")


def _download(wheels: Path) -> None:
    platforms = [option for platform in _PLATFORMS for option in ("--platform", platform)]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    for_cluster = ["--only-binary", ":all:", "--implementation", "cp", "--python-version", "3.11", *platforms]
    command = [*pip, "--no-deps", *for_cluster, "--dest", str(wheels), *pins()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise ArtifactError(
            f"pip finds no wheels for a cluster, which has Linux, x86-64 and Python 3.11: {done.stderr.strip()}"
        )


def _pin(wheel: Path) -> str:
    name, version, _, _ = parse_wheel_filename(wheel.name)
    return f"{name}=={version}"


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
