"""Readings of published text that more than one source needs: who pays, which category, which amount.

Column expressions without a table of their own. Tax ids have `tax_ids.py`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from pyspark.sql import Column
from pyspark.sql import functions as F

from deputies_lake.contracts import MONEY
from deputies_lake.raw.amounts import AMOUNT_PATTERN, MOST_DECIMALS, WHOLE_DIGITS
from deputies_lake.raw.whole_numbers import FRACTION_OF_NONE, MARKS, NOT_WHOLE
from deputies_lake.reference import tables

# Offices of the House (party, majority and government leaderships) pay from a quota of their own. The files name
# them as they name deputies; some by the bare party label.
_OFFICE_NAME = r"^(LIDERAN[CÇ]A|LID[.]|LIDM|REPRESENTA[CÇ][AÃ]O)"

# A number or a date, right or not: nobody's name.
_NUMBER = "^[-+0-9.,:/eE ]{1,24}$"


def date_of(text: Column) -> Column:
    """The day a text such as `2013-03-27 00:00:00` begins with; null for anything else, a bare year included.

    Times are dropped: the publishers write midnight, and summer time made some of it one o'clock.
    """
    # The day alone: a cast would read `2013` as its first day, and Sail's does not know the `T` before a time.
    day = F.regexp_extract(text, "^([0-9]{4}-[0-9]{1,2}-[0-9]{1,2})([ T]|$)", 1)
    return F.when(F.octet_length(text) >= len("2013-03-27"), day.cast("date"))


def is_amount(text: Column) -> Column:
    """Whether the text is an amount in BRL."""
    is_short = _is_plain_number(text) & (F.length(text) <= WHOLE_DIGITS)
    # Of most receipts nothing was paid back: what is empty is spared the pattern.
    return text.isNotNull() & (is_short | ((text != "") & F.trim(text).rlike(AMOUNT_PATTERN)))


def readable_amount(text: Column) -> Column:
    """An amount in BRL, null where the text is no amount."""
    # Only what is one is cast: at other texts Sail fails, and it knows no exponent in a decimal.
    bare = F.trim(text)
    has_exponent = bare.contains("e") | bare.contains("E")
    amount = F.when(has_exponent, _float_as_amount(bare)).otherwise(bare.cast(MONEY))
    return F.when(is_amount(text), amount)


def _float_as_amount(text: Column) -> Column:
    """`3.456700000000000e+002` as an amount, exactly: its exponent ends in its only digit that is not 0."""
    mantissa, exponent = F.substring_index(F.lower(text), "e", 1), F.substring(text, -1, 1).cast("int")
    powers = F.array(*(F.lit(Decimal(10**n)).cast(f"decimal({WHOLE_DIGITS},0)") for n in range(WHOLE_DIGITS)))
    return (mantissa.cast(f"decimal({MOST_DECIMALS + 1},{MOST_DECIMALS})") * F.get(powers, exponent)).cast(MONEY)


def amount_fault(name: str, *, may_be_empty: bool = False) -> Column:
    """Why the text in the column `name` is no amount, null where it is one."""
    text = F.col(name)
    bare, wrong = F.trim(text), ~is_amount(text)
    too_long = f"{name} has more than {WHOLE_DIGITS} digits before the decimal point: no receipt is that large"
    fault = (
        F.when(bare == "", F.lit(None if may_be_empty else f"{name} is empty"))
        .when(bare.contains(","), _told(name, "has a comma, where amounts have a decimal point"))
        .when(bare.rlike(rf"^[-+]?[0-9]{{{WHOLE_DIGITS + 1},}}(\.[0-9]*)?$"), F.lit(too_long))
        .otherwise(_told(name, "is not an amount"))
    )
    return F.when(wrong, fault)


def whole(text: Column) -> Column:
    """A text without surrounding blanks, a whole number without the `.0` that a data frame gave it."""
    bare = F.trim(text)
    # Hardly any has one: the others are spared the pattern.
    has_mark = bare.contains(".") | bare.contains(",")
    return F.when(has_mark, F.regexp_replace(bare, FRACTION_OF_NONE, "$1")).otherwise(bare)


def whole_number_fault(names: Sequence[str]) -> Column:
    """Which of the columns holds a number that is not whole, null where none does."""
    # One search for all of them.
    may_be_one = F.concat_ws(" ", *names).rlike(MARKS)
    faults = (rejected_where(F.trim(name).rlike(NOT_WHOLE), name, "is not a whole number") for name in names)
    return F.when(may_be_one, F.coalesce(*faults))


def is_digits(text: Column) -> Column:
    """Whether the text is made of digits alone."""
    return (_is_plain_number(text) & ~text.startswith("-")) | text.rlike(r"^[0-9]+\z")


def _is_plain_number(text: Column) -> Column:
    """Spares most texts a regular expression, which takes ten times as long. Where it is false, nothing is known."""
    return text.cast("int").cast("string").eqNullSafe(text)


def rejected_where(condition: Column, column: str, problem: str) -> Column:
    """The reason to reject a row where `condition` holds: the column, what is wrong, and the number that stands there.

    A text is not shown: where a line has shifted, it may be a person's name.
    """
    return F.when(condition, _told(column, problem))


def _told(column: str, problem: str) -> Column:
    shown = F.when(F.col(column).rlike(_NUMBER), F.concat(F.lit(": "), F.col(column))).otherwise("")
    return F.concat(F.lit(f"{column} {problem}"), shown)


def looked_up(text: Column, mapping: Mapping[str, str]) -> Column:
    """What `mapping` has for `text`, null where it has nothing."""
    # No map: Sail would make it anew for each row, which takes ten times as long.
    return F.coalesce(*(F.when(text == word, found) for word, found in mapping.items()))


def is_leadership(name: Column, has_state: Column) -> Column:
    """Whether a payer without a state is an office of the House and not a person whose state is unknown."""
    upper = F.upper(name)
    # Not `&`: Spark would compute what its right side uses twice, the capitals, for all rows.
    return F.when(~has_state, upper.rlike(_OFFICE_NAME) | upper.isin(*tables.party_labels())).otherwise(False)
