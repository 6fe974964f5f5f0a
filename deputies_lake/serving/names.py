"""Names in marts are today's, in all years at once: which columns are names, which years have old ones, and new rows.

A mart repeats what a dimension tells of a key. Dimensions change with every file, marts only in the years that are
built: the others are compared with the dimensions, and where a name differs the year's rows are written anew, with no
figure touched. In SQL for DuckDB, over published files.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import duckdb

from deputies_lake.contracts import YEAR, Table
from deputies_lake.star import dim_deputies, dim_expense_categories, dim_parties, dim_states, dim_suppliers

DIMENSIONS: Final = (
    dim_deputies.TABLE,
    dim_parties.TABLE,
    dim_states.TABLE,
    dim_suppliers.TABLE,
    dim_expense_categories.TABLE,
)
_ROLES: Final = ("", "only_")
_LABELS: Final = {dim_parties.TABLE: "party_label"}
"""What finds a member in marts that have no key of it. A party's key is made of its label, whatever its case."""


@dataclass(frozen=True, kw_only=True)
class _Lookup:
    """Columns of a mart, each with the dimension's column that it repeats, and how their member is found."""

    dimension: Table
    alias: str
    on: str
    columns: Mapping[str, str]


def outdated(connection: duckdb.DuckDBPyConnection, mart: Table, view: str) -> Sequence[int]:
    """The years of the mart's rows, which are the view, in which a name is not that of the dimension's view."""
    lookups = [*_lookups(mart)]
    if not lookups:
        return []
    differs = " OR ".join(
        f"({one.alias}.{one.dimension.key[0]} IS NOT NULL AND mart.{name} IS DISTINCT FROM {one.alias}.{new})"
        for one in lookups
        for name, new in one.columns.items()
    )
    found = connection.sql(f"SELECT DISTINCT mart.{YEAR} FROM {_joined(view, lookups)} WHERE {differs} ORDER BY 1")
    return [year for (year,) in found.fetchall()]


def regrouped(connection: duckdb.DuckDBPyConnection, mart: Table, view: str) -> Sequence[int]:
    """The years of the mart's rows, which are the view, that must be built again, for rows are grouped by a name.

    It is the successors of parties: where a party is called otherwise or has become part of another one.
    """
    if "party_labels" not in mart.column_names:
        return []
    found = connection.sql(
        f"SELECT DISTINCT {YEAR} FROM (SELECT *, unnest(string_split(party_labels, ', ')) AS label FROM {view}) AS mart"
        f" JOIN star_{dim_parties.TABLE.name} AS party ON upper(mart.label) = upper(party.party_label) "
        "WHERE (mart.label, mart.party_label_today) <> (party.party_label, party.party_label_today) ORDER BY 1"
    )
    return [year for (year,) in found.fetchall()]


def renamed(mart: Table, view: str) -> str:
    """The query for the view's rows with the dimensions' names. What a dimension does not know stays as it is."""
    lookups = [*_lookups(mart)]
    replaced = ", ".join(
        f"CASE WHEN {one.alias}.{one.dimension.key[0]} IS NULL THEN mart.{name} ELSE {one.alias}.{new} END AS {name}"
        for one in lookups
        for name, new in one.columns.items()
    )
    return f"SELECT mart.* REPLACE ({replaced}) FROM {_joined(view, lookups)}"


def _joined(view: str, lookups: Sequence[_Lookup]) -> str:
    joins = (f"LEFT JOIN star_{one.dimension.name} AS {one.alias} ON {one.on}" for one in lookups)
    return " ".join([f"{view} AS mart", *joins])


def _lookups(mart: Table) -> Iterator[_Lookup]:
    for dimension in DIMENSIONS:
        (key,) = dimension.key
        for role in _ROLES:
            alias = f"{role}{dimension.name}"
            columns = dict(_repeated(mart, dimension, role))
            label = _LABELS.get(dimension)
            if columns and f"{role}{key}" in mart.column_names:
                on = f"mart.{role}{key} = {alias}.{key}"
                yield _Lookup(dimension=dimension, alias=alias, on=on, columns=columns)
            elif label in columns:
                on = f"upper(mart.{label}) = upper({alias}.{label})"
                yield _Lookup(dimension=dimension, alias=alias, on=on, columns={label: label})


def _repeated(mart: Table, dimension: Table, role: str) -> Iterator[tuple[str, str]]:
    """The mart's columns that repeat one of the dimension's, in this role."""
    for column in mart.columns:
        table, _, name = column.source[0].partition(".") if len(column.source) == 1 else ("", "", "")
        is_of_role = column.name.startswith("only_") == (role == "only_")
        if table == dimension.name and is_of_role and column.name not in mart.key:
            yield column.name, name
