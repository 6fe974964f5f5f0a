"""The serving layer's assets: all marts in one step, year by year; then what is made of them without Spark.

A mart's rows of a year come from the fact's of that year, so a restated year replaces one year of each mart. Names
come from the dimensions, and where they have changed since, other years are published with today's, too (`names.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, partial
from typing import Any, Final
from uuid import uuid4

import dagster as dg
import duckdb
from pyspark.sql import DataFrame, SparkSession

from deputies_lake.assets import (
    OWNER,
    STEP,
    Results,
    check_specs_of,
    explained,
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
from deputies_lake.lakehouse.lake import Draft, Lake, Published, Row, Staged, Years
from deputies_lake.partitions import reimbursement_years
from deputies_lake.quota_years import counted
from deputies_lake.raw import file_versions, kaggle_refunds, kaggle_reimbursements
from deputies_lake.resources.files import FilesResource
from deputies_lake.resources.lake import LakeResource
from deputies_lake.resources.settings import SettingsResource
from deputies_lake.resources.spark import SparkResource
from deputies_lake.serving import (
    data_dictionary,
    dictionary,
    duckdb_file,
    mart_categories,
    mart_deputies,
    mart_deputy_categories,
    mart_first_digits,
    mart_largest_receipts,
    mart_months,
    mart_outliers,
    mart_parties,
    mart_parties_today,
    mart_points_of_attention,
    mart_quota_shares,
    mart_states,
    mart_sub_limits,
    mart_supplier_branches,
    mart_suppliers,
    names,
    publications,
    readiness,
    receipts,
    rejected_lines,
)
from deputies_lake.serving.citation import citation, is_invented
from deputies_lake.serving.dashboard import page
from deputies_lake.serving.dashboard.figures import TABLES as SHOWN
from deputies_lake.serving.dashboard.figures import Figures, gather
from deputies_lake.serving.marts import Star, fact_sums, of_fact
from deputies_lake.staging import rejected_rows
from deputies_lake.star import (
    dim_dates,
    dim_deputies,
    dim_expense_categories,
    dim_parties,
    dim_states,
    dim_suppliers,
    fct_expenses,
    ref_category_limits,
    ref_known_gaps,
    ref_monthly_quotas,
)
from deputies_lake.tables import tables_of

_MARTS: Final[Mapping[Table, Callable[[Star], DataFrame]]] = {
    mart.TABLE: mart.transform
    for mart in (
        mart_months,
        mart_deputies,
        mart_deputy_categories,
        mart_parties,
        mart_parties_today,
        mart_states,
        mart_categories,
        mart_suppliers,
        mart_supplier_branches,
        mart_quota_shares,
        mart_sub_limits,
        mart_largest_receipts,
        mart_outliers,
        mart_first_digits,
        mart_points_of_attention,
        receipts,
    )
}
_FACT: Final = fct_expenses.TABLE
_NAMES: Final = (
    dim_dates.TABLE,
    dim_deputies.TABLE,
    dim_parties.TABLE,
    dim_states.TABLE,
    dim_suppliers.TABLE,
    dim_expense_categories.TABLE,
    ref_monthly_quotas.TABLE,
    ref_category_limits.TABLE,
    ref_known_gaps.TABLE,
)


def _read_by(mart: Table) -> Sequence[Table]:
    """The tables that its columns come from."""
    named = {table for sources in mart.lineage.values() for table, _ in sources}
    return [table for table in (_FACT, *_NAMES) if table.name in named]


@dg.multi_asset(
    name="build_marts",
    specs=[spec_of(mart, upstream=_read_by(mart), partitions=reimbursement_years) for mart in _MARTS],
    check_specs=[check for mart in _MARTS for check in check_specs_of(mart)],
    can_subset=True,
    **STEP,
)
def build_marts(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    pyspark: SparkResource,
    settings: SettingsResource,
    pyspark_step_launcher: dg.ResourceParam[Any],
) -> Results:
    """Build the selected years of the selected marts, which must add up to the fact in rows and cents."""
    opened, years = lake.open(), years_of(context)

    def write() -> Sequence[Published]:
        wanted, run_id = [mart for mart in _MARTS if selected(context, mart)], context.run.run_id
        changed = [*years] if settings.rebuild() else _changed(opened, wanted, years)
        # Before anything is built: what others publish from now on is a conflict.
        renamed = {mart: _renamed(opened, mart, changed, run_id) for mart in wanted}
        staged = _stage(opened, pyspark.session(), wanted, _versions(opened, changed), run_id) if changed else []
        if not changed:
            context.log.info(f"{counted(years)}: neither the star nor the code changed since; nothing to do")
        if others := sorted({year for one in renamed.values() for year in one.years or ()}):
            context.log.info(f"names have changed since in {', '.join(map(str, others))}: published with today's")
        built = {one.contract: one for one in staged}
        new = [_both(renamed[mart], built.get(mart)) for mart in wanted if mart in built or renamed[mart].years]
        published = {one.contract: one for one in opened.publish(new, run_id)}
        return [
            published.get(mart) or opened.verify(mart, years, partial(expected, opened, mart, years)) for mart in wanted
        ]

    yield from publish(context, list(_MARTS), write)


def _versions(lake: Lake, years: Sequence[int]) -> Mapping[int, str]:
    """What the marts' rows of each year are made from; never the same twice where that is not known."""
    of_names = [lake.data_version(table) or uuid4() for table in _NAMES]
    of_fact = lake.versions(_FACT)
    return {year: version_of(of_fact.get(year, uuid4()), *of_names) for year in years}


def _changed(lake: Lake, marts: Sequence[Table], years: Sequence[int]) -> list[int]:
    """The years to build: of `years` those of which a mart is not made from what there is now.

    And others: those with rows that are grouped otherwise now, or that lack a column, as earlier code wrote them. A
    mart that earlier code did not have gets the years of the others.
    """
    versions = _versions(lake, years)
    standing = [lake.intact_versions(mart) for mart in marts]
    changed = {year for year in years for of_mart in standing if of_mart.get(year) != versions[year]}
    for mart in marts:
        if not lake.exists(mart):
            changed.update(year for other in _MARTS for year in lake.years(other))
        if others := [year for year in lake.years(mart) if year not in changed]:
            with auditor() as connection:
                _view_names(lake, connection)
                changed.update(names.regrouped(connection, mart, lake.view(connection, mart, others)))
            if lake.lacks_columns(mart, others):
                changed.update(year for year in others if lake.lacks_columns(mart, [year]))
    return sorted(changed)


def _renamed(lake: Lake, mart: Table, built: Sequence[int], run_id: str) -> Staged:
    """The rows of years that are not built now and have a name that is not today's, with today's."""

    def query(connection: duckdb.DuckDBPyConnection, view: str) -> tuple[Sequence[int], str]:
        _view_names(lake, connection)
        return names.outdated(connection, mart, view), names.renamed(mart, view)

    others = [year for year in lake.years(mart) if year not in built]
    if not others:
        return replace(lake.nothing(mart), years=[])
    staged = lake.rewrite(mart, others, query, run_id)
    return replace(staged, expected=partial(lake.sums, mart, staged.years))


def _view_names(lake: Lake, connection: duckdb.DuckDBPyConnection) -> None:
    for dimension in names.DIMENSIONS:
        lake.view(connection, dimension)


def _both(renamed: Staged, built: Staged | None) -> Staged:
    """Years with new names and years that were built, as one publication."""
    if built is None:
        return renamed
    expected = [one.expected for one in (renamed, built) if one.expected]
    return replace(
        renamed,
        engine=built.engine,
        files=[*renamed.files, *built.files],
        row_count=renamed.row_count + built.row_count,
        years=[*(renamed.years or ()), *(built.years or ())],
        expected=lambda: sum((sums() for sums in expected), Sums.none()),
        versions=built.versions,
    )


def _stage(
    lake: Lake, spark: SparkSession, marts: Sequence[Table], versions: Mapping[int, str], run_id: str
) -> Sequence[Staged]:
    """The years of `versions`, each with the version of what it is made from."""
    years = list(versions)
    kept = ExitStack()

    @cache
    def star() -> Star:
        read = {table: lake.read(spark, table) for table in _NAMES}
        fact = lake.read(spark, _FACT, years)
        known = (read[table] for table in (dim_deputies.TABLE, dim_dates.TABLE, dim_suppliers.TABLE))
        of_year = of_fact(fact, *known).cache()
        kept.callback(of_year.unpersist)
        return Star(
            receipts=of_year,
            fact=fact,
            dates=read[dim_dates.TABLE],
            deputies=read[dim_deputies.TABLE],
            parties=read[dim_parties.TABLE],
            states=read[dim_states.TABLE],
            suppliers=read[dim_suppliers.TABLE],
            categories=read[dim_expense_categories.TABLE],
            quotas=read[ref_monthly_quotas.TABLE],
            limits=read[ref_category_limits.TABLE],
            gaps=read[ref_known_gaps.TABLE],
        )

    def rows_of(mart: Table) -> DataFrame:
        return _MARTS[mart](star())

    drafts = [
        Draft(
            contract=mart,
            rows=partial(rows_of, mart),
            years=years,
            expected=partial(expected, lake, mart, years),
            versions=versions,
        )
        for mart in marts
    ]
    with kept:
        return lake.stage(drafts, run_id)


def expected(lake: Lake, mart: Table, years: Years, snapshot_id: int | None = None) -> Sums:
    """What a mart that holds all receipts must add up to: to the fact, as it is or was in an earlier snapshot."""
    if mart.totals is None:
        return Sums.none()
    with auditor() as connection:
        lake.view(connection, _FACT, years, snapshot_id=snapshot_id)
        rows = connection.sql(fact_sums(mart.totals)).fetchall()
    return Sums.of(rows, others=len(mart.totals.also))


_DESCRIPTIONS: Final[Mapping[Table, Callable[[Lake], Sequence[Row]]]] = {
    publications.TABLE: publications.rows,
    rejected_lines.TABLE: rejected_lines.rows,
    data_dictionary.TABLE: lambda _: data_dictionary.rows(),
}


@dg.multi_asset(
    name="describe_tables",
    specs=[
        spec_of(
            publications.TABLE,
            upstream=[_FACT, file_versions.TABLE, kaggle_reimbursements.TABLE, rejected_rows.TABLE],
            kinds=frozenset({"iceberg"}),
        ),
        spec_of(
            rejected_lines.TABLE,
            upstream=[rejected_rows.TABLE, file_versions.TABLE, kaggle_reimbursements.TABLE, kaggle_refunds.TABLE],
            kinds=frozenset({"iceberg"}),
        ),
        spec_of(data_dictionary.TABLE, kinds=frozenset({"iceberg"})),
    ],
    check_specs=[check for table in _DESCRIPTIONS for check in check_specs_of(table)],
    can_subset=True,
    # Seconds, and no Spark. Yet it reads what may hold personal ids, which Dagster's host may not.
    **STEP,
)
def describe_tables(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    files: FilesResource,
    pyspark_step_launcher: dg.ResourceParam[Any],
) -> Results:
    """Publish what readers cite and look up: each year's file and its rejected lines; the dictionary, also as files."""
    opened = lake.open()
    locations: list[str] = []

    def write() -> Sequence[Published]:
        done = [
            publish_rows(opened, table, partial(rows, opened), context.run.run_id)
            for table, rows in _DESCRIPTIONS.items()
            if selected(context, table)
        ]
        if selected(context, data_dictionary.TABLE):
            published = files.open_published()
            made = dictionary.files(citation(opened))
            locations.extend(published.write(name, content) for name, content in made.items())
        return done

    def metadata(published: Published) -> Mapping[str, Any]:
        return {"files": locations} if published.contract == data_dictionary.TABLE else {}

    yield from publish(context, list(_DESCRIPTIONS), write, metadata)


def publish_rows(lake: Lake, table: Table, rows: Callable[[], Sequence[Row]], run_id: str) -> Published:
    """Rows that are what is published already are no new version."""
    if lake.stands(table, version_of(rows())):
        return lake.verify(table)
    staged = replace(lake.stage_rows(table, rows, run_id, version_of=version_of), invented=is_invented(lake))
    [published] = lake.publish([staged], run_id)
    return published


# These take seconds and no Spark: they run where Dagster does, not on a cluster.
_WITHOUT_CLUSTER: Final[Mapping[str, Any]] = {name: value for name, value in STEP.items() if name != "pool"}


@dg.multi_asset(
    name="build_duckdb_file",
    specs=[
        dg.AssetSpec(
            key=["serving", "duckdb_file"],
            # What else is in it comes before these.
            deps=[key_of(table) for table in (*_MARTS, *_DESCRIPTIONS)],
            description=(
                "All served tables in one DuckDB file, `lake.duckdb`, which needs nothing else; rebuilt after each "
                "publication.\n\n"
                "Todas as tabelas servidas em um arquivo DuckDB, `lake.duckdb`, que não precisa de mais nada; refeito "
                "a cada publicação."
            ),
            group_name="serving",
            owners=[OWNER],
            kinds={"duckdb"},
            tags={"layer": "serving"},
        )
    ],
    **_WITHOUT_CLUSTER,
)
def build_duckdb_file(lake: LakeResource, files: FilesResource) -> dg.MaterializeResult[None]:
    """Put a new file in the place of the one before; who has that open keeps it."""
    started = datetime.now(UTC)
    with explained():
        location, size, contents = duckdb_file.publish(lake.open(), files.open_published())
    told = [{"table": one.table.identifier, "kind": one.kind, "rows": f"{one.rows:,}"} for one in contents]
    return dg.MaterializeResult(
        metadata={
            "dagster/uri": location,
            "bytes": size,
            "seconds": round((datetime.now(UTC) - started).total_seconds(), 1),
            "tables": dg.MarkdownMetadataValue(markdown_table(told)),
        }
    )


@dg.multi_asset(
    name="build_dashboard",
    specs=[
        dg.AssetSpec(
            key=["serving", "dashboard"],
            deps=[key_of(table) for table in SHOWN],
            description=(
                "The figures as one page, `dashboard.html`, that needs no server and no network.\n\n"
                "Os números em uma página, `dashboard.html`, que abre sem servidor e sem rede."
            ),
            group_name="serving",
            owners=[OWNER],
            kinds={"html"},
            tags={"layer": "serving"},
        )
    ],
    **_WITHOUT_CLUSTER,
)
def build_dashboard(
    context: dg.AssetExecutionContext, lake: LakeResource, files: FilesResource
) -> dg.MaterializeResult[None]:
    """Put a new page in the place of the one before."""
    opened, started = lake.open(), datetime.now(UTC)
    with explained():
        figures = gather(opened)
        told = page.about(opened, _checks(context.instance), started)
        content = page.render(figures, told)
        location = files.open_published().write(page.NAME, content)
    return dg.MaterializeResult(
        metadata={
            "dagster/uri": location,
            "bytes": len(content),
            "seconds": round((datetime.now(UTC) - started).total_seconds(), 1),
            "years": dg.MarkdownMetadataValue(markdown_table(_bars(figures))),
        }
    )


def _checks(instance: dg.DagsterInstance) -> page.Checks:
    """What became of the checks of all tables when they were last run, as far as this instance knows."""
    keys = [spec.key for table in tables_of() for spec in check_specs_of(table)]
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    # Of a check that another run is about to do again, only the plan is known.
    done = [one for record in records.values() if isinstance(one := record.evaluation, dg.AssetCheckEvaluation)]
    return page.Checks(
        passed=sum(one.passed for one in done),
        failed=[f"{one.asset_key.to_user_string()}: {one.description}" for one in done if not one.passed],
    )


def _bars(figures: Figures) -> Sequence[Mapping[str, Any]]:
    """Year by year what was spent, as a number and as a bar."""
    largest = max((year["spent_amount"] for year in figures.years), default=0) or 1
    return [
        {
            "year": year["year"],
            "source": year["source_code"],
            "receipts": f"{year['receipts']:,}",
            "BRL": f"{Decimal(year['spent_amount']) / 100:,.2f}",
            "of the largest year": "█" * round(20 * year["spent_amount"] / largest),
            "known gaps": year["gaps"] or "",
        }
        for year in figures.years
    ] or [{"year": "none"}]


TODAYS_FIGURES: Final = dg.AssetSpec(
    key=["serving", "todays_figures"],
    deps=[key_of(readiness.TABLE)],
    # Without today's file there is nothing to tell: by that Dagster knows that it is late.
    skippable=True,
    description=(
        "What readers get has the House's file of today. No table: it is materialized when that is so, and its "
        "freshness shows whether the day's figures are late.\n\n"
        "O que os leitores recebem tem o arquivo de hoje da Câmara. Não é tabela: seu frescor mostra se os números do "
        "dia estão atrasados."
    ),
    group_name="serving",
    owners=[OWNER],
    tags={"layer": "serving"},
)


@dg.multi_asset(
    name="measure_readiness",
    specs=[
        spec_of(
            readiness.TABLE,
            upstream=[file_versions.TABLE, *_MARTS],
            kinds=frozenset({"iceberg"}),
        ),
        TODAYS_FIGURES,
    ],
    check_specs=check_specs_of(readiness.TABLE),
    can_subset=True,
    **STEP,
)
def measure_readiness(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    files: FilesResource,
    pyspark_step_launcher: dg.ResourceParam[Any],
) -> Results:
    """Note when the newest file's figures were there for readers, once for each file; and whether it is today's."""
    opened, now = lake.open(), datetime.now(UTC)
    table = readiness.TABLE
    with explained():
        row = readiness.ready_row(opened, files.landing_zone(), mart_months.TABLE, now)

    def new(rows: Sequence[Row]) -> Sequence[Row]:
        return [row] if row and not any(all(one[name] == row[name] for name in table.key) for one in rows) else []

    def write() -> Sequence[Published]:
        run_id = context.run.run_id
        opened.restore(table, run_id)
        if opened.exists(table) and not new(opened.rows(table)):
            return [opened.verify(table)]
        return opened.publish([opened.add_rows(table, lambda standing: new(standing.rows), run_id)], run_id)

    if selected(context, table):
        yield from publish(context, [table], write)
    if row and row["day"] == readiness.day_of(now) and TODAYS_FIGURES.key in context.selected_asset_keys:
        yield dg.MaterializeResult(asset_key=TODAYS_FIGURES.key, metadata={"file": row["file_name"]})
