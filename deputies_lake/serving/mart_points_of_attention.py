"""serving.mart_points_of_attention: where the data are odd or a receipt is worth a look, counted (question 10).

A point of attention is no accusation: most of what is counted here has an ordinary reason, which its text gives.
"""

from typing import Final

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import YEAR, Column, Table
from deputies_lake.serving.columns import MEASURES, OF_YEAR, SOURCE_CODE
from deputies_lake.serving.marts import HOUSE, Star, by_year, measures, sums

DUPLICATE: Final = "duplicate_invoice"
ALIKE: Final = (YEAR, "deputy_key", "supplier_key", "_number", "date_key", "_amount")
"""What should tell two invoices apart."""

QUALITY: Final = "quality"
ATTENTION: Final = "attention"

TABLE: Final = Table(
    layer="serving",
    name="mart_points_of_attention",
    pt="Qualidade dos dados e pontos de atenção: quantos recibos e quanto somam.",
    en="Data quality and points of attention: how many receipts, and what they sum up to.",
    grain="one row per year and point, of points that occur",
    partitioned=True,
    columns=(
        OF_YEAR,
        Column(name="point_id", pt="nome do ponto", en="the point's name", example="weekend"),
        Column(
            name="point_kind",
            pt="quality (qualidade do dado) ou attention (ponto de atenção, não acusação)",
            en="quality (of the data) or attention (worth a look, no accusation)",
            example=ATTENTION,
        ),
        Column(name="text_pt", pt="o que conta e o que o explica", en="what is counted and why, in Portuguese"),
        Column(name="text_en", pt="o mesmo em inglês", en="the same in English"),
        SOURCE_CODE,
        *MEASURES,
    ),
    key=(YEAR, "point_id"),
)

# Point, kind, Portuguese, English.
_POINTS: Final = (
    (
        "missing_date",
        QUALITY,
        "Recibos sem data de emissão, como contas de telefone e bilhetes do SIGEPA.",
        "Receipts without a date of issue, such as phone bills and SIGEPA's tickets.",
    ),
    (
        "no_supplier_id",
        QUALITY,
        "Fornecedor sem CNPJ ou CPF publicado; bilhetes do SIGEPA vêm assim.",
        "No CNPJ or CPF of the supplier was published; SIGEPA's tickets come like that.",
    ),
    (
        "functional_supplier",
        QUALITY,
        "Número reservado no lugar do CNPJ (celular funcional, pedágio, táxi): não é empresa.",
        "A reserved number instead of a CNPJ (official phone, toll, taxi): not a company.",
    ),
    (
        "invalid_supplier_id",
        QUALITY,
        "CNPJ ou CPF cujos dígitos verificadores não conferem.",
        "A CNPJ or CPF whose check digits are wrong.",
    ),
    (
        "private_person",
        QUALITY,
        "Pago a uma pessoa física; o CPF é mascarado.",
        "Paid to a private person; the CPF is masked.",
    ),
    (
        "refund",
        QUALITY,
        "Valor líquido negativo: bilhete devolvido ou compensado. Conta no total com o sinal.",
        "Negative net value: a ticket returned or set off. It counts with its sign.",
    ),
    (
        "nothing_paid",
        QUALITY,
        "Valor líquido zero: franquia de telefone, glosa total ou lote não pago.",
        "Net value of zero: within a phone allowance, disallowed, or a batch not paid.",
    ),
    (
        "other_year",
        QUALITY,
        "Data do recibo em outro ano que o da cota; o fim do ano anterior é comum.",
        "The receipt's date is in another year than the quota's; the end of the year before is common.",
    ),
    (
        "after_quota_month",
        QUALITY,
        "Data do recibo depois do mês da cota, no mesmo ano.",
        "The receipt's date is after its quota month, in the same year.",
    ),
    (
        "partly_disallowed",
        QUALITY,
        "A Câmara glosou parte do valor ou todo ele.",
        "The House disallowed part of the value or all of it.",
    ),
    (
        "leadership",
        QUALITY,
        "Despesa de liderança: cota própria, de nenhum deputado.",
        "Spending of a leadership office: a quota of its own, no deputy's.",
    ),
    (
        "weekend",
        ATTENTION,
        "Recibo de sábado ou domingo. Deputados também trabalham e viajam nesses dias.",
        "Dated on a Saturday or Sunday. Deputies work and travel on these days, too.",
    ),
    (
        DUPLICATE,
        ATTENTION,
        "Mesmo deputado, fornecedor, número, data e valor mais de uma vez. Parcelas e trechos de viagem parecem assim.",
        "Same deputy, supplier, number, date and value more than once. Instalments and legs of a trip look like that.",
    ),
    (
        "round_amount",
        ATTENTION,
        "Documento de mil reais ou mais, múltiplo de cem. Contratos mensais costumam ser assim.",
        "A document of a thousand BRL or more, a multiple of a hundred. Monthly contracts often are.",
    ),
)


def transform(star: Star) -> DataFrame:
    """One row per year and point that occurs."""
    points = [F.when(condition, F.lit(point)) for point, condition in conditions().items()]
    seen = star.receipts.withColumn("point_id", F.explode(F.array_compact(F.array(*points))))
    alike = alike_invoices(star.receipts).withColumn("point_id", F.lit(DUPLICATE))
    counted = by_year(seen, "point_id").agg(*measures()).unionByName(by_year(alike, "point_id").agg(*measures()))
    texts = F.array(*(F.struct(*map(F.lit, point)) for point in _POINTS))
    told = F.get(F.filter(texts, lambda text: text["col1"] == F.col("point_id")), F.lit(0))
    return (
        counted.withColumn("_told", told)
        .withColumns(
            {name: F.col(f"_told.col{i}") for i, name in enumerate(("point_kind", "text_pt", "text_en"), start=2)}
        )
        .select(*TABLE.column_names)
    )


def is_invoice() -> SparkColumn:
    """Whether a receipt of the House has a net value above zero, and a supplier of its own.

    Reserved numbers, and no number at all, stand for many suppliers, who number their documents alike.
    """
    is_own = ~F.col("supplier_id_kind").isin("functional", "none")
    return (F.coalesce("_net", "_document") > 0) & is_own & (F.col("source_code") == HOUSE)


def with_alike(receipts: DataFrame) -> DataFrame:
    """`receipts` with the columns of `ALIKE` that they lack."""
    # Under names of their own: `sums` keeps the amount's for the sum, and nulls would equal nothing in a join.
    return receipts.withColumns({"_amount": F.col("_document"), "_number": F.coalesce("document_number", F.lit(""))})


def alike_invoices(receipts: DataFrame) -> DataFrame:
    """Of invoices that share what should tell two apart, `ALIKE`, each group of several as one row with its sums."""
    groups = by_year(with_alike(receipts.where(is_invoice())), *ALIKE[1:])
    return groups.agg(*sums()).where(F.col("_receipts") > 1)


def conditions() -> dict[str, SparkColumn]:
    """When a receipt for itself counts as a point. What a source does not tell, null, is no point."""
    kind, net, document = F.col("supplier_id_kind"), F.col("_net"), F.col("_document")
    is_same_year = F.year("date") == F.coalesce("competence_year", YEAR)
    return {
        "missing_date": F.col("date").isNull(),
        "no_supplier_id": kind == "none",
        "functional_supplier": kind == "functional",
        "invalid_supplier_id": kind == "invalid",
        "private_person": kind.isin("cpf", "cpf_or_cnpj"),
        "refund": net < 0,
        "nothing_paid": net == 0,
        "other_year": ~is_same_year,
        "after_quota_month": is_same_year & (F.month("date") > F.col("competence_month")),
        "partly_disallowed": F.col("_deduction") > 0,
        "leadership": F.col("payer_kind") == "leadership",
        "weekend": F.col("is_weekend"),
        "round_amount": (document >= 100_000) & (document % 10_000 == 0),
    }
