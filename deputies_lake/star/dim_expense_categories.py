"""star.dim_expense_categories: what money may be spent on, conformed across sources by the House's code.

Labels change and differ between sources, the code (`numSubCota`) stays. A code that the reference does not have loads
as itself, named as in the file; so does a label without a code.
"""

from collections.abc import Mapping
from typing import Final

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import Column, Table
from deputies_lake.reference import tables
from deputies_lake.star.expenses import HOUSE, KAGGLE, SOURCE_CODES, staged
from deputies_lake.star.keys import expense_category_key
from deputies_lake.star.literals import frame_of
from deputies_lake.star.mentions import mentions

_NAMES: Final = ("expense_category_id", "name_pt", "name_en", "group_pt", "group_en")

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
            source=staged("expense_category_id", "expense_category_label"),
        ),
        Column(
            name="expense_category_id",
            pt="código da Câmara; 9+999 onde o Kaggle não distingue; nulo se não há código",
            en="the House's code; 9+999 where Kaggle does not tell two apart; null where there is none",
            source=staged("expense_category_id"),
            published="numSubCota",
            nullable=True,
            example="3",
        ),
        Column(
            name="name_pt",
            pt="nome em português",
            en="name in Portuguese",
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
            source=staged("expense_category_label"),
            published="receipt_description",
            nullable=True,
            example="Fuels and lubricants.",
        ),
        Column(
            name="chamber_label",
            pt="rótulo mais recente nos arquivos da Câmara",
            en="the latest label in the House's files",
            source=staged("expense_category_label"),
            published="txtDescricao",
            nullable=True,
            example="COMBUSTÍVEIS E LUBRIFICANTES.",
        ),
        Column(name="note", pt="observação", en="note", nullable=True),
    ),
    key=("expense_category_key",),
    referred_by=("fct_expenses",),
)


def transform(expenses: DataFrame) -> DataFrame:
    """From `conformed` expenses (`expense_category_*`, `source_code`, `year`): the reference and what it lacks."""
    kaggle, house = _latest_labels(KAGGLE), _latest_labels(HOUSE)
    known = [
        (
            *(row[name] for name in _NAMES),
            *(labels.get(row["expense_category_id"]) for labels in (kaggle, house)),
            row["note"] or None,
        )
        for row in tables.rows("expense_categories")
    ]
    unknown = (None, "Desconhecida", "Unknown", "Desconhecido", "Unknown", None, None, None)
    columns = (*_NAMES, "kaggle_label", "chamber_label", "note")
    reference = frame_of(expenses.sparkSession, columns, [*known, unknown])
    key = expense_category_key(F.col("expense_category_id"), F.coalesce("chamber_label", "kaggle_label"))
    return reference.unionByName(_not_in_reference(expenses)).select(key.alias("expense_category_key"), *columns)


def _latest_labels(source: Table) -> Mapping[str, str]:
    """By code. The reference has a category's labels in the order of time."""
    return {code: label for label, code in tables.category_ids(SOURCE_CODES[source]).items()}


def _not_in_reference(expenses: DataFrame) -> DataFrame:
    code, label = F.col("expense_category_id"), F.col("expense_category_label")
    is_known = code.isin([row["expense_category_id"] for row in tables.rows("expense_categories")])
    unlisted = mentions(
        expenses.where(is_known.isNull() | ~is_known),
        *("source_code", "year", "expense_category_id", "expense_category_label"),
    )

    def latest(source: Table | None = None) -> SparkColumn:
        mentioned = F.struct("year", label)
        of_source = mentioned if source is None else F.when(F.col("source_code") == SOURCE_CODES[source], mentioned)
        return F.max(of_source)["expense_category_label"]

    named = unlisted.groupBy(code, F.when(code.isNull(), label)).agg(
        latest().alias("name_pt"), latest(KAGGLE).alias("kaggle_label"), latest(HOUSE).alias("chamber_label")
    )
    return named.select(
        code,
        "name_pt",
        F.col("name_pt").alias("name_en"),
        F.when(code.isNull(), "Sem código").otherwise("Sem grupo").alias("group_pt"),
        F.when(code.isNull(), "Without a code").otherwise("Without a group").alias("group_en"),
        "kaggle_label",
        "chamber_label",
        F.concat(
            F.when(code.isNull(), "Label").otherwise("Code"), F.lit(" not in the reference: it loads as itself")
        ).alias("note"),
    )
