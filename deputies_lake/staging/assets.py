"""The staging assets: a source's typed rows, and the rows of all sources that could not be read.

One step reads a source once for both of its tables; each stays an asset of its own, and selecting one computes only
that one. What raw holds must all be here, in one table or the other: `adds_up` compares them.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import dagster as dg
from pyspark.sql import SparkSession

from deputies_lake.assets import STEP, Results, check_specs_of, publish, selected, spec_of, years_of
from deputies_lake.partitions import reimbursement_years
from deputies_lake.raw import ingestion, kaggle_refunds, kaggle_reimbursements
from deputies_lake.resources.files import FilesResource
from deputies_lake.resources.lake import Draft, Lake, LakeResource, Published, Staged
from deputies_lake.resources.settings import SettingsResource
from deputies_lake.resources.spark import SparkResource
from deputies_lake.staging import rejected_rows, stg_kaggle_refunds, stg_kaggle_reimbursements
from deputies_lake.staging.judged import Judged


@dg.multi_asset(
    name="stage_reimbursements",
    specs=[
        spec_of(
            stg_kaggle_reimbursements.TABLE, upstream=[kaggle_reimbursements.TABLE], partitions=reimbursement_years
        ),
        spec_of(
            rejected_rows.TABLE,
            upstream=[kaggle_reimbursements.TABLE, kaggle_refunds.TABLE],
            partitions=reimbursement_years,
        ),
    ],
    check_specs=[*check_specs_of(stg_kaggle_reimbursements.TABLE), *check_specs_of(rejected_rows.TABLE)],
    can_subset=True,
    **STEP,
)
def stage_reimbursements(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    files: FilesResource,
    pyspark: SparkResource,
    settings: SettingsResource,
    pyspark_step_launcher: dg.ResourceParam[Any],
) -> Results:
    """Type and repair the selected years of Kaggle's reimbursements; keep what can't be read."""
    opened, years = lake.open(), years_of(context)

    def write() -> Sequence[Published]:
        spark = pyspark.session()
        reimbursements = _judged(spark, opened, files, kaggle_reimbursements, stg_kaggle_reimbursements, years)
        staged: list[Staged] = []
        if selected(context, stg_kaggle_reimbursements.TABLE):
            draft = Draft(
                contract=stg_kaggle_reimbursements.TABLE,
                rows=lambda: stg_kaggle_reimbursements.transform(
                    reimbursements.readable(), source_file=reimbursements.file_name, cpf_key=settings.cpf_key()
                ),
                years=years,
                expected=reimbursements.sums,
            )
            staged.append(opened.stage(draft, context.run_id))
            reimbursements.staged(staged[-1].row_count)
        if selected(context, rejected_rows.TABLE):
            rejected, expected = reimbursements.rejected(), reimbursements.rejected_sums
            # A file that is absent, as the refunds' may be, has no rows to reject.
            if kaggle_refunds.REFUNDS_YEAR in years and opened.data_version(kaggle_refunds.TABLE):
                refunds = _judged(spark, opened, files, kaggle_refunds, stg_kaggle_refunds)
                rejected, expected = rejected.unionByName(refunds.rejected()), expected + refunds.rejected_sums
            draft = Draft(contract=rejected_rows.TABLE, rows=lambda: rejected, years=years, expected=lambda: expected)
            staged.append(opened.stage(draft, context.run_id))
        return opened.publish(staged, context.run_id)

    yield from publish(context, [stg_kaggle_reimbursements.TABLE, rejected_rows.TABLE], write)


@dg.multi_asset(
    name="stage_refunds",
    specs=[spec_of(stg_kaggle_refunds.TABLE, upstream=[kaggle_refunds.TABLE])],
    check_specs=check_specs_of(stg_kaggle_refunds.TABLE),
    **STEP,
)
def stage_refunds(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    files: FilesResource,
    pyspark: SparkResource,
    settings: SettingsResource,
    pyspark_step_launcher: dg.ResourceParam[Any],
) -> Results:
    """Type and repair Kaggle's refunds of 2016; without their file, publish an empty table."""
    opened = lake.open()

    def write() -> Sequence[Published]:
        if not opened.data_version(kaggle_refunds.TABLE):
            return opened.publish([opened.nothing(stg_kaggle_refunds.TABLE)], context.run_id)
        refunds = _judged(pyspark.session(), opened, files, kaggle_refunds, stg_kaggle_refunds)
        draft = Draft(
            contract=stg_kaggle_refunds.TABLE,
            rows=lambda: stg_kaggle_refunds.transform(
                refunds.readable(), source_file=refunds.file_name, cpf_key=settings.cpf_key()
            ),
            expected=refunds.sums,
        )
        staged = opened.stage(draft, context.run_id)
        refunds.staged(staged.row_count)
        return opened.publish([staged], context.run_id)

    yield from publish(context, [stg_kaggle_refunds.TABLE], write)


def _judged(
    spark: SparkSession,
    lake: Lake,
    files: FilesResource,
    raw: ModuleType,
    staging: ModuleType,
    years: Sequence[int] | None = None,
) -> Judged:
    manifest = ingestion.published_version(lake, files.open_archive(), raw.CSV, raw.TABLE)
    return Judged(staging.judge(lake.read(spark, raw.TABLE, years)), raw.CSV, manifest, years)
