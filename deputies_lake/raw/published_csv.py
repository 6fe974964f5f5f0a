"""Reading a published CSV file line by line, in bounded memory, without losing or bending a line.

Here: from bytes to Arrow blocks of text columns, each row with its line number, each unreadable line kept with its
reason, and a clear error for a file that is not what it should be. What a column means is not decided here: every
value stays text until staging. Which files there are is declared in the file named after each raw table.

The publishers write one physical line per row, so a line is the unit of damage: a stray quote spoils its own line
and never swallows the next ones, as it does in readers that look for the closing quote. Zip archives are opened in
`zipped.py`.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from deputies_lake.quota_years import FIRST_YEAR, current_year

BLOCK_BYTES: Final = 16 << 20

MAX_LINE_BYTES: Final = 64 << 20
"""A longer line is no line: it would have to be held in memory as a whole."""

csv.field_size_limit(MAX_LINE_BYTES)

AMOUNT_PATTERN: Final = r"^-?(?:[0-9]{1,12}(\.[0-9]{1,2}0{0,8})?|[0-9]\.[0-9]{15}[eE]\+0(?:0[0-9]|10))$"
"""An amount as the publishers write it: a decimal point, no thousands mark, nothing below a cent. In one vintage the
House wrote what was paid back as floats, `3.456700000000000e+002`: those are read to the nearest cent.

Shared with staging, so that both sides of a reconciliation agree on which amounts can be read.
"""

OTHER_COLUMNS: Final = "other_columns"
"""Holds the values of columns that the publisher has added, as one JSON object a row, by their published names."""

ZIP: Final = "a zip archive"
WEB_PAGE: Final = "a web page"

_LINE_COLUMNS: Final = ("source_line", "unreadable_text", "unreadable_reason")
_FIRST_LINE: Final = 2

# A block with a damaged line is not halved any further than this: so little is read fast enough line by line.
_FEW_BYTES: Final = 64 << 10

_DELIMITERS: Final = {",": "a comma", ";": "a semicolon"}

_SIGNATURES: Final = {
    b"PK\x03\x04": ZIP,
    b"PK\x05\x06": ZIP,
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"SQLite": "a SQLite database",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}
_GZIP: Final = b"\x1f\x8b"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_WEB_PAGE_STARTS: Final = (b"<!doctype html", b"<html")


class RawFileError(Exception):
    """A file that can't be taken in at all: names the file, what is wrong and the remedy. Nothing was published.

    Of one that `can_be_accepted` only a person can say whether it is whole: `read_blocks` reads it where that was said.
    One that `is_empty` is what it should be, but for rows: it has none yet.
    """

    def __init__(
        self, file: str, problem: str, remedy: str, *, can_be_accepted: bool = False, is_empty: bool = False
    ) -> None:
        super().__init__(f"{file}: {problem}. {remedy} Nothing was published, the tables stay as they were.")
        self.file, self.problem, self.remedy = file, problem, remedy
        self.can_be_accepted, self.is_empty = can_be_accepted, is_empty


@dataclass(frozen=True, kw_only=True)
class PublishedCsv:
    """One kind of published file: its names, its header, and where its year, category and amounts stand.

    `year_column` begins with the quota year; a file without one is all of `only_year`. A source of one file a year
    has `{year}` in its file names and is made whole by `of_year`; most of its rows must say that year in their
    `stated_year_column`. `optional_columns` are missing in older layouts. An amount that is empty is none, but for
    those that `amounts_may_be_empty`.
    A source that `quotes_every_field` can be split at quoted delimiters where the quotes inside a field are not
    doubled. One that `keeps_new_columns` has `OTHER_COLUMNS` in its contract; for any other a new column is an error.
    """

    source_code: str
    file_names: tuple[str, ...]
    columns: tuple[str, ...]
    optional_columns: tuple[str, ...] = ()
    delimiter: str = ","
    quotes_every_field: bool = False
    keeps_new_columns: bool = False
    category_column: str
    amount_column: str
    other_amount_columns: tuple[str, ...] = ()
    amounts_may_be_empty: tuple[str, ...] = ()
    year_column: str | None = None
    only_year: int | None = None
    stated_year_column: str | None = None
    obtain: str

    @property
    def csv_name(self) -> str:
        """What the file is called where it is not compressed."""
        return next(name for name in self.file_names if name.endswith(".csv"))

    @property
    def zip_name(self) -> str | None:
        """What the file is called as a zip archive, None where it is not published as one."""
        return next((name for name in self.file_names if name.endswith(".zip")), None)

    def of_year(self, year: int) -> "PublishedCsv":
        """The file of one year."""
        names = tuple(name.format(year=year) for name in self.file_names)
        return replace(self, file_names=names, only_year=year, obtain=self.obtain.format(year=year))

    def new_columns(self, header: Iterable[str]) -> tuple[str, ...]:
        """Of a file's header the names that are not declared: what the publisher has added since."""
        return tuple(name for name in header if self.declared_name(name) is None)

    def declared_name(self, name: str) -> str | None:
        """The declared column that a name of a file's header means: publishers have changed the case. None if new."""
        if name in self.columns:
            return name
        return next((column for column in self.columns if column.casefold() == name.casefold()), None)


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """A file's rows in order, to be gone through once, and its header as it stood."""

    header: tuple[str, ...]
    tables: Iterator[pa.Table]


def read_blocks(stream: "io.BufferedReader[Any]", file: str, source: PublishedCsv, *, accepted: bool = False) -> Blocks:
    """The file as tables of `source.columns` (text, empty where an older layout lacks a column), of `OTHER_COLUMNS`
    where the source has it (null where nothing was added), and of four columns of our own:

    `year` (int), `source_line` (1 is the header), and for a line that could not be split into its fields
    `unreadable_text` and `unreadable_reason`, both null elsewhere. A line whose year can't be read is filed under
    the year of the row above it, so that each line belongs to exactly one year.

    Raises `RawFileError` if the file as a whole is not `source`: at once where its first bytes or its header tell,
    else from the tables. A file that was `accepted` is read although it seems to be cut off.
    """
    blocks = _lines(stream, file, source)
    first, _, body = next(blocks, b"").partition(b"\n")
    header = first.removeprefix(_BYTE_ORDER_MARK)
    if not header and not body:
        raise RawFileError(file, "the file is empty", source.obtain)
    _refuse_other_encodings(body, file)
    layout = _layout(header, file, source)
    return Blocks(header=layout.header, tables=_tables(chain([body], blocks), file, layout, accepted=accepted))


def readable_amounts(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Amounts in BRL as decimal(38,10), null where the text is no amount."""
    return _each_once(_readable_amounts, texts)


def _readable_amounts(texts: pa.Array) -> pa.Array:
    readable = pc.match_substring_regex(texts, AMOUNT_PATTERN)
    exact = pc.cast(pc.if_else(readable, texts, pa.scalar(None, pa.string())), pa.decimal128(38, 16))
    # As Spark rounds, when it casts a text to money.
    return pc.cast(pc.round(exact, 2, round_mode="half_towards_infinity"), pa.decimal128(38, 10))


def _each_once(reading: Callable[[pa.Array], pa.Array], texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """What `reading` makes of the texts, asked once for each that occurs: few do, and regular expressions are slow."""
    known = pc.dictionary_encode(texts).combine_chunks()
    return pa.chunked_array([reading(known.dictionary).take(known.indices)])


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """How one file is laid out: what stands in which field of its lines."""

    source: PublishedCsv
    header: tuple[str, ...]

    def arrange(self, fields: pa.Table) -> pa.Table:
        """Fields as they stand in the file, as the columns that were declared."""
        places = {self.source.declared_name(name): place for place, name in enumerate(self.header)}
        missing = pa.repeat("", fields.num_rows)
        columns = {name: fields[places[name]] if name in places else missing for name in self.source.columns}
        if self.source.keeps_new_columns:
            columns[OTHER_COLUMNS] = self._other_columns(fields)
        return pa.table(columns)

    def _other_columns(self, fields: pa.Table) -> pa.Array:
        new = self.source.new_columns(self.header)
        if not new:
            return pa.nulls(fields.num_rows, pa.string())
        rows = zip(*(fields[self.header.index(name)].to_pylist() for name in new), strict=True)
        texts = pa.array([json.dumps(dict(zip(new, row, strict=True)), ensure_ascii=False) for row in rows])
        return pc.if_else(pc.is_null(fields["unreadable_reason"]), texts, pa.scalar(None, pa.string()))


def _tables(bodies: Iterable[bytes], file: str, layout: _Layout, *, accepted: bool) -> Iterator[pa.Table]:
    next_line = _FIRST_LINE
    last_year = layout.source.only_year
    for body in bodies:
        if body:
            fields = _parse(body, layout, next_line)
            next_line += fields.num_rows
            if not accepted:
                _refuse_cut_line(body, fields, file, layout.source)
            table = _with_year(layout.arrange(fields), layout.source, last_year)
            last_year = table["year"][-1].as_py()
            for name in _LINE_COLUMNS:
                table = table.append_column(name, fields[name])
            yield table
    if next_line == _FIRST_LINE:
        raise RawFileError(file, "the file holds a header and no rows", layout.source.obtain, is_empty=True)


def _refuse_cut_line(body: bytes, fields: pa.Table, file: str, source: PublishedCsv) -> None:
    """Only the file's last line may lack its end."""
    reason = fields["unreadable_reason"][-1].as_py()
    if not body.endswith(b"\n") and reason and body[body.rfind(b"\n") + 1 :].strip():
        problem = f"the file ends in the middle of line {fields['source_line'][-1]}: it was cut off ({reason})"
        raise RawFileError(file, problem, source.obtain, can_be_accepted=True)


def _lines(stream: "io.BufferedReader[Any]", file: str, source: PublishedCsv) -> Iterator[bytes]:
    """Blocks of whole lines, unzipped where the file is gzip (by its bytes, whatever its name says)."""
    zipped = stream.peek(2).startswith(_GZIP)
    text = gzip.GzipFile(fileobj=stream) if zipped else stream
    rest = b""
    first = True
    while data := _read(text, file):
        if first:
            first = False
            _refuse_other_kinds(data, file, source)
        end = data.rfind(b"\n") + 1
        if end:
            yield rest + memoryview(data)[:end]
            rest = data[end:]
        else:
            rest += data
        if len(rest) > MAX_LINE_BYTES:
            problem = f"a line is longer than {MAX_LINE_BYTES:,} bytes"
            raise RawFileError(file, problem, f"Put the published {source.csv_name} in its place.")
    if rest:
        yield rest


def _read(text: "gzip.GzipFile | io.BufferedReader[Any]", file: str) -> bytes:
    try:
        return text.read(BLOCK_BYTES)
    except EOFError as error:
        problem = "the gzip stream ends in the middle: the file was cut off"
        raise RawFileError(file, problem, "Download it again.") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise RawFileError(file, f"the gzip stream is damaged ({error})", "Download it again.") from error


def kind_of(data: bytes) -> str | None:
    """What a file is that begins with these bytes, None for what may be text in UTF-8."""
    if data[:100].removeprefix(_BYTE_ORDER_MARK).lstrip().lower().startswith(_WEB_PAGE_STARTS):
        return WEB_PAGE
    known = next((kind for signature, kind in _SIGNATURES.items() if data.startswith(signature)), None)
    return known or ("a binary file" if b"\0" in data else None)


def _refuse_other_kinds(data: bytes, file: str, source: PublishedCsv) -> None:
    kind = kind_of(data)
    if kind == ZIP and source.zip_name:
        remedy = f"Name it {source.zip_name}."
    elif kind in _SIGNATURES.values():
        remedy = f"Unpack or convert it to {source.csv_name}, in UTF-8."
    else:
        remedy = source.obtain
    if kind:
        raise RawFileError(file, f"this is {kind}, not a CSV file", remedy)


def _refuse_other_encodings(body: bytes, file: str) -> None:
    """A file in another encoding fails as a whole; single damaged lines in an UTF-8 file are rejected one by one."""
    accented = [line for line in body[: 1 << 20].split(b"\n")[:-1] if not line.isascii()]
    damaged = [line for line in accented if not _is_utf8(line)]
    if damaged and 2 * len(damaged) > len(accented):
        raise RawFileError(
            file,
            f"the text is not UTF-8 (seen first in: {damaged[0].decode('latin-1')[:80]!r})",
            "If it is Latin-1, convert it: iconv -f latin1 -t utf-8 FILE > NEW.",
        )


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _layout(line: bytes, file: str, source: PublishedCsv) -> _Layout:
    """Raises `RawFileError` for a header that lacks a column, names one twice, or has one too many."""
    text = line.decode(errors="replace").rstrip("\r")
    try:
        header = tuple(next(csv.reader([text], delimiter=source.delimiter), []))
    except csv.Error:
        header = ()
    names = [source.declared_name(name) or name for name in header]
    required = [name for name in source.columns if name not in source.optional_columns]
    missing = [name for name in required if name not in names]
    unexpected = source.new_columns(header)
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if not missing and not twice and (source.keeps_new_columns or not unexpected):
        return _Layout(source=source, header=header)
    problem = f"line 1 is not the header of {source.csv_name}"
    if len(names) <= 1:
        problem += f": it holds one column ({text[:60]!r}), the delimiter must be {_DELIMITERS[source.delimiter]}"
    else:
        faults = {"missing": missing, "unexpected": unexpected, "twice": twice}
        problem += f" ({'; '.join(f'{fault}: {_listed(columns)}' for fault, columns in faults.items())})"
    raise RawFileError(file, problem, f"The header must name these columns: {_listed(required)}.")


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(columns) or "none"


def _parse(body: bytes, layout: _Layout, first_line: int) -> pa.Table:
    """The fields of each line by their place in it, and our own columns.

    Fast where all lines are sound. Else each half is tried by itself, until few lines remain to be judged one by one.
    """
    table = _parse_sound(body, layout)
    if table is not None:
        nothing = pa.nulls(table.num_rows, pa.string())
        return _with_line_columns(table, first_line, texts=nothing, reasons=nothing)
    middle = body.find(b"\n", len(body) // 2) + 1
    if len(body) <= _FEW_BYTES or not 0 < middle < len(body):
        return _parse_line_by_line(body, layout, first_line)
    head = _parse(body[:middle], layout, first_line)
    return pa.concat_tables([head, _parse(body[middle:], layout, first_line + head.num_rows)])


def _parse_sound(body: bytes, layout: _Layout) -> pa.Table | None:
    """None where a line is damaged, or may be."""
    if not _has_plain_line_ends(body) or not _is_well_quoted(body, layout.source.delimiter):
        return None
    names = [str(place) for place in range(len(layout.header))]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(body),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=4 << 20),
            parse_options=arrow_csv.ParseOptions(delimiter=layout.source.delimiter),
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


def _parse_line_by_line(body: bytes, layout: _Layout, first_line: int) -> pa.Table:
    rows: list[Sequence[str]] = []
    texts: list[str | None] = []
    reasons: list[str | None] = []
    for line in body.removesuffix(b"\n").split(b"\n"):
        fields, reason = _split_line(line, layout)
        rows.append(fields)
        texts.append(line.decode(errors="backslashreplace") if reason else None)
        reasons.append(reason)
    columns = {str(place): pa.array(values, pa.string()) for place, values in enumerate(zip(*rows, strict=True))}
    return _with_line_columns(
        pa.table(columns), first_line, texts=pa.array(texts, pa.string()), reasons=pa.array(reasons, pa.string())
    )


def _split_line(line: bytes, layout: _Layout) -> tuple[Sequence[str], str | None]:
    """The line's fields and no reason, or empty fields and the reason why it can't be split."""
    width, source = len(layout.header), layout.source
    empty = [""] * width
    try:
        text = line.decode().removesuffix("\r")
    except UnicodeDecodeError as error:
        return empty, f"not UTF-8 at byte {error.start + 1} of the line"
    if not text.strip():
        return empty, "empty line"
    if "\r" in text or "\0" in text:
        return empty, "control character inside the line"
    reason = "stray quote: a quoted field must double its inner quotes"
    if _is_well_quoted(text.encode(), source.delimiter):
        fields = next(csv.reader([text], delimiter=source.delimiter, strict=True))
        if len(fields) == width:
            return fields, None
        reason = f"{len(fields)} fields instead of {width}"
    if source.quotes_every_field:
        fields = _split_at_quoted_delimiters(text, source.delimiter)
        if len(fields) == width:
            return fields, None
    return empty, reason


def _split_at_quoted_delimiters(text: str, delimiter: str) -> list[str]:
    """The values of a line whose fields are all quoted, whether or not the quotes inside them are doubled.

    None at all where there are unquoted ones, or where the line could be split in two ways.
    """
    between = f'"{delimiter}"'
    inner = text[1:-1]
    # Of `";";"` either of the two could be a value's.
    if len(text) < 2 or not text.startswith('"') or not text.endswith('"') or f"{between}{between[1:]}" in inner:
        return []
    return [_without_doubled_quotes(value) for value in inner.split(between)]


def _without_doubled_quotes(value: str) -> str:
    """A value that holds a single quote was not meant to have its quotes doubled, and stays as it is."""
    return value if '"' in value.replace('""', "") else value.replace('""', '"')


def _with_line_columns(table: pa.Table, first_line: int, *, texts: pa.Array, reasons: pa.Array) -> pa.Table:
    lines = pa.array(np.arange(first_line, first_line + table.num_rows, dtype=np.int64))
    for name, values in zip(_LINE_COLUMNS, (lines, texts, reasons), strict=True):
        table = table.append_column(name, values)
    return table


def _with_year(table: pa.Table, source: PublishedCsv, last_year: int | None) -> pa.Table:
    if source.year_column is None:
        years = pa.array(np.full(table.num_rows, source.only_year, dtype=np.int32))
        return table.append_column("year", years)
    years = _each_once(_possible_years, pc.utf8_slice_codeunits(table[source.year_column], 0, 4))
    years = pc.fill_null_forward(years.combine_chunks())
    years = pc.fill_null(years, last_year) if last_year else pc.fill_null_backward(years)
    return table.append_column("year", pc.fill_null(years, FIRST_YEAR))


def _possible_years(texts: pa.Array) -> pa.Array:
    """Years that the lake may have, null where the text is none."""
    text = pc.if_else(pc.match_substring_regex(texts, "^[0-9]{4}$"), texts, pa.scalar(None, pa.string()))
    years = pc.cast(text, pa.int32())
    possible = pc.and_(pc.greater_equal(years, FIRST_YEAR), pc.less_equal(years, current_year()))
    return pc.if_else(possible, years, pa.scalar(None, pa.int32()))
