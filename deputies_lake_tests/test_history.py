"""What stood on a day, and what changed between two: from the snapshots of a fact, as a person asks for it."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from deputies_lake import history
from deputies_lake.checks.audit import AuditFailedError
from deputies_lake.cli.main import main
from deputies_lake.environments import HOME, LANDING
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake, MissingTableError
from deputies_lake.star import dim_expense_categories, fct_expenses
from deputies_lake_tests.raw.test_intake import House, csv_of

YEAR = 2022
FUEL = 3
MONDAY = datetime(2026, 8, 17, 4, 0, tzinfo=history.BRASILIA)


def blank(contract: Any, **fields: Any) -> dict[str, Any]:
    """A row with something of the right type in each column that must have something."""
    something = {"string": "x", "int": 0, "bigint": 0, "boolean": False}
    row = {c.name: None if c.nullable else something.get(c.type, Decimal(0)) for c in contract.columns}
    return {**row, **fields}


def receipt(key: int, document: str, net: str, category: int = FUEL) -> dict[str, Any]:
    return blank(
        fct_expenses.TABLE,
        year=YEAR,
        expense_key=key,
        expense_category_key=category,
        document_id=document,
        source_code="chamber_expenses",
        document_amount=Decimal(net),
        net_amount=Decimal(net),
    )


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(HOME, str(tmp_path))
    return tmp_path


@pytest.fixture
def lake(root: Path) -> Lake:
    lake = Lake(iceberg.local_catalog(root / "warehouse"))
    table = dim_expense_categories.TABLE
    commit(lake, table, [blank(table, expense_category_key=FUEL, name_pt="Combustíveis")])
    return lake


def commit(lake: Lake, contract: Any, rows: Sequence[Mapping[str, Any]], years: Sequence[int] | None = None) -> None:
    """Publish without an audit: what is published is not the question here."""
    staged = lake.stage_rows(contract, lambda: rows, "run", years=years)
    iceberg.commit(staged.table, staged.files, years=years, expected_rows=len(rows), properties={})


@pytest.fixture
def two_versions(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Of Monday, and of Wednesday: a receipt stayed, one was altered, one withdrawn, one added; two others stayed."""
    stayed = [receipt(1, "a", "10"), receipt(8, "f", "7.50", FUEL + 1), receipt(9, "g", "0.16", FUEL + 2)]
    commit(lake, fct_expenses.TABLE, [*stayed, receipt(2, "b", "20"), receipt(3, "c", "30")], [YEAR])
    commit(lake, fct_expenses.TABLE, [*stayed, receipt(4, "b", "25"), receipt(5, "d", "40")], [YEAR])
    first, second = lake.snapshots(fct_expenses.TABLE).values()
    monkeypatch.setattr(Lake, "snapshots", lambda *_: {MONDAY: first, MONDAY + timedelta(days=2): second})
    return lake


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_a_day_has_the_version_that_stood_at_its_end(two_versions: Lake) -> None:
    monday, wednesday = history.versions(two_versions)
    found = [history.version_on(two_versions, date(2026, 8, day)) for day in (17, 18, 19, 30)]
    assert found == [monday, monday, wednesday, wednesday]


def test_a_day_ends_in_brasilia(two_versions: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    late = datetime(2026, 8, 17, 23, 30, tzinfo=history.BRASILIA)
    snapshots = two_versions.snapshots(fct_expenses.TABLE)
    monkeypatch.setattr(Lake, "snapshots", lambda *_: {late: next(iter(snapshots.values()))})
    assert history.version_on(two_versions, date(2026, 8, 17)).since == late


def test_a_day_before_the_first_version_is_told_when_that_was(two_versions: Lake) -> None:
    with pytest.raises(history.NoVersionError, match=r"of 2026-08-16 is kept; the oldest is of 2026-08-17"):
        history.version_on(two_versions, date(2026, 8, 16))


def test_two_versions_differ_by_category(two_versions: Lake) -> None:
    before, after = history.versions(two_versions)
    change = history.Change(
        category="Combustíveis",
        rows_added=1,
        rows_removed=1,
        rows_altered=1,
        before=Decimal("60.00"),
        after=Decimal("75.00"),
    )
    assert history.diff(two_versions, YEAR, before, after) == history.Diff(
        changes=[change], unchanged=2, before=Decimal("67.66"), after=Decimal("82.66")
    )


def test_the_fact_must_have_been_published(lake: Lake) -> None:
    with pytest.raises(MissingTableError, match=r"star\.fct_expenses has no data yet"):
        history.versions(lake)


# As typed


def test_diff_says_what_the_last_publication_changed(two_versions: Lake) -> None:
    shown = typed("diff", "--year", str(YEAR))
    assert (shown.exit_code, shown.output.splitlines()) == (
        0,
        [
            "2022, from the version of 2026-08-17 04:00 to that of 2026-08-19 04:00",
            "   added  removed  altered        BRL before         BRL after      difference",
            "       1        1        1             60.00             75.00          +15.00  Combustíveis",
            "       0        0        0              7.66              7.66           +0.00  2 others, unchanged",
            "       1        1        1             67.66             82.66          +15.00  2022 in all",
        ],
    )


def test_a_later_publication_of_another_year_is_none_of_this_one(
    two_versions: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = typed("diff", "--year", str(YEAR)).output.splitlines()[1:]
    commit(two_versions, fct_expenses.TABLE, [{**receipt(9, "z", "1"), "year": YEAR - 1}], [YEAR - 1])
    third = two_versions.table(fct_expenses.TABLE).current_snapshot()
    assert third
    known = {**two_versions.snapshots(fct_expenses.TABLE), MONDAY + timedelta(days=3): third.snapshot_id}
    monkeypatch.setattr(Lake, "snapshots", lambda *_: known)
    assert typed("diff", "--year", str(YEAR)).output.splitlines()[1:] == expected


def test_diff_between_two_days_without_a_publication_finds_nothing(two_versions: Lake) -> None:
    shown = typed("diff", "--year", str(YEAR), "--from", "2026-08-17", "--to", "2026-08-18")
    assert shown.output.splitlines()[1:] == ["Nothing changed."]


def test_diff_writes_each_changed_row(two_versions: Lake, tmp_path: Path) -> None:
    rows = tmp_path / "changed.csv"
    typed("diff", "--year", str(YEAR), "--csv", str(rows))
    header, *lines = rows.read_text().splitlines()
    assert header.startswith("change,year,")
    assert sorted(line.split(",")[0] for line in lines) == ["added", "altered", "removed"]


def test_diff_of_a_day_that_is_not_kept_is_a_message(two_versions: Lake) -> None:
    shown = typed("diff", "--year", str(YEAR), "--from", "2020-01-01")
    assert shown.exit_code == 1
    assert shown.output.startswith("Error: no version of star.fct_expenses of 2020-01-01 is kept")


def test_history_of_a_year_that_was_never_offered_says_how_to_get_it(lake: Lake) -> None:
    assert "deputies-lake fetch --years 2022" in typed("history", "--year", str(YEAR)).output


def test_diff_of_an_empty_lake_is_a_message(root: Path) -> None:
    shown = typed("diff", "--year", str(YEAR))
    assert shown.exit_code == 1
    assert "star.fct_expenses has no data yet" in shown.output


def test_accept_has_the_refused_file_published_and_keeps_the_reason(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(root)
    monkeypatch.setenv(LANDING, str(house.landing))
    house.land(YEAR, csv_of(YEAR, fuel=200))
    house.take_in(YEAR)
    house.land(YEAR, csv_of(YEAR, fuel=150))
    with pytest.raises(AuditFailedError):
        house.take_in(YEAR)
    shown = typed("accept", "--year", str(YEAR), "--reason", "the House confirmed it")
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith("Accepted Ano-2022.csv.zip, ")
    assert "rows fell by 25.00%" in shown.output
    *_, waiting, command = typed("history", "--year", str(YEAR)).output.splitlines()
    assert re.search(r"accepted by .+, waits to be published: the House confirmed it$", waiting)
    assert command.endswith("--select '*' --partition 2022")
    assert house.take_in(YEAR).new == [YEAR]
    told = typed("history", "--year", str(YEAR)).output.splitlines()
    assert [line.split()[2] for line in told if line.startswith("20")] == ["published", "blocked", "accepted"]
    assert told[-1].strip() == "the House confirmed it"


def test_accept_of_what_was_not_refused_is_a_message(root: Path) -> None:
    shown = typed("accept", "--year", str(YEAR), "--reason", "why not")
    assert (shown.exit_code, "no version of 2022 waits for acceptance (none)" in shown.output) == (1, True)


def test_history_names_a_file_that_could_not_be_read_and_lines_that_were_rejected(root: Path) -> None:
    house = House(root)
    house.land(YEAR, csv_of(YEAR, fuel=9) + csv_of(YEAR, fuel=1, net="1,5").partition(b"\n")[2])
    house.take_in(YEAR)
    (house.landing / f"Ano-{YEAR}.csv.zip").write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(AuditFailedError):
        house.take_in(YEAR)
    published, rejected, refused, why = typed("history", "--year", str(YEAR)).output.splitlines()
    assert "published         10 rows  BRL            92.25  Ano-2022.csv.zip" in published
    assert rejected.strip() == "1 of 10 lines can't be read"
    assert re.search(r"refused +not read to its end  Ano-2022\.csv\.zip", refused)
    assert why.strip().startswith("Ano-2022.csv.zip: this is a web page")


def test_accept_needs_a_year_or_a_source(root: Path) -> None:
    for arguments in ([], ["--year", "2022", "--source", "kaggle_refunds"]):
        shown = typed("accept", "--reason", "why not", *arguments)
        assert (shown.exit_code, "--year of the House's, or --source of Kaggle's" in shown.output) == (2, True)


def test_accept_of_kaggles_file_that_was_not_refused_is_a_message(root: Path) -> None:
    shown = typed("accept", "--source", "kaggle_reimbursements", "--reason", "why not")
    assert (shown.exit_code, "no deputies_dataset.csv waits for acceptance" in shown.output) == (1, True)
