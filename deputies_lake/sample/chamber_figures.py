"""The figures of a file of the House's: rows and their sums, counted while the rows are drawn.

Here belongs the counting only; which rows are counted as what is said in `chamber`.
"""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from deputies_lake.sample.chamber_receipts import Expenses
from deputies_lake.sample.chamber_shape import CATEGORIES
from deputies_lake.sample.draws import Integers


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Rows, and their sums in BRL."""

    rows: int = 0
    net: Decimal = Decimal(0)
    document: Decimal = Decimal(0)
    deduction: Decimal = Decimal(0)
    returned: Decimal = Decimal(0)

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(
            rows=self.rows + other.rows,
            net=self.net + other.net,
            document=self.document + other.document,
            deduction=self.deduction + other.deduction,
            returned=self.returned + other.returned,
        )


CategoryFigures = dict[tuple[str, str], Figures]
"""By the category's number and label, both as the file has them; only of categories that occur."""


def total_of(figures: CategoryFigures) -> Figures:
    return sum(figures.values(), start=Figures())


class Tally:
    """Counts rows as they are drawn."""

    def __init__(self) -> None:
        self._rows: Integers = np.zeros(len(CATEGORIES), dtype=np.int64)
        self._cents: Integers = np.zeros((len(CATEGORIES), 4), dtype=np.int64)

    def add(self, expenses: Expenses) -> None:
        np.add.at(self._rows, expenses.category, 1)
        self._add_cents(expenses, 1)

    def add_change(self, before: Expenses, after: Expenses) -> None:
        """Count rows that have changed, and by how much their amounts did."""
        self.add(after)
        self._add_cents(before, -1)

    def figures(self, year: int) -> CategoryFigures:
        return {
            (str(category.id), category.label_in(year)): Figures(
                rows=rows, **dict(zip(("net", "document", "deduction", "returned"), map(_brl, cents), strict=True))
            )
            for category, rows, cents in zip(CATEGORIES, self._rows.tolist(), self._cents.tolist(), strict=True)
            if rows
        }

    def _add_cents(self, expenses: Expenses, sign: int) -> None:
        amounts = (expenses.net, expenses.document, expenses.deduction, expenses.returned)
        np.add.at(self._cents, expenses.category, sign * np.stack(amounts, axis=1))


def _brl(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)
