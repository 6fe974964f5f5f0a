"""Whatever a publisher's file holds: a clear refusal of the file, or every line of it, each judged by itself."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deputies_lake.quota_years import FIRST_YEAR, current_year
from deputies_lake.raw import csv_records, kaggle_refunds, kaggle_reimbursements, published_csv
from deputies_lake.raw.published_csv import PublishedCsv, RawFileError, read_blocks

FILE = "landing/receipts.csv"
SOURCE = PublishedCsv(
    source_code="receipts",
    file_names=("receipts.csv",),
    columns=("receipt_date", "category", "supplier", "amount"),
    year_column="receipt_date",
    category_column="category",
    amount_column="amount",
    date_column="receipt_date",
    obtain="Fetch receipts.csv from the House.",
)
HEADER = b"receipt_date,category,supplier,amount\n"
ROW = "2013-03-27,Postal Services,CORREIOS SÃO JOÃO,70\n".encode()
OWN_COLUMNS = ("year", "source_line", "unreadable_text", "unreadable_reason")

Row = dict[str, Any]


def blocks_of(data: bytes, source: PublishedCsv = SOURCE, *, accepted: bool = False) -> Iterator[pa.Table]:
    return read_blocks(io.BufferedReader(io.BytesIO(data)), FILE, source, accepted=accepted).tables


def rows_of(data: bytes, source: PublishedCsv = SOURCE, *, accepted: bool = False) -> list[Row]:
    return [row for block in blocks_of(data, source, accepted=accepted) for row in block.to_pylist()]


@contextmanager
def blocks_of_size(size: int) -> Iterator[None]:
    with mock.patch.object(published_csv, "BLOCK_BYTES", size):
        yield


def fields_of(row: Row) -> list[str]:
    return [row[name] for name in SOURCE.columns]


def as_csv(rows: Sequence[Sequence[str]]) -> bytes:
    """As publishers write it: by the csv module, quotes only where they are needed."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_MINIMAL, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


# files that are refused as a whole


def zipped(data: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as output:
        output.writestr("receipts.csv", data)
    return archive.getvalue()


def as_parquet() -> bytes:
    content = io.BytesIO()
    pq.write_table(pa.table({name: ["1"] for name in SOURCE.columns}), content)
    return content.getvalue()


THE_COLUMNS = "The header must name these columns: receipt_date, category, supplier, amount."
UNPACK = "Unpack or convert it to receipts.csv, in UTF-8."
REFUSED: dict[str, tuple[bytes, str, str]] = {
    "an empty file": (b"", "the file is empty", SOURCE.obtain),
    "an empty file, compressed": (gzip.compress(b""), "the file is empty", SOURCE.obtain),
    "only an empty line": (b"\n", "the file is empty", SOURCE.obtain),
    "only a byte order mark": (b"\xef\xbb\xbf", "the file is empty", SOURCE.obtain),
    "only a header": (HEADER, "a header and no rows", SOURCE.obtain),
    "only a header, not ended": (HEADER.rstrip(), "a header and no rows", SOURCE.obtain),
    "a column missing": (b"receipt_date,category,amount\n1,2,3\n", "missing: supplier; unexpected: none", THE_COLUMNS),
    "a column renamed": (
        HEADER.replace(b"supplier", b"vendor") + ROW,
        "missing: supplier; unexpected: vendor",
        THE_COLUMNS,
    ),
    "a column too many": (
        HEADER.replace(b"amount", b"amount,note") + ROW,
        "missing: none; unexpected: note",
        THE_COLUMNS,
    ),
    "a column named twice": (HEADER.replace(b"amount", b"amount,supplier") + ROW, "supplier", THE_COLUMNS),
    "no header": (ROW + ROW, "line 1 is not the header of receipts.csv: it names none of its columns", THE_COLUMNS),
    "a blank line before the header": (b"\n" + HEADER + ROW, "it holds one column", THE_COLUMNS),
    "one column": (b"amount\n70\n", "it holds one column, the delimiter must be a comma", THE_COLUMNS),
    "an index from pandas": (
        b"," + HEADER + b"0," + ROW,
        "missing: none; unexpected: column 1, without a name; twice: none",
        "A first column without a name is the index that pandas writes: use to_csv(index=False).",
    ),
    "a last column without a name": (
        HEADER.replace(b"\n", b",\n"),
        "unexpected: column 5, without a name",
        THE_COLUMNS,
    ),
    "semicolons": (HEADER.replace(b",", b";") + ROW, "the delimiter must be a comma", THE_COLUMNS),
    "tabs": (HEADER.replace(b",", b"\t") + ROW, "the delimiter must be a comma", THE_COLUMNS),
    "a web page": (b"<!DOCTYPE html>\n<html>\n", "this is a web page, not a CSV file", SOURCE.obtain),
    "a web page after a mark and blanks": (b"\xef\xbb\xbf\r\n <HTML lang=pt>", "this is a web page", SOURCE.obtain),
    "lines ended by CR alone": (
        (HEADER + ROW).replace(b"\n", b"\r"),
        "its lines end in CR alone, as on old Macs, and not in LF or CRLF",
        r"Write line ends anew: tr '\r' '\n' < FILE > NEW.",
    ),
    "a first line without end": (b"x" * 200_000 + b"\n" + ROW, "line 1 is not the header", THE_COLUMNS),
    "a zip archive": (zipped(HEADER + ROW), "this is a zip archive", UNPACK),
    "a Parquet file": (as_parquet(), "this is a Parquet file", UNPACK),
    "a PDF document": (b"%PDF-1.7\n" + ROW, "this is a PDF document", UNPACK),
    "a picture": (b"\x89PNG\r\n\x1a\n", "this is a picture", UNPACK),
    "a database": (b"SQLite format 3\0", "this is a SQLite database", UNPACK),
    "NUL bytes": (b"\0\0\0" + HEADER + ROW, "this is a binary file", SOURCE.obtain),
    "a header and NUL bytes": (HEADER + (b"\0\0\0\n" * 3), "most of its lines hold NUL bytes", SOURCE.obtain),
    "UTF-16, little end first": ((HEADER + ROW).decode().encode("utf-16"), "this is text in UTF-16", UNPACK),
    "UTF-16, big end first": (b"\xfe\xff" + HEADER.decode().encode("utf-16-be"), "this is text in UTF-16", UNPACK),
    "UTF-16 without a mark": ((HEADER + ROW).decode().encode("utf-16-le"), "this is text in UTF-16", UNPACK),
    "UTF-16 without a mark, big end first": (HEADER.decode().encode("utf-16-be"), "this is text in UTF-16", UNPACK),
    "Latin-1": (
        HEADER + b"2013,c,s,1\n" + ROW.decode().encode("latin-1") * 3,
        "the text is not UTF-8, first on line 3, but cp1252",
        "Convert it: iconv -f cp1252 -t utf-8 FILE > NEW.",
    ),
    "Latin-1, compressed": (
        gzip.compress(HEADER + ROW.decode().encode("latin-1") * 3),
        "the text is not UTF-8, first on line 2, but cp1252",
        "iconv -f cp1252 -t utf-8",
    ),
    "Windows-1252 with a dash that Latin-1 has not": (
        HEADER + "2013,c,POSTO \u2013 MATRIZ,5\n".encode("cp1252") * 3,
        "the text is not UTF-8, first on line 2, but cp1252",
        "iconv -f cp1252 -t utf-8",
    ),
    "Windows-1252 with a dash, quotation marks and a euro": (
        HEADER + "2013,c,POSTO \u2013 \u201cMATRIZ\u201d \u20ac,5\n".encode("cp1252") * 3,
        "the text is not UTF-8, first on line 2, but cp1252",
        "iconv -f cp1252 -t utf-8",
    ),
    "a byte that two encodings have": (
        HEADER + "2013,c,POSTO \u20ac,5\n".encode("cp1252") * 3,
        "the text is not UTF-8, first on line 2",
        SOURCE.obtain,
    ),
    "the code page of DOS, with letters that Windows-1252 has too": (
        HEADER + "2013,c,ALIMENTAÇÃO,5\n".encode("cp850") * 3,
        "the text is not UTF-8, first on line 2, but cp850",
        "iconv -f cp850 -t utf-8",
    ),
    "the code page of DOS": (
        HEADER + "2013,c,CAFÉ É AÇAÍ à água,5\n".encode("cp850") * 3,
        "the text is not UTF-8, first on line 2, but cp850",
        "iconv -f cp850 -t utf-8",
    ),
    "an unknown encoding": (
        HEADER + "2013,c,САМОЛЁТ,5\n".encode("koi8-r") * 3,
        "the text is not UTF-8, first on line 2",
        SOURCE.obtain,
    ),
    "files of two encodings put together": (
        HEADER + ROW + ROW.decode().encode("cp1252") * 3,
        "the text is not UTF-8, first on line 3, though 1 other lines are: files were put together",
        SOURCE.obtain,
    ),
    "decimal commas": (
        HEADER + b"2013,c,s,4\n" + b'2013,c,s,"411,51"\n2013,c,s,"-1.234,5"\n',
        "most values of amount have a decimal comma, where the publisher writes a point (first on line 3)",
        SOURCE.obtain,
    ),
    "dates with slashes": (
        HEADER + b"27/03/2013,c,s,4\n,c,s,4\n",
        "most values of receipt_date are written with slashes, where the publisher writes 2013-03-27 (first on line 2)",
        SOURCE.obtain,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_is_not_the_source_is_refused_with_its_name_the_problem_and_the_remedy(case: str) -> None:
    data, problem, remedy = REFUSED[case]
    with pytest.raises(RawFileError) as refusal:
        rows_of(data)
    assert problem in refusal.value.problem
    assert remedy in refusal.value.remedy
    text = str(refusal.value)
    assert text.startswith(f"{FILE}: {refusal.value.problem}. {refusal.value.remedy} ")
    assert text.endswith("Nothing was published, the tables stay as they were.")


def test_what_is_refused_by_its_first_bytes_gives_no_row_before() -> None:
    with blocks_of_size(64), pytest.raises(RawFileError):
        next(blocks_of(HEADER.replace(b",", b";") + ROW * 100))


# compression

PACKED = gzip.compress(HEADER + b"".join(b"2013-03-27,c,supplier %d,%d\n" % (n, n * 7919 % 10_007) for n in range(999)))


@pytest.mark.parametrize("kept", [3, 12, len(PACKED) // 2, len(PACKED) - 1])
def test_a_truncated_gzip_file_is_refused(kept: int) -> None:
    with pytest.raises(RawFileError, match=r"the file was cut off.*Download it again"):
        rows_of(PACKED[:kept])


@pytest.mark.parametrize("position", [2, 10, len(PACKED) // 2, len(PACKED) - 8, len(PACKED) - 1])
def test_a_damaged_gzip_file_is_refused(position: int) -> None:
    damaged = bytearray(PACKED)
    damaged[position] ^= 0xFF
    with pytest.raises(RawFileError, match=r"the gzip stream is damaged.*Download it again"):
        rows_of(bytes(damaged))


def test_damage_at_the_end_of_a_gzip_file_is_told_although_rows_were_given_before() -> None:
    with blocks_of_size(1_000):
        blocks = blocks_of(PACKED[:-1])
        assert next(blocks).num_rows > 0
        with pytest.raises(RawFileError, match="cut off"):
            list(blocks)


def test_gzip_with_several_members_is_read_to_its_end() -> None:
    assert len(rows_of(gzip.compress(HEADER + ROW) + gzip.compress(ROW) + gzip.compress(ROW))) == 3


@pytest.mark.parametrize("name", ["receipts.csv", "receipts.csv.gz"])
@pytest.mark.parametrize("data", [HEADER + ROW, gzip.compress(HEADER + ROW)], ids=["plain", "gzip"])
def test_a_file_is_unpacked_by_its_bytes_and_not_by_its_name(name: str, data: bytes) -> None:
    blocks = list(read_blocks(io.BufferedReader(io.BytesIO(data)), name, SOURCE).tables)
    assert [block.num_rows for block in blocks] == [1]


# sound files

PLAIN = [["2013-03-27", "Postal Services", "CORREIOS SÃO JOÃO", "70"], ["2014", "Telephony", "", "0"]]
SOUND: dict[str, bytes] = {
    "as published": HEADER + as_csv(PLAIN),
    "with a byte order mark": b"\xef\xbb\xbf" + HEADER + as_csv(PLAIN),
    "with a byte order mark, compressed": gzip.compress(b"\xef\xbb\xbf" + HEADER + as_csv(PLAIN)),
    "with CRLF": (HEADER + as_csv(PLAIN)).replace(b"\n", b"\r\n"),
    "without a final newline": (HEADER + as_csv(PLAIN)).rstrip(b"\n"),
    "with CRLF, without a final newline": (HEADER + as_csv(PLAIN)).rstrip(b"\n").replace(b"\n", b"\r\n"),
    "with quotes around everything": b'"receipt_date","category","supplier","amount"\n'
    + b"".join(b'"' + line.replace(b",", b'","') + b'"\n' for line in as_csv(PLAIN).splitlines()),
    "with quotes around everything and CRLF": HEADER.replace(b"\n", b"\r\n")
    + b"".join(b'"' + line.replace(b",", b'","') + b'"\r\n' for line in as_csv(PLAIN).splitlines()),
}


@pytest.mark.parametrize("case", SOUND)
def test_a_sound_file_gives_its_fields(case: str) -> None:
    assert [fields_of(row) for row in rows_of(SOUND[case])] == PLAIN


@pytest.mark.parametrize("case", SOUND)
def test_a_sound_file_has_no_unreadable_line(case: str) -> None:
    assert [(row["source_line"], row["unreadable_text"], row["unreadable_reason"]) for row in rows_of(SOUND[case])] == [
        (2, None, None),
        (3, None, None),
    ]


def test_columns_in_another_order_are_read_by_their_names() -> None:
    rows = rows_of(b"amount,supplier,receipt_date,category\n70,RAMAL,2013-03-27,Telephony\n")
    assert [fields_of(row) for row in rows] == [["2013-03-27", "Telephony", "RAMAL", "70"]]


@pytest.mark.parametrize("line", [ROW, b"damaged\n"], ids=["sound", "damaged"])
def test_a_block_has_the_sources_columns_in_their_order_and_then_our_own(line: bytes) -> None:
    data = b"amount,supplier,receipt_date,category\n" + line
    assert [block.column_names for block in blocks_of(data)] == [[*SOURCE.columns, *OWN_COLUMNS]]


@pytest.mark.parametrize("neighbour", [b"", b"damaged\n"], ids=["among sound lines", "beside a damaged line"])
@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "a, b",
        'BAR "DO ZÉ"',
        '"',
        '""',
        ",",
        "NULL",
        "NA",
        "NaN",
        "0012",
        "1e3",
        " S.PART.",
        "\t",
        "#N/A",
        "a;b",
    ],
)
def test_a_value_stays_the_text_it_was(value: str, neighbour: bytes) -> None:
    rows = rows_of(HEADER + as_csv([["2013", "c", value, "1"]]) + neighbour)
    assert fields_of(rows[0]) == ["2013", "c", value, "1"]


@pytest.mark.parametrize("raw", [kaggle_reimbursements, kaggle_refunds])
def test_the_kaggle_files_are_read_by_their_own_declaration(raw: Any) -> None:
    source: PublishedCsv = raw.CSV
    values = [f"{name} {n}" for n, name in enumerate(source.columns)]
    values[source.columns.index(source.amount_column)] = "70"
    row = rows_of(as_csv([source.columns, values]), source)[0]
    assert [row[name] for name in source.columns] == values


# one damaged line among sound ones

CONTROL = "carriage return inside the line"
STRAY = "stray quote: a quoted field must double its inner quotes"
UNCLOSED = "a quote is opened and not closed"
DAMAGED: dict[str, tuple[bytes, str]] = {
    "quotes inside a quoted field that are not doubled": (b'2013-01-01,c,"BAR "DO" JOAO",5', STRAY),
    "text after a closing quote": (b'2013-01-01,c,"BAR" LTDA,5', STRAY),
    "an unclosed quote and a delimiter": (b'2013-01-01,c,"BAR, LTDA,5', UNCLOSED),
    "an unclosed quote and too few fields": (b'2013-01-01,c,"5', UNCLOSED),
    "a field too few": (b"2013-01-01,c,5", "3 fields instead of 4"),
    "a field too many": (b"2013-01-01,c,BAR, LTDA,5", "5 fields instead of 4"),
    "a delimiter between stray quotes": (b'2013-01-01,c,BAR "DO, ZE",5', "5 fields instead of 4"),
    "one word": (b"total", "1 fields instead of 4"),
    "nothing": (b"", "empty line"),
    "blanks": (b"   ", "empty line"),
    "a NUL": (b"2013-01-01,c,BAR\0LTDA,5", "NUL character at byte 17 of the line"),
    "a NUL in quotes": (b'2013-01-01,c,"BAR\0LTDA",5', "NUL character at byte 18 of the line"),
    "a CR inside": (b"2013-01-01,c,BAR\rLTDA,5", CONTROL),
    "a CR for the newline between two lines": (b"2013-01-01,c,BAR,5\r2013-01-01,c,BAR,6", CONTROL),
    "a CR at its start": (b"\r2013-01-01,c,BAR,5", CONTROL),
}
READ: dict[str, tuple[bytes, list[str]]] = {
    "a stray quote": (b'2013-01-01,c,BAR "DO JOAO,5', ["2013-01-01", "c", 'BAR "DO JOAO', "5"]),
    "quotes inside an unquoted field": (b'2013-01-01,c,BAR "DO" JOAO,5', ["2013-01-01", "c", 'BAR "DO" JOAO', "5"]),
    "quotes at its end": (b'2013-01-01,c,BAR "DO JOAO",5', ["2013-01-01", "c", 'BAR "DO JOAO"', "5"]),
    "a quote at its start": (b'2013-01-01,c,"BAR DO JOAO,5', ["2013-01-01", "c", '"BAR DO JOAO', "5"]),
    "a quote at the start of the last one": (b'2013-01-01,c,BAR,"5', ["2013-01-01", "c", "BAR", '"5']),
    "a CR in quotes": (b'2013-01-01,c,"BAR\rLTDA",5', ["2013-01-01", "c", "BAR\rLTDA", "5"]),
    "two CR at the line's end": (b"2013-01-01,c,BAR,5\r", ["2013-01-01", "c", "BAR", "5"]),
    "a line end in quotes": (b'2013-01-01,c,"BAR\nLTDA",5', ["2013-01-01", "c", "BAR\nLTDA", "5"]),
}


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("case", READ)
def test_an_odd_line_is_read_that_can_mean_one_thing_alone(case: str, newline: bytes) -> None:
    line, fields = READ[case]
    rows = rows_of((HEADER + ROW + b"HERE\n" + ROW * 2).replace(b"\n", newline).replace(b"HERE", line))
    assert [row["unreadable_reason"] for row in rows] == [None] * 4
    assert fields_of(rows[1]) == fields


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("case", DAMAGED)
def test_only_the_damaged_line_is_unreadable(case: str, newline: bytes) -> None:
    damaged, reason = DAMAGED[case]
    rows = rows_of((HEADER + ROW + b"HERE\n" + ROW * 2).replace(b"\n", newline).replace(b"HERE", damaged))
    assert [row["source_line"] for row in rows] == [2, 3, 4, 5]
    assert [row["unreadable_reason"] for row in rows] == [None, reason, None, None]


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_line_keeps_its_exact_text(case: str) -> None:
    damaged, _ = DAMAGED[case]
    assert rows_of(HEADER + ROW + damaged + b"\n" + ROW)[1]["unreadable_text"] == damaged.decode()


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_line_leaves_its_neighbours_intact(case: str) -> None:
    damaged, _ = DAMAGED[case]
    quoted = '2014-05-01,"Locomotion, Food and Lodging","BAR ""DO ZÉ""",1.50\n'.encode()
    rows = rows_of(HEADER + quoted + damaged + b"\n" + quoted)
    whole = ["2014-05-01", "Locomotion, Food and Lodging", 'BAR "DO ZÉ"', "1.50"]
    assert [fields_of(rows[0]), fields_of(rows[-1])] == [whole, whole]


@pytest.mark.parametrize("case", DAMAGED)
def test_the_fields_of_a_damaged_line_are_empty(case: str) -> None:
    damaged, _ = DAMAGED[case]
    assert fields_of(rows_of(HEADER + ROW + damaged + b"\n" + ROW)[1]) == ["", "", "", ""]


CUT_OFF: dict[str, tuple[bytes, str]] = {
    "between fields": (b"2013-01-01,c,", "3 fields instead of 4"),
    "inside a quoted field": (b'2013-01-01,"Locomotion, Fo', UNCLOSED),
    "inside a letter": ("2013-01-01,c,SÃ".encode()[:-1], "not UTF-8 at byte 15 of the line"),
    "inside the last field, which is quoted": (b'2013-01-01,c,S,"7', UNCLOSED),
    "in a tail of NUL bytes": (b"2013-01-01,c,S" + b"\0" * 9, "NUL character at byte 15 of the line"),
}


@pytest.mark.parametrize("case", CUT_OFF)
def test_a_file_that_ends_in_the_middle_of_a_line_is_refused_until_it_is_accepted(case: str) -> None:
    tail, reason = CUT_OFF[case]
    with pytest.raises(RawFileError) as refusal:
        rows_of(HEADER + ROW * 2 + tail)
    assert refusal.value.problem == f"the file ends in the middle of line 4: it was cut off ({reason})"
    assert (refusal.value.remedy, refusal.value.can_be_accepted) == (SOURCE.obtain, True)


@pytest.mark.parametrize("case", CUT_OFF)
def test_an_accepted_file_that_ends_in_the_middle_of_a_line_has_that_line_unreadable(case: str) -> None:
    tail, reason = CUT_OFF[case]
    assert [row["unreadable_reason"] for row in rows_of(HEADER + ROW * 2 + tail, accepted=True)] == [None, None, reason]


QUOTED = replace(SOURCE, quotes_every_field=True, columns=("receipt_date", "amount", "category", "supplier"))


@pytest.mark.parametrize(
    ("source", "tail", "last"),
    [(SOURCE, b"2013-01-01,c,S,", "amount"), (QUOTED, b'"2013-01-01","70","c",', "supplier")],
    ids=["an amount", "a quoted field"],
)
def test_a_file_that_ends_before_a_last_value_that_is_never_left_out_was_cut_off(
    source: PublishedCsv, tail: bytes, last: str
) -> None:
    whole = ",".join(source.columns).encode() + b'\n"2013-01-01","70","7","70"\n' + tail
    with pytest.raises(
        RawFileError, match=rf"in the middle of line 3: it was cut off \({last} is missing\)"
    ) as refusal:
        rows_of(whole, source)
    assert refusal.value.can_be_accepted
    assert [row[last] for row in rows_of(whole, source, accepted=True)][1:] == [""]
    assert [row[last] for row in rows_of(whole + b"\n", source)][1:] == [""]


@pytest.mark.parametrize("tail", [b"2013-01-01,70,c,", b'"2013-01-01","70","c",""'])
def test_a_last_value_that_may_be_empty_is_not_taken_for_cut_off(tail: bytes) -> None:
    assert rows_of(",".join(QUOTED.columns).encode() + b"\n" + tail, QUOTED)[0]["supplier"] == ""


@pytest.mark.parametrize("end", [b"", b"  ", b"damaged\n"], ids=["none", "blanks", "a damaged line with its end"])
def test_a_file_is_not_taken_for_cut_off_that_ends_like_this(end: bytes) -> None:
    assert rows_of(HEADER + ROW * 2 + end)[1]["unreadable_reason"] is None


def test_only_a_file_with_a_header_alone_is_told_to_be_empty() -> None:
    refusals = []
    for data in (HEADER, HEADER.rstrip(), b"", HEADER + b"2013,c"):
        with pytest.raises(RawFileError) as refusal:
            rows_of(data)
        refusals.append((refusal.value.is_empty, refusal.value.can_be_accepted))
    assert refusals == [(True, False), (True, False), (False, False), (False, True)]


def test_a_single_line_that_is_not_utf8_is_unreadable_with_its_bytes_spelled_out() -> None:
    rows = rows_of(HEADER + ROW * 2 + "2013-01-01,c,SÃO,5\n".encode("latin-1") + ROW)
    assert [(row["unreadable_text"], row["unreadable_reason"]) for row in rows] == [
        (None, None),
        (None, None),
        ("2013-01-01,c,S\\xc3O,5", "not UTF-8 at byte 15 of the line"),
        (None, None),
    ]


def test_a_line_cut_in_the_middle_of_a_letter_is_unreadable() -> None:
    rows = rows_of(HEADER + ROW * 2 + "2013-01-01,c,SÃ".encode()[:-1] + b"\n" + ROW)
    assert [row["unreadable_reason"] is None for row in rows] == [True, True, False, True]


def test_a_blank_line_does_not_make_up_for_two_lines_run_together_by_a_cr() -> None:
    together = ROW.rstrip(b"\n") + b"\r" + ROW
    rows = rows_of(HEADER + ROW + together + b"\n" + ROW)
    assert [(row["source_line"], row["unreadable_reason"]) for row in rows] == [
        (2, None),
        (3, CONTROL),
        (4, "empty line"),
        (5, None),
    ]


JUDGED_ALIKE = {name: line for name, (line, _) in DAMAGED.items()} | {
    "quotes as they must be": b'2013,"Locomotion, Food","BAR ""DO"" JOAO",1',
    "two CR at its end": b"2013,c,BAR,1\r\r",
    "a field longer than the csv module takes": b"2013,c," + b"x" * 200_000 + b",1",
    "a line longer than Arrow takes": b"2013,c," + b"x" * (5 << 20) + b",1",
}


@pytest.mark.parametrize("case", JUDGED_ALIKE)
def test_the_verdict_on_a_line_does_not_depend_on_its_neighbours(case: str) -> None:
    line = JUDGED_ALIKE[case] + b"\n"
    assert rows_of(HEADER + ROW + line)[1] == rows_of(HEADER + ROW + line + b"damaged\n")[1]


@pytest.mark.parametrize("size", [len(HEADER), 1 << 20], ids=["beyond the first block", "in the first block"])
def test_a_nul_byte_spoils_its_line_wherever_it_is(size: int) -> None:
    with blocks_of_size(size):
        rows = rows_of(HEADER + ROW + b"2013,c,BAR\0LTDA,1\n" + ROW)
    assert [row["unreadable_reason"] is None for row in rows] == [True, False, True]


# blocks

MIXED = HEADER + b"".join(
    [
        ROW,
        '2013,"Locomotion, Food","BAR ""DO ZÉ""",1.50\n'.encode(),
        b'2014-01-01,c,"unclosed,5\n',
        b"\n",
        b"no year,c,s,5\r\n",
        b"2015,c," + b"a line longer than a block " * 40 + b",5\n",
        b"not a row\n",
        ROW,
        b"2016,c,the last line has no newline,7",
    ]
)


@pytest.mark.parametrize("size", [1, 2, 7, 38, 39, 64, 100, 1_000])
def test_the_rows_do_not_depend_on_where_blocks_end(size: int) -> None:
    whole = rows_of(MIXED)
    with blocks_of_size(size):
        assert rows_of(MIXED) == whole


@pytest.mark.parametrize("size", [7, 64, 1_000])
def test_the_rows_of_a_gzip_file_do_not_depend_on_where_blocks_end(size: int) -> None:
    whole = rows_of(MIXED)
    with blocks_of_size(size):
        assert rows_of(gzip.compress(MIXED)) == whole


def test_lines_are_numbered_as_an_editor_numbers_them() -> None:
    with blocks_of_size(64):
        rows = rows_of(MIXED)
    assert [row["source_line"] for row in rows] == list(range(2, 2 + len(MIXED.splitlines()) - 1))


def test_a_line_longer_than_a_block_is_one_row() -> None:
    with blocks_of_size(16):
        rows = rows_of(HEADER + b"2013,c," + b"x" * 10_000 + b",5\n" + ROW)
    assert [len(row["supplier"]) for row in rows] == [10_000, len("CORREIOS SÃO JOÃO")]


def test_a_block_holds_not_much_more_than_its_size() -> None:
    with blocks_of_size(1_000):
        sizes = [block.num_rows * len(ROW) for block in blocks_of(HEADER + ROW * 1_000)]
    assert max(sizes) <= 1_000 + len(ROW)


def test_a_large_block_with_damaged_lines_gives_what_the_lines_give_by_themselves() -> None:
    whole = rows_of(MIXED)
    with mock.patch.object(csv_records, "_FEW_BYTES", 10):
        assert rows_of(MIXED) == whole


def test_a_damaged_line_costs_its_neighbours_in_a_large_block_not_the_fast_way() -> None:
    lines = [ROW] * 9_000
    lines[4_000] = b"damaged\n"
    with mock.patch.object(csv, "reader", wraps=csv.reader) as split:
        rows = rows_of(HEADER + b"".join(lines))
    assert [row["source_line"] for row in rows if row["unreadable_reason"]] == [4_002]
    assert split.call_count < 2_000


# the year a line is filed under

UNREADABLE_YEARS = [
    "",
    "n/a",
    "13-01-01",
    "201",
    "2007-12-31",
    f"{current_year() + 1}-01-01",
    "\uff12\uff10\uff11\uff13",
]


def years_of(dates: Sequence[str], source: PublishedCsv = SOURCE) -> list[int]:
    return [row["year"] for row in rows_of(HEADER + as_csv([[date, "c", "s", "1"] for date in dates]), source)]


@pytest.mark.parametrize("year", [str(FIRST_YEAR), f"{current_year()}-12-31", "2013-03-27 00:00:00"])
def test_a_line_is_filed_under_the_year_its_date_begins_with(year: str) -> None:
    assert years_of([year]) == [int(year[:4])]


@pytest.mark.parametrize("date", UNREADABLE_YEARS)
def test_a_line_without_a_readable_year_is_filed_under_the_year_of_the_row_above(date: str) -> None:
    assert years_of(["2013-01-01", date, date, "2015-01-01"]) == [2013, 2013, 2013, 2015]


@pytest.mark.parametrize("date", UNREADABLE_YEARS)
def test_the_row_above_may_stand_in_the_block_before(date: str) -> None:
    with blocks_of_size(1):
        assert years_of(["2013-01-01", date, date, "2015-01-01", date]) == [2013, 2013, 2013, 2015, 2015]


def test_an_unreadable_line_is_filed_under_the_year_of_the_row_above() -> None:
    rows = rows_of(HEADER + b"2013,c,s,1\n2014,c,s\n\n2015,c,s,1\n")
    assert [row["year"] for row in rows] == [2013, 2013, 2013, 2015]


def test_at_the_files_start_a_line_without_a_year_is_filed_under_the_first_year_below() -> None:
    assert years_of(["", "n/a", "2015-01-01"]) == [2015, 2015, 2015]


def test_a_file_without_any_readable_year_is_filed_under_the_first_year_there_is() -> None:
    assert years_of(["", "n/a"]) == [FIRST_YEAR, FIRST_YEAR]


@pytest.mark.parametrize("line", [ROW, b"damaged\n"], ids=["sound", "damaged"])
def test_a_source_of_one_year_files_every_line_under_it(line: bytes) -> None:
    source = replace(SOURCE, year_column=None, only_year=2016)
    assert [row["year"] for row in rows_of(HEADER + line + ROW, source)] == [2016, 2016]


# a publisher who changes its files' layout

HOUSE = PublishedCsv(
    source_code="house",
    file_names=("Ano-{year}.csv.zip", "Ano-{year}.csv"),
    columns=("name", "cpf", "category", "supplier", "amount"),
    optional_columns=("cpf",),
    delimiter=";",
    quotes_every_field=True,
    keeps_new_columns=True,
    category_column="category",
    amount_column="amount",
    obtain="Fetch {year}.",
).of_year(2022)
HOUSE_HEADER = b'"name";"cpf";"category";"supplier";"amount"\n'
HOUSE_ROW = '"FULANA";"";"COMBUSTÍVEIS";"POSTO";"70"\n'.encode()


def house_rows(data: bytes) -> list[Row]:
    return rows_of(data, HOUSE)


def house_fields(row: Row) -> list[str]:
    return [row[name] for name in HOUSE.columns]


def header_of(data: bytes, source: PublishedCsv = HOUSE) -> tuple[str, ...]:
    return read_blocks(io.BufferedReader(io.BytesIO(data)), FILE, source).header


def test_a_source_of_one_file_a_year_names_the_file_of_a_year() -> None:
    assert (HOUSE.file_names, HOUSE.only_year, HOUSE.obtain) == (
        ("Ano-2022.csv.zip", "Ano-2022.csv"),
        2022,
        "Fetch 2022.",
    )


def test_fields_are_split_at_the_sources_delimiter_alone() -> None:
    row = house_rows(HOUSE_HEADER + b'FULANA;;"A; B";C, D;1.50\n')[0]
    assert house_fields(row) == ["FULANA", "", "A; B", "C, D", "1.50"]


def test_an_optional_column_that_a_file_lacks_is_empty() -> None:
    row = house_rows(b"name;category;supplier;amount\nFULANA;TAXI;POSTO;70\n")[0]
    assert house_fields(row) == ["FULANA", "", "TAXI", "POSTO", "70"]


@pytest.mark.parametrize("header", [b"NAME;cpf;Category;supplier;AMOUNT\n", b"Name;CPF;category;Supplier;Amount\n"])
def test_columns_are_known_in_any_case(header: bytes) -> None:
    assert house_fields(house_rows(header + HOUSE_ROW)[0]) == ["FULANA", "", "COMBUSTÍVEIS", "POSTO", "70"]


def test_columns_of_the_house_in_another_order_are_read_by_their_names() -> None:
    rows = house_rows(b"amount;note;supplier;name;category\n70;good;POSTO;FULANA;TAXI\n")
    assert [(house_fields(row), row["other_columns"]) for row in rows] == [
        (["FULANA", "", "TAXI", "POSTO", "70"], '{"note": "good"}')
    ]


def test_the_header_is_told_as_it_stood() -> None:
    assert header_of(b'\xef\xbb\xbf"Amount";note;supplier;name;category\r\n' + HOUSE_ROW) == (
        "Amount",
        "note",
        "supplier",
        "name",
        "category",
    )


def test_the_columns_that_are_new_are_told_from_the_header() -> None:
    assert HOUSE.new_columns(["Amount", "note", "CPF", "Ação"]) == ("note", "Ação")


@pytest.mark.parametrize("neighbour", [b"", b"damaged\n"], ids=["among sound lines", "beside a damaged line"])
def test_the_values_of_new_columns_are_kept(neighbour: bytes) -> None:
    header = b"name;cpf;category;supplier;amount;note;year;source_line\n"
    rows = house_rows(header + 'A;;B;C;1;"é ""x""";;12\n'.encode() + neighbour)
    assert json.loads(rows[0]["other_columns"]) == {"note": 'é "x"', "year": "", "source_line": "12"}
    assert (rows[0]["year"], rows[0]["source_line"]) == (2022, 2)


def test_the_values_of_new_columns_are_readable_for_people() -> None:
    rows = house_rows(b"name;cpf;category;supplier;amount;note\n" + "A;;B;C;1;ação\n".encode())
    assert rows[0]["other_columns"] == '{"note": "ação"}'


def test_without_new_columns_there_are_no_values_of_them() -> None:
    assert house_rows(HOUSE_HEADER + HOUSE_ROW)[0]["other_columns"] is None


def test_an_unreadable_line_has_no_values_of_new_columns() -> None:
    rows = house_rows(b"name;cpf;category;supplier;amount;note\nA;;B;C;1;x\ndamaged\n")
    assert [row["other_columns"] for row in rows] == ['{"note": "x"}', None]


def test_a_block_has_the_other_columns_between_the_sources_and_our_own() -> None:
    names = [block.column_names for block in blocks_of(HOUSE_HEADER + HOUSE_ROW, HOUSE)]
    assert names == [[*HOUSE.columns, "other_columns", *OWN_COLUMNS]]


THE_HOUSES_COLUMNS = "The header must name these columns: name, category, supplier, amount."
REFUSED_OF_THE_HOUSE: dict[str, tuple[bytes, str, str]] = {
    "a column missing": (b"name;cpf;category;amount\n", "missing: supplier; unexpected: none", THE_HOUSES_COLUMNS),
    "a column renamed": (
        HOUSE_HEADER.replace(b"supplier", b"vendor"),
        "line 1 is not the header of Ano-2022.csv (missing: supplier; unexpected: vendor; twice: none)",
        THE_HOUSES_COLUMNS,
    ),
    "a column twice": (HOUSE_HEADER.replace(b'"cpf"', b'"Supplier"'), "twice: supplier", THE_HOUSES_COLUMNS),
    "a new column twice": (HOUSE_HEADER.replace(b'"cpf"', b'"x";"x"'), "twice: x", THE_HOUSES_COLUMNS),
    "commas": (HOUSE_HEADER.replace(b";", b","), "the delimiter must be a semicolon", THE_HOUSES_COLUMNS),
    "a web page": (b"<!DOCTYPE html>", "this is a web page", "Fetch 2022."),
    "a zip archive": (zipped(HOUSE_HEADER), "this is a zip archive", "Name it Ano-2022.csv.zip."),
    "only a header": (HOUSE_HEADER, "the file holds a header and no rows", "Fetch 2022."),
}


@pytest.mark.parametrize("case", REFUSED_OF_THE_HOUSE)
def test_what_is_not_the_houses_file_is_refused_with_the_problem_and_the_remedy(case: str) -> None:
    data, problem, remedy = REFUSED_OF_THE_HOUSE[case]
    with pytest.raises(RawFileError) as refusal:
        house_rows(data)
    assert problem in refusal.value.problem
    assert refusal.value.remedy == remedy


# quotes that the publisher forgot to double

RECOVERED: dict[str, tuple[str, list[str]]] = {
    "inside a field": ('"A";"";"B";"Raul"s Eventos";"1"', ["A", "", "B", 'Raul"s Eventos', "1"]),
    "two of them": ('"A";"";"B";"BAR "DO ZÉ" LTDA";"1"', ["A", "", "B", 'BAR "DO ZÉ" LTDA', "1"]),
    "at a field's end": ('"A";"";"B";"BAR "DO ZÉ"";"1"', ["A", "", "B", 'BAR "DO ZÉ"', "1"]),
    "at a field's start": ('"A";"";"B";""ZÉ" LTDA";"1"', ["A", "", "B", '"ZÉ" LTDA', "1"]),
    "in the first field": ('"A"B";"";"B";"C";"1"', ['A"B', "", "B", "C", "1"]),
    "in the last field": ('"A";"";"B";"C";"1"2"', ["A", "", "B", "C", '1"2']),
    "beside a doubled one in another field": ('"A ""B""";"";"B";"C"D";"1"', ['A "B"', "", "B", 'C"D', "1"]),
    "beside a doubled one in the same field": ('"A ""B"" C"D";"";"B";"C";"1"', ['A ""B"" C"D', "", "B", "C", "1"]),
    "beside delimiters": ('"A;B";"";";C";"D"E";"1"', ["A;B", "", ";C", 'D"E', "1"]),
    "although the line could be other fields, too few": (
        '"A"";""B";"";"C";"1"',
        ['A"', '"B', "", "C", "1"],
    ),
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("case", RECOVERED)
def test_a_line_whose_quotes_are_not_doubled_is_split_where_only_one_way_is_possible(case: str, newline: str) -> None:
    line, fields = RECOVERED[case]
    rows = house_rows(HOUSE_HEADER + HOUSE_ROW + f"{line}{newline}".encode() + HOUSE_ROW)
    assert house_fields(rows[1]) == fields
    assert [(row["source_line"], row["unreadable_reason"]) for row in rows] == [(2, None), (3, None), (4, None)]


AMBIGUOUS: dict[str, tuple[str, str]] = {
    "a quoted delimiter inside a field": ('"A";"";"B";"C "X";"Y" D";"1"', STRAY),
    "a delimiter between quotes that are both of two fields": ('"A";";"B";"C"D";"E";"1"', STRAY),
    "a field that is not quoted": ('"A";"";"B";"C"D";1', STRAY),
    "a field too few": ('"A";"";"C"D";"1"', STRAY),
    "the last quote cut off": ('"A";"";"B";"C"D";"1', STRAY),
    "a single quote": ('"', UNCLOSED),
    "no stray quote, a field too many": ('"A";"";"B";"C";"D";"1"', "6 fields instead of 5"),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_a_line_that_could_be_split_in_two_ways_or_in_none_is_unreadable(case: str) -> None:
    line, reason = AMBIGUOUS[case]
    row = house_rows(HOUSE_HEADER + HOUSE_ROW + f"{line}\n".encode() + HOUSE_ROW)[1]
    assert (row["unreadable_text"], row["unreadable_reason"]) == (line, reason)


def test_where_quotes_are_rare_a_line_is_not_split_at_them() -> None:
    source = replace(HOUSE, quotes_every_field=False)
    row = rows_of(HOUSE_HEADER + b'"A";"";"B";"Raul"s Eventos";"1"\n', source)[0]
    assert row["unreadable_reason"] == STRAY


def test_quotes_as_they_must_be_come_before_any_recovery() -> None:
    row = house_rows(HOUSE_HEADER + b'"A"";";"";"B";"C";"1"\n')[0]
    assert house_fields(row) == ['A";', "", "B", "C", "1"]


# whatever the rows

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0"), max_size=12)
DATES = st.integers(FIRST_YEAR, 2017).map(lambda year: f"{year}-01-31 00:00:00")
RECEIPTS = st.lists(st.tuples(DATES, TEXTS, TEXTS, TEXTS), min_size=1, max_size=12)


@settings(deadline=None, max_examples=80)
@given(receipts=RECEIPTS, size=st.integers(1, 200))
def test_what_goes_in_comes_out_in_order_with_its_line_number(receipts: list[tuple[str, ...]], size: int) -> None:
    with blocks_of_size(size):
        rows = rows_of(HEADER + as_csv(receipts))
    assert [(row["source_line"], tuple(fields_of(row))) for row in rows] == list(enumerate(receipts, start=2))


def damage(line: str, draw: st.DrawFn) -> str:
    """One line, no longer what it was: something put in, something taken out, or nothing left."""
    position = draw(st.integers(0, len(line)))
    inserted = draw(st.sampled_from(['"', '""', ",", "\r", ",,", '",', " ", "\t", ""]))
    return line[:position] + inserted + line[position + draw(st.integers(0, 3)) :]


@st.composite
def damaged_files(draw: st.DrawFn) -> tuple[list[str], set[int]]:
    """The lines of a file, and which of them were damaged."""
    lines = as_csv(draw(RECEIPTS)).decode().removesuffix("\n").split("\n")
    damaged = draw(st.sets(st.integers(0, len(lines) - 1), max_size=4))
    return [damage(line, draw) if number in damaged else line for number, line in enumerate(lines)], damaged


@settings(deadline=None, max_examples=150)
@given(file=damaged_files(), size=st.integers(1, 200))
def test_however_lines_are_damaged_each_is_one_row(file: tuple[list[str], set[int]], size: int) -> None:
    lines, _ = file
    with blocks_of_size(size):
        rows = rows_of(HEADER + "".join(f"{line}\n" for line in lines).encode())
    assert [row["source_line"] for row in rows] == list(range(2, 2 + len(lines)))


@settings(deadline=None, max_examples=150)
@given(file=damaged_files(), size=st.integers(1, 200))
def test_however_lines_are_damaged_the_others_are_what_they_were(file: tuple[list[str], set[int]], size: int) -> None:
    lines, damaged = file
    with blocks_of_size(size):
        rows = rows_of(HEADER + "".join(f"{line}\n" for line in lines).encode())
    sound = [number for number in range(len(lines)) if number not in damaged]
    assert [fields_of(rows[number]) for number in sound] == [next(csv.reader([lines[number]])) for number in sound]


@settings(deadline=None, max_examples=150)
@given(file=damaged_files())
def test_a_line_is_either_its_fields_or_its_exact_text(file: tuple[list[str], set[int]]) -> None:
    lines, _ = file
    rows = rows_of(HEADER + "".join(f"{line}\n" for line in lines).encode())
    for line, row in zip(lines, rows, strict=True):
        if row["unreadable_reason"] is None:
            bare = line.removesuffix("\r")
            assert fields_of(row) in (next(csv.reader([bare])), bare.split(",") if bare.count('"') == 1 else None)
        else:
            assert row["unreadable_text"] == line


HOUSES_ROWS = st.lists(st.tuples(*[TEXTS] * len(HOUSE.columns)), min_size=1, max_size=12)


def as_the_house_writes(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


@settings(deadline=None, max_examples=80)
@given(rows=HOUSES_ROWS, size=st.integers(1, 200), mark=st.sampled_from([b"", b"\xef\xbb\xbf"]))
def test_whatever_the_house_writes_is_read_as_it_was(rows: list[tuple[str, ...]], size: int, mark: bytes) -> None:
    with blocks_of_size(size):
        found = house_rows(mark + as_the_house_writes([HOUSE.columns, *rows]))
    assert [(row["source_line"], tuple(house_fields(row))) for row in found] == list(enumerate(rows, start=2))


WORDS = st.text(st.sampled_from("ABÇ; ,"), max_size=6).map(lambda text: f"X{text}X")
SLOPPY_VALUES = st.lists(WORDS, max_size=3).map('"'.join)
SLOPPY_ROWS = st.lists(st.tuples(*[SLOPPY_VALUES] * len(HOUSE.columns)), min_size=1, max_size=12)


@settings(deadline=None, max_examples=80)
@given(rows=SLOPPY_ROWS)
def test_quotes_between_letters_need_not_be_doubled(rows: list[tuple[str, ...]]) -> None:
    lines = "".join('"' + '";"'.join(row) + '"\n' for row in rows)
    found = house_rows(HOUSE_HEADER + lines.encode())
    assert [tuple(house_fields(row)) for row in found] == rows
