"""The ready-made questions: ten, titled in both languages, and answered from the marts as they are declared."""

from collections.abc import Iterator

import duckdb
import pytest

from deputies_lake.serving.questions import QUESTIONS, Question
from deputies_lake.tables import tables_of


@pytest.fixture(scope="module")
def marts() -> Iterator[duckdb.DuckDBPyConnection]:
    """Every mart, without rows."""
    with duckdb.connect() as connection:
        for mart in tables_of("serving"):
            columns = ", ".join(f"{c.name} {c.type.replace('timestamp_ntz', 'timestamp')}" for c in mart.columns)
            connection.execute(f"CREATE TABLE {mart.name} ({columns})")
        yield connection


def test_they_are_ten() -> None:
    assert [question.number for question in QUESTIONS] == [*range(1, 11)]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"q{question.number:02}")
def test_the_two_titles_are_two(question: Question) -> None:
    assert question.title_pt != question.title_en


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"q{question.number:02}")
def test_it_asks_for_columns_that_the_marts_have(question: Question, marts: duckdb.DuckDBPyConnection) -> None:
    columns = [name for name, *_ in marts.execute(question.sql).description or ()]
    assert columns[0] == "year"
    assert len({*columns}) == len(columns)
