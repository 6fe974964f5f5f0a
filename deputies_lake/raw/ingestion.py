"""From a landed file to a raw table's files: archived, split into lines, counted; ready to be audited.

One pass over the bytes, in memory that is bounded but for eight bytes a line: while they are archived they become a
columnar copy (text columns, one file a year), so that later steps never parse CSV again and read only the years they
need. PyArrow does this on the driver: parsing takes it a tenth of what it takes Spark, and it numbers the lines and
counts equal ones, for which Spark would have to bring all lines into order again.
"""

import csv
import io
import traceback
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.table import Table as IcebergTable

from deputies_lake.contracts import YEAR, Table
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake, Staged
from deputies_lake.quota_years import current_year
from deputies_lake.raw import origin, zipped
from deputies_lake.raw.amounts import readable_amounts
from deputies_lake.raw.archive import Archive, LandedFile, LandingZone, Manifest, make_folder
from deputies_lake.raw.control_totals import ControlTotals
from deputies_lake.raw.equal_lines import EqualLines
from deputies_lake.raw.file_dates import made_at
from deputies_lake.raw.published_csv import PublishedCsv, RawFileError, read_blocks
from deputies_lake.raw.rejections import LargestAmount, Rejections

_ROWS_BETWEEN_REPORTS: Final = 1_000_000

_TOO_MUCH: Final = 10**12
"""No sum of BRL reaches it: money is stored with twelve digits before the point."""

_DONE_BY_CONTENT: Final = (
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    csv.Error,
    zlib.error,
    pa.ArrowException,
)
"""What a reader raises that did not expect what it read. What a disk or a network did is none of these."""

Report = Callable[[str], None]


def published_version(lake: Lake, archive: Archive, source: PublishedCsv, contract: Table) -> Manifest:
    """The manifest of the file that the published raw table was made from.

    Raises `MissingTableError` where the table was never published, `RawFileError` where its file was not archived.
    """
    return archived(archive, source, contract, lake.data_version(contract) or "none")


def published_years(
    lake: Lake, archive: Archive, source: PublishedCsv, contract: Table, years: Collection[int] | None = None
) -> Mapping[int, Manifest]:
    """The manifests of the files that a table of one file a year was made from, of `years` only where given.

    Raises `RawFileError` where one was not archived.
    """
    versions = lake.versions(contract)
    return {
        year: archived(archive, source.of_year(year), contract, sha256)
        for year, sha256 in sorted(versions.items())
        if years is None or year in years
    }


def archived(archive: Archive, source: PublishedCsv, contract: Table, sha256: str) -> Manifest:
    """The manifest of a version. Raises `RawFileError` where there is none."""
    manifest = archive.manifest(source, sha256)
    if manifest is None:
        raise _not_archived(source, contract, sha256)
    return manifest


def _not_archived(source: PublishedCsv, contract: Table, sha256: str) -> RawFileError:
    problem = f"version {sha256} of the file is not in the archive"
    return RawFileError(source.file_names[0], problem, f"Materialize {contract.layer}/{contract.name} again.")


def stage_file(
    lake: Lake,
    zone: LandingZone,
    archive: Archive,
    source: PublishedCsv,
    contract: Table,
    landed: LandedFile,
    *,
    sha256: str,
    run_id: str,
    report: Report,
) -> tuple[Manifest, Staged]:
    """Archive `landed` and stage its lines as the rows of `contract`.

    A file of the current year may have no rows yet. Raises `RawFileError` for a file that is not `source`, is invented
    where the lake is not, or can't be read whatever the cause; nothing is staged then. One that a person has accepted
    is read as it is.
    """
    invented = origin.require_one(lake, zone, landed, source)
    table = lake.table(contract)
    prefix = iceberg.new_prefix(table, run_id)
    totals, rejections, largest = ControlTotals(), Rejections(), LargestAmount()
    accepted = archive.acceptance(source, sha256) is not None
    amounts = (source.amount_column, *source.other_amount_columns)
    rows = unreadable = of_year = 0
    lines = EqualLines(source.columns)
    with (
        _blamed_on(landed),
        _text(archive, zone, landed, source, sha256) as stream,
        _Writers(table, prefix, lines) as writers,
    ):
        blocks = read_blocks(stream, landed.path, source, accepted=accepted)
        for block in _or_none_yet(blocks.tables, source):
            readable = [readable_amounts(block[column]) for column in amounts]
            totals.add(block[YEAR], block[source.category_column], *readable)
            rejections.add(block, source, readable)
            largest.add(block, readable)
            writers.write(block)
            of_year += _rows_of_its_year(block, source)
            unreadable += block.num_rows - block["unreadable_reason"].null_count
            if rows // _ROWS_BETWEEN_REPORTS != (rows := rows + block.num_rows) // _ROWS_BETWEEN_REPORTS:
                report(f"{landed.name}: {rows:,} lines read")
    _require_storable(totals, largest, landed)
    if 2 * of_year < rows - unreadable:
        problem = f"most of its rows are of another year than {source.only_year}"
        raise RawFileError(landed.path, problem, f"Put the file of {source.only_year} in its place. {source.obtain}")
    manifest = archive.complete(
        source,
        replace(landed, modified=made_at(zone, landed, source, sha256)),
        sha256,
        header=blocks.header,
        rows=rows,
        unreadable=unreadable,
        totals=totals,
        rejections=rejections,
        largest=largest,
    )
    staged = Staged(
        contract=contract,
        table=table,
        files=iceberg.list_files(table, prefix),
        row_count=rows,
        data_version=sha256,
        invented=invented,
    )
    return manifest, staged


def stage_archived(
    lake: Lake, archive: Archive, source: PublishedCsv, contract: Table, sha256: str, *, run_id: str, report: Report
) -> Staged:
    """Stage an archived version's lines once more, for a table that lost a file of them. Raises `RawFileError`."""
    zone = archive.zone(source, sha256)
    landed = zone.find(source)
    if landed is None:
        raise _not_archived(source, contract, sha256)
    report(f"{landed.name}: is read again from the archive, for its table lost a file")
    _, staged = stage_file(lake, zone, archive, source, contract, landed, sha256=sha256, run_id=run_id, report=report)
    return staged


@contextmanager
def _blamed_on(landed: LandedFile) -> Iterator[None]:
    """What a file's content did to its reader is told as that file's fault: other files are read, this one not again.

    Without the words of the error, which may be the file's own and hold personal data.
    """
    try:
        yield
    except _DONE_BY_CONTENT as error:
        if isinstance(error, OSError):
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        problem = f"its content can't be read ({type(error).__name__} in {Path(place.filename).name}:{place.lineno})"
        remedy = "Report it as a fault of deputies_lake, with the file if it may be shown."
        raise RawFileError(landed.path, problem, remedy) from error


def _or_none_yet(tables: Iterator[pa.Table], source: PublishedCsv) -> Iterator[pa.Table]:
    """The tables; nothing where a file has none and its year may have just begun."""
    try:
        yield from tables
    except RawFileError as error:
        if not error.is_empty or source.only_year != current_year():
            raise


def _require_storable(totals: ControlTotals, largest: LargestAmount, landed: LandedFile) -> None:
    if max(totals.sizes(), default=0) >= _TOO_MUCH:
        problem = (
            f"its amounts add up to more than BRL {_TOO_MUCH:,}: line {largest.line:,} alone has {largest.amount:,.2f}"
        )
        raise RawFileError(landed.path, problem, "Look whether another column stands in the place of the amounts.")


def _rows_of_its_year(block: pa.Table, source: PublishedCsv) -> int:
    """How many rows say that they are of the file's year; all, where rows don't say."""
    count: int = block.num_rows
    if source.stated_year_column:
        count = pc.sum(pc.equal(block[source.stated_year_column], str(source.only_year))).as_py() or 0
    return count


@contextmanager
def _text(
    archive: Archive, zone: LandingZone, landed: LandedFile, source: PublishedCsv, sha256: str
) -> "Iterator[io.BufferedReader[Any]]":
    """The landed file's text; the file is archived on the way, a zip before it, for it can't be read in one go."""
    with archive.keep(zone, landed, source, sha256) as stream:
        if not landed.name.endswith(".zip"):
            yield stream
            return
    with archive.open(source, sha256, landed.name) as copy, zipped.open_member(copy, landed.path, source) as text:
        yield text


class _Writers:
    """One Parquet file per year, open until all lines are read: the publisher's years may stand in any order.

    A block is numbered and written while the next one is parsed: each takes about half of the time, on a core of its
    own.
    """

    def __init__(self, table: IcebergTable, prefix: str, lines: EqualLines) -> None:
        self._lines = lines
        self._schema = iceberg.arrow_schema(table)
        self._filesystem, self._folder = iceberg.filesystem_and_path(table, prefix)
        self._writers: dict[int, pq.ParquetWriter] = {}
        self._thread = ThreadPoolExecutor(1)
        self._pending: Future[None] | None = None

    def __enter__(self) -> "_Writers":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()
        for writer in self._writers.values():
            writer.close()
        self._wait()

    def write(self, block: pa.Table) -> None:
        self._wait()
        self._pending = self._thread.submit(self._write, block)

    def _wait(self) -> None:
        if self._pending:
            self._pending.result()

    def _write(self, block: pa.Table) -> None:
        block = self._lines.numbered(block).select(self._schema.names).cast(self._schema)
        years = pc.unique(block[YEAR]).to_pylist()
        for year in years:
            self._writer(year).write_table(block if len(years) == 1 else block.filter(pc.equal(block[YEAR], year)))

    def _writer(self, year: int) -> pq.ParquetWriter:
        if year not in self._writers:
            make_folder(self._filesystem, self._folder)
            path = f"{self._folder}/{year}.parquet"
            # Without dictionaries of texts: nobody queries lines, and Spark reads them faster as they are.
            self._writers[year] = pq.ParquetWriter(
                path, self._schema, filesystem=self._filesystem, compression="zstd", use_dictionary=False
            )
        return self._writers[year]
