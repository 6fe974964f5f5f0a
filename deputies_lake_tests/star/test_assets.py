"""The star's assets over lakes of both sources: which rows a year has, and what the run says of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from unittest import mock

import dagster as dg
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from deputies_lake.assets import key_of
from deputies_lake.checks.audit import AuditFailedError, Sums
from deputies_lake.contracts import Table
from deputies_lake.environments import Engine
from deputies_lake.raw import file_versions
from deputies_lake.resources.lake import LakeResource
from deputies_lake.resources.settings import SettingsResource
from deputies_lake.resources.spark import SparkResource
from deputies_lake.star import (
    assets,
    changes,
    dim_deputies,
    dim_suppliers,
    fct_expense_changes,
    fct_expenses,
    ref_known_gaps,
    ref_monthly_quotas,
)
from deputies_lake.star.expenses import HOUSE, KAGGLE
from deputies_lake_tests.star.staged_rows import HOUSE_LEADERSHIP, LEADERSHIP, StagedRow, staged_rows

pytestmark = pytest.mark.engine(Engine.SPARK)

FACT: Final = fct_expenses.TABLE
DIMENSIONS: Final = [dg.AssetKey(["star", reference.table]) for reference in FACT.references]

KAGGLE_ROWS: Final[Sequence[StagedRow]] = (
    {"year": 2015},
    {"year": 2015},
    {"year": 2016, "deputy_id": "1616"},
    {"year": 2016, **LEADERSHIP},
    {"year": 2017, "document_amount": Decimal("30.00")},
)
HOUSE_ROWS: Final[Sequence[StagedRow]] = (
    {"year": 2016, "expense_key": 201, "net_amount": Decimal("-12.34")},
    {"year": 2016, "expense_key": 202, "returned_amount": Decimal("1.01")},
    {"year": 2016, "expense_key": 203, **HOUSE_LEADERSHIP},
    {"year": 2022, "expense_key": 204, "expense_category_id": "145", "expense_category_label": "TOKENS"},
)


class Star:
    """A lake in a directory, and runs of the star's assets in this process."""

    def __init__(self, folder: Path) -> None:
        self._resource = LakeResource(warehouse=str(folder))
        self.lake = self._resource.open()

    def stage(self, source: Table, *changes: StagedRow, version: str = "") -> None:
        """Publish staged rows of the years they speak of, as the staging layer would have."""
        rows = staged_rows(source, *changes)
        years = {int(str(row["year"])) for row in rows}
        staged = self.lake.stage_rows(source, lambda: rows, "staged", years=years)
        versions = dict.fromkeys(years, version) if version else {}
        self.lake.publish([replace(staged, expected=lambda: sums_of(source, rows), versions=versions)], "staged")

    def materialize(self, *keys: dg.AssetKey, years: tuple[int, int] | None = None) -> dg.ExecuteInProcessResult:
        names = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
        with dg.DagsterInstance.ephemeral() as instance:
            return dg.materialize(
                [assets.build_star],
                selection=list(keys),
                instance=instance,
                resources={
                    "lake": self._resource,
                    "pyspark": SparkResource(spark_config={}),
                    "settings": SettingsResource(environment="local"),
                    "pyspark_step_launcher": dg.ResourceDefinition.none_resource(),
                },
                tags=dict(zip(names, map(str, years), strict=True)) if years else None,
                raise_on_error=False,
            )

    def build(self, first: int, last: int) -> dg.ExecuteInProcessResult:
        """The dimensions and these years of the fact."""
        return self.materialize(*DIMENSIONS, key_of(FACT), years=(first, last))

    def facts(self) -> Mapping[tuple[int, str], int]:
        """How many rows the fact has of each year and source."""
        return Counter((row["year"], row["source_code"]) for row in self.lake.rows(FACT))


Built = tuple[Star, dg.ExecuteInProcessResult]


def sums_of(source: Table, rows: Sequence[StagedRow]) -> Sums:
    assert source.totals
    found = Sums.none()
    for row in rows:
        group = tuple(str(row[name]) if name != "year" else int(str(row[name])) for name in source.totals.by)
        amount, *others = (Decimal(str(row[name] or 0)) for name in source.totals.amounts)
        found += Sums({group: 1}, {group: amount}, {group: tuple(others)} if others else {})
    return found


def failure_of(run: dg.ExecuteInProcessResult) -> str:
    (event,) = (event for event in run.all_events if event.event_type_value == "STEP_FAILURE")
    return str(event.step_failure_data.user_failure_data.description)  # type: ignore[union-attr]


@pytest.fixture
def star(spark: SparkSession, tmp_path: Path) -> Star:
    """An empty lake. Runs find the tests' Spark session."""
    return Star(tmp_path / "lake")


# Kaggle's 2015 to 2017 and the House's 2016 and 2022


@pytest.fixture(scope="module")
def both(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Built:
    star = Star(tmp_path_factory.mktemp("both"))
    star.stage(KAGGLE, *KAGGLE_ROWS)
    star.stage(HOUSE, *HOUSE_ROWS)
    return star, star.build(2015, 2022)


def test_a_year_that_both_sources_have_is_the_houses_alone(both: Built) -> None:
    assert both[0].facts() == {
        (2015, "kaggle_reimbursements"): 2,
        (2016, "chamber_expenses"): 3,
        (2017, "kaggle_reimbursements"): 1,
        (2022, "chamber_expenses"): 1,
    }


def test_all_checks_hold_over_both_sources(both: Built) -> None:
    checks = both[1].get_asset_check_evaluations()
    assert {check.check_name for check in checks if check.asset_key == key_of(FACT)} == {
        *("grain_is_unique", "required_columns_are_filled", "references_resolve", "adds_up", "no_cpf_is_shown")
    }
    assert [check.check_name for check in checks if not check.passed] == []


@pytest.mark.parametrize(
    ("column", "total"),
    [
        ("document_amount", "451.00"),
        ("net_amount", "197.66"),
        ("deduction_amount", "1.00"),
        ("returned_amount", "1.01"),
    ],
)
def test_no_amount_is_added_up_twice(column: str, total: str, both: Built) -> None:
    assert sum(row[column] or 0 for row in both[0].lake.rows(FACT)) == Decimal(total)


def test_dimensions_are_built_from_the_same_choice_of_years(both: Built) -> None:
    numbers = {row["deputy_id"] for row in both[0].lake.rows(dim_deputies.TABLE)}
    assert numbers == {"4242", LEADERSHIP["deputy_id"], "UNKNOWN"}


def test_the_materialization_says_which_source_each_year_has(both: Built) -> None:
    events = both[1].asset_materializations_for_node("build_star")
    (said,) = {str(e.metadata["source of each year"].value) for e in events if e.asset_key == key_of(FACT)}
    lines = {"| 2015 | kaggle_reimbursements |", "| 2016 | chamber_expenses |", "| 2018 | none |"}
    assert lines <= set(said.splitlines())


# A year that fails its audit


def test_a_year_that_fails_its_audit_holds_up_no_other(star: Star) -> None:
    star.stage(HOUSE, *HOUSE_ROWS)
    transform = fct_expenses.transform

    def without_amounts_of_2022(expenses: DataFrame) -> DataFrame:
        is_sound = F.col("year") != 2022
        return transform(expenses).withColumn("document_amount", F.when(is_sound, F.col("document_amount")))

    with mock.patch.object(fct_expenses, "transform", without_amounts_of_2022):
        run = star.build(2016, 2022)
    assert (run.success, star.facts()) == (True, {(2016, "chamber_expenses"): 3})
    failed = [check for check in run.get_asset_check_evaluations() if not check.passed]
    assert {(check.asset_key, check.severity) for check in failed} == {(key_of(FACT), dg.AssetCheckSeverity.ERROR)}
    assert {check.check_name for check in failed} == {"required_columns_are_filled", "adds_up"}
    assert all(str(check.description).startswith("2022 not published, readers keep what they had") for check in failed)
    assert star.build(2016, 2022).success
    assert star.facts() == {(2016, "chamber_expenses"): 3, (2022, "chamber_expenses"): 1}


# lakes that grow


def test_a_year_that_changes_its_source_is_replaced_and_no_other(star: Star) -> None:
    star.stage(KAGGLE, *KAGGLE_ROWS)
    star.build(2015, 2017)
    before = star.facts()
    star.stage(HOUSE, *HOUSE_ROWS)
    star.build(2016, 2016)
    assert before == {(year, "kaggle_reimbursements"): rows for year, rows in ((2015, 2), (2016, 2), (2017, 1))}
    assert star.facts() == {
        (2015, "kaggle_reimbursements"): 2,
        (2016, "chamber_expenses"): 3,
        (2017, "kaggle_reimbursements"): 1,
    }


def test_a_lake_without_kaggles_files_has_the_houses_years(star: Star) -> None:
    star.stage(HOUSE, *HOUSE_ROWS)
    assert star.build(2016, 2022).success
    assert star.facts() == {(2016, "chamber_expenses"): 3, (2022, "chamber_expenses"): 1}


def test_a_lake_without_any_source_says_what_to_materialize_first(star: Star) -> None:
    run = star.materialize(key_of(dim_deputies.TABLE))
    assert failure_of(run) == (
        "staging.stg_kaggle_reimbursements has no data yet. Materialize it first: "
        "dagster asset materialize --select staging/stg_kaggle_reimbursements -m deputies_lake.definitions"
    )


def test_rows_of_both_sources_in_one_year_are_not_published(star: Star, monkeypatch: pytest.MonkeyPatch) -> None:
    star.stage(KAGGLE, *KAGGLE_ROWS)
    star.stage(HOUSE, *HOUSE_ROWS)
    # As if a year's source were not chosen: of the years asked for, each source gives what it has.
    monkeypatch.setattr(
        assets,
        "chosen",
        lambda available, years: {one: sorted({*of} & {*(years or of)}) for one, of in available.items()},
    )
    run = star.build(2016, 2016)
    assert "fct_expenses.adds_up: 1 of 1 groups by year, expense_category_key do not add up" in failure_of(run)
    # Nor are the dimensions, which were made from the same rows.
    assert {name.partition(".")[0] for name, _ in star.lake.overview()} == {"staging"}


# what no staged row mentions any more


OTHER: Final[StagedRow] = {
    "expense_key": 7,
    "supplier_token": "44555666000181",
    "supplier_id": "44555666000181",
    "supplier_name": "PADARIA FICTÍCIA",
}


def suppliers(star: Star) -> Mapping[str, Any]:
    return {row["supplier_name"]: row["supplier_key"] for row in star.lake.rows(dim_suppliers.TABLE)}


def test_a_published_year_keeps_the_members_that_its_source_lost_since(star: Star) -> None:
    star.stage(HOUSE, {"year": 2022, "expense_key": 6}, {"year": 2022, **OTHER}, {"year": 2023, "expense_key": 8})
    star.build(2022, 2023)
    before = suppliers(star)
    star.stage(HOUSE, {"year": 2022, "expense_key": 6}, {"year": 2022, "expense_key": 9})
    run = star.build(2023, 2023)
    assert (run.success, suppliers(star)) == (True, before)
    assert {row["supplier_key"] for row in star.lake.rows(FACT)} <= set(suppliers(star).values())


def test_when_all_is_rebuilt_members_that_nothing_refers_to_are_forgotten(
    star: Star, monkeypatch: pytest.MonkeyPatch
) -> None:
    star.stage(HOUSE, {"year": 2022, "expense_key": 6}, {"year": 2022, **OTHER}, {"year": 2023, "expense_key": 8})
    star.build(2022, 2023)
    star.stage(HOUSE, {"year": 2022, "expense_key": 6})
    monkeypatch.setenv("DEPUTIES_LAKE_REBUILD", "all")
    assert star.build(2023, 2023).success
    assert OTHER["supplier_name"] in suppliers(star)
    star.build(2022, 2022)
    assert star.build(2023, 2023).success
    assert OTHER["supplier_name"] not in suppliers(star)


def test_a_dimension_that_lost_a_member_of_another_year_is_not_published(star: Star) -> None:
    star.stage(HOUSE, {"year": 2022, **OTHER}, {"year": 2023, "expense_key": 8})
    star.build(2022, 2023)
    member = suppliers(star)[str(OTHER["supplier_name"])]
    rows = [row for row in star.lake.rows(dim_suppliers.TABLE) if row["supplier_key"] != member]
    with pytest.raises(AuditFailedError) as failed:
        star.lake.publish([star.lake.stage_rows(dim_suppliers.TABLE, lambda: rows, "run")], "run")
    assert (
        "dim_suppliers.published_keys_have_members: published rows without a member: star.fct_expenses of 2022: "
        f"1 rows, such as supplier_key {member}; build these years with the dimension"
    ) in str(failed.value)
    assert member in suppliers(star).values()


# runs that died


def history(star: Star) -> list[tuple[Any, ...]]:
    rows = [{**row, "changed_at": None} for row in star.lake.rows(fct_expense_changes.TABLE)]
    return sorted((tuple(row.items()) for row in rows), key=str)


def test_a_run_that_died_after_the_fact_leaves_its_history_to_the_next(
    star: Star, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = Star(tmp_path / "alive")
    for key, version in enumerate(("a file", "another")):
        for lake in (star, alive):
            lake.stage(HOUSE, {"year": 2022, "expense_key": key}, version=version)
        with monkeypatch.context() as killed:
            killed.setattr(changes, "account", _die)
            assert not star.build(2022, 2022).success
        assert alive.build(2022, 2022).success
    assert star.facts() == alive.facts()
    assert star.build(2022, 2022).success
    assert history(star) == history(alive)
    assert len(history(star)) == 2


def _die(*_: object) -> None:
    raise dg.Failure(description="killed", allow_retries=False)


def test_a_year_that_lost_a_file_is_built_again_and_its_history_says_so(star: Star) -> None:
    star.stage(HOUSE, {"year": 2022}, {"year": 2023, "expense_key": 8}, version="a file")
    star.build(2022, 2023)
    before = sorted(map(str, star.lake.rows(FACT)))
    Path(star.lake.files(FACT, [2022])[0].removeprefix("file://")).unlink()
    run = star.materialize(key_of(FACT), key_of(fct_expense_changes.TABLE), years=(2022, 2022))
    assert (run.success, sorted(map(str, star.lake.rows(FACT)))) == (True, before)
    failed = [check for check in run.get_asset_check_evaluations() if not check.passed]
    assert [(check.check_name, str(check.description)[:5]) for check in failed] == [("history_is_whole", "2022:")]


def test_a_dimension_that_lost_its_file_keeps_the_members_that_only_the_fact_knows(star: Star) -> None:
    star.stage(HOUSE, {"year": 2022, "expense_key": 6}, {"year": 2022, **OTHER})
    star.build(2022, 2022)
    star.stage(HOUSE, {"year": 2022, "expense_key": 6})
    star.materialize(key_of(dim_suppliers.TABLE))
    before = suppliers(star)
    lose_file(star, dim_suppliers.TABLE)
    run = star.materialize(key_of(dim_suppliers.TABLE))
    assert (run.success, suppliers(star)) == (True, before)
    assert OTHER["supplier_name"] in before


def test_a_history_that_lost_a_file_is_worked_out_again_from_the_versions_of_the_fact(star: Star) -> None:
    for key, version in enumerate(("a file", "another", "a third")):
        star.stage(HOUSE, {"year": 2022, "expense_key": key}, version=version)
        star.build(2022, 2022)
    before = history(star)
    lose_file(star, fct_expense_changes.TABLE)
    run = star.materialize(key_of(fct_expense_changes.TABLE), years=(2022, 2022))
    assert (run.success, history(star), len(before)) == (True, before, 3)


def lose_file(star: Star, table: Table) -> None:
    Path(star.lake.files(table)[-1].removeprefix("file://")).unlink()


# reference tables


def test_reference_tables_need_neither_spark_nor_a_source(star: Star, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: SparkResource) -> SparkSession:
        raise AssertionError("no session is needed for rows that ship with the package")

    monkeypatch.setattr(SparkResource, "session", refuse)
    assert star.materialize(key_of(ref_monthly_quotas.TABLE)).success
    assert [name for name, _ in star.lake.overview()] == ["star.ref_monthly_quotas"]


def test_amounts_and_days_of_a_reference_table_are_typed(star: Star) -> None:
    star.materialize(key_of(ref_monthly_quotas.TABLE))
    rows = {(row["state_code"], f"{row['valid_from']}"): row for row in star.lake.rows(ref_monthly_quotas.TABLE)}
    assert rows["SP", "2016-03-01"]["monthly_quota_amount"] == Decimal("37043.53")
    assert rows["SP", "2026-02-20"]["valid_to"] is None


def arriving(star: Star) -> list[tuple[str, str]]:
    star.materialize(key_of(ref_known_gaps.TABLE))
    gaps = star.lake.rows(ref_known_gaps.TABLE)
    return [
        (f"{gap['first_month']}", f"{gap['last_month']}") for gap in gaps if gap["gap_id"] == "receipts_still_arriving"
    ]


def test_a_new_file_of_the_house_moves_the_months_whose_receipts_are_arriving(star: Star) -> None:
    before = arriving(star)
    day = datetime.fromisoformat("2026-09-16T06:27:00")
    version: dict[str, Any] = {column.name: None for column in file_versions.TABLE.columns}
    for number, column in enumerate(file_versions.TABLE.required):
        version[column] = number if column.endswith(("amount", "rows", "bytes")) else column
    version |= {"year": 2026, "decision": "published", "decided_at": day, "archived_at": day, "modified_at": day}
    star.lake.publish([star.lake.stage_rows(file_versions.TABLE, lambda: [version], "raw", years=[2026])], "raw")
    assert (before, arriving(star)) == ([], [("2026-06-01", "2026-09-01")])


# The same again


def snapshots(star: Star) -> Mapping[Table, Mapping[datetime, int]]:
    return {table: star.lake.snapshots(table) for table in (FACT, fct_expense_changes.TABLE, dim_deputies.TABLE)}


def test_what_is_made_from_the_same_is_audited_again_and_not_computed(star: Star) -> None:
    star.stage(HOUSE, {"year": 2022}, version="a file")
    first = star.build(2022, 2022)
    before = snapshots(star)
    again = star.build(2022, 2022)
    assert (again.success, snapshots(star)) == (True, before)
    assert [len(run.get_asset_check_evaluations()) for run in (first, again)] == [
        len(first.get_asset_check_evaluations())
    ] * 2


def test_of_several_years_only_those_made_from_something_else_are_computed(star: Star) -> None:
    star.stage(HOUSE, {"year": 2021, "expense_key": 1}, {"year": 2022, "expense_key": 2}, version="a file")
    star.build(2021, 2022)
    star.stage(HOUSE, {"year": 2022, "expense_key": 3}, {"year": 2022, "expense_key": 4}, version="another file")
    star.build(2021, 2022)
    assert star.facts() == {(2021, "chamber_expenses"): 1, (2022, "chamber_expenses"): 2}
    changes = star.lake.rows(fct_expense_changes.TABLE)
    counts = sorted((row["year"], row["rows_added"], row["rows_altered"]) for row in changes)
    assert counts == [(2021, 1, 0), (2022, 1, 0), (2022, 1, 1)]
