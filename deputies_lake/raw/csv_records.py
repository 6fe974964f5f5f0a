"""From bytes to the fields of each record, without losing or bending a line: RFC 4180, and what publishers make of it.

A publisher writes one physical line per record, but for line ends inside quotes. So a line is the unit of damage: a
stray quote spoils its own line and never swallows the next ones, as it does in readers that look for the closing
quote. Lines are joined only where together they are one well-formed record, and too short to be two.

What the fields mean, and which file is refused as a whole, is not decided here: see `published_csv.py`.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from deputies_lake.raw.file_kinds import is_utf8

MAX_LINE_BYTES: Final = 64 << 20
"""A longer line is no line: it would have to be held in memory as a whole."""

MOST_LINES: Final = 100
"""No record stands on more: a quote that is open for longer was never meant to be one."""

LINE_COLUMNS: Final = ("source_line", "unreadable_text", "unreadable_reason")

csv.field_size_limit(MAX_LINE_BYTES)

# A block with a damaged line is not halved any further than this: so little is read fast enough line by line.
_FEW_BYTES: Final = 64 << 10

_LINE: Final = re.compile(rb"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, kw_only=True)
class Form:
    """How the records of a file are written: of `width` fields, all of them quoted where it `quotes_every_field`."""

    width: int
    delimiter: str
    quotes_every_field: bool


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """Records of a piece of a file, and its `rest`: the lines of a last record that may go on behind the piece.

    `fields` has a text column for each place in a record and `LINE_COLUMNS`: the record's first line in the file, and
    of a line that could not be split into fields (which are empty then) the text and the reason. `next_line` is the
    number of the first line that is not among them.
    """

    fields: pa.Table
    rest: bytes
    next_line: int


def parse(body: bytes, form: Form, first_line: int, *, is_last: bool) -> Parsed:
    """The records of whole lines, of which the first is line `first_line`; nothing follows those that are the last.

    Fast where all lines are sound. Else each half is tried by itself, until few lines remain to be judged one by one.
    """
    table = _parse_sound(body, form)
    if table is not None:
        lines = np.arange(first_line, first_line + table.num_rows, dtype=np.int64)
        nothing = pa.nulls(table.num_rows, pa.string())
        fields = _with_line_columns(table, pa.array(lines), texts=nothing, reasons=nothing)
        return Parsed(fields=fields, rest=b"", next_line=first_line + table.num_rows)
    middle = body.find(b"\n", len(body) // 2) + 1
    if len(body) <= _FEW_BYTES or not 0 < middle < len(body):
        return _parse_line_by_line(body, form, first_line, is_last=is_last)
    head = parse(body[:middle], form, first_line, is_last=False)
    if len(head.rest) == middle:
        return _parse_line_by_line(body, form, first_line, is_last=is_last)
    tail = parse(head.rest + body[middle:], form, head.next_line, is_last=is_last)
    return Parsed(fields=pa.concat_tables([head.fields, tail.fields]), rest=tail.rest, next_line=tail.next_line)


def _parse_sound(body: bytes, form: Form) -> pa.Table | None:
    """None where a line is damaged or a record stands on several ones, or may."""
    if not _has_plain_line_ends(body) or not _is_well_quoted(body, form.delimiter):
        return None
    names = [str(place) for place in range(form.width)]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(body),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=4 << 20),
            parse_options=arrow_csv.ParseOptions(delimiter=form.delimiter),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    # Arrow passes over empty lines, and takes a line end inside quotes for a part of the field.
    return table if table.num_rows == body.count(b"\n") + (not body.endswith(b"\n")) else None


def _has_plain_line_ends(body: bytes) -> bool:
    return b"\0" not in body and (b"\r" not in body or body.count(b"\r") == body.count(b"\r\n"))


def _is_well_quoted(text: bytes, delimiter: str) -> bool:
    """Whether each field is free of quotes, or quoted with every inner quote doubled (RFC 4180).

    Then every first quote opens a field, every second one closes it, and in a doubled quote one closes and the next
    one opens again. A line end inside a field is not seen here: it shows in the number of rows.
    """
    if b'"' not in text:
        return True
    # Every quote has neighbours then: a line end stands before the first one, too, for -1 is the last place.
    characters = np.frombuffer(text if text.endswith(b"\n") else text + b"\n", np.uint8)
    quotes = np.flatnonzero(characters == ord('"'))
    opening, closing = quotes[::2], quotes[1::2]
    before, after = _is_one_of(f'\n"{delimiter}'), _is_one_of(f'\r\n"{delimiter}')
    return bool(
        len(opening) == len(closing) and before[characters[opening - 1]].all() and after[characters[closing + 1]].all()
    )


@cache
def _is_one_of(characters: str) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """For each byte whether it is one of these."""
    return np.isin(np.arange(256), list(characters.encode()))


def _with_line_columns(table: pa.Table, lines: pa.Array, *, texts: pa.Array, reasons: pa.Array) -> pa.Table:
    for name, values in zip(LINE_COLUMNS, (lines, texts, reasons), strict=True):
        table = table.append_column(name, values)
    return table


@dataclass(frozen=True)
class _Record:
    """A record's fields and on how many lines it stands, or why its first line can't be read."""

    fields: Sequence[str] = ()
    lines: int = 1
    reason: str | None = None


def _parse_line_by_line(body: bytes, form: Form, first_line: int, *, is_last: bool) -> Parsed:
    lines: Sequence[bytes] = _LINE.findall(body)
    rows: list[Sequence[str]] = []
    numbers: list[int] = []
    texts: list[str | None] = []
    reasons: list[str | None] = []
    place = 0
    while place < len(lines):
        record = _record(lines, place, form, is_last=is_last)
        if record is None:
            break
        damaged = lines[place].removesuffix(b"\n").decode(errors="backslashreplace") if record.reason else None
        rows.append(record.fields or [""] * form.width)
        numbers.append(first_line + place)
        texts.append(damaged)
        reasons.append(record.reason)
        place += record.lines
    columns = {str(n): pa.array([row[n] for row in rows], pa.string()) for n in range(form.width)}
    fields = _with_line_columns(
        pa.table(columns),
        pa.array(numbers, pa.int64()),
        texts=pa.array(texts, pa.string()),
        reasons=pa.array(reasons, pa.string()),
    )
    return Parsed(fields=fields, rest=b"".join(lines[place:]), next_line=first_line + place)


class _Following:
    """A line and those below it, as long as they may be one record; what was seen of them while they were read."""

    def __init__(self, lines: Sequence[bytes], place: int, form: Form) -> None:
        self._lines, self._place, self._form = lines, place, form
        self.goes_on = self.has_run_out = self.has_quote_below = False

    def __iter__(self) -> Iterator[str]:
        yield self._lines[self._place].decode()
        self.goes_on = True
        # Two records have so many delimiters, so that a line which is one by itself is never taken into another.
        delimiter, most = self._form.delimiter.encode(), 2 * (self._form.width - 1)
        delimiters = self._lines[self._place].count(delimiter)
        for line in self._lines[self._place + 1 : self._place + MOST_LINES]:
            delimiters += line.count(delimiter)
            if delimiters >= most or b"\0" in line or not is_utf8(line):
                return
            self.has_quote_below = self.has_quote_below or b'"' in line
            yield line.decode()
        self.has_run_out = self._place + MOST_LINES > len(self._lines)


def _record(lines: Sequence[bytes], place: int, form: Form, *, is_last: bool) -> _Record | None:
    """The record that begins on the line at `place`. None where it may go on behind the last line."""
    if fault := _text_fault(lines[place]):
        return _Record(reason=fault)
    following = _Following(lines, place, form)
    reader = csv.reader(iter(following), delimiter=form.delimiter, strict=True)
    fields: Sequence[str] = ()
    try:
        fields = next(reader)
    except csv.Error:
        if following.has_run_out and not is_last:
            return None
    record = b"".join(lines[place : place + reader.line_num])
    if len(fields) == form.width and (_may_have_quotes_inside(record, form) or _is_well_quoted(record, form.delimiter)):
        return _Record(fields, reader.line_num)
    if split := _split_otherwise(lines[place].decode(), following, form):
        return _Record(split)
    return _Record(reason=_fault(lines[place], fields, following, form))


def _split_otherwise(text: str, following: _Following, form: Form) -> Sequence[str]:
    """The values of a line that is no record of RFC 4180, but can be split in one way alone. None at all elsewhere."""
    line = text.removesuffix("\n").removesuffix("\r")
    if "\r" in line:
        return ()
    if form.quotes_every_field and (values := _split_at_quoted_delimiters(line, form)):
        return values
    # A quote that nothing below could close is a letter; but where the file ends in it, it was cut off.
    is_stray = following.goes_on and not following.has_quote_below and text.endswith("\n") and line.count('"') == 1
    values = line.split(form.delimiter)
    return values if is_stray and len(values) == form.width else ()


def _text_fault(line: bytes) -> str | None:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8 at byte {error.start + 1} of the line"
    if "\0" in text:
        return f"NUL character at byte {line.index(0) + 1} of the line"
    return None if text.strip() else "empty line"


def _fault(line: bytes, fields: Sequence[str], following: _Following, form: Form) -> str:
    if following.goes_on:
        return "a quote is opened and not closed"
    if fields and len(fields) != form.width:
        return f"{len(fields)} fields instead of {form.width}"
    if b"\r" in line.removesuffix(b"\n").removesuffix(b"\r"):
        return "carriage return inside the line"
    return "stray quote: a quoted field must double its inner quotes"


def _may_have_quotes_inside(record: bytes, form: Form) -> bool:
    """Whether a quote inside an unquoted field is a letter as any other: not where it may have lost its other one."""
    is_one_line = record.find(b"\n") in {-1, len(record) - 1}
    return is_one_line and not (form.quotes_every_field and f'"{form.delimiter}"'.encode() in record)


def _split_at_quoted_delimiters(line: str, form: Form) -> Sequence[str]:
    """The values of a line whose fields are all quoted, whether or not the quotes inside them are doubled.

    None at all where there are unquoted ones, or where the line could be split in two ways.
    """
    between = f'"{form.delimiter}"'
    inner = line[1:-1]
    # Of `";"";"` either of the two could be a value's.
    if len(line) < 2 or not line.startswith('"') or not line.endswith('"') or f"{between}{between[1:]}" in inner:
        return ()
    values = [_without_doubled_quotes(value) for value in inner.split(between)]
    return values if len(values) == form.width else ()


def _without_doubled_quotes(value: str) -> str:
    """A value that holds a single quote was not meant to have its quotes doubled, and stays as it is."""
    return value if '"' in value.replace('""', "") else value.replace('""', '"')
