"""The published shape of Kaggle's deputies_dataset.csv: its years, states and categories, with their weights.

Figures that were counted in or printed from the published file, and what was fitted to them. No names of
persons or companies, and nothing that draws: that is `receipts`.
"""

from functools import cache
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np

from deputies_lake.sample.draws import LANE_VALUES, Integers

PUBLISHED_ROWS: Final = 3_014_902
PUBLISHED_DEPUTIES: Final = 1_187

ROWS_BY_YEAR: Final = {
    2013: 353_845,
    2014: 336_000,
    2011: 377_000,
    2015: 377_000,
    2012: 355_000,
    2017: 251_882,
    2010: 363_703,
    2016: 339_089,
    2009: 261_383,
}
"""In the file's own order. 2009 and 2017 were counted, the others follow from row numbers in print."""

LAST_YEAR: Final = 2017
LAST_YEAR_ENDS: Final = (10, 19)
"""Month and day of the latest receipt: the file was made before its last year was over."""

SEATS_BY_STATE: Final = {
    "AC": 8, "AL": 9, "AM": 8, "AP": 8, "BA": 39, "CE": 22, "DF": 8, "ES": 10, "GO": 17, "MA": 18, "MG": 53,
    "MS": 8, "MT": 8, "PA": 17, "PB": 12, "PE": 25, "PI": 10, "PR": 30, "RJ": 46, "RN": 8, "RO": 8, "RR": 8,
    "RS": 31, "SC": 16, "SE": 8, "SP": 70, "TO": 8,
}  # fmt: skip
CAPITAL: Final = "DF"
NO_STATE: Final = "Vazio"


class Amounts(NamedTuple):
    """The amounts of a category: log-normal around the usual one, and for some a second hump of large ones.

    `spread` is fitted so that the mean is the published one.
    """

    usual: float
    spread: float
    lowest: int
    highest: int
    large_share: float = 0.0
    large: int = 0


class Category(NamedTuple):
    """A category as published. `code` is the House's sub-quota number, by which receipts are sorted.

    `refund_label` is its name in dirty_deputies_v2.csv, which has only those in use in 2016. `kind` is the
    supplier's, `repeats` the share of receipts equal to the one before, `undated` of those without a day.
    """

    label: str
    refund_label: str
    code: int
    kind: str
    first_year: int
    last_year: int
    rows: int
    deputies: int
    amounts: Amounts
    repeats: float = 0.016
    undated: float = 0.0003


CATEGORIES: Final = (
    Category("Maintenance of Office", "OFFICE MAINTENANCE", 1, "office", 2009, 2017, 186_201, 1_089,
             Amounts(331, 1.42, 0, 34_546), undated=0.01),
    Category("Locomotion, Food and Lodging", "", 2, "lodging", 2009, 2010, 15_818, 468,
             Amounts(19.5, 1.12, 1, 28_200, 0.08, 3_500)),
    Category("Fuels and lubricants.", "FUEL COSTS", 3, "fuel", 2009, 2017, 635_528, 1_141,
             Amounts(97, 0.63, 0, 11_374, 0.03, 3_500)),
    Category("Consultancies, Researches and Technical Works.",
             "CONSULTING, RESEARCH AND TECHNICAL WORK COSTS", 4, "consultancy", 2009, 2017, 24_062, 992,
             Amounts(5_000, 0.71, 0, 90_000), repeats=0.06),
    Category("Dissemination of the Parliamentary Activity.", "DISSEMINATION OF PARLIAMENTARY ACTIVITY", 5,
             "publicity", 2009, 2017, 73_132, 1_087, Amounts(1_800, 1.39, 0, 215_000), repeats=0.03),
    Category("Acquisition of Office Supplies.", "", 6, "office", 2009, 2010, 1_601, 355,
             Amounts(111, 1.54, 1, 12_089)),
    Category("Acquisition or Location of Software for Postal Services", "", 7, "software", 2009, 2010, 2_634,
             352, Amounts(163, 1.29, 0, 26_100)),
    Category("Security Service Provided By Specialized Company.", "SECURITY SERVICE", 8, "security", 2009,
             2017, 7_624, 321, Amounts(190, 1.26, 0, 17_000, 0.2, 5_500), repeats=0.06),
    Category("Telephony", "PHONE COSTS", 10, "telephone", 2009, 2017, 402_091, 1_167,
             Amounts(226, 1.06, 0, 32_493), undated=0.115),
    Category("Postal Services", "MAIL COSTS", 11, "post", 2009, 2017, 332_468, 1_134,
             Amounts(36, 1.6, 0, 149_754), repeats=0.002),
    Category("Publication Subscription", "PUBLICATION SIGNATURE EXPENSES", 12, "press", 2009, 2017, 5_103,
             604, Amounts(259, 0.95, 0, 30_000), repeats=0.06),
    Category("Food and Meals", "MEAL COSTS", 13, "food", 2009, 2017, 212_039, 960,
             Amounts(47, 0.84, 0, 6_205)),
    Category("Hosting, except for the Parliamentary in the Federal District.", "HOTEL COSTS", 14, "lodging",
             2009, 2017, 49_881, 943, Amounts(192, 1.02, 1, 19_670), repeats=0.16),
    Category("Renting of motor vehicles or chartering of boats", "", 15, "vehicles", 2009, 2013, 145_811, 793,
             Amounts(10, 1.52, 0, 57_333, 0.14, 4_000), repeats=0.05),
    Category("Renting or Chartering of Aircraft", "AIRPLANE RENT", 119, "aircraft", 2013, 2017, 1_561, 188,
             Amounts(7_500, 0.71, 40, 184_500)),
    Category("Rental or Chartering of Motor Vehicles", "GROUND VEHICLE RENT", 120, "vehicles", 2013, 2017,
             21_781, 678, Amounts(3_727, 0.52, 2, 30_000), repeats=0.06),
    Category("Leasing or Chartering of Boats", "SHIP/BOAT RENT", 121, "boats", 2013, 2017, 190, 45,
             Amounts(60, 1.97, 2, 30_050, 0.4, 6_000)),
    Category("Taxi Service, Toll & Parking", "TAXI, PARKING AND TOLL COSTS", 122, "road", 2013, 2017, 96_674,
             544, Amounts(9.5, 0.86, 0, 3_850, 0.05, 350), repeats=0.27),
    Category("Land, Sea or River Tickets", "GROUND TRANSPORTATION TICKET", 123, "coach", 2013, 2017, 3_938,
             212, Amounts(65, 0.82, 1, 2_066), repeats=0.06),
    Category("Participation in Course, Lecture or Similar Event", "WORKSHOP/COURSE/EVENT COSTS", 137,
             "course", 2014, 2017, 68, 30, Amounts(6_000, 0.2, 31, 18_600)),
    Category("Airline tickets", "FLIGHT TICKET", 999, "airline", 2009, 2017, 796_701, 1_162,
             Amounts(453, 0.72, 0, 80_000), repeats=0.11),
)  # fmt: skip

LARGE_SPREAD: Final = 0.5
EXTREME_LANES: Final = 64
"""So many of the lanes stand for a category's lowest amount: a tenth of a percent."""


@cache
def amounts_by_category() -> Integers:
    """For each category and lane an amount: the lane picks its quantile."""
    return np.stack([quantiles(category.amounts) for category in CATEGORIES])


def quantiles(amounts: Amounts) -> Integers:
    """For each lane an amount in whole reais."""
    large_lanes = round(amounts.large_share * LANE_VALUES)
    usual = (amounts.usual + 0.5) * np.exp(amounts.spread * _normal_quantiles(LANE_VALUES - large_lanes))
    large = amounts.large * np.exp(LARGE_SPREAD * _normal_quantiles(large_lanes))
    # Only an amount within a rounding error of a whole number could differ between machines, and none is.
    drawn = np.concatenate([usual, large]).astype(np.int64).clip(max(amounts.lowest, 1), amounts.highest)
    drawn[:EXTREME_LANES] = amounts.lowest
    drawn[-1] = amounts.highest
    return drawn


@cache
def _normal_quantiles(count: int) -> np.typing.NDArray[np.float64]:
    normal = NormalDist()
    return np.array([normal.inv_cdf((position + 0.5) / count) for position in range(count)])


@cache
def category_mix() -> dict[int, tuple[float, ...]]:
    """For each year the share of each category, so that years and categories both have their published rows.

    A category counts only in its own years, so the shares have to be fitted to both margins in turn.
    """
    mix = {
        year: [float(category.first_year <= year <= category.last_year) for category in CATEGORIES]
        for year in ROWS_BY_YEAR
    }
    for _ in range(50):
        for position, category in enumerate(CATEGORIES):
            factor = category.rows / sum(row[position] for row in mix.values())
            for row in mix.values():
                row[position] *= factor
        for year, row in mix.items():
            factor = ROWS_BY_YEAR[year] / sum(row)
            mix[year] = [rows * factor for rows in row]
    return {year: tuple(row) for year, row in mix.items()}
