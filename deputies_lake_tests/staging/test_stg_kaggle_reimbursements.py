"""Kaggle's reimbursements: every trap of the published file is read for what it is, and what can't be read says why."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final

import pytest
from pyspark.sql import Row, SparkSession

from deputies_lake.raw import kaggle_reimbursements
from deputies_lake.staging import stg_kaggle_reimbursements
from deputies_lake_tests.staging import check_digits
from deputies_lake_tests.staging.raw_rows import (
    Case,
    RawRow,
    by_case,
    by_line,
    is_counted,
    outcome,
    published,
    raw_reimbursements,
    reimbursement,
    stage_reimbursements,
)

TABLE: Final = stg_kaggle_reimbursements.TABLE
COMPANY: Final = check_digits.cnpj("012345670001")

LEADERSHIPS: Final = (
    *("Liderança Do Psdb", "Liderança Do Pt", "Lid.Gov-Cd", "Lid.Gov-Cn"),
    *("Pdt", "Pros", "Sdd", "Phs", "Psol", "Ptn", "Pode"),
)
WITHOUT_STATE: Final = {"political_party": "SEM PARTIDO ASSOCIADO", "state_code": "Vazio"}
CATEGORIES: Final = {
    "Airline tickets": "9+999",
    "Dissemination of the Parliamentary Activity.": "5",
    "Maintenance of Office": "1",
    "Telephony": "10",
    "Consultancies, Researches and Technical Works.": "4",
    "Fuels and lubricants.": "3",
    "Renting of motor vehicles or chartering of boats": "15",
    "Rental or Chartering of Motor Vehicles": "120",
    "Postal Services": "11",
    "Hosting, except for the Parliamentary in the Federal District.": "14",
    "Renting or Chartering of Aircraft": "119",
    "Food and Meals": "13",
    "Security Service Provided By Specialized Company.": "8",
    "Locomotion, Food and Lodging": "2",
    "Taxi Service, Toll & Parking": "122",
    "Publication Subscription": "12",
    "Acquisition or Location of Software for Postal Services": "7",
    "Acquisition of Office Supplies.": "6",
    "Leasing or Chartering of Boats": "121",
    "Participation in Course, Lecture or Similar Event": "137",
    "Land, Sea or River Tickets": "123",
}


def dated(must: str, text: str, expected: date | None, bugged: str = "0") -> Case:
    return Case(must, {"receipt_date": text, "bugged_date": bugged}, {"receipt_date": expected})


CASES: Final = (
    dated("the receipt's day is kept", "2013-03-27 00:00:00", date(2013, 3, 27)),
    dated("the quota year of a bugged date is no day", "2013", None, bugged="1"),
    dated("a bugged date is unknown even where a day is written", "2013-01-01 00:00:00", None, bugged="1"),
    dated("a bare year is no day although it is not marked as bugged", "2013", None),
    dated("a month without a day is no day", "2013-03", None),
    dated("a month of one digit without a day is no day", "2013-3", None),
    dated("a time of day is cut off", "2017-05-25 11:14:52", date(2017, 5, 25)),
    dated("the last second of a day stays on its day", "2012-12-31 23:59:59", date(2012, 12, 31)),
    dated("what summer time made one o'clock stays on its day", "2009-10-18 01:00:00", date(2009, 10, 18)),
    dated("a day without a time is read", "2013-03-27", date(2013, 3, 27)),
    dated("an impossible day is unknown", "2013-02-30 00:00:00", None),
    dated("29 February of a common year is unknown", "2015-02-29 00:00:00", None),
    dated("29 February of a leap year is a day", "2016-02-29 00:00:00", date(2016, 2, 29)),
    Case("a bugged date keeps its quota year", {"receipt_date": "2011", "bugged_date": "1"}, {"year": 2011}),
    Case(
        "S.PART. loses its leading blank and is a deputy's",
        {"political_party": " S.PART.", "state_code": "PR"},
        {"party_label": "S.PART.", "is_leadership": False, "state_code": "PR"},
    ),
    *(
        Case(
            f"{name} without a state is a leadership office",
            {"deputy_name": name, **WITHOUT_STATE},
            {"is_leadership": True, "state_code": None, "party_label": "SEM PARTIDO ASSOCIADO"},
        )
        for name in LEADERSHIPS
    ),
    *(
        Case(
            f"the former deputy {name} without a state is no office",
            {"deputy_name": name, **WITHOUT_STATE},
            {"is_leadership": False, "state_code": None, "party_label": "SEM PARTIDO ASSOCIADO"},
        )
        for name in ("Fulano De Tal", "Professor Fulaninho", "Lidiane De Tal", "Prosa De Tal")
    ),
    *(
        Case(
            f"a deputy called {name} with a state is no office",
            {"deputy_name": name, "state_code": "PE"},
            {"is_leadership": False, "state_code": "PE"},
        )
        for name in ("Patriota", "Rede", "Liderança De Tal")
    ),
    Case("a deputy's name loses the blanks around it", {"deputy_name": " Fulana "}, {"deputy_name": "Fulana"}),
    Case("a deputy's number stays text", {"deputy_id": "0042"}, {"deputy_id": "0042"}),
    Case("an amount of zero is kept", {"receipt_value": "0"}, {"document_amount": Decimal("0.00")}),
    Case("the largest amount is kept", {"receipt_value": "215000"}, {"document_amount": Decimal("215000.00")}),
    Case("an amount's cents are kept", {"receipt_value": "70.5"}, {"document_amount": Decimal("70.50")}),
    Case("an amount's sign is kept", {"receipt_value": "-70"}, {"document_amount": Decimal("-70.00")}),
    *(
        Case(
            f"the category {label!r} has the House's code",
            {"receipt_description": label},
            {"expense_category_label": label, "expense_category_id": code},
        )
        for label, code in CATEGORIES.items()
    ),
    Case(
        "a category label without a code loads as itself",
        {"receipt_description": "Space travel"},
        {"expense_category_label": "Space travel", "expense_category_id": None},
    ),
    Case(
        "a supplier's id gets its leading zero back",
        {"receipt_social_security_number": f"{int(COMPANY)}.0"},
        {"supplier_id": COMPANY, "supplier_id_kind": "cnpj", "supplier_token": COMPANY},
    ),
    Case(
        "a supplier without an id is its name",
        {"establishment_name": "Celular  Funcional"},
        {"supplier_id": None, "supplier_id_kind": "none", "supplier_token": "CELULAR FUNCIONAL"},
    ),
    Case(
        "a person's id is masked",
        {"receipt_social_security_number": "12345678909.0"},
        {"supplier_id": "***.456.789-**", "supplier_id_kind": "cpf"},
    ),
    Case(
        "a supplier's name loses a CPF and nothing else",
        {"establishment_name": "AUTO  POSTO 12345678909 "},
        {"supplier_name": "AUTO  POSTO *********** "},
    ),
    Case("a row says from which file it came", {}, {"source_file": "deputies_dataset.csv"}),
)


@pytest.fixture(scope="module")
def typed(spark: SparkSession) -> dict[str, Row]:
    raw = raw_reimbursements(spark, [reimbursement(**case.given) for case in CASES])
    return by_case(CASES, stage_reimbursements(raw))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_published_row_is_typed(case: Case, typed: Mapping[str, Row]) -> None:
    assert outcome(case, typed[case.must]) == case.expected


def test_the_columns_are_those_of_the_contract(spark: SparkSession) -> None:
    rows = stage_reimbursements(raw_reimbursements(spark, [reimbursement()]))
    assert rows.dtypes == [(column.name, column.type) for column in TABLE.columns]


def test_required_columns_are_never_null(typed: Mapping[str, Row]) -> None:
    assert {name for row in typed.values() for name in TABLE.required if row[name] is None} == set()


def test_every_category_of_the_file_is_among_the_cases() -> None:
    assert len(CATEGORIES) == 21


def test_quoted_commas_and_quotes_are_part_of_the_text(spark: SparkSession, tmp_path: Path) -> None:
    content = (
        ",".join(kaggle_reimbursements.CSV.columns) + "\n"
        '0,2013-03-27 00:00:00,1,PSB,SP,Fulana,,"Taxi Service, Toll & Parking","BAR DO ""ZÉ"", LTDA",70\n'
    )
    raw = published(spark, kaggle_reimbursements.CSV, content.encode(), tmp_path)
    row = stage_reimbursements(raw).collect()[0]
    assert (row["expense_category_id"], row["supplier_name"]) == ("122", 'BAR DO "ZÉ", LTDA')


# Row keys


def keys(spark: SparkSession, rows: Sequence[RawRow]) -> dict[int, int]:
    """The key of each line."""
    staged = by_line(stage_reimbursements(raw_reimbursements(spark, rows)))
    return {line: row["expense_key"] for line, row in staged.items()}


def rows_of_many_kinds() -> list[RawRow]:
    """Rows that differ in one column each, some of them three times over; each keeps its line wherever it stands."""
    changes: list[dict[str, str]] = [
        {},
        {"bugged_date": "1"},
        {"receipt_date": "2013-03-28 00:00:00"},
        {"receipt_date": "2014-03-27 00:00:00"},
        {"deputy_id": "4243"},
        {"political_party": "PT"},
        {"political_party": " PSB"},
        {"state_code": "RJ"},
        {"deputy_name": "Fulano De Tal"},
        {"receipt_social_security_number": "12345678909.0"},
        {"receipt_description": "Telephony"},
        {"establishment_name": "AUTO POSTO"},
        {"receipt_value": "71"},
    ]
    times = [change for number, change in enumerate(changes) for _ in range(3 if number % 4 == 0 else 1)]
    return [reimbursement(**change, source_line=line) for line, change in enumerate(times, 2)]


@pytest.fixture(scope="module")
def keyed(spark: SparkSession) -> dict[int, int]:
    return keys(spark, rows_of_many_kinds())


def test_rows_identical_to_the_letter_are_all_kept(keyed: Mapping[int, int]) -> None:
    assert len(keyed) == len(rows_of_many_kinds())


def test_every_row_has_a_key_of_its_own(keyed: Mapping[int, int]) -> None:
    assert len(set(keyed.values())) == len(keyed)


def test_identical_rows_are_numbered_in_the_files_order(spark: SparkSession, keyed: Mapping[int, int]) -> None:
    # The third of three equal rows has a key that two of them do not reach.
    two = keys(spark, rows_of_many_kinds()[:2])
    assert [two[2], two[3]] == [keyed[2], keyed[3]]
    assert keyed[4] not in two.values()


def test_keys_do_not_depend_on_the_order_of_the_rows(spark: SparkSession, keyed: Mapping[int, int]) -> None:
    shuffled = rows_of_many_kinds()
    Random(7).shuffle(shuffled)
    moved = [{**row, "source_line": line} for line, row in enumerate(shuffled, 2)]
    assert sorted(keys(spark, moved).values()) == sorted(keyed.values())


def test_keys_do_not_depend_on_the_other_rows(spark: SparkSession, keyed: Mapping[int, int]) -> None:
    some = rows_of_many_kinds()[5:9]
    expected = {int(str(row["source_line"])): keyed[int(str(row["source_line"]))] for row in some}
    assert keys(spark, some) == expected


def test_a_row_has_the_same_key_in_every_run_and_on_every_machine(spark: SparkSession) -> None:
    # Written down once. Another value means that all published keys change.
    assert keys(spark, [reimbursement()]) == {2: 6020844294609542683}


@pytest.mark.parametrize(
    ("fields", "depends"),
    [
        ({"receipt_social_security_number": "12345678909.0"}, True),
        ({"receipt_social_security_number": "", "establishment_name": "FULANO DE TAL 12345678909"}, True),
        ({"receipt_social_security_number": "3530749000139.0"}, False),
        ({"receipt_social_security_number": ""}, False),
    ],
    ids=["a person's id", "a person's id in a name", "a company's id", "no id"],
)
def test_a_key_tells_no_cpf_to_who_does_not_have_the_secret(
    spark: SparkSession, fields: dict[str, str], depends: bool
) -> None:
    raw = raw_reimbursements(spark, [reimbursement(**fields)])
    keys = [stage_reimbursements(raw, secret).collect()[0]["expense_key"] for secret in ("one secret", "another")]
    assert (keys[0] != keys[1]) == depends


# Rows that can't be read


def rejected(must: str, given: RawRow, reason: str | None) -> Case:
    return Case(must, given, {"rejection_reason": reason})


NO_YEAR: Final = "receipt_date does not begin with a year the lake has: "
JUDGED: Final = (
    rejected("an ordinary row", {}, None),
    rejected(
        "a line that could not be split", {"unreadable_reason": "3 fields instead of 10"}, "3 fields instead of 10"
    ),
    rejected(
        "a line that could not be split, whose fields are empty",
        {**dict.fromkeys(kaggle_reimbursements.CSV.columns, ""), "unreadable_reason": "empty line"},
        "empty line",
    ),
    rejected("no date", {"receipt_date": ""}, NO_YEAR.removesuffix(": ")),
    rejected("a Brazilian date", {"receipt_date": "27/03/2013"}, f"{NO_YEAR}27/03/2013"),
    rejected("a year before the first", {"receipt_date": "2007-12-31"}, f"{NO_YEAR}2007-12-31"),
    rejected("a year to come", {"receipt_date": "2999"}, f"{NO_YEAR}2999"),
    rejected("a blank before the date", {"receipt_date": " 2013-03-27"}, f"{NO_YEAR} 2013-03-27"),
    rejected("an impossible day of a readable year", {"receipt_date": "2013-02-30"}, None),
    *(
        rejected(f"bugged_date {text!r}", {"bugged_date": text}, f"bugged_date is neither 0 nor 1{shown}")
        for text, shown in {"": "", "2": ": 2", "True": "", "0.0": ": 0.0", " 1": ":  1"}.items()
    ),
    *(
        rejected(f"deputy_id {text!r}", {"deputy_id": text}, f"deputy_id is not a number{shown}")
        for text, shown in {"": "", "12a": "", "-1": ": -1", "1772.0": ": 1772.0", " 17": ":  17", "nan": ""}.items()
    ),
    rejected("a deputy_id of ten digits", {"deputy_id": "1234567890"}, None),
    rejected(
        "a deputy_id of eleven digits",
        {"deputy_id": "12345678900"},
        "deputy_id is too long for a deputy's number: 12345678900",
    ),
    *(
        rejected(f"receipt_value {text!r}", {"receipt_value": text}, f"receipt_value {fault}")
        for text, fault in {
            "": "is empty",
            "1.234,56": "has a comma, where amounts have a decimal point: 1.234,56",
            "NaN": "is not an amount",
            "70.005": "is not an amount: 70.005",
            "R$ 70": "is not an amount",
            "1234567890123": "has more than 8 digits before the decimal point: no receipt is that large",
            "--1": "is not an amount: --1",
        }.items()
    ),
    *(
        rejected(f"receipt_value {text!r}, which is an amount", {"receipt_value": text}, None)
        for text in ("0", "70", "70.5", "70.50", "70.500", "-70.05", "99999999.99", "1e3", " 70", "+7")
    ),
    *(
        rejected(f"an empty {column}", {column: ""}, None)
        for column in (
            *("political_party", "state_code", "deputy_name", "receipt_description", "establishment_name"),
            "receipt_social_security_number",
        )
    ),
)


@pytest.fixture(scope="module")
def judged(spark: SparkSession) -> dict[str, Row]:
    raw = raw_reimbursements(spark, [reimbursement(**case.given) for case in JUDGED])
    return by_case(JUDGED, stg_kaggle_reimbursements.judge(raw))


@pytest.mark.parametrize("case", JUDGED, ids=str)
def test_a_row_that_can_not_be_read_says_why(case: Case, judged: Mapping[str, Row]) -> None:
    assert outcome(case, judged[case.must]) == case.expected


@pytest.mark.parametrize("case", JUDGED, ids=str)
def test_a_row_that_can_not_be_read_counts_when_its_file_is_judged(case: Case) -> None:
    assert is_counted(kaggle_reimbursements, reimbursement(**case.given)) is (
        case.expected["rejection_reason"] is not None
    )
