"""How an artifact is built, once per version, and how it comes to where clusters look for it.

A folder that is laid out as the artifacts bucket is: what has the same name has the same content, so nothing is built
or uploaded twice. What is in an artifact says `artifact.py`.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Final

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

# A missing bucket is told by the upload, which comes next.
_MISSING: Final = ("404", "NoSuchBucket")
_BEING_WRITTEN: Final = "ConditionalRequestConflict"
_WAS_WRITTEN: Final = "PreconditionFailed"
_PAUSE_SECONDS: Final = 0.5

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
    is sent to the wrong account; `ArtifactError` where there is no bucket, or it holds another build of this version.
    """
    bucket = _Bucket(aws, require_account(aws))
    files = [*built.of_code(), *built.of_environment()]
    with ThreadPoolExecutor(_PARALLEL_UPLOADS) as pool:
        sent = pool.map(partial(bucket.send, built.folder, progress), files)
        keys = [key for key in sent if key]
    return [*keys, *filter(None, [bucket.send(built.folder, progress, built.manifest)])]


def to_deploy(built: Built) -> int:
    """How many files an artifact has."""
    return len(built.of_code()) + len(built.of_environment()) + 1


class _Bucket:
    """The artifacts bucket, in which nothing is ever overwritten."""

    def __init__(self, aws: AwsSettings, account: str) -> None:
        self._aws, self._s3 = aws, client("s3", aws)
        # Bucket names are the world's: this one must be ours.
        self._place = {"Bucket": aws.artifacts_bucket, "ExpectedBucketOwner": account}

    def send(self, folder: Path, progress: Progress, file: Path) -> str | None:
        """Upload a file, unless it is there. Its key if it was sent."""
        key = file.relative_to(folder).as_posix()
        sent = not self._holds(key, file) and self._put(key, file)
        progress(key)
        return key if sent else None

    def _holds(self, key: str, file: Path) -> bool:
        try:
            found = self._s3.head_object(**self._place, Key=key, ChecksumMode="ENABLED")
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return False
            raise
        if found.get("ChecksumSHA256") == b64encode(bytes.fromhex(_sha256(file))).decode():
            return True
        raise ArtifactError(
            f"s3://{self._aws.artifacts_bucket}/{key} is not what was built here: two machines began to deploy this "
            f"version. Remove what they left, then deploy again: "
            f"aws s3 rm --recursive s3://{self._aws.artifacts_bucket}/{key.rpartition('/')[0]}/"
        )

    def _put(self, key: str, file: Path) -> bool:
        """Whether it was this upload that put it there."""
        while True:
            try:
                with file.open("rb") as body:
                    self._s3.put_object(**self._place, Key=key, Body=body, ChecksumAlgorithm="SHA256", IfNoneMatch="*")
            except self._s3.exceptions.NoSuchBucket as error:
                raise ArtifactError(
                    f"there is no bucket {self._aws.artifacts_bucket}. "
                    f"Type `deputies-lake infra up --env {self._aws.environment}` first."
                ) from error
            except self._s3.exceptions.ClientError as error:
                code = error.response["Error"]["Code"]
                if code == _BEING_WRITTEN:
                    # Someone else's upload has begun; it may yet fail.
                    time.sleep(_PAUSE_SECONDS)
                elif code == _WAS_WRITTEN:
                    return not self._holds(key, file)
                else:
                    raise
            else:
                return True


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
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as pinned:
        pinned.write("\n".join(pins()))
        pinned.flush()
        what = ["--no-deps", "--require-hashes", "--requirement", pinned.name]
        command = [*pip, *what, *for_cluster, "--dest", str(wheels)]
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
