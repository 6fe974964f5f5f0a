"""What a table mentions: each combination of some columns once.

The first step of a dimension. Millions of rows are reduced here by numbers alone, which Spark aggregates in a
hash table; a latest name or a longest text among what is left is then found among few. Asked of all rows at once, a
text as the result makes Spark sort them.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.staging.tax_ids import redacted


def mentions(rows: DataFrame, *columns: str) -> DataFrame:
    """Each combination of `columns`, and in how many rows (`mentions`, bigint) it occurs."""
    return rows.groupBy(*columns).agg(F.count("*").alias("mentions"))


def payers(expenses: DataFrame) -> DataFrame:
    """What `conformed` expenses say of who is paid: some thousands of rows, all that three of the dimensions need."""
    found = mentions(
        expenses,
        "year",
        "deputy_id",
        "deputy_register_id",
        "deputy_name",
        "is_leadership",
        "party_label",
        "state_code",
    )
    return without_cpfs(found, "deputy_name")


def without_cpfs(mentioned: DataFrame, *texts: str) -> DataFrame:
    """Mentions whose texts are `redacted`: here they are few, and each of the staged rows need not be looked at."""
    return mentioned.withColumns({text: redacted(F.col(text)) for text in texts})
