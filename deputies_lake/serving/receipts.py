"""serving.receipts: every receipt with its names in plain text, its points of attention and its line in the file.

The list behind each figure of the marts: what they count or sum up is found here row by row, so that a reader needs
neither a key nor a join. Figures of many receipts belong into marts. As large as the fact, so it is made of it year by
year and holds nothing that changes with other years but names.
"""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import MONEY, YEAR, Column, Table, Totals
from deputies_lake.serving import mart_points_of_attention as points
from deputies_lake.serving.columns import (
    CATEGORY,
    DEPUTY,
    MONTH,
    OF_YEAR,
    PARTY_LABEL,
    PAYER_KIND,
    QUALIFIERS,
    REGISTER,
    SOURCE_CODE,
    STATE_CODE,
    SUPPLIER,
    of_fact,
)
from deputies_lake.serving.marts import Star, by_year, named, qualified, with_category, with_deputy, with_supplier
from deputies_lake.serving.marts import of_fact as receipts_of
from deputies_lake.star import fct_expenses

_FACT: Final = {column.name: column for column in fct_expenses.TABLE.columns}
_NAMES: Final = {column.name: column for column in (*DEPUTY, *CATEGORY, *SUPPLIER)}


def _as_in_fact(name: str) -> Column:
    column = _FACT[name]
    return Column(
        name=name,
        type=column.type,
        pt=column.pt,
        en=column.en,
        source=of_fact(name),
        published=column.published,
        nullable=column.nullable,
        example=column.example,
    )


TABLE: Final = Table(
    layer="serving",
    name="receipts",
    pt="Todos os recibos, um por linha, com nomes, valores, pontos de atenção, lacunas e a linha no arquivo da fonte.",
    en="All receipts, one a row, with names, amounts, points of attention, gaps and the line in the source's file.",
    grain="one row per readable row of the year's source",
    partitioned=True,
    # What people read comes first, what programs join by comes last: in this order it is exported.
    columns=(
        OF_YEAR,
        MONTH,
        Column(
            name="date",
            type="date",
            pt="data do recibo; nula se desconhecida",
            en="the receipt's date; null where unknown",
            source=of_fact("date_key"),
            published="datEmissao",
            nullable=True,
            example="2022-03-27",
        ),
        _NAMES["deputy_name"],
        PAYER_KIND,
        PARTY_LABEL,
        STATE_CODE,
        _NAMES["category_pt"],
        _NAMES["category_en"],
        _NAMES["supplier_name"],
        _NAMES["supplier_id"],
        _NAMES["supplier_id_kind"],
        _as_in_fact("document_number"),
        Column(
            name="spent_amount",
            type=MONEY,
            pt="despesa em BRL: o valor líquido; dos anos do Kaggle, que não o tem, o do documento",
            en="spending in BRL: the net value; in Kaggle's years, which have none, the document's",
            source=of_fact("net_amount", "document_amount"),
        ),
        *map(_as_in_fact, ("document_amount", "deduction_amount", "net_amount")),
        Column(
            name="refund_amount",
            type=MONEY,
            pt="o líquido se é uma devolução, senão zero; nulo nos anos do Kaggle",
            en="the net value if it is a refund, else zero; null in Kaggle's years",
            source=of_fact("net_amount"),
            nullable=True,
        ),
        _as_in_fact("returned_amount"),
        Column(
            name="points_of_attention",
            pt="pontos de atenção, por nome (ver mart_points_of_attention); não são acusações; nulo se nenhum",
            en="points of attention, by name (see mart_points_of_attention); no accusations; null where none",
            source=of_fact("date_key", "supplier_key", "net_amount", "document_amount", "deduction_amount"),
            nullable=True,
            example="round_amount, weekend",
        ),
        *QUALIFIERS,
        _as_in_fact("receipt_url"),
        SOURCE_CODE,
        _as_in_fact("source_file"),
        _as_in_fact("source_line"),
        REGISTER,
        _NAMES["deputy_id"],
        _as_in_fact("document_id"),
        _as_in_fact("instalment"),
        _as_in_fact("trip"),
        _NAMES["expense_category_id"],
        _as_in_fact("expense_key"),
        *(column for column in _NAMES.values() if column.name.endswith("_key")),
    ),
    key=("expense_key",),
    totals=Totals(
        by=(YEAR, "expense_category_key"),
        amount="spent_amount",
        also=("document_amount", "deduction_amount", "net_amount", "refund_amount", "returned_amount"),
    ),
)


def transform(star: Star) -> DataFrame:
    """One row per receipt of the fact."""
    of_rows = [name for name in TABLE.column_names if name in _FACT]
    rows = receipts_of(star.fact, star.deputies, star.dates, star.suppliers, more=of_rows)
    rows = _with_gaps(_with_points(rows, star), star)
    rows = with_category(with_deputy(rows, star, REGISTER.name), star)
    rows = named(rows, star.parties, "party_key", [PARTY_LABEL.name])
    rows = named(rows, star.states, "state_key", [STATE_CODE.name])
    net = F.col("net_amount")
    return (
        with_supplier(rows.drop("supplier_id_kind"), star)
        .withColumns(
            {
                "spent_amount": F.coalesce(net, "document_amount"),
                "refund_amount": F.when(net.isNotNull(), F.least(net, F.lit(0).cast(MONEY))),
            }
        )
        .select(*TABLE.column_names)
    )


def _with_points(rows: DataFrame, star: Star) -> DataFrame:
    """`rows` with the names of all points that count them in `mart_points_of_attention`."""
    several = points.alike_invoices(star.receipts).select(*points.ALIKE, F.lit(True).alias("_is_several"))
    is_alike = points.is_invoice() & F.col("_is_several")
    conditions = {**points.conditions(), points.DUPLICATE: is_alike}
    found = F.array_compact(F.array(*(F.when(condition, F.lit(point)) for point, condition in conditions.items())))
    return (
        points.with_alike(rows)
        .join(F.broadcast(several), on=[*points.ALIKE], how="left")
        .withColumn("_found", found)
        .withColumn("points_of_attention", F.when(F.size("_found") > 0, F.array_join("_found", ", ")))
    )


def _with_gaps(rows: DataFrame, star: Star) -> DataFrame:
    """`rows` with the gaps of their month and category: looked for once for each of these, not once a receipt."""
    places = by_year(star.receipts, "month", "expense_category_key").agg(F.count(F.lit(1)).alias("_rows"))
    told = qualified(with_category(places, star), star.gaps, by_month=True, by_category=True)
    on = [YEAR, "source_code", "month", "expense_category_key"]
    return rows.join(F.broadcast(told.select(*on, *(column.name for column in QUALIFIERS))), on=on, how="left")
