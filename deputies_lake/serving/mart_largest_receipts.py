"""serving.mart_largest_receipts: the largest receipts of a year, of each category and of each payer (question 8).

Large is not wrong: a publicity campaign costs more than a taxi. How far a receipt is from others of its category:
`mart_outliers`.
"""

from typing import Final

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from deputies_lake.contracts import MONEY, YEAR, Column, Table
from deputies_lake.serving.columns import (
    CATEGORY,
    DEPUTY,
    OF_YEAR,
    PARTY_LABEL,
    PAYER_KIND,
    SOURCE_CODE,
    STATE_CODE,
    SUPPLIER,
    of_fact,
)
from deputies_lake.serving.marts import Star, named, with_category, with_deputy, with_supplier
from deputies_lake.star import fct_expenses

LARGEST_OF_YEAR: Final = 100
LARGEST_OF_CATEGORY: Final = 20
LARGEST_OF_PAYER: Final = 5


def _rank(name: str, pt: str, en: str, *of: str) -> Column:
    return Column(name=name, type="int", pt=pt, en=en, source=of_fact("net_amount", "document_amount", *of))


_OF_THE_FACT: Final = tuple(
    column
    for column in fct_expenses.TABLE.columns
    if column.name in {"document_id", "document_number", "receipt_url", "document_amount", "deduction_amount"}
)

TABLE: Final = Table(
    layer="serving",
    name="mart_largest_receipts",
    pt="Maiores recibos do ano, de cada categoria e de cada pagador.",
    en="Largest receipts of the year, of each category and of each payer.",
    grain=f"one row per receipt among the {LARGEST_OF_YEAR} largest of its year, the {LARGEST_OF_CATEGORY} of its "
    f"category or the {LARGEST_OF_PAYER} of its payer",
    partitioned=True,
    columns=(
        OF_YEAR,
        Column(
            name="expense_key",
            type="bigint",
            pt="chave do recibo em fct_expenses",
            en="the receipt's key in fct_expenses",
            source=of_fact("expense_key"),
        ),
        _rank("rank_of_year", "posição no ano", "rank in the year"),
        _rank("rank_of_category", "posição na categoria", "rank in the category", "expense_category_key"),
        _rank("rank_of_payer", "posição no pagador", "rank of the payer's", "deputy_key"),
        Column(
            name="date",
            type="date",
            pt="data do recibo; nula se desconhecida",
            en="the receipt's date; null where unknown",
            source=of_fact("date_key"),
            published="datEmissao",
            nullable=True,
        ),
        *DEPUTY,
        PAYER_KIND,
        PARTY_LABEL,
        STATE_CODE,
        *CATEGORY,
        *SUPPLIER,
        SOURCE_CODE,
        Column(
            name="spent_amount",
            type=MONEY,
            pt="valor líquido em BRL; dos anos do Kaggle, o do documento",
            en="net value in BRL; in Kaggle's years the document's",
            source=of_fact("net_amount", "document_amount"),
        ),
        *(
            Column(
                name=column.name,
                type=column.type,
                pt=column.pt,
                en=column.en,
                source=of_fact(column.name),
                published=column.published,
                nullable=column.nullable,
                example=column.example,
            )
            for column in _OF_THE_FACT
        ),
    ),
    key=("expense_key",),
)


def transform(star: Star) -> DataFrame:
    """One row per receipt that is among the largest."""
    # The key breaks ties, so that every run ranks alike.
    largest_first = [F.desc("_spent"), F.asc("expense_key")]

    def rank(*of: str) -> SparkColumn:
        return F.row_number().over(Window.partitionBy(YEAR, *of).orderBy(*largest_first))

    # All receipts are sorted for each rank: by few columns, what is told of the largest is looked up afterwards.
    ranks = star.receipts.select(
        "expense_key",
        rank().alias("rank_of_year"),
        rank("expense_category_key").alias("rank_of_category"),
        rank("deputy_key").alias("rank_of_payer"),
    ).where(
        (F.col("rank_of_year") <= LARGEST_OF_YEAR)
        | (F.col("rank_of_category") <= LARGEST_OF_CATEGORY)
        | (F.col("rank_of_payer") <= LARGEST_OF_PAYER)
    )
    rows = star.fact.join(F.broadcast(ranks), on="expense_key", how="inner")
    rows = with_supplier(with_category(with_deputy(rows, star, "payer_kind"), star), star)
    rows = named(rows, star.dates, "date_key", ["date"])
    rows = named(rows, star.parties, "party_key", ["party_label"])
    rows = named(rows, star.states, "state_key", ["state_code"])
    return rows.withColumn("spent_amount", F.coalesce("net_amount", "document_amount")).select(*TABLE.column_names)
