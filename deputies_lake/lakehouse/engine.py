"""The seam between the lake and what computes it: Spark, or Sail, which runs in this process and needs no Java.

Both are spoken to through PySpark, so no transformation knows which of them runs it: Sail is a server of Spark Connect,
and its frames are told from Spark's by their class. Here belongs what the two do differently around a transformation:
starting a session, writing files that carry Iceberg's field ids, and counting the rows that were written. How to choose
between them, and what they compute differently, is in `docs/engines.md`.
"""

import re
import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.table import Table

from deputies_lake import contracts
from deputies_lake.contracts import YEAR
from deputies_lake.environments import ENGINE, SPARK_MEMORY, SettingsError, prepare_sail
from deputies_lake.lakehouse import iceberg

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_ROWS_HELD: Final = 131_072
"""Rows of a file that are held until they are written, as one row group."""

# Of what does not spill: one side of a join.
_OUT_OF_MEMORY: Final = "Failed to allocate additional"
_PANIC: Final = re.compile(r'task \d+ panicked with message "(?P<words>.*?)"')

_STARTING: Final = threading.Lock()
_SERVERS: Final[list[Any]] = []


class PanicError(RuntimeError):
    """Sail failed by a fault of its own, whatever it was given. Says with which words, and what else can be done."""

    def __init__(self, words: str) -> None:
        super().__init__(
            f"Sail, which computes the tables, panicked: {words}. Nothing was published, the tables stay as they were. "
            f"To have Spark compute them, unset {ENGINE}"
        )


def sail_session(memory: str) -> "SparkSession":
    """The session of this process's own Sail, which is started when it is first asked for.

    `memory` is what it may hold of rows, such as `1g`. From then on PySpark makes columns for Spark Connect, so a
    process keeps the engine it began with. Raises `SettingsError` where Sail is not installed.
    """
    with _STARTING:
        return _start_sail(memory)


@cache
def _start_sail(memory: str) -> "SparkSession":
    try:
        from pysail.spark import SparkConnectServer
    except ImportError as missing:
        raise SettingsError(
            f"{ENGINE}=sail, but Sail is not installed: pip install 'deputies-lake[sail]', or unset {ENGINE}"
        ) from missing
    from pyspark.sql import SparkSession

    prepare_sail(memory)
    server = SparkConnectServer()
    server.start()
    # It ends when nothing refers to it any more.
    _SERVERS.append(server)
    _, port = server.listening_address
    session: SparkSession = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    return session


def read(session: "SparkSession", table: Table, years: Collection[int] | None = None) -> "DataFrame":
    """The table's current rows, of `years` only where given.

    Sail finds columns by name. That is enough for a table that only `iceberg.ensure_table` evolves: it renames none.
    """
    return iceberg.read(session, table, years, for_spark=_is_sparks(session))


def name_of(frame: "DataFrame") -> str:
    """What computes the frame, with its version, for people: `Spark 3.5.6`."""
    return f"Spark {frame.sparkSession.version}" if _is_sparks(frame) else f"Sail {version('pysail')}"


def write(frame: "DataFrame", contract: contracts.Table, table: Table, prefix: str) -> int:
    """Write the frame's rows as files of the table below a prefix, and say how many there were.

    Of a table by years each file holds one year. Raises `PanicError`, after which Sail goes on: it was one task's.
    Raises `SettingsError` where Sail would need more memory than it is given.
    """
    # For those who query a table, texts that repeat are written once. The staging layer's rows are read once or twice
    # by the star: to look each text up takes a quarter of the step there, and saves a sixth of the bytes.
    has_dictionary = contract.layer != "staging"
    place = dict.fromkeys([*([YEAR] if contract.partitioned else []), *contract.key])
    if _is_sparks(frame):
        # Stamped with field ids last: any later projection would drop them.
        return _have_spark_write(iceberg.project(frame, table, place), contract, prefix, has_dictionary)
    rows = iceberg.project(frame, table, place, with_ids=False)
    return _write_what_sail_computes(rows, contract, table, prefix, has_dictionary)


def _is_sparks(one: "DataFrame | SparkSession") -> bool:
    # Of Spark Connect both are classes of their own.
    from pyspark.sql import DataFrame, SparkSession

    return isinstance(one, DataFrame | SparkSession)


def _have_spark_write(rows: "DataFrame", contract: contracts.Table, prefix: str, has_dictionary: bool) -> int:
    from pyspark.sql import Observation
    from pyspark.sql import functions as F

    # A pool of its own: where Spark schedules fairly, small tables don't wait until a large one is written.
    rows.sparkSession.sparkContext.setLocalProperty("spark.scheduler.pool", contract.name)
    counted = Observation()
    observed = rows.observe(counted, F.count(F.lit(1)).alias("rows"))
    # The copy becomes the directory's name and leaves the file; the year itself must stay in the file.
    if contract.partitioned:
        writer = observed.withColumn("_year", F.col(YEAR)).write.partitionBy("_year")
    else:
        writer = observed.write
    writer.mode("errorifexists").option("parquet.enable.dictionary", has_dictionary).parquet(prefix)
    return int(counted.get["rows"])


def _write_what_sail_computes(
    rows: "DataFrame", contract: contracts.Table, table: Table, prefix: str, has_dictionary: bool
) -> int:
    """Sail writes no field ids, so its batches are written here as they come, never a whole table at once."""
    schema = iceberg.arrow_schema(table)
    filesystem, _ = iceberg.filesystem_and_path(table, prefix)
    written = 0
    with ExitStack() as opened:
        files: dict[str, _File] = {}
        for batch in _batches(rows):
            written += batch.num_rows
            for part, of_part in (
                _by_year(batch.cast(schema)) if contract.partitioned else [("all", batch.cast(schema))]
            ):
                if part not in files:
                    _, path = iceberg.filesystem_and_path(table, f"{prefix}/{part}.parquet")
                    iceberg.provide_directory(filesystem, path)
                    writer = pq.ParquetWriter(
                        path, schema, filesystem=filesystem, compression="zstd", use_dictionary=has_dictionary
                    )
                    files[part] = opened.enter_context(closing(_File(writer)))
                files[part].add(of_part)
    return written


def _batches(rows: Any) -> Iterator[pa.Table]:
    """Of a frame of Spark Connect, in the order in which they are computed."""
    from pyspark.errors import PySparkException

    # PySpark 3.5 hands Arrow on to its own conversions only.
    client = rows._session.client  # noqa: SLF001
    try:
        for answer in client.to_table_as_iterator(rows._plan.to_proto(client)):  # noqa: SLF001
            if isinstance(answer, pa.Table):
                yield answer
    except PySparkException as error:
        if panic := _PANIC.search(str(error)):
            raise PanicError(panic["words"]) from error
        if _OUT_OF_MEMORY in str(error):
            raise SettingsError(
                f"Sail needs more memory than {SPARK_MEMORY} lets it have. Set that to more, or unset {ENGINE}: Spark "
                "needs no more for more rows. Nothing was published, the tables stay as they were"
            ) from error
        raise


def _by_year(batch: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    years = batch[YEAR]
    for year in pc.unique(years):
        yield str(year), batch.filter(pc.equal(years, year))


class _File:
    """A file that gets its rows in pieces, and writes many at a time: small row groups would be read slowly."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._held: list[pa.Table] = []
        self._rows = 0

    def add(self, rows: pa.Table) -> None:
        self._held.append(rows)
        self._rows += rows.num_rows
        if self._rows >= _ROWS_HELD:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.concat_tables(self._held))
        self._held, self._rows = [], 0
