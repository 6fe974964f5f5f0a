"""Draws the receipts of a year, in the order of Kaggle's file, batch by batch.

A receipt is numbers only: positions of its deputy, category and supplier, a day, an amount. Here belongs how
those hang together; what they look like in a file is said in `reimbursements` and `refunds`. A batch holds
whole (deputy, category) groups, so memory does not depend on the number of rows and equal receipts always
meet in one batch. Only a group larger than a batch is cut; a file of a hundred million rows has none yet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, NamedTuple

import numpy as np
from numpy.random import PCG64
from numpy.typing import NDArray

from deputies_lake.sample.deputies import FORMER_DEPUTIES_YEAR, Deputy
from deputies_lake.sample.draws import Integers, apportion, by_lane, lanes, scaled, threshold
from deputies_lake.sample.kaggle_shape import (
    CATEGORIES,
    LAST_YEAR,
    LAST_YEAR_ENDS,
    NO_STATE,
    amounts_by_category,
    category_mix,
)
from deputies_lake.sample.suppliers import (
    KIND_NAMES,
    POST,
    STATES,
    UNNUMBERED_BELOW,
    Suppliers,
    spelling_of,
)

BATCH_ROWS: Final = 1 << 15

KIND_OF_CATEGORY: Final = np.array([KIND_NAMES.index(category.kind) for category in CATEGORIES])
REPEATS_BELOW: Final = threshold([category.repeats for category in CATEGORIES])
UNDATED_BELOW: Final = threshold([category.undated for category in CATEGORIES])
TICKETS: Final = next(n for n, category in enumerate(CATEGORIES) if category.label == "Airline tickets")

HOUR: Final = 3_600
POST_OPENS: Final = 8 * HOUR
POST_OPEN_FOR: Final = 10 * HOUR

WEIGHT_BY_MONTH: Final = (6, 8, 10, 9, 10, 9, 7, 9, 9, 9, 8, 6)
WEIGHT_BY_WEEKDAY: Final = (18, 19, 19, 19, 15, 5, 5)
OCTOBER: Final = 10


@dataclass(frozen=True, eq=False)
class Roster:
    """Who files in a year, by name, and what the drawing and counting of receipts needs of them as arrays.

    `states` are positions in `STATES`, of the suppliers' state.
    """

    year: int
    deputies: Sequence[Deputy]
    ids: Integers
    states: Integers
    is_office: NDArray[np.bool_]
    is_stateless: NDArray[np.bool_]


class Receipts(NamedTuple):
    """A batch of receipts, one array per column; `deputy` is a position in the roster, `day` in the year."""

    deputy: Integers
    category: Integers
    supplier: Integers
    spelling: Integers
    day: Integers
    second: Integers
    amount: Integers
    undated: NDArray[np.bool_]


def roster_of(year: int, everyone: Sequence[Deputy]) -> Roster:
    deputies = [deputy for deputy in everyone if deputy.presence_in(year) > 0]
    return Roster(
        year,
        deputies,
        ids=np.array([deputy.id for deputy in deputies]),
        states=np.array([STATES.index(deputy.supplier_state) for deputy in deputies]),
        is_office=np.array([deputy.is_office for deputy in deputies]),
        is_stateless=np.array([deputy.state == NO_STATE for deputy in deputies]),
    )


def receipts_of(bits: PCG64, rows: int, roster: Roster, suppliers: Suppliers) -> Iterator[Receipts]:
    """The roster's receipts of its year, by deputy, category and supplier."""
    days = _day_by_lane(roster.year)
    for groups in batches(_group_sizes(bits, rows, roster)):
        yield _drawn(bits, groups, roster, suppliers, days)


def days_of(year: int) -> list[date]:
    """The days on which the year's receipts may fall."""
    end = date(year, *LAST_YEAR_ENDS) if year == LAST_YEAR else date(year, 12, 31)
    return [date(year, 1, 1) + timedelta(days=day) for day in range((end - date(year, 1, 1)).days + 1)]


def _day_by_lane(year: int) -> Integers:
    weights = [WEIGHT_BY_MONTH[day.month - 1] * WEIGHT_BY_WEEKDAY[day.weekday()] for day in days_of(year)]
    return by_lane(weights)


def _summer_time_begins(year: int) -> int:
    """The day without midnight, counted from 0: Brazil's clocks went on on October's third Sunday."""
    first = date(year, OCTOBER, 1)
    return (first + timedelta(days=6 - first.weekday() + 14) - date(year, 1, 1)).days


def _group_sizes(bits: PCG64, rows: int, roster: Roster) -> Integers:
    """How many receipts each deputy has of each category, deputy by deputy."""
    habits = np.stack([deputy.habits * deputy.presence_in(roster.year) for deputy in roster.deputies])
    late = np.zeros(habits.shape, dtype=np.int64)
    if roster.year == FORMER_DEPUTIES_YEAR:
        late[:, TICKETS] = [deputy.late_tickets for deputy in roster.deputies]
    expected = habits / habits.sum(axis=0) * category_mix()[roster.year]
    return apportion(bits, rows - int(late.sum()), expected.ravel()) + late.ravel()


def batches(sizes: Integers) -> Iterator[Integers]:
    """The group of each row, cut between groups where a batch is full."""
    upto = np.cumsum(sizes)
    first = done = 0
    while first < len(sizes):
        last = max(first + 1, int(np.searchsorted(upto, done + BATCH_ROWS, side="right")))
        rows = int(upto[last - 1]) - done
        if rows <= BATCH_ROWS:
            yield np.repeat(np.arange(first, last), sizes[first:last])
        else:
            for start in range(0, rows, BATCH_ROWS):
                yield np.full(min(BATCH_ROWS, rows - start), first)
        first, done = last, done + rows


def _drawn(bits: PCG64, groups: Integers, roster: Roster, suppliers: Suppliers, days: Integers) -> Receipts:
    deputy, category = np.divmod(groups, len(CATEGORIES))
    kind = KIND_OF_CATEGORY[category]
    form_chance, repeat_chance, day_chance, clock_chance, amount_chance = lanes(bits, 5, len(groups))
    supplier_chances = lanes(bits, 4, len(groups))

    # One chance for both: most receipts without a day are among those without an id, the extension lines.
    unnumbered = form_chance < UNNUMBERED_BELOW[kind]
    undated = form_chance < UNDATED_BELOW[category]
    deputy_id = roster.ids[deputy]
    supplier = suppliers.choose(kind, roster.states[deputy], deputy_id, unnumbered, supplier_chances)
    spelling = spelling_of(supplier, deputy_id)

    day = days[day_chance]
    by_counter = unnumbered & (kind == KIND_NAMES.index(POST))
    midnight = np.where(day == _summer_time_begins(roster.year), HOUR, 0)
    second = np.where(by_counter, POST_OPENS + scaled(clock_chance, POST_OPEN_FOR), midnight)
    amount = amounts_by_category()[category, amount_chance]

    # Within its group a receipt stands with its supplier's others, and some are equal to the one before.
    order = np.lexsort((spelling, groups))
    follows = np.diff(groups, prepend=-1) == 0
    repeats = follows & (repeat_chance < REPEATS_BELOW[category])
    taken = order[np.maximum.accumulate(np.where(repeats, 0, np.arange(len(groups))))]
    return Receipts(
        deputy,
        category,
        supplier[taken],
        spelling[taken],
        day[taken],
        second[taken],
        amount[taken],
        undated[taken],
    )
