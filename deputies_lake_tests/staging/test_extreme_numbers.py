"""Whatever stands where a number should be: each row is staged or rejected, with the number that the text says or none.

All that was drawn for a source goes through Spark at once.
"""

import re
from collections.abc import Mapping
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from deputies_lake_tests.raw.number_texts import NUMERIC, TEXTS, cents_of, exact, must_be_amount
from deputies_lake_tests.staging.raw_rows import CPF_KEY, file_of, in_batches, lines_of, loaded
from deputies_lake_tests.staging.test_judged import SOURCES, Source

TEXTS_A_COLUMN: Final = 15
AMOUNTS: Final[Mapping[str, str]] = {
    "vlrDocumento": "document_amount",
    "vlrGlosa": "deduction_amount",
    "vlrLiquido": "net_amount",
    "vlrRestituicao": "returned_amount",
    "receipt_value": "document_amount",
    "refund_value": "refund_amount",
}
WHOLE_NUMBERS: Final[Mapping[str, str]] = {
    "codLegislatura": "term_of_office",
    "numAno": "competence_year",
    "numMes": "competence_month",
    "numParcela": "instalment",
    "party_nmembers": "party_members",
}


def batches(source: Source) -> st.SearchStrategy[list[tuple[str, str]]]:
    """For each numeric column what stands there in a row of its own. No NUL, with which a line is not split."""
    texts = st.lists(TEXTS.filter(lambda text: "\0" not in text), min_size=TEXTS_A_COLUMN, max_size=TEXTS_A_COLUMN)
    names = NUMERIC[source.csv.source_code]
    return st.tuples(*[texts] * len(names)).map(
        lambda drawn: [(name, text) for name, of_column in zip(names, drawn, strict=True) for text in of_column]
    )


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.csv.source_code)
@settings(in_batches, max_examples=1)
@given(data=st.data())
def test_each_row_is_staged_with_what_its_text_says_or_rejected(
    source: Source, data: st.DataObject, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cells = data.draw(batches(source))
    lines = lines_of(source.csv, file_of(source.csv, [{**source.ordinary, name: text} for name, text in cells]))
    judged = source.judged(loaded(spark, lines, tmp_path_factory.mktemp("file")), lines)
    staged = source.module.transform(judged.readable(), cpf_key=CPF_KEY).collect()
    rejected = [row["source_line"] for row in judged.rejected().collect()]
    numbers = [*(row["source_line"] for row in staged), *rejected]
    assert sorted(numbers) == list(range(2, len(cells) + 2))
    assert source.sums(staged) == judged.sums()
    found = {cells[row["source_line"] - 2]: row for row in staged}
    assert {cell: row[AMOUNTS[cell[0]]] for cell, row in found.items() if cell[0] in AMOUNTS} == {
        (column, text): cents_of(text) if text.strip(" ") else None for column, text in found if column in AMOUNTS
    }
    must = {(column, text) for column, text in cells if column in AMOUNTS and must_be_amount(text)}
    assert must <= found.keys()
    read = {cell: row[WHOLE_NUMBERS[cell[0]]] for cell, row in found.items() if cell[0] in WHOLE_NUMBERS}
    assert {cell: number for cell, number in read.items() if number is not None and number != whole(cell[1])} == {}
    whole_numbers = {cell for cell in cells if cell[0] in source.csv.whole_number_columns}
    assert {cell for cell in whole_numbers & found.keys() if has_fraction(cell[1])} == set()
    # What has neither fraction nor exponent is of no consequence for the rest of the row.
    assert {cell for cell in whole_numbers if not re.search("[.,eE]", cell[1])} <= found.keys()


def has_fraction(text: str) -> bool:
    number = exact(text)
    return number is not None and number.as_integer_ratio()[1] != 1


def whole(text: str) -> int | None:
    """The whole number that the text is, with at most a fraction of 0; None where it is another, or none."""
    found = re.fullmatch(r"([-+]?[0-9]+)(?:[.,]0*)?", text.strip())
    return int(found[1]) if found else None
