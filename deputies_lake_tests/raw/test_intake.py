"""The House's yearly files: what is new is published, what lost too much is not, and every decision is kept."""

import errno
import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deputies_lake.checks.audit import AuditFailedError, Finding
from deputies_lake.contracts import Table
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.quota_years import current_year
from deputies_lake.raw import chamber_expenses, file_versions, ingestion, intake, published_csv
from deputies_lake.raw.archive import Archive, LandingZone
from deputies_lake.raw.intake import (
    FILES_ARE_READABLE,
    LINES_ARE_READABLE,
    NOTHING_VANISHED,
    Intake,
    NoneTakenInError,
    NothingToAcceptError,
    TakenIn,
)

CSV, TABLE = chamber_expenses.CSV, chamber_expenses.TABLE
FUEL, POST = "COMBUSTÍVEIS E LUBRIFICANTES.", "SERVIÇOS POSTAIS"


def csv_of(year: int, fuel: int, post: int = 0, net: str = "10.25", payer: str = "4242") -> bytes:
    """A file of a year with so many rows of each category."""
    rows = [
        {**dict.fromkeys(CSV.columns, ""), "nuDeputadoId": payer, "numAno": str(year)}
        | {"txtDescricao": label, "txtNumero": str(number)}
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


def finding(taken: TakenIn, check: str = NOTHING_VANISHED) -> Finding:
    findings: Sequence[Finding] = taken.published[0].findings
    return next(found for found in findings if found.check == check)


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


def test_a_zip_put_there_by_hand_is_dated_by_what_it_says_and_not_by_its_copy(house: House) -> None:
    for year, content in ((2021, csv_of(2021, fuel=3)), (2022, b"a;b\n1;2\n")):
        with zipfile.ZipFile(house.landing / f"Ano-{year}.csv.zip", "w") as archive:
            archive.writestr(zipfile.ZipInfo(f"Ano-{year}.csv", (2023, 7, 27, 1, 2, 10)), content)
    house.take_in(2021, 2022)
    dates = {row["year"]: row["modified_at"] for row in house.lake.rows(file_versions.TABLE)}
    assert dates == dict.fromkeys((2021, 2022), datetime.fromisoformat("2023-07-27T04:02:10"))
    manifest = house.archive.manifest(CSV, house.lake.versions(TABLE)[2021])
    assert manifest is not None
    assert manifest.modified == "2023-07-27T04:02:10+00:00"


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
    assert (taken.new, [*taken.refused], house.rows()) == ([2021], [2022], {2021: 201, 2022: 200})
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
    with pytest.raises(NoneTakenInError, match=r"No file was taken in: 2022 not published, readers keep what they had"):
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
    last = intake.decisions(house.lake, [2022])[2022][-1]
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


def nights(house: House, year: int, *rows: int) -> None:
    """A version each night."""
    for count in rows:
        house.land(year, csv_of(year, fuel=count))
        house.take_in(year)


def test_a_year_that_loses_a_little_each_night_is_compared_with_its_largest_version(house: House) -> None:
    nights(house, 2022, 100, 500, 491)
    largest, standing = (row["sha256"][:12] for row in intake.decisions(house.lake)[2022][1:])
    house.land(2022, csv_of(2022, fuel=482))
    with pytest.raises(NoneTakenInError) as refused:
        house.take_in(2022)
    new = intake.decisions(house.lake)[2022][-1]["sha256"][:12]
    assert "rows fell by 3.60%, more than the 2.0% that 2022 may lose; compared with version" in str(refused.value)
    assert f"version {largest} of " in str(refused.value)
    assert f"the largest of 30 days (this is {new})" in str(refused.value)
    assert len({largest, standing, new}) == 3


def test_what_a_person_accepted_is_what_later_versions_are_compared_with(house: House) -> None:
    nights(house, 2022, 500)
    house.land(2022, csv_of(2022, fuel=400))
    with pytest.raises(NoneTakenInError):
        house.take_in(2022)
    house.accept(2022)
    house.take_in(2022)
    nights(house, 2022, 395)
    assert house.rows() == {2022: 395}


def test_a_version_that_no_reader_had_for_weeks_is_not_compared_with(house: House) -> None:
    nights(house, 2022, 500, 491)
    later = type("Later", (datetime,), {"now": classmethod(lambda cls, zone: datetime.now(zone) + timedelta(days=31))})
    with mock.patch.object(intake, "datetime", later):
        nights(house, 2022, 482)
    assert house.rows() == {2022: 482}


# What goes wrong


def test_a_run_that_was_killed_between_its_publications_is_made_good(house: House) -> None:
    house.land(2022, csv_of(2022, fuel=5))
    with (
        mock.patch.object(Intake, "_staged_decisions", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        house.take_in(2022)
    taken = house.take_in(2022)
    assert (house.rows(), house.decisions(2022), taken.refused) == ({2022: 5}, ["published"], {})


def lose_file(house: House, table: Table, year: int) -> None:
    [file] = house.lake.files(table, [year])
    Path(file.removeprefix("file://")).unlink()


@pytest.mark.parametrize("landed", ["the same", "none", "one that is refused"])
def test_a_year_that_lost_a_file_is_read_again_from_the_archive(house: House, landed: str) -> None:
    for year in (2021, 2022):
        house.land(year, csv_of(year, fuel=500))
    house.take_in(2021, 2022)
    before = sorted(house.lake.rows(TABLE), key=str)
    lose_file(house, TABLE, 2021)
    if landed == "none":
        (house.landing / "Ano-2021.csv.zip").unlink()
    if landed == "one that is refused":
        house.land(2021, csv_of(2021, fuel=3))
    taken = house.take_in(2021, 2022)
    assert sorted(house.lake.rows(TABLE), key=str) == before
    assert [*taken.refused] == ([2021] if landed == "one that is refused" else [])
    assert "Ano-2021.csv.zip: is read again from the archive, for its table lost a file" in house.reports


def test_decisions_that_were_lost_are_those_of_the_version_before(house: House) -> None:
    for fuel in (500, 501, 502):
        house.land(2022, csv_of(2022, fuel=fuel))
        house.take_in(2022)
    before = house.lake.rows(file_versions.TABLE)
    lose_file(house, file_versions.TABLE, 2022)
    house.take_in(2022)
    # The last one was lost with the file; the version that stands has one again.
    assert [row["sha256"] for row in house.lake.rows(file_versions.TABLE)] == [row["sha256"] for row in before]
    assert house.decisions(2022) == ["published"] * 3


WEB_PAGE = b"<!DOCTYPE html><html>manutencao</html>"


def test_a_broken_file_publishes_nothing(house: House) -> None:
    (house.landing / "Ano-2022.csv.zip").write_bytes(WEB_PAGE)
    with pytest.raises(NoneTakenInError, match=r"Ano-2022\.csv\.zip: this is a web page"):
        house.take_in(2021, 2022)
    assert not house.lake.exists(TABLE)


def test_a_broken_file_does_not_hold_up_the_other_years(house: House) -> None:
    house.land(2021, csv_of(2021, fuel=3))
    (house.landing / "Ano-2022.csv.zip").write_bytes(WEB_PAGE)
    taken = house.take_in(2021, 2022)
    assert (taken.new, [*taken.refused], house.rows()) == ([2021], [2022], {2021: 3})
    found = finding(taken, FILES_ARE_READABLE)
    assert (found.passed, found.blocking) == (False, True)
    assert found.summary.startswith(
        "2022 not published, readers keep what they had: 2022: Ano-2022.csv.zip: this is a web page"
    )
    assert finding(taken).passed


def test_every_broken_file_of_a_run_is_named(house: House) -> None:
    (house.landing / "Ano-2021.csv.zip").write_bytes(WEB_PAGE)
    (house.landing / "Ano-2022.csv").write_bytes(b"a;b\n1;2\n")
    with pytest.raises(NoneTakenInError) as refused:
        house.take_in(2021, 2022)
    told = str(refused.value)
    assert "Ano-2021.csv.zip: this is a web page" in told
    assert "Ano-2022.csv: line 1 is not the header" in told


def test_a_broken_file_can_not_be_accepted_so_nobody_is_told_to(house: House) -> None:
    house.land(2021, csv_of(2021, fuel=3))
    (house.landing / "Ano-2022.csv.zip").write_bytes(WEB_PAGE)
    taken = house.take_in(2021, 2022)
    assert not any("deputies-lake accept" in found.summary for found in taken.published[0].findings)
    with pytest.raises(
        NothingToAcceptError, match=r"can't be read can't be accepted\. Ano-2022\.csv\.zip: this is a web"
    ):
        house.accept(2022)


def test_a_broken_file_is_a_version_that_was_refused_once(house: House) -> None:
    landed = house.landing / "Ano-2022.csv.zip"
    landed.write_bytes(WEB_PAGE)
    for _ in range(2):
        with pytest.raises(NoneTakenInError):
            house.take_in(2022)
    (row,) = house.lake.rows(file_versions.TABLE)
    assert (row["decision"], row["file_name"], row["file_bytes"]) == ("refused", landed.name, len(WEB_PAGE))
    assert row["sha256"] == hashlib.sha256(WEB_PAGE).hexdigest()
    assert row["faults"].startswith("Ano-2022.csv.zip: this is a web page")
    assert (row["rows"], row["rejected_rows"], row["archived_at"]) == (0, None, None)


def test_a_good_file_after_a_broken_one_is_published(house: House) -> None:
    (house.landing / "Ano-2022.csv.zip").write_bytes(WEB_PAGE)
    with pytest.raises(NoneTakenInError):
        house.take_in(2022)
    house.land(2022, csv_of(2022, fuel=3))
    assert house.take_in(2022).new == [2022]
    assert house.decisions(2022) == ["refused", "published"]


def test_a_file_that_changes_while_it_is_read_is_no_version(house: House) -> None:
    house.land(2022, csv_of(2022, fuel=3))
    with (
        mock.patch.object(LandingZone, "sha256", return_value="0" * 64),
        pytest.raises(NoneTakenInError, match="the file changed while it was being read"),
    ):
        house.take_in(2022)
    assert house.decisions(2022) == []


def test_what_a_file_does_to_its_reader_is_told_of_that_file_and_the_others_go_on(house: House) -> None:
    for year in (2021, 2022):
        house.land(year, csv_of(year, fuel=3))
    read = published_csv.read_blocks

    def read_or_fall(stream: Any, file: str, source: Any, **how: Any) -> Any:
        if source.only_year == 2021:
            raise pa.ArrowInvalid("FULANA DE TAL;11111111111")
        return read(stream, file, source, **how)

    with mock.patch.object(ingestion, "read_blocks", read_or_fall):
        taken = house.take_in(2021, 2022)
    assert (taken.new, house.decisions(2021)) == ([2022], ["refused"])
    assert "Ano-2021.csv.zip: its content can't be read (ArrowInvalid in test_intake.py:" in taken.refused[2021]
    assert "FULANA" not in taken.refused[2021]


def test_trouble_with_the_disk_is_no_file_s_fault(house: House) -> None:
    house.land(2022, csv_of(2022, fuel=3))
    with (
        mock.patch.object(ingestion, "read_blocks", side_effect=OSError("no space")),
        pytest.raises(OSError, match="no space"),
    ):
        house.take_in(2022)


def test_where_the_disk_is_full_readers_keep_what_they_had_and_the_next_run_goes_on(house: House) -> None:
    house.land(2022, csv_of(2022, fuel=3))
    house.take_in(2022)
    house.land(2022, csv_of(2022, fuel=4))
    full = OSError(errno.ENOSPC, "No space left on device")
    with (
        mock.patch.object(pq.ParquetWriter, "write_table", side_effect=full),
        pytest.raises(OSError, match="No space left"),
    ):
        house.take_in(2022)
    assert (house.rows(), house.decisions(2022)) == ({2022: 3}, ["published"])
    house.take_in(2022)
    assert (house.rows(), house.decisions(2022)) == ({2022: 4}, ["published"] * 2)


def test_a_file_of_another_year_is_refused_whatever_its_name(house: House) -> None:
    house.land(2022, csv_of(2021, fuel=3))
    with pytest.raises(
        NoneTakenInError, match=r"most of its rows are of another year than 2022\. Put the file of 2022 in"
    ):
        house.take_in(2022)
    assert not house.lake.exists(TABLE)


def test_a_file_of_a_year_that_has_begun_may_have_no_rows_yet(house: House) -> None:
    year = current_year()
    house.land(year, csv_of(year, fuel=0))
    taken = house.take_in(year)
    found = finding(taken)
    assert (found.passed, found.blocking) == (False, False)
    assert found.figures == {str(year): f"Ano-{year}.csv.zip has a header and no rows yet"}
    assert (taken.refused, house.rows(), house.decisions(year)) == ({}, {}, ["published"])
    house.land(year, csv_of(year, fuel=3))
    house.take_in(year)
    assert house.rows() == {year: 3}


def test_a_file_without_rows_does_not_replace_one_that_has_some(house: House) -> None:
    year = current_year()
    house.land(year, csv_of(year, fuel=3))
    house.take_in(year)
    house.land(year, csv_of(year, fuel=0))
    with pytest.raises(NoneTakenInError, match=r"rows fell by 100\.00%"):
        house.take_in(year)


def test_a_file_of_a_year_that_is_over_must_have_rows(house: House) -> None:
    house.land(2013, csv_of(2013, fuel=0))
    with pytest.raises(NoneTakenInError, match=r"Ano-2013\.csv\.zip: the file holds a header and no rows"):
        house.take_in(2013)
    assert house.decisions(2013) == ["refused"]


def test_a_file_whose_years_a_data_frame_made_fractions_is_refused_for_that(house: House) -> None:
    house.land(2020, csv_of(2020, fuel=3).replace(b'"2020"', b'"2020.0"'))
    with pytest.raises(
        NoneTakenInError,
        match=r"most values of numAno are written as fractions, such as 2020\.0 \(first on",
    ):
        house.take_in(2020)


# Lines that can't be read


def with_commas(year: int, sound: int, wrong: int) -> bytes:
    """Some rows as an old layout had them: with a decimal comma."""
    return csv_of(year, fuel=sound) + csv_of(year, fuel=wrong, net="10,25").partition(b"\n")[2]


def test_a_file_with_many_lines_that_can_not_be_read_is_not_published(house: House) -> None:
    house.land(2022, with_commas(2022, sound=6, wrong=6))
    with pytest.raises(NoneTakenInError) as refused:
        house.take_in(2022)
    assert (
        "2022: Ano-2022.csv.zip: 6 of 12 lines can't be read; the first: lines 8, 9, 10, 11, 12; "
        "at most 0.5% may be so. "
        'If that is how it is: deputies-lake accept --year 2022 --reason "..."'
    ) in str(refused.value)
    assert (house.lake.exists(TABLE), house.decisions(2022)) == (False, ["blocked"])
    house.accept(2022)
    assert house.take_in(2022).new == [2022]
    assert (house.rows(), house.decisions(2022)) == ({2022: 12}, ["blocked", "accepted"])


def test_a_file_that_does_not_say_whose_many_of_its_receipts_are_is_not_published(house: House) -> None:
    house.land(2022, csv_of(2022, fuel=14))
    house.take_in(2022)
    house.land(2022, csv_of(2022, fuel=14) + csv_of(2022, fuel=6, payer="0").partition(b"\n")[2])
    with pytest.raises(NoneTakenInError, match=r"6 of 20 lines can't be read, with BRL 61\.50 of what can be read"):
        house.take_in(2022)
    assert (house.rows(), house.decisions(2022)) == ({2022: 14}, ["published", "blocked"])
    house.accept(2022)
    assert house.take_in(2022).new == [2022]
    row = intake.decisions(house.lake, [2022])[2022][-1]
    assert (row["decision"], row["rejected_rows"], row["rejected_amount"]) == ("accepted", 6, Decimal("61.50"))


def test_a_line_that_can_not_be_read_is_told_by_each_run_and_kept_with_the_version(house: House) -> None:
    house.land(2022, with_commas(2022, sound=9, wrong=1))
    told = {"2022": "1 of 10 lines can't be read; the first: line 11"}
    for _ in range(2):
        found = finding(house.take_in(2022), LINES_ARE_READABLE)
        assert (found.passed, found.blocking, found.figures) == (False, False, told)
    (row,) = house.lake.rows(file_versions.TABLE)
    assert (row["decision"], row["rejected_rows"], row["rejected_amount"]) == ("published", 1, Decimal(0))


def test_where_all_lines_can_be_read_the_check_says_so(house: House) -> None:
    house.land(2022, csv_of(2022, fuel=3))
    assert finding(house.take_in(2022), LINES_ARE_READABLE).passed


def test_money_of_a_rejected_line_is_counted_as_far_as_it_can_be_read(house: House) -> None:
    house.land(2022, csv_of(2022, fuel=9) + csv_of(2022, fuel=1).partition(b"\n")[2].replace(b'"1.75"', b'"1,75"'))
    house.take_in(2022)
    (row,) = house.lake.rows(file_versions.TABLE)
    assert (row["rejected_rows"], row["rejected_amount"]) == (1, Decimal("10.25"))


def test_an_amount_that_no_receipt_has_blocks_its_year_until_a_person_accepts_it(house: House) -> None:
    house.land(2021, csv_of(2021, fuel=3))
    house.land(2022, csv_of(2022, fuel=1, net="20220000"))
    taken = house.take_in(2021, 2022)
    assert taken.refused == {2022: "Ano-2022.csv.zip: line 2 has an amount of BRL 20,220,000.00, which no receipt has"}
    house.accept(2022)
    assert house.take_in(2022).new == [2022]


def test_amounts_that_can_not_be_stored_refuse_their_file_and_no_other(house: House) -> None:
    house.land(2021, csv_of(2021, fuel=3))
    house.land(2022, csv_of(2022, fuel=10_001, net="99999999"))
    taken = house.take_in(2021, 2022)
    assert (taken.new, house.decisions(2022)) == ([2021], ["refused"])
    assert "line 2 alone has 99,999,999.00" in taken.refused[2022]


def test_a_file_that_was_cut_off_waits_for_a_person_who_accepts_it(house: House) -> None:
    landed = house.landing / "Ano-2022.csv"
    landed.write_bytes(csv_of(2022, fuel=9)[:-20])
    with pytest.raises(NoneTakenInError, match=r"ends in the middle of line 10.* deputies-lake accept --year 2022"):
        house.take_in(2022)
    with (
        mock.patch.object(ingestion, "stage_file", side_effect=AssertionError("read again")),
        pytest.raises(NoneTakenInError),
    ):
        house.take_in(2022)
    assert house.accept(2022)["file_name"] == "Ano-2022.csv"
    assert house.take_in(2022).new == [2022]
    last = intake.decisions(house.lake, [2022])[2022][-1]
    assert (last["decision"], last["rows"], last["rejected_rows"]) == ("accepted", 9, 1)
    assert "ends in the middle of line 10" in last["faults"]


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
