"""staging.rejected_rows: every line of every source that could not be read, with its reason.

What went in is either in a source's staging table or here; the blocking check of those tables counts on it. Which
rows are rejected is decided in each source's `judge`, not here.
"""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import MONEY, YEAR, Column, Table, Totals
from deputies_lake.raw.published_csv import PublishedCsv
from deputies_lake.staging.texts import readable_amount

TOTALS: Final = Totals(by=(YEAR, "expense_category_label"), amount="document_amount")

TABLE: Final = Table(
    layer="staging",
    name="rejected_rows",
    pt="Linhas que não puderam ser lidas, com o motivo.",
    en="Lines that could not be read, with the reason.",
    grain="one row per rejected line of a source's file",
    partitioned=True,
    columns=(
        Column(
            name=YEAR,
            type="int",
            pt="ano da cota; linhas sem ano legível ficam no ano da linha acima",
            en="quota year; a line without a readable year is filed under the year of the line above it",
            example="2013",
        ),
        Column(name="source_code", pt="fonte", en="the source", example="kaggle_reimbursements"),
        Column(name="source_file", pt="arquivo", en="the file", example="deputies_dataset.csv"),
        Column(name="source_line", type="bigint", pt="linha no arquivo", en="line in the file", example="4711"),
        Column(
            name="rejection_reason",
            pt="por que a linha não pôde ser lida",
            en="why the line could not be read",
            example="receipt_value is not an amount: 1.234,56",
        ),
        Column(
            name="line_text",
            pt="o texto da linha; se foi dividida em campos, recomposto a partir deles",
            en="the line's text; where it could be split into fields, put together again from them",
        ),
        Column(
            name="expense_category_label",
            pt="categoria como publicada; vazia se ilegível",
            en="category as published; empty where it can't be read",
        ),
        Column(
            name="document_amount",
            type=MONEY,
            pt="valor em BRL, se legível",
            en="the amount in BRL, where it can be read",
            nullable=True,
        ),
    ),
    key=("source_code", YEAR, "source_line"),
    totals=TOTALS,
)


def transform(judged: DataFrame, source: PublishedCsv, source_file: str) -> DataFrame:
    """The rows of a judged raw table that have a `rejection_reason`, with this table's columns."""
    as_published = {
        "emptyValue": "",
        "escape": '"',
        "ignoreLeadingWhiteSpace": "false",
        "ignoreTrailingWhiteSpace": "false",
    }
    line_again = F.to_csv(F.struct(*source.columns), as_published)
    return judged.where(F.col("rejection_reason").isNotNull()).select(
        YEAR,
        F.lit(source.source_code).alias("source_code"),
        F.lit(source_file).alias("source_file"),
        "source_line",
        "rejection_reason",
        F.coalesce("unreadable_text", line_again).alias("line_text"),
        F.col(source.category_column).alias("expense_category_label"),
        readable_amount(F.col(source.amount_column)).alias("document_amount"),
    )
