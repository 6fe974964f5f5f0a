"""The House's yearly files, from its web server into the landing zone: those that changed, whole, a few at once.

Here: which file is asked for, when it is trusted, and how it lands. HTTP is in `download.py`; what the archive must
hold is in `zipped.py`; what is done with a landed file is the raw asset's business.

Everything that is not a landed file is in `.fetching` inside the landing zone: beside each file's name a label that
tells which version of it landed, and where the zone is on this machine also what was downloaded so far. Nobody reads
there but this module; all of it may be deleted whenever nothing is fetched.
"""

import fcntl
import hashlib
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from threading import Event, Lock
from typing import IO, Final
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.fs as pafs

from deputies_lake.environments import CHAMBER_URL
from deputies_lake.quota_years import TIMEZONE
from deputies_lake.raw import chamber_expenses, labels, zipped
from deputies_lake.raw.archive import LandingZone
from deputies_lake.raw.download import Download, DownloadError, Limits, Partial, Report, Version
from deputies_lake.raw.published_csv import PublishedCsv, RawFileError

AT_ONCE: Final = 3
"""Downloads that run at the same time: it is a public server that others need, too."""

Progress = Callable[[int, int, int | None], None]
"""Told the year, the bytes that came so far, and how many there are in all, None where the server doesn't say."""

_LOCK_POLL_SECONDS: Final = 0.1


class FetchError(Exception):
    """A year's file that was not fetched: names its address, what happened and the remedy. What had landed stays."""

    def __init__(self, url: str, problem: str, remedy: str) -> None:
        super().__init__(f"{url}: {problem}. {remedy}")
        self.url, self.problem, self.remedy = url, problem, remedy


class Outcome(StrEnum):
    NEW = "new"
    UNCHANGED = "unchanged"
    NOT_PUBLISHED = "not published yet"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What came of a year. `error` is there where it failed."""

    year: int
    outcome: Outcome
    error: FetchError | None = None


def fetch_years(
    zone: LandingZone,
    url: str,
    years: Collection[int],
    *,
    report: Report,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> Mapping[int, Fetched]:
    """Bring the landing zone's files of these years up to date with those below `url`. A failure is its year's own.

    `report` gets a line for each trouble and outcome; it and `progress` are never called by two threads at once.
    """
    stop, telling = Event(), Lock()

    def tell(line: str) -> None:
        with telling:
            report(line)

    def tell_progress(year: int, done: int, total: int | None) -> None:
        if progress:
            with telling:
                progress(year, done, total)

    fetching = _Fetching(zone=zone, url=url, limits=limits or Limits(), report=tell, progress=tell_progress, stop=stop)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch") as pool:
        try:
            return {fetched.year: fetched for fetched in pool.map(fetching.year, sorted(set(years)))}
        finally:
            # Who interrupts this does not want to wait for the downloads.
            stop.set()


@dataclass(frozen=True, kw_only=True)
class _Fetching:
    """What the downloads of one call have in common."""

    zone: LandingZone
    url: str
    limits: Limits
    report: Report
    progress: Progress
    stop: Event

    def year(self, year: int) -> Fetched:
        place = _Place(self.zone, chamber_expenses.CSV.of_year(year))
        url = f"{self.url}/{place.name}"
        later = f"Try again later: `deputies-lake fetch --years {year}`."
        by_hand = f"Or put {place.name} by hand into {self.zone.location} and set {CHAMBER_URL}=none, so that it stays."
        try:
            fetched = Fetched(year=year, outcome=self._fetch(year, place, url))
        except DownloadError as error:
            if error.status == HTTPStatus.NOT_FOUND and _has_just_begun(year):
                fetched = Fetched(year=year, outcome=Outcome.NOT_PUBLISHED)
            else:
                fetched = _failed(year, FetchError(url, str(error), f"{later} {by_hand}"))
        except RawFileError as error:
            fetched = _failed(year, FetchError(url, error.problem, f"{later} {by_hand}"))
        except OSError as error:
            remedy = f"See to it that {self.zone.location} can be read and written. {later}"
            fetched = _failed(year, FetchError(url, f"the landing zone can't be used ({error})", remedy))
        why = f": {fetched.error.problem}" if fetched.error else ""
        self.report(f"{place.name}: {fetched.outcome}{why}")
        return fetched

    def _fetch(self, year: int, place: "_Place", url: str) -> Outcome:
        with _folder(self.zone) as folder, self._alone(folder, place.name):
            standing = place.sha256()
            partial = Partial(folder / f"{place.name}.part")
            version = Download(
                url=url,
                partial=partial,
                known=place.version(standing, url),
                limits=self.limits,
                report=lambda line: self.report(f"{place.name}: {line}"),
                progress=lambda done, total: self.progress(year, done, total),
                stop=self.stop,
            ).run()
            if version is None:
                return Outcome.UNCHANGED
            sha256 = _checked(partial, place.source, url)
            if sha256 != standing:
                place.land(partial.path)
            partial.discard()
            place.label(version, sha256)
            return Outcome.UNCHANGED if sha256 == standing else Outcome.NEW

    @contextmanager
    def _alone(self, folder: Path, name: str) -> Iterator[None]:
        """Wait for another process that fetches the same file. The kernel takes the lock from one that was killed."""
        deadline = time.monotonic() + self.limits.total
        with (folder / f"{name}.lock").open("ab") as lock:
            waits = False
            while not _locked(lock):
                if not waits:
                    self.report(f"{name}: another process is fetching it; waiting for that")
                waits = True
                if self.stop.wait(_LOCK_POLL_SECONDS) or time.monotonic() > deadline:
                    raise DownloadError("another process is still fetching it")
            yield


class _Place:
    """One file's place in the landing zone, and the label that tells which version of it landed there."""

    def __init__(self, zone: LandingZone, source: PublishedCsv) -> None:
        self.source, self.name = source, str(source.zip_name)
        self._zone = zone

    def sha256(self) -> str | None:
        """Of the file that stands there, or of its CSV file, which is never the same."""
        landed = self._zone.find(self.source)
        return self._zone.sha256(landed) if landed else None

    def version(self, sha256: str | None, url: str) -> Version | None:
        """Which version of `url` the file of this sha256 is. None for one that was put there by hand."""
        label = labels.read(self._zone, self.name)
        is_it = label and (label.sha256, label.version.url) == (sha256, url)
        return label.version if label and is_it else None

    def label(self, version: Version, sha256: str) -> None:
        labels.write(self._zone, self.name, labels.Label(sha256=sha256, version=version))

    def land(self, path: Path) -> None:
        """Put a file there so that no reader ever sees a part of it."""
        target = self._zone.path(self.name)
        if isinstance(self._zone.filesystem, pafs.LocalFileSystem):
            self._zone.filesystem.move(str(path), target)
            return
        with (
            pa.memory_map(str(path)) as file,
            self._zone.filesystem.open_output_stream(target, compression=None) as stream,
        ):
            stream.write(file.read_buffer())


@contextmanager
def _folder(zone: LandingZone) -> Iterator[Path]:
    """Where downloads are until they are whole: in the landing zone if that is on this machine, so that they need
    only be renamed to land, and so that a later call goes on with what a killed one left. Else a temporary one."""
    if isinstance(zone.filesystem, pafs.LocalFileSystem):
        folder = Path(zone.path(labels.FOLDER))
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="deputies-lake-fetch-") as temporary:
            yield Path(temporary)


def _checked(partial: Partial, source: PublishedCsv, url: str) -> str:
    """The sha256 of an archive that is what it should be; any other would only be resumed, so it goes."""
    try:
        with partial.path.open("rb") as file:
            zipped.check(file, url, source)
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except RawFileError:
        partial.discard()
        raise


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _failed(year: int, error: FetchError) -> Fetched:
    return Fetched(year=year, outcome=Outcome.FAILED, error=error)


def _has_just_begun(year: int) -> bool:
    """The House publishes a year's file with its first receipts."""
    today = _today()
    return (today.year, today.month) == (year, 1)


def _today() -> date:
    return datetime.now(tz=ZoneInfo(TIMEZONE)).date()
