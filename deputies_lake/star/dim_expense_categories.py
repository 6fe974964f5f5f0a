"""star.dim_expense_categories: what money may be spent on, conformed across sources by the House's code.

Labels change and differ between sources, the code (`numSubCota`) stays. A label without a code loads as itself.
"""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import Column, Table
from deputies_lake.reference import tables
from deputies_lake.star.keys import expense_category_key
from deputies_lake.star.literals import frame_of
from deputies_lake.star.mentions import mentions

_EXPENSES: Final = "stg_kaggle_reimbursements"

TABLE: Final = Table(
    layer="star",
    name="dim_expense_categories",
    pt="Categorias de despesa pelo código da Câmara, com nomes em português e inglês.",
    en="Expense categories by the House's code, with names in Portuguese and English.",
    grain="one row per category code, one per label without a code, one for unknown",
    columns=(
        Column(
            name="expense_category_key",
            type="bigint",
            pt="chave substituta",
            en="surrogate key",
            source=(f"{_EXPENSES}.expense_category_id", f"{_EXPENSES}.expense_category_label"),
        ),
        Column(
            name="expense_category_id",
            pt="código da Câmara; 9+999 onde o Kaggle não distingue; nulo se não há código",
            en="the House's code; 9+999 where Kaggle does not tell two apart; null where there is none",
            source=(f"{_EXPENSES}.expense_category_id",),
            published="numSubCota",
            nullable=True,
            example="3",
        ),
        Column(
            name="name_pt",
            pt="nome em português",
            en="name in Portuguese",
            published="txtDescricao",
            example="Combustíveis e lubrificantes",
        ),
        Column(name="name_en", pt="nome em inglês", en="name in English", example="Fuels and lubricants"),
        Column(
            name="group_pt",
            pt="grupo, estável entre anos e fontes",
            en="group in Portuguese, stable across years and sources",
            example="Combustíveis",
        ),
        Column(name="group_en", pt="grupo em inglês", en="group in English", example="Fuel"),
        Column(
            name="kaggle_label",
            pt="rótulo no Kaggle",
            en="the label in Kaggle's file",
            source=(f"{_EXPENSES}.expense_category_label",),
            published="receipt_description",
            nullable=True,
            example="Fuels and lubricants.",
        ),
        Column(name="note", pt="observação", en="note", nullable=True),
    ),
    key=("expense_category_key",),
)


def transform(expenses: DataFrame) -> DataFrame:
    """From staged expenses (`expense_category_id`, `expense_category_label`): the reference and unmapped labels."""
    names = ("expense_category_id", "name_pt", "name_en", "group_pt", "group_en")
    labels = {code: label for label, code in tables.category_ids("kaggle_reimbursements").items()}
    known = [
        (*(row[name] for name in names), labels.get(row["expense_category_id"]), row["note"] or None)
        for row in tables.rows("expense_categories")
    ]
    unknown = (None, "Desconhecida", "Unknown", "Desconhecido", "Unknown", None, None)
    reference = frame_of(expenses.sparkSession, (*names, "kaggle_label", "note"), [*known, unknown])
    label = F.col("expense_category_label")
    without_code = expenses.where(F.col("expense_category_id").isNull())
    unmapped = mentions(without_code, "expense_category_label").select(
        F.lit(None).cast("string").alias("expense_category_id"),
        label.alias("name_pt"),
        label.alias("name_en"),
        F.lit("Sem código").alias("group_pt"),
        F.lit("Without a code").alias("group_en"),
        label.alias("kaggle_label"),
        F.lit("Label not in the reference: it loads as itself").alias("note"),
    )
    return reference.unionByName(unmapped).select(
        expense_category_key(F.col("expense_category_id"), F.col("kaggle_label")).alias("expense_category_key"),
        *names,
        "kaggle_label",
        "note",
    )
