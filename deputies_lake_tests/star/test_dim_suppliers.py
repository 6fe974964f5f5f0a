"""Suppliers: one member per token, under the spelling on which most was spent."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from deputies_lake.star import dim_suppliers, keys
from deputies_lake_tests.star.staged_rows import (
    WITHOUT_ID,
    StagedRow,
    contract_of,
    expenses,
    house_expenses,
    nulls_in_required,
)

TABLE: Final = dim_suppliers.TABLE
BRANCH: Final = "11222333000262"


def paid(name: str, amount: str, token: str = "11222333000181") -> StagedRow:
    return {"supplier_name": name, "document_amount": Decimal(amount), "supplier_token": token, "supplier_id": token}


def hidden(token: str, kind: str) -> StagedRow:
    return {"supplier_id": "***.456.789-**", "supplier_id_kind": kind, "supplier_token": token}


ROWS: Final[tuple[StagedRow, ...]] = (
    paid("POSTO FREQUENTE", "10"),
    paid("POSTO FREQUENTE", "10"),
    paid("POSTO FREQUENTE", "10"),
    paid("POSTO CARO", "31"),
    paid("AUTO POSTO", "30.99"),
    paid("FILIAL", "1", BRANCH),
    paid("EMPATE A", "5", "33444555000100"),
    paid("EMPATE B", "2", "33444555000100"),
    paid("EMPATE B", "3", "33444555000100"),
    paid("DEVOLVIDO", "-100", "44555666000100"),
    paid("PAGO", "60", "44555666000100"),
    paid("PAGO", "30", "44555666000100"),
    {**WITHOUT_ID, "supplier_name": "Celular  Funcional"},
    {**WITHOUT_ID, "supplier_name": "CELULAR FUNCIONAL"},
    hidden("hash-1", "cpf"),
    hidden("hash-2", "cpf"),
    hidden("hash-3", "cpf_or_cnpj"),
    {"supplier_id": "00000000000002", "supplier_id_kind": "functional", "supplier_token": "00000000000002"},
    {"supplier_id": "11222333000182", "supplier_id_kind": "invalid", "supplier_token": "11222333000182"},
)
TOKENS: Final = sorted({str({"supplier_token": "11222333000181", **row}["supplier_token"]) for row in ROWS})


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> list[Row]:
    return dim_suppliers.transform(expenses(spark, *ROWS)).collect()


@pytest.fixture(scope="module")
def members(spark: SparkSession, found: list[Row]) -> dict[str, Row]:
    """By the token that each key is made from; the dimension itself does not show it."""
    of_key = {row["supplier_key"]: row for row in found}
    tokens = spark.createDataFrame([(token,) for token in (*TOKENS, keys.UNKNOWN)], "token string")
    named = tokens.select("token", keys.supplier_key(F.col("token")).alias("key")).collect()
    return {row["token"]: of_key[row["key"]] for row in named}


def test_the_columns_are_those_of_the_contract(spark: SparkSession) -> None:
    assert dim_suppliers.transform(expenses(spark)).dtypes == contract_of(TABLE)


def test_required_columns_are_never_null(found: list[Row]) -> None:
    assert nulls_in_required(TABLE, found) == set()


def test_each_token_is_one_member(found: list[Row], members: Mapping[str, Row]) -> None:
    assert len(found) == len(members) == len(TOKENS) + 1


def test_the_name_is_the_spelling_with_the_most_spending_not_the_most_frequent(members: Mapping[str, Row]) -> None:
    assert members["11222333000181"]["supplier_name"] == "POSTO CARO"


def test_spellings_are_counted_once_each(members: Mapping[str, Row]) -> None:
    assert members["11222333000181"]["spellings"] == 3


def test_of_two_spellings_with_equal_spending_the_last_by_alphabet_is_taken(members: Mapping[str, Row]) -> None:
    assert members["33444555000100"]["supplier_name"] == "EMPATE B"


def test_a_tie_is_broken_the_same_way_in_whatever_order_the_rows_stand(spark: SparkSession, found: list[Row]) -> None:
    again = dim_suppliers.transform(expenses(spark, *reversed(ROWS))).collect()
    assert sorted(map(str, again)) == sorted(map(str, found))


def test_a_returned_amount_counts_as_much_as_a_paid_one(members: Mapping[str, Row]) -> None:
    assert members["44555666000100"]["supplier_name"] == "DEVOLVIDO"


def test_branches_are_members_of_their_own_with_a_common_root(members: Mapping[str, Row]) -> None:
    assert members[BRANCH]["supplier_name"] == "FILIAL"
    assert members[BRANCH]["supplier_root"] == members["11222333000181"]["supplier_root"] == "11222333"


@pytest.mark.parametrize(
    "token", ["CELULAR FUNCIONAL", "hash-1", "hash-3", "00000000000002", "11222333000182", "UNKNOWN"]
)
def test_what_is_no_company_has_no_root(token: str, members: Mapping[str, Row]) -> None:
    assert members[token]["supplier_root"] is None


def test_a_supplier_without_an_id_is_one_member_whatever_its_spelling(members: Mapping[str, Row]) -> None:
    member = members["CELULAR FUNCIONAL"]
    assert (member["supplier_id"], member["supplier_id_kind"], member["spellings"]) == (None, "none", 2)


def test_persons_that_look_alike_behind_their_masks_stay_apart(members: Mapping[str, Row]) -> None:
    assert members["hash-1"]["supplier_id"] == members["hash-2"]["supplier_id"]
    assert members["hash-1"]["supplier_key"] != members["hash-2"]["supplier_key"]


def test_there_is_a_member_for_an_unknown_supplier(members: Mapping[str, Row]) -> None:
    unknown = members["UNKNOWN"]
    assert (unknown["supplier_id"], unknown["supplier_id_kind"], unknown["spellings"]) == (None, "unknown", 0)


def test_a_supplier_whose_name_says_unknown_makes_no_second_member_of_that_key(spark: SparkSession) -> None:
    named = {**WITHOUT_ID, "supplier_token": "UNKNOWN", "supplier_name": "Unknown"}
    found = [row["supplier_key"] for row in dim_suppliers.transform(expenses(spark, named)).collect()]
    assert len(found) == len(set(found))


# both sources


@pytest.fixture(scope="module")
def conformed(spark: SparkSession) -> dict[str, Row]:
    """By name."""
    kaggle = expenses(spark, paid("POSTO", "99"), {**hidden("hash-1", "cpf_or_cnpj"), "supplier_name": "UMA PESSOA"})
    house = house_expenses(
        spark,
        paid("Posto Ltda", "99.01"),
        {**hidden("hash-1", "cpf"), "supplier_name": "UMA PESSOA"},
        {**paid("COM LETRAS", "1", "12ABC34501DE35"), "supplier_id_kind": "cnpj"},
    )
    return {row["supplier_name"]: row for row in dim_suppliers.transform(kaggle.unionByName(house)).collect()}


def test_a_supplier_of_both_sources_is_one_member_under_the_spelling_with_the_most_spending(
    conformed: Mapping[str, Row],
) -> None:
    assert conformed.keys() == {"Posto Ltda", "UMA PESSOA", "COM LETRAS", "Desconhecido / Unknown"}


def test_what_kaggle_leaves_open_the_house_decides(conformed: Mapping[str, Row]) -> None:
    assert conformed["UMA PESSOA"]["supplier_id_kind"] == "cpf"


def test_a_spelling_that_both_sources_have_is_counted_once(conformed: Mapping[str, Row]) -> None:
    assert (conformed["UMA PESSOA"]["spellings"], conformed["Posto Ltda"]["spellings"]) == (1, 2)


def test_a_cnpj_with_letters_has_a_root_too(conformed: Mapping[str, Row]) -> None:
    assert conformed["COM LETRAS"]["supplier_root"] == "12ABC345"
