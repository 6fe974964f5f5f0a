"""Where tables are found: the catalogs, and a contract's table in one of them, made or brought up to the contract."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table, Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import (
    NestedField,
)
from sqlalchemy.exc import IntegrityError

from deputies_lake import contracts
from deputies_lake.contracts import YEAR
from deputies_lake.lakehouse.damage import reading_metadata
from deputies_lake.lakehouse.iceberg.schemas import iceberg_type
from deputies_lake.lakehouse.local_home import open_catalog

_CATALOG: Final = "deputies_lake"
_DATABASE_PREFIX: Final = "deputies-lake.database-prefix"
_FILE_IO: Final = {"py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"}
_TABLE_PROPERTIES: Final = {
    "write.parquet.compression-codec": "zstd",
    # PyIceberg doubles its wait up to a minute: many short waits let parallel years through sooner.
    "commit.retry.num-retries": "20",
    "commit.retry.max-wait-ms": "2000",
    # Each commit writes the whole metadata anew, and the new copy knows all that the old ones did.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}
_T = TypeVar("_T")


def local_catalog(root: Path) -> Catalog:
    """The catalog of a lake in a local directory, which is made if it is missing. Raises `LakeError`."""
    return open_catalog(_CATALOG, root, _FILE_IO)


def glue_catalog(warehouse: str, region: str | None, database_prefix: str = "", endpoint: str | None = None) -> Catalog:
    """The AWS Glue catalog of a region. Credentials are found as boto3 finds them.

    Args:
        warehouse: `s3://` location under which tables are created, where their database names none.
        region: AWS region of catalog and bucket.
        database_prefix: what the names of the layers' databases begin with, for a region may hold several lakes.
        endpoint: where an emulated Glue and S3 listen.
    """
    # boto3 is slow to import, and a lake in a local directory does without it.
    from pyiceberg.catalog.glue import GlueCatalog

    settings = {"warehouse": warehouse, "client.region": region, _DATABASE_PREFIX: database_prefix, **_FILE_IO}
    if endpoint:
        settings |= {"glue.endpoint": endpoint, "s3.endpoint": endpoint}
    return GlueCatalog(_CATALOG, **settings)


def load_table(catalog: Catalog, layer: str, name: str) -> Table:
    """A table as it is now. Raises `NoSuchTableError`, `DamagedTableError`."""
    with reading_metadata(f"{layer}.{name}"):
        return catalog.load_table((database_of(catalog, layer), name))


def table_names(catalog: Catalog, layer: str) -> list[str]:
    """The names of all tables of a layer."""
    database = database_of(catalog, layer)
    return [name for _, name in catalog.list_tables(database)] if catalog.namespace_exists(database) else []


def ensure_table(catalog: Catalog, contract: contracts.Table) -> Table:
    """The contract's table, created or brought up to the contract.

    Columns are added, types widened and descriptions renewed. No column is ever dropped or narrowed. Others
    may do the same at the same time.

    Raises:
        ValidationError: a column's type changed in a way that old files cannot follow.
        ValueError: the contract is partitioned and the table is not, or the other way round.
    """
    # Iceberg's `required` is not used. Spark seldom knows that a column has no nulls and declares it
    # optional, a required column can't be added to a table, and PyIceberg reads nulls from one without a
    # word.
    schema = Schema(
        *(
            NestedField(field_id, column.name, iceberg_type(column.type), doc=column.description)
            for field_id, column in enumerate(contract.columns, start=1)
        )
    )
    lost_races = (CommitFailedException, TableAlreadyExistsError, IntegrityError)
    return repeated(lambda: _create_or_evolve(catalog, contract, schema), *lost_races)


def _create_or_evolve(catalog: Catalog, contract: contracts.Table, schema: Schema) -> Table:
    properties = {**_TABLE_PROPERTIES, "comment": contract.en}
    try:
        table = load_table(catalog, contract.layer, contract.name)
    except NoSuchTableError:
        database = database_of(catalog, contract.layer)
        catalog.create_namespace_if_not_exists(database)
        spec = UNPARTITIONED_PARTITION_SPEC
        if contract.partitioned:
            spec = PartitionSpec(PartitionField(schema.find_field(YEAR).field_id, 1000, IdentityTransform(), YEAR))
        return catalog.create_table(
            (database, contract.name), schema, partition_spec=spec, properties={**properties, "format-version": "2"}
        )
    if is_partitioned(table) is not contract.partitioned:
        raise ValueError(f"{contract.identifier}: partitioning by {YEAR} can't be changed; drop the table first")
    with _Transaction(table) as transaction:
        with transaction.update_schema() as update:
            update.union_by_name(schema)
        if renewed := {k: v for k, v in properties.items() if table.properties.get(k) != v}:
            transaction.set_properties(renewed)
    return table


def set_properties(table: Table, properties: Mapping[str, str]) -> None:
    """Set properties of the table; its versions stay as they are."""

    def renew() -> None:
        with _Transaction(table.refresh()) as transaction:
            transaction.set_properties(dict(properties))

    repeated(renew, CommitFailedException)


class _Transaction(Transaction):
    """PyIceberg's, which copies the metadata of all versions each time it looks at it: some 25 times for one commit.

    Here it is copied when it changed, so that a commit to a table of hundreds of versions takes no longer.
    """

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        self._seen: tuple[TableMetadata, object, TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        base, updates = self._table.metadata, self._updates
        if self._seen is None or self._seen[0] is not base or self._seen[1] is not updates:
            self._seen = (base, updates, super().table_metadata)
        return self._seen[2]


def repeated(action: Callable[[], _T], *lost_races: type[Exception]) -> _T:
    """Repeat what failed because another process did the same first. A failure that persists is raised."""
    for _ in range(9):
        try:
            return action()
        except lost_races:
            continue
    return action()


def database_of(catalog: Catalog, layer: str) -> str:
    return f"{catalog.properties.get(_DATABASE_PREFIX, '')}{layer}"


def identifier(table: Table) -> str:
    """`layer.name`, whatever the catalog calls the layer's database."""
    database, name = table.name()[-2:]
    return f"{database.removeprefix(table.catalog.properties.get(_DATABASE_PREFIX, ''))}.{name}"


def name_of(table: Table) -> str:
    return ".".join(table.name())


def is_partitioned(table: Table) -> bool:
    return not table.spec().is_unpartitioned()
