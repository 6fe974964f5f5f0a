"""Surrogate keys: a hash of what names a member of a dimension, and the member for what is not known.

Every dimension and the fact compute a key by the same expression, so the fact needs no join to get its keys, years
are built independently and a re-run gives equal keys. Which columns name a member is said in the dimension's file.
"""

from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F

UNKNOWN: Final = "UNKNOWN"
"""Natural id of each dimension's member for what the source does not say. No foreign key is null."""

NO_STATE: Final = "NONE"
"""Natural id of the state of leadership offices, which belong to no state."""

UNKNOWN_DATE_KEY: Final = 0


def surrogate_key(entity: str, *natural_ids: Column) -> Column:
    """A bigint: XXH64 of `entity|natural_id`, of the first id that is not null; of `entity|UNKNOWN` where all are."""
    # Hashes are chosen, not texts: of a choice that gives one constant for many rows, Sail's xxhash64 panics.
    return F.coalesce(*(_hash(entity, one) for one in natural_ids), _member(entity, UNKNOWN))


def _hash(entity: str, natural_id: Column) -> Column:
    return F.when(natural_id.isNotNull(), F.xxhash64(F.concat(F.lit(f"{entity}|"), natural_id)))


def _member(entity: str, natural_id: str) -> Column:
    return F.xxhash64(F.lit(f"{entity}|{natural_id}"))


def date_key(day: Column) -> Column:
    """An int that reads as the date, 20130327; 0 where the date is unknown."""
    readable = F.year(day) * 10000 + F.month(day) * 100 + F.dayofmonth(day)
    return F.coalesce(readable, F.lit(UNKNOWN_DATE_KEY))


def deputy_key(deputy_id: Column) -> Column:
    return surrogate_key("deputy", deputy_id)


def party_key(party_label: Column) -> Column:
    """Files differ in how they spell a label (PCdoB, PCDOB), so case does not count."""
    return surrogate_key("party", F.upper(party_label))


def state_key(state_code: Column, is_leadership: Column) -> Column:
    without = F.when(is_leadership, _member("state", NO_STATE)).otherwise(_member("state", UNKNOWN))
    return F.coalesce(_hash("state", state_code), without)


def document_type_key(document_type_id: Column) -> Column:
    return surrogate_key("document_type", document_type_id)


def supplier_key(supplier_token: Column) -> Column:
    return surrogate_key("supplier", supplier_token)


def expense_category_key(expense_category_id: Column, label: Column) -> Column:
    """A label without a code is a category of its own: it loads as itself, and a check warns of it."""
    return surrogate_key("expense_category", expense_category_id, F.concat(F.lit("label:"), label))
