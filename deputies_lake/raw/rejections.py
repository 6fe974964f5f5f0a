"""Lines of a published file that can't become receipts, counted while it is read: is the rest of the file believed?

What raw can see of a line: it can't be split into its fields, or an amount in it is none. Such lines are rejected by
staging, with their reason; here is how many there are, and from when on the whole file is doubted. No real file of the
House has had one since 2008, so a share of them says that the file is of another layout, or was damaged on its way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from deputies_lake.raw.published_csv import PublishedCsv

MOST: Final = Decimal("0.005")
"""The share of a file's lines, or of its money, that may be rejected. Above it the file is not believed."""

ALWAYS_BELIEVED: Final = 5
"""So few lines are no share of a small file: they are told, and the file is published unless they are most of it."""

_FIRST_LINES: Final = 5


@dataclass(kw_only=True)
class Rejections:
    """How many lines are rejected, what they add up to in BRL where that can be read, and where the first stand."""

    rows: int = 0
    amount: Decimal = Decimal(0)
    first_lines: list[int] = field(default_factory=list)

    def add(self, block: pa.Table, source: PublishedCsv, amounts: Sequence[pa.ChunkedArray]) -> None:
        """Count those of a block. `amounts` are its readable ones, the source's main amount first, null elsewhere."""
        names = (source.amount_column, *source.other_amount_columns)
        rejected = pc.is_valid(block["unreadable_reason"])
        for name, readable in zip(names, amounts, strict=True):
            wrong = pc.is_null(readable)
            if name in source.amounts_may_be_empty:
                wrong = pc.and_(wrong, pc.not_equal(block[name], ""))
            rejected = pc.or_(rejected, wrong)
        count = pc.sum(rejected).as_py() or 0
        if count:
            self.rows += count
            self.amount += pc.sum(amounts[0].filter(rejected)).as_py() or Decimal(0)
            lines = block["source_line"].filter(rejected).slice(0, _FIRST_LINES - len(self.first_lines))
            self.first_lines += lines.to_pylist()


def told(rejected: Rejections, *, rows: int) -> str:
    """In one sentence, without a full stop; empty where there are none."""
    if not rejected.rows:
        return ""
    amount = f", with BRL {rejected.amount:,.2f} of what can be read in them" if rejected.amount else ""
    lines = ", ".join(f"{line:,}" for line in rejected.first_lines)
    where = f"; the first: line{'s' if len(rejected.first_lines) > 1 else ''} {lines}" if lines else ""
    return f"{rejected.rows:,} of {rows:,} lines can't be read{amount}{where}"


def is_doubted(rejected: Rejections, *, rows: int, amount: Decimal) -> bool:
    """Whether so much is rejected that the file is not believed. `rows` and `amount` are the whole file's."""
    if 2 * rejected.rows > rows:
        return True
    if rows * MOST <= ALWAYS_BELIEVED:
        return rejected.rows > ALWAYS_BELIEVED
    return rejected.rows > rows * MOST or abs(rejected.amount) > abs(amount) * MOST
