"""Which texts are amounts, and what they are: one pattern for raw's control totals (Arrow) and for staging (Spark).

Both sides of a reconciliation must agree on each text, so the pattern is plain enough for every engine's regular
expressions (no look-around), and both take off the same blanks before. What is no amount is null, never guessed.
"""

from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

WHOLE_DIGITS: Final = 8
"""No amount has more digits before the point: the whole House pays some BRL 250 million a year, so a receipt of 100
million is none. Document numbers and tax ids that slipped into the column are longer."""

BLANKS: Final = " "
"""What may stand around an amount."""

# A double carries fifteen digits for sure. A text whose first fifteen say an amount with cents, and whose others are
# what binary fractions leave behind, is that amount: 146.96000000000001, 146.95999999999998.
_DOUBLE_DIGITS: Final = 15
_LEFT_BEHIND: Final = "[0-9]{1,4}"


def _pattern() -> str:
    forms = [rf"[0-9]{{1,{WHOLE_DIGITS}}}(?:\.(?:[0-9]{{1,2}}0{{0,8}})?)?", r"\.[0-9]{1,2}0{0,8}"]
    forms += [rf"[0-9]{{{whole}}}\.{_cents_of_a_double(2, whole)}" for whole in range(1, WHOLE_DIGITS + 1)]
    for power in range(WHOLE_DIGITS):
        cents = power + 2
        exact = rf"[0-9]{{1,{cents}}}0{{0,{_DOUBLE_DIGITS + 1 - cents}}}"
        mantissa = rf"[0-9](?:\.(?:{exact}|{_cents_of_a_double(cents, 1)}))?"
        forms.append(rf"{mantissa}[eE]\+?0{{0,2}}{power}")
    # Not `$`, which for Java stands before a last line end, too.
    return rf"^[-+]?(?:{'|'.join(forms)})\z"


def _cents_of_a_double(decimals: int, whole: int) -> str:
    """The decimals of a double that is an amount but for its last digits; `whole` ones stand before the point."""
    run = _DOUBLE_DIGITS - whole - decimals
    return rf"[0-9]{{{decimals}}}(?:0{{{run}}}|9{{{run}}}){_LEFT_BEHIND}"


AMOUNT_PATTERN: Final = _pattern()
"""An amount as publishers and the programs between write it, without `BLANKS`: a decimal point, no thousands mark,
nothing below a cent; `1e+05` where the cents are exact; doubles, which one vintage of the House has in what was paid
back (`3.456700000000000e+002`). An exponent is one digit after zeros, its mantissa has one digit before the point."""

MOST_DECIMALS: Final = 18
"""So many does no text have that matches."""


def readable_amounts(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Amounts in BRL as decimal(38,10), null where the text is no amount."""
    return each_once(_readable_amounts, texts)


def _readable_amounts(texts: pa.Array) -> pa.Array:
    bare = pc.utf8_trim(texts, BLANKS)
    readable = pc.match_substring_regex(bare, AMOUNT_PATTERN)
    exact = pc.cast(pc.if_else(readable, bare, pa.scalar(None, pa.string())), pa.decimal128(38, MOST_DECIMALS))
    # As Spark rounds, when it casts a text to money.
    return pc.cast(pc.round(exact, 2, round_mode="half_towards_infinity"), pa.decimal128(38, 10))


def each_once(reading: Callable[[pa.Array], pa.Array], texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """What `reading` makes of the texts, asked once for each that occurs: few do, and regular expressions are slow."""
    known = pc.dictionary_encode(texts).combine_chunks()
    return pa.chunked_array([reading(known.dictionary).take(known.indices)])
