"""How a contract becomes a Dagster asset, and a publication its results: what the layers' `assets.py` share.

The assets themselves are in `raw/assets.py`, `staging/assets.py` and `star/assets.py`. Nothing here knows a table.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import dagster as dg

from deputies_lake.causes import told
from deputies_lake.checks.audit import AuditFailedError, Finding
from deputies_lake.checks.predicates import checks_of
from deputies_lake.contracts import Table
from deputies_lake.emr.artifact import code_id
from deputies_lake.lakehouse.engine import PanicError
from deputies_lake.lakehouse.iceberg import ConcurrentCommitError
from deputies_lake.lakehouse.lake import Published
from deputies_lake.redaction import redacted_text

OWNER: Final = "team:data-platform"

# How every step runs, for `dg.multi_asset`.
STEP: Final[Mapping[str, Any]] = {
    # One run for a range of years: one Spark application instead of one for each year. Tables without years carry it
    # too, or `dagster asset materialize --partition-range` would refuse a selection that has both.
    "backfill_policy": dg.BackfillPolicy.single_run(),
    # For what a second try can mend: a driver out of memory, a machine lost, S3 out of sorts for a minute.
    "retry_policy": dg.RetryPolicy(max_retries=2, delay=10, backoff=dg.Backoff.EXPONENTIAL),
    # A deployment limits how many steps are on its clusters at once (`infrastructure/dagster.yaml`).
    "pool": "emr",
}

# How often to try again, and after how many seconds.
_RETRIES: Final[Mapping[type[Exception], tuple[int, int]]] = {
    # Runs of different years replace the same dimensions. One that was overtaken computes again from what there is now.
    ConcurrentCommitError: (5, 3),
    # What panics twice would a third time.
    PanicError: (1, 0),
}

# Dagster's own tags of a materialization.
_DATA_VERSION: Final = "dagster/data_version"
_IS_OUR_DATA_VERSION: Final = "dagster/data_version_is_user_provided"

_NO_YEAR_OF_THE_RUN: Final[Mapping[str, Any]] = {"__source_asset_observation__": True}
"""Marks a result for which Dagster is to materialize no partition, or it would all that the run is about.

Its own mark of assets that tell their partitions themselves (`SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION`). What
follows in the run needs the result: without one it is skipped.
"""

Results = Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]


def key_of(contract: Table) -> dg.AssetKey:
    return dg.AssetKey([contract.layer, contract.name])


def spec_of(
    contract: Table,
    *,
    upstream: Sequence[Table] = (),
    mappings: Mapping[Table, dg.PartitionMapping] | None = None,
    partitions: dg.PartitionsDefinition[str] | None = None,
    kinds: frozenset[str] = frozenset({"pyspark", "iceberg"}),
    skippable: bool = False,
) -> dg.AssetSpec:
    """The asset of a table: all that is known of it before the first run.

    `mappings` are of those upstream of which not the same year is needed; Dagster's own where not given. What comes
    after a `skippable` one is skipped in runs in which nothing of it was published.
    """
    mapped = mappings or {}
    return dg.AssetSpec(
        key=key_of(contract),
        deps=[dg.AssetDep(key_of(table), partition_mapping=mapped.get(table)) for table in upstream],
        skippable=skippable,
        description=f"{contract.en}\n\n{contract.pt}\n\n**Grain:** {contract.grain}.",
        group_name=contract.layer,
        owners=[OWNER],
        kinds=set(kinds),
        tags={"layer": contract.layer},
        partitions_def=partitions,
        metadata={
            "dagster/table_name": contract.identifier,
            "dagster/column_schema": _column_schema(contract),
            "dagster/column_lineage": _column_lineage(contract, upstream),
            "key": ", ".join(contract.key),
        },
    )


def check_specs_of(contract: Table) -> list[dg.AssetCheckSpec]:
    """What stops a table as a whole stops what is built on it. Of a table by years it stops a year: others go on."""
    return [
        dg.AssetCheckSpec(
            name=check.name,
            asset=key_of(contract),
            description=check.description,
            blocking=check.blocking and not contract.partitioned,
        )
        for check in checks_of(contract)
    ]


def selected(context: dg.AssetExecutionContext, contract: Table) -> bool:
    return key_of(contract) in context.selected_asset_keys


def years_of(context: dg.AssetExecutionContext) -> list[int]:
    return [int(key) for key in context.partition_keys]


def version_of(*made_from: object) -> str:
    """Names what rows are made from: equal for equal inputs and equal code, and in no other case."""
    parts = [code_id(), *map(str, made_from)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@contextmanager
def explained() -> Iterator[None]:
    """What the input, the settings or the machine are to blame for fails a step at once, with a sentence.

    The same bytes, the same settings would fail again.
    """
    try:
        yield
    except Exception as error:
        if sentence := told(error):
            raise dg.Failure(description=sentence, allow_retries=False) from error
        raise


def publish(
    context: dg.AssetExecutionContext,
    contracts: Sequence[Table],
    write: Callable[[], Sequence[Published]],
    more: Callable[[Published], Mapping[str, Any]] = lambda _: {},
    *,
    versions: Callable[[Published], Mapping[int, str]] | None = None,
    skips_on: type[AuditFailedError] | None = None,
) -> Results:
    """Tell Dagster what `write` published; of a failed audit, what it found.

    `more` adds metadata of the layer's own. `versions` says of which years a table has something, and names it: only
    these are materialized then, not all that the run is about. After `skips_on` the assets that follow are skipped,
    for nothing is new; any other failed audit fails the run. What a person can mend is not retried (`explained`). A
    step that was overtaken by another run, or in which Sail panicked, is.
    """
    try:
        with explained():
            published = write()
    except AuditFailedError as error:
        for contract in contracts:
            for finding in error.findings.get(contract.name, ()) if selected(context, contract) else ():
                yield _check_result(contract, finding)
        if skips_on and isinstance(error, skips_on):
            context.log.error(f"{error}. What follows is skipped")
            return
        raise dg.Failure(description=str(error), allow_retries=False) from error
    except tuple(_RETRIES) as error:
        context.log.warning(str(error))
        raise dg.RetryRequested(*_RETRIES[type(error)]) from error
    for table in published:
        # Tables that belong together are published together, whichever of them was asked for.
        if not selected(context, table.contract):
            continue
        metadata: Mapping[str, Any] = {**metadata_of(table), **more(table)}
        if versions:
            _materialize_years(context, table, versions(table), metadata)
            metadata = _NO_YEAR_OF_THE_RUN
        else:
            _describe_years(context, table)
        yield dg.MaterializeResult(
            asset_key=key_of(table.contract),
            metadata=metadata,
            check_results=[_check_result(table.contract, finding) for finding in table.findings],
            data_version=dg.DataVersion(table.data_version) if table.data_version else None,
        )


def _materialize_years(
    context: dg.AssetExecutionContext, table: Published, versions: Mapping[int, str], metadata: Mapping[str, Any]
) -> None:
    for year, version in versions.items():
        materialization = dg.AssetMaterialization(
            key_of(table.contract),
            partition=str(year),
            metadata={**metadata, **_figures(table, year)},
            tags={_DATA_VERSION: version, _IS_OUR_DATA_VERSION: "true"},
        )
        context.log_event(materialization)


def _describe_years(context: dg.AssetExecutionContext, table: Published) -> None:
    """A range of years is one materialization of several partitions; each gets its own figures."""
    for year, why in table.left_out.items():
        of_year = f" of {year}" if year else ""
        context.log.error(f"{table.contract.identifier}{of_year} was not published, readers keep what they had: {why}")
    key = key_of(table.contract)
    if context.assets_def.specs_by_key[key].partitions_def is None:
        return
    for year in table.rows_by_year:
        # Names are renewed in all years, whichever were asked for.
        if str(year) not in context.partition_keys:
            continue
        context.add_asset_metadata(_figures(table, year), asset_key=key, partition_key=str(year))
    for year, why in table.left_out.items():
        if str(year) in context.partition_keys:
            # Dagster shows all partitions of a run alike: what this one did not get stands beside its rows.
            context.add_asset_metadata({"not published": why}, asset_key=key, partition_key=str(year))


def _figures(table: Published, year: int) -> Mapping[str, Any]:
    figures: dict[str, Any] = {"dagster/partition_row_count": table.rows_by_year.get(year, 0)}
    if year in table.amounts_by_year:
        figures["BRL of the year"] = f"{table.amounts_by_year[year]:,.2f}"
    return figures


def metadata_of(table: Published) -> dict[str, Any]:
    """Figures of the version that readers get now."""
    metadata: dict[str, Any] = {
        "dagster/row_count": table.row_count,
        "dagster/uri": table.location,
        "snapshot id": str(table.snapshot_id),
    }
    if table.engine:
        metadata["engine"] = table.engine
    if table.rows_by_year:
        metadata["rows by year"] = dg.MarkdownMetadataValue(_by_year(table))
    # Raw tables hold personal ids, which must not appear in the event log.
    if table.contract.layer != "raw" and table.preview:
        # A name or label of staging may hold what the star hides.
        shown = [
            {name: redacted_text(value) if isinstance(value, str) else value for name, value in row.items()}
            for row in table.preview
        ]
        metadata["preview"] = dg.MarkdownMetadataValue(markdown_table(shown))
    return metadata


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a table that the UI draws."""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(str(row[name]).replace("|", "\\|") for name in names) + " |" for row in rows]
    return "\n".join(lines)


def _by_year(table: Published) -> str:
    rows = [
        {"year": year, "rows": f"{rows:,}", "BRL": f"{table.amounts_by_year.get(year, 0):,.2f}"}
        for year, rows in table.rows_by_year.items()
    ]
    return markdown_table(rows)


def _check_result(contract: Table, finding: Finding) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=key_of(contract),
        check_name=finding.check,
        passed=finding.passed,
        severity=dg.AssetCheckSeverity.ERROR if finding.blocking else dg.AssetCheckSeverity.WARN,
        description=finding.summary,
        metadata=dict(finding.figures),
    )


def _column_schema(contract: Table) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=column.type,
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=contract.key == (column.name,)),
            )
            for column in contract.columns
        ]
    )


def _column_lineage(contract: Table, upstream: Sequence[Table]) -> dg.TableColumnLineage:
    layers = {table.name: table.layer for table in upstream}
    return dg.TableColumnLineage(
        deps_by_column={
            column: [
                dg.TableColumnDep(asset_key=dg.AssetKey([layers[table], table]), column_name=name)
                for table, name in sources
            ]
            for column, sources in contract.lineage.items()
        }
    )
