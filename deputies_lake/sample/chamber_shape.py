"""The shape of the House's yearly files: categories by year, how often and how much, what is odd about each.

Figures that were counted in published files and rounded. No names of persons or companies, and nothing that draws:
that is `chamber_receipts`. What a category has in common with one of Kaggle's file stands in `kaggle_shape`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeVar

import numpy as np

from deputies_lake.sample import kaggle_shape
from deputies_lake.sample.draws import Integers
from deputies_lake.sample.kaggle_shape import Amounts
from deputies_lake.sample.receipts import WEIGHT_BY_MONTH

Value = TypeVar("Value")

FIRST_YEAR: Final = 2008

PUBLISHED_ROWS_A_YEAR: Final = 209_066
"""Of 2025, as published in September 2026."""

SIGEPA: Final = 998
ISSUED_TICKETS: Final = 999
FUEL: Final = 3

SIGEPA_TICKETS: Final = ((2019, 6), (2025, 7))
"""First and last month of which the files hold tickets; of later ones they hold only what was paid back."""

PAID_BACK_LATER: Final = 0.02
"""Weight of a month without SIGEPA's tickets beside one with them."""

SIGEPA_PAID_BACK: Final = {2019: 0.04, 2023: 0.2}
TICKETS_PAID_BACK: Final = 0.03
"""Share of the rows that are refunds, by the year from which it holds."""

NFE_SINCE: Final = 2017
"""First year with electronic invoices (document type 4)."""

NO_DOCUMENT_IS_ZERO_SINCE: Final = 2017
"""First year in which a row without document has a 0 for its id; before it is empty."""

OF_THE_YEAR_BEFORE: Final = {2017: 0.001}
"""Share of the rows that a year's file takes from the year before, where there are any."""


def in_force(values: Mapping[int, Value], year: int, before: Value) -> Value:
    """Of values by the year from which they hold the year's; `before` the first of them another."""
    begun = [first for first in values if first <= year]
    return values[max(begun)] if begun else before


@dataclass(frozen=True, kw_only=True)
class Category:
    """A category as published; `rows`, in a year at full size, and `labels` are by the year from which they hold.

    `like` is the category of Kaggle's file with the same suppliers, habits and, unless given, amounts. `receipts`
    and `electronic` are the shares of document types 1 and 4, `deducted` that of rows with a disallowed part.
    """

    id: int
    labels: Mapping[int, str]
    rows: Mapping[int, int]
    like: int
    amounts: Amounts
    receipts: float
    electronic: float
    deducted: float

    def label_in(self, year: int) -> str:
        return in_force(self.labels, year, "")

    def rows_in(self, year: int) -> int:
        return in_force(self.rows, year, 0)


_KAGGLE: Final = {category.code: category for category in kaggle_shape.CATEGORIES}


def _category(
    number: int,
    labels: str | Mapping[int, str],
    rows: Mapping[int, int],
    *,
    like: int | None = None,
    amounts: Amounts | None = None,
    receipts: float = 0.0,
    electronic: float = 0.0,
    deducted: float = 0.0,
) -> Category:
    like = like or number
    return Category(
        id=number,
        labels={FIRST_YEAR: labels} if isinstance(labels, str) else labels,
        rows=rows,
        like=like,
        amounts=amounts or _KAGGLE[like].amounts,
        receipts=receipts,
        electronic=electronic,
        deducted=deducted,
    )


CATEGORIES: Final = (
    _category(1, "MANUTENÇÃO DE ESCRITÓRIO DE APOIO À ATIVIDADE PARLAMENTAR", {2008: 20_700, 2019: 24_500},
              amounts=Amounts(430, 1.52, 0, 60_000), receipts=0.42, electronic=0.12, deducted=0.18),
    _category(2, "LOCOMOÇÃO, ALIMENTAÇÃO E  HOSPEDAGEM", {2008: 16_000, 2010: 0}, receipts=0.1),
    _category(3, "COMBUSTÍVEIS E LUBRIFICANTES.", {2008: 70_600, 2019: 66_000},
              amounts=Amounts(160, 0.7, 0, 11_374, 0.03, 4_200), electronic=0.67, deducted=0.02),
    _category(4, "CONSULTORIAS, PESQUISAS E TRABALHOS TÉCNICOS.", {2008: 2_700, 2019: 1_500}, electronic=0.33),
    _category(5, "DIVULGAÇÃO DA ATIVIDADE PARLAMENTAR.", {2008: 8_100, 2019: 22_000},
              receipts=0.01, electronic=0.07, deducted=0.005),
    _category(6, "AQUISIÇÃO DE MATERIAL DE ESCRITÓRIO.", {2008: 1_600, 2010: 0}),
    _category(7, "AQUISIÇÃO OU LOC. DE SOFTWARE; SERV. POSTAIS; ASS.", {2008: 2_600, 2010: 0}),
    _category(8, "SERVIÇO DE SEGURANÇA PRESTADO POR EMPRESA ESPECIALIZADA.", {2009: 850, 2019: 600}, deducted=0.03),
    _category(9, {2008: "PASSAGENS AÉREAS E FRETAMENTO DE AERONAVES", 2014: "PASSAGENS AÉREAS",
                  2021: "PASSAGEM AÉREA - REEMBOLSO"}, {2009: 4_400, 2019: 1_500}, like=ISSUED_TICKETS,
              amounts=Amounts(1_300, 0.6, 1, 20_000), receipts=0.02, deducted=0.005),
    _category(10, "TELEFONIA", {2008: 44_700, 2019: 14_000}, deducted=0.15),
    _category(11, "SERVIÇOS POSTAIS", {2009: 36_900, 2019: 5_000}, receipts=0.99, deducted=0.001),
    _category(12, "ASSINATURA DE PUBLICAÇÕES", {2009: 570, 2019: 400}, receipts=0.23, electronic=0.23),
    _category(13, "FORNECIMENTO DE ALIMENTAÇÃO DO PARLAMENTAR", {2009: 23_500, 2019: 8_500},
              electronic=0.76, deducted=0.14),
    _category(14, "HOSPEDAGEM ,EXCETO DO PARLAMENTAR NO DISTRITO FEDERAL.", {2009: 5_500, 2019: 11_000},
              electronic=0.02, deducted=0.03),
    _category(15, "LOCAÇÃO DE VEÍCULOS AUTOMOTORES OU FRETAMENTO DE EMBARCAÇÕES", {2009: 29_000, 2014: 0},
              receipts=0.6),
    _category(119, "LOCAÇÃO OU FRETAMENTO DE AERONAVES", {2013: 50, 2014: 390, 2019: 90}),
    _category(120, "LOCAÇÃO OU FRETAMENTO DE VEÍCULOS AUTOMOTORES", {2013: 800, 2014: 5_400, 2019: 9_000},
              receipts=0.74, electronic=0.1, deducted=0.06),
    _category(121, "LOCAÇÃO OU FRETAMENTO DE EMBARCAÇÕES", {2013: 10, 2014: 47, 2019: 70}, receipts=0.94),
    _category(122, "SERVIÇO DE TÁXI, PEDÁGIO E ESTACIONAMENTO", {2013: 3_000, 2014: 24_000, 2019: 18_000},
              receipts=0.88, electronic=0.01, deducted=0.04),
    _category(123, "PASSAGENS TERRESTRES, MARÍTIMAS OU FLUVIAIS", {2013: 200, 2014: 985, 2019: 700},
              receipts=0.18, deducted=0.01),
    _category(137, "PARTICIPAÇÃO EM CURSO, PALESTRA OU EVENTO SIMILAR", {2015: 23, 2019: 5}),
    # Younger than any list of the categories' numbers.
    _category(145, "AQUISIÇÃO DE TOKENS E CERTIFICADOS DIGITAIS", {2025: 18}, like=1,
              amounts=Amounts(180, 0.4, 90, 600)),
    _category(SIGEPA, "PASSAGEM AÉREA - SIGEPA",
              {2019: 8_000, 2020: 12_000, 2022: 22_000, 2025: 26_500, 2026: 500}, like=ISSUED_TICKETS,
              amounts=Amounts(1_400, 0.62, 12, 12_000)),
    _category(ISSUED_TICKETS, {2008: "Emissão Bilhete Aéreo", 2021: "PASSAGEM AÉREA - RPA"},
              {2009: 84_000, 2019: 45_000, 2020: 9_000, 2023: 2_500, 2025: 554, 2026: 250},
              amounts=Amounts(900, 0.6, 9, 15_000)),
)  # fmt: skip


def category_mix(year: int) -> list[float]:
    """The share of each category in a year's rows."""
    rows = [category.rows_in(year) for category in CATEGORIES]
    return [number / sum(rows) for number in rows]


@cache
def amounts_by_category() -> Integers:
    """For each category and lane an amount in whole reais: the lane picks its quantile."""
    return np.stack([kaggle_shape.quantiles(category.amounts) for category in CATEGORIES])


def sigepa_month_weights(year: int) -> list[float]:
    """How many of SIGEPA's rows each month of the year has beside another; none before it began."""
    begin, end = SIGEPA_TICKETS
    months = [(year, month) for month in range(1, len(WEIGHT_BY_MONTH) + 1)]
    return [0.0 if month < begin else PAID_BACK_LATER if month > end else 1.0 for month in months]
