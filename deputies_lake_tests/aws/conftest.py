import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from deputies_lake_tests.aws.emulator import EmulatedAws


@pytest.fixture(scope="session")
def clusters_directory() -> Iterator[Path]:
    """Where emulators keep what bootstrap actions left: the next module's cluster need not repeat them."""
    with tempfile.TemporaryDirectory(prefix="clusters-") as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def emulated_aws(clusters_directory: Path) -> Iterator[EmulatedAws]:
    """An AWS for each module, empty at first. This process and those it starts have no other."""
    with EmulatedAws(clusters_directory) as emulated, pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            environment.delenv(name)
        for name, value in emulated.variables.items():
            environment.setenv(name, value)
        # boto3's own session keeps the credentials of whoever used it first.
        environment.setattr(boto3, "DEFAULT_SESSION", None)
        yield emulated


@pytest.fixture
def aws(emulated_aws: EmulatedAws) -> Iterator[EmulatedAws]:
    """The module's AWS, for a test that may break it: what it does to calls and clocks ends with it."""
    yield emulated_aws
    emulated_aws.end_faults()
