"""What each year's figures lack: how far its file goes, and which of its lines could not be read."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deputies_lake.lakehouse.lake import Lake
from deputies_lake.serving import publications
from deputies_lake.staging import rejected_rows
from deputies_lake.star import fct_expenses
from deputies_lake_tests.serving import small_lake
from deputies_lake_tests.serving.small_lake import HOUSE, KAGGLE, commit, row


@pytest.mark.parametrize(
    ("last_month", "as_of", "incomplete"),
    [
        (12, date(2023, 1, 5), False),
        # A file that is whole but for its last months.
        (7, date(2022, 7, 27), True),
        (7, date(2026, 11, 22), True),
        (12, date(2022, 12, 31), True),
        # Kaggle's says nothing of its own date.
        (12, None, False),
        (10, None, True),
        (None, None, False),
        (None, date(2022, 7, 27), True),
    ],
)
def test_a_year_is_incomplete_where_its_months_stop_or_its_file_is_of_the_year(
    last_month: int | None, as_of: date | None, incomplete: bool
) -> None:
    assert publications.is_incomplete(2022, last_month, as_of, this_year=2026) is incomplete


def test_the_current_year_is_incomplete_whatever_it_has() -> None:
    assert publications.is_incomplete(2026, 12, None, this_year=2026)


def published(lake: Lake, receipts: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    """The rows of publications of a fact that has these receipts, by year."""
    facts = [row(fct_expenses.TABLE, expense_key=i, **one) for i, one in enumerate(receipts)]
    commit(lake, fct_expenses.TABLE, facts)
    return {one["year"]: one for one in publications.rows(lake)}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return small_lake.build(tmp_path)


def test_the_months_are_the_quotas_and_those_of_kaggles_receipts(lake: Lake) -> None:
    house = [{"year": 2024, "source_code": HOUSE, "competence_month": m, "date_key": 20241231} for m in (1, 7)]
    kaggle = [{"year": 2017, "source_code": KAGGLE, "date_key": day} for day in (20170101, 20171019, 0)]
    found = published(lake, [*house, *kaggle])
    assert {year: one["last_month"] for year, one in found.items()} == {2017: 10, 2024: 7, 2016: None, 2025: None}
    assert [found[year]["is_incomplete"] for year in (2017, 2024)] == [True, True]


def test_a_few_receipts_with_a_wrong_date_do_not_complete_a_year(lake: Lake) -> None:
    of_months = [(20170801, 200), (20171225, 1)]
    receipts = [{"year": 2017, "source_code": KAGGLE, "date_key": day} for day, n in of_months for _ in range(n)]
    assert published(lake, receipts)[2017]["last_month"] == 8


def test_a_year_counts_the_lines_of_its_source_that_could_not_be_read(lake: Lake) -> None:
    lines = [
        {"year": 2025, "source_code": HOUSE, "amount": Decimal("100.01")},
        {"year": 2025, "source_code": HOUSE, "amount": None},
        {"year": 2025, "source_code": KAGGLE, "amount": Decimal(5)},
        {"year": 2016, "source_code": KAGGLE, "amount": None},
    ]
    commit(lake, rejected_rows.TABLE, [row(rejected_rows.TABLE, source_line=i, **one) for i, one in enumerate(lines)])
    found = {one["year"]: (one["rejected_lines"], one["rejected_amount"]) for one in publications.rows(lake)}
    assert found == {2016: (1, None), 2025: (2, Decimal("100.01"))}


def test_what_years_lack_is_one_sentence_each() -> None:
    whole = {"year": 2021, "is_incomplete": False, "last_month": 12, "rejected_lines": 0}
    partial = {**whole, "year": 2022, "is_incomplete": True, "last_month": 7, "rejected_lines": 3}
    unknown = {**whole, "year": 2023, "is_incomplete": True, "last_month": None, "rejected_lines": 1}
    assert publications.shortcomings([whole]) == []
    assert [pt for pt, _ in publications.shortcomings([whole, partial, unknown])] == [
        "Anos incompletos, que não se comparam com anos inteiros: 2022 (até o mês 7), 2023.",
        "Linhas que não puderam ser lidas e não estão nos números: 2022 (3), 2023 (1). Quais: FROM rejected_lines.",
    ]


def test_a_year_of_which_every_line_was_read_says_so(lake: Lake) -> None:
    assert {one["rejected_lines"] for one in publications.rows(lake)} == {0}
