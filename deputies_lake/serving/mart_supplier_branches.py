"""serving.mart_supplier_branches: who was paid, each tax id for itself (question 6).

A company's branches stand apart; joined under the company: `mart_suppliers`.
"""

from typing import Final

from pyspark.sql import DataFrame

from deputies_lake.contracts import YEAR, Table
from deputies_lake.serving.columns import DEPUTIES, MEASURES, OF_YEAR, SOURCE_CODE, SUPPLIER, TOTALS
from deputies_lake.serving.marts import Star, by_year, measures, with_supplier
from deputies_lake.serving.suppliers import ONLY_DEPUTY, ROOT, customers, with_only_deputy

TABLE: Final = Table(
    layer="serving",
    name="mart_supplier_branches",
    pt="Fornecedores por ano, um por CNPJ, CPF (oculto) ou nome.",
    en="Suppliers by year, one per CNPJ, CPF (hidden) or name.",
    grain="one row per year and supplier",
    partitioned=True,
    columns=(OF_YEAR, *SUPPLIER, ROOT, SOURCE_CODE, DEPUTIES, *ONLY_DEPUTY, *MEASURES),
    key=(YEAR, "supplier_key"),
    totals=TOTALS,
)


def transform(star: Star) -> DataFrame:
    """One row per year and supplier."""
    rows = by_year(star.receipts, "supplier_key").agg(*customers(), *measures())
    return with_only_deputy(with_supplier(rows, star, "supplier_root"), star).select(*TABLE.column_names)
