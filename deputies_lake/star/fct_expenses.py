"""star.fct_expenses: the receipts, one row per published row, with keys into every dimension.

One year has one source, and `source_code` says which. No join: each key is computed from the row itself, by the
expression its dimension uses. Party and state are those the source states on the receipt.
"""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import MONEY, YEAR, Column, Reference, Table, Totals
from deputies_lake.star import keys

_EXPENSES: Final = "stg_kaggle_reimbursements"

TABLE: Final = Table(
    layer="star",
    name="fct_expenses",
    pt="Despesas reembolsadas: um recibo publicado por linha.",
    en="Reimbursed expenses: one published receipt a row.",
    grain="one row per readable row of the year's source",
    partitioned=True,
    columns=(
        Column(
            name=YEAR,
            type="int",
            pt="ano da cota, não o da data do recibo",
            en="quota year, not the year of the receipt's date",
            source=(f"{_EXPENSES}.year",),
            published="numAno",
            example="2013",
        ),
        Column(
            name="expense_key",
            type="bigint",
            pt="chave da linha, a mesma da camada staging",
            en="row key, the same as in the staging layer",
            source=(f"{_EXPENSES}.expense_key",),
        ),
        Column(
            name="date_key",
            type="int",
            pt="data do recibo; 0 se desconhecida",
            en="the receipt's date; 0 where it is unknown",
            source=(f"{_EXPENSES}.receipt_date",),
            published="datEmissao",
            example="20130327",
        ),
        Column(
            name="deputy_key",
            type="bigint",
            pt="deputado ou liderança",
            en="deputy or leadership office",
            source=(f"{_EXPENSES}.deputy_id",),
            published="nuDeputadoId",
        ),
        Column(
            name="party_key",
            type="bigint",
            pt="partido como informado",
            en="party as reported",
            source=(f"{_EXPENSES}.party_label",),
            published="sgPartido",
        ),
        Column(
            name="state_key",
            type="bigint",
            pt="UF como informada",
            en="state as reported",
            source=(f"{_EXPENSES}.state_code", f"{_EXPENSES}.is_leadership"),
            published="sgUF",
        ),
        Column(
            name="supplier_key",
            type="bigint",
            pt="fornecedor",
            en="supplier",
            source=(f"{_EXPENSES}.supplier_token",),
            published="txtCNPJCPF",
        ),
        Column(
            name="expense_category_key",
            type="bigint",
            pt="categoria da despesa",
            en="expense category",
            source=(f"{_EXPENSES}.expense_category_id", f"{_EXPENSES}.expense_category_label"),
            published="numSubCota",
        ),
        Column(name="source_code", pt="fonte do ano", en="the year's source", example="kaggle_reimbursements"),
        Column(
            name="document_amount",
            type=MONEY,
            pt="valor do documento em BRL; do Kaggle sem centavos nem sinal, e sem descontar glosas",
            en="the document's value in BRL; from Kaggle without cents and sign, disallowed parts included",
            source=(f"{_EXPENSES}.document_amount",),
            published="vlrDocumento",
            example="70.00",
        ),
    ),
    key=("expense_key",),
    references=(
        Reference(column="date_key", table="dim_dates"),
        Reference(column="deputy_key", table="dim_deputies"),
        Reference(column="party_key", table="dim_parties"),
        Reference(column="state_key", table="dim_states"),
        Reference(column="supplier_key", table="dim_suppliers"),
        Reference(column="expense_category_key", table="dim_expense_categories"),
    ),
    totals=Totals(by=(YEAR, "expense_category_key"), amount="document_amount"),
)


STAGED_SUMS: Final = """
    SELECT year, expense_category_key, sum(n), sum(amount)
    FROM (
        SELECT year, expense_category_id, expense_category_label, count(*) AS n, sum(document_amount) AS amount
        FROM staging_stg_kaggle_reimbursements
        GROUP BY ALL
    ) AS staged
    LEFT JOIN star_dim_expense_categories AS category
        ON category.expense_category_id = staged.expense_category_id
        OR (staged.expense_category_id IS NULL AND category.kaggle_label = staged.expense_category_label)
    GROUP BY ALL
"""
"""What the fact must add up to. It finds the category by its code or label, not by hashing them again, so that a key
which points to the wrong category shows."""


def transform(expenses: DataFrame, *, source_code: str) -> DataFrame:
    """From the staged expenses of `source_code`, row by row."""
    return with_keys(expenses).select(
        YEAR,
        "expense_key",
        "date_key",
        "deputy_key",
        "party_key",
        "state_key",
        "supplier_key",
        "expense_category_key",
        F.lit(source_code).alias("source_code"),
        "document_amount",
    )


def with_keys(expenses: DataFrame) -> DataFrame:
    """`expenses` with the keys of all dimensions."""
    return expenses.withColumns(
        {
            "date_key": keys.date_key(F.col("receipt_date")),
            "deputy_key": keys.deputy_key(F.col("deputy_id")),
            "party_key": keys.party_key(F.col("party_label")),
            "state_key": keys.state_key(F.col("state_code"), F.col("is_leadership")),
            "supplier_key": keys.supplier_key(F.col("supplier_token")),
            "expense_category_key": keys.expense_category_key(
                F.col("expense_category_id"), F.col("expense_category_label")
            ),
        }
    )
