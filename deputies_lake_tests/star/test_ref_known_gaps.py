"""Known gaps: all that ship, and of the last months' receipts, which months these are."""

from datetime import date, datetime
from typing import Any, Final

import pytest

from deputies_lake.star.ref_known_gaps import gaps, newest_file

ARRIVING: Final = "receipts_still_arriving"


def version(day: int, decision: str = "published", *, modified: bool = True) -> dict[str, Any]:
    of_day = datetime.fromisoformat(f"2026-09-{day:02}T06:27:00")
    archived = datetime.fromisoformat(f"2026-09-{day + 1:02}T12:00:00")
    return {"modified_at": of_day if modified else None, "archived_at": archived, "decision": decision}


@pytest.mark.parametrize(
    ("versions", "day"),
    [
        ([version(3), version(17), version(9)], date(2026, 9, 17)),
        ([version(3), version(17, "blocked")], date(2026, 9, 3)),
        ([version(3), version(17, "accepted")], date(2026, 9, 17)),
        ([version(3, modified=False)], date(2026, 9, 4)),
        ([version(17, "blocked")], None),
        ([], None),
    ],
    ids=["the newest", "not a refused one", "an accepted one", "without a date, when it came", "refused alone", "none"],
)
def test_the_newest_file_is_the_latest_that_was_published(versions: list[dict[str, Any]], day: date | None) -> None:
    assert newest_file(versions) == day


@pytest.mark.parametrize(
    ("newest", "first", "last"),
    [
        (date(2026, 9, 16), "2026-06-01", "2026-09-01"),
        (date(2026, 9, 30), "2026-07-01", "2026-09-01"),
        (date(2026, 1, 10), "2025-10-01", "2026-01-01"),
        (date(2024, 3, 31), "2024-01-01", "2024-03-01"),
    ],
)
def test_receipts_of_the_last_ninety_days_are_still_arriving(newest: date, first: str, last: str) -> None:
    (gap,) = (gap for gap in gaps(newest) if gap["gap_id"] == ARRIVING)
    assert (gap["first_month"], gap["last_month"]) == (first, last)


def test_without_a_file_of_the_house_no_receipt_is_arriving() -> None:
    assert ARRIVING not in {gap["gap_id"] for gap in gaps(None)}


def test_all_other_gaps_are_there_with_a_file_or_without() -> None:
    others = [gap for gap in gaps(date(2026, 9, 16)) if gap["gap_id"] != ARRIVING]
    assert others == gaps(None)


def test_sigepas_tickets_are_known_to_be_missing_since_august_2025() -> None:
    (gap,) = (gap for gap in gaps(None) if gap["gap_id"] == "sigepa_missing")
    assert [gap[name] for name in ("expense_category_id", "first_month", "last_month", "severity")] == [
        *("998", "2025-08-01", "", "high")
    ]
