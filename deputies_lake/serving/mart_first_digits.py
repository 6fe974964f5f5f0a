"""serving.mart_first_digits: how often documents' values begin with each digit, and how often they would (question 9).

Benford's law says what to expect of amounts that grow and multiply. Quotas, limits and usual prices bend it: a
deviation is a hint where to read on, and proves nothing.
"""

import math
from decimal import Decimal
from typing import Final

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from deputies_lake.contracts import SHARE, YEAR, Column, Table
from deputies_lake.serving.columns import OF_YEAR, SOURCE_CODE, count, of_fact, share
from deputies_lake.serving.marts import Star, by_year, ratio

TABLE: Final = Table(
    layer="serving",
    name="mart_first_digits",
    pt="Primeiro algarismo do valor dos documentos, comparado à lei de Benford.",
    en="First digit of the documents' values, compared with Benford's law.",
    grain="one row per year and digit, of documents with a value above zero",
    partitioned=True,
    columns=(
        OF_YEAR,
        Column(
            name="first_digit",
            type="int",
            pt="primeiro algarismo que não é zero",
            en="first digit that is not zero",
            source=of_fact("document_amount"),
            published="vlrDocumento",
            example="1",
        ),
        SOURCE_CODE,
        count("receipts", "número de recibos", "number of receipts", "expense_key"),
        share("share_of_receipts", "parte dos recibos", "share of the receipts", *of_fact("document_amount")),
        share("expected_share", "parte esperada pela lei de Benford", "share that Benford's law expects"),
    ),
    key=(YEAR, "first_digit"),
)

_BENFORD: Final = tuple(Decimal(f"{math.log10(1 + 1 / digit):.6f}") for digit in range(1, 10))


def transform(star: Star) -> DataFrame:
    """One row per year and digit that occurs."""
    # In cents leading zeros are gone: 0.07 BRL is 7.
    digit = F.substring(F.col("_document").cast("string"), 1, 1).cast("int")
    rows = by_year(star.receipts.where(F.col("_document") > 0), digit.alias("first_digit")).agg(
        F.count(F.lit(1)).alias("receipts")
    )
    of_year = F.sum("receipts").over(Window.partitionBy(YEAR))
    return rows.withColumns(
        {
            "share_of_receipts": ratio(F.col("receipts"), of_year),
            "expected_share": F.get(F.array(*map(F.lit, _BENFORD)), F.col("first_digit") - 1).cast(SHARE),
        }
    ).select(*TABLE.column_names)
