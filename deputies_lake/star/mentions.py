"""What a table mentions: each combination of some columns once.

The first step of a dimension. Millions of rows are reduced here by numbers alone, which Spark aggregates in a
hash table; a latest name or a longest text among what is left is then found among few. Asked of all rows at once, a
text as the result makes Spark sort them.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def mentions(rows: DataFrame, *columns: str) -> DataFrame:
    """Each combination of `columns`, and in how many rows (`mentions`, bigint) it occurs."""
    return rows.groupBy(*columns).agg(F.count("*").alias("mentions"))


def payers(expenses: DataFrame) -> DataFrame:
    """What `conformed` expenses say of who is paid: some thousands of rows, all that three of the dimensions need."""
    return mentions(
        expenses,
        "year",
        "deputy_id",
        "deputy_register_id",
        "deputy_name",
        "is_leadership",
        "party_label",
        "state_code",
    )
