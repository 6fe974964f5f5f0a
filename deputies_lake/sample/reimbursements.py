"""The first file, deputies_dataset.csv: what its lines look like.

Here belongs the layout only. What the receipts are is drawn in `receipts`, in the order of this file.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from deputies_lake.sample.kaggle_shape import CATEGORIES
from deputies_lake.sample.lines import NO_TIME, Texts, clock, column, joined, numerals, quoted, quoted_texts, texts
from deputies_lake.sample.receipts import Receipts, Roster, days_of
from deputies_lake.sample.suppliers import NO_ID, Suppliers

HEADER: Final = (
    "bugged_date",
    "receipt_date",
    "deputy_id",
    "political_party",
    "state_code",
    "deputy_name",
    "receipt_social_security_number",
    "receipt_description",
    "establishment_name",
    "receipt_value",
)


def line_maker(roster: Roster, suppliers: Suppliers) -> Callable[[Receipts], Texts]:
    """A function from receipts of the roster's year to their lines."""
    days = days_of(roster.year)
    starts = texts([*(f"0,{day} " for day in days), f"1,{roster.year}"])
    times = clock()
    deputies = texts(
        f",{deputy.id},{deputy.party_in(roster.year)},{deputy.state},{quoted(deputy.name.title())},"
        for deputy in roster.deputies
    )
    # As pandas writes a column of floats, which the ids became because some are missing.
    ids = texts("" if number == NO_ID else f"{number}.0" for number in suppliers.ids.tolist())
    supplier_names = quoted_texts(suppliers.spelled)
    categories = texts(f",{quoted(category.label)}," for category in CATEGORIES)

    def lines(receipts: Receipts) -> Texts:
        return joined(
            column(starts, np.where(receipts.undated, len(days), receipts.day)),
            column(times, np.where(receipts.undated, NO_TIME, receipts.second)),
            column(deputies, receipts.deputy),
            column(ids, receipts.supplier),
            column(categories, receipts.category),
            column(supplier_names, receipts.spelling),
            ",",
            numerals(receipts.amount),
            "\n",
        )

    return lines
