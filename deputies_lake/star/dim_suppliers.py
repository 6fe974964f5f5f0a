"""star.dim_suppliers: who was paid, joined under one tax id whatever the spelling on the receipt.

A supplier without an id (official phones, the post) is its name. Private persons appear under a masked id; their
key comes from a keyed hash, so receipts of one person stay together and the CPF can't be recovered.
"""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import Column, Table
from deputies_lake.star.expenses import staged
from deputies_lake.star.keys import UNKNOWN, supplier_key

TABLE: Final = Table(
    layer="star",
    name="dim_suppliers",
    pt="Fornecedores, um por CNPJ, CPF (oculto) ou, sem número, por nome.",
    en="Suppliers, one per CNPJ, CPF (hidden) or, without an id, name.",
    grain="one row per supplier token, and one for unknown",
    columns=(
        Column(
            name="supplier_key",
            type="bigint",
            pt="chave substituta",
            en="surrogate key",
            source=staged("supplier_token"),
        ),
        Column(
            name="supplier_id",
            pt="CNPJ; CPF mascarado; nulo se não publicado",
            en="CNPJ; a CPF is masked; null where none was published",
            source=staged("supplier_id"),
            published="txtCNPJCPF",
            nullable=True,
            example="03530749000139",
        ),
        Column(
            name="supplier_id_kind",
            pt="cnpj, cpf, cpf_or_cnpj, functional (não é empresa), invalid, none ou unknown",
            en="cnpj, cpf, cpf_or_cnpj, functional (not a company), invalid, none or unknown",
            source=staged("supplier_id_kind"),
            example="cnpj",
        ),
        Column(
            name="supplier_root",
            pt="os oito primeiros caracteres do CNPJ, comuns às filiais; letras desde julho de 2026",
            en="the CNPJ's first eight characters, shared by all branches; letters since July 2026",
            source=staged("supplier_id"),
            nullable=True,
            example="03530749",
        ),
        Column(
            name="supplier_name",
            pt="a grafia com a maior despesa",
            en="the spelling with the most spending",
            source=staged("supplier_name", "document_amount"),
            published="txtFornecedor",
            example="AUTO POSTO LTDA",
        ),
        Column(
            name="spellings",
            type="bigint",
            pt="número de grafias do nome",
            en="how many spellings of the name were seen",
            source=staged("supplier_name"),
            example="3",
        ),
    ),
    key=("supplier_key",),
    referred_by=("fct_expenses",),
)


def transform(expenses: DataFrame) -> DataFrame:
    """From `conformed` expenses (`supplier_*`, `document_amount`): one row per token."""
    # In cents: as a number Spark adds them up in place, as a decimal it makes an object of each.
    cents = (F.abs("document_amount") * 100).cast("bigint")
    spellings = expenses.groupBy("supplier_token", "supplier_id", "supplier_id_kind", "supplier_name").agg(
        F.sum(cents).alias("_spent")
    )
    # Where Kaggle's number leaves open whose it is (cpf_or_cnpj), the House may know: cpf sorts first.
    known = F.min(F.struct("supplier_id_kind", "supplier_id"))
    suppliers = spellings.groupBy("supplier_token").agg(
        known["supplier_id"].alias("supplier_id"),
        known["supplier_id_kind"].alias("supplier_id_kind"),
        # The text breaks ties, so that equal sums give the same name in every run.
        F.max(F.struct("_spent", "supplier_name"))["supplier_name"].alias("supplier_name"),
        F.size(F.collect_set("supplier_name")).cast("bigint").alias("spellings"),
    )
    unknown = expenses.sparkSession.range(1).select(
        F.lit(UNKNOWN).alias("supplier_token"),
        F.lit(None).cast("string").alias("supplier_id"),
        F.lit("unknown").alias("supplier_id_kind"),
        F.lit("Desconhecido / Unknown").alias("supplier_name"),
        F.lit(0).cast("bigint").alias("spellings"),
    )
    return (
        suppliers.where(F.col("supplier_token") != UNKNOWN)
        .unionByName(unknown)
        .select(
            supplier_key(F.col("supplier_token")).alias("supplier_key"),
            "supplier_id",
            "supplier_id_kind",
            F.when(F.col("supplier_id_kind") == "cnpj", F.substring("supplier_id", 1, 8)).alias("supplier_root"),
            "supplier_name",
            "spellings",
        )
    )
