"""Rows between a table and an engine: published ones as a frame or as a dataset, and a frame as it must be written."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import TYPE_CHECKING

import pyarrow.dataset as pads
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import (
    pyarrow_to_schema,
)
from pyiceberg.table import Table
from pyiceberg.types import (
    NestedField,
)

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import StructType
from deputies_lake.lakehouse.iceberg.catalogs import name_of
from deputies_lake.lakehouse.iceberg.files import FILES_AT_ONCE, filesystem_of, path_of
from deputies_lake.lakehouse.iceberg.schemas import arrow_schema, spark_schema
from deputies_lake.lakehouse.iceberg.snapshots import data_files, require


def read(
    spark: "SparkSession", table: Table, years: Collection[int] | None = None, *, for_spark: bool = True
) -> "DataFrame":
    """The current rows as a Spark frame, without any Iceberg jar, by field id.

    Sail knows no ids, so it is given names, and takes locations for URLs, which must have no bare `%`: it reads nothing
    where it finds nothing.

    Raises:
        ValueError: years are given for a table without years.
    """
    from pyspark.sql import functions as F

    if for_spark:
        # Only the session can ask for it. Reads whose schema names no field ids are not touched by it.
        spark.conf.set("spark.sql.parquet.fieldId.read.enabled", "true")
    files = data_files(table, years)
    require(table, files)
    groups = _by_written_types(table, files)
    if not groups:
        # `createDataFrame` would start Python workers to read no rows.
        none = (F.lit(None).cast(field.dataType).alias(field.name) for field in spark_schema(table.schema().fields))
        return spark.range(0).select(*none)
    frames = (
        spark.read.schema(spark_schema(written, with_ids=for_spark)).parquet(
            *(files if for_spark else [file.replace("%", "%25") for file in files])
        )
        for written, files in groups
    )
    return reduce(
        lambda one, other: one.unionAll(other), (project(frame, table, with_ids=for_spark) for frame in frames)
    )


def dataset(table: Table, files: Sequence[str]) -> pads.Dataset:
    """The files, published or staged, as a PyArrow dataset, which DuckDB can query wherever the table is.

    Columns are matched by name. That is enough for a table that only `ensure_table` evolves: it renames none.
    """
    paths = [path_of(file) for file in files]
    return pads.dataset(paths, schema=arrow_schema(table), format="parquet", filesystem=filesystem_of(table))


def project(frame: "DataFrame", table: Table, key: Collection[str] = (), *, with_ids: bool = True) -> "DataFrame":
    """The frame as it must be written: the table's columns in its order and types, with field ids for Spark to write.

    A value that its column's type can't hold fails the job, which names it and its row's `key`: Spark's own cast would
    write null in its place.

    Raises:
        ValueError: the frame lacks a column of the table, or has one that the table does not know.
    """
    from pyspark.sql import functions as F

    schema, given = table.schema(), frame.schema
    missing = [name for name in schema.column_names if name not in given.names]
    extra = [name for name in given.names if name not in schema.column_names]
    if missing or extra:
        raise ValueError(f"{name_of(table)}: columns missing: {missing}; columns the table does not have: {extra}")

    def column(name: str, target: "StructType") -> "Column":
        value, wanted = F.col(name), target[name].dataType
        if given[name].dataType != wanted:
            cast = value.cast(wanted)
            place = [F.concat_ws(" ", F.lit(f", {column}"), F.col(column).cast("string")) for column in key]
            problem = F.lit(f" is not {wanted.simpleString()}")
            told = [F.lit(f"{name_of(table)}.{name}: "), value.cast("string"), problem]
            refusal = F.raise_error(F.concat(*told, *place))
            value = F.when(value.isNull() | cast.isNotNull(), cast).otherwise(refusal)
        return value.alias(name, metadata=target[name].metadata) if with_ids else value.alias(name)

    target = spark_schema(schema.fields)
    return frame.select(*(column(name, target) for name in schema.column_names))


def _by_written_types(table: Table, files: Sequence[str]) -> list[tuple[tuple[NestedField, ...], list[str]]]:
    """The files, grouped by the types their columns were written with.

    Spark 3.5 refuses to read an int as a bigint or a decimal as a wider one, so a group is read as what it is
    and cast afterwards. Footers are read only for tables that ever widened a column.
    """
    fields = table.schema().fields
    current = {field.field_id: field.field_type for field in fields}
    known = (field for schema in table.schemas().values() for field in schema.fields)
    if all(current.get(field.field_id, field.field_type) == field.field_type for field in known):
        return [(fields, list(files))] if files else []

    filesystem = filesystem_of(table)

    def written(file: str) -> tuple[NestedField, ...]:
        with filesystem.open_input_file(path_of(file)) as stream:
            types = {field.field_id: field.field_type for field in pyarrow_to_schema(pq.read_schema(stream)).fields}
        return tuple(
            field.model_copy(update={"field_type": types.get(field.field_id, field.field_type)}) for field in fields
        )

    groups: defaultdict[tuple[NestedField, ...], list[str]] = defaultdict(list)
    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        for file, columns in zip(files, pool.map(written, files), strict=True):
            groups[columns].append(file)
    return list(groups.items())
