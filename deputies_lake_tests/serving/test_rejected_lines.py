"""What readers are told of lines that could not be read: which, where and why, and nothing that is about a person."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from deputies_lake.lakehouse.lake import Lake
from deputies_lake.raw import file_versions
from deputies_lake.serving import rejected_lines
from deputies_lake.staging import rejected_rows
from deputies_lake_tests.serving import small_lake
from deputies_lake_tests.serving.small_lake import HOUSE, KAGGLE, SHA, commit, row

LINES = (
    {"source_line": 9, "rejection_reason": "31 fields instead of 32", "line_text": "FULANA DE TAL;12345678909"},
    {"source_line": 7, "rejection_reason": "vlrGlosa is not an amount: -", "amount": Decimal("139.76")},
)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = small_lake.build(tmp_path_factory.mktemp("lake"))
    house = {"year": 2025, "source_code": HOUSE, "source_file": "Ano-2025.csv.zip"}
    kaggle = {"year": 2016, "source_code": KAGGLE, "source_file": "deputies_dataset.csv", "source_line": 3}
    rejected = [*({**house, **one} for one in LINES), {**kaggle, "rejection_reason": "9 fields instead of 10"}]
    commit(lake, rejected_rows.TABLE, [row(rejected_rows.TABLE, **one) for one in rejected])
    return lake


def test_each_line_is_listed_with_its_file_and_reason(lake: Lake) -> None:
    of_house = {"year": 2025, "source_code": HOUSE, "file_name": "Ano-2025.csv.zip", "sha256": SHA}
    of_kaggle = {"year": 2016, "source_code": KAGGLE, "file_name": "deputies_dataset.csv", "sha256": None}
    assert rejected_lines.rows(lake) == [
        {**of_house, "line": 7, "reason": "vlrGlosa is not an amount", "amount": Decimal("139.76")},
        {**of_house, "line": 9, "reason": "31 fields instead of 32", "amount": None},
        {**of_kaggle, "line": 3, "reason": "9 fields instead of 10", "amount": None},
    ]


def test_the_text_of_a_line_is_not_served(lake: Lake) -> None:
    assert not [name for name in rejected_lines.TABLE.column_names if "text" in name]
    assert "FULANA" not in repr(rejected_lines.rows(lake))


def test_a_file_that_was_taken_in_after_staging_is_not_that_of_its_lines(tmp_path: Path) -> None:
    lake = small_lake.build(tmp_path)
    commit(lake, rejected_rows.TABLE, [row(rejected_rows.TABLE, year=2025, source_code=HOUSE)])
    newer = {"year": 2025, "decision": "published", "sha256": "cd" * 32, "decided_at": datetime(2100, 1, 1)}  # noqa: DTZ001
    decided = [*lake.rows(file_versions.TABLE), row(file_versions.TABLE, **newer)]
    commit(lake, file_versions.TABLE, decided)
    assert [one["sha256"] for one in rejected_lines.rows(lake)] == [SHA]


def test_a_lake_in_which_nothing_was_staged_has_no_such_lines(tmp_path: Path) -> None:
    assert rejected_lines.rows(small_lake.open_lake(tmp_path)) == []


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("vlrLiquido is not an amount: 1.234,56", "vlrLiquido is not an amount: 1.234,56"),
        ("receipt_value is not an amount: R$ 70,00", "receipt_value is not an amount: R$ 70,00"),
        # A line that was split wrong: the field is another's.
        ("vlrLiquido is not an amount: FULANA DE TAL", "vlrLiquido is not an amount"),
        ("vlrLiquido is not an amount: ***.***.***-**", "vlrLiquido is not an amount"),
        ("deputy_id is not a number: Fulana: 7", "deputy_id is not a number"),
        ("bugged_date is neither 0 nor 1: 2013-03-27", "bugged_date is neither 0 nor 1"),
        ("31 fields instead of 32", "31 fields instead of 32"),
        (
            "stray quote: a quoted field must double its inner quotes",
            "stray quote: a quoted field must double its inner quotes",
        ),
        (
            "nuDeputadoId, ideCadastro and txNomeParlamentar are empty",
            "nuDeputadoId, ideCadastro and txNomeParlamentar are empty",
        ),
    ],
)
def test_a_reason_keeps_a_fields_value_only_where_it_is_a_number(reason: str, told: str) -> None:
    assert rejected_lines.for_readers(reason) == told
