"""Later versions of a year: which rows the House has added, withdrawn and altered since the first one.

Here belongs the choice of the rows and what becomes of them. Rows keep their document's id, so that two versions can
be compared as the published ones can.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deputies_lake.sample.chamber_receipts import CENTS, Expenses
from deputies_lake.sample.draws import Integers


@dataclass(frozen=True, kw_only=True)
class Restatement:
    """What a later version of a year has other than the first one.

    So many rows are `added` at the end, and so many `removed` and `altered` all over the file: of altered rows half of
    the net value is disallowed. `truncated` is the share of the first version's rows that are missing from its end, as
    in the files of August 2026, well-formed and a quarter too short.
    """

    added: int = 0
    removed: int = 0
    altered: int = 0
    truncated: float = 0.0

    def __post_init__(self) -> None:
        if min(self.added, self.removed, self.altered) < 0 or not 0 <= self.truncated < 1:
            raise ValueError(f"{self}: rows can't be fewer than none, and some of the file must be left")


UNCHANGED: Final = Restatement()


class Reviser:
    """Restates a year's rows as they are drawn, batch by batch; `rows` is how many the first version has."""

    def __init__(self, restatement: Restatement, rows: int) -> None:
        self._restatement = restatement
        self._rows_left = rows - round(rows * restatement.truncated)
        self._removed = self._altered = 0

    def revise(self, expenses: Expenses) -> tuple[Expenses, NDArray[np.bool_], NDArray[np.bool_]]:
        """The rows with their new amounts, and which of them are still there and which were altered."""
        is_left = expenses.row < self._rows_left
        done = min(int(expenses.row[-1]) + 1, self._rows_left)
        removed = self._due(self._restatement.removed, done) - self._removed
        altered = self._due(self._restatement.altered, done) - self._altered
        chosen = _spread(np.flatnonzero(is_left & _is_alone(expenses)), removed + altered)
        removed = len(chosen) * removed // max(removed + altered, 1)
        is_left[chosen[:removed]] = False
        is_altered = np.zeros_like(is_left)
        is_altered[chosen[removed:]] = True
        self._removed += removed
        self._altered += len(chosen) - removed
        disallowed = np.where(is_altered, expenses.net // 2, 0)
        revised = expenses._replace(deduction=expenses.deduction + disallowed, net=expenses.net - disallowed)
        return revised, is_left, is_altered

    def require_done(self, year: int) -> None:
        """Raises `ValueError` unless as many rows were removed and altered as were to be."""
        wanted = (self._restatement.removed, self._restatement.altered)
        if (self._removed, self._altered) != wanted:
            raise ValueError(
                f"{year}: of the {wanted[0]} rows to remove and {wanted[1]} to alter only {self._removed} and "
                f"{self._altered} were found. Ask for fewer, or for more rows a year."
            )

    def _due(self, wanted: int, done: int) -> int:
        return wanted * done // self._rows_left


def _is_alone(expenses: Expenses) -> NDArray[np.bool_]:
    """Which rows are the only one of their document, so that they can be found in another version by its id."""
    is_first = expenses.document_row == expenses.row
    is_last = np.append(is_first[1:], True)
    is_alone: NDArray[np.bool_] = is_first & is_last & expenses.has_document & ~expenses.is_ticket
    return is_alone & (expenses.net >= CENTS)


def _spread(places: Integers, count: int) -> Integers:
    """So many of the places, evenly; all of them where there are too few."""
    count = min(count, len(places))
    return places[np.arange(count) * len(places) // max(count, 1)]
