"""Apache Iceberg's Rust implementation as a second reader: from a table's metadata to its rows without PyIceberg.

It stands in for Athena and Redshift, which can't be had on this machine: what an implementation that shares no code
with the writer reads by field ids, they read, too.
"""

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pyarrow as pa

from deputies_lake_tests.lakehouse.workers import PROCESSES


def read(locations: Mapping[str, str], storage: Mapping[str, str]) -> Mapping[str, pa.Table]:
    """The rows of each table, given where its current metadata are. `storage` says how S3 is reached."""
    # It waits for S3 without letting go of the interpreter, whose threads may be what serves it.
    with ProcessPoolExecutor(1, PROCESSES) as pool:
        return pool.submit(_read, locations, storage).result()


def _read(locations: Mapping[str, str], storage: Mapping[str, str]) -> Mapping[str, pa.Table]:
    from datafusion import SessionContext

    session = SessionContext()
    for name, location in locations.items():
        session.register_table(f'"{name}"', _Table(location, storage))
    return {name: session.sql(f'SELECT * FROM "{name}"').to_arrow_table() for name in locations}


class _Table:
    """A table as DataFusion takes it."""

    def __init__(self, location: str, storage: Mapping[str, str]) -> None:
        self._location, self._storage = location, storage

    def __datafusion_table_provider__(self, session: Any) -> Any:
        from pyiceberg_core.datafusion import IcebergDataFusionTable

        table = IcebergDataFusionTable(("lake", "table"), self._location, dict(self._storage))
        return table.__datafusion_table_provider__(session)
