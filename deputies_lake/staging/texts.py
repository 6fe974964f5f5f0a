"""Readings of published text that more than one source needs: who pays, which category, which amount.

Column expressions without a table of their own. Tax ids have `tax_ids.py`.
"""

from collections.abc import Mapping
from decimal import Decimal

from pyspark.sql import Column
from pyspark.sql import functions as F

from deputies_lake.contracts import MONEY
from deputies_lake.raw.published_csv import AMOUNT_PATTERN
from deputies_lake.reference import tables

# Offices of the House (party, majority and government leaderships) pay from a quota of their own. The files name
# them as they name deputies; some by the bare party label.
_OFFICE_NAME = r"^(LIDERAN[CÇ]A|LID[.]|LIDM|REPRESENTA[CÇ][AÃ]O)"


def date_of(text: Column) -> Column:
    """The day a text such as `2013-03-27 00:00:00` begins with; null for anything else, a bare year included.

    Times are dropped: the publishers write midnight, and summer time made some of it one o'clock.
    """
    # The day alone: a cast would read `2013` as its first day, and Sail's does not know the `T` before a time.
    day = F.regexp_extract(text, "^([0-9]{4}-[0-9]{1,2}-[0-9]{1,2})([ T]|$)", 1)
    return F.when(F.octet_length(text) >= len("2013-03-27"), day.cast("date"))


def is_amount(text: Column) -> Column:
    """Whether the text is an amount in BRL."""
    return text.isNotNull() & (_is_plain_number(text) | text.rlike(AMOUNT_PATTERN))


def readable_amount(text: Column) -> Column:
    """An amount in BRL, null where the text is no amount."""
    # Only what is one is cast: at other texts Sail fails, and it knows no exponent in a decimal.
    amount = F.when(text.contains("+"), _float_as_amount(text)).otherwise(text.cast(MONEY))
    return F.when(is_amount(text), amount)


def _float_as_amount(text: Column) -> Column:
    """`3.456700000000000e+002` as an amount, exactly."""
    mantissa, exponent = F.substring_index(F.lower(text), "e", 1), F.substring(text, -2, 2).cast("int")
    return (mantissa.cast("decimal(16,15)") * F.get(_powers_of_ten(), exponent)).cast(MONEY)


def _powers_of_ten() -> Column:
    return F.array(*(F.lit(Decimal(10**power)).cast("decimal(11,0)") for power in range(11)))


def is_digits(text: Column) -> Column:
    """Whether the text is made of digits alone."""
    return (_is_plain_number(text) & ~text.startswith("-")) | text.rlike("^[0-9]+$")


def _is_plain_number(text: Column) -> Column:
    """Spares most texts a regular expression, which takes ten times as long. Where it is false, nothing is known."""
    return text.cast("int").cast("string").eqNullSafe(text)


def rejected_where(condition: Column, column: str, problem: str) -> Column:
    """The reason to reject a row where `condition` holds: the column, what is wrong, and what stands there."""
    return F.when(condition, F.concat(F.lit(f"{column} {problem}: "), F.col(column)))


def looked_up(text: Column, mapping: Mapping[str, str]) -> Column:
    """What `mapping` has for `text`, null where it has nothing."""
    # No map: Sail would make it anew for each row, which takes ten times as long.
    return F.coalesce(*(F.when(text == word, found) for word, found in mapping.items()))


def is_leadership(name: Column, has_state: Column) -> Column:
    """Whether a payer without a state is an office of the House and not a person whose state is unknown."""
    upper = F.upper(name)
    # Not `&`: Spark would compute what its right side uses twice, the capitals, for all rows.
    return F.when(~has_state, upper.rlike(_OFFICE_NAME) | upper.isin(*tables.party_labels())).otherwise(False)
