"""The invented members of the House and its offices, over all terms, and what the yearly files say of them.

Members up to 2018 are the deputies of Kaggle's sample of the same seed and size, under the same numbers: both sources
tell of the same people. Here belongs what only the House's files know: later terms, register and card, CPFs, the
party's label as of the year. What they spend is in `chamber_receipts`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.random import PCG64
from numpy.typing import NDArray

from deputies_lake.sample import tax_ids
from deputies_lake.sample.chamber_shape import CATEGORIES, SIGEPA, in_force
from deputies_lake.sample.deputies import (
    FIRST_ID,
    JANUARY,
    TERMS_BEGIN,
    Deputy,
    dealt,
    invented_habits,
)
from deputies_lake.sample.draws import Integers, integers, shuffled
from deputies_lake.sample.kaggle_shape import CATEGORIES as KAGGLE_CATEGORIES
from deputies_lake.sample.kaggle_shape import SEATS_BY_STATE
from deputies_lake.sample.names import invented_persons, without_accents
from deputies_lake.sample.suppliers import STATES

FIRST_REGISTER_NUMBER: Final = 500_001
"""Above every number the House's register has given out."""

FIRST_TERM_NUMBER: Final = 53
"""Of the term that began in 2007."""

ONE_OF_TWO: Final = 2
"""So many deputies are elected again."""

OFFICES_SINCE_2019: Final = (
    "LIDERANÇA DO CIDADANIA",
    "LIDERANÇA DO MDB",
    "LIDERANÇA DO NOVO",
    "LIDERANÇA DO PL",
    "LIDERANÇA DO PODEMOS",
    "LIDERANÇA DO PP",
    "LIDERANÇA DO PSD",
    "LIDERANÇA DO REPUBLICANOS",
    "LIDERANÇA DO UNIÃO BRASIL",
    "LIDMIN",
)
OFFICES_WEIGHT: Final = 4
"""Offices file so many times the rows that Kaggle's file shows of them: 0.45% of 2025."""

LABELS: Final[Mapping[str, Mapping[int, str]]] = {
    " S.PART.": {2008: "S.PART."},
    "AVANTE": {2008: "PTdoB", 2017: "AVANTE"},
    "DEM": {2022: "UNIÃO"},
    "PATRI": {2020: "PATRIOTA", 2023: "PRD"},
    "PEN": {2018: "PATRI", 2020: "PATRIOTA", 2023: "PRD"},
    "PHS": {2020: "PODE"},
    "PMDB": {2018: "MDB"},
    "PMN": {2023: "MOBILIZA"},
    "PODE": {2008: "PTN", 2017: "PODE"},
    "PP": {2008: "PP**", 2015: "PP"},
    "PPS": {2019: "CIDADANIA"},
    "PR": {2019: "PL"},
    "PRB": {2019: "REPUBLICANOS"},
    "PROS": {2023: "SOLIDARIEDADE"},
    "PRP": {2019: "PATRI", 2020: "PATRIOTA", 2023: "PRD"},
    "PSC": {2023: "PODE"},
    "PSDC": {2018: "DC"},
    "PSL": {2022: "UNIÃO"},
    "PTB": {2023: "PRD"},
    "PTC": {2022: "AGIR"},
    "PTdoB": {2017: "AVANTE"},
    "SD": {2018: "SOLIDARIEDADE"},
}
"""What a party of Kaggle's file or of the election of 2018 is called in the House's, by the year since when."""

SEATS_OF_2018: Final = {
    "PT": 56, "PSL": 52, "PP": 38, "PMDB": 34, "PSD": 35, "PR": 33, "PSB": 32, "PRB": 30, "DEM": 29, "PSDB": 29,
    "PDT": 28, "SD": 13, "PODE": 11, "PSOL": 10, "PTB": 10, "PCdoB": 9, "NOVO": 8, "PPS": 8, "PROS": 8, "PSC": 8,
    "AVANTE": 7, "PHS": 6, "PATRI": 5, "PRP": 4, "PV": 4, "PMN": 3, "PTC": 2, "REDE": 1,
}  # fmt: skip

HABIT_OF_CATEGORY: Final = [[known.code for known in KAGGLE_CATEGORIES].index(category.like) for category in CATEGORIES]
IS_SIGEPA: Final = np.array([category.id == SIGEPA for category in CATEGORIES])


@dataclass(frozen=True, eq=False)
class Member:
    """Who files receipts. Offices have neither register number nor card nor CPF."""

    deputy: Deputy
    register_number: str
    card: str
    cpf: str

    def party_in(self, year: int) -> str:
        """The label of the party as of the year, empty for offices."""
        if self.deputy.is_office:
            return ""
        label = self.deputy.party_in(year)
        return in_force(LABELS.get(label, {}), year, label)


@dataclass(frozen=True, eq=False)
class Roster:
    """Who files in a year, as the file lists them: offices first, then by name.

    `states` are positions in `STATES`, of the suppliers' state. Who `is_leaving` served a month of the year: it was
    the first of the next term. `habits` are the weights of each member's categories.
    """

    year: int
    members: Sequence[Member]
    ids: Integers
    states: Integers
    is_office: NDArray[np.bool_]
    is_leaving: NDArray[np.bool_]
    habits: NDArray[np.float64]

    def term_begins(self, member: Member) -> int:
        """The first year of the term for which the member files."""
        begun = [begin for begin in TERMS_BEGIN if begin <= self.year]
        return begun[-2] if member.deputy.presence_in(self.year) == JANUARY else begun[-1]


def term_number(begin: int) -> int:
    return FIRST_TERM_NUMBER + TERMS_BEGIN.index(begin)


def invented_members(bits: PCG64, kaggles: Sequence[Deputy]) -> list[Member]:
    """All members: Kaggle's deputies, some of them elected again in 2019 and 2023, and those who came then."""
    known = [_with_later_terms(bits, deputy) for deputy in kaggles if not deputy.late_tickets]
    everyone = [*known, *_newcomers(bits, known, first_id=FIRST_ID + len(kaggles))]
    numbers = iter((FIRST_REGISTER_NUMBER + shuffled(bits, np.arange(len(everyone)))).tolist())
    cpfs = iter(tax_ids.invented_persons(bits, len(everyone)).tolist())
    return [
        Member(deputy, "", "", "")
        if deputy.is_office
        else Member(deputy, str(next(numbers)), str(card), f"{next(cpfs):011}")
        for card, deputy in enumerate(everyone, start=1)
    ]


def roster_of(year: int, everyone: Sequence[Member]) -> Roster:
    present = [member for member in everyone if member.deputy.presence_in(year) > 0]
    members = sorted(present, key=lambda member: (not member.deputy.is_office, without_accents(member.deputy.name)))
    deputies = [member.deputy for member in members]
    presence = np.array([deputy.presence_in(year) for deputy in deputies])
    is_office = np.array([deputy.is_office for deputy in deputies])
    is_leaving = presence == JANUARY
    habits = np.stack([deputy.habits[HABIT_OF_CATEGORY] for deputy in deputies])
    # SIGEPA began in the June of such a year.
    habits[np.ix_(is_leaving, IS_SIGEPA)] = 0
    return Roster(
        year,
        members,
        ids=np.array([deputy.id for deputy in deputies]),
        states=np.array([STATES.index(deputy.supplier_state) for deputy in deputies]),
        is_office=is_office,
        is_leaving=is_leaving,
        habits=habits * (presence * np.where(is_office, OFFICES_WEIGHT, 1))[:, np.newaxis],
    )


def _with_later_terms(bits: PCG64, deputy: Deputy) -> Deputy:
    """Only offices that are named so carry on: others were called by their party's label until 2018."""
    if deputy.is_office:
        later = [deputy.name.startswith("LIDERANÇA ")] * 2
    else:
        first, second = (luck == 0 for luck in integers(bits, 2, ONE_OF_TWO).tolist())
        later = [deputy.terms[-1] and first, deputy.terms[-1] and first and second]
    return replace(deputy, terms=(*deputy.terms, *later))


def _newcomers(bits: PCG64, known: Sequence[Deputy], first_id: int) -> list[Deputy]:
    """As many as each new term lacks beside the one of 2015, and the offices named after parties of these years."""
    members = [deputy for deputy in known if not deputy.is_office]
    seats = sum(deputy.terms[2] for deputy in members)
    elected_2019 = seats - sum(deputy.terms[3] for deputy in members)
    stayed = elected_2019 // ONE_OF_TWO
    elected_2023 = seats - sum(deputy.terms[4] for deputy in members) - stayed
    terms = [(False, False, False, True, True)] * stayed
    terms += [(False, False, False, True, False)] * (elected_2019 - stayed)
    terms += [(False, False, False, False, True)] * elected_2023
    count = len(terms)
    taken = {deputy.name for deputy in known}
    names = (name for name in invented_persons(bits, count + len(taken)) if name not in taken)
    facts = zip(
        dealt(bits, count, SEATS_OF_2018),
        dealt(bits, count, SEATS_BY_STATE),
        terms,
        invented_habits(bits, count),
        strict=True,
    )
    ids = iter(range(first_id, first_id + count + len(OFFICES_SINCE_2019)))
    deputies = [Deputy(next(ids), next(names), *fact) for fact in facts]
    office = next(deputy for deputy in known if deputy.is_office)
    offices = [
        replace(office, id=next(ids), name=name, terms=(False, False, False, True, True)) for name in OFFICES_SINCE_2019
    ]
    return [*deputies, *offices]
