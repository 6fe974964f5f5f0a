"""The audit of what was staged, before anyone can read it.

A second engine (DuckDB) reads the very files that Spark wrote, so that what is checked is what readers will get, and
a check does not believe the engine it checks. It spills to disk, so its memory does not grow with a table. The
checks themselves are in `predicates.py`.
"""

import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import zip_longest
from typing import Any, Final

import duckdb

from deputies_lake.contracts import Table, Totals

# Enough for any table, since DuckDB goes on on disk. With more it takes longer: fresh memory costs more than the disk.
MEMORY_LIMIT: Final = "256MB"

Group = tuple[int | str | None, ...]


@dataclass(frozen=True)
class Sums:
    """Rows and amount (BRL) per group, and further amounts where a table has more than one.

    Groups without rows are left out; what is missing in `others` is nothing but zeros.
    """

    rows: Mapping[Group, int]
    amounts: Mapping[Group, Decimal]
    others: Mapping[Group, tuple[Decimal, ...]] = field(default_factory=dict)

    @classmethod
    def none(cls) -> "Sums":
        return cls({}, {})

    @classmethod
    def of(cls, rows: Iterable[Sequence[Any]], others: int = 0) -> "Sums":
        """From rows of a query: the group's columns, then the rows' count, their amount, and so many other amounts."""
        counts: dict[Group, int] = {}
        amounts: dict[Group, Decimal] = {}
        more: dict[Group, tuple[Decimal, ...]] = {}
        for row in rows:
            figures = len(row) - 2 - others
            group = tuple(row[:figures])
            counts[group] = int(row[figures])
            amounts[group], *rest = (Decimal(amount or 0) for amount in row[figures + 1 :])
            if others:
                more[group] = tuple(rest)
        return cls(counts, amounts, more)

    def amounts_of(self, group: Group) -> tuple[Decimal, ...]:
        """All amounts of a group, the first one first."""
        return (self.amounts.get(group, Decimal(0)), *self.others.get(group, ()))

    def __add__(self, other: "Sums") -> "Sums":
        return self._plus(other, 1, {*self.rows, *other.rows})

    def __sub__(self, other: "Sums") -> "Sums":
        left = self._plus(other, -1, {*self.rows, *other.rows})
        return left._plus(Sums.none(), 1, [g for g in left.rows if left.rows[g] or any(left.amounts_of(g))])

    def _plus(self, other: "Sums", sign: int, groups: Collection[Group]) -> "Sums":
        """Of these groups what this and so often the other has."""
        pairs = {g: zip_longest(self.amounts_of(g), other.amounts_of(g), fillvalue=Decimal(0)) for g in groups}
        amounts = {group: tuple(one + sign * another for one, another in pair) for group, pair in pairs.items()}
        return Sums(
            {group: self.rows.get(group, 0) + sign * other.rows.get(group, 0) for group in groups},
            {group: of_group[0] for group, of_group in amounts.items()},
            {group: of_group[1:] for group, of_group in amounts.items() if len(of_group) > 1},
        )

    def regrouped(self, group_of: Callable[[Group], Group]) -> "Sums":
        """The same by other groups; what comes into one is added up."""
        merged: dict[Group, list[Group]] = {}
        for group in self.rows:
            merged.setdefault(group_of(group), []).append(group)
        if all(groups == [group] for group, groups in merged.items()):
            return self
        amounts = {
            group: [
                sum(column, Decimal(0)) for column in zip_longest(*map(self.amounts_of, groups), fillvalue=Decimal(0))
            ]
            for group, groups in merged.items()
        }
        return Sums(
            {group: sum(self.rows[one] for one in groups) for group, groups in merged.items()},
            {group: of_group[0] for group, of_group in amounts.items()},
            {group: tuple(of_group[1:]) for group, of_group in amounts.items() if len(of_group) > 1},
        )

    def of_years(self, years: Collection[int]) -> "Sums":
        """Of groups that begin with their year, those of these years."""
        return self._plus(Sums.none(), 1, [group for group in self.rows if group[0] in years])

    @property
    def row_count(self) -> int:
        return sum(self.rows.values())

    @property
    def amount(self) -> Decimal:
        return sum(self.amounts.values(), Decimal(0))


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What a check may look at: the staged rows as the view `staged`, and each table of the star as `star_<name>`.

    `expected` is what the rows must add up to, group by group, for tables that are reconciled. `referring` has the
    published rows that refer to the staged ones and stay: by the table's identifier the view's name.
    """

    contract: Table
    connection: duckdb.DuckDBPyConnection = field(repr=False)
    expected: Sums | None = None
    referring: Mapping[str, str] = field(default_factory=dict)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.sql(query).fetchall()

    def one(self, query: str) -> tuple[Any, ...]:
        return self.rows(query)[0]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check saw. `figures` are shown beside the result, so that a failure can be understood and mended."""

    check: str
    passed: bool
    blocking: bool
    summary: str
    figures: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def stops(self) -> bool:
        """Whether it keeps the table from being published."""
        return self.blocking and not self.passed


@dataclass(frozen=True, kw_only=True)
class Check:
    """A named question to any staged table. A blocking one keeps the table from being published."""

    name: str
    description: str
    blocking: bool = True
    examine: Callable[[Audit], tuple[bool, str, Mapping[str, int | str]]]

    def run(self, audit: Audit) -> Finding:
        passed, summary, figures = self.examine(audit)
        return Finding(check=self.name, passed=passed, blocking=self.blocking, summary=summary, figures=figures)


Findings = Mapping[str, Sequence[Finding]]
"""What was seen of each table, by its name."""


def failures(findings: Findings) -> list[str]:
    """What keeps tables from being published, each with its table and check."""
    return [
        f"{table}.{finding.check}: {finding.summary}"
        for table, of_table in findings.items()
        for finding in of_table
        if finding.stops
    ]


class AuditFailedError(Exception):
    """A blocking check failed: nothing of this step was published. Carries the findings by table."""

    def __init__(self, findings: Findings) -> None:
        failed = "; ".join(failures(findings))
        super().__init__(f"The audit failed, nothing was published and readers keep the last good version. {failed}")
        self.findings = findings


def not_published(faults: Mapping[str, str]) -> str:
    """In a sentence without a full stop, from each year's fault. It begins with the years: alerts find them by that."""
    return f"{', '.join(faults)} not published, readers keep what they had: {listed(faults)}"


def listed(by_year: Mapping[str, str]) -> str:
    """Each year with what is said of it."""
    return "; ".join(f"{year}: {text.rstrip('.')}" for year, text in by_year.items())


@contextmanager
def auditor() -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection of bounded memory, without a progress bar between the lines of a log."""
    with (
        # DuckDB's own choice would be the directory that one happens to be in.
        tempfile.TemporaryDirectory(prefix="deputies_lake_audit_") as spilled,
        duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "temp_directory": spilled}) as connection,
    ):
        connection.execute("SET enable_progress_bar = false; SET preserve_insertion_order = false")
        yield connection


def sums(connection: duckdb.DuckDBPyConnection, view: str, totals: Totals) -> Sums:
    """Rows and amounts of a view by the groups of `totals`, its `also` included."""
    by = ", ".join(totals.by)
    amounts = ", ".join(f"sum({amount})" for amount in totals.amounts)
    rows = f"sum({totals.rows})" if totals.rows else "count(*)"
    query = f"SELECT {by}, {rows}, {amounts} FROM {view} GROUP BY {by}"
    return Sums.of(connection.sql(query).fetchall(), others=len(totals.also))
