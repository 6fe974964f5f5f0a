"""star.ref_category_limits: what a deputy may spend in a month on some of the categories.

The limit of a month is the one that is valid on the month's first day. Unlike the quota, what is not spent is lost.
Whether the act of 2026 changed them is not known: see `ref_known_gaps`.
"""

from typing import Final

from deputies_lake.contracts import MONEY, Column, Table
from deputies_lake.star.shipped import CONFIDENCE, NOTE, VALIDITY

TABLE: Final = Table(
    layer="star",
    name="ref_category_limits",
    pt="Limite mensal por categoria; o de um mês é o que vale no primeiro dia dele.",
    en="Monthly limit by category; a month's is the one that is valid on its first day.",
    grain="one row per category and period",
    columns=(
        Column(
            name="expense_category_id",
            pt="código da categoria na Câmara",
            en="the House's code of the category",
            published="numSubCota",
            example="3",
        ),
        *VALIDITY,
        Column(
            name="monthly_limit_amount",
            type=MONEY,
            pt="limite mensal em BRL",
            en="limit of a month in BRL",
            example="6000.00",
        ),
        CONFIDENCE,
        NOTE,
    ),
    key=("expense_category_id", "valid_from"),
)
