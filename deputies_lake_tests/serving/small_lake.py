"""A lake of invented rows, published without Spark and without an audit: the question is what readers do."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from deputies_lake.contracts import SHARE, Table
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.raw import file_versions
from deputies_lake.reference import tables as reference
from deputies_lake.serving import mart_deputies, mart_months, publications
from deputies_lake.star import dim_suppliers, fct_expenses, ref_known_gaps
from deputies_lake.star.shipped import typed

YEARS = (2016, 2025)
KEY = 1234567890123456789
HOUSE, KAGGLE = "chamber_expenses", "kaggle_reimbursements"
SHA = "ab" * 32


def row(contract: Table, **values: Any) -> dict[str, Any]:
    """A row with something of the right type in each column that must have something."""
    something = {
        "string": "x",
        "int": 0,
        "bigint": 0,
        "boolean": False,
        "date": date(2025, 3, 1),
        "timestamp_ntz": datetime(2025, 3, 1),  # noqa: DTZ001
        SHARE: Decimal(0),
    }
    blank = {c.name: None if c.nullable else something.get(c.type, Decimal(0)) for c in contract.columns}
    return {**blank, **values}


def commit(lake: Lake, contract: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Publish rows in the place of those of their years, or of all."""
    years = sorted({one["year"] for one in rows}) if contract.partitioned else None
    staged = lake.stage_rows(contract, lambda: rows, "run", years=years)
    iceberg.commit(staged.table, staged.files, years=years, expected_rows=len(rows), properties={})


def deputies(year: int, **values: Any) -> dict[str, Any]:
    source = KAGGLE if year < 2018 else HOUSE
    return row(mart_deputies.TABLE, year=year, source_code=source, **values)


def open_lake(home: Path) -> Lake:
    return Lake(iceberg.local_catalog(home / "warehouse"))


def build(home: Path) -> Lake:
    """Two years: 2016 is Kaggle's, 2025 the House's, of a file of 2 March 2025."""
    lake = open_lake(home)
    decided = {"year": 2025, "decision": "published", "sha256": SHA, "file_name": "Ano-2025.csv.zip"}
    moments = {"decided_at": datetime(2025, 3, 2, 5), "modified_at": datetime(2025, 3, 3, 1)}  # noqa: DTZ001
    commit(lake, file_versions.TABLE, [row(file_versions.TABLE, **decided, **moments)])
    commit(lake, ref_known_gaps.TABLE, typed(ref_known_gaps.TABLE, reference.rows("known_gaps")))
    commit(lake, dim_suppliers.TABLE, [row(dim_suppliers.TABLE, supplier_key=KEY, supplier_name="AUTO POSTO LTDA")])
    commit(
        lake,
        fct_expenses.TABLE,
        [
            row(fct_expenses.TABLE, year=2016, expense_key=1, source_code=KAGGLE, document_amount=Decimal(70)),
            row(fct_expenses.TABLE, year=2025, expense_key=2, source_code=HOUSE, net_amount=Decimal("-12.34")),
        ],
    )
    commit(
        lake,
        mart_deputies.TABLE,
        [
            deputies(2016, deputy_key=KEY, deputy_name="Fulana De Tal", spent_amount=Decimal("1234567.80")),
            deputies(
                2025, deputy_key=KEY, deputy_id="0074", deputy_name="=HYPERLINK(1)", spent_amount=Decimal("-0.50")
            ),
            deputies(2025, deputy_key=2, deputy_id="10/2013", deputy_name="José, o Velho", spent_amount=Decimal(3)),
        ],
    )
    commit(lake, mart_months.TABLE, [row(mart_months.TABLE, year=2025, month=3, source_code=HOUSE)])
    commit(lake, publications.TABLE, publications.rows(lake))
    return lake
