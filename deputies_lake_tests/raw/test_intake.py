"""The House's yearly files: what is new is published, what lost too much is not, and every decision is kept."""

import zipfile
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from deputies_lake.checks.audit import AuditFailedError, Finding
from deputies_lake.raw import chamber_expenses, file_versions, ingestion, intake
from deputies_lake.raw.archive import Archive, LandingZone
from deputies_lake.raw.intake import NOTHING_VANISHED, Intake, NothingToAcceptError, TakenIn
from deputies_lake.raw.published_csv import RawFileError
from deputies_lake.resources import iceberg
from deputies_lake.resources.lake import Lake

CSV, TABLE = chamber_expenses.CSV, chamber_expenses.TABLE
FUEL, POST = "COMBUSTÍVEIS E LUBRIFICANTES.", "SERVIÇOS POSTAIS"


def csv_of(year: int, fuel: int, post: int = 0, net: str = "10.25") -> bytes:
    """A file of a year with so many rows of each category."""
    rows = [
        {**dict.fromkeys(CSV.columns, ""), "numAno": str(year), "txtDescricao": label, "txtNumero": str(number)}
        | {"vlrDocumento": "12", "vlrGlosa": "1.75", "vlrLiquido": net, "vlrRestituicao": ""}
        for label, count in ((FUEL, fuel), (POST, post))
        for number in range(count)
    ]
    lines = [CSV.columns, *([row[name] for name in CSV.columns] for row in rows)]
    return "".join(";".join(f'"{field}"' for field in line) + "\n" for line in lines).encode("utf-8-sig")


class House:
    """A lake, an archive and a landing zone in one directory."""

    def __init__(self, root: Path) -> None:
        self.landing = root / "landing"
        self.landing.mkdir(parents=True, exist_ok=True)
        self.lake = Lake(iceberg.local_catalog(root / "warehouse"))
        self.archive = Archive(str(root / "archive"))
        self.intake = Intake(
            lake=self.lake, zone=LandingZone(str(self.landing)), archive=self.archive, source=CSV, contract=TABLE
        )
        self.reports: list[str] = []

    def land(self, year: int, content: bytes) -> None:
        with zipfile.ZipFile(self.landing / f"Ano-{year}.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            # No time of its own, or equal text would not give equal bytes.
            archive.writestr(zipfile.ZipInfo(f"Ano-{year}.csv"), content)

    def take_in(self, *years: int) -> TakenIn:
        return self.intake.take_in(years, run_id="run", report=self.reports.append)

    def rows(self) -> dict[int, int]:
        """How many rows of each year readers get."""
        published = self.lake.rows(TABLE)
        return {year: sum(row["year"] == year for row in published) for year in self.lake.years(TABLE)}

    def decisions(self, year: int) -> list[str]:
        rows = sorted(self.lake.rows(file_versions.TABLE, [year]), key=lambda row: row["decided_at"])
        return [row["decision"] for row in rows]

    def accept(self, year: int) -> Any:
        return intake.accept(self.lake, self.archive, CSV, year=year, reason="the House confirmed it", by="ana")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "lago são joão")


def finding(taken: TakenIn) -> Finding:
    findings: Sequence[Finding] = taken.published[0].findings
    return next(found for found in findings if found.check == NOTHING_VANISHED)


def test_years_are_published_as_they_are_found(house: House) -> None:
    house.land(2021, csv_of(2021, fuel=3))
    house.land(2022, csv_of(2022, fuel=5, post=2))
    taken = house.take_in(2020, 2021, 2022)
    assert (taken.new, taken.absent, house.rows()) == ([2021, 2022], [2020], {2021: 3, 2022: 7})
    assert [table.contract.name for table in taken.published] == ["chamber_expenses", "file_versions"]


def test_a_plain_csv_file_put_there_by_hand_works_the_same(house: House) -> None:
    (house.landing / "Ano-2022.csv").write_bytes(csv_of(2022, fuel=5))
    house.take_in(2022)
    assert house.rows() == {2022: 5}


def test_without_any_file_there_is_an_empty_table_to_read(house: House) -> None:
    taken = house.take_in(2021, 2022)
    assert (taken.absent, house.rows()) == ([2021, 2022], {})
    assert finding(taken).passed


def test_the_same_bytes_again_change_nothing(house: House) -> None:
    house.land(2022, csv_of(2022, fuel=5))
    house.take_in(2022)
    snapshots = house.lake.snapshots(TABLE)
    with mock.patch.object(ingestion, "stage_file", side_effect=AssertionError("read again")):
        taken = house.take_in(2022)
    assert (taken.new, house.lake.snapshots(TABLE), house.decisions(2022)) == ([], snapshots, ["published"])
    assert taken.published[0].rows_by_year == {2022: 5}


def test_the_same_bytes_are_read_again_for_a_column_that_the_table_has_got_since(house: House) -> None:
    house.land(2021, csv_of(2021, fuel=3))
    house.land(2022, csv_of(2022, fuel=5))
    of_old = replace(house.intake, contract=replace(TABLE, columns=TABLE.columns[:-1]))
    of_old.take_in([2021, 2022], run_id="earlier", report=house.reports.append)
    house.take_in(2022)
    assert {year: house.lake.lacks_columns(TABLE, [year]) for year in (2021, 2022)} == {2021: True, 2022: False}
    assert (house.rows(), house.decisions(2022)) == ({2021: 3, 2022: 5}, ["published"])


def test_of_several_years_only_the_changed_one_is_read(house: House) -> None:
    house.land(2021, csv_of(2021, fuel=3))
    house.land(2022, csv_of(2022, fuel=5))
    house.take_in(2021, 2022)
    house.land(2022, csv_of(2022, fuel=6))
    assert house.take_in(2021, 2022).new == [2022]
    assert house.rows() == {2021: 3, 2022: 6}


def test_what_is_known_of_a_version_can_be_queried(house: House) -> None:
    house.land(2022, csv_of(2022, fuel=5, post=2))
    house.take_in(2022)
    (row,) = house.lake.rows(file_versions.TABLE)
    landed = house.landing / "Ano-2022.csv.zip"
    assert (row["file_name"], row["file_bytes"], row["rows"]) == (landed.name, landed.stat().st_size, 7)
    assert row["header"].startswith("txNomeParlamentar;cpf;")
    amounts = [row[f"{name}_amount"] for name in ("net", "document", "deduction", "returned")]
    assert amounts == [Decimal("71.75"), Decimal(84), Decimal("12.25"), Decimal(0)]
    assert row["sha256"] == house.lake.versions(TABLE)[2022]


def test_a_new_column_is_kept_and_told(house: House) -> None:
    header, row, *_ = csv_of(2022, fuel=1).decode("utf-8-sig").splitlines()
    house.land(2022, f'{header};"txNovidade"\n{row};"algo"\n'.encode())
    found = finding(house.take_in(2022))
    assert (found.passed, found.blocking, found.figures) == (False, False, {"2022": "new columns: txNovidade"})
    assert [row["other_columns"] for row in house.lake.rows(TABLE)] == ['{"txNovidade": "algo"}']


# The drop guard


def test_a_year_that_lost_too_much_keeps_its_version_and_the_others_go_on(house: House) -> None:
    for year in (2021, 2022):
        house.land(year, csv_of(year, fuel=200))
    house.take_in(2021, 2022)
    house.land(2021, csv_of(2021, fuel=201))
    house.land(2022, csv_of(2022, fuel=150))
    taken = house.take_in(2021, 2022)
    assert (taken.new, taken.refused, house.rows()) == ([2021], [2022], {2021: 201, 2022: 200})
    assert house.decisions(2022) == ["published", "blocked"]


def test_the_refusal_says_what_fell_by_how_much_and_what_to_do(house: House) -> None:
    for year in (2021, 2022):
        house.land(year, csv_of(year, fuel=200))
    house.take_in(2021, 2022)
    house.land(2022, csv_of(2022, fuel=150))
    found = finding(house.take_in(2021, 2022))
    assert (found.passed, found.blocking) == (False, True)
    assert 'deputies-lake accept --year 2022 --reason "..."' in found.summary
    assert "rows fell by 25.00%, more than the 2.0% that 2022 may lose" in str(found.figures["2022"])


def test_where_every_file_is_refused_the_run_fails_and_the_decision_is_kept(house: House) -> None:
    house.land(2022, csv_of(2022, fuel=200))
    house.take_in(2022)
    house.land(2022, csv_of(2022, fuel=150))
    with pytest.raises(AuditFailedError, match="readers keep the last good version"):
        house.take_in(2022)
    assert (house.rows(), house.decisions(2022)) == ({2022: 200}, ["published", "blocked"])


def test_a_refused_file_that_has_not_changed_is_refused_again_without_being_read(house: House) -> None:
    house.land(2022, csv_of(2022, fuel=200))
    house.take_in(2022)
    house.land(2022, csv_of(2022, fuel=150))
    with pytest.raises(AuditFailedError):
        house.take_in(2022)
    with (
        mock.patch.object(ingestion, "stage_file", side_effect=AssertionError("read again")),
        pytest.raises(AuditFailedError, match="2022 not published"),
    ):
        house.take_in(2022)
    assert house.decisions(2022) == ["published", "blocked"]


def test_a_good_file_after_a_refused_one_is_compared_with_the_published_one(house: House) -> None:
    house.land(2022, csv_of(2022, fuel=200))
    house.take_in(2022)
    house.land(2022, csv_of(2022, fuel=150))
    with pytest.raises(AuditFailedError):
        house.take_in(2022)
    house.land(2022, csv_of(2022, fuel=205))
    assert house.take_in(2022).new == [2022]
    assert house.decisions(2022) == ["published", "blocked", "published"]


def test_a_person_may_accept_what_was_refused(house: House) -> None:
    house.land(2022, csv_of(2022, fuel=200))
    house.take_in(2022)
    house.land(2022, csv_of(2022, fuel=150))
    with pytest.raises(AuditFailedError):
        house.take_in(2022)
    assert house.accept(2022)["rows"] == 150
    assert house.take_in(2022).new == [2022]
    last = intake.last_decisions(house.lake, [2022])[2022]
    assert (last["decision"], last["accepted_by"], last["accepted_because"]) == (
        "accepted",
        "ana",
        "the House confirmed it",
    )
    assert house.rows() == {2022: 150}


def test_an_acceptance_is_for_the_refused_bytes_and_no_others(house: House) -> None:
    house.land(2022, csv_of(2022, fuel=200))
    house.take_in(2022)
    house.land(2022, csv_of(2022, fuel=150))
    with pytest.raises(AuditFailedError):
        house.take_in(2022)
    house.accept(2022)
    house.land(2022, csv_of(2022, fuel=100))
    with pytest.raises(AuditFailedError):
        house.take_in(2022)
    assert house.rows() == {2022: 200}


def test_what_was_not_refused_can_not_be_accepted(house: House) -> None:
    with pytest.raises(NothingToAcceptError, match=r"no version of 2022 waits for acceptance \(none\)"):
        house.accept(2022)
    house.land(2022, csv_of(2022, fuel=5))
    house.take_in(2022)
    with pytest.raises(NothingToAcceptError, match=r"the last one was published at "):
        house.accept(2022)


# What goes wrong


def test_a_run_that_was_killed_between_its_publications_is_made_good(house: House) -> None:
    house.land(2022, csv_of(2022, fuel=5))
    with (
        mock.patch.object(Intake, "_staged_decisions", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        house.take_in(2022)
    taken = house.take_in(2022)
    assert (house.rows(), house.decisions(2022), taken.refused) == ({2022: 5}, ["published"], [])


WEB_PAGE = b"<!DOCTYPE html><html>manutencao</html>"


def test_a_broken_file_publishes_nothing(house: House) -> None:
    (house.landing / "Ano-2022.csv.zip").write_bytes(WEB_PAGE)
    with pytest.raises(RawFileError, match=r"Ano-2022\.csv\.zip: this is a web page"):
        house.take_in(2021, 2022)
    assert not house.lake.exists(TABLE)


def test_a_broken_file_does_not_hold_up_the_other_years(house: House) -> None:
    house.land(2021, csv_of(2021, fuel=3))
    (house.landing / "Ano-2022.csv.zip").write_bytes(WEB_PAGE)
    taken = house.take_in(2021, 2022)
    assert (taken.new, taken.refused, house.rows()) == ([2021], [2022], {2021: 3})
    assert "this is a web page" in str(finding(taken).figures["2022"])


def test_a_broken_file_can_not_be_accepted_so_nobody_is_told_to(house: House) -> None:
    house.land(2021, csv_of(2021, fuel=3))
    (house.landing / "Ano-2022.csv.zip").write_bytes(WEB_PAGE)
    assert finding(house.take_in(2021, 2022)).summary == "2022 not published, readers keep the version before"


def test_a_file_of_another_year_is_refused_whatever_its_name(house: House) -> None:
    house.land(2022, csv_of(2021, fuel=3))
    with pytest.raises(RawFileError, match=r"most of its rows are of another year than 2022\. Put the file of 2022 in"):
        house.take_in(2022)
    assert not house.lake.exists(TABLE)


def test_some_rows_of_another_year_stay_in_the_file_they_are_in(house: House) -> None:
    header, *rows = csv_of(2022, fuel=3).decode("utf-8-sig").splitlines()
    house.land(2022, "\n".join([header, rows[0].replace('"2022"', '"2021"'), *rows[1:], ""]).encode())
    house.take_in(2022)
    assert house.rows() == {2022: 3}


def test_the_manifests_of_the_published_years_are_at_hand(house: House) -> None:
    house.land(2021, csv_of(2021, fuel=3))
    house.land(2022, csv_of(2022, fuel=5))
    house.take_in(2021, 2022)
    manifests = ingestion.published_years(house.lake, house.archive, CSV, TABLE, [2022, 2023])
    assert {year: manifest.rows for year, manifest in manifests.items()} == {2022: 5}
    assert manifests[2022].sums().amounts_of((2022, FUEL)) == (
        Decimal("51.25"),
        Decimal(60),
        Decimal("8.75"),
        Decimal(0),
    )
