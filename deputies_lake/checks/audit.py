"""The audit of what was staged, before anyone can read it.

A second engine (DuckDB) reads the very files that Spark wrote, so that what is checked is what readers will get, and
a check does not believe the engine it checks. It spills to disk, so its memory does not grow with a table. The
checks themselves are in `predicates.py`.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import duckdb

from deputies_lake.contracts import Table, Totals

# Enough for any table, since DuckDB goes on on disk. With more it takes longer: fresh memory costs more than the disk.
MEMORY_LIMIT: Final = "256MB"

Group = tuple[int | str | None, ...]


@dataclass(frozen=True)
class Sums:
    """Rows and amount (BRL) per group; groups without rows are left out."""

    rows: Mapping[Group, int]
    amounts: Mapping[Group, Decimal]

    @classmethod
    def none(cls) -> "Sums":
        return cls({}, {})

    @classmethod
    def of(cls, rows: Iterable[Sequence[Any]]) -> "Sums":
        """From rows of a query: the group's columns, then the rows' count, then their amount."""
        found = [(tuple(row[:-2]), int(row[-2]), Decimal(row[-1] or 0)) for row in rows]
        return cls({group: n for group, n, _ in found}, {group: amount for group, _, amount in found})

    def __sub__(self, other: "Sums") -> "Sums":
        rows = {group: count - other.rows.get(group, 0) for group, count in self.rows.items()}
        amounts = {group: self.amounts[group] - other.amounts.get(group, Decimal(0)) for group in rows}
        left = [group for group in rows if rows[group] or amounts[group]]
        return Sums({group: rows[group] for group in left}, {group: amounts[group] for group in left})

    def __add__(self, other: "Sums") -> "Sums":
        groups = {*self.rows, *other.rows}
        return Sums(
            {group: self.rows.get(group, 0) + other.rows.get(group, 0) for group in groups},
            {group: self.amounts.get(group, Decimal(0)) + other.amounts.get(group, Decimal(0)) for group in groups},
        )

    @property
    def row_count(self) -> int:
        return sum(self.rows.values())

    @property
    def amount(self) -> Decimal:
        return sum(self.amounts.values(), Decimal(0))


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What a check may look at: the staged rows as the view `staged`, and each table of the star as `star_<name>`.

    `expected` is what the rows must add up to, group by group, for tables that are reconciled.
    """

    contract: Table
    connection: duckdb.DuckDBPyConnection = field(repr=False)
    expected: Sums | None = None

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


class AuditFailedError(Exception):
    """A blocking check failed: nothing of this step was published. Carries the findings by table."""

    def __init__(self, findings: Mapping[str, Sequence[Finding]]) -> None:
        failed = [
            f"{table}.{finding.check}: {finding.summary}"
            for table, of_table in findings.items()
            for finding in of_table
            if finding.blocking and not finding.passed
        ]
        super().__init__(
            "The audit failed, nothing was published and readers keep the last good version. " + "; ".join(failed)
        )
        self.findings = findings


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
    """Rows and amounts of a view by the groups of `totals`."""
    by = ", ".join(totals.by)
    query = f"SELECT {by}, count(*), sum({totals.amount}) FROM {view} GROUP BY {by}"
    return Sums.of(connection.sql(query).fetchall())
