"""The reference tables are complete, agree with each other and hold nothing twice."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from importlib import resources

import pytest

from deputies_lake.quota_years import FIRST_YEAR, current_year
from deputies_lake.raw import kaggle_refunds, kaggle_reimbursements
from deputies_lake.reference.tables import category_ids, rows
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
    "expense_category_labels": ("source_code", "label", "expense_category_id"),
    "party_events": ("party_label", "became", "happened", "event", "party_label_today", "confidence", "note"),
    "states": ("state_code", "state_name", "region_pt", "region_en"),
    "terms_of_office": ("term_of_office", "first_date", "last_date"),
}
MAY_BE_EMPTY = {"note", "became", "happened"}
KEYS = {
    "expense_categories": ("expense_category_id",),
    "expense_category_labels": ("source_code", "label"),
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
    empty = [row for row in rows(name) if any(not row[column] for column in row if column not in MAY_BE_EMPTY)]
    assert empty == []


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
    ("source_code", "labels"), [(kaggle_reimbursements.CSV.source_code, 21), (kaggle_refunds.CSV.source_code, 17)]
)
def test_every_label_of_a_source_has_a_code(source_code: str, labels: int) -> None:
    assert len(category_ids(source_code)) == labels


def test_no_source_has_labels_that_is_not_one() -> None:
    known = {kaggle_reimbursements.CSV.source_code, kaggle_refunds.CSV.source_code}
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
