"""The star's assets, built in one step: dimensions, reference tables, and the fact year by year.

Dimensions are made from all staged years, each from its one source, and published before the fact, so that every key
it holds has its member. A member that no staged row mentions any more stays as it was, for years of the fact that are
not built now refer to it. The fact finds its keys without the dimensions, so Spark writes all of them at once.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final
from uuid import uuid4

import dagster as dg
from pyspark.sql import DataFrame, SparkSession

from deputies_lake.assets import (
    STEP,
    Results,
    check_specs_of,
    key_of,
    markdown_table,
    publish,
    selected,
    spec_of,
    version_of,
    years_of,
)
from deputies_lake.checks.audit import Sums, auditor
from deputies_lake.contracts import Table
from deputies_lake.lakehouse.lake import Draft, Lake, MissingTableError, Published, Row, Staged, Years
from deputies_lake.partitions import reimbursement_years
from deputies_lake.quota_years import counted, current_year
from deputies_lake.raw import file_versions
from deputies_lake.reference import tables
from deputies_lake.resources.lake import LakeResource
from deputies_lake.resources.settings import SettingsResource
from deputies_lake.resources.spark import SparkResource
from deputies_lake.staging import stg_kaggle_refunds
from deputies_lake.star import (
    changes,
    dim_dates,
    dim_deputies,
    dim_document_types,
    dim_expense_categories,
    dim_parties,
    dim_states,
    dim_suppliers,
    fct_expense_changes,
    fct_expenses,
    ref_category_labels,
    ref_category_limits,
    ref_functional_suppliers,
    ref_known_gaps,
    ref_monthly_quotas,
    ref_party_events,
)
from deputies_lake.star.expenses import HOUSE, KAGGLE, SOURCE_CODES, chosen, conformed
from deputies_lake.star.literals import no_rows
from deputies_lake.star.mentions import payers
from deputies_lake.star.shipped import typed

_EXPENSES: Final = (HOUSE, KAGGLE)
_REFUNDS: Final = stg_kaggle_refunds.TABLE


@dataclass(frozen=True, kw_only=True)
class _Inputs:
    """What dimensions are made from. Three share `payers`: read once for all, the step takes a quarter less time."""

    expenses: DataFrame
    payers: DataFrame
    refunds: DataFrame


_DIMENSIONS: Final[Mapping[Table, tuple[Sequence[Table], Callable[[_Inputs], DataFrame]]]] = {
    dim_dates.TABLE: ([], lambda inputs: dim_dates.transform(inputs.expenses.sparkSession)),
    dim_deputies.TABLE: (_EXPENSES, lambda inputs: dim_deputies.transform(inputs.payers)),
    dim_parties.TABLE: ([*_EXPENSES, _REFUNDS], lambda inputs: dim_parties.transform(inputs.payers, inputs.refunds)),
    dim_states.TABLE: (_EXPENSES, lambda inputs: dim_states.transform(inputs.payers)),
    dim_suppliers.TABLE: (_EXPENSES, lambda inputs: dim_suppliers.transform(inputs.expenses)),
    dim_expense_categories.TABLE: (_EXPENSES, lambda inputs: dim_expense_categories.transform(inputs.expenses)),
    dim_document_types.TABLE: (_EXPENSES, lambda inputs: dim_document_types.transform(inputs.expenses)),
}

_REFERENCE_TABLES: Final[Mapping[Table, tuple[Sequence[Table], Callable[[Lake], Sequence[Mapping[str, str]]]]]] = {
    ref_monthly_quotas.TABLE: ([], lambda _: tables.rows("monthly_quotas")),
    ref_category_limits.TABLE: ([], lambda _: tables.rows("category_limits")),
    ref_category_labels.TABLE: ([], lambda _: tables.rows("expense_category_labels")),
    ref_party_events.TABLE: ([], lambda _: tables.rows("party_events")),
    ref_functional_suppliers.TABLE: ([], lambda _: tables.rows("functional_suppliers")),
    ref_known_gaps.TABLE: (
        [file_versions.TABLE],
        lambda lake: ref_known_gaps.gaps(ref_known_gaps.newest_file(lake.rows(file_versions.TABLE))),
    ),
}

_FACTS: Final = (fct_expenses.TABLE, fct_expense_changes.TABLE)
_STAR: Final = (*_DIMENSIONS, *_REFERENCE_TABLES, *_FACTS)


@dg.multi_asset(
    name="build_star",
    specs=[
        *(spec_of(table, upstream=upstream) for table, (upstream, _) in _DIMENSIONS.items()),
        *(
            spec_of(table, upstream=upstream, kinds=frozenset({"csv", "iceberg"}))
            for table, (upstream, _) in _REFERENCE_TABLES.items()
        ),
        spec_of(fct_expenses.TABLE, upstream=[*_EXPENSES, *_DIMENSIONS], partitions=reimbursement_years),
        spec_of(fct_expense_changes.TABLE, upstream=[fct_expenses.TABLE], partitions=reimbursement_years),
    ],
    check_specs=[
        *(check for table in _STAR for check in check_specs_of(table)),
        dg.AssetCheckSpec(
            name=changes.HISTORY,
            asset=key_of(fct_expense_changes.TABLE),
            description="Each version of a year was compared with the one before. One that was lost can't be.",
        ),
    ],
    can_subset=True,
    **STEP,
)
def build_star(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    pyspark: SparkResource,
    settings: SettingsResource,
    pyspark_step_launcher: dg.ResourceParam[Any],
) -> Results:
    """Build the selected dimensions from all staged years, the selected years of the fact, and the reference tables.

    The fact must add up to the staged years in rows and cents. What its published versions changed is noted after it,
    whichever of the two tables was selected.
    """
    opened, run_id = lake.open(), context.run.run_id
    wanted = [table for table in _STAR if selected(context, table)]
    years = years_of(context) if {*wanted}.intersection(_FACTS) else []

    def write() -> Sequence[Published]:
        shipped = {table: partial(_shipped, opened, table) for table in _REFERENCE_TABLES if table in wanted}
        versions, of_years = _versions(opened, wanted, shipped), _fact_versions(opened, years)
        new, new_years = versions, of_years
        if not settings.rebuild():
            new = {table: version for table, version in versions.items() if not opened.stands(table, version)}
            new_years = dict(of_years.items() - opened.intact_versions(fct_expenses.TABLE).items())
        same = [table for table in versions if table not in new]
        if same:
            context.log.info(f"made from the same as what is published: {', '.join(table.name for table in same)}")
        staged = [
            # Without Spark: written by it, these few rows would take a second more.
            *(
                opened.stage_rows(table, rows, run_id, version_of=version_of)
                for table, rows in shipped.items()
                if table in new
            ),
            *_compute(opened, pyspark.session, new, new_years, run_id, forgets=settings.rebuild()),
        ]
        published = [*opened.publish(staged, run_id), *(opened.verify(table) for table in same)]
        if years and not new_years:
            context.log.info(f"{counted(years)}: neither staged rows nor the code changed since; nothing to do")
            published.append(opened.verify(fct_expenses.TABLE, years, lambda: _staged_sums(opened, years)))
        if years:
            # After the fact, from what is published: a run that dies between the two loses nothing.
            published.append(changes.account(opened, years, run_id))
        return sorted(published, key=lambda one: _STAR.index(one.contract))

    def metadata(published: Published) -> Mapping[str, Any]:
        if published.contract != fct_expenses.TABLE:
            return {}
        return {"source of each year": dg.MarkdownMetadataValue(_source_of_each(opened, years))}

    yield from publish(context, _STAR, write, metadata)


def _shipped(lake: Lake, table: Table) -> Sequence[Row]:
    _, rows = _REFERENCE_TABLES[table]
    return typed(table, rows(lake))


def _versions(
    lake: Lake, tables: Sequence[Table], shipped: Mapping[Table, Callable[[], Sequence[Row]]]
) -> Mapping[Table, str]:
    """What each of the dimensions and reference tables is made from."""
    made_from = _staged_versions(lake)
    return {
        **{table: version_of(made_from, current_year()) for table in _DIMENSIONS if table in tables},
        **{table: version_of(rows()) for table, rows in shipped.items()},
    }


def _staged_versions(lake: Lake) -> Sequence[object]:
    """What names all that dimensions are made from; never the same twice where a year has no version."""
    refunds = lake.data_version(_REFUNDS) if lake.exists(_REFUNDS) else None
    versions = {source.name: lake.versions(source) for source in _EXPENSES}
    nameless = [year for source in _EXPENSES for year in lake.years(source) if year not in versions[source.name]]
    return [sorted(of_years.items()) for of_years in versions.values()] + [refunds, uuid4() if nameless else ""]


def _compute(
    lake: Lake,
    session: Callable[[], SparkSession],
    versions: Mapping[Table, str],
    of_years: Mapping[int, str],
    run_id: str,
    *,
    forgets: bool,
) -> Sequence[Staged]:
    """The dimensions among `versions` and the fact's years, staged."""
    dimensions = [table for table in _DIMENSIONS if table in versions]
    if not dimensions and not of_years:
        return []
    spark, years, kept = session(), sorted(of_years), ExitStack()

    @cache
    def inputs() -> _Inputs:
        expenses = _expenses(lake, spark)
        shared = payers(expenses).cache()
        kept.callback(shared.unpersist)
        return _Inputs(expenses=expenses, payers=shared, refunds=_refunds(lake, spark))

    def rows_of(table: Table) -> DataFrame:
        _, transform = _DIMENSIONS[table]
        return transform(inputs())

    drafts = [
        Draft(contract=table, rows=partial(rows_of, table), data_version=versions[table], forgets=forgets)
        for table in dimensions
    ]
    if years:
        fact = Draft(
            contract=fct_expenses.TABLE,
            rows=lambda: fct_expenses.transform(_expenses(lake, spark, years)),
            years=years,
            expected=lambda: _staged_sums(lake, years, staged),
            versions=of_years,
        )
        drafts.append(fact)
    with kept:
        staged = lake.stage(drafts, run_id)
    return staged


def _fact_versions(lake: Lake, years: Sequence[int]) -> Mapping[int, str]:
    """What the fact's rows of each year are made from; never the same twice where that is not known."""
    if not years:
        return {}
    source_of = {year: source for source, given in _choice(lake, years).items() for year in given}
    staged = {source: lake.versions(source) for source in _EXPENSES}
    return {
        year: version_of(source_of[year].name, staged[source_of[year]].get(year, uuid4()))
        if year in source_of
        else version_of("no rows")
        for year in years
    }


def _expenses(lake: Lake, spark: SparkSession, years: Years = None) -> DataFrame:
    """The staged rows, of `years` only where given, each year from its one source. Raises `MissingTableError`."""
    choice = _choice(lake, years)
    return conformed(spark, {source: lake.read(spark, source, of_source) for source, of_source in choice.items()})


def _choice(lake: Lake, years: Years = None) -> Mapping[Table, Sequence[int]]:
    if not any(lake.exists(source) for source in _EXPENSES):
        raise MissingTableError(KAGGLE)
    return chosen({source: lake.years(source) for source in _EXPENSES}, years)


def _refunds(lake: Lake, spark: SparkSession) -> DataFrame:
    """The staged refunds; none in a lake that has the House's files only."""
    if lake.exists(_REFUNDS):
        return lake.read(spark, _REFUNDS)
    return no_rows(spark, {column.name: column.type for column in _REFUNDS.columns})


def _staged_sums(lake: Lake, years: Sequence[int], beside: Sequence[Staged] = ()) -> Sums:
    """What the fact must add up to, by the categories that are published or were staged `beside` it."""
    categories = dim_expense_categories.TABLE
    new = {one.contract: one for one in beside}
    sources = [source for source in _EXPENSES if lake.exists(source)]
    with auditor() as connection:
        for source in sources:
            lake.view(connection, source, years)
        if categories in new:
            lake.view_staged(connection, new[categories])
        else:
            lake.view(connection, categories)
        rows = connection.sql(fct_expenses.staged_sums(sources)).fetchall()
    return Sums.of(rows, others=len(fct_expenses.TOTALS.also))


def _source_of_each(lake: Lake, years: Sequence[int]) -> str:
    source_of = {year: SOURCE_CODES[source] for source, given in _choice(lake, years).items() for year in given}
    return markdown_table([{"year": year, "source": source_of.get(year, "none")} for year in years])
