"""staging.rejected_rows: every line of every source that could not be read, with its reason.

What went in is either in a source's staging table or here; the blocking check of those tables counts on it. Which
rows are rejected is decided in each source's `judge`, not here.
"""

from collections.abc import Collection
from itertools import zip_longest
from typing import Final

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import MONEY, YEAR, Column, Table, Totals
from deputies_lake.raw.published_csv import PublishedCsv
from deputies_lake.reference.tables import category_ids
from deputies_lake.staging.tax_ids import redacted, redacted_label
from deputies_lake.staging.texts import readable_amount

TOTALS: Final = Totals(
    by=(YEAR, "expense_category_label"),
    amount="amount",
    also=("document_amount", "deduction_amount", "returned_amount"),
)
"""The amounts in the order in which sources declare theirs: the one they are reconciled by, then the House's others."""

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
            pt="o texto da linha, recomposto dos campos se foi dividida; sem dados pessoais, que só a camada raw tem",
            en="the line's text, put together again from its fields where it was split; without personal data, which "
            "raw alone has",
            nullable=True,
        ),
        Column(
            name="expense_category_label",
            pt="categoria como publicada; vazia se ilegível",
            en="category as published; empty where it can't be read",
        ),
        *(
            Column(
                name=name, type=MONEY, pt=f"{pt} em BRL, se legível", en=f"{en} in BRL, where readable", nullable=True
            )
            for name, pt, en in (
                ("amount", "o valor pelo qual a fonte é conferida", "the amount by which the source is reconciled"),
                ("document_amount", "valor do documento, só da Câmara", "the document's value, of the House only"),
                ("deduction_amount", "valor glosado, só da Câmara", "the disallowed part, of the House only"),
                ("returned_amount", "valor restituído, só da Câmara", "what was paid back, of the House only"),
            )
        ),
    ),
    key=("source_code", YEAR, "source_line"),
    totals=TOTALS,
)


def transform(judged: DataFrame, source: PublishedCsv, personal: Collection[str] = ()) -> DataFrame:
    """The rows of a judged raw table that have a `rejection_reason`, with this table's columns.

    `personal` columns are left empty in the line's text. A line that could not be split has none then.
    """
    amounts = (source.amount_column, *source.other_amount_columns)
    return judged.where(F.col("rejection_reason").isNotNull()).select(
        YEAR,
        F.lit(source.source_code).alias("source_code"),
        "source_file",
        "source_line",
        redacted(F.col("rejection_reason")).alias("rejection_reason"),
        redacted(_line_text(source, personal)).alias("line_text"),
        redacted_label(F.col(source.category_column), category_ids(source.source_code)).alias("expense_category_label"),
        *(_amount(published).alias(name) for name, published in zip_longest(TOTALS.amounts, amounts)),
    )


def _line_text(source: PublishedCsv, personal: Collection[str]) -> SparkColumn:
    as_published = {
        "sep": source.delimiter,
        "quoteAll": str(source.quotes_every_field).lower(),
        "emptyValue": "",
        "escape": '"',
        "ignoreLeadingWhiteSpace": "false",
        "ignoreTrailingWhiteSpace": "false",
    }
    fields = (F.lit("").alias(name) if name in personal else F.col(name) for name in source.columns)
    line_again = F.when(F.col("unreadable_text").isNull(), F.to_csv(F.struct(*fields), as_published))
    return line_again if personal else F.coalesce("unreadable_text", line_again)


def _amount(published: str | None) -> SparkColumn:
    """Null where the source has none, or where its text is no amount."""
    return readable_amount(F.col(published)) if published else F.lit(None).cast(MONEY)
