"""star.dim_document_types: what kind of document a receipt is, by the House's code.

Kaggle's file does not say it: its receipts have the unknown member. A code that the reference does not have loads as
itself.
"""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import Column, Table
from deputies_lake.reference import tables
from deputies_lake.star.expenses import staged
from deputies_lake.star.keys import UNKNOWN, document_type_key
from deputies_lake.star.literals import frame_of
from deputies_lake.star.mentions import mentions

TABLE: Final = Table(
    layer="star",
    name="dim_document_types",
    pt="Tipos de documento fiscal pelo código da Câmara.",
    en="Kinds of fiscal documents by the House's code.",
    grain="one row per document type, and one for unknown",
    columns=(
        Column(
            name="document_type_key",
            type="bigint",
            pt="chave substituta",
            en="surrogate key",
            source=staged("document_type_id"),
        ),
        Column(
            name="document_type_id",
            pt="código da Câmara; UNKNOWN se desconhecido",
            en="the House's code; UNKNOWN where it is not known",
            source=staged("document_type_id"),
            published="indTipoDocumento",
            example="4",
        ),
        Column(name="name_pt", pt="nome em português", en="name in Portuguese", example="Nota fiscal eletrônica"),
        Column(name="name_en", pt="nome em inglês", en="name in English", example="Electronic invoice (NF-e)"),
    ),
    key=("document_type_key",),
    referred_by=("fct_expenses",),
)


def transform(expenses: DataFrame) -> DataFrame:
    """From `conformed` expenses (`document_type_id`): the reference's types and any other code they mention."""
    columns = ("document_type_id", "name_pt", "name_en")
    known = [tuple(row[column] for column in columns) for row in tables.rows("document_types")]
    reference = frame_of(expenses.sparkSession, columns, [*known, (UNKNOWN, "Desconhecido", "Unknown")])
    code = F.col("document_type_id")
    unlisted = (
        mentions(expenses.where(code.isNotNull()), "document_type_id")
        .join(reference, on="document_type_id", how="left_anti")
        .select(code, code.alias("name_pt"), code.alias("name_en"))
    )
    return reference.unionByName(unlisted).select(document_type_key(code).alias("document_type_key"), *columns)
