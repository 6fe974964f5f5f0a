"""Write, audit, publish: all tables of a step or none, and nothing over what others published meanwhile."""

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from deputies_lake import contracts
from deputies_lake.assets import metadata_of
from deputies_lake.checks.audit import AuditFailedError, Finding, Group, Sums
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.iceberg import ConcurrentCommitError
from deputies_lake.lakehouse.lake import Draft, Lake, MissingTableError, Published, Staged, Standing
from deputies_lake_tests.lakehouse.tables import EXPENSES, PARTIES, expenses, stage

STATES = replace(PARTIES, name="dim_states")
MEMBERS = replace(
    PARTIES, name="fct_members", references=(contracts.Reference(column="party_key", table="dim_parties"),)
)
Party = tuple[int, str]


@pytest.fixture
def lake(root: Path) -> Lake:
    return Lake(iceberg.local_catalog(root))


def parties(spark: SparkSession, rows: Sequence[Party]) -> DataFrame:
    return spark.createDataFrame(list(rows), "party_key int, name string")


def draft(spark: SparkSession, contract: contracts.Table, *rows: Party) -> Draft:
    return Draft(contract=contract, rows=lambda: parties(spark, rows))


def published(lake: Lake, spark: SparkSession, contract: contracts.Table) -> list[Party]:
    return sorted((row["party_key"], row["name"]) for row in lake.read(spark, contract).collect())


def test_all_drafts_of_a_step_are_published(lake: Lake, spark: SparkSession) -> None:
    done = lake.write([draft(spark, PARTIES, (1, "PT")), draft(spark, STATES, (1, "SP"), (2, "RJ"))], "run")
    assert [(one.contract.name, one.row_count) for one in done] == [("dim_parties", 1), ("dim_states", 2)]
    assert lake.overview() == [("star.dim_parties", 1), ("star.dim_states", 2)]


def test_a_new_version_replaces_the_old_one(lake: Lake, spark: SparkSession) -> None:
    lake.write([draft(spark, PARTIES, (1, "PFL"))], "first")
    lake.write([draft(spark, PARTIES, (2, "DEM"))], "second")
    assert published(lake, spark, PARTIES) == [(2, "DEM")]


def test_one_failed_audit_keeps_all_tables_of_the_step_as_they_were(lake: Lake, spark: SparkSession) -> None:
    lake.write([draft(spark, PARTIES, (1, "PT")), draft(spark, STATES, (1, "SP"))], "good")
    with pytest.raises(AuditFailedError, match=r"dim_states\.grain_is_unique") as failed:
        lake.write([draft(spark, PARTIES, (1, "PL")), draft(spark, STATES, (1, "SP"), (1, "RJ"))], "bad")
    assert {table for table, of_table in failed.value.findings.items() for f in of_table if not f.passed} == {
        "dim_states"
    }
    assert (published(lake, spark, PARTIES), published(lake, spark, STATES)) == ([(1, "PT")], [(1, "SP")])


def test_a_key_is_looked_for_in_the_table_that_is_published_with_it(lake: Lake, spark: SparkSession) -> None:
    lake.write([draft(spark, PARTIES, (1, "PFL"))], "before")
    lake.write([draft(spark, PARTIES, (2, "DEM")), draft(spark, MEMBERS, (2, "of the new party"))], "both")
    with pytest.raises(AuditFailedError, match=r"fct_members\.references_resolve: keys without a member"):
        lake.write([draft(spark, PARTIES, (3, "UNIÃO")), draft(spark, MEMBERS, (2, "of the old party"))], "bad")
    assert (published(lake, spark, PARTIES), published(lake, spark, MEMBERS)) == (
        [(2, "DEM")],
        [(2, "of the new party")],
    )


def test_without_one_it_is_looked_for_in_what_readers_have(lake: Lake, spark: SparkSession) -> None:
    lake.write([draft(spark, PARTIES, (1, "PFL"))], "before")
    lake.write([draft(spark, MEMBERS, (1, "of the party"))], "alone")
    assert published(lake, spark, MEMBERS) == [(1, "of the party")]


def test_what_others_published_since_the_input_was_read_is_not_replaced(lake: Lake, spark: SparkSession) -> None:
    """Drafts may share what the first of them reads: from then on a publication of any of their tables counts."""
    lake.write([draft(spark, PARTIES, (1, "old")), draft(spark, STATES, (1, "old"))], "before")

    def read_slowly() -> DataFrame:
        lake.write([draft(spark, STATES, (1, "of another run"))], "meanwhile")
        return parties(spark, [(1, "late")])

    with pytest.raises(ConcurrentCommitError, match=r"dim_states: the whole table could not be published"):
        lake.write([Draft(contract=PARTIES, rows=read_slowly), draft(spark, STATES, (1, "late"))], "overtaken")
    assert published(lake, spark, STATES) == [(1, "of another run")]


def test_a_table_that_was_never_published_is_named_with_the_command_to_make_it(lake: Lake, spark: SparkSession) -> None:
    with pytest.raises(MissingTableError, match=r"star\.dim_parties .* --select star/dim_parties "):
        lake.read(spark, PARTIES)


def test_a_table_that_was_made_but_never_published_is_missing_too(lake: Lake, spark: SparkSession) -> None:
    lake.table(PARTIES)
    with pytest.raises(MissingTableError):
        lake.read(spark, PARTIES)


def test_a_table_says_which_engine_computed_what_was_published_last(lake: Lake, spark: SparkSession) -> None:
    [done] = lake.write([draft(spark, PARTIES, (1, "PT"))], "run")
    assert re.fullmatch(r"(Spark 3\.5|Sail 0\.7)\.\d+", done.engine or "")
    assert (lake.engine_of(PARTIES), lake.verify(PARTIES).engine) == (done.engine, done.engine)
    assert metadata_of(done)["engine"] == done.engine


def test_rows_that_needed_no_engine_name_none(lake: Lake) -> None:
    [done] = lake.publish([lake.stage_rows(PARTIES, lambda: [{"party_key": 1, "name": "PT"}], "run")], "run")
    assert (lake.engine_of(PARTIES), "engine" in metadata_of(done)) == (None, False)


def test_what_readers_have_can_be_audited_again(lake: Lake, spark: SparkSession) -> None:
    lake.write([draft(spark, PARTIES, (1, "PT"))], "run")
    again = lake.verify(PARTIES)
    assert again.row_count == 1
    assert {finding.check: finding.passed for finding in again.findings} == {
        "grain_is_unique": True,
        "required_columns_are_filled": True,
    }


def publish_years(lake: Lake, versions: dict[int, str], *years: int) -> None:
    """Two rows of each year, of which some name what they were made from."""
    table = lake.table(EXPENSES)
    files = stage(table, *(expenses(year) for year in years))
    staged = Staged(
        contract=EXPENSES, table=table, files=files, row_count=2 * len(years), years=years, versions=versions
    )
    lake.publish([staged], "run")


def test_a_table_that_was_never_published_has_neither_years_nor_versions(lake: Lake) -> None:
    assert (lake.years(EXPENSES), lake.versions(EXPENSES)) == ([], {})


def test_each_year_keeps_the_version_it_was_published_with(lake: Lake) -> None:
    publish_years(lake, {2019: "a", 2020: "b"}, 2019, 2020)
    publish_years(lake, {2020: "c"}, 2020)
    assert (lake.years(EXPENSES), lake.versions(EXPENSES)) == ([2019, 2020], {2019: "a", 2020: "c"})


def test_a_year_that_is_replaced_without_a_version_forgets_its_own(lake: Lake) -> None:
    publish_years(lake, {2019: "a", 2020: "b"}, 2019, 2020)
    publish_years(lake, {}, 2020)
    assert lake.versions(EXPENSES) == {2019: "a"}


def test_single_years_can_be_audited_again(lake: Lake) -> None:
    publish_years(lake, {}, 2019, 2020)
    assert lake.verify(EXPENSES, [2020]).rows_by_year == {2020: 2}


def test_who_stages_a_table_may_add_what_was_found_on_the_way(lake: Lake) -> None:
    found = Finding(check="nothing_vanished", passed=False, blocking=False, summary="2019 lost 3 rows")
    staged = Staged(contract=PARTIES, table=lake.table(PARTIES), files=[], row_count=0, findings=[found])
    assert lake.publish([staged], "run")[0].findings[-1] == found


# A year that fails its audit

CHANGES = replace(EXPENSES, name="fct_expense_changes")
SUMMED = replace(EXPENSES, totals=contracts.Totals(by=("year", "version"), amount="net_amount"))


def staged_years(lake: Lake, contract: contracts.Table, **rows: list[dict[str, Any]]) -> Staged:
    """Rows by year, `y2019` for one, each year with the version `new`."""
    table = lake.table(contract)
    parts = {int(year.removeprefix("y")): of_year for year, of_year in rows.items()}
    return Staged(
        contract=contract,
        table=table,
        files=stage(table, *parts.values()),
        row_count=sum(map(len, parts.values())),
        years=[*parts],
        versions=dict.fromkeys(parts, "new"),
    )


def broken(year: int) -> list[dict[str, Any]]:
    """Two rows with one key."""
    return [*expenses(year, 1), *expenses(year, 1)]


def found_in(published: Published, check: str) -> Finding:
    return next(found for found in published.findings if found.check == check)


def test_a_year_that_fails_its_audit_is_left_out_and_says_so(lake: Lake) -> None:
    publish_years(lake, {2019: "a", 2020: "b"}, 2019, 2020)
    (done,) = lake.publish([staged_years(lake, EXPENSES, y2019=broken(2019), y2020=expenses(2020, 3))], "run")
    assert (done.rows_by_year, done.row_count) == ({2020: 3}, 5)
    assert lake.versions(EXPENSES) == {2019: "a", 2020: "new"}
    found = found_in(done, "grain_is_unique")
    assert (found.passed, found.blocking) == (False, True)
    assert found.summary.startswith(
        "2019 not published, readers keep what they had: 2019: 1 values of expense_key occur more than once in 2019"
    )
    assert [*found.figures] == ["2019"]
    assert found_in(done, "required_columns_are_filled").passed
    assert [*done.left_out] == [2019]
    assert done.left_out[2019].startswith("fct_expenses.grain_is_unique: 1 values")


def test_a_year_that_fails_in_one_table_is_published_in_none(lake: Lake) -> None:
    both = [
        staged_years(lake, EXPENSES, y2019=expenses(2019), y2020=expenses(2020)),
        staged_years(lake, CHANGES, y2019=broken(2019)),
    ]
    sound, failed = lake.publish(both, "run")
    assert (lake.years(EXPENSES), lake.years(CHANGES)) == ([2020], [])
    assert all(found.passed for found in sound.findings)
    assert sound.left_out == failed.left_out != {}
    assert not found_in(failed, "grain_is_unique").passed


def test_a_table_without_years_is_published_beside_what_is_left(lake: Lake) -> None:
    parties = lake.stage_rows(PARTIES, lambda: [{"party_key": 1, "name": "PT"}], "run")
    years = staged_years(lake, EXPENSES, y2019=broken(2019), y2020=expenses(2020))
    assert [[*one.left_out] for one in lake.publish([parties, years], "run")] == [[], [2019]]
    assert [row["name"] for row in lake.rows(PARTIES)] == ["PT"]


def test_where_every_year_fails_nothing_is_published(lake: Lake) -> None:
    parties = lake.stage_rows(PARTIES, lambda: [{"party_key": 1, "name": "PT"}], "run")
    years = staged_years(lake, EXPENSES, y2019=broken(2019), y2020=broken(2020))
    with pytest.raises(AuditFailedError, match=r"nothing was published.* 2 values of expense_key .* in 2019, 2020"):
        lake.publish([parties, years], "run")
    assert not lake.exists(PARTIES)


def test_what_fails_in_no_single_year_publishes_nothing(lake: Lake) -> None:
    same_key = [{**row, "year": 2020} for row in expenses(2019)]
    with pytest.raises(AuditFailedError, match=r"expense_key occur more than once in 2019, 2020"):
        lake.publish([staged_years(lake, EXPENSES, y2019=expenses(2019), y2020=same_key)], "run")
    assert not lake.exists(EXPENSES)


def test_a_table_that_is_replaced_as_a_whole_leaves_no_year_out(lake: Lake) -> None:
    whole = replace(staged_years(lake, EXPENSES, y2019=broken(2019), y2020=expenses(2020)), years=None)
    with pytest.raises(AuditFailedError):
        lake.publish([whole], "run")


def test_each_year_must_add_up_to_its_own_sums(lake: Lake) -> None:
    given = staged_years(lake, SUMMED, y2019=expenses(2019), y2020=expenses(2020), y2021=expenses(2021))
    groups: list[Group] = [(2019, 1), (2020, 1), (2021, 1)]
    amounts = dict.fromkeys(groups, Decimal("21.50"))
    expected = Sums(dict.fromkeys(groups, 2), {**amounts, (2020, 1): Decimal("21.51")})
    (done,) = lake.publish([replace(given, expected=lambda: expected)], "run")
    assert (lake.years(SUMMED), [*done.left_out]) == ([2019, 2021], [2020])
    assert "expected 2 rows, BRL 21.51; found 2 rows, BRL 21.50" in found_in(done, "adds_up").summary


# Rows that need no Spark


def test_of_two_that_add_rows_to_one_version_the_second_gets_a_conflict_and_no_row_is_lost(lake: Lake) -> None:
    first = lake.add_rows(PARTIES, lambda _: [{"party_key": 1, "name": "of the first"}], "first")
    second = lake.add_rows(PARTIES, lambda _: [{"party_key": 2, "name": "of the second"}], "second")
    lake.publish([first], "first")
    with pytest.raises(ConcurrentCommitError):
        lake.publish([second], "second")
    again = lake.add_rows(PARTIES, lambda _: [{"party_key": 2, "name": "of the second"}], "again")
    lake.publish([again], "again")
    assert sorted(row["name"] for row in lake.rows(PARTIES)) == ["of the first", "of the second"]


def test_what_others_publish_while_rows_are_made_is_not_replaced(lake: Lake) -> None:
    """Whatever `rows` reads, it reads it when the version that it will replace is known."""

    def read_slowly() -> list[dict[str, object]]:
        lake.publish([lake.stage_rows(PARTIES, lambda: [{"party_key": 1, "name": "meanwhile"}], "other")], "other")
        return [{"party_key": 2, "name": "late"}]

    with pytest.raises(ConcurrentCommitError):
        lake.publish([lake.stage_rows(PARTIES, read_slowly, "overtaken")], "overtaken")
    assert [row["name"] for row in lake.rows(PARTIES)] == ["meanwhile"]


def test_who_adds_rows_is_told_those_of_the_version_that_they_are_added_to(lake: Lake) -> None:
    publish_years(lake, {2019: "a"}, 2019, 2020)
    told = []

    def none(standing: Standing) -> list[dict[str, object]]:
        told.append((sorted({row["year"] for row in standing.rows}), standing.versions))
        return []

    assert lake.add_rows(EXPENSES, none, "run", years=[2020]).row_count == 2
    assert told == [([2020], {2019: "a"})]
