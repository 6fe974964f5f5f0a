"""Document types: the House's codes with their names, any other code as itself, and one for unknown."""

from collections.abc import Mapping
from typing import Final

import pytest
from pyspark.sql import Row, SparkSession

from deputies_lake.star import dim_document_types
from deputies_lake_tests.star.staged_rows import contract_of, expenses, house_expenses, nulls_in_required

TABLE: Final = dim_document_types.TABLE


@pytest.fixture(scope="module")
def members(spark: SparkSession) -> dict[str, Row]:
    mentioned = house_expenses(spark, *({"document_type_id": code} for code in ("4", "9", "9", None)))
    rows = dim_document_types.transform(mentioned).collect()
    found = {row["document_type_id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def test_the_columns_are_those_of_the_contract(spark: SparkSession) -> None:
    assert dim_document_types.transform(expenses(spark)).dtypes == contract_of(TABLE)


def test_required_columns_are_never_null(members: Mapping[str, Row]) -> None:
    assert nulls_in_required(TABLE, [*members.values()]) == set()


def test_each_member_has_a_key_of_its_own(members: Mapping[str, Row]) -> None:
    assert len({row["document_type_key"] for row in members.values()}) == len(members)


def test_all_codes_of_the_reference_are_there_and_those_mentioned_besides(members: Mapping[str, Row]) -> None:
    assert members.keys() == {"0", "1", "2", "3", "4", "5", "9", "UNKNOWN"}


def test_a_type_is_named_in_both_languages(members: Mapping[str, Row]) -> None:
    assert (members["0"]["name_pt"], members["0"]["name_en"]) == ("Nota fiscal", "Invoice")


def test_a_code_that_is_not_in_the_reference_loads_as_itself(members: Mapping[str, Row]) -> None:
    assert (members["9"]["name_pt"], members["9"]["name_en"]) == ("9", "9")


def test_kaggles_rows_mention_no_type(spark: SparkSession) -> None:
    rows = dim_document_types.transform(expenses(spark, {})).collect()
    assert {row["document_type_id"] for row in rows} == {"0", "1", "2", "3", "4", "5", "UNKNOWN"}
