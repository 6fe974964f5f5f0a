"""The lake: where tables are read, staged, audited and published, always in this order.

The one object through which data is accessed; no IO managers, so that the same tasks can run on another engine. It
knows contracts, frames and Iceberg tables, not what a table means. What knows Iceberg's files is in `iceberg.py`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, partial
from typing import Any, Final

import duckdb
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table as IcebergTable
from pyspark.sql import DataFrame, SparkSession

from deputies_lake.checks.audit import (
    Audit,
    AuditFailedError,
    Finding,
    Findings,
    Sums,
    auditor,
    failures,
    not_published,
    sums,
)
from deputies_lake.checks.predicates import checks_of
from deputies_lake.contracts import LAYERS, YEAR, Table
from deputies_lake.lakehouse import engine, iceberg
from deputies_lake.lakehouse.damage import DamagedTableError
from deputies_lake.lakehouse.holds import Hold, holds_of, properties_of

PREVIEW_ROWS: Final = 8

_RUN_ID: Final = "lake.run-id"
_DATA_VERSION: Final = "lake.data-version"
# A property of the table, not of a snapshot: of runs that publish different years at once, each sets its own.
_VERSION_OF_YEAR: Final = "lake.version."
_INVENTED: Final = "lake.invented"
_ENGINE: Final = "lake.engine"

# Where DuckDB's name of a type differs from Iceberg's.
_DUCKDB_TYPES: Final = {"string": "VARCHAR", "long": "BIGINT"}

Row = Mapping[str, Any]
Years = Collection[int] | None
"""The quota years a step is about; None for tables that are replaced as a whole."""


class MissingTableError(Exception):
    """A table is needed that was never published. Says which asset to materialize first."""

    def __init__(self, contract: Table) -> None:
        super().__init__(
            f"{contract.identifier} has no data yet. Materialize it first: "
            f"dagster asset materialize --select {contract.layer}/{contract.name} -m deputies_lake.definitions"
        )


class OutdatedTableError(Exception):
    """A table's rows lack columns that they are read for: an earlier version of this code published them."""

    def __init__(self, contract: Table) -> None:
        super().__init__(
            f"{contract.identifier} was published by an earlier version of deputies_lake, which knew fewer columns. "
            "With its file in the landing zone, materialize it again: "
            f"dagster asset materialize --select {contract.layer}/{contract.name} -m deputies_lake.definitions"
        )


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A table about to be written: its rows, the years they replace, and what they must add up to.

    `rows` is asked for when the table's version is known: what others publish to it after the rows' input was read is
    a conflict. `expected` is asked for after writing, when what Spark counted on the way is known. `data_version`, and
    `versions` year by year, name what the rows are made from.

    Members of a dimension that is referred to stay, as they were published last, when `rows` lacks them; where
    `forgets`, only those that something published refers to.
    """

    contract: Table
    rows: Callable[[], DataFrame]
    years: Years = None
    expected: Callable[[], Sums] | None = None
    data_version: str | None = None
    versions: Mapping[int, str] = field(default_factory=dict)
    forgets: bool = False


@dataclass(frozen=True, kw_only=True)
class Staged:
    """Files that are written but not published: nobody reads them.

    `data_version` names the content where it is known beforehand, such as the sha256 of the file it was made from;
    `versions` do so year by year. `findings` are of whoever staged it: shown beside the audit's, they stop nothing.
    `invented`: nothing in it is true of anybody, which the table then says for good. `engine` computed the rows, where
    one did. An earlier version that readers are given back has a `hold`.
    """

    contract: Table
    table: IcebergTable
    files: Sequence[str]
    row_count: int
    years: Years = None
    expected: Callable[[], Sums] | None = None
    data_version: str | None = None
    versions: Mapping[int, str] = field(default_factory=dict)
    findings: Sequence[Finding] = ()
    invented: bool = False
    engine: str | None = None
    hold: Hold | None = None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is published of the years that get further rows: the rows, and the `Staged.versions` of each year."""

    rows: Sequence[Row]
    versions: Mapping[int, str]


@dataclass(frozen=True, kw_only=True)
class Published:
    """A table's version that readers now get, and what the audit found in it.

    `left_out` says of years that were to be published and kept what they had why that is so; under None it says so of
    a table without years.
    """

    contract: Table
    location: str
    snapshot_id: int
    row_count: int
    findings: Sequence[Finding]
    rows_by_year: Mapping[int, int]
    amounts_by_year: Mapping[int, Decimal]
    data_version: str | None
    engine: str | None
    preview: Sequence[Mapping[str, Any]]
    left_out: Mapping[int | None, str] = field(default_factory=dict)


class Lake:
    """Tables in one catalog. Safe to be used by several processes at once."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def read(self, spark: SparkSession, contract: Table, years: Years = None) -> DataFrame:
        """The published rows, of `years` only where given. Raises `MissingTableError`."""
        return engine.read(spark, self._published(contract), years)

    def exists(self, contract: Table) -> bool:
        """Whether anything was ever published to it."""
        try:
            return iceberg.load_table(self._catalog, contract.layer, contract.name).current_snapshot() is not None
        except NoSuchTableError:
            return False

    def lacks_columns(self, contract: Table, years: Years = None) -> bool:
        """Whether an earlier version of this code, which knew fewer columns, published rows of these years."""
        return self.exists(contract) and iceberg.lacks_columns(self._published(contract), contract, years)

    def data_version(self, contract: Table) -> str | None:
        """The `Staged.data_version` of the published version. Raises `MissingTableError`."""
        return _summary(self._published(contract)).get(_DATA_VERSION)

    def engine_of(self, contract: Table) -> str | None:
        """What computed the rows published last, with its version; None of rows that needed no engine.

        Raises `MissingTableError`.
        """
        return _summary(self._published(contract)).get(_ENGINE)

    def versions(self, contract: Table) -> Mapping[int, str]:
        """Year by year the `Staged.versions` of what is published; nothing where they were not named, or never were."""
        return _versions(self._published(contract)) if self.exists(contract) else {}

    def is_invented(self, contract: Table) -> bool:
        """Whether what is published was made up, as `Staged.invented` says."""
        return self.exists(contract) and self._published(contract).properties.get(_INVENTED) == "true"

    def holds(self, contract: Table) -> Mapping[int | None, Hold]:
        """The years that were rolled back and are held, under None the whole table; none that has lost a file since."""
        return _holds(self._published(contract)) if self.exists(contract) else {}

    def hold(self, contract: Table, year: int | None, hold: Hold | None) -> None:
        """Keep what is published of a year, of the table where it is None, from being replaced; without a hold, let go.

        What was held is made again by the next run that is about it.
        """
        table = self._published(contract)
        forgotten = [year] if year else _versions(table)
        iceberg.set_properties(
            table,
            {
                **properties_of(hold, [year] if year else None),
                **({} if hold else {f"{_VERSION_OF_YEAR}{of_year}": "" for of_year in forgotten}),
            },
        )

    def lost_years(self, contract: Table, snapshot_id: int | None = None) -> set[int]:
        """The years of which a file is lost, now or of an earlier snapshot. Raises `MissingTableError`."""
        return {int(file.partition[0]) for file in iceberg.lost_files(self._published(contract), snapshot_id)}

    def intact_versions(self, contract: Table) -> Mapping[int, str]:
        """As `versions`, without the years of which a file is lost: they must be made again."""
        versions = self.versions(contract)
        lost = self.lost_years(contract) if versions else ()
        return {year: version for year, version in versions.items() if year not in lost}

    def stands(self, contract: Table, version: str) -> bool:
        """Whether this `Staged.data_version` is what is published, and no file of it is lost."""
        if not self.exists(contract):
            return False
        table = self._published(contract)
        return _summary(table).get(_DATA_VERSION) == version and not iceberg.lost_files(table)

    def require_whole(self, contract: Table) -> None:
        """Raises `DamagedTableError` where a file that readers need is lost or damaged, and `MissingTableError`."""
        iceberg.require_whole(self._published(contract))

    def years(self, contract: Table) -> list[int]:
        """The years of which the table has rows; none where it was never published."""
        return iceberg.years(self._published(contract)) if self.exists(contract) else []

    def overview(self, layers: Sequence[str] = LAYERS) -> list[tuple[str, int]]:
        """Every published table of these layers, `layer.name`, with its rows, in the order data walks."""
        return [(name, _row_count(table)) for name, table in self.tables(layers) if table.current_snapshot()]

    def tables(self, layers: Sequence[str] = LAYERS) -> Iterator[tuple[str, IcebergTable]]:
        """Every table there is, published or not, `layer.name`, in the order data walks; damaged ones are left out.

        Of some layers only where not all may be asked for: Dagster's host in AWS sees no staged rows.
        """
        for layer, name in self._names(layers):
            with suppress(DamagedTableError):
                yield f"{layer}.{name}", iceberg.load_table(self._catalog, layer, name)

    def damaged(self) -> list[DamagedTableError]:
        """What is lost of which tables, and what mends it: of metadata and of what is published now."""
        found = []
        for layer, name in self._names(LAYERS):
            try:
                table = iceberg.load_table(self._catalog, layer, name)
                iceberg.require_whole(table)
            except DamagedTableError as error:
                found.append(error)
        return found

    def _names(self, layers: Sequence[str]) -> Iterator[tuple[str, str]]:
        return ((layer, name) for layer in layers for name in iceberg.table_names(self._catalog, layer))

    def table(self, contract: Table) -> IcebergTable:
        """The Iceberg table, made or evolved to what the contract says."""
        return iceberg.ensure_table(self._catalog, contract)

    def view(
        self,
        connection: duckdb.DuckDBPyConnection,
        contract: Table,
        years: Years = None,
        *,
        snapshot_id: int | None = None,
        name: str | None = None,
    ) -> str:
        """Make the published rows readable in DuckDB under the name that is returned, `<layer>_<table>` unless given.

        Those of an earlier snapshot where one is named. Raises `MissingTableError`.
        """
        table = self._published(contract)
        name = name or _view_name(contract)
        _view(connection, name, table, iceberg.data_files(table, years, snapshot_id))
        return name

    def select(self, contract: Table) -> str | None:
        """The query by which DuckDB itself reads the published rows; None where it could not without an extension.

        It names the version's files, so it is good for as long as that version is kept. Raises `MissingTableError`.
        """
        table = self._published(contract)
        files = iceberg.data_files(table)
        if not _are_local(files):
            return None
        iceberg.require(table, files)
        return _select(table, files)

    def published_at(self, contract: Table) -> Mapping[int, datetime]:
        """Since when (UTC) each year's rows stand; of those that stood before the oldest version kept, that one's time.

        Raises `MissingTableError`.
        """
        kept = min(self.snapshots(contract))
        partitions = self._published(contract).inspect.partitions().to_pylist()
        return {
            one["partition"][YEAR]: one["last_updated_at"].replace(tzinfo=UTC) if one["last_updated_at"] else kept
            for one in partitions
        }

    def snapshot_id(self, contract: Table) -> int:
        """The version that readers get now. Raises `MissingTableError`."""
        snapshot = self._published(contract).current_snapshot()
        return snapshot.snapshot_id if snapshot else 0

    def view_staged(self, connection: duckdb.DuckDBPyConnection, staged: Staged, name: str | None = None) -> None:
        """Make rows readable in DuckDB that nobody else can read yet, `<layer>_<table>` unless named."""
        _view(connection, name or _view_name(staged.contract), staged.table, staged.files)

    def snapshots(self, contract: Table) -> Mapping[datetime, int]:
        """The versions that can still be read: since when (UTC) each stands, and its snapshot; the oldest first.

        Raises `MissingTableError`.
        """
        table = self._published(contract)
        entries = sorted((entry.timestamp_ms, entry.snapshot_id) for entry in table.history())
        kept = {snapshot.snapshot_id for snapshot in table.snapshots()}
        return {datetime.fromtimestamp(ms / 1000, UTC): snapshot for ms, snapshot in entries if snapshot in kept}

    def files_by_year(self, contract: Table, snapshot_id: int | None = None) -> Mapping[int, Sequence[str]]:
        """The data files of each year, now or of an earlier snapshot. Raises `MissingTableError`."""
        return iceberg.files_by_year(self._published(contract), snapshot_id)

    def files(self, contract: Table, years: Years = None, snapshot_id: int | None = None) -> Sequence[str]:
        """The data files of what is published, or of an earlier snapshot. Raises `MissingTableError`."""
        return iceberg.data_files(self._published(contract), years, snapshot_id)

    def rows(self, contract: Table, years: Years = None) -> list[dict[str, Any]]:
        """The published rows of a table small enough to be held; none where it was never published."""
        if not self.exists(contract):
            return []
        return _rows(self._published(contract), years)

    def stage_rows(
        self,
        contract: Table,
        rows: Callable[[], Sequence[Row]],
        run_id: str,
        *,
        years: Years = None,
        version_of: Callable[[Sequence[Row]], str] | None = None,
    ) -> Staged:
        """Stage rows that are few enough for doing without Spark, in the place of those that are published.

        As in a `Draft`, `rows` is asked for when the table's version is known. Rows that are made from this table's
        own are `add_rows`' business. `version_of` names the rows where they have a `data_version`.
        """
        table = self.table(contract)
        made = rows()
        staged = self._stage_rows(contract, table, made, run_id, years)
        return replace(staged, data_version=version_of(made)) if version_of else staged

    def add_rows(
        self, contract: Table, rows: Callable[[Standing], Sequence[Row]], run_id: str, *, years: Years = None
    ) -> Staged:
        """Stage further rows beside the published ones, which stay.

        `rows` is told those of the very version that this will replace: if two add rows to one version, the second
        to publish gets a conflict, and no row is lost.
        """
        table = self.table(contract)
        published = _rows(table, years) if table.current_snapshot() else []
        added = rows(Standing(rows=published, versions=_versions(table)))
        return self._stage_rows(contract, table, [*published, *added], run_id, years)

    def restore(self, contract: Table, run_id: str) -> None:
        """Let a table to which rows are only added, and which lost a file, have rows that can be read.

        Those of its newest version that is whole, for each year its own: nobody can make them again. The years forget
        their `versions`, so what was added since is added again as far as it is known.
        """
        if not self.exists(contract) or not iceberg.lost_files(self._published(contract)):
            return
        years = self.lost_years(contract) if contract.partitioned else None
        with auditor() as connection:
            table = self._published(contract)
            _view(connection, "whole", table, iceberg.newest_whole_files(table))
            of_years = f" WHERE {YEAR} IN ({', '.join(map(str, sorted(years)))})" if years else ""
            rows = connection.sql(f"FROM whole{of_years}").to_arrow_table().to_pylist()
        self.publish([self.stage_rows(contract, lambda: rows, run_id, years=years)], run_id)

    def rewrite(
        self,
        contract: Table,
        years: Collection[int],
        query: Callable[[duckdb.DuckDBPyConnection, str], tuple[Sequence[int], str]],
        run_id: str,
    ) -> Staged:
        """Stage published rows of `years` anew, without Spark.

        `query` is told the view that has them, and says which of the years it changes and the SQL for their new rows.
        """
        table = self.table(contract)
        prefix = iceberg.new_prefix(table, run_id)
        count = 0
        with auditor() as connection:
            _view(connection, "published", table, iceberg.data_files(table, years))
            changed, sql = query(connection, "published")
            for year in changed:
                rows = connection.sql(f"FROM ({sql}) WHERE {YEAR} = {year}").to_arrow_table()
                iceberg.write_columns(table, f"{prefix}/{year}.parquet", rows)
                count += rows.num_rows
        files = iceberg.list_files(table, prefix) if changed else []
        return Staged(contract=contract, table=table, files=files, row_count=count, years=changed)

    def _stage_rows(
        self, contract: Table, table: IcebergTable, rows: Sequence[Row], run_id: str, years: Years
    ) -> Staged:
        prefix = iceberg.new_prefix(table, run_id)
        parts: dict[str, list[Row]] = {}
        for row in rows:
            parts.setdefault(str(row[YEAR]) if contract.partitioned else "all", []).append(row)
        for part, of_part in parts.items():
            iceberg.write_file(table, f"{prefix}/{part}.parquet", of_part)
        files = iceberg.list_files(table, prefix) if rows else []
        return Staged(contract=contract, table=table, files=files, row_count=len(rows), years=years)

    def write(self, drafts: Sequence[Draft], run_id: str) -> list[Published]:
        """Stage, audit, publish, as `publish` says. Raises `AuditFailedError` with every finding."""
        return self.publish(self.stage(drafts, run_id), run_id)

    def stage(self, drafts: Sequence[Draft], run_id: str) -> list[Staged]:
        """Have Spark write drafts, all at once, each under a fresh prefix. Nobody reads them yet."""
        tables = [self.table(draft.contract) for draft in drafts]
        # Only now: what one draft reads, another may use, and no table may be younger than what was read. One after the
        # other: of several connections to a local catalog, one that reads can keep another from committing.
        rows = [draft.rows() for draft in drafts]
        # Small tables spend their time planning, not computing: together they keep the cores busy.
        with ThreadPoolExecutor(len(drafts)) as pool:
            return list(pool.map(partial(self._stage, run_id), drafts, tables, rows))

    def _stage(self, run_id: str, draft: Draft, table: IcebergTable, transformed: DataFrame) -> Staged:
        contract = draft.contract
        prefix = iceberg.new_prefix(table, run_id)
        row_count = engine.write(transformed, contract, table, prefix)
        kept: Sequence[Row] = ()
        if contract.referred_by and table.current_snapshot():
            kept = self._kept(contract, table, iceberg.list_files(table, prefix), forgets=draft.forgets)
        if kept:
            iceberg.write_file(table, f"{prefix}/kept.parquet", kept)
        return Staged(
            contract=contract,
            table=table,
            files=iceberg.list_files(table, prefix),
            row_count=row_count + len(kept),
            years=draft.years,
            expected=draft.expected,
            data_version=draft.data_version,
            versions=draft.versions,
            engine=engine.name_of(transformed),
        )

    def _kept(
        self, contract: Table, table: IcebergTable, files: Sequence[str], *, forgets: bool
    ) -> list[dict[str, Any]]:
        """The published members that are not among those of `files`, and must not be lost."""
        (key,) = contract.key
        with auditor() as connection:
            _view(connection, "staged", table, files)
            # Whoever replaces a table that lost a file mends it: what the file held stands in the version before.
            _view(connection, "published", table, iceberg.newest_whole_files(table))
            query = f"FROM published ANTI JOIN staged USING ({key})"
            if forgets:
                views = self._view_referring(connection, contract, []).values()
                referred = " UNION ALL ".join(f"SELECT {key} FROM {view}" for view in views)
                query += f" SEMI JOIN ({referred}) USING ({key})" if referred else " WHERE false"
            kept: list[dict[str, Any]] = connection.sql(query).to_arrow_table().to_pylist()
        return kept

    def earlier(
        self, contract: Table, snapshot_id: int, run_id: str, hold: Hold, years: Years, expected: Callable[[], Sums]
    ) -> Staged:
        """What an earlier snapshot has of these years, or has in all, to be published again and held.

        Members of a dimension that have come since, and to which something published refers, are added to it.

        Raises `StagedFilesError` where its files lack a column or are lost, and `MissingTableError`.
        """
        table = self._published(contract)
        files = iceberg.data_files(table, years, snapshot_id)
        rows = iceberg.row_count(table, years, snapshot_id)
        if contract.referred_by and (kept := self._kept(contract, table, files, forgets=True)):
            prefix = iceberg.new_prefix(table, run_id)
            iceberg.write_file(table, f"{prefix}/kept.parquet", kept)
            files, rows = [*files, *iceberg.list_files(table, prefix)], rows + len(kept)
        iceberg.inspect_files(table, files, years=years, expected_rows=rows)
        # No name of what a run makes rows from: as soon as it is released, they are made again.
        version = f"snapshot {snapshot_id}"
        return Staged(
            contract=contract,
            table=table,
            files=files,
            row_count=rows,
            years=years,
            expected=expected,
            data_version=version if years is None else None,
            versions=dict.fromkeys(years or (), version),
            engine=_summary(table, snapshot_id).get(_ENGINE),
            hold=hold,
        )

    def nothing(self, contract: Table) -> Staged:
        """What is staged to publish a table without rows."""
        return Staged(contract=contract, table=self.table(contract), files=[], row_count=0, expected=Sums.none)

    def publish(self, staged: Sequence[Staged], run_id: str) -> list[Published]:
        """Audit all, then publish each in the order given.

        What refers to a table that is published with it must find its keys there. What is held stays as it is. A year
        that fails its audit in one table is published in none, and the others are; what is found says so. Raises
        `AuditFailedError`, having published none, where no year passes, or a table fails that is replaced as a whole.
        """
        free: Sequence[Staged] = [one for one in map(_without_held, staged) if one]
        with auditor() as connection:
            findings, failed = self._audit_all(connection, free), dict[int, str]()
            if failures(findings):
                free, findings, failed = self._without_failed_years(connection, free, findings)
            new = {one.contract: one for one in free}
            done = []
            for one in staged:
                if one.contract in new:
                    found = self._commit(connection, new[one.contract], findings[one.contract.name], run_id)
                else:
                    # It adds up to itself: what it was made from has changed since.
                    found = self.verify(one.contract, one.years, partial(self.sums, one.contract, one.years))
                left_out: dict[int | None, str] = {year: hold.told for year, hold in _held(one).items()}
                if one.contract.partitioned:
                    left_out |= dict(failed.items())
                done.append(replace(found, left_out=left_out))
        return done

    def _audit_all(self, connection: duckdb.DuckDBPyConnection, staged: Sequence[Staged]) -> Findings:
        return {one.contract.name: self._audit(connection, one, staged) for one in staged}

    def _without_failed_years(
        self, connection: duckdb.DuckDBPyConnection, staged: Sequence[Staged], findings: Findings
    ) -> tuple[Sequence[Staged], Findings, dict[int, str]]:
        """What is left of `staged`, what was found in it and in the failed years, and why each of these failed.

        Raises `AuditFailedError` with `findings` where nothing can be left out, or what is left fails, too.
        """
        by_years = [one for one in staged if one.contract.partitioned]
        years = sorted({year for one in by_years for year in one.years or ()})
        if len(years) < 2 or any(one.years is None for one in by_years):
            raise AuditFailedError(findings)
        once = [replace(one, expected=cache(one.expected) if one.expected else None) for one in staged]
        failed: dict[int, Findings] = {}
        for year in years:
            of_year = [_of_years(one, [year]) for one in once]
            found = {
                one.contract.name: self._audit(connection, one, once) for one in of_year if one.contract.partitioned
            }
            if failures(found):
                failed[year] = found
        rest = [_of_years(one, {*years} - {*failed}) for one in once]
        found_in_rest = self._audit_all(connection, rest)
        if not 0 < len(failed) < len(years) or failures(found_in_rest):
            raise AuditFailedError(findings)
        left_out = {year: "; ".join(failures(found)) for year, found in failed.items()}
        return rest, {table: _with_failures(table, of, failed) for table, of in found_in_rest.items()}, left_out

    def _published(self, contract: Table) -> IcebergTable:
        try:
            table = iceberg.load_table(self._catalog, contract.layer, contract.name)
        except NoSuchTableError as error:
            raise MissingTableError(contract) from error
        if table.current_snapshot() is None:
            raise MissingTableError(contract)
        return table

    def sums(self, contract: Table, years: Years = None, where: str = "true") -> Sums:
        """Of the published rows for which the condition holds, by the contract's totals. None of a missing table."""
        if contract.totals is None or not self.exists(contract):
            return Sums.none()
        with auditor() as connection:
            view = self.view(connection, contract, years)
            return sums(connection, f"(FROM {view} WHERE {where})", contract.totals)

    def _current(self, contract: Table, years: Years) -> Staged:
        table = self._published(contract)
        return Staged(
            contract=contract,
            table=table,
            files=iceberg.data_files(table, years),
            row_count=_row_count(table),
            years=years,
            data_version=_summary(table).get(_DATA_VERSION),
            engine=_summary(table).get(_ENGINE),
        )

    def verify(
        self,
        contract: Table,
        years: Years = None,
        expected: Callable[[], Sums] | None = None,
        findings: Sequence[Finding] = (),
    ) -> Published:
        """What readers have now, of `years` only where given, audited again. Raises `MissingTableError`."""
        current = replace(self._current(contract, years), expected=expected, findings=findings)
        with auditor() as connection:
            return _described(connection, current, self._audit(connection, current, []))

    def _audit(self, connection: duckdb.DuckDBPyConnection, staged: Staged, beside: Sequence[Staged]) -> list[Finding]:
        """What the checks find in `staged`; what was staged `beside` it stands for what is published."""
        contract = staged.contract
        _view(connection, "staged", staged.table, staged.files)
        new = {one.contract.name: one for one in beside if one.contract.layer == "star"}
        for reference in contract.references:
            if reference.table in new:
                self.view_staged(connection, new[reference.table])
            else:
                dimension = iceberg.load_table(self._catalog, "star", reference.table)
                _view(connection, f"star_{reference.table}", dimension, iceberg.data_files(dimension))
        audit = Audit(
            contract=contract,
            connection=connection,
            expected=staged.expected() if staged.expected else None,
            referring=self._view_referring(connection, contract, beside),
        )
        return [check.run(audit) for check in checks_of(contract)]

    def _view_referring(
        self, connection: duckdb.DuckDBPyConnection, contract: Table, beside: Sequence[Staged]
    ) -> Mapping[str, str]:
        """Views of what is published, refers to the contract's rows, and is not replaced by what was staged `beside`.

        By identifiers the views' names.
        """
        replaced = {one.contract.name: one.years for one in beside}
        views = {}
        for name in contract.referred_by:
            try:
                table = iceberg.load_table(self._catalog, "star", name)
            except NoSuchTableError:
                continue
            # A year that lost a file is built again after this, and audited then.
            lost = {int(file.partition[0]) for file in iceberg.lost_files(table)}
            years = {*iceberg.years(table)}.difference(replaced.get(name, ()) or (), lost)
            views[f"star.{name}"] = f"referring_{name}"
            _view(connection, f"referring_{name}", table, iceberg.data_files(table, years))
        return views

    def _commit(
        self, connection: duckdb.DuckDBPyConnection, staged: Staged, findings: Sequence[Finding], run_id: str
    ) -> Published:
        properties = {_RUN_ID: run_id}
        if staged.data_version:
            properties[_DATA_VERSION] = staged.data_version
        if staged.engine:
            properties[_ENGINE] = staged.engine
        iceberg.commit(
            staged.table,
            staged.files,
            years=staged.years,
            expected_rows=staged.row_count,
            properties=properties,
            table_properties={
                **_versions_by_property(staged),
                **_holds_by_property(staged),
                **({_INVENTED: "true"} if staged.invented else {}),
            },
        )
        return _described(connection, staged, findings)


def _holds(table: IcebergTable) -> dict[int | None, Hold]:
    """What is held of a table, without what lost a file: it must be made again."""
    holds = holds_of(table.properties)
    lost = iceberg.lost_files(table) if holds else []
    lost_years = {file.partition[0] for file in lost if table.spec().fields}
    return {year: hold for year, hold in holds.items() if not (lost if year is None else year in lost_years)}


def _held(staged: Staged) -> dict[int | None, Hold]:
    """What is held of what was staged, and so is not to be published; under None all of it."""
    if staged.hold:
        return {}
    years = {None, *(staged.years or ())}
    return {year: hold for year, hold in _holds(staged.table).items() if year in years}


def _without_held(staged: Staged) -> Staged | None:
    """What may be published; None where nothing is left."""
    held = _held(staged)
    if not held:
        return staged
    free = {*(staged.years or ())}.difference(held)
    return None if None in held or not free else _of_years(staged, free)


def _holds_by_property(staged: Staged) -> Mapping[str, str]:
    """Who gives back a version holds it; what replaces one that is held, for it has lost a file, holds nothing."""
    if staged.hold:
        return properties_of(staged.hold, staged.years)
    known = holds_of(staged.table.properties)
    return properties_of(None, [year for year in staged.years or () if year in known]) | (
        properties_of(None, None) if None in known else {}
    )


def _of_years(staged: Staged, years: Collection[int]) -> Staged:
    """Of a table by years what it has of these; any other whole."""
    if not staged.contract.partitioned:
        return staged
    inspected = iceberg.inspect_files(staged.table, staged.files, years=staged.years, expected_rows=staged.row_count)
    files = {file.file_path: file.record_count for file in inspected if file.partition[0] in years}
    expected = staged.expected
    return replace(
        staged,
        files=[*files],
        row_count=sum(files.values()),
        years=sorted({*(staged.years or ())}.intersection(years)),
        expected=(lambda: expected().of_years(years)) if expected else None,
        versions={year: version for year, version in staged.versions.items() if year in years},
    )


def _with_failures(table: str, found: Sequence[Finding], failed: Mapping[int, Findings]) -> list[Finding]:
    """What was found in a table's years that are published, and of those that are not what keeps them from it."""
    told = []
    for one in found:
        faults = {
            str(year): same.summary
            for year, of_year in failed.items()
            for same in of_year.get(table, ())
            if same.check == one.check and same.stops
        }
        told.append(replace(one, passed=False, summary=not_published(faults), figures=faults) if faults else one)
    return told


def _view_name(contract: Table) -> str:
    return f"{contract.layer}_{contract.name}"


def _rows(table: IcebergTable, years: Years) -> list[dict[str, Any]]:
    with auditor() as connection:
        _view(connection, "published", table, iceberg.data_files(table, years))
        rows: list[dict[str, Any]] = connection.sql("FROM published").to_arrow_table().to_pylist()
    return rows


def _view(connection: duckdb.DuckDBPyConnection, name: str, table: IcebergTable, files: Sequence[str]) -> None:
    """Make data files readable in DuckDB under a name. What DuckDB itself can't read comes through PyArrow."""
    connection.execute(f"DROP VIEW IF EXISTS {name}")
    if _are_local(files):
        iceberg.require(table, files)
        connection.execute(f"CREATE TEMP VIEW {name} AS {_select(table, files)}")
    else:
        connection.register(name, iceberg.dataset(table, files))


def _are_local(files: Sequence[str]) -> bool:
    """Whether DuckDB reads these files itself.

    Those on S3 come through PyArrow, which needs no extension that would have to be downloaded; so does an empty list,
    for its columns.
    """
    return bool(files) and files[0].startswith("file://")


def _select(table: IcebergTable, files: Sequence[str]) -> str:
    """The query for the rows of local data files, by field id: files from before a column was added are read right."""
    paths = ", ".join("'" + file.removeprefix("file://").replace("'", "''") + "'" for file in files)
    types = {f: _DUCKDB_TYPES.get(str(f.field_type), str(f.field_type)) for f in table.schema().fields}
    columns = ", ".join(
        f"{f.field_id}: {{name: '{f.name}', type: '{kind}', default_value: NULL}}" for f, kind in types.items()
    )
    # `_year=2013` in a path is where Spark put the file, not a column of it.
    return f"SELECT * FROM read_parquet([{paths}], schema = MAP {{{columns}}}, hive_partitioning = false)"


def _described(connection: duckdb.DuckDBPyConnection, staged: Staged, findings: Sequence[Finding]) -> Published:
    table = staged.table
    _view(connection, "staged", table, staged.files)
    snapshot = table.current_snapshot()
    rows_by_year, amounts_by_year = _by_year(connection, staged)
    return Published(
        contract=staged.contract,
        location=table.location(),
        snapshot_id=snapshot.snapshot_id if snapshot else 0,
        row_count=_row_count(table),
        findings=[*findings, *staged.findings],
        rows_by_year=rows_by_year,
        amounts_by_year=amounts_by_year,
        data_version=staged.data_version,
        engine=staged.engine,
        preview=_preview(connection),
    )


def _by_year(connection: duckdb.DuckDBPyConnection, staged: Staged) -> tuple[Mapping[int, int], Mapping[int, Decimal]]:
    """Rows and BRL of each year that was replaced, those that are empty now included."""
    contract = staged.contract
    if not contract.partitioned:
        return {}, {}
    amount = f"sum({contract.totals.amount})" if contract.totals else "NULL"
    found = connection.sql(f"SELECT {YEAR}, count(*), {amount} FROM staged GROUP BY ALL ORDER BY 1").fetchall()
    rows = dict.fromkeys(sorted(staged.years or ()), 0) | {year: count for year, count, _ in found}
    return rows, {year: total for year, _, total in found if total is not None}


def _preview(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    relation = connection.sql(f"SELECT * FROM staged LIMIT {PREVIEW_ROWS}")
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def _versions(table: IcebergTable) -> Mapping[int, str]:
    named = {name.removeprefix(_VERSION_OF_YEAR): version for name, version in table.properties.items() if version}
    return {int(year): version for year, version in named.items() if year.isdigit()}


def _versions_by_property(staged: Staged) -> Mapping[str, str]:
    """A year that is replaced without a version forgets the one that it had."""
    names = {year: f"{_VERSION_OF_YEAR}{year}" for year in staged.years or ()}
    return {
        name: staged.versions.get(year, "")
        for year, name in names.items()
        if year in staged.versions or name in staged.table.properties
    }


def _summary(table: IcebergTable, snapshot_id: int | None = None) -> Mapping[str, str]:
    """Of the version that readers get, or of an earlier one."""
    snapshot = table.snapshot_by_id(snapshot_id) if snapshot_id else table.current_snapshot()
    return snapshot.summary.additional_properties if snapshot and snapshot.summary else {}


def _row_count(table: IcebergTable) -> int:
    return int(_summary(table).get("total-records", 0))
