"""Signs that a published file went through another program, which wrote its values anew.

A spreadsheet program of a Brazilian computer writes a decimal comma and other dates, and so did the House until 2017;
a data frame makes years, and ids with them, floats. Such a file is refused as a whole: of its rows those without cents
could be read, and would be published as the year. A few such rows in another file are rejected one by one.
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_ROWS: Final = 10_000
"""So many tell how the others are written."""

_DECIMAL_COMMA: Final = r"^ *-?[0-9][0-9.]*,[0-9]{1,2} *$"
_DATE_WITH_SLASHES: Final = "^ *[0-9]{1,2}/[0-9]{1,2}/[0-9]{2}"
_YEAR_AS_FLOAT: Final = r"^ *[0-9]{4}[.,]0+ *$"


def sign_of_rework(rows: pa.Table, *, amounts: str, dates: str | None, years: str | None) -> str | None:
    """What most of these rows have in one of the columns, without a full stop; None where nothing is strange."""
    first = rows.slice(0, _ROWS)
    for column, pattern, sign in (
        (amounts, _DECIMAL_COMMA, "have a decimal comma, where the publisher writes a point"),
        (dates, _DATE_WITH_SLASHES, "are written with slashes, where the publisher writes 2013-03-27"),
        (years, _YEAR_AS_FLOAT, "are written as fractions, such as 2020.0"),
    ):
        if column is not None:
            strange = pc.match_substring_regex(first[column], pattern)
            written = pc.sum(pc.not_equal(first[column], "")).as_py() or 0
            if 2 * (pc.sum(strange).as_py() or 0) > written:
                line = first["source_line"][pc.index(strange, True).as_py()].as_py()
                return f"most values of {column} {sign} (first on line {line:,})"
    return None
