"""Reading a published CSV file line by line, in bounded memory, without losing or bending a line.

Here: from bytes to Arrow blocks of text columns, each row with its line number, each unreadable line kept with its
reason, and a clear error for a file that is not what it should be. What a column means is not decided here: every
value stays text until staging. Which files there are is declared in the file named after each raw table.

The publishers write one physical line per row, so a line is the unit of damage: a stray quote spoils its own line
and never swallows the next ones, as it does in readers that look for the closing quote.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
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

AMOUNT_PATTERN: Final = r"^-?[0-9]{1,12}(\.[0-9]{1,2}0{0,8})?$"
"""An amount as the publishers write it: a decimal point, no thousands mark, nothing below a cent.

Shared with staging, so that both sides of a reconciliation agree on which amounts can be read.
"""

# Each field is free of quotes, or quoted with every inner quote doubled (RFC 4180).
_WELL_QUOTED: Final = r'^(?:"(?:[^"]|"")*"|[^",]*)(?:,(?:"(?:[^"]|"")*"|[^",]*))*$'

_SIGNATURES: Final = {
    b"PK\x03\x04": "a zip archive",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"SQLite": "a SQLite database",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}
_GZIP: Final = b"\x1f\x8b"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class RawFileError(Exception):
    """A file that can't be taken in at all: names the file, what is wrong and the remedy. Nothing was published."""

    def __init__(self, file: str, problem: str, remedy: str) -> None:
        super().__init__(f"{file}: {problem}. {remedy} Nothing was published, the tables stay as they were.")
        self.file, self.problem, self.remedy = file, problem, remedy


@dataclass(frozen=True, kw_only=True)
class PublishedCsv:
    """One kind of published file: its names, its header, and where its year, category and amounts stand.

    `year_column` begins with the quota year; a file without one is all of `only_year`. A source of one file a year
    has `{year}` in its file names and is made whole by `of_year`. `optional_columns` are missing in older layouts.
    """

    source_code: str
    file_names: tuple[str, ...]
    columns: tuple[str, ...]
    optional_columns: tuple[str, ...] = ()
    delimiter: str = ","
    category_column: str
    amount_column: str
    other_amount_columns: tuple[str, ...] = ()
    year_column: str | None = None
    only_year: int | None = None
    obtain: str

    def of_year(self, year: int) -> "PublishedCsv":
        """The file of one year."""
        names = tuple(name.format(year=year) for name in self.file_names)
        return replace(self, file_names=names, only_year=year, obtain=self.obtain.format(year=year))


@dataclass
class ControlTotals:
    """Rows and summed amounts per (year, category as published): what every later table must add up to."""

    rows: dict[tuple[int, str], int] = field(default_factory=dict)
    amounts: dict[tuple[int, str], Decimal] = field(default_factory=dict)

    def add(self, years: pa.Array, categories: pa.Array, amounts: pa.Array) -> None:
        table = pa.table({"year": years, "category": categories, "amount": amounts})
        sums = table.group_by(["year", "category"]).aggregate([([], "count_all"), ("amount", "sum")])
        for row in sums.to_pylist():
            key = (row["year"], row["category"])
            self.rows[key] = self.rows.get(key, 0) + row["count_all"]
            self.amounts[key] = self.amounts.get(key, Decimal(0)) + (row["amount_sum"] or Decimal(0))


def read_blocks(stream: "io.BufferedReader[Any]", file: str, source: PublishedCsv) -> Iterator[pa.Table]:
    """The file's rows in order, as tables of `source.columns` (text) and four columns of our own:

    `year` (int), `source_line` (1 is the header), and for a line that could not be split into its fields
    `unreadable_text` and `unreadable_reason`, both null elsewhere. A line whose year can't be read is filed under
    the year of the row above it, so that each line belongs to exactly one year.

    Raises `RawFileError` if the file as a whole is not `source`.
    """
    header: list[str] | None = None
    next_line = 1
    last_year: int | None = source.only_year
    for block in _lines(stream, file):
        body = block
        if header is None:
            first, _, body = block.partition(b"\n")
            _refuse_other_encodings(body, file)
            header = _header(first, file, source)
            next_line = 2
        if not body:
            continue
        table = _parse(body, header, next_line)
        next_line += table.num_rows
        table = _with_year(table, source, last_year)
        last_year = table["year"][-1].as_py()
        yield table.select([*source.columns, "year", "source_line", "unreadable_text", "unreadable_reason"])
    if header is None:
        raise RawFileError(file, "the file is empty", source.obtain)
    if next_line == 2:
        raise RawFileError(file, "the file holds a header and no rows", source.obtain)


def readable_amounts(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Amounts in BRL as decimal(38,10), null where the text is no amount."""
    readable = pc.match_substring_regex(texts, AMOUNT_PATTERN)
    return pc.cast(pc.if_else(readable, texts, pa.scalar(None, pa.string())), pa.decimal128(38, 10))


def _lines(stream: "io.BufferedReader[Any]", file: str) -> Iterator[bytes]:
    """Blocks of whole lines, unzipped where the file is gzip (by its bytes, whatever its name says)."""
    zipped = stream.peek(2).startswith(_GZIP)
    text = gzip.GzipFile(fileobj=stream) if zipped else stream
    rest = b""
    first = True
    while data := _read(text, file):
        if first:
            first = False
            data = data.removeprefix(_BYTE_ORDER_MARK)
            _refuse_binary(data, file)
        end = data.rfind(b"\n") + 1
        if end:
            yield rest + data[:end]
            rest = data[end:]
        else:
            rest += data
        if len(rest) > MAX_LINE_BYTES:
            problem = f"a line is longer than {MAX_LINE_BYTES:,} bytes"
            raise RawFileError(file, problem, "Put the published CSV file in its place.")
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


def _refuse_binary(data: bytes, file: str) -> None:
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            raise RawFileError(file, f"this is {kind}, not a CSV file", "Unpack or convert it to CSV in UTF-8.")
    if b"\0" in data:
        raise RawFileError(file, "this is a binary file, not a CSV file", "Put the published CSV file in its place.")


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


def _header(line: bytes, file: str, source: PublishedCsv) -> list[str]:
    text = line.decode(errors="replace").rstrip("\r")
    try:
        names = next(csv.reader([text]), [])
    except csv.Error:
        names = []
    twice = [name for name in source.columns if names.count(name) > 1]
    if sorted(names) == sorted(source.columns):
        return names
    missing = [name for name in source.columns if name not in names]
    unexpected = [name for name in names if name not in source.columns]
    problem = f"line 1 is not the header of {source.file_names[0]}"
    if len(names) <= 1:
        problem += f": it holds one column ({text[:60]!r}), the delimiter must be a comma"
    else:
        faults = {"missing": missing, "unexpected": unexpected, "twice": twice}
        problem += f" ({'; '.join(f'{fault}: {_listed(columns)}' for fault, columns in faults.items())})"
    raise RawFileError(file, problem, f"The header must name these columns: {','.join(source.columns)}.")


def _listed(columns: list[str]) -> str:
    return ", ".join(columns) or "none"


def _parse(body: bytes, header: list[str], first_line: int) -> pa.Table:
    """Fast where every line is sound; otherwise each line is judged by itself."""
    count = body.count(b"\n") + (not body.endswith(b"\n"))
    table = _parse_sound(body, header) if _has_plain_line_ends(body) and _is_well_quoted(body) else None
    if table is not None and table.num_rows == count:
        lines = pa.array(np.arange(first_line, first_line + count, dtype=np.int64))
        nothing = pa.nulls(count, pa.string())
        return _with_columns(table, source_line=lines, unreadable_text=nothing, unreadable_reason=nothing)
    return _parse_line_by_line(body, header, first_line)


def _has_plain_line_ends(body: bytes) -> bool:
    return b"\0" not in body and body.count(b"\r") == body.count(b"\r\n")


def _is_well_quoted(body: bytes) -> bool:
    if b'"' not in body:
        return True
    try:
        lines = pc.split_pattern(pa.array([body], pa.binary()).cast(pa.string()), "\n").flatten()
    except pa.ArrowInvalid:
        return False
    quoted = lines.filter(pc.match_substring(lines, '"'))
    return bool(pc.all(pc.match_substring_regex(quoted, _WELL_QUOTED), min_count=0).as_py())


def _parse_sound(body: bytes, header: list[str]) -> pa.Table | None:
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(body),
            read_options=arrow_csv.ReadOptions(column_names=header, block_size=4 << 20),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()),
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None


def _parse_line_by_line(body: bytes, header: list[str], first_line: int) -> pa.Table:
    columns: list[list[str]] = [[] for _ in header]
    texts: list[str | None] = []
    reasons: list[str | None] = []
    for line in body.removesuffix(b"\n").split(b"\n"):
        fields, reason = _split_line(line, len(header))
        for column, value in zip(columns, fields, strict=True):
            column.append(value)
        texts.append(line.decode(errors="backslashreplace") if reason else None)
        reasons.append(reason)
    lines = pa.array(np.arange(first_line, first_line + len(texts), dtype=np.int64))
    table = pa.table({name: pa.array(values, pa.string()) for name, values in zip(header, columns, strict=True)})
    return _with_columns(
        table,
        source_line=lines,
        unreadable_text=pa.array(texts, pa.string()),
        unreadable_reason=pa.array(reasons, pa.string()),
    )


def _split_line(line: bytes, width: int) -> tuple[list[str], str | None]:
    """The line's fields and no reason, or empty fields and the reason why it can't be split."""
    empty = [""] * width
    try:
        text = line.decode().removesuffix("\r")
    except UnicodeDecodeError as error:
        return empty, f"not UTF-8 at byte {error.start + 1} of the line"
    if not text.strip():
        return empty, "empty line"
    if "\r" in text or "\0" in text:
        return empty, "control character inside the line"
    if '"' in text and not re.match(_WELL_QUOTED, text):
        return empty, "stray quote: a quoted field must double its inner quotes"
    fields = next(csv.reader(io.StringIO(text), strict=True))
    if len(fields) != width:
        return empty, f"{len(fields)} fields instead of {width}"
    return fields, None


def _with_columns(table: pa.Table, **columns: pa.Array) -> pa.Table:
    for name, values in columns.items():
        table = table.append_column(name, values)
    return table


def _with_year(table: pa.Table, source: PublishedCsv, last_year: int | None) -> pa.Table:
    if source.year_column is None:
        years = pa.array(np.full(table.num_rows, source.only_year, dtype=np.int32))
        return table.append_column("year", years)
    text = pc.utf8_slice_codeunits(table[source.year_column], 0, 4)
    text = pc.if_else(pc.match_substring_regex(text, "^[0-9]{4}$"), text, pa.scalar(None, pa.string()))
    years = pc.cast(text, pa.int32())
    possible = pc.and_(pc.greater_equal(years, FIRST_YEAR), pc.less_equal(years, current_year()))
    years = pc.fill_null_forward(pc.if_else(possible, years, pa.scalar(None, pa.int32())).combine_chunks())
    years = pc.fill_null(years, last_year) if last_year else pc.fill_null_backward(years)
    return table.append_column("year", pc.fill_null(years, FIRST_YEAR))
