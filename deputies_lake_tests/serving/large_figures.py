"""Figures as of 18 whole years: 600 deputies a year, each with twelve months, twelve categories and five receipts."""

import random
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Final

from deputies_lake.serving.dashboard.figures import Figures
from deputies_lake_tests.serving.dashboard_lake import RECEIPT
from deputies_lake_tests.serving.small_lake import HOUSE

YEARS: Final = range(2009, 2027)
DEPUTIES: Final = range(600)
TWELVE: Final = range(1, 13)
RECEIPTS: Final = range(5)

_DICE: Final = random.Random(1)
_AMOUNTS: Final = (
    *("spent_amount", "gross_amount", "deduction_amount", "refund_amount", "difference_amount", "net_amount"),
    "returned_amount",
)
_SHARES: Final = ("quota_amount", "spent_to_date", "share_of_quota", "share_to_date")


def _number() -> int:
    return _DICE.randrange(1, 4_000_000)


def _name() -> str:
    return " ".join(f"PALAVRA{_DICE.randrange(300)}" for _ in range(3))


def _columns(keys: Mapping[str, Sequence[Any]], numbers: Sequence[str], **same: Any) -> dict[str, list[Any]]:
    """A row for each combination of keys, with chance's numbers and what is the same in all."""
    rows = list(product(*keys.values()))
    return {
        **{name: [row[i] for row in rows] for i, name in enumerate(keys)},
        **{name: [_number() for _ in rows] for name in numbers},
        **{name: [value for _ in rows] for name, value in same.items()},
    }


def _of_year(year: int) -> Mapping[str, Mapping[str, Sequence[Any]]]:
    receipts = _columns({"payer": DEPUTIES, "category": RECEIPTS}, ["spent_amount", "rank"], date=f"{year}-03-01")
    count = len(receipts["payer"])
    told = {
        "supplier": [_name() for _ in range(count)],
        "number": [str(_number()) for _ in range(count)],
        "link": [f"{RECEIPT}{_number()}" for _ in range(count)],
    }
    return {
        "months": _columns({"payer": DEPUTIES, "month": TWELVE}, ["spent_amount", *_SHARES], gaps=None),
        "categories": _columns({"payer": DEPUTIES, "category": TWELVE}, ["spent_amount", "receipts"]),
        "receipts": {**receipts, **told},
    }


def made() -> Figures:
    """What the first view and a deputy's page need."""
    of_source = {"source_code": HOUSE, "is_incomplete": False, "gaps": None, "deputies": len(DEPUTIES)}
    of_file = {
        "last_month": 12,
        "as_of": "2027-01-31",
        "is_partial": False,
        "rejected_lines": 0,
        "rejected_amount": None,
    }
    of_deputy = {"party": "ABC", "state": "SP"}
    measures = ["receipts", *_AMOUNTS]
    return Figures(
        overall={
            "years": _columns({"year": YEARS}, measures, **of_source, **of_file),
            "months": _columns({"year": YEARS, "month": TWELVE}, measures, gaps=None),
            "payers": {
                "key": [str(payer) for payer in DEPUTIES],
                "name": [_name() for _ in DEPUTIES],
                "register": [str(payer) for payer in DEPUTIES],
                "kind": ["deputy" for _ in DEPUTIES],
            },
            "deputies": _columns(
                {"year": YEARS, "payer": DEPUTIES}, [*measures, "quota_to_date", "share_to_date"], **of_deputy
            ),
        },
        by_year={year: _of_year(year) for year in YEARS},
    )
