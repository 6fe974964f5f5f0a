"""What was published, byte for byte: each version of a file under its sha256, never overwritten, with its manifest.

Here: finding a file in the landing zone, keeping its bytes and what was learned while reading them. How lines become
rows is in `published_csv.py`, how a raw table is published in `ingestion.py`.
"""

import hashlib
import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pyarrow.fs as pafs

from deputies_lake.checks.audit import Sums
from deputies_lake.raw.control_totals import ControlTotals
from deputies_lake.raw.published_csv import BLOCK_BYTES, PublishedCsv, RawFileError
from deputies_lake.raw.rejections import LargestAmount, Rejections, doubts
from deputies_lake.redaction import redacted_text

_MANIFEST: Final = "manifest.json"
_ACCEPTANCE: Final = "acceptance.json"
_REFUSAL: Final = "last_refusal.json"
_ROLLBACKS: Final = "rollbacks"


@dataclass(frozen=True)
class LandedFile:
    """A file in the landing zone. `modified` is when it was written there: it tells versions apart that nobody has
    read, and is not the file's date, which is `file_dates.made_at`'s business. Of a manifest's file it is that date."""

    name: str
    path: str
    size: int
    modified: str

    @property
    def mark(self) -> str:
        """Another one whenever the file was written, by what can be known of it without reading it."""
        return hashlib.sha256(f"{self.name}\0{self.size}\0{self.modified}".encode()).hexdigest()[:12]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What is known of one version of a published file. `totals`: [year, category, rows, BRL, ...] as published.

    Of the `rows`, `unreadable` could not be split and `rejected_rows` are not staged, which hold `rejected_amount` BRL
    as far as that can be read; None where a version was read before they were counted.
    """

    source_code: str
    file_name: str
    sha256: str
    size: int
    modified: str
    archived: str
    header: list[str]
    rows: int
    unreadable: int
    totals: list[tuple[Any, ...]]
    rejected_rows: int | None = None
    rejected_amount: str | None = None
    first_rejected_lines: list[int] = field(default_factory=list)
    largest_amount: str | None = None
    largest_amount_line: int = 0

    @property
    def doubts(self) -> list[str]:
        """Why the version is not believed, whatever stood before it."""
        largest = LargestAmount(amount=Decimal(self.largest_amount or 0), line=self.largest_amount_line)
        return doubts(self.rejections, largest, rows=self.rows, amount=self.sums().amount)

    @property
    def rejections(self) -> Rejections:
        """None known, where they were not counted."""
        return Rejections(
            rows=self.rejected_rows or 0,
            amount=Decimal(self.rejected_amount or 0),
            first_lines=self.first_rejected_lines,
        )

    def years(self) -> list[int]:
        return sorted({year for year, *_ in self.totals})

    def sums(self, years: Collection[int] | None = None) -> Sums:
        """Rows and BRL by (year, category as staging has it: without what may be a CPF), of `years` only if given."""
        of_years = [row for row in self.totals if years is None or row[0] in years]
        as_published = Sums.of(of_years, others=max((len(row) - 4 for row in of_years), default=0))
        return as_published.regrouped(lambda group: (group[0], redacted_text(str(group[1]))))


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why the file of a source that has only one was not published, `at` which moment; where it `can_be_accepted`, a
    person may say that it is right."""

    file_name: str
    sha256: str
    problem: str
    remedy: str
    can_be_accepted: bool
    at: str


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """A person's word that a version of a file is right although there is reason to doubt it. `year` is None of a file
    that has all years."""

    year: int | None
    sha256: str
    reason: str
    by: str
    at: str


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """A person's word that readers are to have an earlier version: of a `year`, or of a `table`. It was published
    `since`; None where what was rolled back may be replaced again."""

    year: int | None
    table: str | None
    since: str | None
    reason: str
    by: str
    at: str


class FileChangedError(RawFileError):
    """A file's bytes are no longer those that it had when it was found: it is still being written."""


class LandingZone:
    """A directory or an S3 prefix in which files arrive, put there by a person or fetched."""

    def __init__(self, location: str, region: str | None = None) -> None:
        self.location = location
        self.filesystem, self._root = open_location(location, region)

    def path(self, name: str) -> str:
        """Where a file of the zone is, for `filesystem`."""
        return f"{self._root}/{name}"

    def find(self, source: PublishedCsv) -> LandedFile | None:
        """The source's file under the first of its names that is there."""
        for name in source.file_names:
            info = self.filesystem.get_file_info(self.path(name))
            if info.type == pafs.FileType.File:
                return _landed(info)
        return None

    def files(self) -> list[LandedFile]:
        """All files of the zone, those in its folders left out; none where there is no such place yet."""
        found = self.filesystem.get_file_info(pafs.FileSelector(self._root, allow_not_found=True))
        return sorted((_landed(info) for info in found if info.type == pafs.FileType.File), key=lambda file: file.name)

    def require(self, source: PublishedCsv) -> LandedFile:
        """Raises `RawFileError` where `find` finds nothing."""
        landed = self.find(source)
        if landed is None:
            names = " or ".join(source.file_names)
            raise RawFileError(
                f"{self.location}/{source.file_names[0]}",
                f"there is no {names} in the landing zone",
                f"{source.obtain} Then put it there.",
            )
        return landed

    def sha256(self, landed: LandedFile) -> str:
        digest = hashlib.sha256()
        with self.filesystem.open_input_stream(landed.path, compression=None) as stream:
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest()


class Archive:
    """Every version of every published file: `<source>/<sha256>/<file name>` and a manifest beside it.

    The manifest is written last: a version without one was never completed and is written again.
    """

    def __init__(self, location: str, region: str | None = None) -> None:
        self.filesystem, self._root = open_location(location, region)
        self._location, self._region = location, region

    def manifest(self, source: PublishedCsv, sha256: str) -> Manifest | None:
        """What is known of a version, None where it was never completed."""
        content = self._read(f"{self._folder(source, sha256)}/{_MANIFEST}")
        if content is None:
            return None
        content["totals"] = [tuple(row) for row in content["totals"]]
        return Manifest(**content)

    @contextmanager
    def keep(
        self, zone: LandingZone, landed: LandedFile, source: PublishedCsv, sha256: str
    ) -> Iterator["io.BufferedReader[_Tee]"]:
        """The landed file for reading; what is read is archived on the way.

        Raises `FileChangedError` at the end if the bytes are no longer those of `sha256`.
        """
        folder = self._folder(source, sha256)
        make_folder(self.filesystem, folder)
        digest = hashlib.sha256()
        with (
            zone.filesystem.open_input_stream(landed.path, compression=None) as origin,
            self._new_copy(source, sha256, landed) as copy,
            io.BufferedReader(_Tee(origin, copy, digest), BLOCK_BYTES) as stream,
        ):
            yield stream
            while stream.read(BLOCK_BYTES):
                pass
        if digest.hexdigest() != sha256:
            problem = "the file changed while it was being read"
            raise FileChangedError(landed.path, problem, "Wait until it is complete, then run again.")

    def _new_copy(
        self, source: PublishedCsv, sha256: str, landed: LandedFile
    ) -> AbstractContextManager[pa.NativeFile | None]:
        """Where the bytes go; nowhere for a version that is complete, which is never written again."""
        if self.manifest(source, sha256):
            return nullcontext()
        path = f"{self._folder(source, sha256)}/{landed.name}"
        copy: AbstractContextManager[pa.NativeFile] = self.filesystem.open_output_stream(path, compression=None)
        return copy

    def complete(
        self,
        source: PublishedCsv,
        landed: LandedFile,
        sha256: str,
        *,
        header: Sequence[str],
        rows: int,
        unreadable: int,
        totals: ControlTotals,
        rejections: Rejections,
        largest: LargestAmount,
    ) -> Manifest:
        """Record what was learned; from now on the version is complete.

        Bytes that were complete before keep their dates and their name: what is learned anew is what they hold.
        """
        known = self.manifest(source, sha256)
        manifest = Manifest(
            source_code=source.source_code,
            file_name=known.file_name if known else landed.name,
            sha256=sha256,
            size=landed.size,
            modified=known.modified if known else landed.modified,
            archived=known.archived if known else datetime.now(UTC).isoformat(timespec="seconds"),
            header=list(header),
            rows=rows,
            unreadable=unreadable,
            totals=[
                (*group, count, *(f"{amount:.2f}" for amount in totals.amounts[group]))
                for group, count in sorted(totals.rows.items())
            ],
            rejected_rows=rejections.rows,
            rejected_amount=f"{rejections.amount:.2f}",
            first_rejected_lines=rejections.first_lines,
            largest_amount=f"{largest.amount:.2f}",
            largest_amount_line=largest.line,
        )
        self._write(f"{self._folder(source, sha256)}/{_MANIFEST}", asdict(manifest))
        return manifest

    def open(self, source: PublishedCsv, sha256: str, file_name: str) -> pa.NativeFile:
        """An archived file, to read from wherever one likes."""
        return self.filesystem.open_input_file(f"{self._folder(source, sha256)}/{file_name}")

    def zone(self, source: PublishedCsv, sha256: str) -> LandingZone:
        """A version's folder, from which its file can be taken in again as from the landing zone."""
        return LandingZone(f"{self._location}/{source.source_code}/{sha256}", self._region)

    def accept(self, source: PublishedCsv, acceptance: Acceptance) -> None:
        """Remember that a version is to be published, whatever it lacks."""
        self._write(self._acceptance(source, acceptance.sha256), asdict(acceptance))

    def acceptance(self, source: PublishedCsv, sha256: str) -> Acceptance | None:
        content = self._read(self._acceptance(source, sha256))
        return Acceptance(**content) if content else None

    def refuse(self, source: PublishedCsv, refusal: Refusal | None) -> None:
        """Remember why the source's only file was refused; None where the last one was not."""
        make_folder(self.filesystem, f"{self._root}/{source.source_code}")
        self._write(f"{self._root}/{source.source_code}/{_REFUSAL}", asdict(refusal) if refusal else {})

    def refusal(self, source: PublishedCsv) -> Refusal | None:
        content = self._read(f"{self._root}/{source.source_code}/{_REFUSAL}")
        return Refusal(**content) if content else None

    def note(self, rollback: Rollback) -> None:
        """Remember for good what was rolled back, or released, and why."""
        folder = f"{self._root}/{_ROLLBACKS}"
        make_folder(self.filesystem, folder)
        self._write(f"{folder}/{rollback.at.replace(':', '')}.json", asdict(rollback))

    def rollbacks(self) -> list[Rollback]:
        """All of them, the oldest first."""
        selector = pafs.FileSelector(f"{self._root}/{_ROLLBACKS}", allow_not_found=True)
        found = (self._read(info.path) for info in self.filesystem.get_file_info(selector))
        return sorted((Rollback(**content) for content in found if content), key=lambda one: one.at)

    def _acceptance(self, source: PublishedCsv, sha256: str) -> str:
        return f"{self._folder(source, sha256)}/{_ACCEPTANCE}"

    def _read(self, path: str) -> dict[str, Any] | None:
        if self.filesystem.get_file_info(path).type != pafs.FileType.File:
            return None
        with self.filesystem.open_input_stream(path, compression=None) as stream:
            content: dict[str, Any] = json.loads(stream.read())
        return content

    def _write(self, path: str, content: Mapping[str, Any]) -> None:
        with self.filesystem.open_output_stream(path, compression=None) as stream:
            stream.write(json.dumps(content, ensure_ascii=False, indent=1).encode())

    def _folder(self, source: PublishedCsv, sha256: str) -> str:
        return f"{self._root}/{source.source_code}/{sha256}"


def make_folder(filesystem: pafs.FileSystem, folder: str) -> None:
    """S3 needs none: what stands for a directory there is an empty object, which no clean-up would know."""
    if isinstance(filesystem, pafs.LocalFileSystem):
        filesystem.create_dir(folder, recursive=True)


def _landed(info: pafs.FileInfo) -> LandedFile:
    modified = info.mtime.astimezone(UTC).isoformat() if info.mtime else ""
    return LandedFile(info.base_name, info.path, info.size, modified)


def open_location(location: str, region: str | None) -> tuple[pafs.FileSystem, str]:
    """The file system of a directory or an S3 URI, and its path there."""
    # Left to itself, Arrow would ask AWS for the region of each bucket.
    known = f"?region={region}" if region and location.startswith("s3://") else ""
    filesystem, root = pafs.FileSystem.from_uri(f"{location}{known}")
    return filesystem, root


class _Tee(io.RawIOBase):
    """Reads from one stream and writes what it read to another, if there is one, hashing it on the way."""

    def __init__(self, origin: pa.NativeFile, copy: pa.NativeFile | None, digest: "hashlib._Hash") -> None:
        self._origin, self._copy, self._digest = origin, copy, digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        data = self._origin.read(len(buffer)) or b""
        self._digest.update(data)
        if self._copy:
            self._copy.write(data)
        buffer[: len(data)] = data
        return len(data)
