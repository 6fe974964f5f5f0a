"""What Spark writes and what Spark, PyArrow and DuckDB read is the same, also after the columns changed.

All of it in a directory with spaces and accents, which `file://` URIs would have to encode.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from deputies_lake.contracts import Column
from deputies_lake.environments import Engine
from deputies_lake.lakehouse import iceberg
from deputies_lake_tests.lakehouse.tables import EXPENSES, expenses, publish, retyped, rows_of, stage

pytestmark = pytest.mark.engine(Engine.SPARK)

Rows = list[dict[str, Any]]

SPARK_TYPES = (
    "expense_key bigint, year int, version int, net_amount decimal(14,2), supplier string, deputy string, "
    "is_refund boolean, receipt_date date, loaded_at timestamp_ntz"
)


def frame_of(spark: SparkSession, rows: Rows) -> DataFrame:
    return spark.createDataFrame([tuple(row.values()) for row in rows], SPARK_TYPES)


def by_spark(spark: SparkSession, table: Table, years: list[int] | None = None) -> Rows:
    return [row.asDict() for row in iceberg.read(spark, table, years).orderBy("expense_key").collect()]


def by_duckdb(table: Table) -> Rows:
    with duckdb.connect() as connection:
        connection.register("expenses", iceberg.dataset(table, iceberg.data_files(table)))
        rows: Rows = connection.sql("select * from expenses order by expense_key").to_arrow_table().to_pylist()
    return rows


def publish_frame(table: Table, frame: DataFrame, years: list[int] | None, rows: int) -> None:
    prefix = iceberg.new_prefix(table, "run")
    # The copy of the year becomes the name of a directory, so that the year itself stays in the file.
    frame = iceberg.project(frame, table).withColumn("_year", F.col("year"))
    frame.write.partitionBy("_year").parquet(prefix)
    files = iceberg.list_files(table, prefix)
    iceberg.commit(table, files, years=years, expected_rows=rows, properties={})


def test_what_spark_writes_everyone_reads(spark: SparkSession, table: Table) -> None:
    rows = expenses(2018, 3) + expenses(2019, 2)
    publish_frame(table, frame_of(spark, rows).select(*reversed(EXPENSES.column_names)), [2018, 2019], 5)
    assert rows_of(table) == by_spark(spark, table) == by_duckdb(table) == rows
    assert table.scan().to_arrow().sort_by("expense_key").to_pylist() == rows
    assert by_spark(spark, table, [2019]) == rows[3:]
    by_path = "select count(*) from read_parquet($files, hive_partitioning = false)"
    assert duckdb.execute(by_path, {"files": iceberg.data_files(table)}).fetchall() == [(5,)]


def test_years_written_by_arrow_and_by_spark_are_one_table(spark: SparkSession, table: Table) -> None:
    publish(table, {2018: 2})
    publish_frame(table, frame_of(spark, expenses(2019)), [2019], 2)
    assert by_spark(spark, table) == by_duckdb(table) == expenses(2018) + expenses(2019)


def test_an_empty_table_has_its_columns(spark: SparkSession, table: Table) -> None:
    frame = iceberg.read(spark, table)
    assert frame.collect() == []
    assert [(f.name, f.dataType.simpleString()) for f in frame.schema.fields] == [
        (column.name, column.type) for column in EXPENSES.columns
    ]
    assert by_duckdb(table) == rows_of(table) == []


def test_an_empty_frame_empties_the_table(spark: SparkSession, table: Table) -> None:
    publish(table, {2018: 2})
    publish_frame(table, frame_of(spark, []), None, 0)
    assert by_spark(spark, table) == rows_of(table) == []


def test_columns_are_projected_by_name_and_type(spark: SparkSession, table: Table) -> None:
    frame = frame_of(spark, expenses(2019)).withColumn("expense_key", F.col("expense_key").cast("string"))
    frame = frame.withColumn("net_amount", F.col("net_amount").cast("decimal(38,2)"))
    projected = iceberg.project(frame.select(*reversed(EXPENSES.column_names)), table)
    assert [(f.name, f.metadata["parquet.field.id"]) for f in projected.schema.fields] == [
        (name, number) for number, name in enumerate(EXPENSES.column_names, start=1)
    ]
    assert [row.asDict() for row in projected.collect()] == expenses(2019)


def test_a_frame_must_have_exactly_the_tables_columns(spark: SparkSession, table: Table) -> None:
    frame = frame_of(spark, expenses(2019))
    with pytest.raises(ValueError, match=r"star.fct_expenses: columns missing: \['deputy'\]"):
        iceberg.project(frame.drop("deputy"), table)
    with pytest.raises(ValueError, match=r"star.fct_expenses: .* the table does not have: \['surprise'\]"):
        iceberg.project(frame.withColumn("surprise", F.lit(1)), table)


@pytest.mark.parametrize(
    ("column", "value"),
    [("net_amount", Decimal("1000000000000.00")), ("year", "2019a"), ("receipt_date", "2019-02-30")],
)
def test_a_value_that_does_not_fit_fails_the_job(spark: SparkSession, table: Table, column: str, value: Any) -> None:
    frame = frame_of(spark, expenses(2019)).withColumn(column, F.lit(value))
    key = frame.first()["expense_key"]  # type: ignore[index]
    with pytest.raises(Exception, match=rf"star.fct_expenses.{column}: {value} is not .*, expense_key {key}"):
        iceberg.project(frame.limit(1), table, ["expense_key"]).collect()


def test_old_files_are_read_with_todays_columns(spark: SparkSession, catalog: Catalog) -> None:
    first = retyped(EXPENSES, expense_key="int", version="int")
    table = iceberg.ensure_table(catalog, first)
    publish(table, {2018: 2, 2019: 2})

    added = Column(name="source_code", pt="Fonte", en="Source", nullable=True)
    table = iceberg.ensure_table(catalog, replace(EXPENSES, columns=(*EXPENSES.columns, added)))
    big = [
        {**row, "expense_key": 2**40 + number, "source_code": "chamber"} for number, row in enumerate(expenses(2020))
    ]
    iceberg.commit(table, stage(table, big), years=[2020], expected_rows=2, properties={})

    rows = [{**row, "source_code": None} for row in expenses(2018) + expenses(2019)] + big
    assert rows_of(table) == by_duckdb(table) == by_spark(spark, table) == rows
    assert table.scan().to_arrow().sort_by("expense_key").to_pylist() == rows
    assert iceberg.read(spark, table).schema["expense_key"].dataType.simpleString() == "bigint"
    assert by_spark(spark, table, [2018]) == rows[:2]
    assert by_spark(spark, table, [2020]) == big


def test_spark_finds_a_column_by_its_id(spark: SparkSession, table: Table) -> None:
    publish(table, {2019: 2})
    with table.update_schema() as update:
        update.rename_column("supplier", "vendor")
    renamed = by_spark(spark, table)
    assert [row["vendor"] for row in renamed] == [row["supplier"] for row in expenses(2019)]
