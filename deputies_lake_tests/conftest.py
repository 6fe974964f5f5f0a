"""What tests of several layers share: a small session of each engine, and the real rows where this machine has them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from pyspark.sql import SparkSession

from deputies_lake.environments import Engine, load_settings, prepare_sail
from deputies_lake.java import provide_class_archive, provide_java
from deputies_lake_tests.as_typed import COMPILED_IN_HASTE

LONGEST_FIRST: Final = (
    "aws/test_page.py",
    "test_as_typed.py",
    "aws/test_faults.py",
    "test_ui.py",
    "automation/test_daemon.py",
    "test_real_lake.py",
    "test_engines.py",
    "serving/test_marts.py",
    "star/test_assets.py",
    "resources/emr/test_launcher.py",
    "staging/test_assets.py",
)
"""Files that take a minute or more. The last one handed out to a process should be a short one."""


def pytest_configure(config: pytest.Config) -> None:
    # PySpark leaves the socket through which it collects rows to the garbage collector.
    config.addinivalue_line("filterwarnings", "ignore:unclosed <socket:ResourceWarning")
    # PySpark 3.5 asks distutils whether pandas is new enough.
    config.addinivalue_line("filterwarnings", "ignore:distutils Version classes:DeprecationWarning")
    # Its client of Spark Connect copies frames in a way that pandas 3 has no more use for.
    config.addinivalue_line("filterwarnings", "ignore:The copy keyword is deprecated:DeprecationWarning")
    config.addinivalue_line("markers", "engine(one): about this engine, so it does not run on the other")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order files as they are to be handed out to processes; within a file nothing moves."""
    rank = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What asks for `spark` runs on either engine, unless it is marked as being about one of them."""
    if "spark" in metafunc.fixturenames:
        about = metafunc.definition.get_closest_marker("engine")
        metafunc.parametrize("spark", about.args if about else list(Engine), indirect=True, scope="module")


@pytest.fixture(scope="module")
def spark(request: pytest.FixtureRequest) -> Iterator[SparkSession]:
    """A session of the engine that the module's tests run on just now."""
    if request.param == Engine.SPARK:
        yield request.getfixturevalue("sparks_session")
        return
    with pytest.MonkeyPatch.context() as patch:
        # Else PySpark makes columns for Java.
        patch.setenv("SPARK_CONNECT_MODE_ENABLED", "1")
        yield request.getfixturevalue("sails_session")


@pytest.fixture(scope="session")
def sparks_session() -> Iterator[SparkSession]:
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
def sails_session() -> Iterator[SparkSession]:
    """The same of Sail, beside Spark, which the lake itself never does in one process."""
    from pysail.spark import SparkConnectServer
    from pyspark.sql.connect.session import SparkSession as Remote

    prepare_sail("1g")
    server = SparkConnectServer()
    server.start()
    session: SparkSession = Remote.builder.remote(f"sc://127.0.0.1:{server.listening_address[1]}").getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    yield session
    server.stop()


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
