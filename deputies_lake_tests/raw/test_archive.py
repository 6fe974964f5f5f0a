"""Published files are found, kept byte for byte and never overwritten; what was learned of them is written last."""

import gzip
import hashlib
import json
import os
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from deputies_lake.raw import archive as archive_module
from deputies_lake.raw.archive import Acceptance, Archive, LandedFile, LandingZone, Manifest, Refusal
from deputies_lake.raw.control_totals import ControlTotals
from deputies_lake.raw.kaggle_refunds import CSV as OTHER_SOURCE
from deputies_lake.raw.kaggle_reimbursements import CSV as SOURCE
from deputies_lake.raw.published_csv import RawFileError
from deputies_lake.raw.rejections import LargestAmount, Rejections

PLAIN, PACKED = SOURCE.file_names
CONTENT = b"bugged_date,receipt_date\n0,2013-03-27\n" * 100


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """A directory of a kind that people have and that URIs would have to encode."""
    directory = tmp_path / "lago são joão" / "landing 100%"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def zone(landing: Path) -> LandingZone:
    return LandingZone(str(landing))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where the archive is; nobody made the directory."""
    return tmp_path / "lago são joão" / "archive 100%"


@pytest.fixture
def archive(kept: Path) -> Archive:
    return Archive(str(kept))


def land(landing: Path, content: bytes = CONTENT, name: str = PLAIN) -> str:
    """Put a file into the landing zone; gives its sha256."""
    (landing / name).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def copy_of(kept: Path, sha256: str, name: str = PLAIN) -> Path:
    return kept / SOURCE.source_code / sha256 / name


def read_through(archive: Archive, zone: LandingZone, sha256: str) -> bytes:
    """What a reader gets of the landed file while it is archived."""
    with archive.keep(zone, zone.require(SOURCE), SOURCE, sha256) as stream:
        return stream.read()


def totals() -> ControlTotals:
    learned = ControlTotals()
    years = pa.array([2014, 2013, 2013])
    categories = pa.array(["Telephony", "Telephony", "Aluguel de veículos"])
    learned.add(years, categories, pa.array([Decimal("-1.50"), Decimal(70), None], pa.decimal128(38, 10)))
    return learned


REJECTED = Rejections(rows=2, amount=Decimal("-1.50"), first_lines=[3, 4])


LARGEST = LargestAmount(amount=Decimal(70), line=2)


def complete(archive: Archive, landed: LandedFile, sha256: str) -> Manifest:
    return archive.complete(
        SOURCE,
        landed,
        sha256,
        header=SOURCE.columns,
        rows=3,
        unreadable=1,
        totals=totals(),
        rejections=REJECTED,
        largest=LARGEST,
    )


# the landing zone


def test_an_empty_landing_zone_has_no_file(zone: LandingZone) -> None:
    assert zone.find(SOURCE) is None


def test_a_landing_zone_that_does_not_exist_has_no_file(tmp_path: Path) -> None:
    assert LandingZone(str(tmp_path / "nobody made it")).find(SOURCE) is None


@pytest.mark.parametrize("name", SOURCE.file_names)
def test_a_file_is_found_under_each_of_its_names(landing: Path, zone: LandingZone, name: str) -> None:
    land(landing, name=name)
    assert zone.require(SOURCE).name == name


def test_of_several_names_the_first_is_taken(landing: Path, zone: LandingZone) -> None:
    for name in reversed(SOURCE.file_names):
        land(landing, name=name)
    assert zone.require(SOURCE).name == PLAIN


def test_a_directory_of_the_files_name_is_not_the_file(landing: Path, zone: LandingZone) -> None:
    (landing / PLAIN).mkdir()
    assert zone.find(SOURCE) is None


def test_other_files_are_not_taken(landing: Path, zone: LandingZone) -> None:
    land(landing, name=OTHER_SOURCE.file_names[0])
    assert zone.find(SOURCE) is None


def test_a_landed_file_tells_its_size_and_when_it_was_modified(landing: Path, zone: LandingZone) -> None:
    land(landing)
    landed = zone.require(SOURCE)
    modified = datetime.fromtimestamp((landing / PLAIN).stat().st_mtime, tz=UTC)
    assert (landed.size, datetime.fromisoformat(landed.modified)) == (len(CONTENT), modified)


def test_a_missing_file_is_told_with_its_names_the_place_and_how_to_obtain_it(landing: Path, zone: LandingZone) -> None:
    with pytest.raises(RawFileError) as missing:
        zone.require(SOURCE)
    assert str(missing.value) == (
        f"{landing}/{PLAIN}: there is no {PLAIN} or {PACKED} in the landing zone. {SOURCE.obtain} Then put it there. "
        "Nothing was published, the tables stay as they were."
    )


@pytest.mark.parametrize("block_bytes", [7, 16 << 20])
def test_the_sha256_is_that_of_the_landed_bytes(
    landing: Path, zone: LandingZone, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(archive_module, "BLOCK_BYTES", block_bytes)
    assert land(landing) == zone.sha256(zone.require(SOURCE))


def test_the_sha256_of_a_gzip_file_is_that_of_the_file_and_not_of_its_text(landing: Path, zone: LandingZone) -> None:
    assert land(landing, gzip.compress(CONTENT, mtime=0), PACKED) == zone.sha256(zone.require(SOURCE))


# bytes


@pytest.mark.parametrize("block_bytes", [7, 16 << 20])
def test_what_is_read_while_archiving_is_what_landed(
    landing: Path, zone: LandingZone, archive: Archive, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(archive_module, "BLOCK_BYTES", block_bytes)
    assert read_through(archive, zone, land(landing)) == CONTENT


@pytest.mark.parametrize(
    ("name", "content"), [(PLAIN, CONTENT), (PACKED, gzip.compress(CONTENT, mtime=0)), (PACKED, CONTENT), (PLAIN, b"")]
)
def test_the_archived_bytes_are_the_landed_bytes(
    landing: Path, zone: LandingZone, archive: Archive, kept: Path, name: str, content: bytes
) -> None:
    sha256 = land(landing, content, name)
    read_through(archive, zone, sha256)
    assert copy_of(kept, sha256, name).read_bytes() == content


@pytest.mark.parametrize("size", [0, 1, 50])
def test_a_reader_that_stops_early_still_leaves_the_whole_file_archived(
    landing: Path, zone: LandingZone, archive: Archive, kept: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(archive_module, "BLOCK_BYTES", 64)
    sha256 = land(landing)
    with archive.keep(zone, zone.require(SOURCE), SOURCE, sha256) as stream:
        stream.read(size)
    assert copy_of(kept, sha256).read_bytes() == CONTENT


def test_archiving_leaves_the_landed_file_alone(landing: Path, zone: LandingZone, archive: Archive) -> None:
    read_through(archive, zone, land(landing))
    assert (landing / PLAIN).read_bytes() == CONTENT


def test_each_version_of_a_file_is_kept(landing: Path, zone: LandingZone, archive: Archive, kept: Path) -> None:
    versions = [b"first\n", b"second\n"]
    shas = []
    for content in versions:
        shas.append(land(landing, content))
        read_through(archive, zone, shas[-1])
    assert [copy_of(kept, sha256).read_bytes() for sha256 in shas] == versions


def test_a_file_that_changed_while_it_was_read_is_refused(landing: Path, zone: LandingZone, archive: Archive) -> None:
    sha256 = land(landing)
    land(landing, CONTENT + b"one more line\n")
    with pytest.raises(RawFileError, match=r"changed while it was being read\. Wait until it is complete, then run"):
        read_through(archive, zone, sha256)


def test_a_complete_version_is_not_overwritten_by_a_file_that_changed_while_it_was_read(
    landing: Path, zone: LandingZone, archive: Archive, kept: Path
) -> None:
    sha256 = land(landing)
    read_through(archive, zone, sha256)
    complete(archive, zone.require(SOURCE), sha256)
    land(landing, b"other bytes\n")
    with pytest.raises(RawFileError):
        read_through(archive, zone, sha256)
    assert copy_of(kept, sha256).read_bytes() == CONTENT


def test_a_complete_version_is_not_cut_off_by_a_reader_that_fails(
    landing: Path, zone: LandingZone, archive: Archive, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "BLOCK_BYTES", 64)
    sha256 = land(landing)
    read_through(archive, zone, sha256)
    complete(archive, zone.require(SOURCE), sha256)
    with (
        suppress(KeyboardInterrupt),
        archive.keep(zone, zone.require(SOURCE), SOURCE, sha256) as stream,
    ):
        stream.read(1)
        raise KeyboardInterrupt
    assert copy_of(kept, sha256).read_bytes() == CONTENT


# manifests


def test_a_version_that_was_never_archived_has_no_manifest(archive: Archive) -> None:
    assert archive.manifest(SOURCE, "0" * 64) is None


def test_a_version_is_incomplete_until_it_is_declared_complete(
    landing: Path, zone: LandingZone, archive: Archive
) -> None:
    sha256 = land(landing)
    read_through(archive, zone, sha256)
    assert archive.manifest(SOURCE, sha256) is None


def test_a_version_whose_reader_failed_stays_incomplete(landing: Path, zone: LandingZone, archive: Archive) -> None:
    sha256 = land(landing)
    with pytest.raises(RawFileError), archive.keep(zone, zone.require(SOURCE), SOURCE, sha256):
        raise RawFileError(PLAIN, "a problem", "A remedy.")
    assert archive.manifest(SOURCE, sha256) is None


def test_an_incomplete_version_is_written_again(landing: Path, zone: LandingZone, archive: Archive, kept: Path) -> None:
    sha256 = land(landing)
    copy = copy_of(kept, sha256)
    copy.parent.mkdir(parents=True)
    copy.write_bytes(CONTENT[:10])
    read_through(archive, zone, sha256)
    assert copy.read_bytes() == CONTENT


def test_a_manifest_is_read_as_it_was_written(landing: Path, zone: LandingZone, archive: Archive) -> None:
    sha256 = land(landing)
    read_through(archive, zone, sha256)
    written = complete(archive, zone.require(SOURCE), sha256)
    assert archive.manifest(SOURCE, sha256) == written


def test_a_manifest_belongs_to_its_source_alone(landing: Path, zone: LandingZone, archive: Archive) -> None:
    sha256 = land(landing)
    read_through(archive, zone, sha256)
    complete(archive, zone.require(SOURCE), sha256)
    assert archive.manifest(OTHER_SOURCE, sha256) is None


def test_a_manifest_tells_what_the_file_was(landing: Path, zone: LandingZone, archive: Archive) -> None:
    sha256 = land(landing)
    read_through(archive, zone, sha256)
    landed = zone.require(SOURCE)
    manifest = complete(archive, landed, sha256)
    assert datetime.now(UTC) >= datetime.fromisoformat(manifest.archived)
    assert replace(manifest, archived="") == Manifest(
        source_code="kaggle_reimbursements",
        file_name=PLAIN,
        sha256=sha256,
        size=len(CONTENT),
        modified=landed.modified,
        archived="",
        header=list(SOURCE.columns),
        rows=3,
        unreadable=1,
        totals=[
            (2013, "Aluguel de veículos", 1, "0.00"),
            (2013, "Telephony", 1, "70.00"),
            (2014, "Telephony", 1, "-1.50"),
        ],
        rejected_rows=2,
        rejected_amount="-1.50",
        first_rejected_lines=[3, 4],
        largest_amount="70.00",
        largest_amount_line=2,
    )
    assert manifest.rejections == REJECTED


def test_bytes_that_come_again_keep_their_dates(
    landing: Path, zone: LandingZone, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = land(landing)
    os.utime(landing / PLAIN, (1_600_000_000, 1_600_000_000))
    read_through(archive, zone, sha256)
    first = complete(archive, zone.require(SOURCE), sha256)
    os.utime(landing / PLAIN, (1_700_000_000, 1_700_000_000))
    later = type("Later", (datetime,), {"now": classmethod(lambda cls, zone: datetime(2030, 1, 1, tzinfo=zone))})
    monkeypatch.setattr(archive_module, "datetime", later)
    complete(archive, zone.require(SOURCE), sha256)
    assert archive.manifest(SOURCE, sha256) == first


def test_bytes_that_are_read_anew_are_known_by_what_was_learned_last(
    landing: Path, zone: LandingZone, archive: Archive
) -> None:
    sha256 = land(landing)
    read_through(archive, zone, sha256)
    complete(archive, zone.require(SOURCE), sha256)
    anew = archive.complete(
        SOURCE,
        zone.require(SOURCE),
        sha256,
        header=SOURCE.columns,
        rows=4,
        unreadable=0,
        totals=totals(),
        rejections=Rejections(),
        largest=LargestAmount(),
    )
    assert (anew.rows, anew.unreadable, archive.manifest(SOURCE, sha256)) == (4, 0, anew)


def test_a_manifest_of_an_earlier_version_of_this_code_can_be_read(
    landing: Path, zone: LandingZone, archive: Archive, kept: Path
) -> None:
    sha256 = land(landing)
    read_through(archive, zone, sha256)
    complete(archive, zone.require(SOURCE), sha256)
    path = copy_of(kept, sha256, "manifest.json")
    newer = ("rejected_rows", "rejected_amount", "first_rejected_lines", "largest_amount", "largest_amount_line")
    of_old = {name: value for name, value in json.loads(path.read_text()).items() if name not in newer}
    path.write_text(json.dumps(of_old))
    manifest = archive.manifest(SOURCE, sha256)
    assert manifest is not None
    assert (manifest.rejected_rows, manifest.rejections.rows, manifest.doubts) == (None, 0, [])


def test_a_manifest_is_readable_by_people(landing: Path, zone: LandingZone, archive: Archive, kept: Path) -> None:
    sha256 = land(landing)
    read_through(archive, zone, sha256)
    complete(archive, zone.require(SOURCE), sha256)
    assert "Aluguel de veículos" in copy_of(kept, sha256, "manifest.json").read_text(encoding="utf-8")


@pytest.fixture
def manifest(landing: Path, zone: LandingZone, archive: Archive) -> Manifest:
    sha256 = land(landing)
    read_through(archive, zone, sha256)
    return complete(archive, zone.require(SOURCE), sha256)


def test_a_manifest_knows_its_years(manifest: Manifest) -> None:
    assert manifest.years() == [2013, 2014]


def test_the_sums_of_a_manifest_are_those_of_the_file(manifest: Manifest) -> None:
    sums = manifest.sums()
    assert sums.rows == {(2013, "Aluguel de veículos"): 1, (2013, "Telephony"): 1, (2014, "Telephony"): 1}
    assert (sums.row_count, sums.amount) == (3, Decimal("68.50"))


def test_the_sums_of_some_years_leave_the_others_out(manifest: Manifest) -> None:
    sums = manifest.sums([2014, 2020])
    assert (sums.rows, sums.amounts) == ({(2014, "Telephony"): 1}, {(2014, "Telephony"): Decimal("-1.50")})


def test_the_sums_of_no_years_are_nothing(manifest: Manifest) -> None:
    assert manifest.sums([]).row_count == 0


def test_an_archived_file_can_be_read_from_wherever_one_likes(
    landing: Path, zone: LandingZone, archive: Archive
) -> None:
    sha256 = land(landing)
    read_through(archive, zone, sha256)
    with archive.open(SOURCE, sha256, PLAIN) as kept_file:
        kept_file.seek(5)
        assert kept_file.read() == CONTENT[5:]


# acceptances


def test_a_version_is_accepted_when_someone_said_so(landing: Path, zone: LandingZone, archive: Archive) -> None:
    sha256 = land(landing)
    read_through(archive, zone, sha256)
    assert archive.acceptance(SOURCE, sha256) is None
    said = Acceptance(year=2013, sha256=sha256, reason="é assim mesmo", by="ana", at="2026-08-17T10:00:00+00:00")
    archive.accept(SOURCE, said)
    assert archive.acceptance(SOURCE, sha256) == said


def test_why_a_file_was_refused_is_remembered_until_one_is_not(archive: Archive) -> None:
    refusal = Refusal(file_name=PLAIN, sha256="0" * 64, problem="p", remedy="R.", can_be_accepted=True, at="2026-11-28")
    assert archive.refusal(SOURCE) is None
    archive.refuse(SOURCE, refusal)
    assert (archive.refusal(SOURCE), archive.refusal(OTHER_SOURCE)) == (refusal, None)
    archive.refuse(SOURCE, None)
    assert archive.refusal(SOURCE) is None
