"""How every table of the lake is declared: its grain, columns, keys and what its figures must add up to.

Here belong the words of a contract (`Table`, `Column`, `Reference`, `Totals`). A table's own contract does not: it
stands in the file named after the table, beside the transformation that makes it. Pure Python, so that Dagster,
Spark, Iceberg, the checks and the data dictionary can all be derived from one declaration.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LAYERS: Final = ("raw", "staging", "star", "serving")

MONEY: Final = "decimal(14,2)"
"""An amount that a file states, in BRL."""
TOTAL: Final = "decimal(18,2)"
"""A sum of such amounts: ten thousand of the largest fit, of those that were ever paid all that there are."""
SHARE: Final = "decimal(24,6)"
"""A part of one, or how many times a limit: 0.25 is a quarter. Of the largest `TOTAL` by one cent it holds, too."""
TYPES: Final = frozenset({"string", "int", "bigint", "boolean", "date", "timestamp_ntz", MONEY, TOTAL, SHARE})

YEAR: Final = "year"
"""The one partition column: the quota year (`numAno`), never the year in which a receipt was issued."""


class ContractError(ValueError):
    """A contract that contradicts itself. Raised when the module that declares it is imported."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: what it holds, in both languages, and where its values come from.

    `source` names the columns it is computed from as `table.column`; `published` is the column's name as its
    publisher spells it. Money is in BRL.
    """

    name: str
    type: str = "string"
    pt: str
    en: str
    source: tuple[str, ...] = ()
    published: str | None = None
    nullable: bool = False
    example: str | None = None

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise ContractError(f"column {self.name}: type {self.type!r} is not one of {', '.join(sorted(TYPES))}")

    @property
    def description(self) -> str:
        """English, Portuguese and the published name, as people see it beside the column."""
        published = f" [{self.published}]" if self.published else ""
        return f"{self.en} / {self.pt}{published}"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A foreign key: each value of `column` is a value of the column of the same name in the star's `table`."""

    column: str
    table: str


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What is counted and summed, and by what, to prove that no row and no cent was lost on the way.

    `amount` is the sum that people ask for; those in `also` are proven with it. `rows` is the column that counts the
    rows of the step before; where there is none, each row is one.
    """

    by: tuple[str, ...]
    amount: str
    also: tuple[str, ...] = ()
    rows: str | None = None

    @property
    def amounts(self) -> tuple[str, ...]:
        return (self.amount, *self.also)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table's contract.

    `key` is the set of columns that no two rows share: the grain, made checkable. A `partitioned` table is laid out
    by `year` and can be replaced year by year, any other is replaced as a whole. `referred_by` names the tables of the
    star that hold this one's key: what they have published never loses its member.
    """

    layer: str
    name: str
    pt: str
    en: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partitioned: bool = False
    references: tuple[Reference, ...] = ()
    totals: Totals | None = None
    referred_by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        known = set(names)
        mentioned = {*self.key, *(r.column for r in self.references)}
        if self.totals:
            mentioned |= {*self.totals.by, *self.totals.amounts, *filter(None, [self.totals.rows])}
        if self.partitioned:
            mentioned.add(YEAR)
        if self.layer not in LAYERS:
            raise ContractError(f"table {self.name}: layer {self.layer!r} is not one of {', '.join(LAYERS)}")
        if not self.key:
            raise ContractError(f"table {self.name} has no key")
        if self.referred_by and (self.partitioned or len(self.key) > 1):
            raise ContractError(f"table {self.name} is referred to: it may neither have years nor several keys")
        if len(known) != len(names):
            raise ContractError(f"table {self.name} declares a column twice")
        if unknown := sorted(mentioned - known):
            raise ContractError(f"table {self.name} speaks of columns it does not have: {', '.join(unknown)}")
        if nullable := [c.name for c in self.columns if c.nullable and c.name in {*self.key, YEAR}]:
            raise ContractError(f"table {self.name}: key columns may not be null: {', '.join(nullable)}")

    @property
    def identifier(self) -> str:
        """`layer.table`, the name in the Iceberg catalog."""
        return f"{self.layer}.{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        """Columns that are never null."""
        return tuple(column.name for column in self.columns if not column.nullable)

    @property
    def lineage(self) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """For each column the (table, column) pairs it is computed from."""
        return {
            column.name: tuple((table, name) for table, _, name in (s.partition(".") for s in column.source))
            for column in self.columns
            if column.source
        }
