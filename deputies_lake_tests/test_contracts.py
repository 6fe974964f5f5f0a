"""A contract that contradicts itself is refused when it is declared; a sound one tells what it says."""

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from deputies_lake.contracts import LAYERS, MONEY, TYPES, Column, ContractError, Reference, Table, Totals

YEAR = Column(name="year", type="int", pt="ano", en="quota year", source=("receipts.date",), published="numAno")
KEY = Column(name="receipt_key", pt="chave", en="row key", source=("receipts.id", "receipts.date"))
STATE = Column(name="state_key", type="bigint", pt="UF", en="state")
AMOUNT = Column(name="amount", type=MONEY, pt="valor", en="amount")
NOTE = Column(name="note", pt="nota", en="note", nullable=True)

TABLE = Table(
    layer="star",
    name="fct_receipts",
    pt="Recibos.",
    en="Receipts.",
    grain="one row per receipt",
    columns=(YEAR, KEY, STATE, AMOUNT, NOTE),
    key=("receipt_key",),
    partitioned=True,
    references=(Reference(column="state_key", table="dim_states"),),
    totals=Totals(by=("year", "state_key"), amount="amount"),
)

CONTRADICTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "a layer that is none": ({"layer": "gold"}, "table fct_receipts: layer 'gold' is not one of raw, staging, star"),
    "a column declared twice": ({"columns": (*TABLE.columns, NOTE)}, "table fct_receipts declares a column twice"),
    "a key that is no column": ({"key": ("receipt_key", "number")}, "columns it does not have: number"),
    "a reference from no column": (
        {"references": (Reference(column="party_key", table="dim_parties"),)},
        "columns it does not have: party_key",
    ),
    "totals by no column": (
        {"totals": Totals(by=("year", "label"), amount="amount")},
        "columns it does not have: label",
    ),
    "totals of no column": ({"totals": Totals(by=("year",), amount="cents")}, "columns it does not have: cents"),
    "partitions without a year": (
        {"columns": (KEY, STATE, AMOUNT), "totals": None},
        "columns it does not have: year",
    ),
    "a key that may be null": ({"key": ("receipt_key", "note")}, "key columns may not be null: note"),
    "a year that may be null": (
        {"columns": (replace(YEAR, nullable=True), KEY, STATE, AMOUNT)},
        "key columns may not be null: year",
    ),
    "no key": ({"key": ()}, "key"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_contract_that_contradicts_itself_is_refused(case: str) -> None:
    changes, problem = CONTRADICTIONS[case]
    with pytest.raises(ContractError) as refusal:
        replace(TABLE, **changes)
    assert problem in str(refusal.value)


def test_all_columns_that_are_missing_are_named() -> None:
    with pytest.raises(ContractError, match=r"does not have: cents, label, party_key$"):
        replace(
            TABLE,
            references=(Reference(column="party_key", table="dim_parties"),),
            totals=Totals(by=("label",), amount="cents"),
        )


@pytest.mark.parametrize("type_", ["text", "double", "decimal(18,3)", "timestamp", ""])
def test_a_type_the_lake_does_not_use_is_refused(type_: str) -> None:
    with pytest.raises(ContractError, match=r"column amount: type .* is not one of .*decimal\(14,2\)"):
        replace(AMOUNT, type=type_)


@pytest.mark.parametrize("type_", sorted(TYPES))
def test_each_type_of_the_lake_is_taken(type_: str) -> None:
    assert replace(AMOUNT, type=type_).type == type_


@pytest.mark.parametrize("layer", LAYERS)
def test_each_layer_of_the_lake_is_taken(layer: str) -> None:
    assert replace(TABLE, layer=layer).identifier == f"{layer}.fct_receipts"


def test_a_table_that_is_not_partitioned_needs_no_year() -> None:
    columns = (KEY, STATE, AMOUNT)
    assert replace(TABLE, partitioned=False, columns=columns, totals=None).column_names == (
        "receipt_key",
        "state_key",
        "amount",
    )


def test_a_contract_can_not_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        TABLE.name = "another"  # type: ignore[misc]


def test_contracts_can_be_keys_of_a_mapping() -> None:
    assert {TABLE: 1}[replace(TABLE)] == 1


def test_columns_keep_their_order() -> None:
    assert TABLE.column_names == ("year", "receipt_key", "state_key", "amount", "note")


def test_required_columns_are_those_that_may_not_be_null() -> None:
    assert TABLE.required == ("year", "receipt_key", "state_key", "amount")


def test_lineage_names_the_table_and_column_of_each_source() -> None:
    assert TABLE.lineage == {
        "year": (("receipts", "date"),),
        "receipt_key": (("receipts", "id"), ("receipts", "date")),
    }


def test_a_description_is_in_both_languages_and_names_what_was_published() -> None:
    assert YEAR.description == "quota year / ano [numAno]"


def test_a_description_of_what_was_not_published_names_nothing() -> None:
    assert KEY.description == "row key / chave"
