"""Of which moment a published file is: what its publisher said, for the date of a copy says when it was copied.

A file that was fetched is of its `Last-Modified`. One that was put there by hand is of the moment that its zip archive
gives the CSV file inside, if there is one; a plain or gzipped CSV file says nothing of itself: it is of the moment at
which it landed. Zip archives keep the clock of the machine that wrote them, and not its zone: it is taken for
Brasília's, which is the House's, where the archive has no moment in UTC beside it.
"""

import struct
import zipfile
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import IO, Final
from zoneinfo import ZoneInfo

from deputies_lake.quota_years import FIRST_YEAR, TIMEZONE
from deputies_lake.raw import labels
from deputies_lake.raw.archive import LandedFile, LandingZone
from deputies_lake.raw.published_csv import PublishedCsv

_EXTENDED_TIMESTAMP: Final = 0x5455
_HAS_MODIFIED: Final = 0x1

_TOLERANCE: Final = timedelta(days=1)
"""So far a clock may be ahead, or in another zone."""


def made_at(zone: LandingZone, landed: LandedFile, source: PublishedCsv, sha256: str) -> str:
    """ISO 8601 in UTC. A file that can't be read, or says what can't be, is of the moment at which it landed."""
    said = _fetched(zone, landed, sha256) or _zipped(zone, landed)
    first = source.only_year or FIRST_YEAR
    if said is None or said.year < first or said > datetime.now(UTC) + _TOLERANCE:
        return landed.modified
    return said.astimezone(UTC).isoformat()


def _fetched(zone: LandingZone, landed: LandedFile, sha256: str) -> datetime | None:
    label = labels.read(zone, landed.name)
    if label is None or label.sha256 != sha256 or not label.version.last_modified:
        return None
    try:
        said = parsedate_to_datetime(label.version.last_modified)
    except ValueError:
        return None
    return said if said.tzinfo else said.replace(tzinfo=UTC)


def _zipped(zone: LandingZone, landed: LandedFile) -> datetime | None:
    if not landed.name.endswith(".zip"):
        return None
    with zone.filesystem.open_input_file(landed.path) as file:
        return _newest_member(file)


def _newest_member(file: IO[bytes]) -> datetime | None:
    try:
        with zipfile.ZipFile(file) as archive:
            moments = [_moment(member) for member in archive.infolist()]
    except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError, EOFError):
        return None
    return max((moment for moment in moments if moment), default=None)


def _moment(member: zipfile.ZipInfo) -> datetime | None:
    extra = member.extra
    while len(extra) >= 9:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == _EXTENDED_TIMESTAMP and size >= 5 and extra[4] & _HAS_MODIFIED:
            return datetime.fromtimestamp(struct.unpack_from("<i", extra, 5)[0], UTC)
        extra = extra[4 + size :]
    try:
        return datetime(*member.date_time, tzinfo=ZoneInfo(TIMEZONE))
    except ValueError:
        return None
