"""Reading a published CSV file in bounded memory: what it is declared to be, and its rows with where they stood.

Here: which file is refused as a whole, and from bytes to Arrow blocks of text columns, each row with its line number,
each unreadable line kept with its reason. How records are split is in `csv_records.py`, what else a file may be in
`file_kinds.py` and `reworked.py`, zip archives are opened in `zipped.py`. What a column means is not decided here:
every value stays text until staging. Which files there are is declared in the file named after each raw table.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from deputies_lake.quota_years import FIRST_YEAR, current_year
from deputies_lake.raw.amounts import each_once
from deputies_lake.raw.csv_records import LINE_COLUMNS, MAX_LINE_BYTES, Form, parse
from deputies_lake.raw.file_kinds import BYTE_ORDER_MARK, SIGNATURES, ZIP, encoding_fault, kind_of
from deputies_lake.raw.reworked import sign_of_rework

BLOCK_BYTES: Final = 16 << 20

OTHER_COLUMNS: Final = "other_columns"
"""Holds the values of columns that the publisher has added, as one JSON object a row, by their published names."""

_FIRST_LINE: Final = 2
_DELIMITERS: Final = {",": "a comma", ";": "a semicolon"}
_GZIP: Final = b"\x1f\x8b"


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


def _none_of(rows: pa.Table) -> pa.ChunkedArray:
    return pa.chunked_array([pa.repeat(False, rows.num_rows)])


@dataclass(frozen=True, kw_only=True)
class PublishedCsv:
    """One kind of published file: its names, its header, and where its year, category, amounts and dates stand.

    `year_column` begins with the quota year; a file without one is all of `only_year`. A source of one file a year
    has `{year}` in its file names and is made whole by `of_year`; most of its rows must say that year in their
    `stated_year_column`. `optional_columns` are missing in older layouts. An amount that is empty is none, but for
    those that `amounts_may_be_empty`. `whole_number_columns` hold ids, codes, months and years: no number in them has
    a fraction. Of rows with their `year`, `is_no_receipt` tells those that staging rejects for what is neither their
    form nor a number, and `is_summary` those of them that add up others.
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
    whole_number_columns: tuple[str, ...] = ()
    date_column: str | None = None
    year_column: str | None = None
    only_year: int | None = None
    stated_year_column: str | None = None
    is_no_receipt: Callable[[pa.Table], pa.ChunkedArray] = _none_of
    is_summary: Callable[[pa.Table], pa.ChunkedArray] = _none_of
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
    header = first.removeprefix(BYTE_ORDER_MARK)
    if not header and not body:
        raise RawFileError(file, "the file is empty", source.obtain)
    layout = _layout(header, file, source)
    _refuse_other_text(body, file, source)
    return Blocks(header=layout.header, tables=_tables(chain([body], blocks), file, layout, accepted=accepted))


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

    def lacks_last_value(self, line: bytes) -> bool:
        """Whether a line ends behind its last delimiter where a whole one never does: fields are quoted, empty ones
        too, or an amount stands there."""
        source, last = self.source, self.source.declared_name(self.header[-1])
        must_be_filled = {source.amount_column, *source.other_amount_columns}.difference(source.amounts_may_be_empty)
        is_quoted = source.quotes_every_field and line.startswith(b'"')
        return line.endswith(source.delimiter.encode()) and (is_quoted or last in must_be_filled)

    def _other_columns(self, fields: pa.Table) -> pa.Array:
        new = self.source.new_columns(self.header)
        if not new:
            return pa.nulls(fields.num_rows, pa.string())
        rows = zip(*(fields[self.header.index(name)].to_pylist() for name in new), strict=True)
        texts = pa.array([json.dumps(dict(zip(new, row, strict=True)), ensure_ascii=False) for row in rows])
        return pc.if_else(pc.is_null(fields["unreadable_reason"]), texts, pa.scalar(None, pa.string()))


def _tables(bodies: Iterable[bytes], file: str, layout: _Layout, *, accepted: bool) -> Iterator[pa.Table]:
    source = layout.source
    form = Form(width=len(layout.header), delimiter=source.delimiter, quotes_every_field=source.quotes_every_field)
    rest, next_line, last_year, is_first = b"", _FIRST_LINE, source.only_year, True
    # At the end once more, for a record that is not closed.
    for body in chain(bodies, (None,)):
        text = rest + (body or b"")
        if not text:
            continue
        parsed = parse(text, form, next_line, is_last=body is None)
        rest, next_line = parsed.rest, parsed.next_line
        if not parsed.fields.num_rows:
            continue
        if not accepted and not rest:
            _refuse_cut_line(text, parsed.fields, file, layout)
        table = _with_year(layout.arrange(parsed.fields), source, last_year)
        last_year = table["year"][-1].as_py()
        for name in LINE_COLUMNS:
            table = table.append_column(name, parsed.fields[name])
        if is_first:
            _refuse_reworked(table, file, source)
            is_first = False
        yield table
    if next_line == _FIRST_LINE:
        raise RawFileError(file, "the file holds a header and no rows", source.obtain, is_empty=True)


def _refuse_cut_line(body: bytes, fields: pa.Table, file: str, layout: _Layout) -> None:
    """Only the file's last line may lack its end.

    What can't be told from a whole line: a last value without quotes that was cut in the middle, or before its first
    character where it may be empty.
    """
    line = body[body.rfind(b"\n") + 1 :].strip()
    if body.endswith(b"\n") or not line:
        return
    reason = fields["unreadable_reason"][-1].as_py()
    if reason is None and layout.lacks_last_value(line):
        reason = f"{layout.header[-1]} is missing"
    if reason:
        problem = f"the file ends in the middle of line {fields['source_line'][-1]}: it was cut off ({reason})"
        raise RawFileError(file, problem, layout.source.obtain, can_be_accepted=True)


def _refuse_reworked(rows: pa.Table, file: str, source: PublishedCsv) -> None:
    sign = sign_of_rework(rows, amounts=source.amount_column, dates=source.date_column, years=source.stated_year_column)
    if sign:
        problem = f"{sign}: another program has written it anew, or it is an old release"
        raise RawFileError(file, problem, source.obtain)


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


def _refuse_other_kinds(data: bytes, file: str, source: PublishedCsv) -> None:
    kind = kind_of(data)
    if kind == ZIP and source.zip_name:
        remedy = f"Name it {source.zip_name}."
    elif kind in SIGNATURES.values():
        remedy = f"Unpack or convert it to {source.csv_name}, in UTF-8."
    else:
        remedy = source.obtain
    if kind:
        raise RawFileError(file, f"this is {kind}, not a CSV file", remedy)


def _refuse_other_text(body: bytes, file: str, source: PublishedCsv) -> None:
    """Text that is damaged in most of its lines fails as a whole; single damaged lines are rejected one by one."""
    if b"\0" in body and 2 * sum(b"\0" in line for line in body.split(b"\n")) > body.count(b"\n"):
        raise RawFileError(file, "most of its lines hold NUL bytes: it is damaged, or a binary file", source.obtain)
    if fault := encoding_fault(body, _FIRST_LINE):
        problem, remedy = fault
        raise RawFileError(file, problem, remedy or source.obtain)


def _layout(line: bytes, file: str, source: PublishedCsv) -> _Layout:
    """Raises `RawFileError` for a header that lacks a column, names one twice, or has one too many."""
    text = line.decode(errors="replace").rstrip("\r")
    if "\r" in text:
        remedy = r"Write line ends anew: tr '\r' '\n' < FILE > NEW."
        raise RawFileError(file, "its lines end in CR alone, as on old Macs, and not in LF or CRLF", remedy)
    try:
        header = tuple(next(csv.reader([text], delimiter=source.delimiter), []))
    except csv.Error:
        header = ()
    names = [source.declared_name(name) or name for name in header]
    required = [name for name in source.columns if name not in source.optional_columns]
    missing = [name for name in required if name not in names]
    unexpected = [name or f"column {header.index(name) + 1}, without a name" for name in source.new_columns(header)]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    has_index = bool(header) and not header[0]
    if not missing and not twice and not has_index and (source.keeps_new_columns or not unexpected):
        return _Layout(source=source, header=header)
    problem = f"line 1 is not the header of {source.csv_name}"
    remedy = f"The header must name these columns: {_listed(required)}."
    if len(names) <= 1:
        problem += f": it holds one column, the delimiter must be {_DELIMITERS[source.delimiter]}"
    elif len(missing) == len(required):
        # It may be a row, and name a person.
        problem += ": it names none of its columns"
    else:
        faults = {"missing": missing, "unexpected": unexpected, "twice": twice}
        problem += f" ({'; '.join(f'{fault}: {_listed(columns)}' for fault, columns in faults.items())})"
        if has_index:
            remedy = "A first column without a name is the index that pandas writes: use to_csv(index=False)."
    raise RawFileError(file, problem, remedy)


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(columns) or "none"


def _with_year(table: pa.Table, source: PublishedCsv, last_year: int | None) -> pa.Table:
    if source.year_column is None:
        years = pa.array(np.full(table.num_rows, source.only_year, dtype=np.int32))
        return table.append_column("year", years)
    years = each_once(_possible_years, pc.utf8_slice_codeunits(table[source.year_column], 0, 4))
    years = pc.fill_null_forward(years.combine_chunks())
    years = pc.fill_null(years, last_year) if last_year else pc.fill_null_backward(years)
    return table.append_column("year", pc.fill_null(years, FIRST_YEAR))


def _possible_years(texts: pa.Array) -> pa.Array:
    """Years that the lake may have, null where the text is none."""
    text = pc.if_else(pc.match_substring_regex(texts, "^[0-9]{4}$"), texts, pa.scalar(None, pa.string()))
    years = pc.cast(text, pa.int32())
    possible = pc.and_(pc.greater_equal(years, FIRST_YEAR), pc.less_equal(years, current_year()))
    return pc.if_else(possible, years, pa.scalar(None, pa.int32()))
