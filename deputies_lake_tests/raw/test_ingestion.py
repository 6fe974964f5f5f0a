"""A landed file becomes a raw table: archived, split into lines, counted, published as a whole or not at all."""

import csv
import gzip
import hashlib
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from deputies_lake.checks.audit import auditor
from deputies_lake.contracts import Table
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake, MissingTableError, Published, Staged
from deputies_lake.raw import ingestion, kaggle_refunds, kaggle_reimbursements, published_csv
from deputies_lake.raw.archive import Archive, LandingZone, Manifest
from deputies_lake.raw.published_csv import PublishedCsv, RawFileError
from deputies_lake.sample.kaggle import KaggleSample, write_kaggle_files

CSV, TABLE = kaggle_reimbursements.CSV, kaggle_reimbursements.TABLE
HEADER = ",".join(CSV.columns) + "\n"


def line(date: str, value: int = 70, category: str = "Telephony") -> str:
    return f"0,{date},1772,PSB,SP,Fulana De Tal,,{category},RAMAL,{value}\n"


class House:
    """A lake, an archive and a landing zone in one directory."""

    def __init__(self, root: Path) -> None:
        self.landing = root / "landing"
        self.landing.mkdir(parents=True, exist_ok=True)
        self.zone = LandingZone(str(self.landing))
        self.archive = Archive(str(root / "archive"))
        self.lake = Lake(iceberg.local_catalog(root / "warehouse"))
        self.reports: list[str] = []

    def land(self, content: str | bytes, name: str = CSV.file_names[0]) -> None:
        (self.landing / name).write_bytes(content.encode() if isinstance(content, str) else content)

    def stage(
        self, source: PublishedCsv = CSV, contract: Table = TABLE, sha256: str | None = None
    ) -> tuple[Manifest, Staged]:
        landed = self.zone.require(source)
        return ingestion.stage_file(
            self.lake,
            self.zone,
            self.archive,
            source,
            contract,
            landed,
            sha256=sha256 or self.zone.sha256(landed),
            run_id="test-run",
            report=self.reports.append,
        )

    def publish(self, source: PublishedCsv = CSV, contract: Table = TABLE) -> Published:
        _, staged = self.stage(source, contract)
        return self.lake.publish([staged], "test-run")[0]

    def rows(self, contract: Table = TABLE) -> list[dict[str, Any]]:
        """What readers get, in the order of the file."""
        with auditor() as connection:
            view = self.lake.view(connection, contract)
            found = connection.sql(f"SELECT * FROM {view} ORDER BY source_line")
            return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


@pytest.fixture
def house(tmp_path: Path) -> House:
    """In a directory of a kind that people have and that URIs would have to encode."""
    return House(tmp_path / "lago são joão")


@pytest.fixture(scope="module")
def sample_house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """With a sample of both files, read in blocks far smaller than they are. Not to be changed by tests."""
    return House(tmp_path_factory.mktemp("sample") / "lago são joão")


@pytest.fixture(scope="module")
def sample(sample_house: House) -> KaggleSample:
    return write_kaggle_files(sample_house.landing, rows=2_000, seed=7)


@pytest.fixture(scope="module")
def staged(sample_house: House, sample: KaggleSample) -> tuple[Manifest, Staged]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(published_csv, "BLOCK_BYTES", 20_000)
        return sample_house.stage()


@pytest.fixture(scope="module")
def published(sample_house: House, staged: tuple[Manifest, Staged]) -> Published:
    return sample_house.lake.publish([staged[1]], "test-run")[0]


def records(path: Path) -> list[dict[str, str]]:
    """The file as the csv module reads it."""
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


# a whole file


def test_every_line_of_the_file_is_staged(sample: KaggleSample, staged: tuple[Manifest, Staged]) -> None:
    manifest, files = staged
    assert (manifest.rows, manifest.unreadable, files.row_count) == (sample.rows, 0, sample.rows)


def test_the_totals_are_those_of_the_file(sample: KaggleSample, staged: tuple[Manifest, Staged]) -> None:
    sums = staged[0].sums()
    assert {**sums.rows} == sample.rows_by_year_and_category
    assert {group: int(amount) for group, amount in sums.amounts.items()} == sample.total_by_year_and_category


def test_there_is_one_file_a_year_that_holds_this_year_alone(
    sample: KaggleSample, staged: tuple[Manifest, Staged]
) -> None:
    years = {}
    for file in staged[1].files:
        column = pq.read_table(file.removeprefix("file://"), columns=["year"], partitioning=None)["year"]
        years[file.rsplit("/", 1)[1]] = (column.unique().to_pylist(), len(column))
    assert years == {f"{year}.parquet": ([year], rows) for year, rows in sample.rows_by_year.items()}


def test_the_archived_bytes_are_the_landed_bytes(
    sample_house: House, sample: KaggleSample, staged: tuple[Manifest, Staged]
) -> None:
    landed = sample.reimbursements.read_bytes()
    archived = sample_house.landing.parent / "archive" / CSV.source_code / hashlib.sha256(landed).hexdigest()
    assert (archived / sample.reimbursements.name).read_bytes() == landed


def test_the_manifest_names_the_bytes(sample: KaggleSample, staged: tuple[Manifest, Staged]) -> None:
    sha256 = hashlib.sha256(sample.reimbursements.read_bytes()).hexdigest()
    assert (staged[0].sha256, staged[1].data_version) == (sha256, sha256)


def test_the_published_rows_are_the_files_rows(sample_house: House, sample: KaggleSample, published: Published) -> None:
    expected = records(sample.reimbursements)
    assert [{name: row[name] for name in CSV.columns} for row in sample_house.rows()] == expected


def test_the_published_rows_know_their_line(sample_house: House, sample: KaggleSample, published: Published) -> None:
    assert [row["source_line"] for row in sample_house.rows()] == list(range(2, sample.rows + 2))


def test_the_published_rows_know_their_quota_year(sample_house: House, published: Published) -> None:
    assert all(row["receipt_date"][:4] == str(row["year"]) for row in sample_house.rows())


def test_the_publication_tells_the_rows_of_each_year(sample: KaggleSample, published: Published) -> None:
    assert (published.row_count, published.rows_by_year) == (sample.rows, dict(sorted(sample.rows_by_year.items())))


def test_the_publication_names_the_version_of_the_file(published: Published, staged: tuple[Manifest, Staged]) -> None:
    assert published.data_version == staged[0].sha256


def test_a_sound_file_passes_its_checks(published: Published) -> None:
    assert {finding.check: finding.passed for finding in published.findings} == {
        "grain_is_unique": True,
        "required_columns_are_filled": True,
    }


def test_the_manifest_of_the_published_version_is_found(
    sample_house: House, published: Published, staged: tuple[Manifest, Staged]
) -> None:
    assert ingestion.published_version(sample_house.lake, sample_house.archive, CSV, TABLE) == staged[0]


def test_the_refunds_are_all_of_2016_and_add_up(sample_house: House, sample: KaggleSample) -> None:
    manifest, _ = sample_house.stage(kaggle_refunds.CSV, kaggle_refunds.TABLE)
    assert manifest.years() == [2016]
    assert (manifest.sums().row_count, manifest.sums().amount) == (sample.refund_rows, sample.refund_total)


def test_the_refunds_are_published_as_they_stand_in_the_file(house: House, sample: KaggleSample) -> None:
    assert sample.refunds
    house.land(sample.refunds.read_bytes(), sample.refunds.name)
    house.publish(kaggle_refunds.CSV, kaggle_refunds.TABLE)
    rows = [{name: row[name] for name in kaggle_refunds.CSV.columns} for row in house.rows(kaggle_refunds.TABLE)]
    assert rows == records(sample.refunds)


def test_a_compressed_file_has_the_same_totals(
    house: House, sample: KaggleSample, staged: tuple[Manifest, Staged]
) -> None:
    house.land(gzip.compress(sample.reimbursements.read_bytes()), CSV.file_names[1])
    assert house.stage()[0].totals == staged[0].totals


# odd files


def test_years_may_stand_in_any_order(house: House) -> None:
    dates = ["2013-01-01", "2009", "2017-05-05", "2009-02-02", "2013-03-03"] * 3
    house.land(HEADER + "".join(map(line, dates)))
    assert house.publish().rows_by_year == {2009: 6, 2013: 6, 2017: 3}


def test_an_unreadable_line_is_published_with_its_text_and_reason(house: House) -> None:
    house.land(HEADER + line("2013-01-01") + 'BAR "DO ZÉ\n' + line("2014-01-01"))
    house.publish()
    found = [
        (row["year"], row["source_line"], row["unreadable_text"], row["unreadable_reason"]) for row in house.rows()
    ]
    assert found == [(2013, 2, None, None), (2013, 3, 'BAR "DO ZÉ', "1 fields instead of 10"), (2014, 4, None, None)]


@pytest.mark.parametrize("block_bytes", [50, 16 << 20])
def test_unreadable_lines_are_counted_among_all(
    house: House, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(published_csv, "BLOCK_BYTES", block_bytes)
    house.land(HEADER + "damaged\n" + line("2013-01-01") + "\n" + line("2014-01-01"))
    manifest, _ = house.stage()
    assert (manifest.rows, manifest.unreadable) == (4, 2)


def test_a_file_of_nothing_but_unreadable_lines_is_kept(house: House) -> None:
    house.land(HEADER + "damaged\n" * 3)
    house.publish()
    assert [row["unreadable_text"] for row in house.rows()] == ["damaged"] * 3


def test_long_files_report_how_far_they_are(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_csv, "BLOCK_BYTES", 100)
    monkeypatch.setattr("deputies_lake.raw.ingestion._ROWS_BETWEEN_REPORTS", 100)
    house.land(HEADER + line("2013-01-01") * 250)
    house.stage()
    assert house.reports == ["deputies_dataset.csv: 100 lines read", "deputies_dataset.csv: 200 lines read"]


# published as a whole or not at all


def test_nothing_is_read_by_anyone_before_it_is_published(house: House) -> None:
    house.land(HEADER + line("2013-01-01"))
    house.stage()
    assert not house.lake.exists(TABLE)


def test_equal_lines_know_which_of_them_they_are_however_far_apart_they_stand(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published_csv, "BLOCK_BYTES", 1 << 10)
    years = ["2013", "2014", "2013", "2013"] * 20
    house.land(HEADER + "".join(line(year, 70 if place % 2 else 71) for place, year in enumerate(years)))
    house.publish()
    of_2013 = [row["occurrence"] for row in house.rows() if row["year"] == 2013 and row["receipt_value"] == "70"]
    of_2014 = [row["occurrence"] for row in house.rows() if row["year"] == 2014]
    assert (of_2013, of_2014) == ([*range(1, 21)], [*range(1, 21)])


def test_a_new_file_replaces_the_old_one_whole(house: House) -> None:
    house.land(HEADER + line("2013-01-01") + line("2014-01-01"))
    house.publish()
    house.land(HEADER + line("2015-01-01"))
    house.publish()
    assert [row["receipt_date"] for row in house.rows()] == ["2015-01-01"]


def test_an_absent_file_can_be_published_as_an_empty_table(house: House) -> None:
    house.lake.publish([house.lake.nothing(kaggle_refunds.TABLE)], "test-run")
    assert house.rows(kaggle_refunds.TABLE) == []


FAILING: dict[str, tuple[bytes, str]] = {
    "an empty file": (b"", "the file is empty"),
    "a wrong header": (b"a,b\n1,2\n", "line 1 is not the header"),
    "a file cut off in its middle": (
        gzip.compress((HEADER + "".join(line("2013-01-01", n) for n in range(999))).encode())[:-20],
        "the file was cut off",
    ),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_file_that_fails_leaves_the_published_table_as_it_was(
    house: House, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    house.land(HEADER + line("2013-01-01"))
    before = house.publish()
    content, problem = FAILING[case]
    house.land(content)
    monkeypatch.setattr(published_csv, "BLOCK_BYTES", 1_000)
    with pytest.raises(RawFileError, match=problem):
        house.publish()
    after = house.lake.verify(TABLE)
    assert (after.snapshot_id, after.data_version) == (before.snapshot_id, before.data_version)
    assert [row["receipt_date"] for row in house.rows()] == ["2013-01-01"]


def test_a_file_that_fails_is_told_by_its_path(house: House) -> None:
    house.land("a,b\n1,2\n")
    with pytest.raises(RawFileError) as error:
        house.stage()
    assert error.value.file == str(house.landing / CSV.file_names[0])


def test_a_file_that_fails_has_no_manifest(house: House) -> None:
    house.land("a,b\n1,2\n")
    sha256 = house.zone.sha256(house.zone.require(CSV))
    with pytest.raises(RawFileError):
        house.stage()
    assert house.archive.manifest(CSV, sha256) is None


def test_a_file_that_changed_since_it_was_looked_at_is_not_staged(house: House) -> None:
    house.land(HEADER + line("2013-01-01"))
    sha256 = house.zone.sha256(house.zone.require(CSV))
    house.land(HEADER + line("2014-01-01"))
    with pytest.raises(RawFileError, match="changed while it was being read"):
        house.stage(sha256=sha256)


def test_after_a_failure_the_right_file_is_taken(house: House) -> None:
    house.land("a,b\n1,2\n")
    with pytest.raises(RawFileError):
        house.publish()
    house.land(HEADER + line("2013-01-01"))
    assert house.publish().row_count == 1


def test_the_version_of_a_table_that_was_never_published_is_missing(house: House) -> None:
    with pytest.raises(MissingTableError, match="--select raw/kaggle_reimbursements"):
        ingestion.published_version(house.lake, house.archive, CSV, TABLE)


def test_a_published_version_that_the_archive_lost_is_told_with_the_remedy(house: House, tmp_path: Path) -> None:
    house.land(HEADER + line("2013-01-01"))
    sha256 = house.publish().data_version
    with pytest.raises(RawFileError, match=rf"version {sha256} .*Materialize raw/kaggle_reimbursements again"):
        ingestion.published_version(house.lake, Archive(str(tmp_path / "another")), CSV, TABLE)


# memory

BLOCK_BYTES = 1 << 20


def peak_memory() -> int:
    """In bytes, since the process began. `ru_maxrss` would begin with what the parent process had."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def measure(root: str) -> None:
    """In a process of its own: stages files of 10 and 100 MB, the years one after the other as they are published.

    Prints the second file's size and by how much it raised the peak.
    """
    published_csv.BLOCK_BYTES = BLOCK_BYTES  # type: ignore[misc]
    for count in (18_000, 180_000):
        before = peak_memory()
        house = House(Path(root) / str(count))
        landed = house.landing / CSV.file_names[0]
        with landed.open("w", encoding="utf-8") as file:
            file.write(HEADER)
            for year in range(2009, 2018):
                of_year = line(f"{year}-01-01", year, "Telephony " * 50) * 1_000
                for _ in range(count // 9_000):
                    file.write(of_year)
        house.stage()
    sys.stdout.write(f"{landed.stat().st_size} {peak_memory() - before}")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the kernel's record of a process's peak")
def test_a_file_ten_times_as_large_needs_no_more_memory(tmp_path: Path) -> None:
    code = f"from deputies_lake_tests.raw.test_ingestion import measure; measure({str(tmp_path)!r})"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    size, growth = map(int, run.stdout.split())
    # Allocators and threads keep a little more; holding the rows would take several times the file.
    assert growth < size / 2
