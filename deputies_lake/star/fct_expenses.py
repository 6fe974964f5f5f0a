"""star.fct_expenses: the receipts, one row per published row, with keys into every dimension.

One year has one source, and `source_code` says which. What only the House publishes is null in Kaggle's years. No
join: each key is computed from the row itself, by the expression its dimension uses. Party and state are those on the
published row; the party is the one of the day the file was published.
"""

from collections.abc import Collection
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import MONEY, YEAR, Column, Reference, Table, Totals
from deputies_lake.star import keys
from deputies_lake.star.expenses import HOUSE, staged

TOTALS: Final = Totals(
    by=(YEAR, "expense_category_key"),
    amount="document_amount",
    also=("net_amount", "deduction_amount", "returned_amount"),
)

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
            source=staged("year"),
            published="numAno",
            example="2013",
        ),
        Column(
            name="expense_key",
            type="bigint",
            pt="chave da linha, a mesma da camada staging",
            en="row key, the same as in the staging layer",
            source=staged("expense_key"),
        ),
        Column(
            name="date_key",
            type="int",
            pt="data do recibo; 0 se desconhecida",
            en="the receipt's date; 0 where it is unknown",
            source=staged("receipt_date"),
            published="datEmissao",
            example="20130327",
        ),
        Column(
            name="deputy_key",
            type="bigint",
            pt="deputado ou liderança",
            en="deputy or leadership office",
            source=staged("deputy_id"),
            published="nuDeputadoId",
        ),
        Column(
            name="party_key",
            type="bigint",
            pt="partido que o arquivo traz: o de quando foi publicado, não o da data do recibo",
            en="party in the file: that of the day it was published, not of the receipt's date",
            source=staged("party_label"),
            published="sgPartido",
        ),
        Column(
            name="state_key",
            type="bigint",
            pt="UF como informada",
            en="state as reported",
            source=staged("state_code", "is_leadership"),
            published="sgUF",
        ),
        Column(
            name="supplier_key",
            type="bigint",
            pt="fornecedor",
            en="supplier",
            source=staged("supplier_token"),
            published="txtCNPJCPF",
        ),
        Column(
            name="expense_category_key",
            type="bigint",
            pt="categoria da despesa",
            en="expense category",
            source=staged("expense_category_id", "expense_category_label"),
            published="numSubCota",
        ),
        Column(
            name="document_type_key",
            type="bigint",
            pt="tipo de documento",
            en="kind of document",
            source=staged("document_type_id"),
            published="indTipoDocumento",
        ),
        Column(name="source_code", pt="fonte do ano", en="the year's source", example="kaggle_reimbursements"),
        Column(
            name="competence_year",
            type="int",
            pt="ano da cota conforme a linha, raramente outro que o do arquivo; nulo nos anos do Kaggle",
            en="quota year by the row, seldom another than the file's; null in Kaggle's years",
            source=staged("competence_year"),
            published="numAno",
            nullable=True,
            example="2022",
        ),
        Column(
            name="competence_month",
            type="int",
            pt="mês da cota, não o da data do recibo; nulo nos anos do Kaggle",
            en="quota month, not that of the receipt's date; null in Kaggle's years",
            source=staged("competence_month"),
            published="numMes",
            nullable=True,
            example="2",
        ),
        Column(
            name="document_id",
            pt="identificador do documento na Câmara, não único; nulo se não há um",
            en="the House's id of the document, not unique; null where it has none",
            source=staged("document_id"),
            published="ideDocumento",
            nullable=True,
            example="6738121",
        ),
        Column(
            name="document_number",
            pt="número do documento fiscal",
            en="the fiscal document's own number",
            source=staged("document_number"),
            published="txtNumero",
            nullable=True,
            example="659284",
        ),
        Column(
            name="instalment",
            type="int",
            pt="parcela; 0 se pago de uma vez",
            en="instalment; 0 where it was paid at once",
            source=staged("instalment"),
            published="numParcela",
            nullable=True,
            example="0",
        ),
        Column(
            name="trip",
            pt="trecho da viagem, só de passagens",
            en="the trip's leg, of tickets only",
            source=staged("trip"),
            published="txtTrecho",
            nullable=True,
            example="BSB/GRU",
        ),
        Column(
            name="receipt_url",
            pt="endereço do documento na Câmara; pode mostrar dados pessoais e não é copiado",
            en="the document's address at the House; it may show personal data and is not copied",
            source=staged("receipt_url"),
            published="urlDocumento",
            nullable=True,
        ),
        Column(
            name="document_amount",
            type=MONEY,
            pt="valor do documento em BRL; do Kaggle sem centavos nem sinal, e sem descontar glosas",
            en="the document's value in BRL; from Kaggle without cents and sign, disallowed parts included",
            source=staged("document_amount"),
            published="vlrDocumento",
            example="70.00",
        ),
        Column(
            name="deduction_amount",
            type=MONEY,
            pt="parte glosada em BRL; nula nos anos do Kaggle",
            en="the disallowed part in BRL; null in Kaggle's years",
            source=staged("deduction_amount"),
            published="vlrGlosa",
            nullable=True,
            example="0.00",
        ),
        Column(
            name="net_amount",
            type=MONEY,
            pt="valor líquido em BRL: o que foi pago, negativo se bilhete devolvido; nulo nos anos do Kaggle",
            en="the net value in BRL: what was paid, negative for a returned ticket; null in Kaggle's years",
            source=staged("net_amount"),
            published="vlrLiquido",
            nullable=True,
            example="70.00",
        ),
        Column(
            name="returned_amount",
            type=MONEY,
            pt="o que o deputado restituiu, em BRL; nulo se nada",
            en="what the deputy paid back, in BRL; null where nothing was",
            source=staged("returned_amount"),
            published="vlrRestituicao",
            nullable=True,
        ),
        Column(
            name="source_file",
            pt="arquivo da fonte; nulo em anos que uma versão anterior do lake publicou",
            en="the source's file; null in years that an earlier version of the lake published",
            source=staged("source_file"),
            nullable=True,
            example="Ano-2022.csv.zip",
        ),
        Column(
            name="source_line",
            type="bigint",
            pt="linha nesse arquivo; nula em anos que uma versão anterior do lake publicou",
            en="line in that file; null in years that an earlier version of the lake published",
            source=staged("source_line"),
            nullable=True,
            example="2",
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
        Reference(column="document_type_key", table="dim_document_types"),
    ),
    totals=TOTALS,
)


def staged_sums(sources: Collection[Table]) -> str:
    """The DuckDB query for what the fact must add up to, over the views of these staging tables and of the categories.

    It says again, in its own words, which source a year comes from, and finds the category by its code or label, not
    by hashing them: so a year taken twice shows, and a key which points to the wrong category.
    """
    staged_rows = " UNION ALL ".join(
        f"SELECT year, expense_category_id, expense_category_label, count(*) AS n, {_sums_of(source)} "
        f"FROM staging_{source.name} {_where_preferred_has_none(source, sources)} GROUP BY ALL"
        for source in sources
    )
    return f"""
        SELECT year, expense_category_key, sum(n), {", ".join(f"sum({amount})" for amount in TOTALS.amounts)}
        FROM ({staged_rows}) AS staged
        LEFT JOIN star_dim_expense_categories AS category
            ON category.expense_category_id = staged.expense_category_id
            OR (
                staged.expense_category_id IS NULL
                AND category.expense_category_id IS NULL
                AND coalesce(category.chamber_label, category.kaggle_label) = staged.expense_category_label
            )
        GROUP BY ALL
    """


def _sums_of(source: Table) -> str:
    sums = {amount: f"sum({amount})" for amount in TOTALS.amounts if amount in source.column_names}
    return ", ".join(f"{sums.get(amount, 'NULL')} AS {amount}" for amount in TOTALS.amounts)


def _where_preferred_has_none(source: Table, sources: Collection[Table]) -> str:
    if source == HOUSE or HOUSE not in sources:
        return ""
    return f"WHERE year NOT IN (SELECT year FROM staging_{HOUSE.name})"


def transform(expenses: DataFrame) -> DataFrame:
    """From `conformed` expenses, row by row."""
    return with_keys(expenses).select(*TABLE.column_names)


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
            "document_type_key": keys.document_type_key(F.col("document_type_id")),
        }
    )
