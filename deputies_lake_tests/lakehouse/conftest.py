from pathlib import Path

import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from deputies_lake.lakehouse import iceberg
from deputies_lake_tests.lakehouse.tables import EXPENSES


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A lake's directory of a kind that people have and that URIs would have to encode."""
    return tmp_path / "lago são joão"


@pytest.fixture
def catalog(root: Path) -> Catalog:
    return iceberg.local_catalog(root)


@pytest.fixture
def table(catalog: Catalog) -> Table:
    """An empty table, partitioned by year."""
    return iceberg.ensure_table(catalog, EXPENSES)
