"""Kaggle's refunds of 2016: cents and sign kept, rounded ids repaired, the parties' attributes typed."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final

import pytest
from pyspark.sql import Row, SparkSession

from deputies_lake.raw import kaggle_refunds
from deputies_lake.staging import stg_kaggle_refunds
from deputies_lake_tests.staging import check_digits
from deputies_lake_tests.staging.raw_rows import (
    Case,
    RawRow,
    by_case,
    by_line,
    is_counted,
    outcome,
    raw_refunds,
    refund,
    stage_refunds,
)

TABLE: Final = stg_kaggle_refunds.TABLE
HEAD_OFFICE: Final = check_digits.cnpj("987654320001")
SMALL_COMPANY: Final = check_digits.cnpj("001234560001")

CATEGORIES: Final = {
    "AIRPLANE RENT": "119",
    "CONSULTING, RESEARCH AND TECHNICAL WORK COSTS": "4",
    "DISSEMINATION OF PARLIAMENTARY ACTIVITY": "5",
    "FLIGHT TICKET": "9+999",
    "FUEL COSTS": "3",
    "GROUND TRANSPORTATION TICKET": "123",
    "GROUND VEHICLE RENT": "120",
    "HOTEL COSTS": "14",
    "MAIL COSTS": "11",
    "MEAL COSTS": "13",
    "OFFICE MAINTENANCE": "1",
    "PHONE COSTS": "10",
    "PUBLICATION SIGNATURE EXPENSES": "12",
    "SECURITY SERVICE": "8",
    "SHIP/BOAT RENT": "121",
    "TAXI, PARKING AND TOLL COSTS": "122",
    "WORKSHOP/COURSE/EVENT COSTS": "137",
}


def dated(must: str, text: str, expected: date | None) -> Case:
    return Case(must, {"refund_date": text}, {"receipt_date": expected})


def worth(must: str, text: str, expected: str) -> Case:
    return Case(must, {"refund_value": text}, {"refund_amount": Decimal(expected)})


def attribute(must: str, published: str, text: str, column: str, expected: object) -> Case:
    return Case(must, {published: text}, {column: expected})


def office(name: str, state: str, party: str) -> Case:
    return Case(
        f"{name} of state {state!r} and party {party!r} is a leadership office",
        {"deputy_name": name, "deputy_state": state, "political_party": party},
        {"is_leadership": True, "state_code": None, "party_label": None},
    )


def supplied(must: str, text: str, kind: str, supplier_id: str | None) -> Case:
    return Case(must, {"company_id": text}, {"supplier_id_kind": kind, "supplier_id": supplier_id})


CASES: Final = (
    worth("cents are kept", "937.63", "937.63"),
    worth("one decimal place is tenths", "150.5", "150.50"),
    worth("a returned ticket stays negative", "-6100.0", "-6100.00"),
    worth("an amount of zero is kept", "0.0", "0.00"),
    worth("the largest amount is kept", "184500.0", "184500.00"),
    dated("the receipt's day is kept", "2016-07-29T00:00:00", date(2016, 7, 29)),
    dated("milliseconds are cut off", "2016-07-29T23:59:59.943", date(2016, 7, 29)),
    dated("no date is unknown", "", None),
    dated("shifted junk is unknown", "1378520", None),
    dated("an impossible day is unknown", "2016-02-30T00:00:00", None),
    dated("29 February 2016 is a day", "2016-02-29T00:00:00", date(2016, 2, 29)),
    dated("a receipt of the year before keeps its day", "2015-12-31T00:00:00", date(2015, 12, 31)),
    dated("a month without a day is no day", "2016-07", None),
    Case("a row is of the quota year 2016", {"refund_date": "2015-12-31T00:00:00"}, {"year": 2016}),
    attribute("members are a number", "party_nmembers", "15606", "party_members", 15606),
    attribute("members written as a float are a number", "party_nmembers", "161914.0", "party_members", 161914),
    attribute("members of Nan are unknown", "party_nmembers", "Nan", "party_members", None),
    attribute("members of nan are unknown", "party_nmembers", "nan", "party_members", None),
    attribute("no members are unknown", "party_nmembers", "", "party_members", None),
    attribute("a party's number loses the float's zero", "party_tse", "25.0", "party_number", "25"),
    attribute("a party's number stays as it is", "party_tse", "25", "party_number", "25"),
    attribute("a party's number of whole tens stays as it is", "party_tse", "50", "party_number", "50"),
    attribute("a party's number that ends with a zero keeps it", "party_tse", "50.0", "party_number", "50"),
    attribute("a party's number of Nan is unknown", "party_tse", "Nan", "party_number", None),
    attribute("a party's Portuguese name", "party_pg", "Democratas", "party_name_pt", "Democratas"),
    attribute("a party's English name", "party_en", "Democrats", "party_name_en", "Democrats"),
    attribute("a party's registration", "party_regdate", "11.9.1986", "party_registered", "11.9.1986"),
    attribute("a party's position", "party_position", "Centreright", "party_position", "Centreright"),
    attribute("a position of Nan is unknown", "party_position", "Nan", "party_position", None),
    Case(
        "ideologies are joined in their order without those that are missing",
        {"party_ideology1": "Liberalism", "party_ideology3": "Nan", "party_ideology4": "Conservatism"},
        {"party_ideologies": "Liberalism; Conservatism"},
    ),
    Case("no ideologies are unknown", {}, {"party_ideologies": None}),
    *(
        office(name, state, party)
        for name in ("LIDERANÇA DO PSDB", "LID.GOV-CD", "PDT", "SDD", "PODE")
        for state, party in (("", ""), ("NA", ""), ("nan", "nan"))
    ),
    Case(
        "a deputy without a state is no office",
        {"deputy_name": "FULANO DE TAL", "deputy_state": ""},
        {"is_leadership": False, "state_code": None},
    ),
    Case(
        "a deputy called like a party with a state is no office",
        {"deputy_name": "PATRIOTA", "deputy_state": "PE"},
        {"is_leadership": False, "state_code": "PE"},
    ),
    Case("a deputy's party is kept", {"political_party": " S.PART."}, {"party_label": "S.PART."}),
    *(
        Case(
            f"the category {label!r} has the House's code",
            {"refund_description": label},
            {"expense_category_label": label, "expense_category_id": code},
        )
        for label, code in CATEGORIES.items()
    ),
    Case(
        "a category label without a code loads as itself",
        {"refund_description": "SPACE TRAVEL"},
        {"expense_category_label": "SPACE TRAVEL", "expense_category_id": None},
    ),
    supplied("a rounded id is repaired", check_digits.rounded_text(int(HEAD_OFFICE)), "cnpj", HEAD_OFFICE),
    supplied(
        "an id of twelve digits was not rounded",
        check_digits.rounded_text(int(SMALL_COMPANY)),
        "cnpj",
        SMALL_COMPANY,
    ),
    supplied("a person is masked", "1.2345678909e+10", "cpf", "***.456.789-**"),
    supplied("no id is none", "", "none", None),
    Case(
        "receipts of one company share its id as a token",
        {"company_id": check_digits.rounded_text(int(HEAD_OFFICE))},
        {"supplier_token": HEAD_OFFICE},
    ),
    Case(
        "a supplier's name loses a CPF",
        {"company_name": "FULANO 12345678909"},
        {"supplier_name": "FULANO ***********"},
    ),
    Case("a row says from which file it came", {}, {"source_file": "dirty_deputies_v2.csv"}),
)


@pytest.fixture(scope="module")
def typed(spark: SparkSession) -> dict[str, Row]:
    return by_case(CASES, stage_refunds(raw_refunds(spark, [refund(**case.given) for case in CASES])))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_published_row_is_typed(case: Case, typed: Mapping[str, Row]) -> None:
    assert outcome(case, typed[case.must]) == case.expected


def test_the_columns_are_those_of_the_contract(spark: SparkSession) -> None:
    rows = stage_refunds(raw_refunds(spark, [refund()]))
    assert rows.dtypes == [(column.name, column.type) for column in TABLE.columns]


def test_required_columns_are_never_null(typed: Mapping[str, Row]) -> None:
    assert {name for row in typed.values() for name in TABLE.required if row[name] is None} == set()


def test_rows_identical_to_the_letter_are_kept_and_numbered(spark: SparkSession) -> None:
    rows = [refund(), refund(refund_value="1.0"), refund()]
    keys = {line: row["refund_key"] for line, row in by_line(stage_refunds(raw_refunds(spark, rows))).items()}
    assert len(set(keys.values())) == len(rows)


# Rows that can't be read


def rejected(must: str, given: RawRow, reason: str | None) -> Case:
    return Case(must, given, {"rejection_reason": reason})


JUDGED: Final = (
    rejected("an ordinary row", {}, None),
    rejected(
        "a line that could not be split", {"unreadable_reason": "3 fields instead of 18"}, "3 fields instead of 18"
    ),
    *(
        rejected(f"refund_value {text!r}", {"refund_value": text}, f"refund_value {fault}")
        for text, fault in {
            "": "is empty",
            "937,63": "has a comma, where amounts have a decimal point: 937,63",
            "nan": "is not an amount",
            "937.635": "is not an amount: 937.635",
        }.items()
    ),
    rejected(
        "a summary line",
        dict.fromkeys(("refund_description", "deputy_state", "political_party"), ""),
        "a summary line, not a refund: it has no category, state and party",
    ),
    *(
        rejected(f"{column} of {text}", {column: text}, f"{column} is not a whole number: {text}")
        for column in ("party_tse", "party_nmembers")
        for text in ("25.5", "1.5e+05")
    ),
    *(
        rejected(f"an empty {column}", {column: ""}, None)
        for column in kaggle_refunds.CSV.columns
        if column != "refund_value"
    ),
)


@pytest.fixture(scope="module")
def judged(spark: SparkSession) -> dict[str, Row]:
    raw = raw_refunds(spark, [refund(**case.given) for case in JUDGED])
    return by_case(JUDGED, stg_kaggle_refunds.judge(raw))


@pytest.mark.parametrize("case", JUDGED, ids=str)
def test_a_row_that_can_not_be_read_says_why(case: Case, judged: Mapping[str, Row]) -> None:
    assert outcome(case, judged[case.must]) == case.expected


@pytest.mark.parametrize("case", JUDGED, ids=str)
def test_a_row_that_can_not_be_read_counts_when_its_file_is_judged(case: Case) -> None:
    is_rejected = case.expected["rejection_reason"] is not None
    assert is_counted(kaggle_refunds, refund(**case.given)) is is_rejected
