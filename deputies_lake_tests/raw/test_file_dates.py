"""Of which moment a file is: by its publisher, by its zip archive, or else by its copy."""

import json
import os
import struct
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deputies_lake.raw import chamber_expenses
from deputies_lake.raw.archive import LandingZone
from deputies_lake.raw.file_dates import made_at

SOURCE = chamber_expenses.CSV.of_year(2022)
NAME = "Ano-2022.csv.zip"
LANDED = datetime(2026, 11, 28, 12, tzinfo=UTC)
ENTRY = (2022, 7, 27, 1, 2, 10)
IN_UTC = int(datetime(2022, 7, 30, 4, 5, 6, tzinfo=UTC).timestamp())


def timestamp(flags: int, *moments: int) -> bytes:
    """As Info-ZIP writes it behind a member, after a field that nobody reads here."""
    content = struct.pack("<B", flags) + b"".join(struct.pack("<i", moment) for moment in moments)
    return struct.pack("<HH", 0x7875, 1) + b"\0" + struct.pack("<HH", 0x5455, len(content)) + content


class Landing:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.zone = LandingZone(str(folder))

    def land(self, content: bytes | None = None, name: str = NAME, **member: object) -> None:
        path = self.folder / name
        if content is None:
            with zipfile.ZipFile(path, "w") as archive:
                entry = zipfile.ZipInfo("Ano-2022.csv", date_time=member.get("date_time", ENTRY))  # type: ignore[arg-type]
                entry.extra = member.get("extra", b"")  # type: ignore[assignment]
                archive.writestr(entry, "rows")
        else:
            path.write_bytes(content)
        os.utime(path, (LANDED.timestamp(), LANDED.timestamp()))

    def label(self, sha256: str, last_modified: str | None) -> None:
        version = {"url": "https://x/y", "etag": None, "last_modified": last_modified}
        (self.folder / ".fetching").mkdir()
        (self.folder / ".fetching" / f"{NAME}.json").write_text(json.dumps({"sha256": sha256, "version": version}))

    def date(self, name: str = NAME) -> datetime:
        (landed,) = (file for file in self.zone.files() if file.name == name)
        return datetime.fromisoformat(made_at(self.zone, landed, SOURCE, "0" * 64))


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path)


def test_a_fetched_file_is_of_what_its_server_said(landing: Landing) -> None:
    landing.land()
    landing.label("0" * 64, "Wed, 28 Sep 2022 06:27:00 GMT")
    assert landing.date() == datetime(2022, 9, 28, 6, 27, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sha256", "last_modified"),
    [("1" * 64, "Wed, 28 Sep 2022 06:27:00 GMT"), ("0" * 64, None), ("0" * 64, "yesterday")],
)
def test_a_label_of_another_file_or_without_a_date_says_nothing(
    landing: Landing, sha256: str, last_modified: str | None
) -> None:
    landing.land()
    landing.label(sha256, last_modified)
    assert landing.date() == datetime(2022, 7, 27, 4, 2, 10, tzinfo=UTC)


def test_a_zip_put_there_by_hand_is_of_its_entry_by_brasilias_clock(landing: Landing) -> None:
    landing.land()
    assert landing.date() == datetime(2022, 7, 27, 4, 2, 10, tzinfo=UTC)


def test_an_entry_that_has_its_moment_in_utc_is_of_that(landing: Landing) -> None:
    landing.land(extra=timestamp(3, IN_UTC, IN_UTC + 9))
    assert landing.date() == datetime(2022, 7, 30, 4, 5, 6, tzinfo=UTC)


def test_a_moment_of_something_else_is_not_the_files(landing: Landing) -> None:
    landing.land(extra=timestamp(2, IN_UTC))
    assert landing.date() == datetime(2022, 7, 27, 4, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "date_time", [(1980, 1, 1, 0, 0, 0), (2021, 12, 31, 23, 0, 0), (2022, 0, 0, 0, 0, 0), (2099, 1, 1, 0, 0, 0)]
)
def test_an_entry_from_before_its_year_or_yet_to_come_is_not_believed(
    landing: Landing, date_time: tuple[int, ...]
) -> None:
    landing.land(date_time=date_time)
    assert landing.date() == LANDED


def test_a_clock_that_is_a_little_ahead_is_believed(landing: Landing) -> None:
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    landing.land(extra=timestamp(1, int(soon.timestamp())))
    assert landing.date() == soon


@pytest.mark.parametrize("content", [b"<!DOCTYPE html>", b"", b"PK\x03\x04"])
def test_what_is_no_zip_is_of_when_it_landed(landing: Landing, content: bytes) -> None:
    landing.land(content)
    assert landing.date() == LANDED


def test_a_plain_file_is_of_when_it_landed(landing: Landing) -> None:
    landing.land(b"rows", "Ano-2022.csv")
    assert landing.date("Ano-2022.csv") == LANDED
