"""The zip archive in which the House publishes a year: opened, checked, and read without being unpacked to disk.

Here: everything about the archive that could be wrong or meant to harm, each with a clear error. What the CSV file
inside must look like belongs in `published_csv.py`.

The archive must be seekable: the House writes each file's size behind its data, so that only the directory at the
archive's end tells where a file ends.
"""

import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

from deputies_lake.raw.file_kinds import WEB_PAGE, ZIP, kind_of
from deputies_lake.raw.published_csv import BLOCK_BYTES, PublishedCsv, RawFileError

MAX_TEXT_BYTES: Final = 4 << 30
"""The largest year has some 80 MB."""

MAX_RATIO: Final = 100
"""Text over compressed bytes. The House's files have 7 to 10; what is far above that is made to fill memory or disk."""

_ANY_RATIO_BYTES: Final = 1 << 20

_ENCRYPTED: Final = 0x1
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

# What `zipfile` raises for an archive whose bytes contradict each other.
_DAMAGE: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError)


@contextmanager
def open_member(file: IO[bytes], path: str, source: PublishedCsv) -> "Iterator[io.BufferedReader[Any]]":
    """The text of the one CSV file inside the archive `file`, which is named `path` in errors and is left open.

    Raises `RawFileError` if the archive holds anything but `source`, and from the stream as soon as the bytes are
    found to be damaged, at its end at the latest.
    """
    _require_zip(file, path, source)
    with _damage_told(path, source):
        archive = zipfile.ZipFile(file)
    with archive:
        member = _only_member(archive, path, source)
        _require_harmless(member, file.seek(0, os.SEEK_END), path, source)
        with _damage_told(path, source):
            text = archive.open(member)
        with text, io.BufferedReader(_Text(text, path, source), BLOCK_BYTES) as stream:
            yield stream


def check(file: IO[bytes], path: str, source: PublishedCsv) -> None:
    """Read the archive `file` to its end. Raises `RawFileError` where `open_member` and its stream would."""
    with open_member(file, path, source) as stream:
        while stream.read(BLOCK_BYTES):
            pass


def _require_zip(file: IO[bytes], path: str, source: PublishedCsv) -> None:
    file.seek(0)
    start = file.read(100)
    kind = kind_of(start)
    if not start:
        raise RawFileError(path, "the file is empty", source.obtain)
    if kind == WEB_PAGE:
        raise RawFileError(path, "this is a web page, not a zip archive", f"Try again later. {source.obtain}")
    if kind != ZIP:
        remedy = source.obtain if kind else f"If it is the CSV file itself, name it {source.csv_name}."
        raise RawFileError(path, f"this is {kind or 'text'}, not a zip archive", remedy)
    with _damage_told(path, source):
        if not zipfile.is_zipfile(file):
            problem = "the zip archive has no directory at its end: it was cut off"
            raise RawFileError(path, problem, source.obtain)


def _only_member(archive: zipfile.ZipFile, path: str, source: PublishedCsv) -> zipfile.ZipInfo:
    members = archive.infolist()
    # As the archive spells them: `zipfile` takes off what follows a NUL.
    names = [member.orig_filename for member in members]
    if names == [source.csv_name]:
        return members[0]
    shown = ", ".join([*(repr(name[:60]) for name in names[:5]), *(["..."] if len(names) > 5 else [])])
    problem = f"the archive must hold {source.csv_name} and nothing else; it holds {shown or 'nothing'}"
    raise RawFileError(path, problem, f"{source.obtain} Or put {source.csv_name} alone into a zip archive.")


def _require_harmless(member: zipfile.ZipInfo, archive_bytes: int, path: str, source: PublishedCsv) -> None:
    """Judged by what the directory says, for `zipfile` reads no more of a member than that."""
    fault = None
    packed, unpacked = member.compress_size, member.file_size
    if member.flag_bits & _ENCRYPTED:
        fault = "is encrypted"
    elif member.compress_type not in _METHODS:
        fault = f"is compressed by method {member.compress_type}, which is neither deflate nor none"
    elif not 0 <= member.header_offset <= archive_bytes - packed:
        fault = "would reach beyond the archive's end"
    elif unpacked > MAX_TEXT_BYTES:
        fault = f"has {unpacked:,} bytes, more than the {MAX_TEXT_BYTES:,} that are read"
    elif unpacked > max(_ANY_RATIO_BYTES, MAX_RATIO * packed):
        fault = f"has {unpacked:,} bytes packed into {packed:,}, which is more than {MAX_RATIO} to 1"
    if fault:
        problem = f"{member.orig_filename} inside the archive {fault}"
        raise RawFileError(path, problem, f"{source.obtain} Or put {source.csv_name} into a zip archive anew.")


@contextmanager
def _damage_told(path: str, source: PublishedCsv) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise RawFileError(path, f"the zip archive is damaged ({error})", source.obtain) from error


class _Text(io.RawIOBase):
    """A member's text; its checksum is compared at its end."""

    def __init__(self, text: IO[bytes], path: str, source: PublishedCsv) -> None:
        self._text, self._path, self._source = text, path, source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        with _damage_told(self._path, self._source):
            data = self._text.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
