"""What the two marts of suppliers share: whom a supplier served, and the deputy that is its only one."""

from typing import Final

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import Column
from deputies_lake.serving.columns import of_fact
from deputies_lake.serving.marts import Star, named, of_deputies
from deputies_lake.star import dim_deputies, dim_suppliers

ROOT: Final = Column(
    name="supplier_root",
    pt="os oito primeiros caracteres do CNPJ, comuns às filiais; nulo se não é empresa",
    en="the CNPJ's first eight characters, shared by all branches; null for what is no company",
    source=(f"{dim_suppliers.TABLE.name}.supplier_root",),
    nullable=True,
    example="03530749",
)
ONLY_DEPUTY: Final = (
    Column(
        name="only_deputy_key",
        type="bigint",
        pt="chave do deputado, se o fornecedor só teve um no ano, lideranças à parte; nula se mais ou nenhum",
        en="the deputy's key where the supplier had only one in the year, offices aside; null for more or none",
        source=of_fact("deputy_key"),
        nullable=True,
    ),
    Column(
        name="only_deputy_name",
        pt="nome desse deputado",
        en="that deputy's name",
        source=(f"{dim_deputies.TABLE.name}.deputy_name",),
        nullable=True,
        example="Fulana De Tal",
    ),
)


def customers() -> list[SparkColumn]:
    """The aggregates `deputies`, and `only_deputy_key` where there is no other deputy."""
    deputy = of_deputies(F.col("deputy_key"))
    is_alone = F.min(deputy) == F.max(deputy)
    return [
        F.countDistinct(deputy).alias("deputies"),
        F.when(is_alone, F.min(deputy)).alias("only_deputy_key"),
    ]


def with_only_deputy(rows: DataFrame, star: Star) -> DataFrame:
    """`rows` with `only_deputy_name`."""
    deputies = star.deputies.withColumnRenamed("deputy_key", "only_deputy_key")
    return named(rows, deputies, "only_deputy_key", [], only_deputy_name="deputy_name")
