"""The marts' step on a lake of two years: absurd amounts, and names that change when another year is built."""

import random
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

import dagster as dg
import pytest
from pyspark.sql import SparkSession

from deputies_lake.assets import key_of
from deputies_lake.contracts import Table
from deputies_lake.environments import Engine
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.resources.lake import LakeResource
from deputies_lake.resources.settings import SettingsResource
from deputies_lake.resources.spark import SparkResource
from deputies_lake.serving import (
    assets,
    mart_categories,
    mart_parties,
    mart_quota_shares,
    mart_sub_limits,
    mart_suppliers,
)
from deputies_lake.star import dim_deputies, ref_category_limits, ref_known_gaps, ref_monthly_quotas
from deputies_lake.star.expenses import HOUSE
from deputies_lake_tests.star.staged_rows import StagedRow
from deputies_lake_tests.star.test_assets import DIMENSIONS, FACT, Star

pytestmark = pytest.mark.engine(Engine.SPARK)

MARTS: Final = list(assets._MARTS)
REFERENCES: Final = [key_of(table.TABLE) for table in (ref_monthly_quotas, ref_category_limits, ref_known_gaps)]
LARGEST: Final = Decimal("9999999999.99")
AMOUNTS: Final = (LARGEST, -LARGEST, Decimal("2700000.00"), Decimal("0.01"), Decimal("-0.01"), Decimal(0))


def absurd(year: int, count: int) -> list[StagedRow]:
    """Receipts of three deputies in several months and categories, most of them absurd; the same in every run."""
    draw = random.Random(year)
    rows: list[StagedRow] = []
    for number in range(count):
        net = draw.choice(AMOUNTS)
        rows.append(
            {
                "year": year,
                "competence_year": year,
                "competence_month": draw.randint(1, 12),
                "expense_key": year * 10_000 + number,
                "deputy_id": f"{draw.randint(1, 3)}",
                "deputy_name": "Fulana De Tal",
                "party_label": "PCDOB",
                "expense_category_id": draw.choice(["3", "119", "122"]),
                "document_number": draw.choice(["A", "B"]),
                "net_amount": net,
                "document_amount": net,
                "deduction_amount": draw.choice(AMOUNTS),
                "returned_amount": draw.choice([None, *AMOUNTS]),
            }
        )
    # Of one category nothing but a cent, and of another deputy only the largest: more than an amount can hold.
    cent = {"expense_key": year * 10_000 + 9_000, "expense_category_id": "120", "net_amount": Decimal("0.01")}
    largest = {"deputy_id": "9", "net_amount": LARGEST}
    rows.append({**rows[0], **cent})
    rows += [{**rows[0], **largest, "expense_key": year * 10_000 + 9_001 + number} for number in range(200)]
    return rows


def build(star: Star, folder: str, year: int) -> dg.ExecuteInProcessResult:
    assert star.materialize(*DIMENSIONS, *REFERENCES, key_of(FACT), years=(year, year)).success
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [assets.build_marts],
            instance=instance,
            resources={
                "lake": LakeResource(warehouse=folder),
                "pyspark": SparkResource(spark_config={}),
                "settings": SettingsResource(environment="local"),
                "pyspark_step_launcher": dg.ResourceDefinition.none_resource(),
            },
            partition_key=str(year),
        )


@pytest.fixture(scope="module")
def renamed(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Mapping[Table, Any]]:
    """2021 was built, then 2022, whose file names all deputies and spells their party otherwise; 2021 as it was."""
    folder = tmp_path_factory.mktemp("lake")
    star = Star(folder)
    star.stage(HOUSE, *absurd(2021, 150), version="a file")
    build(star, str(folder), 2021)
    before = {mart: star.lake.rows(mart, [2021]) for mart in MARTS}
    later = [{**row, "deputy_name": f"Dra. {row['deputy_id']}", "party_label": "PCdoB"} for row in absurd(2022, 150)]
    star.stage(HOUSE, *later, version="a file")
    build(star, str(folder), 2022)
    return star.lake, before


Renamed = tuple[Lake, Mapping[Table, Any]]


def test_absurd_amounts_keep_no_mart_from_its_readers(renamed: Renamed) -> None:
    """The audit has found every required column filled and all sums right."""
    assert {mart.name: renamed[0].years(mart) for mart in MARTS} == {mart.name: [2021, 2022] for mart in MARTS}


def test_who_computed_a_mart_is_known_though_other_years_were_only_renamed(renamed: Renamed) -> None:
    assert {str(renamed[0].engine_of(mart)).partition(" ")[0] for mart in MARTS} == {"Spark"}


def quotient(part: Decimal, whole: Decimal, places: str) -> Decimal | None:
    return (part / whole).quantize(Decimal(places), ROUND_HALF_UP) if whole else None


@pytest.mark.parametrize(
    ("mart", "share", "part", "whole"),
    [
        (mart_sub_limits.TABLE, "share_of_limit", "spent_amount", "limit_amount"),
        (mart_quota_shares.TABLE, "share_of_quota", "spent_amount", "quota_amount"),
        (mart_quota_shares.TABLE, "share_to_date", "spent_to_date", "quota_to_date"),
    ],
)
def test_a_share_of_an_absurd_amount_is_right_to_the_last_digit(
    renamed: Renamed, mart: Table, share: str, part: str, whole: str
) -> None:
    rows = renamed[0].rows(mart)
    assert max(abs(row[share]) for row in rows) > 100_000
    assert [row[share] for row in rows] == [quotient(row[part], row[whole], "1.000000") for row in rows]


def test_a_share_of_almost_nothing_is_right_to_the_last_digit(renamed: Renamed) -> None:
    rows = renamed[0].rows(mart_categories.TABLE)
    spent = {year: sum(row["spent_amount"] for row in rows if row["year"] == year) for year in (2021, 2022)}
    assert [row["share_of_year"] for row in rows] == [
        quotient(row["spent_amount"], spent[row["year"]], "1.000000") for row in rows
    ]


def test_an_average_of_absurd_amounts_is_right_to_the_cent(renamed: Renamed) -> None:
    for row in renamed[0].rows(mart_parties.TABLE):
        assert row["spent_per_deputy"] == quotient(row["spent_amount"], Decimal(row["deputies"]), "1.00")


# names


def test_a_deputy_has_one_name_in_all_years_of_all_marts(renamed: Renamed) -> None:
    lake, _ = renamed
    names = {row["deputy_key"]: row["deputy_name"] for row in lake.rows(dim_deputies.TABLE)}
    assert {name[:5] for name in names.values()} == {"Dra. ", "Desco"}
    for mart in MARTS:
        for row in lake.rows(mart) if "deputy_name" in mart.column_names else ():
            assert row["deputy_name"] == names[row["deputy_key"]]
    only = {row["only_deputy_name"] for row in lake.rows(mart_suppliers.TABLE) if row["only_deputy_key"]}
    assert only <= set(names.values())


def test_a_party_has_one_spelling_in_all_years_of_all_marts(renamed: Renamed) -> None:
    lake, _ = renamed
    for mart in MARTS:
        for column in {"party_label", "party_labels", "party_label_today"}.intersection(mart.column_names):
            assert {row[column] for row in lake.rows(mart)} == {"PCdoB"}, (mart.name, column)


def figures(mart: Table, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """What is no name."""
    names = [column.name for column in mart.columns if column.type != "string"]
    return sorted((tuple(row[name] for name in names) for row in rows), key=str)


def test_no_figure_changes_with_a_name(renamed: Renamed) -> None:
    lake, before = renamed
    for mart in MARTS:
        assert figures(mart, lake.rows(mart, [2021])) == figures(mart, before[mart])
