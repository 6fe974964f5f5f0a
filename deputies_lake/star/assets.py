"""The star's assets: six dimensions in one step, then the fact, year by year.

Dimensions are built from all staged years and published before the fact, so that every key it holds has its member.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import dagster as dg
from pyspark.sql import DataFrame

from deputies_lake.assets import (
    BACKFILL_POLICY,
    Results,
    check_specs_of,
    publish,
    selected,
    spec_of,
    years_of,
)
from deputies_lake.contracts import Table
from deputies_lake.partitions import reimbursement_years
from deputies_lake.resources.lake import Draft, LakeResource, Published
from deputies_lake.resources.spark import SparkResource
from deputies_lake.staging import stg_kaggle_refunds, stg_kaggle_reimbursements
from deputies_lake.star import (
    dim_dates,
    dim_deputies,
    dim_expense_categories,
    dim_parties,
    dim_states,
    dim_suppliers,
    fct_expenses,
)

_EXPENSES: Final = stg_kaggle_reimbursements.TABLE
_REFUNDS: Final = stg_kaggle_refunds.TABLE

_DIMENSIONS: Final[Mapping[Table, tuple[Sequence[Table], Callable[[DataFrame, DataFrame], DataFrame]]]] = {
    dim_dates.TABLE: ([], lambda expenses, _: dim_dates.transform(expenses.sparkSession)),
    dim_deputies.TABLE: ([_EXPENSES], lambda expenses, _: dim_deputies.transform(expenses)),
    dim_parties.TABLE: ([_EXPENSES, _REFUNDS], dim_parties.transform),
    dim_states.TABLE: ([_EXPENSES], lambda expenses, _: dim_states.transform(expenses)),
    dim_suppliers.TABLE: ([_EXPENSES], lambda expenses, _: dim_suppliers.transform(expenses)),
    dim_expense_categories.TABLE: ([_EXPENSES], lambda expenses, _: dim_expense_categories.transform(expenses)),
}


@dg.multi_asset(
    name="build_dimensions",
    specs=[spec_of(table, upstream=upstream) for table, (upstream, _) in _DIMENSIONS.items()],
    check_specs=[check for table in _DIMENSIONS for check in check_specs_of(table)],
    can_subset=True,
    backfill_policy=BACKFILL_POLICY,
)
def build_dimensions(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    pyspark: SparkResource,
    pyspark_step_launcher: dg.ResourceParam[Any],
) -> Results:
    """Build the selected dimensions from all staged years."""
    opened = lake.open()

    def write() -> Sequence[Published]:
        spark = pyspark.session()

        def rows_of(table: Table) -> DataFrame:
            _, transform = _DIMENSIONS[table]
            return transform(opened.read(spark, _EXPENSES), opened.read(spark, _REFUNDS))

        drafts = [
            Draft(contract=table, rows=partial(rows_of, table)) for table in _DIMENSIONS if selected(context, table)
        ]
        return opened.write(drafts, context.run_id)

    yield from publish(context, list(_DIMENSIONS), write)


@dg.multi_asset(
    name="build_fact",
    specs=[spec_of(fct_expenses.TABLE, upstream=[_EXPENSES, *_DIMENSIONS], partitions=reimbursement_years)],
    check_specs=check_specs_of(fct_expenses.TABLE),
    backfill_policy=BACKFILL_POLICY,
)
def build_fact(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    pyspark: SparkResource,
    pyspark_step_launcher: dg.ResourceParam[Any],
) -> Results:
    """Build the selected years of the fact, which must add up to the staged years in rows and cents."""
    opened, years = lake.open(), years_of(context)

    def write() -> Sequence[Published]:
        spark = pyspark.session()
        draft = Draft(
            contract=fct_expenses.TABLE,
            rows=lambda: fct_expenses.transform(
                opened.read(spark, _EXPENSES, years), source_code="kaggle_reimbursements"
            ),
            years=years,
            expected=lambda: opened.sums(
                fct_expenses.STAGED_SUMS, {_EXPENSES: years, dim_expense_categories.TABLE: None}
            ),
        )
        return opened.write([draft], context.run_id)

    yield from publish(context, [fct_expenses.TABLE], write)
