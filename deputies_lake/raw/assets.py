"""The raw assets: each archives its file byte for byte and publishes the lines as a table.

The same bytes again are no new version: the table stays, its data version stays, nothing downstream becomes stale.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dagster as dg

from deputies_lake.assets import STEP, Results, check_specs_of, key_of, markdown_table, publish, spec_of, years_of
from deputies_lake.checks.audit import Finding
from deputies_lake.contracts import Table
from deputies_lake.environments import CHAMBER_URL, HOME
from deputies_lake.lakehouse.lake import Lake, Published
from deputies_lake.partitions import reimbursement_years
from deputies_lake.quota_years import counted
from deputies_lake.raw import (
    chamber_expenses,
    file_versions,
    ingestion,
    intake,
    kaggle_refunds,
    kaggle_reimbursements,
    origin,
)
from deputies_lake.raw.archive import LandedFile, LandingZone, Manifest
from deputies_lake.raw.fetching import fetch_years
from deputies_lake.raw.file_dates import made_at
from deputies_lake.raw.published_csv import PublishedCsv, RawFileError
from deputies_lake.raw.single_file import SingleFile
from deputies_lake.raw.unused_files import UnusedFile, unused_files
from deputies_lake.resources.files import FilesResource
from deputies_lake.resources.lake import LakeResource
from deputies_lake.resources.spark import SparkResource

AS_IT_LIES: Final[Mapping[str, str]] = {"deputies_lake/fetch": "nothing"}
"""The tag of a run that takes what is in the landing zone: a file put there by hand is not replaced by the House's."""

MARK: Final = "mark"
"""Of a landed file, in the observation that a run makes of it before anything can be wrong with it.

By it whoever may list the landing zone, but not read in it, knows which version of a file a run has seen.
"""

FILES_WERE_FETCHED: Final = "files_were_fetched"
FILES_ARE_USED: Final = "files_are_used"
_KINDS: Final = frozenset({"csv", "iceberg"})
_NO_FILE: Final = "none"


def _lines_are_readable(contract: Table) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name=intake.LINES_ARE_READABLE,
        asset=key_of(contract),
        description="Every line of the published files is a receipt whose fields, amounts and payer can be read.",
    )


def _asset_of(source: PublishedCsv, contract: Table, *, optional: bool = False) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=contract.name,
        specs=[spec_of(contract, kinds=_KINDS)],
        check_specs=[*check_specs_of(contract), _lines_are_readable(contract)],
        **STEP,
    )
    def ingest(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        files: FilesResource,
        pyspark: SparkResource,
        pyspark_step_launcher: dg.ResourceParam[Any],
    ) -> Results:
        opened = lake.open()
        if _spark_follows(context):
            pyspark.start_meanwhile()

        def metadata(published: Published) -> Mapping[str, Any]:
            if not published.data_version:
                return {"file": "none in the landing zone"}
            return _metadata_of(ingestion.published_version(opened, files.open_archive(), source, contract))

        yield from publish(
            context, [contract], lambda: _write(context, opened, files, source, contract, optional=optional), metadata
        )

    return ingest


@dg.multi_asset(
    name="take_in_chamber_expenses",
    specs=[
        spec_of(chamber_expenses.TABLE, partitions=reimbursement_years, kinds=_KINDS, skippable=True),
        spec_of(file_versions.TABLE, partitions=reimbursement_years, kinds=_KINDS, skippable=True),
    ],
    check_specs=[
        *check_specs_of(chamber_expenses.TABLE),
        *check_specs_of(file_versions.TABLE),
        dg.AssetCheckSpec(
            name=FILES_WERE_FETCHED,
            asset=key_of(chamber_expenses.TABLE),
            description="Each selected year's file could be asked for at the House, where files are fetched.",
        ),
        dg.AssetCheckSpec(
            name=FILES_ARE_USED,
            asset=key_of(chamber_expenses.TABLE),
            description="Every file of the landing zone is taken by a source. One that is not is named, with what to "
            "do.",
        ),
        dg.AssetCheckSpec(
            name=intake.FILES_ARE_READABLE,
            asset=key_of(chamber_expenses.TABLE),
            description="Each selected year's file can be read. One that can't is not published.",
        ),
        dg.AssetCheckSpec(
            name=intake.NOTHING_VANISHED,
            asset=key_of(chamber_expenses.TABLE),
            description="No year's new file lacks much of what the published one has, or of its own lines. One that "
            "does is not published.",
        ),
        _lines_are_readable(chamber_expenses.TABLE),
    ],
    can_subset=True,
    **STEP,
)
def take_in_chamber_expenses(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    files: FilesResource,
    pyspark: SparkResource,
    pyspark_step_launcher: dg.ResourceParam[Any],
) -> Results:
    """Fetch the selected years of the House's files and publish them, as far as they are new and believed.

    A year is materialized where readers have its file: not one without a file, nor one whose new file was refused. Of
    raw.file_versions it is wherever a file was looked for. Where there are files and all were refused, what follows is
    skipped.
    """
    opened, years = lake.open(), years_of(context)
    if _spark_follows(context):
        pyspark.start_meanwhile()
    house = intake.Intake(
        lake=opened,
        zone=files.landing_zone(),
        archive=files.open_archive(),
        source=chamber_expenses.CSV,
        contract=chamber_expenses.TABLE,
    )
    outcomes: dict[str, Sequence[int]] = {}

    def write() -> Sequence[Published]:
        fetched = _fetch(opened, files, years, context)
        zone = files.landing_zone()
        for year in years:
            _observe(context, chamber_expenses.TABLE, zone.find(chamber_expenses.CSV.of_year(year)), year)
        unused = unused_files(zone.files(), lambda file: made_at(zone, file, chamber_expenses.CSV, zone.sha256(file)))
        for file in unused:
            context.log.warning(f"left alone: {file}")
        findings = [fetched, _none_is_left(unused)]
        taken = house.take_in(years, run_id=context.run.run_id, report=context.log.info, findings=findings)
        outcomes.update({"new": taken.new, "refused": [*taken.refused], "no file": taken.absent})
        if taken.absent:
            context.log.info(f"{zone.location} has no file of {', '.join(map(str, taken.absent))}")
        return taken.published

    def metadata(published: Published) -> Mapping[str, Any]:
        if published.contract != chamber_expenses.TABLE:
            return {}
        return {outcome: ", ".join(map(str, of_years)) for outcome, of_years in outcomes.items() if of_years}

    def versions(published: Published) -> Mapping[int, str]:
        standing = opened.versions(chamber_expenses.TABLE)
        if published.contract == file_versions.TABLE:
            return {year: standing.get(year, _NO_FILE) for year in years}
        left_out = {*outcomes["refused"], *published.left_out}
        return {year: standing[year] for year in years if year in standing and year not in left_out}

    yield from publish(
        context,
        [chamber_expenses.TABLE, file_versions.TABLE],
        write,
        metadata,
        versions=versions,
        skips_on=intake.NoneTakenInError,
    )


def _spark_follows(context: dg.AssetExecutionContext) -> bool:
    """Whether this run has more steps than those of raw, which need no Spark."""
    raw = {kaggle_reimbursements.TABLE.name, kaggle_refunds.TABLE.name, "take_in_chamber_expenses"}
    return not raw.issuperset(node.name for node in context.job_def.nodes)


def _write(
    context: dg.AssetExecutionContext,
    lake: Lake,
    files: FilesResource,
    source: PublishedCsv,
    contract: Table,
    *,
    optional: bool,
) -> Sequence[Published]:
    zone = files.landing_zone()
    landed = zone.find(source)
    _observe(context, contract, landed)
    if landed is None:
        if not optional and not _house_is_there(files, zone):
            _require(source, zone)
        context.log.warning(f"{source.file_names[0]} is not in {zone.location}; it is optional. {source.obtain}")
    file = SingleFile(lake=lake, zone=zone, archive=files.open_archive(), source=source, contract=contract)
    return [file.take_in(landed, run_id=context.run.run_id, report=context.log.info)]


def _observe(
    context: dg.AssetExecutionContext, contract: Table, landed: LandedFile | None, year: int | None = None
) -> None:
    if landed:
        figures: dict[str, Any] = {
            "file": landed.name,
            "bytes": landed.size,
            "landed": landed.modified,
            MARK: landed.mark,
        }
        partition = str(year) if year else None
        context.log_event(dg.AssetObservation(key_of(contract), partition=partition, metadata=figures))


def _fetch(lake: Lake, files: FilesResource, years: Sequence[int], context: dg.AssetExecutionContext) -> Finding:
    """Bring the landing zone up to date. Years that fail keep the file they have; `dg.Failure` if all do."""
    as_it_lies = AS_IT_LIES.items() <= context.run.tags.items()
    if files.chamber_url and not as_it_lies and origin.is_invented_lake(lake):
        raise dg.Failure(
            description="this lake is of invented data: the House's files are not fetched into it. Give them a home of "
            f"their own, {HOME}=another folder, or take what lies in the landing zone: {CHAMBER_URL}=none",
            allow_retries=False,
        )
    if files.chamber_url is None or as_it_lies:
        summary = "the run is about files that landed" if as_it_lies else f"files come into {files.landing} by hand"
        return Finding(check=FILES_WERE_FETCHED, passed=True, blocking=False, summary=summary)
    fetched = fetch_years(files.landing_zone(), files.chamber_url, years, report=context.log.info)
    errors = {str(year): str(one.error) for year, one in fetched.items() if one.error}
    if len(errors) == len(years):
        # It was tried long enough.
        raise dg.Failure(description=next(iter(errors.values())), metadata=errors, allow_retries=False)
    summary = f"{', '.join(errors)} could not be fetched" if errors else f"{counted(years)} asked for"
    return Finding(check=FILES_WERE_FETCHED, passed=not errors, blocking=True, summary=summary, figures=errors)


def _none_is_left(unused: Sequence[UnusedFile]) -> Finding:
    listed = "; ".join(map(str, unused))
    summary = f"left alone: {listed}" if unused else "every file of the landing zone is taken"
    figures = {file.name: file.why for file in unused}
    return Finding(check=FILES_ARE_USED, passed=not unused, blocking=False, summary=summary, figures=figures)


def _require(source: PublishedCsv, zone: LandingZone) -> None:
    """Raises `RawFileError` for the source's file that is missing; for those that were meant to be there, if any."""
    meant = [file for file in unused_files(zone.files()) if file.is_meant]
    if meant:
        problem = f"the landing zone has no file that can be taken: {'; '.join(map(str, meant))}"
        raise RawFileError(zone.location, problem, "Then run again.")
    zone.require(source)


def _house_is_there(files: FilesResource, zone: LandingZone) -> bool:
    """Whether the House's files are fetched, or one of them has landed: a lake needs one of the two sources."""
    years = reimbursement_years.get_partition_keys()
    return files.chamber_url is not None or any(zone.find(chamber_expenses.CSV.of_year(int(year))) for year in years)


def _metadata_of(manifest: Manifest) -> Mapping[str, Any]:
    by_year = [(year, manifest.sums([year])) for year in manifest.years()]
    totals = [{"year": year, "rows": f"{sums.row_count:,}", "BRL": f"{sums.amount:,.2f}"} for year, sums in by_year]
    return {
        "file": manifest.file_name,
        "sha256": manifest.sha256,
        "bytes": manifest.size,
        "modified": manifest.modified,
        "header": ", ".join(manifest.header),
        "unreadable lines": manifest.unreadable,
        "control totals": dg.MarkdownMetadataValue(markdown_table(totals)),
    }


kaggle_reimbursements_asset = _asset_of(kaggle_reimbursements.CSV, kaggle_reimbursements.TABLE)
kaggle_refunds_asset = _asset_of(kaggle_refunds.CSV, kaggle_refunds.TABLE, optional=True)
