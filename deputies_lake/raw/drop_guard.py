"""The drop guard: a year's new file against the one that is published, before it takes its place.

The House publishes each year anew every night, and one night in August 2026 published twelve years of well-formed
files that lacked a quarter of their rows. Receipts are added and restated, hardly ever withdrawn: a file that lost
more than these thresholds is not believed until a person says so (`deputies-lake accept`). It is compared with the
largest version of the last weeks, too: what loses a little less each night would never be noticed by the day.

Pure comparison of control totals. What is done about the verdict is in `intake.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from deputies_lake.checks.audit import Sums
from deputies_lake.quota_years import current_year
from deputies_lake.redaction import redacted_text


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What share of its rows and net BRL a year may lose: above `warns` it is told, above `blocks` refused."""

    warns: Decimal
    blocks: Decimal


# A year that is over hardly changes. The current one only grows, but for restatements.
CLOSED_YEAR: Final = Thresholds(warns=Decimal("0.005"), blocks=Decimal("0.02"))
CURRENT_YEAR: Final = Thresholds(warns=Decimal(0), blocks=Decimal("0.01"))

# A category alone varies more, small ones most of all; one that is gone was most likely forgotten.
_CATEGORY_BLOCKS: Final = Decimal("0.10")
_CATEGORY_ROWS: Final = 100


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a year's new file has less than the published one. Amounts are net BRL.

    `faults` keep it from being published, `remarks` are worth knowing; both are sentences.
    """

    year: int
    rows_before: int
    rows_after: int
    net_before: Decimal
    net_after: Decimal
    faults: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def summary(self) -> str:
        now = f"{self.rows_after:,} rows, net BRL {self.net_after:,.2f}"
        before = (
            f"{self.rows_before:,} rows, net BRL {self.net_before:,.2f} before" if self.rows_before else "the first"
        )
        return f"{self.year}: {now} ({before})"


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """A version that stood once: what to call it, and its sums by (year, category)."""

    name: str
    sums: Sums


def compare(year: int, before: Sums, after: Sums, largest: Earlier | None = None) -> Comparison:
    """`before` and `after` by (year, category). `largest` is told of only where nothing is wrong with `before`."""
    faults, remarks = _losses(year, before, after)
    if largest and not faults:
        faults = [f"{fault}; compared with {largest.name}" for fault in _losses(year, largest.sums, after)[0]]
    return Comparison(
        year=year,
        rows_before=before.row_count,
        rows_after=after.row_count,
        net_before=before.amount,
        net_after=after.amount,
        faults=tuple(faults),
        remarks=tuple(remarks),
    )


def _losses(year: int, before: Sums, after: Sums) -> tuple[list[str], list[str]]:
    """Faults and remarks."""
    thresholds = CURRENT_YEAR if year >= current_year() else CLOSED_YEAR
    faults: list[str] = []
    remarks: list[str] = []
    for what, lost in (
        ("rows", _lost(before.row_count, after.row_count)),
        ("net BRL", _lost(before.amount, after.amount)),
    ):
        if lost > thresholds.blocks:
            faults.append(f"{what} fell by {lost:.2%}, more than the {thresholds.blocks:.1%} that {year} may lose")
        elif lost > thresholds.warns:
            remarks.append(f"{what} fell by {lost:.2%}")
    rows_before, rows_after = _by_category(before), _by_category(after)
    for category, rows in rows_before.items():
        left = rows_after.get(category, 0)
        if rows < _CATEGORY_ROWS or _lost(rows, left) <= _CATEGORY_BLOCKS:
            continue
        new_name = next(
            (name for name, now in rows_after.items() if name not in rows_before and _is_near(rows, left + now)), None
        )
        if new_name is None:
            faults.append(f"category {redacted_text(category)!r} fell from {rows:,} to {left:,} rows")
        else:
            remarks.append(f"category {redacted_text(category)!r} seems to be called {redacted_text(new_name)!r} now")
    return faults, remarks


def _lost(before: Decimal | int, after: Decimal | int) -> Decimal:
    return (Decimal(before) - Decimal(after)) / Decimal(before) if before > 0 else Decimal(0)


def _is_near(rows: int, others: int) -> bool:
    return abs(_lost(rows, others)) <= _CATEGORY_BLOCKS


def _by_category(sums: Sums) -> Mapping[str, int]:
    rows: dict[str, int] = {}
    for (_, category), count in sums.rows.items():
        rows[str(category)] = rows.get(str(category), 0) + count
    return rows
