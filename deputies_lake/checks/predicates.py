"""The checks: named predicates over any table, derived from its contract.

A check of one table only does not belong here: say it in the contract, then every table can have it. How a check is
run, and what a failed one stops, is in `audit.py`.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import zip_longest
from typing import Final

from deputies_lake.checks.audit import Audit, Check, Group, Sums, sums
from deputies_lake.contracts import Table, Totals

Result = tuple[bool, str, Mapping[str, int | str]]

_EXAMPLES: Final = 5


def checks_of(contract: Table) -> tuple[Check, ...]:
    """The checks a contract asks for, in the order they are run."""
    checks = [GRAIN, FILLED]
    if contract.references:
        checks.append(REFERENCES)
    if contract.totals:
        checks.append(ADDS_UP)
    if "expense_category_id" in contract.column_names and contract.layer == "staging":
        checks.append(MAPPED)
    return tuple(checks)


def _grain_is_unique(audit: Audit) -> Result:
    key = ", ".join(audit.contract.key)
    query = f"SELECT {key}, count(*) AS times FROM staged GROUP BY ALL HAVING count(*) > 1"
    (repeated,) = audit.one(f"SELECT count(*) FROM ({query})")
    if not repeated:
        return True, f"no two rows share {key}", {}
    examples = audit.rows(f"{query} ORDER BY ALL LIMIT {_EXAMPLES}")
    return False, f"{repeated} values of {key} occur more than once", {"repeated": repeated, "examples": str(examples)}


def _required_columns_are_filled(audit: Audit) -> Result:
    required = audit.contract.required
    counts = audit.one("SELECT " + ", ".join(f"count(*) - count({name})" for name in required) + " FROM staged")
    missing = {name: count for name, count in zip(required, counts, strict=True) if count}
    if not missing:
        return True, f"no nulls in {len(required)} required columns", {}
    return False, f"nulls in {', '.join(missing)}", missing


def _references_resolve(audit: Audit) -> Result:
    dangling: dict[str, int | str] = {}
    for reference in audit.contract.references:
        column, dimension = reference.column, f"star_{reference.table}"
        (rows,) = audit.one(
            f"SELECT coalesce(sum(n), 0) FROM (SELECT {column}, count(*) AS n FROM staged GROUP BY ALL) "
            f"ANTI JOIN {dimension} USING ({column})"
        )
        if rows:
            dangling[column] = int(rows)
    if not dangling:
        return True, f"all keys resolve in {len(audit.contract.references)} dimensions", {}
    places = ", ".join(f"{column} ({rows} rows)" for column, rows in dangling.items())
    return False, f"keys without a member: {places}; materialize the dimensions first", dangling


def _adds_up(audit: Audit) -> Result:
    totals, expected = audit.contract.totals, audit.expected
    if totals is None or expected is None:
        raise ValueError(f"{audit.contract.identifier}: nothing was given that its rows must add up to")
    found = sums(audit.connection, "staged", totals)
    figures: dict[str, int | str] = {
        "rows expected": expected.row_count,
        "rows found": found.row_count,
        "BRL expected": f"{expected.amount:.2f}",
        "BRL found": f"{found.amount:.2f}",
    }
    groups = {*expected.rows, *found.rows}
    off = sorted(
        (
            group
            for group in groups
            if expected.rows.get(group) != found.rows.get(group)
            or any(one != another for _, one, another in _amounts(totals, group, expected, found))
        ),
        key=str,
    )
    if not off:
        return True, f"{found.row_count} rows and BRL {found.amount:.2f} in {len(groups)} groups, none lost", figures
    for group in off[:_EXAMPLES]:
        figures[f"group {' | '.join(map(str, group))}"] = (
            f"expected {expected.rows.get(group, 0)} rows, BRL {expected.amounts.get(group, 0):.2f}; "
            f"found {found.rows.get(group, 0)} rows, BRL {found.amounts.get(group, 0):.2f}"
        ) + "".join(
            f"; {name}: expected BRL {one:.2f}, found BRL {another:.2f}"
            for name, one, another in _amounts(totals, group, expected, found)
            if name in totals.also and one != another
        )
    return False, f"{len(off)} of {len(groups)} groups by {', '.join(totals.by)} do not add up", figures


def _amounts(totals: Totals, group: Group, expected: Sums, found: Sums) -> Iterator[tuple[str, Decimal, Decimal]]:
    """Each amount's name, what it should be and what it is."""
    pairs = zip_longest(expected.amounts_of(group), found.amounts_of(group), fillvalue=Decimal(0))
    return ((name, one, another) for name, (one, another) in zip(totals.amounts, pairs, strict=False))


def _labels_are_mapped(audit: Audit) -> Result:
    unmapped = audit.rows(
        "SELECT expense_category_label, count(*) FROM staged "
        "WHERE expense_category_id IS NULL GROUP BY ALL ORDER BY 2 DESC"
    )
    if not unmapped:
        return True, "every category label has a code", {}
    figures = {f"label {label!r}": rows for label, rows in unmapped[:_EXAMPLES]}
    return False, f"{len(unmapped)} category labels without a code: add them to expense_category_labels.csv", figures


GRAIN: Final = Check(name="grain_is_unique", description="No two rows share the table's key.", examine=_grain_is_unique)
FILLED: Final = Check(
    name="required_columns_are_filled",
    description="Columns that the contract calls required hold no nulls.",
    examine=_required_columns_are_filled,
)
REFERENCES: Final = Check(
    name="references_resolve",
    description="Each foreign key has its member in the dimension.",
    examine=_references_resolve,
)
ADDS_UP: Final = Check(
    name="adds_up",
    description="Rows and cents equal those of the step before, group by group: nothing lost, nothing invented.",
    examine=_adds_up,
)
MAPPED: Final = Check(
    name="labels_are_mapped",
    description="Each category label has a code of the House. One without loads as itself and is warned of.",
    blocking=False,
    examine=_labels_are_mapped,
)
