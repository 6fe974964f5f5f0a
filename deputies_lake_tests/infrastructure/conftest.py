"""An AWS account in which stacks behave as CloudFormation's do, empty before each test."""

from collections.abc import Iterator
from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws

from deputies_lake.environments import Settings, load_settings
from deputies_lake_tests.infrastructure.moto_gaps import patch_moto

VARIABLES = {"DEPUTIES_LAKE_ACCOUNT": "123456789012", "DEPUTIES_LAKE_POLL_SECONDS": "0.1"}


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """One for all tests: a session reads the services' descriptions anew, which takes longer than most tests."""
    return boto3.Session(aws_access_key_id="nobodys", aws_secret_access_key="nobodys")


@pytest.fixture
def account(session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    patch_moto()
    # Nothing happens meanwhile: an operation goes on when it is asked about. Other threads' sleep is their own.
    monkeypatch.setattr("deputies_lake.infrastructure.stack.time", SimpleNamespace(sleep=lambda _: None))
    with mock_aws():
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
        yield


@pytest.fixture
def settings() -> Settings:
    return load_settings("staging", VARIABLES)
