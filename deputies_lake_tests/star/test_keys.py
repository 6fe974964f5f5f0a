"""Surrogate keys: equal for what is the same, different for what is not, and never null."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

import pytest
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from deputies_lake.star import keys

Key = Callable[[], Column]


def text(value: str | None) -> Column:
    return F.lit(value).cast("string")


def state(code: str | None, *, leadership: bool) -> Column:
    return keys.state_key(text(code), F.lit(leadership))


def category(code: str | None, label: str | None) -> Column:
    return keys.expense_category_key(text(code), text(label))


# Spark must run before a column can be made, so each stands behind a function.
KEYS: Final[Mapping[str, Key]] = {
    "deputy 1": lambda: keys.deputy_key(text("1")),
    "deputy 01": lambda: keys.deputy_key(text("01")),
    "no deputy": lambda: keys.deputy_key(text(None)),
    "deputy UNKNOWN": lambda: keys.deputy_key(text("UNKNOWN")),
    "supplier 1": lambda: keys.supplier_key(text("1")),
    "no supplier": lambda: keys.supplier_key(text(None)),
    "supplier UNKNOWN": lambda: keys.supplier_key(text("UNKNOWN")),
    "PCdoB": lambda: keys.party_key(text("PCdoB")),
    "PCDOB": lambda: keys.party_key(text("PCDOB")),
    "UNIÃO": lambda: keys.party_key(text("UNIÃO")),
    "união": lambda: keys.party_key(text("união")),
    "no party": lambda: keys.party_key(text(None)),
    "party UNKNOWN": lambda: keys.party_key(text("UNKNOWN")),
    "party SP": lambda: keys.party_key(text("SP")),
    "state SP": lambda: state("SP", leadership=False),
    "state SP of a leadership": lambda: state("SP", leadership=True),
    "no state": lambda: state(None, leadership=False),
    "state UNKNOWN": lambda: state("UNKNOWN", leadership=False),
    "no state of a leadership": lambda: state(None, leadership=True),
    "state NONE": lambda: state("NONE", leadership=False),
    "category 3": lambda: category("3", "Fuels and lubricants."),
    "category 3 under another label": lambda: category("3", "COMBUSTÍVEIS E LUBRIFICANTES."),
    "label 3 without a code": lambda: category(None, "3"),
    "label Fuel without a code": lambda: category(None, "Fuel"),
    "no label without a code": lambda: category(None, ""),
    "no category": lambda: category(None, None),
    "category UNKNOWN": lambda: category("UNKNOWN", None),
    "document type 4": lambda: keys.document_type_key(text("4")),
    "no document type": lambda: keys.document_type_key(text(None)),
    "document type UNKNOWN": lambda: keys.document_type_key(text("UNKNOWN")),
    "no day": lambda: keys.date_key(F.lit(None).cast("date")),
    "27 March 2013": lambda: keys.date_key(F.lit(date(2013, 3, 27))),
    "1 January 2008": lambda: keys.date_key(F.lit(date(2008, 1, 1))),
    "29 February 2016": lambda: keys.date_key(F.lit(date(2016, 2, 29))),
    "31 December 2025": lambda: keys.date_key(F.lit(date(2025, 12, 31))),
}


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> dict[str, int]:
    row = spark.range(1).select(*(key().alias(f"`{name}`") for name, key in KEYS.items())).collect()[0]
    return dict(zip(KEYS, row, strict=True))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("PCdoB", "PCDOB"),
        ("UNIÃO", "união"),
        ("no deputy", "deputy UNKNOWN"),
        ("no supplier", "supplier UNKNOWN"),
        ("no party", "party UNKNOWN"),
        ("no state", "state UNKNOWN"),
        ("no category", "category UNKNOWN"),
        ("no document type", "document type UNKNOWN"),
        ("no state of a leadership", "state NONE"),
        ("state SP", "state SP of a leadership"),
        ("category 3", "category 3 under another label"),
    ],
)
def test_what_is_the_same_has_the_same_key(one: str, other: str, found: Mapping[str, int]) -> None:
    assert found[one] == found[other]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("deputy 1", "deputy 01"),
        ("deputy 1", "no deputy"),
        ("deputy 1", "supplier 1"),
        ("no deputy", "no supplier"),
        ("document type 4", "no document type"),
        ("party SP", "state SP"),
        ("no state", "no state of a leadership"),
        ("category 3", "label 3 without a code"),
        ("label 3 without a code", "label Fuel without a code"),
        ("no label without a code", "no category"),
    ],
)
def test_what_is_not_the_same_has_another_key(one: str, other: str, found: Mapping[str, int]) -> None:
    assert found[one] != found[other]


@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_never_null(name: str, found: Mapping[str, int]) -> None:
    assert found[name] is not None


@pytest.mark.parametrize(
    ("day", "number"),
    [
        ("27 March 2013", 20130327),
        ("1 January 2008", 20080101),
        ("29 February 2016", 20160229),
        ("31 December 2025", 20251231),
        ("no day", 0),
    ],
)
def test_a_dates_key_reads_as_the_date(day: str, number: int, found: Mapping[str, int]) -> None:
    assert found[day] == number


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("deputy 1", -1096331956588227921),
        ("PCdoB", -804091765240481911),
        ("no state of a leadership", -3386873852460873330),
        ("supplier 1", -1677063237200521553),
        ("category 3", -5177746277185517105),
        ("no category", -3293404095825002700),
    ],
)
def test_a_key_is_the_same_in_every_run_and_on_every_machine(name: str, key: int, found: Mapping[str, int]) -> None:
    # Written down once. Another value means that all published keys change.
    assert found[name] == key
