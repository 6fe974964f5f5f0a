"""star.ref_functional_suppliers: numbers that stand for a kind of expense where a supplier's CNPJ is expected.

The House uses them for official phones, the post, tolls and taxis. They fail the check digits and belong to nobody:
leave them out of any ranking of suppliers.
"""

from typing import Final

from deputies_lake.contracts import Column, Table
from deputies_lake.star.shipped import CONFIDENCE

TABLE: Final = Table(
    layer="star",
    name="ref_functional_suppliers",
    pt="Números no lugar de um CNPJ que não são de nenhum fornecedor.",
    en="Numbers in place of a CNPJ that belong to no supplier.",
    grain="one row per number",
    columns=(
        Column(
            name="supplier_id",
            pt="número, com 14 algarismos",
            en="the number, of 14 digits",
            published="txtCNPJCPF",
            example="00000000000001",
        ),
        Column(
            name="name_pt",
            pt="o que significa, em português",
            en="what it stands for, in Portuguese",
            example="Celular funcional",
        ),
        Column(
            name="name_en",
            pt="o que significa, em inglês",
            en="what it stands for, in English",
            example="Official mobile phone",
        ),
        CONFIDENCE,
    ),
    key=("supplier_id",),
)
