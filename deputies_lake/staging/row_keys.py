"""The key of a row that has no natural key: a hash of its own columns and its number among equal rows.

No set of published columns is unique, and identical rows are legitimate (Kaggle cut the cents and dropped the
document's id; the House's flights repeat), so none may be dropped. The same file gives the same keys in whatever order
its rows stand.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F


def with_row_key(rows: DataFrame, name: str, columns: Sequence[str | Column], near: Sequence[str]) -> DataFrame:
    """`rows` with the key `name` (bigint): XXH64 of the hash of `columns` and the occurrence.

    Rows are gathered by `near`, columns that equal rows share, and equal ones are counted there: it keeps what belongs
    together in the same files, which compresses better and lets readers skip the rest.

    The hash is no secret: who knows all columns but one finds that one by trial. What must not be found goes into
    `columns` as a keyed hash.
    """
    hashed = rows.withColumn("_hash", F.xxhash64(*columns))
    equal_rows = Window.partitionBy(*near, "_hash").orderBy("source_line")
    key = F.xxhash64("_hash", F.row_number().over(equal_rows))
    return hashed.repartition(*near).withColumn(name, key).drop("_hash")
