"""The key of a row that has no natural key: a hash of its own columns and its number among equal rows.

No set of published columns is unique, and identical rows are legitimate, so none may be dropped. The same file gives
the same keys in whatever order its rows stand.
"""

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from deputies_lake.raw.equal_lines import OCCURRENCE


def row_key(columns: Sequence[str | Column]) -> Column:
    """The key (bigint) of a line of raw: XXH64 of the hash of its published `columns` and of its occurrence.

    The hash is no secret: who knows all columns but one finds that one by trial. What must not be found goes into
    `columns` as a keyed hash.
    """
    return F.xxhash64(F.xxhash64(*columns), OCCURRENCE)
