"""The reference tables are complete, agree with each other and hold nothing twice."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from importlib import resources

import pytest

from deputies_lake.quota_years import FIRST_YEAR, current_year
from deputies_lake.raw import chamber_expenses, kaggle_refunds, kaggle_reimbursements
from deputies_lake.reference.tables import category_ids, party_labels, rows
from deputies_lake.sample.kaggle_shape import CATEGORIES, SEATS_BY_STATE

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "expense_categories": (
        "expense_category_id",
        "name_pt",
        "name_en",
        "group_pt",
        "group_en",
        "note",
        "confidence",
    ),
    "expense_category_labels": (
        "source_code",
        "label",
        "expense_category_id",
        "first_year",
        "last_year",
        "confidence",
    ),
    "monthly_quotas": (
        "state_code",
        "valid_from",
        "valid_to",
        "monthly_quota_amount",
        "act",
        "confidence",
        "note",
    ),
    "category_limits": (
        "expense_category_id",
        "valid_from",
        "valid_to",
        "monthly_limit_amount",
        "confidence",
        "note",
    ),
    "document_types": ("document_type_id", "name_pt", "name_en", "confidence"),
    "functional_suppliers": ("supplier_id", "name_pt", "name_en", "confidence"),
    "known_gaps": (
        "gap_id",
        "source_code",
        "expense_category_id",
        "first_month",
        "last_month",
        "severity",
        "text_pt",
        "text_en",
        "confidence",
    ),
    "parties": ("party_name_pt", "party_label", "confidence"),
    "party_events": ("party_label", "became", "happened", "event", "party_label_today", "confidence", "note"),
    "states": ("state_code", "state_name", "region_pt", "region_en"),
    "terms_of_office": ("term_of_office", "first_date", "last_date"),
}
MAY_BE_EMPTY = {"note", "became", "happened", "valid_to", "first_year", "last_year"}
# What a gap does not touch is left open.
MAY_BE_EMPTY_IN_GAPS = {"source_code", "expense_category_id", "first_month", "last_month"}
KEYS = {
    "expense_categories": ("expense_category_id",),
    "expense_category_labels": ("source_code", "label"),
    "monthly_quotas": ("state_code", "valid_from"),
    "category_limits": ("expense_category_id", "valid_from"),
    "document_types": ("document_type_id",),
    "functional_suppliers": ("supplier_id",),
    "known_gaps": ("gap_id",),
    "parties": ("party_name_pt",),
    "party_events": ("party_label",),
    "states": ("state_code",),
    "terms_of_office": ("term_of_office",),
}


def test_every_reference_table_is_known_here() -> None:
    files = (entry.name for entry in resources.files("deputies_lake.reference").iterdir())
    assert {name.removesuffix(".csv") for name in files if name.endswith(".csv")} == set(COLUMNS)


@pytest.mark.parametrize("name", COLUMNS)
def test_every_row_has_the_tables_columns_and_no_other(name: str) -> None:
    assert {tuple(row) for row in rows(name)} == {COLUMNS[name]}


@pytest.mark.parametrize("name", COLUMNS)
def test_every_value_is_there(name: str) -> None:
    """A row too short has None, a row too long a list: neither is text."""
    may_be_empty = MAY_BE_EMPTY | (MAY_BE_EMPTY_IN_GAPS if name == "known_gaps" else set())
    assert [row for row in rows(name) if any(not row[column] for column in row if column not in may_be_empty)] == []


@pytest.mark.parametrize("name", [name for name, columns in COLUMNS.items() if "confidence" in columns])
def test_confidence_is_one_of_three_words(name: str) -> None:
    assert {row["confidence"] for row in rows(name)} <= {"high", "medium", "low"}


@pytest.mark.parametrize("name", COLUMNS)
def test_no_value_has_blanks_around_it(name: str) -> None:
    assert [value for row in rows(name) for value in row.values() if value != value.strip()] == []


@pytest.mark.parametrize("name", COLUMNS)
def test_no_key_occurs_twice(name: str) -> None:
    keys = Counter(tuple(row[column] for column in KEYS[name]) for row in rows(name))
    assert [key for key, times in keys.items() if times > 1] == []


def test_a_table_that_is_not_there_is_told_by_its_name() -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.csv"):
        rows("nothing")


# categories


@pytest.mark.parametrize(
    ("source_code", "labels"),
    [
        (chamber_expenses.CSV.source_code, 26),
        (kaggle_reimbursements.CSV.source_code, 21),
        (kaggle_refunds.CSV.source_code, 17),
    ],
)
def test_every_label_of_a_source_has_a_code(source_code: str, labels: int) -> None:
    assert len(category_ids(source_code)) == labels


def test_no_source_has_labels_that_is_not_one() -> None:
    known = {source.CSV.source_code for source in (chamber_expenses, kaggle_reimbursements, kaggle_refunds)}
    assert {row["source_code"] for row in rows("expense_category_labels")} == known


def test_an_unknown_source_has_no_labels() -> None:
    assert category_ids("unheard of") == {}


def test_every_code_of_a_label_is_a_category() -> None:
    categories = {row["expense_category_id"] for row in rows("expense_categories")}
    assert {row["expense_category_id"] for row in rows("expense_category_labels")} <= categories


def test_the_codes_are_those_by_which_the_sample_is_made() -> None:
    codes = {category.label: "9+999" if category.code == 999 else str(category.code) for category in CATEGORIES}
    assert category_ids(kaggle_reimbursements.CSV.source_code) == codes


def test_the_refunds_labels_mean_what_the_reimbursements_labels_do() -> None:
    ids = category_ids(kaggle_reimbursements.CSV.source_code)
    codes = {category.refund_label: ids[category.label] for category in CATEGORIES if category.refund_label}
    assert category_ids(kaggle_refunds.CSV.source_code) == codes


def test_every_category_that_kaggle_can_not_tell_apart_has_its_parts() -> None:
    ids = {row["expense_category_id"] for row in rows("expense_categories")}
    assert {part for joint in ids if "+" in joint for part in joint.split("+")} <= ids


@pytest.mark.parametrize(("one", "other"), [("group_pt", "group_en"), ("group_en", "group_pt")])
def test_a_group_has_one_name_in_each_language(one: str, other: str) -> None:
    pairs = {(row[one], row[other]) for row in rows("expense_categories")}
    assert len(pairs) == len({name for name, _ in pairs})


# states


def test_there_are_27_states() -> None:
    assert {row["state_code"] for row in rows("states")} == set(SEATS_BY_STATE)


def test_the_states_make_five_regions() -> None:
    by_region = Counter((row["region_pt"], row["region_en"]) for row in rows("states"))
    assert by_region == {
        ("Norte", "North"): 7,
        ("Nordeste", "Northeast"): 9,
        ("Centro-Oeste", "Central-West"): 4,
        ("Sudeste", "Southeast"): 4,
        ("Sul", "South"): 3,
    }


# terms of office

TERMS = [
    (int(row["term_of_office"]), date.fromisoformat(row["first_date"]), date.fromisoformat(row["last_date"]))
    for row in rows("terms_of_office")
]


def test_each_term_begins_the_day_after_the_one_before_ended() -> None:
    assert [first for _, first, _ in TERMS[1:]] == [last + timedelta(days=1) for _, _, last in TERMS[:-1]]


def test_terms_are_numbered_one_after_the_other() -> None:
    assert [number for number, _, _ in TERMS] == list(range(TERMS[0][0], TERMS[0][0] + len(TERMS)))


def test_a_term_lasts_four_years_from_a_first_of_february() -> None:
    assert [(first.day, first.month, last.year - first.year) for _, first, last in TERMS] == [(1, 2, 4)] * len(TERMS)


def test_every_day_of_the_quota_years_is_in_a_term() -> None:
    assert TERMS[0][1] <= date(FIRST_YEAR, 1, 1)
    assert TERMS[-1][2] >= date(current_year() + 1, 12, 31)


def test_the_deputies_of_2015_were_the_55th() -> None:
    assert [number for number, first, last in TERMS if first <= date(2015, 2, 1) <= last] == [55]


# parties


def test_what_a_party_is_today_was_not_renamed_again() -> None:
    today = {row["party_label"]: row["party_label_today"] for row in rows("party_events")}
    assert [label for label in today.values() if today.get(label, label) != label] == []


def test_following_a_partys_changes_one_by_one_leads_to_what_it_is_today() -> None:
    became = {row["party_label"]: row["became"] or row["party_label_today"] for row in rows("party_events")}
    for row in rows("party_events"):
        label = row["party_label"]
        for _ in became:
            label = became.get(label, label)
        assert (row["party_label"], label) == (row["party_label"], row["party_label_today"])


def test_no_party_becomes_itself() -> None:
    assert [row for row in rows("party_events") if row["party_label"] == row["party_label_today"]] == []


def test_every_label_that_a_party_became_is_a_party() -> None:
    became = {row[column] for row in rows("party_events") for column in ("became", "party_label_today")}
    assert {label for label in became if label.upper() not in party_labels()} == set()


def test_labels_are_found_by_their_capitals() -> None:
    assert [party_labels()[label] for label in ("PCDOB", "SDD", "UNIÃO")] == ["PCdoB", "SDD", "UNIÃO"]


# labels through time


def test_a_categorys_labels_stand_in_the_order_of_time() -> None:
    by_category: dict[tuple[str, str], list[int]] = {}
    for row in rows("expense_category_labels"):
        last = int(row["last_year"] or 9999)
        by_category.setdefault((row["source_code"], row["expense_category_id"]), []).append(last)
    assert [category for category, last in by_category.items() if last != sorted(last)] == []


def test_every_code_of_the_house_has_one_label_today_or_is_retired() -> None:
    labels = [row for row in rows("expense_category_labels") if row["source_code"] == chamber_expenses.CSV.source_code]
    today = Counter(row["expense_category_id"] for row in labels if not row["last_year"])
    retired = {"2", "6", "7", "15"}
    codes = {row["expense_category_id"] for row in rows("expense_categories") if "+" not in row["expense_category_id"]}
    assert today == dict.fromkeys(codes - retired, 1)


# quotas and limits


def periods(name: str, key: str) -> Mapping[str, list[tuple[date, date | None, Decimal]]]:
    """By state or category, each period's first day, last day and amount."""
    found: dict[str, list[tuple[date, date | None, Decimal]]] = {}
    for row in rows(name):
        last = date.fromisoformat(row["valid_to"]) if row["valid_to"] else None
        (amount,) = (value for column, value in row.items() if column.endswith("_amount"))
        found.setdefault(row[key], []).append((date.fromisoformat(row["valid_from"]), last, Decimal(amount)))
    return found


QUOTAS = periods("monthly_quotas", "state_code")
LIMITS = periods("category_limits", "expense_category_id")


@pytest.mark.parametrize("of", [QUOTAS, LIMITS], ids=["quotas", "limits"])
def test_each_period_begins_the_day_after_the_one_before_ended(
    of: Mapping[str, list[tuple[date, date | None, Decimal]]],
) -> None:
    for consecutive in of.values():
        ends = [last and last + timedelta(days=1) for _, last, _ in consecutive]
        assert ends == [*(first for first, _, _ in consecutive[1:]), None]


def quota(state: str, month: date) -> Decimal:
    (amount,) = (a for first, last, a in QUOTAS[state] if first <= month and (last is None or month <= last))
    return amount


def test_every_state_has_all_eight_acts() -> None:
    assert {state: len(acts) for state, acts in QUOTAS.items()} == dict.fromkeys(SEATS_BY_STATE, 8)


# A raise in per cent, or one amount for all: what holds for all states at once can't be a slip in one of them.
@pytest.mark.parametrize(("act", "ratio"), [(1, "1.1272"), (2, "1.0776"), (3, "1.08718"), (7, "1.1375")])
def test_an_act_that_raised_by_per_cent_raised_all_states_alike(act: int, ratio: str) -> None:
    raises = {state: acts[act][2] / acts[act - 1][2] for state, acts in QUOTAS.items()}
    assert {state: raised for state, raised in raises.items() if abs(raised - Decimal(ratio)) > Decimal("0.0001")} == {}


@pytest.mark.parametrize(("act", "amount"), [(4, "73.86"), (5, "298.00"), (6, "5793.80")])
def test_an_act_that_raised_by_an_amount_raised_all_states_alike(act: int, amount: str) -> None:
    assert {acts[act][2] - acts[act - 1][2] for acts in QUOTAS.values()} == {Decimal(amount)}


@pytest.mark.parametrize(
    ("month", "amount"),
    [
        (date(2009, 7, 1), "27769.62"),
        (date(2016, 2, 1), "36671.67"),
        (date(2016, 3, 1), "37043.53"),
        (date(2023, 1, 1), "37043.53"),
        (date(2026, 2, 1), "42837.33"),
        (date(2026, 3, 1), "48727.46"),
    ],
)
def test_the_quota_of_a_month_is_the_one_valid_on_its_first_day(month: date, amount: str) -> None:
    assert quota("SP", month) == Decimal(amount)


def test_limits_are_of_categories_that_are_known() -> None:
    assert set(LIMITS) <= {row["expense_category_id"] for row in rows("expense_categories")}


def test_a_courses_limit_is_a_quarter_of_the_lowest_quota() -> None:
    for first, _, limit in LIMITS["137"]:
        assert abs(limit - min(quota(state, first) for state in QUOTAS) / 4) < Decimal("0.01")


# numbers that are no supplier's, gaps


def test_functional_numbers_have_fourteen_digits_and_are_below_a_hundred() -> None:
    ids = [row["supplier_id"] for row in rows("functional_suppliers")]
    assert [number for number in ids if len(number) != 14 or not 0 < int(number) < 100] == []


def test_gaps_are_of_sources_and_categories_that_are_known() -> None:
    codes = {"", *(row["expense_category_id"] for row in rows("expense_categories"))}
    sources = {"", chamber_expenses.CSV.source_code, kaggle_reimbursements.CSV.source_code}
    assert {gap["expense_category_id"] for gap in rows("known_gaps")} <= codes
    assert {gap["source_code"] for gap in rows("known_gaps")} <= sources


def test_a_gap_begins_and_ends_with_the_first_of_a_month() -> None:
    months = [gap[column] for gap in rows("known_gaps") for column in ("first_month", "last_month") if gap[column]]
    assert [month for month in months if date.fromisoformat(month).day != 1] == []


def test_severity_is_one_of_three_words() -> None:
    assert {gap["severity"] for gap in rows("known_gaps")} == {"high", "medium", "low"}
