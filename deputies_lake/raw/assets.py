"""The raw assets: each archives its file byte for byte and publishes the lines as a table.

The same bytes again are no new version: the table stays, its data version stays, nothing downstream becomes stale.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from deputies_lake.assets import STEP, Results, check_specs_of, markdown_table, publish, spec_of
from deputies_lake.contracts import Table
from deputies_lake.raw import ingestion, kaggle_refunds, kaggle_reimbursements
from deputies_lake.raw.archive import Manifest
from deputies_lake.raw.published_csv import PublishedCsv
from deputies_lake.resources.files import FilesResource
from deputies_lake.resources.lake import Lake, LakeResource, Published
from deputies_lake.resources.spark import SparkResource


def _asset_of(source: PublishedCsv, contract: Table, *, optional: bool = False) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=contract.name,
        specs=[spec_of(contract, kinds=frozenset({"csv", "iceberg"}))],
        check_specs=check_specs_of(contract),
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


def _spark_follows(context: dg.AssetExecutionContext) -> bool:
    """Whether this run has more steps than those of raw, which need no Spark."""
    raw = {kaggle_reimbursements.TABLE.name, kaggle_refunds.TABLE.name}
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
    landed = zone.find(source) if optional else zone.require(source)
    if landed is None:
        context.log.warning(f"{source.file_names[0]} is not in {zone.location}; it is optional. {source.obtain}")
        if lake.exists(contract):
            return [lake.verify(contract)]
        return lake.publish([lake.nothing(contract)], context.run_id)
    sha256 = zone.sha256(landed)
    if lake.exists(contract) and lake.data_version(contract) == sha256:
        context.log.info(f"{landed.path} has the bytes that are published already; nothing to do")
        return [lake.verify(contract)]
    _, staged = ingestion.stage_file(
        lake,
        zone,
        files.open_archive(),
        source,
        contract,
        landed,
        sha256=sha256,
        run_id=context.run_id,
        report=context.log.info,
    )
    return lake.publish([staged], context.run_id)


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
