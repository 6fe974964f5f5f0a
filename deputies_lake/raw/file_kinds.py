"""What a file is by its bytes: another kind of file, text in another encoding, text with other line ends.

Here: telling, and the command that mends it where one is certain to. Which of it refuses a file is decided in
`published_csv.py` and `zipped.py`. Nothing here gives back a line's text: it may name a person.
"""

from typing import Final

ZIP: Final = "a zip archive"
WEB_PAGE: Final = "a web page"
BINARY: Final = "a binary file"
_UTF_16: Final = "text in UTF-16"

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

SIGNATURES: Final = {
    b"PK\x03\x04": ZIP,
    b"PK\x05\x06": ZIP,
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"SQLite": "a SQLite database",
    b"\xff\xfe": _UTF_16,
    b"\xfe\xff": _UTF_16,
}
_WEB_PAGE_STARTS: Final = (b"<!doctype html", b"<html")

# What is not ASCII in a Portuguese text, but for a few.
_PORTUGUESE: Final = frozenset("áâãàçéêíóôõúüÁÂÃÀÇÉÊÍÓÔÕÚÜªº°§²³\u00b4\u2013\u2014\u2018\u2019\u201c\u201d\u2022\u2026")
_MOST: Final = 0.9

# What they are in Windows-1252 is too rare to tell by: in code page 850 the same bytes are Ç and á.
_UNTOLD: Final = frozenset("€\u00a0")

# Latin-1 has nothing that Windows-1252 has not, and no dashes and quotation marks.
_ENCODINGS: Final = ("cp1252", "cp850")


def kind_of(data: bytes) -> str | None:
    """What a file is that begins with these bytes, None for what may be text in UTF-8.

    Told by the first line: a NUL further below is damage of its line.
    """
    if data[:100].removeprefix(BYTE_ORDER_MARK).lstrip().lower().startswith(_WEB_PAGE_STARTS):
        return WEB_PAGE
    known = next((kind for signature, kind in SIGNATURES.items() if data.startswith(signature)), None)
    first_line = data.partition(b"\n")[0]
    if known or b"\0" not in first_line:
        return known
    # ASCII letters in UTF-16 have a NUL for every other byte.
    start = first_line[:100]
    halves = start[::2].count(0), start[1::2].count(0)
    return _UTF_16 if 0 in halves and 3 * sum(halves) > len(start) else BINARY


def is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def encoding_fault(body: bytes, first_line: int) -> tuple[str, str] | None:
    """What is wrong with a text of which most lines with accents are not UTF-8, and how to mend it; empty if not known.

    None where fewer are damaged: they are rejected one by one. The first line is line `first_line` of its file.
    """
    if is_utf8(body):
        return None
    accented = [(number, line) for number, line in enumerate(body.split(b"\n"), first_line) if not line.isascii()]
    damaged = [(number, line) for number, line in accented if not is_utf8(line)]
    if 2 * len(damaged) <= len(accented):
        return None
    problem = f"the text is not UTF-8, first on line {damaged[0][0]:,}"
    if len(damaged) < len(accented):
        return f"{problem}, though {len(accented) - len(damaged):,} other lines are: files were put together", ""
    encoding = _encoding_of(b"\n".join(line for _, line in damaged))
    if encoding is None:
        return problem, ""
    return f"{problem}, but {encoding}", f"Convert it: iconv -f {encoding} -t utf-8 FILE > NEW."


def _encoding_of(text: bytes) -> str | None:
    """The one in which most of what is not ASCII is Portuguese; of two in which all is, the one in which more is."""
    found = {}
    for encoding in _ENCODINGS:
        letters = [letter for letter in text.decode(encoding, errors="replace") if not letter.isascii()]
        known = [letter for letter in letters if letter not in _UNTOLD]
        if not known:
            return None
        portuguese = sum(letter in _PORTUGUESE for letter in known)
        found[encoding] = (portuguese / len(known), portuguese)
    best = max(found, key=lambda encoding: found[encoding])
    share, _ = found[best]
    return best if share >= _MOST else None
