"""Columns of text as the sample's files need them, in the cases that no whole file is sure to have."""

import csv
import io

import pytest

from deputies_lake.sample.lines import as_bytes, cut_off, quoted_texts, texts

ODD = ["plain", "a,comma", "a;semicolon", 'a "quote"', "", '"', "a|bar"]


def test_bytes_are_those_of_the_lines_though_their_buffer_holds_more() -> None:
    assert bytes(as_bytes(texts(["one\n", "two\n", "three\n"]).slice(1, 1))) == b"two\n"


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_fields_are_quoted_as_pythons_csv_writer_does(delimiter: str) -> None:
    written = io.StringIO(newline="")
    # A second field, for an empty one alone in its row would be quoted, too.
    csv.writer(written, delimiter=delimiter, lineterminator="\n").writerows([text, "end"] for text in ODD)
    assert [f"{field}{delimiter}end" for field in quoted_texts(texts(ODD), delimiter).to_pylist()] == (
        written.getvalue().splitlines()
    )


def test_a_line_that_is_cut_off_still_ends() -> None:
    assert cut_off(texts(["12345678\n"])).to_pylist() == ["1234\n"]
