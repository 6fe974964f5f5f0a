"""The history of changes is made from what is published: at once or later, and as far as its versions are kept."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deputies_lake.checks.audit import Finding
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake, MissingTableError
from deputies_lake.star import changes, fct_expense_changes, fct_expenses
from deputies_lake_tests.serving.small_lake import commit, open_lake, row

FACT, CHANGES = fct_expenses.TABLE, fct_expense_changes.TABLE
V1, V2, V3 = {1: "10", 2: "20"}, {1: "10", 2: "21", 3: "30"}, {3: "30"}
NOTED = [(2, 0, 0, Decimal(0), Decimal(30)), (1, 0, 1, Decimal(30), Decimal(61)), (0, 2, 0, Decimal(61), Decimal(30))]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(tmp_path)


def publish(lake: Lake, version: dict[int, str], year: int = 2019) -> None:
    """Receipts of a year by document, each with its amount."""
    receipts = [
        row(FACT, year=year, expense_key=hash((key, net)), document_id=f"{key}", net_amount=Decimal(net))
        for key, net in version.items()
    ]
    commit(lake, FACT, receipts)


def account(lake: Lake, *years: int) -> Finding:
    """What `account` finds of the history of these years, 2019 unless given."""
    published = changes.account(lake, years or [2019], "run")
    (finding,) = (finding for finding in published.findings if finding.check == changes.HISTORY)
    return finding


def noted(lake: Lake, year: int = 2019) -> Sequence[tuple[Any, ...]]:
    """What was noted of a year, in the order of time."""
    rows = sorted(lake.rows(CHANGES, [year]), key=lambda one: one["changed_at"])
    names = ("rows_added", "rows_removed", "rows_altered", "net_before", "net_after")
    return [tuple(one[name] for name in names) for one in rows]


def test_what_each_version_changed_is_noted_since_when_it_stands(lake: Lake) -> None:
    for version in (V1, V2, V3):
        publish(lake, version)
        assert account(lake).passed
    assert noted(lake) == NOTED
    moments = sorted(one["changed_at"] for one in lake.rows(CHANGES))
    assert moments == [since.replace(tzinfo=None) for since in lake.snapshots(FACT)]


def test_what_was_not_noted_at_once_is_noted_later_version_by_version(lake: Lake) -> None:
    publish(lake, V1)
    account(lake)
    publish(lake, V2)
    publish(lake, V1, year=2020)
    publish(lake, V3)
    account(lake)
    assert noted(lake) == NOTED


def test_the_whole_history_can_be_made_from_nothing(lake: Lake) -> None:
    for version in (V1, V2, V3):
        publish(lake, version)
    account(lake)
    assert noted(lake) == NOTED


def test_what_is_noted_is_not_noted_again(lake: Lake) -> None:
    publish(lake, V1)
    account(lake)
    before = lake.snapshot_id(CHANGES)
    publish(lake, V2, year=2020)
    account(lake)
    assert (lake.snapshot_id(CHANGES), noted(lake)) == (before, NOTED[:1])


def test_years_that_were_not_asked_for_wait(lake: Lake) -> None:
    publish(lake, V1)
    publish(lake, V1, year=2020)
    account(lake, 2020)
    assert (noted(lake), noted(lake, 2020)) == ([], NOTED[:1])
    account(lake, 2019)
    assert (noted(lake), noted(lake, 2020)) == (NOTED[:1], NOTED[:1])


def test_the_same_rows_published_again_change_nothing(lake: Lake) -> None:
    for _ in range(2):
        publish(lake, V1)
        account(lake)
    assert noted(lake) == NOTED[:1]


def test_a_version_that_has_expired_is_told_and_the_next_ones_are_noted(lake: Lake) -> None:
    publish(lake, V1)
    account(lake)
    publish(lake, V2)
    iceberg.expire_snapshots(lake.table(FACT), keep=timedelta(0))
    finding = account(lake)
    assert (finding.passed, finding.blocking, finding.summary.split(":")[0]) == (False, False, "2019")
    publish(lake, V3)
    assert account(lake).passed
    assert noted(lake) == [NOTED[0], NOTED[2]]


def test_a_version_that_lost_a_file_is_told_and_keeps_no_other_year_up(lake: Lake) -> None:
    for year in (2019, 2020):
        publish(lake, V1, year)
    account(lake, 2019, 2020)
    Path(lake.files(FACT, [2019])[0].removeprefix("file://")).unlink()
    for year in (2019, 2020):
        publish(lake, V2, year)
    finding = account(lake, 2019, 2020)
    assert (finding.passed, finding.summary.split(":")[0]) == (False, "2019")
    assert (noted(lake), noted(lake, 2020)) == (NOTED[:1], NOTED[:2])


def test_what_was_noted_before_versions_had_names_is_not_noted_again(lake: Lake) -> None:
    publish(lake, V1)
    account(lake)
    # As an earlier version of this code left it.
    commit(lake, CHANGES, lake.rows(CHANGES))
    with lake.table(CHANGES).transaction() as transaction:
        transaction.remove_properties("lake.version.2019")
    assert lake.versions(CHANGES) == {}
    publish(lake, V2)
    account(lake)
    assert noted(lake) == NOTED[:2]


def test_a_year_that_is_emptied_and_comes_back_is_noted_twice(lake: Lake) -> None:
    publish(lake, V3)
    account(lake)
    iceberg.commit(lake.table(FACT), [], years=[2019], expected_rows=0, properties={})
    account(lake)
    publish(lake, V3)
    account(lake)
    assert [one[:2] for one in noted(lake)] == [(1, 0), (0, 1), (1, 0)]


def test_without_a_fact_there_is_nothing_to_account_for(lake: Lake) -> None:
    with pytest.raises(MissingTableError, match=r"star\.fct_expenses"):
        account(lake)
