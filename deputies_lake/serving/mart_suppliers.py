"""serving.mart_suppliers: who was paid, a company's branches joined under the root of its CNPJ (question 6).

Official phones, tolls, taxis and the like have numbers of their own that are no company's: `supplier_id_kind` is
`functional`. Private persons appear under a masked id.
"""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import YEAR, Table
from deputies_lake.serving.columns import DEPUTIES, MEASURES, OF_YEAR, SOURCE_CODE, SUPPLIER, TOTALS, count
from deputies_lake.serving.marts import Star, by_year, measures, with_supplier
from deputies_lake.serving.suppliers import ONLY_DEPUTY, ROOT, customers, with_only_deputy

TABLE: Final = Table(
    layer="serving",
    name="mart_suppliers",
    pt="Fornecedores por ano, as filiais de uma empresa juntas.",
    en="Suppliers by year, a company's branches joined.",
    grain="one row per year and company; persons, and whatever has no CNPJ, for themselves; key, id and name are those "
    "of the branch that was paid most",
    partitioned=True,
    columns=(
        OF_YEAR,
        *SUPPLIER,
        ROOT,
        SOURCE_CODE,
        count("branches", "filiais pagas no ano", "branches paid in the year", "supplier_key"),
        DEPUTIES,
        *ONLY_DEPUTY,
        *MEASURES,
    ),
    key=(YEAR, "supplier_key"),
    totals=TOTALS,
)


def transform(star: Star) -> DataFrame:
    """One row per year and company."""
    paid_most = (
        star.receipts.groupBy(YEAR, "company", "supplier_key")
        .agg(F.sum("_spent").alias("_spent"))
        .groupBy(YEAR, "company")
        .agg(
            F.max(F.struct("_spent", "supplier_key"))["supplier_key"].alias("supplier_key"),
            F.count(F.lit(1)).alias("branches"),
        )
    )
    rows = by_year(star.receipts, "company").agg(*customers(), *measures())
    rows = rows.join(paid_most, on=[YEAR, "company"], how="left")
    return with_only_deputy(with_supplier(rows, star, "supplier_root"), star).select(*TABLE.column_names)
