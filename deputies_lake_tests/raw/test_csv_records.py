"""Records of RFC 4180 against Python's own reader, whole and with faults put in: nothing lost, nothing made up."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from unittest import mock

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deputies_lake.raw import csv_records, published_csv
from deputies_lake.raw.amounts import readable_amounts
from deputies_lake.raw.csv_records import MOST_LINES
from deputies_lake.raw.published_csv import PublishedCsv, read_blocks

COLUMNS = ("deputy", "category", "supplier", "trip", "document", "amount")
SOURCE = PublishedCsv(
    source_code="receipts",
    file_names=("receipts.csv",),
    columns=COLUMNS,
    only_year=2022,
    category_column="category",
    amount_column="amount",
    obtain="Fetch receipts.csv.",
)
ROW = ["FULANA", "TAXI", "POSTO", "BSB", "7", "1.50"]

ACCENTED = [["FULANA", "TAXI", "SÃO JOÃO", "BSB", "7", "1.50"]] * 4
"""Above damaged lines, which are then not most of those by which the encoding of a file is told."""

Fields = tuple[str, ...]


def lines_of(data: bytes, *, accepted: bool = False) -> pa.Table:
    tables = read_blocks(io.BufferedReader(io.BytesIO(data)), "receipts.csv", SOURCE, accepted=accepted).tables
    return pa.concat_tables(tables)


def in_pieces(data: bytes, size: int) -> pa.Table:
    """As `lines_of`, in blocks of `size` bytes that are halved down to single lines."""
    with mock.patch.object(published_csv, "BLOCK_BYTES", size), mock.patch.object(csv_records, "_FEW_BYTES", 1):
        return lines_of(data, accepted=True)


def fields_of(lines: pa.Table) -> list[Fields]:
    return [tuple(row[name] for name in COLUMNS) for row in lines.to_pylist()]


def readable(lines: pa.Table) -> list[Fields]:
    return fields_of(lines.filter(pc.is_null(lines["unreadable_reason"])))


def as_csv(rows: Sequence[Sequence[str]], *, newline: str = "\n", quoting: int = csv.QUOTE_MINIMAL) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=newline, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([COLUMNS, *rows])
    return text.getvalue().encode()


def with_line(line: bytes) -> pa.Table:
    """What is read of a line, or of several, between two sound rows."""
    sound = ",".join(ROW).encode() + b"\n"
    return lines_of(",".join(COLUMNS).encode() + b"\n" + sound + line + b"\n" + sound)


# records on several lines


def test_a_record_on_several_lines_is_one_row_on_its_first_line() -> None:
    lines = with_line(b'FULANA,TAXI,"POSTO\nDA ESQUINA\n\nMATRIZ",BSB,7,1.50')
    assert lines["source_line"].to_pylist() == [2, 3, 7]
    assert fields_of(lines)[1][2] == "POSTO\nDA ESQUINA\n\nMATRIZ"


def test_a_record_on_several_lines_keeps_the_line_ends_of_its_file() -> None:
    assert fields_of(with_line(b'FULANA,TAXI,"POSTO\r\nMATRIZ",BSB,7,1.50\r'))[1][2] == "POSTO\r\nMATRIZ"


def test_a_record_at_the_files_end_needs_no_line_end() -> None:
    assert readable(lines_of(as_csv([ROW, [*ROW[:5], "1\n2"]]).removesuffix(b"\n"))) == [
        tuple(ROW),
        (*ROW[:5], "1\n2"),
    ]


SWALLOWING = {
    "a row between two stray quotes": b'A,B,"C,D,7,1\nA,B,C,D,7,2\nA,B,C",D,7,3',
    "two rows with a stray quote each": b'A,B,"C,D,7,1\nA,B,C",D,7,2',
    "a row after half a line": b'A,"B\nA,B,C,D,7,2\nA",B,C,D,7',
    "half a line and a row": b'"A\nA,B,C,D,7,2\nB",B,C,D,7,3',
}


@pytest.mark.parametrize("case", SWALLOWING)
def test_lines_that_are_rows_by_themselves_are_never_joined(case: str) -> None:
    lines = with_line(SWALLOWING[case])
    assert lines["source_line"].to_pylist() == list(range(2, 2 + len(lines)))
    assert [fields for fields in readable(lines) if fields[-1] == "2"] != []


NOT_JOINED = {
    "a line end outside quotes": (b"FULANA,TAXI,POSTO\nMATRIZ,BSB,7,1.50", "3 fields instead of 6"),
    "a record of too few fields": (b'FULANA,TAXI,"POSTO\nMATRIZ",BSB', "a quote is opened and not closed"),
    "a stray quote further down": (b'FULANA,"TAXI\nPO"STO",BSB,7,1', "a quote is opened and not closed"),
    "too many lines": (
        b'FULANA,TAXI,"' + b"x\n" * MOST_LINES + b'",BSB,7,1.50',
        "a quote is opened and not closed",
    ),
}


@pytest.mark.parametrize("case", NOT_JOINED)
def test_lines_that_are_no_record_together_stay_lines_by_themselves(case: str) -> None:
    damaged, reason = NOT_JOINED[case]
    lines = with_line(damaged)
    assert lines["source_line"].to_pylist() == list(range(2, 2 + damaged.count(b"\n") + 3))
    assert lines["unreadable_reason"].to_pylist()[1] == reason
    assert readable(lines) == [tuple(ROW), tuple(ROW)]


def test_a_record_on_as_many_lines_as_there_may_be_is_joined() -> None:
    text = "x\n" * (MOST_LINES - 1)
    assert readable(with_line(f'FULANA,TAXI,"{text}",BSB,7,1.50'.encode()))[1][2] == text


# whatever the rows

# No more delimiters in a text than leave its record shorter than two rows.
TEXTS = st.text(st.sampled_from('aÇ0 "\n;.'), max_size=6)
VALUES = st.tuples(*[TEXTS] * 4, st.sampled_from(["", "a,b", ",\n", '",'])).map(tuple)
AMOUNTS = st.decimals(min_value=-(10**7), max_value=10**7, places=2).map(str)
ROWS = st.lists(st.tuples(VALUES, AMOUNTS).map(lambda row: (*row[0], row[1])), min_size=1, max_size=8)
SIZES = st.integers(1, 120)


def total(lines: pa.Table) -> Decimal:
    return sum((Decimal(amount) for amount in readable_amounts(lines["amount"]).to_pylist() if amount), Decimal(0))


@settings(deadline=None, max_examples=150)
@given(
    rows=ROWS,
    size=SIZES,
    newline=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    cut=st.booleans(),
)
def test_what_the_csv_module_writes_is_read_as_the_csv_module_reads_it(
    rows: list[Fields], size: int, newline: str, quoting: int, mark: bytes, cut: bool
) -> None:
    data = as_csv(rows, newline=newline, quoting=quoting)
    expected = list(csv.reader(io.StringIO(data.decode(), newline="")))[1:]
    lines = in_pieces(mark + (data.removesuffix(newline.encode()) if cut else data), size)
    assert fields_of(lines) == [tuple(fields) for fields in expected] == rows
    assert lines["unreadable_reason"].null_count == len(rows)
    assert total(lines) == sum((Decimal(row[-1]) for row in rows), Decimal(0))


PLAIN = st.lists(
    st.tuples(*[st.text(st.sampled_from("aÇ0 ;."), max_size=6)] * 4, st.sampled_from(["", "b c"]), AMOUNTS),
    min_size=1,
    max_size=12,
)
FAULTS = st.sampled_from([b'"', b'""', b',"', b'",', b"\0", b"\xe9", b"\xff", b"\r", b",", b"\n", b'"\n'])


@settings(deadline=None, max_examples=250)
@given(rows=PLAIN, faults=st.dictionaries(st.integers(0, 11), FAULTS, max_size=3), place=st.integers(0), size=SIZES)
def test_a_fault_costs_its_own_line_and_makes_nothing_up(
    rows: list[Fields], faults: dict[int, bytes], place: int, size: int
) -> None:
    all_lines = as_csv([*ACCENTED, *rows]).splitlines(keepends=True)
    header, lines = b"".join(all_lines[: 1 + len(ACCENTED)]), all_lines[1 + len(ACCENTED) :]
    damaged = list(lines)
    for number, fault in faults.items():
        if number < len(lines):
            at = place % len(lines[number])
            damaged[number] = lines[number][:at] + fault + lines[number][at:]
    data = header + b"".join(damaged)
    found = in_pieces(data, size)
    # Each line is a row, but those that were joined, and these are no row by themselves.
    sound = Counter(fields for number, fields in enumerate(rows) if number not in faults)
    assert not sound - Counter(readable(found))
    numbers = found["source_line"].to_pylist()
    assert numbers == sorted(set(numbers))
    # What is read of a damaged line are its own characters, in their order.
    text = data.decode(errors="backslashreplace").replace('"', "").replace(",", "")
    for fields in readable(found):
        assert "".join(fields).replace('"', "").replace(",", "") in text


@settings(deadline=None, max_examples=150)
@given(rows=ROWS, at=st.integers(0), size=SIZES)
def test_of_a_file_cut_off_anywhere_no_row_is_made_up(rows: list[Fields], at: int, size: int) -> None:
    data = as_csv(rows, quoting=csv.QUOTE_ALL)
    start = data.index(b"\n") + 1
    end = start + 1 + at % (len(data) - start)
    lines = in_pieces(data[:end], size)
    # A line that ends behind its last delimiter has an empty last field: no amount, so staging rejects it.
    known = {*rows, *((*fields[:-1], "") for fields in rows)}
    assert [fields for fields in readable(lines) if fields not in known] == []


@settings(deadline=None, max_examples=100)
@given(rows=ROWS, fault=FAULTS, at=st.integers(0), size=SIZES)
def test_the_rows_do_not_depend_on_where_blocks_end(rows: list[Fields], fault: bytes, at: int, size: int) -> None:
    data = as_csv([*ACCENTED, *rows])
    start = len(as_csv(ACCENTED))
    place = start + at % (len(data) - start)
    damaged = data[:place] + fault + data[place:]
    assert in_pieces(damaged, size).to_pylist() == in_pieces(damaged, 1 << 20).to_pylist()
