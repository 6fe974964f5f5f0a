"""Equal lines are numbered from the top of a file, however it is cut into blocks."""

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from deputies_lake.raw.equal_lines import EqualLines

Line = tuple[str, str]


def block(lines: Sequence[Line], note: str = "") -> pa.Table:
    """Lines of two columns that count, and of one that does not."""
    names, amounts = zip(*lines, strict=True)
    return pa.table({"name": names, "amount": amounts, "note": [f"{note}{place}" for place in range(len(lines))]})


def numbers(*blocks: Sequence[Line]) -> list[int]:
    """What the lines of a file are numbered that comes in these blocks."""
    lines = EqualLines(["name", "amount"])
    numbered = [lines.numbered(block(of_block, note=str(place))) for place, of_block in enumerate(blocks)]
    return [number for table in numbered for number in table["occurrence"].to_pylist()]


def test_a_line_that_equals_no_other_is_the_first() -> None:
    assert numbers([("a", "1"), ("a", "2"), ("b", "1")]) == [1, 1, 1]


def test_equal_lines_are_numbered_from_the_top() -> None:
    assert numbers([("a", "1"), ("b", "1"), ("a", "1"), ("a", "1")]) == [1, 1, 2, 3]


def test_they_are_counted_across_blocks() -> None:
    assert numbers([("a", "1"), ("a", "1")], [("b", "1"), ("a", "1")], [("a", "1"), ("b", "1")]) == [1, 2, 1, 3, 4, 2]


def test_what_stands_in_one_column_is_not_what_stands_in_another() -> None:
    assert numbers([("ab", ""), ("a", "b"), ("", "ab")]) == [1, 1, 1]


def test_the_lines_keep_their_order_and_their_columns() -> None:
    lines = [("b", "2"), ("a", "1"), ("b", "2")]
    numbered = EqualLines(["name", "amount"]).numbered(block(lines))
    assert numbered.drop_columns(["occurrence"]) == block(lines)
    assert numbered.schema.field("occurrence").type == pa.int32()


FEW = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("12")), min_size=1, max_size=40)


@given(blocks=st.lists(FEW, min_size=1, max_size=12))
def test_a_number_is_one_more_than_the_equal_lines_above(blocks: list[list[Line]]) -> None:
    met: Counter[Line] = Counter()
    expected = []
    for line in (line for of_block in blocks for line in of_block):
        met[line] += 1
        expected.append(met[line])
    assert numbers(*blocks) == expected
