"""The staging assets: each source's typed rows, and the rows of all sources that could not be read.

One step reads each source once for both of its tables; each table stays an asset of its own, and selecting one
computes only that one. What raw holds must all be here, in one table or the other: `adds_up` compares them.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from types import ModuleType
from typing import Any, Final

import dagster as dg
from pyspark.sql import DataFrame, SparkSession

from deputies_lake.assets import STEP, Results, check_specs_of, publish, selected, spec_of, version_of, years_of
from deputies_lake.checks.audit import Sums
from deputies_lake.contracts import Table
from deputies_lake.lakehouse.lake import Draft, Lake, MissingTableError, OutdatedTableError, Published, Staged, Years
from deputies_lake.partitions import reimbursement_years
from deputies_lake.quota_years import counted
from deputies_lake.raw import chamber_expenses, file_versions, ingestion, kaggle_refunds, kaggle_reimbursements
from deputies_lake.raw.archive import Archive
from deputies_lake.resources.files import FilesResource
from deputies_lake.resources.lake import LakeResource
from deputies_lake.resources.settings import SettingsResource
from deputies_lake.resources.spark import SparkResource
from deputies_lake.staging import rejected_rows, stg_chamber_expenses, stg_kaggle_refunds, stg_kaggle_reimbursements
from deputies_lake.staging.judged import Judged

_EXPENSES: Final = {
    kaggle_reimbursements.TABLE: stg_kaggle_reimbursements.TABLE,
    chamber_expenses.TABLE: stg_chamber_expenses.TABLE,
}
_ONE_FILE: Final = (kaggle_reimbursements.TABLE, kaggle_refunds.TABLE)
_RAW: Final = (*_EXPENSES, kaggle_refunds.TABLE)
_TABLE_OF: Final = {**_EXPENSES, kaggle_refunds.TABLE: stg_kaggle_refunds.TABLE}
_STAGED: Final = (*_EXPENSES.values(), rejected_rows.TABLE)

# A year without a file of the House is never materialized in raw.chamber_expenses, and a backfill would wait for it
# for good. What is waited for is raw.file_versions, which is made in the same step for every year that was looked at.
_WAITED_FOR: Final = {chamber_expenses.TABLE: dg.SpecificPartitionsPartitionMapping([])}


@dg.multi_asset(
    name="stage_expenses",
    specs=[
        spec_of(
            stg_kaggle_reimbursements.TABLE, upstream=[kaggle_reimbursements.TABLE], partitions=reimbursement_years
        ),
        spec_of(
            stg_chamber_expenses.TABLE,
            upstream=[chamber_expenses.TABLE, file_versions.TABLE],
            mappings=_WAITED_FOR,
            partitions=reimbursement_years,
        ),
        spec_of(
            rejected_rows.TABLE,
            upstream=[*_RAW, file_versions.TABLE],
            mappings=_WAITED_FOR,
            partitions=reimbursement_years,
        ),
    ],
    check_specs=[check for table in _STAGED for check in check_specs_of(table)],
    can_subset=True,
    **STEP,
)
def stage_expenses(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    files: FilesResource,
    pyspark: SparkResource,
    settings: SettingsResource,
    pyspark_step_launcher: dg.ResourceParam[Any],
) -> Results:
    """Type the selected years of the House's and of Kaggle's rows; keep what can't be read."""
    opened, years = lake.open(), years_of(context)

    def write() -> Sequence[Published]:
        if not any(opened.exists(raw) for raw in _EXPENSES):
            raise MissingTableError(chamber_expenses.TABLE)
        wanted = [table for table in _STAGED if selected(context, table)]
        versions = {table: _versions(opened, table, years, settings) for table in wanted}
        changed = _changed(opened, versions, settings)
        if not changed:
            context.log.info(f"{counted(years)}: neither their rows nor the code changed since; nothing to do")
            expected = _expected(opened, files.open_archive(), years)
            return [opened.verify(table, years, expected[table]) for table in wanted]
        sources = _Sources(lake=opened, archive=files.open_archive(), session=pyspark.session, years=changed)
        cpf_key = settings.cpf_key()
        reimbursements = sources.of_one_file(kaggle_reimbursements, stg_kaggle_reimbursements)
        house = sources.of_the_house()
        staged = [
            _stage(opened, staging, judged, cpf_key, changed, context.run.run_id)
            for staging, judged in ((stg_kaggle_reimbursements, reimbursements), (stg_chamber_expenses, house))
            if staging.TABLE in wanted
        ]
        if rejected_rows.TABLE in wanted:
            judged = [reimbursements, house, sources.of_one_file(kaggle_refunds, stg_kaggle_refunds)]
            staged.append(_stage_rejected(opened, judged, changed, context.run.run_id))
        named = [replace(one, versions={y: versions[one.contract][y] for y in changed}) for one in staged]
        return opened.publish(named, context.run.run_id)

    yield from publish(context, _STAGED, write)


@dg.multi_asset(
    name="stage_refunds",
    specs=[spec_of(stg_kaggle_refunds.TABLE, upstream=[kaggle_refunds.TABLE])],
    check_specs=check_specs_of(stg_kaggle_refunds.TABLE),
    can_subset=True,
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
        if not opened.exists(kaggle_refunds.TABLE):
            raise MissingTableError(kaggle_refunds.TABLE)
        version = version_of(opened.data_version(kaggle_refunds.TABLE), _digest(settings.cpf_key()))
        table = stg_kaggle_refunds.TABLE
        if opened.stands(table, version) and not settings.rebuild():
            context.log.info("neither the refunds nor the code changed since; nothing to do")
            expected = _expected(opened, files.open_archive(), [kaggle_refunds.REFUNDS_YEAR])
            return [opened.verify(table, expected=expected[table])]
        sources = _Sources(lake=opened, archive=files.open_archive(), session=pyspark.session)
        refunds = sources.of_one_file(kaggle_refunds, stg_kaggle_refunds)
        staged = _stage(opened, stg_kaggle_refunds, refunds, settings.cpf_key(), None, context.run.run_id)
        return opened.publish([replace(staged, data_version=version)], context.run.run_id)

    yield from publish(context, [stg_kaggle_refunds.TABLE], write)


def _versions(lake: Lake, table: Table, years: Sequence[int], settings: SettingsResource) -> Mapping[int, str]:
    """What a staged table's rows of each year are made from: the files' versions, the code, the secret."""
    house = lake.versions(chamber_expenses.TABLE)
    one_file = {raw: lake.data_version(raw) if lake.exists(raw) else None for raw in _ONE_FILE}
    files = {
        stg_kaggle_reimbursements.TABLE: [one_file[kaggle_reimbursements.TABLE]],
        stg_chamber_expenses.TABLE: [],
        rejected_rows.TABLE: [*one_file.values()],
    }[table]
    reads_house = table != stg_kaggle_reimbursements.TABLE
    secret = _digest(settings.cpf_key())
    return {year: version_of(*files, house.get(year) if reads_house else None, secret) for year in years}


def _changed(lake: Lake, versions: Mapping[Table, Mapping[int, str]], settings: SettingsResource) -> list[int]:
    """The years of which a table is not made from this."""
    standing = {table: {} if settings.rebuild() else lake.intact_versions(table) for table in versions}
    return sorted(
        {
            year
            for table, of_years in versions.items()
            for year, version in of_years.items()
            if standing[table].get(year) != version
        }
    )


def _expected(lake: Lake, archive: Archive, years: Sequence[int]) -> Mapping[Table, Callable[[], Sums]]:
    """What each staged table must add up to, from the files' manifests and what the other tables hold."""

    def published(raw: Table) -> Sums:
        if raw == chamber_expenses.TABLE:
            manifests = ingestion.published_years(lake, archive, chamber_expenses.CSV, raw, years).values()
            return sum((manifest.sums() for manifest in manifests), Sums.none())
        if not lake.years(raw):
            return Sums.none()
        source = kaggle_refunds.CSV if raw == kaggle_refunds.TABLE else kaggle_reimbursements.CSV
        return ingestion.published_version(lake, archive, source, raw).sums(years)

    def readable(raw: Table) -> Sums:
        return published(raw) - lake.sums(rejected_rows.TABLE, years, f"source_code = '{raw.name}'")

    def rejected() -> Sums:
        # Refunds have no partitions, so only the condition keeps rows of other years out.
        of_years = f"year IN ({', '.join(map(str, years))})"
        left = (
            published(raw) - lake.sums(table, years if table.partitioned else None, of_years)
            for raw, table in _TABLE_OF.items()
        )
        return sum(left, Sums.none())

    return {**{table: partial(readable, raw) for raw, table in _TABLE_OF.items()}, rejected_rows.TABLE: rejected}


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class _Sources:
    """The judged rows of each source, of `years` only where given; None, and no work for Spark, where it has none."""

    lake: Lake
    archive: Archive
    session: Callable[[], SparkSession]
    years: Years = None

    def of_one_file(self, raw: ModuleType, staging: ModuleType) -> Judged | None:
        years = self.lake.years(raw.TABLE)
        if not (years if self.years is None else {*self.years}.intersection(years)):
            return None
        manifest = ingestion.published_version(self.lake, self.archive, raw.CSV, raw.TABLE)
        return Judged.of_one_file(staging.judge(self._rows(raw.TABLE)), raw.CSV, manifest, self.years)

    def of_the_house(self) -> Judged | None:
        source, contract = chamber_expenses.CSV, chamber_expenses.TABLE
        manifests = ingestion.published_years(self.lake, self.archive, source, contract, self.years)
        if not manifests:
            return None
        rows = stg_chamber_expenses.judge(self._rows(contract))
        return Judged.of_yearly_files(rows, source, manifests, stg_chamber_expenses.PERSONAL)

    def _rows(self, contract: Table) -> DataFrame:
        if self.lake.lacks_columns(contract, self.years):
            raise OutdatedTableError(contract)
        return self.lake.read(self.session(), contract, self.years)


def _stage(lake: Lake, staging: ModuleType, judged: Judged | None, cpf_key: str, years: Years, run_id: str) -> Staged:
    """A source's readable rows, typed."""
    if judged is None:
        return replace(lake.nothing(staging.TABLE), years=years)
    draft = Draft(
        contract=staging.TABLE,
        rows=lambda: staging.transform(judged.readable(), cpf_key=cpf_key),
        years=years,
        expected=judged.sums,
    )
    [staged] = lake.stage([draft], run_id)
    judged.staged(staged.row_count)
    return staged


def _stage_rejected(lake: Lake, judged: Sequence[Judged | None], years: Years, run_id: str) -> Staged:
    """The rows of all sources that can't be read."""
    sources = [source for source in judged if source]
    rejected = [source.rejected() for source in sources]
    if not rejected:
        return replace(lake.nothing(rejected_rows.TABLE), years=years)
    expected = sum((source.rejected_sums for source in sources), Sums.none())
    draft = Draft(
        contract=rejected_rows.TABLE,
        rows=lambda: reduce(lambda one, other: one.unionByName(other), rejected),
        years=years,
        expected=lambda: expected,
    )
    [staged] = lake.stage([draft], run_id)
    return staged
