"""The seam: what Sail computes becomes files of the lake, and where Sail still differs from Spark."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.table import Table as IcebergTable
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StructField, StructType

from deputies_lake import causes
from deputies_lake.assets import STEP, Results, check_specs_of, publish, spec_of
from deputies_lake.contracts import MONEY, Column, Table
from deputies_lake.environments import Engine, SettingsError
from deputies_lake.lakehouse import engine, iceberg
from deputies_lake.lakehouse.lake import Draft, Lake, Published
from deputies_lake.staging.tax_ids import redacted

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


def published(session: SparkSession, directory: Path, contract: Table, rows: str) -> IcebergTable:
    """The table after the rows of a query were published beside what it had of other years."""
    catalog = iceberg.local_catalog(directory)
    table = iceberg.ensure_table(catalog, contract)
    prefix = iceberg.new_prefix(table, "run")
    frame = session.sql(rows)
    years = {row.year for row in frame.select("year").distinct().collect()}
    count = engine.write(frame, contract, table, prefix)
    iceberg.commit(table, iceberg.list_files(table, prefix), years=years, expected_rows=count, properties={})
    return iceberg.load_table(catalog, contract.layer, contract.name)


THREE: Final = "SELECT * FROM VALUES (2021, 1, 1.5), (2022, 2, NULL), (2021, 3, -0.01) AS t(year, receipt_key, amount)"
READ: Final = [(2021, 1, Decimal("1.50")), (2021, 3, Decimal("-0.01")), (2022, 2, None)]


def test_what_is_computed_is_published_and_read_again(spark: SparkSession, tmp_path: Path) -> None:
    table = published(spark, tmp_path, RECEIPTS, THREE)
    assert sorted(tuple(row) for row in engine.read(spark, table).collect()) == READ
    assert [row.receipt_key for row in engine.read(spark, table, [2022]).collect()] == [2]
    assert sorted(tuple(row.values()) for row in table.scan().to_arrow().to_pylist()) == READ


@pytest.mark.parametrize("name", ["50%25", "a%20b", "a b", "Área de Trabalho", "d'água", "a+b&c;d,e"])
def test_a_lake_may_lie_in_a_folder_of_any_name(spark: SparkSession, tmp_path: Path, name: str) -> None:
    table = published(spark, tmp_path / name, RECEIPTS, THREE)
    assert sorted(tuple(row) for row in engine.read(spark, table).collect()) == READ


def test_a_column_that_was_added_later_is_null_in_what_was_published_before(
    spark: SparkSession, tmp_path: Path
) -> None:
    published(spark, tmp_path, RECEIPTS, THREE)
    table = published(spark, tmp_path, WITH_PAYER, "SELECT 2023 AS year, 4 AS receipt_key, 'A' AS payer, 2.0 AS amount")
    payers = {row.receipt_key: row.payer for row in engine.read(spark, table).collect()}
    assert payers == {1: None, 2: None, 3: None, 4: "A"}


def test_a_value_that_its_column_cannot_hold_fails(spark: SparkSession, tmp_path: Path) -> None:
    told = r"star\.receipts\.amount: 1234567890123456\.0 is not decimal\(14,2\), year 2021, receipt_key 1"
    # Of Spark it is an error of Java.
    with pytest.raises(Exception, match=told):
        published(spark, tmp_path, RECEIPTS, "SELECT 2021 AS year, 1 AS receipt_key, 1234567890123456.0 AS amount")


@pytest.mark.engine(Engine.SAIL)
def test_many_rows_go_to_one_file_a_year_in_few_groups(spark: SparkSession, tmp_path: Path) -> None:
    rows = "SELECT CAST(2021 + id % 2 AS int) AS year, id AS receipt_key, CAST(NULL AS decimal(14,2)) AS amount"
    table = published(spark, tmp_path, RECEIPTS, f"{rows} FROM range(400000)")
    files = [pq.ParquetFile(file.removeprefix("file://")) for file in iceberg.data_files(table)]
    assert [(file.metadata.num_rows, file.num_row_groups) for file in files] == [(200_000, 2)] * 2


def test_without_sail_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysail.spark", None)
    with pytest.raises(SettingsError, match=r"Sail is not installed: pip install 'deputies-lake\[sail\]'"):
        engine.sail_session("1g")


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
    "the week's year": ("SELECT extract(YEAROFWEEK FROM DATE'2024-12-30')", "'YEAROFWEEK' not supported"),
    "a CASE of two decimals": (
        "SELECT typeof(CASE WHEN a < 0 THEN 55.50BD ELSE a END) FROM VALUES (CAST(1 AS decimal(14,2))) AS t(a)",
        "decimal(4,2)",
    ),
    "a negative beside a decimal": (
        "SELECT max(CASE WHEN a < 0 THEN -a ELSE a END) FROM VALUES (-1.00BD), (1.00BD) AS t(a)",
        "arguments need to have the same data type",
    ),
    "a Sunday": ("SELECT weekday(DATE'2024-01-07')", -1),
    "an element that is not there": ("SELECT element_at(array(1), 2)", "out of bounds"),
    "the greatest struct": ("SELECT max(struct(a, b)).b FROM VALUES (NULL, 5), (1, 3) AS t(a, b)", 5),
    "the hash of a choice": (
        "SELECT xxhash64(concat('a', coalesce(a, 'b'))) FROM VALUES (CAST(NULL AS string)), (NULL) AS t(a)",
        "Trying to access an element at index 1",
    ),
}
"""What `docs/engines.md` says of Sail: a query, and what it gives or fails with. Spark gives something else."""


@pytest.mark.engine(Engine.SAIL)
@pytest.mark.parametrize("name", DIFFERENCES)
def test_sail_still_differs_where_the_docs_say_so(spark: SparkSession, name: str) -> None:
    """One that fails is good news: strike it from docs/engines.md, and its rule from test_portable.py."""
    query, gives = DIFFERENCES[name]
    try:
        [[found]] = spark.sql(query).collect()
    except PySparkException as error:
        found = str(error)
    assert found == gives or (isinstance(gives, str) and gives in str(found))


PANICS: Final = """
    SELECT 2021 AS year, xxhash64(concat('a', coalesce(a, 'b'))) AS receipt_key, CAST(NULL AS decimal(14,2)) AS amount
    FROM VALUES (CAST(NULL AS string)), (NULL) AS t(a)
"""


@pytest.mark.engine(Engine.SAIL)
def test_a_panic_fails_the_step_in_its_words_after_one_more_try_and_publishes_nothing(
    spark: SparkSession, tmp_path: Path
) -> None:
    lake, tries = Lake(iceberg.local_catalog(tmp_path)), []

    def write() -> Sequence[Published]:
        tries.append("one")
        return lake.write([Draft(contract=RECEIPTS, rows=lambda: spark.sql(PANICS), years=[2021])], "run")

    @dg.multi_asset(specs=[spec_of(RECEIPTS)], check_specs=check_specs_of(RECEIPTS), **STEP)
    def receipts(context: dg.AssetExecutionContext) -> Results:
        yield from publish(context, [RECEIPTS], write)

    [failure] = [e for e in dg.materialize([receipts], raise_on_error=False).all_events if e.is_step_failure]
    assert causes.of_event(failure).startswith(
        "Sail, which computes the tables, panicked: Trying to access an element at index 1 from a StringArray of length"
    )
    assert (len(tries), lake.exists(RECEIPTS)) == (2, False)
    assert [row.id for row in spark.range(1).collect()] == [0]


BY_MEMORY: Final = """
import sys
from pathlib import Path
from deputies_lake.lakehouse import engine, iceberg
from deputies_lake_tests.lakehouse.test_engine import RECEIPTS

table = iceberg.ensure_table(iceberg.local_catalog(Path(sys.argv[1])), RECEIPTS)
keys = "SELECT sha2(CAST(id AS string), 256) AS k, id FROM range(400000)"
of_2021 = "2021 AS year, CAST(1 AS decimal(14,2)) AS amount"
queries = {
    "grouped": f"SELECT {of_2021}, min(id) AS receipt_key FROM ({keys}) GROUP BY k",
    "joined": f"SELECT {of_2021}, one.id AS receipt_key FROM ({keys}) one JOIN ({keys}) other ON one.k = other.k",
}
session = engine.sail_session("32m")
for name, query in queries.items():
    try:
        print(name, engine.write(session.sql(query), RECEIPTS, table, iceberg.new_prefix(table, "run")))
    except Exception as error:
        print(name, type(error).__name__, error)
"""


def test_what_does_not_fit_into_memory_is_spilled_or_ends_in_a_sentence(tmp_path: Path) -> None:
    """In a process of its own: its memory is given to Sail when it starts."""
    program = [sys.executable, "-c", BY_MEMORY, str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300, check=True)
    grouped, joined = done.stdout.splitlines()
    assert grouped == "grouped 400000"
    # How much a join holds at once depends on which of its tasks run at the same time.
    refused = joined.startswith("joined SettingsError Sail needs more memory than DEPUTIES_LAKE_SPARK_MEMORY lets it")
    assert refused or joined == "joined 400000"


@pytest.mark.engine(Engine.SAIL)
def test_sail_still_counts_no_rows_on_the_way(spark: SparkSession) -> None:
    """When this fails, `_have_spark_write` may write for both."""
    with pytest.raises(PySparkException, match="collect metrics"):
        spark.range(1).observe("counted", F.count(F.lit(1)).alias("rows")).collect()


@pytest.mark.engine(Engine.SAIL)
def test_sail_still_reads_by_no_schema_that_has_metadata(spark: SparkSession, tmp_path: Path) -> None:
    """When this fails, and Sail finds columns by their field ids, `iceberg.read` needs no `for_spark`."""
    spark.range(1).write.mode("overwrite").parquet(str(tmp_path))
    with_id = StructType([StructField("id", LongType(), metadata={"parquet.field.id": 1})])
    with pytest.raises(PySparkException, match="error in SQL parser"):
        spark.read.schema(with_id).parquet(str(tmp_path)).collect()


@pytest.mark.engine(Engine.SAIL)
def test_sail_still_moves_no_filter_below_functions_of_functions(spark: SparkSession, tmp_path: Path) -> None:
    pq.write_table(pa.table({"label": ["PT", "PSB"]}), tmp_path / "rows.parquet")
    hidden = spark.read.parquet(str(tmp_path)).select(redacted(F.col("label")).alias("label"))
    by_label = hidden.groupBy("label").agg(F.max(F.upper("label")).alias("upper"))
    with pytest.raises(PySparkException, match="No field named"):
        by_label.where(F.col("label") != "PT").collect()
    assert by_label.where(F.col("upper") != "PT").count() == 1


@pytest.mark.engine(Engine.SAIL)
def test_sail_still_makes_a_map_anew_for_each_row(spark: SparkSession) -> None:
    """Told by the CPU seconds of this process, in which Sail runs: five times those of a CASE when this was written."""
    entries = ", ".join(f"'k{number}', 'v{number}'" for number in range(100))
    cases = " ".join(f"WHEN 'k{number}' THEN 'v{number}'" for number in range(100))
    key = "concat('k', CAST(id % 100 AS string))"

    def seconds(value: str) -> float:
        before = time.process_time()
        assert spark.sql(f"SELECT max({value}) FROM range(20000)").collect()[0][0] == "v99"
        return time.process_time() - before

    in_a_map, in_a_case = f"map({entries})[{key}]", f"CASE {key} {cases} END"
    assert min(seconds(in_a_map) for _ in range(3)) > 2 * min(seconds(in_a_case) for _ in range(3))
