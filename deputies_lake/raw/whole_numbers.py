"""Which texts are numbers that are not whole, where a file has ids, codes, months and years: `3.7` is no month.

One pattern for raw's count of rejected lines (Arrow) and for staging (Spark), as for amounts. What a data frame makes
of whole numbers (`2020.0`) is read as one. What is no number at all is not judged here: an id may be a word.
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from deputies_lake.raw.amounts import BLANKS, each_once

MARKS: Final = "[.,eE]"
"""What has none of these is no number that is not whole."""

NOT_WHOLE: Final = r"^[-+]?([0-9]*[.,](0*[1-9][0-9]*|000+)|[0-9]*[.,]?[0-9]+[.,]?[eE][-+]?[0-9]+)\z"
"""A number with a fraction, or an exponent, without `BLANKS`. Three zeros may be a thousand; an exponent stands in the
place of digits that are lost."""

FRACTION_OF_NONE: Final = r"^([-+]?[0-9]+)[.,]0{0,2}\z"
"""A whole number, captured, to which a program gave a fraction."""


def are_not_whole(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether each text is a number that is not whole."""
    return each_once(lambda once: pc.match_substring_regex(pc.utf8_trim(once, BLANKS), NOT_WHOLE), texts)


def whole(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The texts without `BLANKS`, whole numbers without a fraction."""
    return each_once(
        lambda once: pc.replace_substring_regex(pc.utf8_trim(once, BLANKS), FRACTION_OF_NONE, r"\1"), texts
    )
