"""Columns and types: what a contract's are in Iceberg, in Arrow and in Spark, with Iceberg's field ids in each."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from pyiceberg.table import Table
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    IcebergType,
    IntegerType,
    LongType,
    NestedField,
    PrimitiveType,
    StringType,
    TimestampType,
)

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

# What a contract's type is called in Iceberg, in Arrow and in Spark's JSON.
_TYPES: Final[Mapping[str, tuple[PrimitiveType, pa.DataType, str]]] = {
    "string": (StringType(), pa.string(), "string"),
    "int": (IntegerType(), pa.int32(), "integer"),
    "bigint": (LongType(), pa.int64(), "long"),
    "boolean": (BooleanType(), pa.bool_(), "boolean"),
    "date": (DateType(), pa.date32(), "date"),
    "timestamp_ntz": (TimestampType(), pa.timestamp("us"), "timestamp_ntz"),
}
_ARROW: Final[Mapping[IcebergType, pa.DataType]] = {iceberg: arrow for iceberg, arrow, _ in _TYPES.values()}
_SPARK: Final[Mapping[IcebergType, str]] = {iceberg: spark for iceberg, _, spark in _TYPES.values()}
_FIELD_ID: Final = b"PARQUET:field_id"
_SPARK_FIELD_ID: Final = "parquet.field.id"


def arrow_schema(table: Table) -> pa.Schema:
    """The table's columns for files written by PyArrow, with the field ids that `commit` asks for."""
    return pa.schema(
        [
            pa.field(f.name, _arrow_type(f.field_type), metadata={_FIELD_ID: str(f.field_id)})
            for f in table.schema().fields
        ]
    )


def iceberg_type(contract_type: str) -> PrimitiveType:
    if decimal := re.fullmatch(r"decimal\((\d+),(\d+)\)", contract_type):
        return DecimalType(int(decimal[1]), int(decimal[2]))
    return _TYPES[contract_type][0]


def _arrow_type(iceberg_type: IcebergType) -> pa.DataType:
    if isinstance(iceberg_type, DecimalType):
        return pa.decimal128(iceberg_type.precision, iceberg_type.scale)
    return _ARROW[iceberg_type]


def spark_schema(fields: Iterable[NestedField], *, with_ids: bool = True) -> "StructType":
    from pyspark.sql.types import StructType

    def spark_type(iceberg_type: IcebergType) -> str:
        if isinstance(iceberg_type, DecimalType):
            return f"decimal({iceberg_type.precision},{iceberg_type.scale})"
        return _SPARK[iceberg_type]

    columns = [
        {
            "name": field.name,
            "type": spark_type(field.field_type),
            "nullable": True,
            "metadata": {_SPARK_FIELD_ID: field.field_id} if with_ids else {},
        }
        for field in fields
    ]
    return StructType.fromJson({"fields": columns})


def columns_of(schema: pa.Schema) -> Counter[tuple[int, str, str]]:
    """Field id, name and type of each column. The id is -1 where the file has none."""
    return Counter((int((f.metadata or {}).get(_FIELD_ID, -1)), f.name, str(f.type)) for f in schema)
