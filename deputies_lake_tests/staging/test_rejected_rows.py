"""The rejected rows: every line that could not be read, with its reason, its place and its text."""

import csv
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from deputies_lake.raw import kaggle_refunds, kaggle_reimbursements
from deputies_lake.staging import rejected_rows, stg_kaggle_refunds, stg_kaggle_reimbursements
from deputies_lake_tests.staging.raw_rows import (
    Case,
    RawRow,
    by_case,
    by_line,
    lines_of,
    loaded,
    outcome,
    raw_refunds,
    raw_reimbursements,
    refund,
    reimbursement,
)

TABLE: Final = rejected_rows.TABLE
FILE: Final = "deputies_dataset.csv.gz"
BAD: Final[RawRow] = {"deputy_id": "x"}
UNREADABLE: Final[RawRow] = {
    **dict.fromkeys(kaggle_reimbursements.CSV.columns, ""),
    "year": 2013,
    "unreadable_text": '0,2013-03-27,"torn',
    "unreadable_reason": "stray quote",
}


def rejected(raw: DataFrame) -> DataFrame:
    judged = stg_kaggle_reimbursements.judge(raw)
    return rejected_rows.transform(judged, kaggle_reimbursements.CSV, FILE)


CASES: Final = (
    Case("the source is named", BAD, {"source_code": "kaggle_reimbursements"}),
    Case("the file is named", BAD, {"source_file": FILE}),
    Case("the reason stays", BAD, {"rejection_reason": "deputy_id is not a number: x"}),
    Case("the line's year stays", {**BAD, "receipt_date": "2011"}, {"year": 2011}),
    Case("a readable amount is kept", {**BAD, "receipt_value": "70.5"}, {"document_amount": Decimal("70.50")}),
    Case("an amount of zero is kept", {**BAD, "receipt_value": "0"}, {"document_amount": Decimal("0.00")}),
    Case("an unreadable amount is null", {"receipt_value": "1.234,56"}, {"document_amount": None}),
    Case("the category stays", {**BAD, "receipt_description": "X "}, {"expense_category_label": "X "}),
    Case(
        "a line that could not be split keeps its text",
        UNREADABLE,
        {"line_text": '0,2013-03-27,"torn', "rejection_reason": "stray quote"},
    ),
    Case(
        "a line that could not be split has no category and no amount",
        UNREADABLE,
        {"expense_category_label": "", "document_amount": None},
    ),
)


@pytest.fixture(scope="module")
def typed(spark: SparkSession) -> dict[str, Row]:
    return by_case(CASES, rejected(raw_reimbursements(spark, [reimbursement(**case.given) for case in CASES])))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_rejected_line_keeps_what_is_known_of_it(case: Case, typed: Mapping[str, Row]) -> None:
    assert outcome(case, typed[case.must]) == case.expected


def test_only_rejected_rows_are_here(spark: SparkSession) -> None:
    rows = [reimbursement(), reimbursement(**BAD), reimbursement()]
    assert by_line(rejected(raw_reimbursements(spark, rows))).keys() == {3}


def test_the_columns_are_those_of_the_contract(spark: SparkSession) -> None:
    rows = rejected(raw_reimbursements(spark, [reimbursement()]))
    assert rows.dtypes == [(column.name, column.type) for column in TABLE.columns]


def test_required_columns_are_never_null(typed: Mapping[str, Row]) -> None:
    assert {name for row in typed.values() for name in TABLE.required if row[name] is None} == set()


def test_both_sources_rejected_rows_fit_one_table(spark: SparkSession) -> None:
    refunds = stg_kaggle_refunds.judge(raw_refunds(spark, [refund(refund_value="x", refund_description="FUEL COSTS")]))
    both = rejected(raw_reimbursements(spark, [reimbursement(**BAD)])).unionByName(
        rejected_rows.transform(refunds, kaggle_refunds.CSV, "dirty_deputies_v2.csv")
    )
    assert {(row["source_code"], row["source_line"], row["expense_category_label"]) for row in both.collect()} == {
        ("kaggle_reimbursements", 2, "Fuels and lubricants."),
        ("kaggle_refunds", 2, "FUEL COSTS"),
    }


# The text of a line that was split, put together again

TEXTS: Final = {
    "plain text": "AUTO POSTO",
    "a comma": "BAR, LTDA",
    "a quote": 'BAR DO "ZÉ"',
    "a quote and a comma": 'BAR "ZÉ", LTDA',
    "a backslash": "BAR \\ LTDA",
    "a backslash and a quote": 'BAR \\" LTDA',
    "blanks around it": "  BAR ",
    "nothing": "",
    "a number sign": "#1",
    "accents": "CAFÉ AÇAÍ",
}


@pytest.fixture(scope="module")
def texts(spark: SparkSession) -> dict[str, Row]:
    cases = [Case(what, {**BAD, "establishment_name": text}, {}) for what, text in TEXTS.items()]
    return by_case(cases, rejected(raw_reimbursements(spark, [reimbursement(**case.given) for case in cases])))


@pytest.mark.parametrize("what", TEXTS)
def test_the_lines_text_holds_each_field_as_it_was_published(what: str, texts: Mapping[str, Row]) -> None:
    row = reimbursement(**BAD, establishment_name=TEXTS[what])
    published = [str(row[name]) for name in kaggle_reimbursements.CSV.columns]
    assert next(csv.reader([texts[what]["line_text"]], strict=True)) == published


def test_a_blank_before_the_first_field_is_in_the_text(spark: SparkSession) -> None:
    row = rejected(raw_reimbursements(spark, [reimbursement(bugged_date=" 1")])).collect()[0]
    assert row["line_text"].startswith(" 1,")


def test_a_published_line_comes_back_as_it_was(spark: SparkSession, tmp_path: Path) -> None:
    line = '0,2013-03-27 00:00:00,x, S.PART.,PR,Fulano,,"Taxi Service, Toll & Parking","BAR DO ""ZÉ"", LTDA",70'
    content = f"{','.join(kaggle_reimbursements.CSV.columns)}\n{line}\n".encode()
    raw = loaded(spark, lines_of(kaggle_reimbursements.CSV, content), tmp_path)
    assert [row["line_text"] for row in rejected(raw).collect()] == [line]
