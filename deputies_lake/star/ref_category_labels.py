"""star.ref_category_labels: the labels of the categories in each source's files, and when they bore them.

For whoever reads the published files. The House renames categories and publishes all years anew, so a label may stand
on receipts older than itself: the code is what tells categories apart.
"""

from typing import Final

from deputies_lake.contracts import Column, Table
from deputies_lake.star.shipped import CONFIDENCE

TABLE: Final = Table(
    layer="star",
    name="ref_category_labels",
    pt="Rótulos das categorias em cada fonte, com os anos em que aparecem.",
    en="The categories' labels in each source, with the years in which they are found.",
    grain="one row per source and label",
    columns=(
        Column(
            name="source_code",
            pt="fonte",
            en="the source",
            example="chamber_expenses",
        ),
        Column(
            name="label",
            pt="rótulo como publicado",
            en="label as published",
            published="txtDescricao",
            example="TELEFONIA",
        ),
        Column(
            name="expense_category_id",
            pt="código da categoria",
            en="the category's code",
            published="numSubCota",
            example="10",
        ),
        Column(
            name="first_year",
            type="int",
            pt="primeiro ano em que se conhece o rótulo; nulo se desde o início",
            en="first year in which the label is known; null where since the beginning",
            nullable=True,
            example="2021",
        ),
        Column(
            name="last_year",
            type="int",
            pt="último ano em que se conhece o rótulo; nulo se ainda se usa",
            en="last year in which the label is known; null where it is still used",
            nullable=True,
            example="2020",
        ),
        CONFIDENCE,
    ),
    key=("source_code", "label"),
)
