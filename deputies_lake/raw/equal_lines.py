"""Which of several equal lines a line is: counted while a file is read, for nothing later sees its lines in order.

Equal lines are legitimate (Kaggle cut the cents and dropped the document's id; the House's flights repeat), so none may
be dropped, and their number tells them apart. What is made of it, a row's key, is staging's work.
"""

from collections.abc import Sequence
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa

OCCURRENCE: Final = "occurrence"

_Hashes = np.ndarray[Any, np.dtype[np.uint64]]
_Counts = np.ndarray[Any, np.dtype[np.int32]]


class EqualLines:
    """Counts the lines of one file that are equal in `columns`. Remembers eight bytes of each line."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = ", ".join(f'"{column}"' for column in columns)
        # One thread, so that hashes come in the order of the lines.
        self._connection = duckdb.connect(config={"threads": 1})
        # In order, and each more than twice as long as the next: few to look into, and seldom two to be made one.
        self._seen: list[_Hashes] = []

    def numbered(self, block: pa.Table) -> pa.Table:
        """The file's next lines with `OCCURRENCE` (int): 1, and one more for each equal line above."""
        hashes = self._hashes(block)
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        numbers = np.empty(len(hashes), np.int32)
        numbers[order] = 1 + _equal_ones_before(ordered) + sum(_occurrences(ordered, seen) for seen in self._seen)
        self._remember(ordered)
        return block.append_column(OCCURRENCE, pa.array(numbers))

    def _hashes(self, block: pa.Table) -> _Hashes:
        self._connection.register("block", block)
        found = self._connection.sql(f"SELECT hash({self._columns}) AS hash FROM block").fetchnumpy()
        hashes: _Hashes = found["hash"]
        return hashes

    def _remember(self, ordered: _Hashes) -> None:
        self._seen.append(ordered)
        while len(self._seen) > 1 and len(self._seen[-2]) <= 2 * len(self._seen[-1]):
            self._seen[-2:] = [np.sort(np.concatenate(self._seen[-2:]))]


def _equal_ones_before(ordered: _Hashes) -> _Counts:
    """For each value how many equal ones stand before it."""
    places = np.arange(len(ordered), dtype=np.int32)
    is_first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    return places - np.maximum.accumulate(np.where(is_first, places, 0))


def _occurrences(wanted: _Hashes, seen: _Hashes) -> _Counts:
    """How often each value, all in order, is among the ordered ones."""
    begins = np.searchsorted(seen, wanted)
    found = np.flatnonzero(seen[np.minimum(begins, len(seen) - 1)] == wanted)
    counts = np.zeros(len(wanted), np.int32)
    counts[found] = np.searchsorted(seen, wanted[found], "right") - begins[found]
    return counts
