"""An account in memory, and a small artifact whose packages are made here."""

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from deputies_lake.aws import client
from deputies_lake.environments import ACCOUNT, AwsSettings, load_settings

MOTO_ACCOUNT = "123456789012"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsSettings]:
    """The settings of an environment whose account, moto's, has nothing in it."""
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "testing")
    with mock_aws():
        settings = load_settings("staging", {ACCOUNT: MOTO_ACCOUNT}).aws
        assert settings is not None
        yield settings


@pytest.fixture
def bucket(aws: AwsSettings) -> Any:
    """The artifacts bucket, empty."""
    s3 = client("s3", aws)
    s3.create_bucket(Bucket=aws.artifacts_bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
    return s3


def write_wheel(folder: Path, name: str, version: str, tag: str = "py3-none-any") -> Path:
    """The smallest wheel that pip takes."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", f"version = '{version}'\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return wheel


def pinned(name: str, version: str, *wheels: Path) -> str:
    """A line of a lock that allows these wheels."""
    return " ".join(
        [f"{name}=={version}", *(f"--hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}" for wheel in wheels)]
    )
