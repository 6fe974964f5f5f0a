"""Lines of CSV text from columns of numbers, without a Python loop over the rows.

A column is a table of ready texts and, for each row, which of them it takes. This is the only module of the
sample that knows pyarrow; which columns a file has is said where that file is made.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]
from numpy.typing import NDArray

from deputies_lake.sample.draws import Integers

NO_TIME: Final = 24 * 60 * 60

# pyarrow brings no types: an array of texts.
Texts = Any


def quoted(text: str) -> str:
    """The text as one CSV field, in quotes only where it needs them (csv's QUOTE_MINIMAL)."""
    needs_quotes = "," in text or '"' in text
    return '"' + text.replace('"', '""') + '"' if needs_quotes else text


def texts(values: Iterable[str]) -> Texts:
    return pa.array(values, type=pa.string())


def quoted_texts(table: Texts, delimiter: str = ",") -> Texts:
    """Each of the texts as one CSV field, in quotes only where it needs them."""
    needs_quotes = pc.match_substring_regex(table, f'[{delimiter}"]')
    return pc.if_else(needs_quotes, joined('"', with_doubled_quotes(table), '"'), table)


def with_doubled_quotes(table: Texts) -> Texts:
    """The texts as they stand between the quotes of a CSV field."""
    return replaced(table, '"', '""')


def replaced(table: Texts, old: str, new: str) -> Texts:
    return pc.replace_substring(table, old, new)


def concatenated(tables: Sequence[Texts]) -> Texts:
    return pa.concat_arrays(tables)


def column(table: Texts, chosen: Integers) -> Texts:
    """For each row the text of the table that it has chosen."""
    return table.take(pa.array(chosen))


def numerals(values: Integers) -> Texts:
    return pa.array(values).cast(pa.string())


def joined(*columns: Texts | str, separator: str = "") -> Texts:
    """A line for each row: its columns' texts one after the other. A plain string is the same in all rows."""
    # Arrow's last argument is the separator.
    return pc.binary_join_element_wise(*columns, separator)


def where(wanted: NDArray[np.bool_], lines: Texts | str, otherwise: str) -> Texts:
    return pc.if_else(pa.array(wanted), lines, otherwise)


def cut_off(lines: Texts) -> Texts:
    """Only the first half of each line, as a line of its own."""
    return texts(f"{line[: len(line) // 2]}\n" for line in lines.to_pylist())


def as_bytes(lines: Texts) -> memoryview:
    """All lines, end to end."""
    _, offsets, text = lines.buffers()
    # Arrow may have made more room than the texts need.
    start, end = np.frombuffer(offsets, np.int32)[[lines.offset, lines.offset + len(lines)]]
    return memoryview(text)[start:end]


@cache
def clock() -> Texts:
    """The time of each second of a day, and, at `NO_TIME`, none."""
    sixty = [f":{number:02}" for number in range(60)]
    times = [f"{hour:02}{minute}{second}" for hour in range(24) for minute in sixty for second in sixty]
    return texts([*times, ""])


def count_identical(lines: Texts) -> int:
    """How many lines have at least one equal."""
    times = lines.value_counts().field("counts")
    return pc.sum(times.filter(pc.greater(times, 1))).as_py() or 0
