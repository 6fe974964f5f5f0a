"""What tests of several layers share: one small Spark session, and the real rows where this machine has them."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from pyspark.sql import DataFrame, SparkSession

from deputies_lake.environments import load_settings
from deputies_lake.java import provide_class_archive, provide_java
from deputies_lake.raw import kaggle_reimbursements
from deputies_lake_tests.as_typed import COMPILED_IN_HASTE
from deputies_lake_tests.staging import raw_rows

LONGEST_FIRST: Final = (
    "aws/test_page.py",
    "test_as_typed.py",
    "aws/test_faults.py",
    "test_ui.py",
    "automation/test_daemon.py",
    "test_real_lake.py",
    "serving/test_marts.py",
    "star/test_assets.py",
    "resources/emr/test_launcher.py",
    "staging/test_assets.py",
)
"""Files that take a minute or more. The last one handed out to a process should be a short one."""


def pytest_configure(config: pytest.Config) -> None:
    # PySpark leaves the socket through which it collects rows to the garbage collector.
    config.addinivalue_line("filterwarnings", "ignore:unclosed <socket:ResourceWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order files as they are to be handed out to processes; within a file nothing moves."""
    rank = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """One session for all tests, with the settings of the local lake."""
    provide_java()
    provide_class_archive()
    local = load_settings("local", {}).spark
    small = {
        "spark.master": "local[2]",
        "spark.driver.memory": "1g",
        "spark.sql.shuffle.partitions": "2",
        "spark.driver.extraJavaOptions": f"{local['spark.driver.extraJavaOptions']} {COMPILED_IN_HASTE}",
    }
    session = SparkSession.builder.config(map={**local, **small}).getOrCreate()
    yield session
    session.stop()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real rows. They hold personal ids, so they are not part of the project."""
    variables = os.environ
    folder = variables.get("DEPUTIES_LAKE_REAL_DATA")
    if not folder:
        if variables.get("CI") == "true":
            pytest.fail("DEPUTIES_LAKE_REAL_DATA is not set: CI must run the tests of real rows, not skip them")
        pytest.skip("DEPUTIES_LAKE_REAL_DATA is not set: there are no real rows on this machine")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"DEPUTIES_LAKE_REAL_DATA={folder} is no directory")
    return path


@pytest.fixture(scope="session")
def real_raw(spark: SparkSession, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    """The shared real file in Kaggle's layout, as raw.kaggle_reimbursements has it."""
    content = gzip.decompress((real_data / "kaggle" / "deputies_dataset.csv.gz").read_bytes())
    return raw_rows.published(spark, kaggle_reimbursements.CSV, content, tmp_path_factory.mktemp("real_raw"))


@pytest.fixture(scope="session")
def real_expenses(spark: SparkSession, real_raw: DataFrame, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    """The same rows staged: computed once, then read from disk."""
    path = str(tmp_path_factory.mktemp("real_staged") / "rows")
    raw_rows.stage_reimbursements(real_raw).write.parquet(path)
    return spark.read.parquet(path)
