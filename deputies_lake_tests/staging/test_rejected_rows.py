"""The rejected rows: every line that could not be read, with its reason, its place and its text."""

import csv
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from deputies_lake.raw import chamber_expenses, kaggle_refunds, kaggle_reimbursements
from deputies_lake.staging import rejected_rows, stg_chamber_expenses, stg_kaggle_refunds, stg_kaggle_reimbursements
from deputies_lake_tests.staging.raw_rows import (
    Case,
    RawRow,
    by_case,
    by_line,
    chamber_expense,
    lines_of,
    loaded,
    outcome,
    raw_chamber_expenses,
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
    judged = stg_kaggle_reimbursements.judge(raw).withColumn("source_file", F.lit(FILE))
    return rejected_rows.transform(judged, kaggle_reimbursements.CSV)


def rejected_of_house(raw: DataFrame) -> DataFrame:
    judged = stg_chamber_expenses.judge(raw).withColumn("source_file", F.lit("Ano-2022.csv.zip"))
    return rejected_rows.transform(judged, chamber_expenses.CSV, stg_chamber_expenses.PERSONAL)


CASES: Final = (
    Case("the source is named", BAD, {"source_code": "kaggle_reimbursements"}),
    Case("the file is named", BAD, {"source_file": FILE}),
    Case("the reason stays", BAD, {"rejection_reason": "deputy_id is not a number"}),
    Case("the line's year stays", {**BAD, "receipt_date": "2011"}, {"year": 2011}),
    Case("a readable amount is kept", {**BAD, "receipt_value": "70.5"}, {"amount": Decimal("70.50")}),
    Case("an amount of zero is kept", {**BAD, "receipt_value": "0"}, {"amount": Decimal("0.00")}),
    Case("an unreadable amount is null", {"receipt_value": "1.234,56"}, {"amount": None}),
    Case(
        "amounts that the source does not have are null",
        BAD,
        {"document_amount": None, "deduction_amount": None, "returned_amount": None},
    ),
    Case(
        "a CPF in the reason is hidden",
        {"deputy_id": "123.456.789-00"},
        {"rejection_reason": "deputy_id is not a number: ***********"},
    ),
    Case("the category stays", {**BAD, "receipt_description": "X "}, {"expense_category_label": "X "}),
    Case(
        "a line that could not be split keeps its text",
        UNREADABLE,
        {"line_text": '0,2013-03-27,"torn', "rejection_reason": "stray quote"},
    ),
    Case(
        "a line that could not be split has no category and no amount",
        UNREADABLE,
        {"expense_category_label": "", "amount": None},
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


def test_all_sources_rejected_rows_fit_one_table(spark: SparkSession) -> None:
    refunds = stg_kaggle_refunds.judge(raw_refunds(spark, [refund(refund_value="x", refund_description="FUEL COSTS")]))
    of_refunds = rejected_rows.transform(refunds.withColumn("source_file", F.lit("x")), kaggle_refunds.CSV)
    of_house = rejected_of_house(raw_chamber_expenses(spark, [chamber_expense(vlrLiquido="x")]))
    all_rows = rejected(raw_reimbursements(spark, [reimbursement(**BAD)])).unionByName(of_refunds).unionByName(of_house)
    assert {(row["source_code"], row["source_line"], row["expense_category_label"]) for row in all_rows.collect()} == {
        ("kaggle_reimbursements", 2, "Fuels and lubricants."),
        ("kaggle_refunds", 2, "FUEL COSTS"),
        ("chamber_expenses", 2, "COMBUSTÍVEIS E LUBRIFICANTES."),
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


# The House's rows


HOUSE: Final = (
    Case(
        "the net value is what is reconciled, and the other amounts are kept beside it",
        {"vlrLiquido": "70.5", "vlrDocumento": "80", "vlrGlosa": "9,5", "vlrRestituicao": "3"},
        {
            "amount": Decimal("70.50"),
            "document_amount": Decimal("80.00"),
            "deduction_amount": None,
            "returned_amount": Decimal("3.00"),
        },
    ),
    Case(
        "nothing paid back is null",
        {"vlrLiquido": "x", "vlrRestituicao": ""},
        {"amount": None, "returned_amount": None},
    ),
    Case(
        "a line that could not be split has no text, for it may name a passenger",
        {"unreadable_text": "FULANO DE TAL", "unreadable_reason": "stray quote"},
        {"line_text": None},
    ),
)
BETRAYING: Final = {
    "cpf": "98765432100",
    "nuCarteiraParlamentar": "carteira 5150",
    "txtPassageiro": "BELTRANO DE SOUSA",
    "txtCNPJCPF": "111.222.333/00  -",
    "txtFornecedor": "SICRANA DE SOUSA 22233344400",
    "txtNumero": "333.444.555-00",
}


@pytest.fixture(scope="module")
def of_house(spark: SparkSession) -> dict[str, Row]:
    return by_case(
        HOUSE, rejected_of_house(raw_chamber_expenses(spark, [chamber_expense(**case.given) for case in HOUSE]))
    )


@pytest.mark.parametrize("case", HOUSE, ids=str)
def test_a_rejected_line_of_the_house_keeps_what_is_known_of_it(case: Case, of_house: Mapping[str, Row]) -> None:
    assert outcome(case, of_house[case.must]) == case.expected


@pytest.fixture(scope="module")
def betraying(spark: SparkSession) -> list[str]:
    """The text of a line that holds all that may not leave raw, field by field."""
    raw = raw_chamber_expenses(spark, [chamber_expense(**BETRAYING, vlrLiquido="1,5")])
    text = rejected_of_house(raw).collect()[0]["line_text"]
    return next(csv.reader([text], delimiter=";", strict=True))


def test_the_text_of_the_houses_line_has_all_its_fields(betraying: Sequence[str]) -> None:
    fields = dict(zip(chamber_expenses.CSV.columns, betraying, strict=True))
    assert (fields["txNomeParlamentar"], fields["vlrLiquido"]) == ("Fulana De Tal", "1,5")


@pytest.mark.parametrize("column", stg_chamber_expenses.PERSONAL)
def test_the_text_of_the_houses_line_lacks_what_ends_in_raw(column: str, betraying: Sequence[str]) -> None:
    assert dict(zip(chamber_expenses.CSV.columns, betraying, strict=True))[column] == ""


def test_the_text_of_the_houses_line_shows_no_cpf(betraying: Sequence[str]) -> None:
    assert [field for field in betraying if re.search(r"\d{11}|\d{3}[.]\d{3}[.]\d{3}[-/]\d\d(?!\d)", field)] == []


def test_the_text_of_the_houses_line_keeps_a_companys_id(spark: SparkSession) -> None:
    row = chamber_expense(txtCNPJCPF="011.222.333/0001-8", vlrLiquido="x")
    assert '"011.222.333/0001-8"' in rejected_of_house(raw_chamber_expenses(spark, [row])).collect()[0]["line_text"]
