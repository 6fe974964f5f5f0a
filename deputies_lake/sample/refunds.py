"""The second file, dirty_deputies_v2.csv: the receipts of 2016 as another author published them.

Here belongs everything in which it differs from deputies_dataset.csv: capitals, signs and cents, ids cut to
twelve digits, other category names, and the attributes of the parties. Both files show the same receipts.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.random import PCG64

from deputies_lake.sample.deputies import Deputy
from deputies_lake.sample.draws import lanes, threshold
from deputies_lake.sample.kaggle_shape import CATEGORIES
from deputies_lake.sample.lines import NO_TIME, Texts, clock, column, joined, numerals, quoted, quoted_texts, texts
from deputies_lake.sample.parties import ATTRIBUTE_COLUMNS, attributes
from deputies_lake.sample.receipts import HOUR, TICKETS, Receipts, Roster, days_of
from deputies_lake.sample.suppliers import NO_ID, Suppliers

REFUNDS_YEAR: Final = 2016
HEADER: Final = (
    "deputy_name",
    "deputy_state",
    "political_party",
    "refund_description",
    "company_name",
    "company_id",
    "refund_date",
    "refund_value",
    *ATTRIBUTE_COLUMNS,
)

RETURNED_TICKETS: Final = 0.03
"""Share of the airline tickets that were paid back, as negative refunds."""
LARGEST_RETURN: Final = 6_100
WHOLE_REAIS: Final = 0.32
JUNK_DATES: Final = 0.0005
JUNK_DATE: Final = "1378520"

SIGNIFICANT_DIGITS: Final = 12
CENTS: Final = 100
MILLISECONDS: Final = 1_000


def line_maker(bits: PCG64, roster: Roster, suppliers: Suppliers) -> Callable[[Receipts], tuple[Texts, int]]:
    """A function from receipts of the roster's year to their lines and the sum of their values in cents."""
    deputies = texts(_deputy_fields(deputy) for deputy in roster.deputies)
    parties = texts(_party_fields(deputy) for deputy in roster.deputies)
    supplier_names = quoted_texts(suppliers.spelled)
    categories = texts(f"{quoted(category.refund_label)}," for category in CATEGORIES)
    ids = texts(f",{_twelve_digits(number)}," for number in suppliers.ids.tolist())
    days = days_of(roster.year)
    dates = texts([*(f"{day}T" for day in days), "", JUNK_DATE])
    no_date, junk_date = len(days), len(days) + 1
    times = clock()
    fractions = texts([*(f".{millisecond:03}" for millisecond in range(MILLISECONDS)), ""])
    signs = texts(["", "-"])
    cent_texts = texts(f"{cent / CENTS:.2f}"[1:].removesuffix("0") for cent in range(CENTS))

    def lines(receipts: Receipts) -> tuple[Texts, int]:
        return_chance, cents_chance, cents, junk_chance, fraction = lanes(bits, 5, len(receipts.amount))
        is_junk = junk_chance < threshold(JUNK_DATES)
        no_time = receipts.undated | is_junk
        is_whole_hour = receipts.second % HOUR == 0
        cents = np.where(cents_chance < threshold(WHOLE_REAIS), 0, cents % CENTS)
        returned = (receipts.category == TICKETS) & (return_chance < threshold(RETURNED_TICKETS))
        returned &= (receipts.amount > 0) & (receipts.amount < LARGEST_RETURN)
        text = joined(
            column(deputies, receipts.deputy),
            column(categories, receipts.category),
            column(supplier_names, receipts.spelling),
            column(ids, receipts.supplier),
            column(dates, np.where(is_junk, junk_date, np.where(receipts.undated, no_date, receipts.day))),
            column(times, np.where(no_time, NO_TIME, receipts.second)),
            column(fractions, np.where(no_time | is_whole_hour, MILLISECONDS, fraction % MILLISECONDS)),
            ",",
            column(signs, returned.astype(np.int64)),
            numerals(receipts.amount),
            column(cent_texts, cents),
            column(parties, receipts.deputy),
        )
        return text, int(np.where(returned, -1, 1) @ (receipts.amount * CENTS + cents))

    return lines


def _deputy_fields(deputy: Deputy) -> str:
    state, party = ("", "") if deputy.is_office else (deputy.state, deputy.party)
    return f"{deputy.name},{state},{party},"


def _party_fields(deputy: Deputy) -> str:
    return "," + ",".join(map(quoted, attributes(deputy.party))) + "\n"


def _twelve_digits(number: int) -> str:
    """A float as Python 2 printed it: longer ids lose their last digits."""
    if number == NO_ID:
        return ""
    if number < 10 ** (SIGNIFICANT_DIGITS - 1):
        return f"{number}.0"
    mantissa, exponent = f"{number:.{SIGNIFICANT_DIGITS - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{exponent}"
