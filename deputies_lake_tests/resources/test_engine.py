"""The seam: what Sail computes becomes files of the lake, and where Sail still differs from Spark."""

import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq
import pytest
from pyiceberg.table import Table as IcebergTable
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from deputies_lake.contracts import MONEY, Column, Table
from deputies_lake.environments import SettingsError
from deputies_lake.resources import engine, iceberg

# PySpark 3.5 asks distutils whether pandas is new enough.
pytestmark = pytest.mark.filterwarnings("ignore:distutils Version classes:DeprecationWarning")

RECEIPTS: Final = Table(
    layer="star",
    name="receipts",
    pt="Recibos.",
    en="Receipts.",
    grain="one row per receipt",
    partitioned=True,
    columns=(
        Column(name="year", type="int", pt="ano", en="year"),
        Column(name="receipt_key", type="bigint", pt="chave", en="key"),
        Column(name="amount", type=MONEY, pt="valor", en="amount", nullable=True),
    ),
    key=("receipt_key",),
)
WITH_PAYER: Final = Table(
    layer="star",
    name="receipts",
    pt="Recibos.",
    en="Receipts.",
    grain="one row per receipt",
    partitioned=True,
    columns=(*RECEIPTS.columns, Column(name="payer", pt="pagador", en="payer", nullable=True)),
    key=("receipt_key",),
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a Sail."""
    from pysail.spark import SparkConnectServer

    sail = SparkConnectServer()
    sail.start()
    yield f"sc://127.0.0.1:{sail.listening_address[1]}"
    sail.stop()


@pytest.fixture
def sail(server: str, monkeypatch: pytest.MonkeyPatch) -> SparkSession:
    """A session of Sail beside the Spark that other tests of this process have."""
    from pyspark.sql.connect.session import SparkSession as Remote

    # Else PySpark makes columns for Java.
    monkeypatch.setenv("SPARK_CONNECT_MODE_ENABLED", "1")
    session: SparkSession = Remote.builder.remote(server).getOrCreate()
    return session


def published(session: SparkSession, directory: Path, contract: Table, rows: str) -> IcebergTable:
    """The table after the rows of a query were published beside what it had of other years."""
    catalog = iceberg.local_catalog(directory)
    table = iceberg.ensure_table(catalog, contract)
    prefix = iceberg.new_prefix(table, "run")
    frame = session.sql(rows)
    years = {row.year for row in frame.select("year").collect()}
    count = engine.write(frame, contract, table, prefix)
    iceberg.commit(table, iceberg.list_files(table, prefix), years=years, expected_rows=count, properties={})
    return iceberg.load_table(catalog, contract.layer, contract.name)


THREE: Final = "SELECT * FROM VALUES (2021, 1, 1.5), (2022, 2, NULL), (2021, 3, -0.01) AS t(year, receipt_key, amount)"
READ: Final = [(2021, 1, Decimal("1.50")), (2021, 3, Decimal("-0.01")), (2022, 2, None)]


def test_what_sail_computes_is_published_and_read_again(sail: SparkSession, tmp_path: Path) -> None:
    table = published(sail, tmp_path, RECEIPTS, THREE)
    assert sorted(tuple(row) for row in engine.read(sail, table).collect()) == READ
    assert [row.receipt_key for row in engine.read(sail, table, [2022]).collect()] == [2]
    assert sorted(tuple(row.values()) for row in table.scan().to_arrow().to_pylist()) == READ


def test_a_column_that_was_added_later_is_null_in_what_was_published_before(sail: SparkSession, tmp_path: Path) -> None:
    published(sail, tmp_path, RECEIPTS, THREE)
    table = published(sail, tmp_path, WITH_PAYER, "SELECT 2023 AS year, 4 AS receipt_key, 'A' AS payer, 2.0 AS amount")
    payers = {row.receipt_key: row.payer for row in engine.read(sail, table).collect()}
    assert payers == {1: None, 2: None, 3: None, 4: "A"}


def test_a_value_that_its_column_cannot_hold_fails(sail: SparkSession, tmp_path: Path) -> None:
    told = r"star\.receipts\.amount: 1234567890123456\.0 is not decimal\(14,2\), year 2021, receipt_key 1"
    with pytest.raises(PySparkException, match=told):
        published(sail, tmp_path, RECEIPTS, "SELECT 2021 AS year, 1 AS receipt_key, 1234567890123456.0 AS amount")


def test_many_rows_go_to_one_file_a_year_in_few_groups(sail: SparkSession, tmp_path: Path) -> None:
    rows = "SELECT CAST(2021 + id % 2 AS int) AS year, id AS receipt_key, CAST(NULL AS decimal(14,2)) AS amount"
    table = published(sail, tmp_path, RECEIPTS, f"{rows} FROM range(400000)")
    files = [pq.ParquetFile(file.removeprefix("file://")) for file in iceberg.data_files(table)]
    assert [(file.metadata.num_rows, file.num_row_groups) for file in files] == [(200_000, 2)] * 2


def test_without_sail_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysail.spark", None)
    with pytest.raises(SettingsError, match=r"Sail is not installed: pip install 'deputies-lake\[sail\]'"):
        engine.sail_session()


DIFFERENCES: Final[Mapping[str, tuple[str, object]]] = {
    "look-around": ("SELECT regexp_replace('1', '(?<!2)1', '')", "look-around"),
    "a text that is no number": ("SELECT CAST(a AS bigint) FROM VALUES ('x') AS t(a)", "Cannot cast string 'x'"),
    "a number with an exponent": (
        "SELECT CAST(a AS decimal(14,2)) FROM VALUES ('1e2') AS t(a)",
        "Cannot cast string '1e2'",
    ),
    "a date before a T": ("SELECT CAST('2019-01-29T00:00:00' AS date)", None),
    "a quotient": ("SELECT CAST(2.00BD / 3.00BD AS string)", "0.666666"),
    "a double as money": ("SELECT CAST(CAST(40.105D AS decimal(14,2)) AS string)", "40.10"),
    "a Sunday": ("SELECT weekday(DATE'2024-01-07')", -1),
    "an element that is not there": ("SELECT element_at(array(1), 2)", "out of bounds"),
    "the greatest struct": ("SELECT max(struct(a, b)).b FROM VALUES (NULL, 5), (1, 3) AS t(a, b)", 5),
    "the hash of a choice": (
        "SELECT xxhash64(concat('a', coalesce(a, 'b'))) FROM VALUES (CAST(NULL AS string)), (NULL) AS t(a)",
        "Trying to access an element at index 1",
    ),
}
"""What `docs/engines.md` says of Sail: a query, and what it gives or fails with. Spark gives something else."""


@pytest.mark.parametrize("name", DIFFERENCES)
def test_sail_still_differs_where_the_docs_say_so(sail: SparkSession, name: str) -> None:
    """One that fails is good news: strike it from docs/engines.md, and its rule from test_portable.py."""
    query, gives = DIFFERENCES[name]
    try:
        [[found]] = sail.sql(query).collect()
    except PySparkException as error:
        found = str(error)
    assert found == gives or (isinstance(gives, str) and gives in str(found))
