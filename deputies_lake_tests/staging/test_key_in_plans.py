"""The key that hides tax ids is in no plan: Spark shows plans in its UI and keeps them in its event log."""

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from deputies_lake.environments import Engine
from deputies_lake_tests.staging.raw_rows import (
    CPF_KEY,
    chamber_expense,
    raw_chamber_expenses,
    raw_refunds,
    raw_reimbursements,
    refund,
    reimbursement,
    stage_chamber_expenses,
    stage_refunds,
    stage_reimbursements,
)

pytestmark = pytest.mark.engine(Engine.SPARK)

_BLOCK: Final = 64
KEY: Final = CPF_KEY.encode().ljust(_BLOCK, b"\0")
SECRETS: Final = {
    "the key": CPF_KEY.encode(),
    "the inner pad": bytes(byte ^ 0x36 for byte in KEY),
    "the outer pad": bytes(byte ^ 0x5C for byte in KEY),
}

STAGED: Final[Mapping[str, Callable[[SparkSession], DataFrame]]] = {
    "stg_chamber_expenses": lambda spark: stage_chamber_expenses(raw_chamber_expenses(spark, [chamber_expense()])),
    "stg_kaggle_reimbursements": lambda spark: stage_reimbursements(raw_reimbursements(spark, [reimbursement()])),
    "stg_kaggle_refunds": lambda spark: stage_refunds(raw_refunds(spark, [refund()])),
}


def spellings(secret: bytes) -> Iterator[str]:
    """How a plan may write bytes. A part will do: a plan cuts long values short."""
    start = secret[:12]
    yield start.decode("latin-1")
    yield start.hex()
    yield base64.b64encode(start).decode()
    for separator in (", ", ",", " "):
        yield separator.join(str(byte) for byte in start)
        yield separator.join(str(byte - 256 if byte > 127 else byte) for byte in start)


def betrayed(text: str) -> list[str]:
    """Which of the secrets can be read in it."""
    return [what for what, secret in SECRETS.items() if any(s.lower() in text.lower() for s in spellings(secret))]


@contextmanager
def event_log(spark: SparkSession, folder: Path) -> Iterator[None]:
    """What Spark does meanwhile, in an event log in this folder, as on a cluster."""
    context: Any = spark.sparkContext._jsc.sc()
    jvm: Any = spark._jvm
    conf = context.conf().clone().set("spark.eventLog.compress", "false")
    listener = jvm.org.apache.spark.scheduler.EventLoggingListener(
        "events", jvm.scala.Option.empty(), jvm.java.net.URI(folder.as_uri()), conf, context.hadoopConfiguration()
    )
    listener.start()
    context.addSparkListener(listener)
    try:
        yield
        context.listenerBus().waitUntilEmpty()
    finally:
        context.removeSparkListener(listener)
        listener.stop()


def logged(spark: SparkSession, rows: DataFrame, folder: Path) -> str:
    """The event log of writing these rows."""
    with event_log(spark, folder):
        rows.write.parquet(str(folder / "rows"))
    return (folder / "events").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", STAGED)
def test_the_event_log_does_not_hold_the_key(table: str, spark: SparkSession, tmp_path: Path) -> None:
    log = logged(spark, STAGED[table](spark), tmp_path)
    assert "SparkListenerSQLExecutionStart" in log
    assert "_outer_pad" in log
    assert betrayed(log) == []


@pytest.mark.parametrize("table", STAGED)
def test_explaining_a_plan_does_not_show_the_key(
    table: str, spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    STAGED[table](spark).explain(extended=True)
    plan = capsys.readouterr().out
    assert "_outer_pad" in plan
    assert betrayed(plan) == []


@pytest.mark.parametrize("secret", SECRETS)
def test_a_key_among_a_plans_literals_would_be_found(secret: str, spark: SparkSession, tmp_path: Path) -> None:
    rows = spark.range(1).select(F.sha2(F.concat(F.lit(SECRETS[secret]), F.col("id").cast("binary")), 256).alias("x"))
    assert betrayed(logged(spark, rows, tmp_path)) == [secret]
