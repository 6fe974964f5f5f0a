"""An archive gives the text of its one file, or a clear refusal: whatever was put into it, and whatever befell it."""

import io
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow.fs as pafs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deputies_lake.raw import chamber_expenses, zipped
from deputies_lake.raw.published_csv import RawFileError

SOURCE = chamber_expenses.CSV.of_year(2022)
NAME = "Ano-2022.csv"
PATH = "landing/Ano-2022.csv.zip"
TEXT = b"".join(b'"Fulana De Tal";"%d"\n' % (n * 7919 % 10_007) for n in range(2_000))
FETCH = "Fetch it with `deputies-lake fetch --years 2022`."
AGAIN = f"{FETCH} Or put Ano-2022.csv into a zip archive anew."
ALONE = f"{FETCH} Or put Ano-2022.csv alone into a zip archive."


class Unseekable(io.BytesIO):
    """Where an archive is written to by a server that never goes back: sizes come behind the data."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


def archive_of(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(content, "w", method) as archive:
        warnings.filterwarnings("ignore", "Duplicate name", UserWarning)
        for name, text in members:
            archive.writestr(name, text)
    return content.getvalue()


ARCHIVE = archive_of((NAME, TEXT))
_DIRECTORY = ARCHIVE.index(b"PK\x01\x02")


def with_directory(offset: int, form: str, value: int) -> bytes:
    """The archive with one entry of its directory forged."""
    forged = bytearray(ARCHIVE)
    struct.pack_into(form, forged, _DIRECTORY + offset, value)
    return bytes(forged)


def text_of(content: bytes) -> bytes:
    with zipped.open_member(io.BytesIO(content), PATH, SOURCE) as stream:
        return stream.read()


# what is read


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED], ids=["deflated", "stored"])
def test_the_text_of_the_one_file_is_read(method: int) -> None:
    assert text_of(archive_of((NAME, TEXT), method=method)) == TEXT


def test_an_archive_that_tells_sizes_only_behind_the_data_is_read() -> None:
    content = Unseekable()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(NAME, TEXT)
    assert text_of(content.getvalue()) == TEXT


def from_arrow(path: Path) -> Any:
    return pafs.LocalFileSystem().open_input_file(str(path))


@pytest.mark.parametrize("opened", [from_arrow, lambda path: path.open("rb")], ids=["Arrow's file", "Python's file"])
def test_a_file_is_read_from_disk(opened: Callable[[Path], Any], tmp_path: Path) -> None:
    path = tmp_path / "são joão.zip"
    path.write_bytes(ARCHIVE)
    with opened(path) as file, zipped.open_member(file, PATH, SOURCE) as stream:
        assert stream.read() == TEXT


def test_the_file_is_left_open() -> None:
    file = io.BytesIO(ARCHIVE)
    zipped.check(file, PATH, SOURCE)
    assert not file.closed


def test_the_file_may_stand_anywhere() -> None:
    file = io.BytesIO(ARCHIVE)
    file.seek(50)
    with zipped.open_member(file, PATH, SOURCE) as stream:
        assert stream.read() == TEXT


def test_the_text_may_be_left_half_read() -> None:
    with zipped.open_member(io.BytesIO(ARCHIVE), PATH, SOURCE) as stream:
        assert stream.read(5) == TEXT[:5]


def test_a_small_file_may_be_packed_as_tightly_as_it_can_be() -> None:
    text = bytes(1 << 20)
    assert text_of(archive_of((NAME, text))) == text


# what is refused

REFUSED: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b"", "the file is empty", FETCH),
    "a web page": (
        b"<!DOCTYPE html><title>Erro 503</title>",
        "this is a web page, not a zip archive",
        f"Try again later. {FETCH}",
    ),
    "the CSV file itself": (
        TEXT,
        "this is text, not a zip archive",
        "If it is the CSV file itself, name it Ano-2022.csv.",
    ),
    "another kind of file": (b"%PDF-1.7", "this is a PDF document, not a zip archive", FETCH),
    "an archive cut off": (ARCHIVE[:-30], "the zip archive has no directory at its end: it was cut off", FETCH),
    "an archive hardly begun": (ARCHIVE[:5], "it was cut off", FETCH),
    "an archive without its middle": (
        ARCHIVE[:100] + ARCHIVE[200:],
        "Ano-2022.csv inside the archive would reach beyond the archive's end",
        AGAIN,
    ),
    "an empty archive": (archive_of(), "and nothing else; it holds nothing", ALONE),
    "two files": (
        archive_of((NAME, TEXT), ("Ano-2021.csv", TEXT)),
        "the archive must hold Ano-2022.csv and nothing else; it holds 'Ano-2022.csv', 'Ano-2021.csv'",
        ALONE,
    ),
    "one file twice": (archive_of((NAME, TEXT), (NAME, TEXT)), "it holds 'Ano-2022.csv', 'Ano-2022.csv'", ALONE),
    "many files": (
        archive_of(*((f"{n}.csv", b"") for n in range(9))),
        "it holds '0.csv', '1.csv', '2.csv', '3.csv', '4.csv', ...",
        ALONE,
    ),
    "a file with a long name": (archive_of(("x" * 999, TEXT)), f"it holds '{'x' * 60}'", ALONE),
    "the file of another year": (archive_of(("Ano-2021.csv", TEXT)), "it holds 'Ano-2021.csv'", ALONE),
    "a file that is no CSV": (archive_of(("Ano-2022.xlsx", TEXT)), "it holds 'Ano-2022.xlsx'", ALONE),
    "a file in a folder": (archive_of((f"cotas/{NAME}", TEXT)), "it holds 'cotas/Ano-2022.csv'", ALONE),
    "a file above": (archive_of((f"../{NAME}", TEXT)), "it holds '../Ano-2022.csv'", ALONE),
    "a file at the root": (archive_of((f"/{NAME}", TEXT)), "it holds '/Ano-2022.csv'", ALONE),
    "a folder": (archive_of((f"{NAME}/", b"")), "it holds 'Ano-2022.csv/'", ALONE),
    "a name that ends twice": (
        archive_of((f"{NAME}!.exe", TEXT)).replace(b"!", b"\0"),
        r"it holds 'Ano-2022.csv\x00.exe'",
        ALONE,
    ),
    "a name that is no text": (
        archive_of(("é.csv", TEXT)).replace("é".encode(), b"\xc3\xc3"),
        "the zip archive is damaged ('utf-8' codec can't decode",
        FETCH,
    ),
    "an encrypted file": (with_directory(8, "<H", 1), "Ano-2022.csv inside the archive is encrypted", AGAIN),
    "a file packed in a way that takes memory": (
        archive_of((NAME, TEXT), method=zipfile.ZIP_LZMA),
        "Ano-2022.csv inside the archive is compressed by method 14, which is neither deflate nor none",
        AGAIN,
    ),
    "a bomb": (
        archive_of((NAME, bytes((1 << 20) + 1))),
        "Ano-2022.csv inside the archive has 1,048,577 bytes packed into 1,0",
        AGAIN,
    ),
    "a file that claims to be larger than it is": (
        with_directory(24, "<L", 1 << 24),
        "which is more than 100 to 1",
        AGAIN,
    ),
    "a file that claims to be packed into more than there is": (
        with_directory(20, "<L", 1 << 30),
        "Ano-2022.csv inside the archive would reach beyond the archive's end",
        AGAIN,
    ),
    "a file that claims to be smaller than it is": (
        with_directory(24, "<L", 100),
        "the zip archive is damaged (Bad CRC-32",
        FETCH,
    ),
    "a file that claims to be elsewhere": (with_directory(42, "<L", 1 << 30), "beyond the archive's end", AGAIN),
    "a text that is not what it was": (
        archive_of((NAME, TEXT), method=zipfile.ZIP_STORED).replace(b"Fulana", b"Beltra", 1),
        "the zip archive is damaged (Bad CRC-32",
        FETCH,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_archive_of_the_one_file_is_refused_with_the_problem_and_the_remedy(case: str) -> None:
    content, problem, remedy = REFUSED[case]
    with pytest.raises(RawFileError) as refusal:
        text_of(content)
    assert problem in refusal.value.problem
    assert (refusal.value.file, refusal.value.remedy) == (PATH, remedy)


@pytest.mark.parametrize("case", REFUSED)
def test_a_check_refuses_the_same(case: str) -> None:
    content, problem, remedy = REFUSED[case]
    with pytest.raises(RawFileError) as refusal:
        zipped.check(io.BytesIO(content), PATH, SOURCE)
    assert problem in refusal.value.problem
    assert refusal.value.remedy == remedy


def test_more_text_than_the_limit_is_refused() -> None:
    with mock.patch.object(zipped, "MAX_TEXT_BYTES", len(TEXT) - 1), pytest.raises(RawFileError) as refusal:
        text_of(ARCHIVE)
    size = f"{len(TEXT):,} bytes, more than the {len(TEXT) - 1:,} that are read"
    assert refusal.value.problem == f"Ano-2022.csv inside the archive has {size}"


def test_as_much_text_as_the_limit_is_read() -> None:
    with mock.patch.object(zipped, "MAX_TEXT_BYTES", len(TEXT)):
        assert text_of(ARCHIVE) == TEXT


def test_damage_at_the_end_is_told_when_it_is_reached() -> None:
    stored = archive_of((NAME, TEXT), method=zipfile.ZIP_STORED)
    damaged = stored.replace(TEXT[-10:], TEXT[-10:].replace(b'"', b"'"), 1)
    small_blocks = mock.patch.object(zipped, "BLOCK_BYTES", 1_000)
    with small_blocks, zipped.open_member(io.BytesIO(damaged), PATH, SOURCE) as stream:
        assert stream.read(100) == TEXT[:100]
        with pytest.raises(RawFileError, match="Bad CRC-32"):
            stream.read()


def test_what_a_reader_raises_is_not_taken_for_damage() -> None:
    with pytest.raises(ValueError, match="the reader's own"), zipped.open_member(io.BytesIO(ARCHIVE), PATH, SOURCE):
        raise ValueError("the reader's own")


@settings(deadline=None, max_examples=300)
@given(changes=st.dictionaries(st.integers(0, len(ARCHIVE) - 1), st.integers(0, 255), min_size=1, max_size=3))
def test_whatever_bytes_change_the_text_is_right_or_refused(changes: dict[int, int]) -> None:
    changed = bytearray(ARCHIVE)
    for place, byte in changes.items():
        changed[place] = byte
    try:
        text = text_of(bytes(changed))
    except RawFileError:
        return
    assert text == TEXT


FRAME = [*range(30), *range(_DIRECTORY, len(ARCHIVE))]
"""Everything of the archive but the packed text: where it says what it is."""


@settings(deadline=None, max_examples=300)
@given(place=st.sampled_from(FRAME), byte=st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
def test_whatever_the_archive_says_of_itself_the_text_is_right_or_refused(place: int, byte: int) -> None:
    changed = bytearray(ARCHIVE)
    changed[place] = byte
    try:
        text = text_of(bytes(changed))
    except RawFileError:
        return
    assert text == TEXT


@settings(deadline=None, max_examples=100)
@given(length=st.integers(0, len(ARCHIVE) - 1))
def test_an_archive_cut_off_anywhere_is_refused(length: int) -> None:
    with pytest.raises(RawFileError):
        text_of(ARCHIVE[:length])
