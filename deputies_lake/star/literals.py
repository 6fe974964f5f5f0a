"""Small frames of known rows, such as a reference table's, and frames without any.

Spark would start Python workers to read a list of Python rows, seconds for a few dozen of them; one literal that
Spark parses itself costs nothing.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F


def frame_of(spark: SparkSession, columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> DataFrame:
    """A frame of text columns."""
    text = json.dumps([dict(zip(columns, row, strict=True)) for row in rows])
    schema = f"array<struct<{', '.join(f'{column}: string' for column in columns)}>>"
    return spark.range(1).select(F.inline(F.from_json(F.lit(text), schema)))


def no_rows(spark: SparkSession, columns: Mapping[str, str]) -> DataFrame:
    """A frame without rows, of these columns and their types."""
    return spark.range(0).select(*(F.lit(None).cast(kind).alias(name) for name, kind in columns.items()))
