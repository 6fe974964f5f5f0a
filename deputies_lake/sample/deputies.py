"""The invented deputies, and the offices that file receipts beside them.

Here belongs who files, in which years and how much of what; the receipts themselves are in `receipts`. The
traps of the published file that hang on the filer are made here: offices without state and party, a deputy
with two parties, the label of those who left theirs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import numpy as np
from numpy.random import PCG64
from numpy.typing import NDArray

from deputies_lake.sample.draws import LANE_VALUES, deal, integers, lanes, shuffled, threshold
from deputies_lake.sample.kaggle_shape import (
    CAPITAL,
    CATEGORIES,
    NO_STATE,
    PUBLISHED_DEPUTIES,
    SEATS_BY_STATE,
)
from deputies_lake.sample.names import invented_persons, without_accents
from deputies_lake.sample.parties import LEFT_THE_PARTY, NO_PARTY, PARTIES

Choice = TypeVar("Choice")

FIRST_ID: Final = 6_001
"""Above every id the House has given out in these years."""

FEWEST_DEPUTIES: Final = 60

TERMS_BEGIN: Final = (2007, 2011, 2015, 2019, 2023)
DEPUTIES_BY_TERMS: Final = {
    (True, False, False): 300,
    (False, True, False): 175,
    (False, False, True): 300,
    (True, True, False): 130,
    (False, True, True): 150,
    (True, True, True): 125,
    (True, False, True): 7,
}
"""In which of Kaggle's three terms a deputy served: some 580 in each, substitutes included, and 1,187 in all."""
ALL_TERMS: Final = (True, True, True)

JANUARY: Final = 1 / 12
"""A new term begins in February, so the old one's deputies file for a month of that year."""

OFFICES: Final = (
    "LIDERANÇA DO PSDB",
    "LIDERANÇA DO PT",
    "PDT",
    "PROS",
    "SDD",
    "LID.GOV-CD",
    "LID.GOV-CN",
    "PHS",
    "PSOL",
    "PTN",
    "PODE",
)
OFFICE_CATEGORY_CODES: Final = frozenset({1, 3, 10, 11, 13, 122, 999})
OFFICE_WEIGHT: Final = 0.07
"""An office files so much of what a deputy does, which makes 3,556 receipts of 3 million."""

FORMER_DEPUTIES_TICKETS: Final = (1, 1, 1, 2, 2)
"""What deputies of earlier terms, without a known state and party, still filed, whatever the file's size."""
FORMER_DEPUTIES_YEAR: Final = 2009

NEVER: Final = 1e-4
"""The weight of a category that a deputy does not use. Not zero: in a small sample nobody might use it."""


@dataclass(frozen=True, eq=False)
class Deputy:
    """Who files receipts; `name` is in capitals, `habits` the weight of each category in a full year."""

    id: int
    name: str
    party: str
    state: str
    terms: tuple[bool, ...]
    habits: NDArray[np.float64]
    first_party: str | None = None
    is_office: bool = False
    late_tickets: int = 0

    @property
    def supplier_state(self) -> str:
        """Where the suppliers are: those without a state work in the capital."""
        return CAPITAL if self.state == NO_STATE else self.state

    def party_in(self, year: int) -> str:
        """The party of the day the file was made, except of the one deputy who is listed with two."""
        return self.first_party if self.first_party and year < TERMS_BEGIN[1] else self.party

    def presence_in(self, year: int) -> float:
        """The part of the year in which the deputy served."""
        term = sum(year >= begin for begin in TERMS_BEGIN) - 1
        if self.terms[term]:
            return 1.0
        return JANUARY if year in TERMS_BEGIN and self.terms[term - 1] else 0.0


def invented_deputies(bits: PCG64, scale: float) -> list[Deputy]:
    """All who file receipts, by name; at a smaller `scale` there are fewer, so that each files enough."""
    others = len(OFFICES) + len(FORMER_DEPUTIES_TICKETS)
    count = max(FEWEST_DEPUTIES, round(PUBLISHED_DEPUTIES * scale) - others)
    ids = iter((FIRST_ID + shuffled(bits, np.arange(count + others))).tolist())
    names = iter(invented_persons(bits, count + len(FORMER_DEPUTIES_TICKETS)))
    parties = dealt(bits, count, {party.label: party.deputies for party in PARTIES})
    states = dealt(bits, count, SEATS_BY_STATE)
    terms = dealt(bits, count, DEPUTIES_BY_TERMS)
    deputies = [
        Deputy(next(ids), next(names), *facts)
        for facts in zip(parties, states, terms, invented_habits(bits, count), strict=True)
    ]
    # The odd ones. Few file a large part of a small sample, so they file less there: it keeps their share.
    deputies[0] = replace(deputies[0], first_party="PP", party="PMDB", terms=ALL_TERMS)
    for odd in (1, 2):
        less = deputies[odd].habits * scale
        deputies[odd] = replace(deputies[odd], party=LEFT_THE_PARTY, terms=(True, True, False), habits=less)
    offices = [
        Deputy(next(ids), name, NO_PARTY, NO_STATE, ALL_TERMS, _office_habits() * scale, is_office=True)
        for name in OFFICES
    ]
    none = np.zeros(len(CATEGORIES))
    former = [
        Deputy(next(ids), next(names), NO_PARTY, NO_STATE, ALL_TERMS, none, late_tickets=tickets)
        for tickets in FORMER_DEPUTIES_TICKETS
    ]
    return sorted([*deputies, *offices, *former], key=lambda deputy: without_accents(deputy.name))


def dealt(bits: PCG64, count: int, weights: Mapping[Choice, float]) -> list[Choice]:
    choices = list(weights)
    return [choices[position] for position in deal(bits, count, list(weights.values()))]


def _office_habits() -> NDArray[np.float64]:
    used = [category.deputies * (category.code in OFFICE_CATEGORY_CODES) for category in CATEGORIES]
    return OFFICE_WEIGHT * np.array(used) / PUBLISHED_DEPUTIES


def invented_habits(bits: PCG64, count: int) -> NDArray[np.float64]:
    """For each deputy the weight of each category: how busy the deputy is, times the taste for it."""
    activity = lanes(bits, 2, count).sum(axis=0) / LANE_VALUES
    taste = 2 * lanes(bits, len(CATEGORIES), count).T / LANE_VALUES
    uses = integers(bits, count * len(CATEGORIES), LANE_VALUES).reshape(count, len(CATEGORIES))
    share = threshold([category.deputies / PUBLISHED_DEPUTIES for category in CATEGORIES])
    habits: NDArray[np.float64] = activity[:, np.newaxis] * np.where(uses < share, taste, NEVER)
    return habits
