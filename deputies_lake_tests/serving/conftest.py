"""What tests of what readers get share."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer

from deputies_lake.environments import ACCOUNT, ENDPOINT, Settings, load_settings
from deputies_lake.lakehouse.lake import Lake
from deputies_lake_tests.serving import small_lake


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the small lake, which nobody changes."""
    folder = tmp_path_factory.mktemp("lake")
    small_lake.build(folder)
    return folder


@pytest.fixture(scope="session")
def lake(home: Path) -> Lake:
    return small_lake.open_lake(home)


@pytest.fixture(scope="module")
def in_aws() -> Iterator[Settings]:
    """Settings of a lake whose bucket is there, in an AWS on loopback."""
    # What an earlier module of this process left in the emulated AWS.
    moto_api_backend.reset()
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }.items():
            patch.setenv(name, value)
        # One of its own: boto3's would keep these credentials for other tests.
        patch.setattr(boto3, "DEFAULT_SESSION", boto3.Session())
        settings = load_settings("staging", {ACCOUNT: "123456789012", ENDPOINT: endpoint, "AWS_REGION": "us-east-1"})
        assert settings.aws
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=settings.aws.lake_bucket)
        yield settings
    server.stop()
