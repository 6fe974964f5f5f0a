"""Why something failed, as a sentence; and that what can't succeed is tried once."""

import errno
import shutil
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import dagster as dg
import pytest
from botocore.exceptions import NoCredentialsError
from py4j.clientserver import (  # type: ignore[import-untyped]
    ClientServerConnection,
    JavaParameters,
    PythonParameters,
)
from py4j.protocol import Py4JError, Py4JNetworkError  # type: ignore[import-untyped]
from pyspark.errors import PySparkRuntimeError

from deputies_lake.assets import STEP, Results, key_of, publish, spec_of
from deputies_lake.causes import of_event, told
from deputies_lake.environments import DAGSTER_HOME, HOME, SettingsError
from deputies_lake.lakehouse.damage import DamagedTableError
from deputies_lake.lakehouse.lake import Published
from deputies_lake.lakehouse.local_home import LockedLakeError
from deputies_lake.star import ref_monthly_quotas

FULL = OSError(errno.ENOSPC, "No space left on device", "/lake/warehouse/x.parquet")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (FULL, "the disk is full: /lake/warehouse/x.parquet. Make room on it"),
        (
            OSError("Error writing bytes to '/lake/y.parquet'. Detail: No space left on device"),
            "full: /lake/y.parquet.",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/landing/a.csv"),
            "by this user: /landing/a.csv. Allow it",
        ),
        (
            PySparkRuntimeError(error_class="JAVA_GATEWAY_EXITED", message_parameters={}),
            "Java ended before Spark had started, and says above why.",
        ),
        (NoCredentialsError(), "AWS was not asked: Unable to locate credentials. Log in (aws sso login)"),
        (
            OSError("When reading 'x': AWS Error ACCESS_DENIED during GetObject operation"),
            "AWS does not allow it: When",
        ),
        (Py4JError("java.lang.OutOfMemoryError: Java heap space"), "too little memory: set DEPUTIES_LAKE_SPARK_MEMORY"),
        (Py4JNetworkError("Answer from Java side is empty"), "Spark's Java ended while it worked"),
        (
            DamagedTableError("star.ref_monthly_quotas", "a file is lost", "deputies-lake repair"),
            "star.ref_monthly_quotas is damaged",
        ),
    ],
)
def test_what_a_person_can_mend_is_a_sentence(error: Exception, sentence: str) -> None:
    assert sentence in (told(error) or "")


def test_of_a_full_disk_that_is_not_named_the_fullest_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME, str(tmp_path / "lake" / "to" / "be"))
    monkeypatch.setenv(DAGSTER_HOME, str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: mock.Mock(free=0 if path == tmp_path / "lake" else 10))
    (tmp_path / "lake").mkdir()
    for error in (OSError(errno.ENOSPC, "Error writing bytes to file"), RuntimeError("database or disk is full")):
        assert f"the disk is full: {tmp_path}/lake. Make room on it" in (told(error) or "")


def test_a_java_that_is_gone_is_told() -> None:
    with pytest.raises(ConnectionRefusedError) as refused:
        # As PySpark does; nobody listens at this port.
        ClientServerConnection(JavaParameters(port=1), PythonParameters(), mock.Mock(), None).connect_to_java_server()
    assert "Spark's Java ended while it worked" in (told(refused.value) or "")
    assert told(ConnectionRefusedError(errno.ECONNREFUSED, "of something else")) is None


def test_what_this_program_did_wrong_is_none() -> None:
    assert told(ValueError("7")) is None


def test_memory_that_a_cluster_lacked_another_machine_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    assert told(Py4JError("java.lang.OutOfMemoryError: Java heap space")) is None


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (FULL, 1),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 1),
        (LockedLakeError("catalog.db is held by another process"), 1),
        (SettingsError("set it"), 1),
        (ConnectionResetError("S3 hung up"), 2),
    ],
)
def test_what_can_not_succeed_is_tried_once(error: Exception, tries: int) -> None:
    tried = []

    def write() -> Sequence[Published]:
        tried.append(error)
        raise error

    policy = dg.RetryPolicy(max_retries=1)

    @dg.multi_asset(specs=[spec_of(ref_monthly_quotas.TABLE)], **{**STEP, "retry_policy": policy})
    def step(context: dg.AssetExecutionContext) -> Results:
        yield from publish(context, [ref_monthly_quotas.TABLE], write)

    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize(
            [step], selection=[key_of(ref_monthly_quotas.TABLE)], instance=instance, raise_on_error=False
        )
    [failure] = [event for event in run.all_events if event.is_step_failure]
    assert len(tried) == tries
    assert str(error) in of_event(failure) or (told(error) or "?") in of_event(failure)
