"""Draws the rows of a year of the House's files, member by member and category by category, batch by batch.

A row is numbers only: positions of its member, category and supplier, a day, amounts in cents. Here belongs how those
hang together, and with them the traps of the published files that are no matter of spelling: what they look like is
said in `chamber_lines`. A batch holds whole (member, category) groups, so memory does not depend on the number of rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, NamedTuple

import numpy as np
from numpy.random import PCG64
from numpy.typing import NDArray

from deputies_lake.sample.chamber_members import Roster
from deputies_lake.sample.chamber_shape import (
    CATEGORIES,
    FUEL,
    ISSUED_TICKETS,
    NFE_SINCE,
    OF_THE_YEAR_BEFORE,
    SIGEPA,
    SIGEPA_PAID_BACK,
    SIGEPA_TICKETS,
    TICKETS_PAID_BACK,
    amounts_by_category,
    category_mix,
    in_force,
    sigepa_month_weights,
)
from deputies_lake.sample.chamber_suppliers import PublishedSuppliers
from deputies_lake.sample.draws import (
    LANE_BITS,
    LANE_VALUES,
    Integers,
    apportion,
    by_lane,
    integers,
    lanes,
    scaled,
    threshold,
)
from deputies_lake.sample.kaggle_shape import CATEGORIES as KAGGLE_CATEGORIES
from deputies_lake.sample.receipts import HOUR, POST_OPEN_FOR, POST_OPENS, WEIGHT_BY_MONTH, batches
from deputies_lake.sample.suppliers import KIND_NAMES, UNNUMBERED_BELOW, Suppliers, spelling_of

CENTS: Final = 100
MONTHS: Final = 12
NOON: Final = 12 * HOUR
DOCUMENT_NUMBERS: Final = 1_000_000

WHOLE_REAIS: Final = 0.35
MONTH_BEFORE, MONTH_AFTER = 0.02, 0.09
"""Share of the receipts issued in another month than that of the quota."""

PAID_BACK_BY_DEPUTY: Final = 0.001
PAID_BACK_IN_FULL: Final = 0.5
DISALLOWED_IN_FULL: Final = 0.01

SEGMENTS: Final = 0.2
"""Share of SIGEPA's rows that belong to the document of the row before: a ticket's further legs."""
EQUAL_SEGMENTS: Final = 0.1
INSTALMENTS: Final = 0.002
"""The same of all other categories but tickets."""

INVOICE, RECEIPT, ABROAD, PARLASUL, NFE = range(5)
"""Document types."""

SHARE_BY_SPECIFICATION: Final = (0.0, 0.99, 0.0005, 0.0045, 0.005)
"""Of fuel: none, cars, boats, aircraft, not specified."""

IDS: Final = np.array([category.id for category in CATEGORIES])
KINDS: Final = {category.code: KIND_NAMES.index(category.kind) for category in KAGGLE_CATEGORIES}
KIND_OF_CATEGORY: Final = np.array([KINDS[category.like] for category in CATEGORIES])
IS_SIGEPA: Final = np.equal(IDS, SIGEPA)
IS_ISSUED: Final = np.equal(IDS, ISSUED_TICKETS)
IS_FUEL: Final = np.equal(IDS, FUEL)
RECEIPTS_BELOW: Final = threshold([category.receipts for category in CATEGORIES])
NFES_BELOW: Final = RECEIPTS_BELOW + threshold([category.electronic for category in CATEGORIES])
MONTH_BY_LANE: Final = by_lane(WEIGHT_BY_MONTH)
SPECIFICATION_BY_LANE: Final = by_lane(SHARE_BY_SPECIFICATION)
DEDUCTED_BELOW: Final = threshold([category.deducted for category in CATEGORIES])


class Expenses(NamedTuple):
    """A batch of rows, one array per column.

    `row` counts the year's rows from 0, `document_row` is the first row of the same document. `member` is a position
    in the roster, `spelling` one among the suppliers' spellings, `day` one in `days_of`, `month` is 0 for January.
    `document`, `deduction`, `net` and `returned` are cents. `passenger` and `trip` are lanes.
    """

    row: Integers
    document_row: Integers
    member: Integers
    category: Integers
    supplier: Integers
    spelling: Integers
    month: Integers
    day: Integers
    second: Integers
    document: Integers
    deduction: Integers
    net: Integers
    returned: Integers
    instalment: Integers
    document_type: Integers
    specification: Integers
    document_number: Integers
    passenger: Integers
    trip: Integers
    is_returned: NDArray[np.bool_]
    is_sigepa: NDArray[np.bool_]
    is_ticket: NDArray[np.bool_]
    is_undated: NDArray[np.bool_]
    has_document: NDArray[np.bool_]
    is_of_year_before: NDArray[np.bool_]

    def only(self, wanted: NDArray[np.bool_]) -> "Expenses":
        return Expenses._make(column[wanted] for column in self)


@dataclass(frozen=True, eq=False)
class Market:
    """Who sells to whom in a year, and who flies with whom: what a row's numbers refer to."""

    roster: Roster
    suppliers: Suppliers
    published: PublishedSuppliers
    passengers: Sequence[str]


def days_of(year: int) -> list[date]:
    """The days on which receipts of the year's quota are issued: from the December before to the January after."""
    first, end = date(year - 1, 12, 1), date(year + 1, 2, 1)
    return [first + timedelta(days=day) for day in range((end - first).days)]


def expenses_of(bits: PCG64, rows: int, market: Market, first_row: int = 0) -> Iterator[Expenses]:
    """So many rows of the roster's year, by member and category, counted from `first_row`."""
    habits = market.roster.habits
    expected = habits / habits.sum(axis=0) * category_mix(market.roster.year)
    row = first_row
    for groups in batches(apportion(bits, rows, expected.ravel())):
        if len(groups):
            yield _drawn(bits, groups, row, market)
            row += len(groups)


def _drawn(bits: PCG64, groups: Integers, first_row: int, market: Market) -> Expenses:
    roster, published, year = market.roster, market.published, market.roster.year
    count = len(groups)
    own_row = np.arange(count)
    member, category = np.divmod(groups, len(CATEGORIES))
    form, month_chance, type_chance, cut_chance, return_chance = lanes(bits, 5, count)
    same_chance, equal_chance, sign_chance, passenger, trip = lanes(bits, 5, count)
    supplier_chances = lanes(bits, 4, count)
    is_sigepa = IS_SIGEPA[category]
    is_ticket = is_sigepa | IS_ISSUED[category]

    # The first row of each row's document: its own, but of further legs and of instalments.
    is_further = np.diff(groups, prepend=-1) == 0
    is_further &= same_chance < np.where(is_sigepa, threshold(SEGMENTS), np.where(is_ticket, 0, threshold(INSTALMENTS)))
    first = np.maximum.accumulate(np.where(is_further, 0, own_row))
    is_instalment = is_further & ~is_sigepa

    kind = KIND_OF_CATEGORY[category]
    ids = roster.ids[member]
    unnumbered = form < UNNUMBERED_BELOW[kind]
    supplier = market.suppliers.choose(kind, roster.states[member], ids, unnumbered, supplier_chances)[first]
    is_posted = published.is_post[supplier]

    month = np.where(roster.is_leaving[member], 0, MONTH_BY_LANE[month_chance])
    if is_sigepa.any():
        month = np.where(is_sigepa, by_lane(sigepa_month_weights(year))[month_chance], month)
    month = month[first]
    day, second = _moments(bits, year, month, is_sigepa, is_posted)

    amount = _amounts(bits, category)
    same_amount = is_instalment | (is_further & (equal_chance < threshold(EQUAL_SEGMENTS)))
    amount = amount[np.where(same_amount, first, own_row)]
    document = np.where(_is_paid_back(year, month, category, sign_chance), -amount, amount)
    deduction = _deductions(bits, document, (cut_chance < DEDUCTED_BELOW[category]) & ~is_instalment)
    net, returned, is_returned = _paid(bits, document - deduction, is_instalment, is_ticket, return_chance)

    document_type = _document_types(year, category, type_chance, published.is_foreign[supplier] & ~is_sigepa)
    return Expenses(
        row=first_row + own_row,
        document_row=first_row + first,
        member=member,
        category=category,
        supplier=supplier,
        spelling=spelling_of(supplier, ids),
        month=month,
        day=day[first],
        second=second[first],
        document=document,
        deduction=deduction,
        net=net,
        returned=returned,
        instalment=is_instalment.astype(np.int64),
        document_type=document_type[first],
        specification=np.where(IS_FUEL[category], SPECIFICATION_BY_LANE[trip], 0)[first],
        document_number=integers(bits, count, DOCUMENT_NUMBERS)[first],
        passenger=passenger[first],
        trip=trip[first],
        is_returned=is_returned,
        is_sigepa=is_sigepa,
        is_ticket=is_ticket,
        is_undated=published.is_undated[supplier],
        has_document=~published.house_provides[supplier],
        is_of_year_before=form[first] >= LANE_VALUES - threshold(OF_THE_YEAR_BEFORE.get(year, 0.0)),
    )


def _moments(
    bits: PCG64, year: int, month: Integers, is_sigepa: NDArray[np.bool_], is_posted: NDArray[np.bool_]
) -> tuple[Integers, Integers]:
    """When receipts were issued: positions in `days_of` and seconds of the day."""
    shift_chance, day_chance, clock_chance = lanes(bits, 3, len(month))
    shift = np.where(shift_chance < threshold(MONTH_BEFORE), -1, 0)
    shift = np.where(shift_chance >= LANE_VALUES - threshold(MONTH_AFTER), 1, shift)
    lengths = np.bincount([12 * day.year + day.month - (12 * (year - 1) + MONTHS) for day in days_of(year)])
    issued = 1 + month + np.where(is_sigepa, 0, shift)
    day = (np.cumsum(lengths) - lengths)[issued] + scaled(day_chance, lengths[issued])
    posted = POST_OPENS + scaled(clock_chance, POST_OPEN_FOR)
    return day, np.where(is_posted, posted, np.where(is_sigepa, NOON, 0))


def _amounts(bits: PCG64, category: Integers) -> Integers:
    amount_chance, whole_chance, cents = lanes(bits, 3, len(category))
    cents = np.where(whole_chance < threshold(WHOLE_REAIS), 0, cents % CENTS)
    amounts: Integers = amounts_by_category()[category, amount_chance] * CENTS + cents
    return amounts


def _is_paid_back(year: int, month: Integers, category: Integers, chance: Integers) -> NDArray[np.bool_]:
    """Which rows are refunds of returned tickets, whose amounts are negative."""
    share = np.where(IS_SIGEPA, in_force(SIGEPA_PAID_BACK, year, 0.0), np.where(IS_ISSUED, TICKETS_PAID_BACK, 0.0))
    last_year, last_month = SIGEPA_TICKETS[1]
    is_after = MONTHS * year + month >= MONTHS * last_year + last_month
    refunds: NDArray[np.bool_] = (chance < threshold(share)[category]) | (IS_SIGEPA[category] & is_after)
    return refunds


def _deductions(bits: PCG64, document: Integers, is_cut: NDArray[np.bool_]) -> Integers:
    """The disallowed part: mostly little, at times all."""
    one, other = lanes(bits, 2, len(document))
    part = document * (one * other >> LANE_BITS) >> LANE_BITS
    part = np.where(one < threshold(DISALLOWED_IN_FULL), document, part)
    return np.where(is_cut & (document > 0), part, 0)


def _paid(
    bits: PCG64,
    due: Integers,
    is_instalment: NDArray[np.bool_],
    is_ticket: NDArray[np.bool_],
    return_chance: Integers,
) -> tuple[Integers, Integers, NDArray[np.bool_]]:
    """The net values, the values paid back by the deputy, and where there are such."""
    part, full_chance = lanes(bits, 2, len(due))
    net = np.where(is_instalment, due * part >> LANE_BITS, due)
    is_returned = (return_chance < threshold(PAID_BACK_BY_DEPUTY)) & ~is_ticket & ~is_instalment & (due > 0)
    some = np.where(full_chance < threshold(PAID_BACK_IN_FULL), due, (due + 1) // 2)
    return np.where(is_returned, 0, net), np.where(is_returned, some, 0), is_returned


def _document_types(year: int, category: Integers, chance: Integers, is_foreign: NDArray[np.bool_]) -> Integers:
    is_receipt = chance < RECEIPTS_BELOW[category]
    is_electronic = (chance < NFES_BELOW[category]) & (year >= NFE_SINCE)
    types = np.where(is_receipt, RECEIPT, np.where(is_electronic, NFE, INVOICE))
    return np.where(is_foreign, np.where(chance % 2 == 0, ABROAD, PARLASUL), types)
