"""Lines of a published file that are no receipts, noted while it is read: is the rest of the file believed?

A line can't be split into its fields, an amount in it is none, an id or a month has a fraction, it does not say whose
receipt it is, or it sums up others. Staging rejects it, with the reason; here is how many there are, and from when on
the whole file is doubted: by their number, by their money, or by an amount that is larger than any receipt's. No real
file of the House that we know has such a line, so a share of them says that the file is of another layout, or was
damaged on its way.

What a source rejects beside form and numbers is declared in its `PublishedCsv`, and is what its `judge` in staging
rejects: the cases that test a `judge` are put to both.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from deputies_lake.raw.amounts import BLANKS
from deputies_lake.raw.published_csv import PublishedCsv
from deputies_lake.raw.whole_numbers import are_not_whole

MOST: Final = Decimal("0.005")
"""The share of a file's lines, or of its money, that may be rejected. Above it the file is not believed."""

ALWAYS_BELIEVED: Final = 5
"""So few lines are no share of a small file: they are told, and the file is published unless they are most of it."""

LARGEST_RECEIPT: Final = Decimal(10_000_000)
"""In BRL, up or down: some hundred times the largest that is known."""

_FIRST_LINES: Final = 5


@dataclass(kw_only=True)
class Rejections:
    """How many lines are rejected, and where the first stand; `amount` is what they hold in BRL, where it can be read
    and is not a sum of other lines."""

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
                wrong = pc.and_(wrong, pc.not_equal(pc.utf8_trim(block[name], BLANKS), ""))
            rejected = pc.or_(rejected, wrong)
        for name in source.whole_number_columns:
            rejected = pc.or_(rejected, are_not_whole(block[name]))
        summary = source.is_summary(block)
        rejected = pc.or_(rejected, pc.or_(summary, source.is_no_receipt(block)))
        count = pc.sum(rejected).as_py() or 0
        if count:
            self.rows += count
            # What a summary line adds up is not missing: the lines that it adds up are there.
            lost = pc.and_not(rejected, summary)
            self.amount += pc.sum(amounts[0].filter(lost)).as_py() or Decimal(0)
            lines = block["source_line"].filter(rejected).slice(0, _FIRST_LINES - len(self.first_lines))
            self.first_lines += lines.to_pylist()


@dataclass(kw_only=True)
class LargestAmount:
    """The amount of a file that is farthest from 0, in BRL, and its line; 0 and 0 where there is none."""

    amount: Decimal = Decimal(0)
    line: int = 0

    def add(self, block: pa.Table, amounts: Sequence[pa.ChunkedArray]) -> None:
        """Look at a block's readable amounts, null elsewhere."""
        for column in amounts:
            ends = pc.min_max(column).as_py()
            for amount in (ends["min"], ends["max"]):
                if amount is not None and abs(amount) > abs(self.amount):
                    self.amount = amount
                    self.line = block["source_line"][pc.index(column, pa.scalar(amount, column.type)).as_py()].as_py()


def says_nothing(texts: pa.ChunkedArray, *words: str) -> pa.ChunkedArray:
    """Whether a text is empty, or one of the words that the publisher writes for none, blanks around it left out."""
    return pc.is_in(pc.utf8_trim(texts, BLANKS), value_set=pa.array(["", *words]))


def doubts(rejected: Rejections, largest: LargestAmount, *, rows: int, amount: Decimal) -> list[str]:
    """Why a file is not believed, in sentences; none where it is. `rows` and `amount` are the whole file's."""
    found = []
    if _are_many(rejected, rows, amount):
        found.append(f"{told(rejected, rows=rows)}; at most {MOST:.1%} may be so")
    if abs(largest.amount) > LARGEST_RECEIPT:
        found.append(f"line {largest.line:,} has an amount of BRL {largest.amount:,.2f}, which no receipt has")
    return found


def told(rejected: Rejections, *, rows: int) -> str:
    """In one sentence, without a full stop; empty where there are none."""
    if not rejected.rows:
        return ""
    amount = f", with BRL {rejected.amount:,.2f} of what can be read in them" if rejected.amount else ""
    lines = ", ".join(f"{line:,}" for line in rejected.first_lines)
    where = f"; the first: line{'s' if len(rejected.first_lines) > 1 else ''} {lines}" if lines else ""
    return f"{rejected.rows:,} of {rows:,} lines can't be read{amount}{where}"


def _are_many(rejected: Rejections, rows: int, amount: Decimal) -> bool:
    if 2 * rejected.rows > rows:
        return True
    if rows * MOST <= ALWAYS_BELIEVED:
        return rejected.rows > ALWAYS_BELIEVED
    return rejected.rows > rows * MOST or abs(rejected.amount) > abs(amount) * MOST
