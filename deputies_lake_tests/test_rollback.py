"""Readers get an earlier version again, of a year or of a table: the same figures, held until it is released."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from deputies_lake.checks.audit import Sums, auditor, sums
from deputies_lake.cli.main import main
from deputies_lake.contracts import Table
from deputies_lake.environments import DAGSTER_HOME, HOME
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake, Published, Staged
from deputies_lake.raw import file_versions
from deputies_lake.serving import mart_months, publications, readiness
from deputies_lake.serving.assets import expected, publish_rows
from deputies_lake.star import (
    changes,
    dim_dates,
    dim_deputies,
    dim_document_types,
    dim_expense_categories,
    dim_parties,
    dim_states,
    dim_suppliers,
    fct_expense_changes,
    fct_expenses,
)
from deputies_lake_tests.serving import small_lake

FACT: Final = fct_expenses.TABLE
MART: Final = mart_months.TABLE
SUPPLIERS: Final = dim_suppliers.TABLE
YEAR: Final = 2022
GOOD, BAD, NEXT = (Decimal(amount) for amount in ("100.25", "7.00", "110.50"))
SHA: Final = {GOOD: "aa" * 32, BAD: "bb" * 32, NEXT: "cc" * 32}
WHY: Final = ("--reason", "the file lacked October")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a lake that has 2021, and 2022 in a good version and then in a bad one; a copy lies beside it."""
    home = tmp_path_factory.mktemp("lake")
    opened = small_lake.open_lake(home)
    for dimension in (
        *(dim_dates, dim_deputies, dim_parties, dim_states, dim_suppliers),
        *(dim_expense_categories, dim_document_types),
    ):
        small_lake.commit(opened, dimension.TABLE, [small_lake.row(dimension.TABLE)])
    publish_year(opened, 2021, GOOD)
    publish_year(opened, YEAR, GOOD)
    publish_year(opened, YEAR, BAD)
    shutil.copytree(home, home / "copy")
    return home


@pytest.fixture
def lake(built: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """As it was built, at the place where it was built, for its metadata name that."""
    for folder in ("warehouse", "archive"):
        shutil.rmtree(built / folder, ignore_errors=True)
    shutil.copytree(built / "copy" / "warehouse", built / "warehouse")
    monkeypatch.setenv(HOME, str(built))
    monkeypatch.delenv(DAGSTER_HOME, raising=False)
    return small_lake.open_lake(built)


def publish_year(lake: Lake, year: int, net: Decimal, receipts: int = 2) -> list[Published]:
    """As a run does: the House's file, the fact, what changed, the mart, and what one cites."""
    now = datetime.now(UTC).replace(tzinfo=None)
    decision = small_lake.row(
        file_versions.TABLE,
        year=year,
        decided_at=now,
        modified_at=now,
        decision="published",
        source_code="chamber_expenses",
        file_name=f"Ano-{year}.csv.zip",
        sha256=SHA[net],
        rejected_rows=int(net),
    )
    decided = list(lake.rows(file_versions.TABLE, [year]))
    small_lake.commit(lake, file_versions.TABLE, [*decided, decision])
    values = {"source_code": "chamber_expenses", "net_amount": net, "document_amount": net}
    rows = [small_lake.row(FACT, year=year, expense_key=year * 100 + key, **values) for key in range(receipts)]
    fact = stage(lake, FACT, rows, year, version=str(net))
    of_fact = publish(lake, replace(fact, expected=lambda: sums_of(fact)))
    changes.account(lake, [year], "run")
    amounts = dict.fromkeys(("spent_amount", "document_amount", "gross_amount", "net_amount"), receipts * net)
    month = small_lake.row(MART, year=year, month=1, receipts=receipts, **amounts, **dict.fromkeys(NOTHING, Decimal(0)))
    mart = stage(lake, MART, [month], year, version=str(net))
    of_mart = publish(lake, replace(mart, expected=partial(expected, lake, MART, [year])))
    publish_rows(lake, publications.TABLE, partial(publications.rows, lake), "run")
    return [of_fact, of_mart]


NOTHING: Final = ("deduction_amount", "refund_amount", "difference_amount", "returned_amount")


def stage(lake: Lake, table: Table, rows: Sequence[dict[str, Any]], year: int, version: str) -> Staged:
    return replace(lake.stage_rows(table, lambda: rows, "run", years=[year]), versions={year: version})


def publish(lake: Lake, staged: Staged) -> Published:
    [published] = lake.publish([staged], "run")
    return published


def sums_of(staged: Staged) -> Sums:
    with auditor() as connection:
        connection.register("staged", iceberg.dataset(staged.table, staged.files))
        assert staged.contract.totals
        return sums(connection, "staged", staged.contract.totals)


def typed(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def done(*arguments: str) -> str:
    result = typed(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str) -> str:
    result = typed(*arguments)
    assert result.exit_code == 1, result.output
    [sentence] = [line for line in result.output.splitlines() if line]
    return sentence


def net_of(lake: Lake, year: int = YEAR) -> Decimal:
    """What readers get of the year, the same by the fact and by the mart."""
    by_fact = sum((row["net_amount"] for row in lake.rows(FACT, [year])), Decimal(0))
    assert by_fact == sum((row["net_amount"] for row in lake.rows(MART, [year])), Decimal(0))
    return by_fact


def cited(lake: Lake, year: int = YEAR) -> dict[str, Any]:
    [row] = [row for row in lake.rows(publications.TABLE) if row["year"] == year]
    return row


def clock_of(lake: Lake, table: Table, version: int) -> datetime:
    return sorted(lake.snapshots(table))[version]


# A year


def test_a_year_is_as_it_was_before_its_last_change_in_all_tables(lake: Lake) -> None:
    told = done("rollback", "--year", str(YEAR), *WHY)
    assert net_of(lake) == 2 * GOOD
    assert "before         2 rows  BRL            14.00" in told
    assert "now            2 rows  BRL           200.50" in told
    assert net_of(lake, 2021) == 2 * GOOD


def test_the_file_that_one_cites_is_that_of_the_version(lake: Lake) -> None:
    assert (cited(lake)["sha256"], cited(lake)["rejected_lines"]) == (SHA[BAD], 0)
    done("rollback", "--year", str(YEAR), *WHY)
    assert (cited(lake)["sha256"], cited(lake)["rejected_lines"]) == (SHA[GOOD], 100)


def test_what_a_rollback_changed_is_in_the_history_of_changes(lake: Lake) -> None:
    def changed() -> list[tuple[Decimal, Decimal]]:
        rows = sorted(lake.rows(fct_expense_changes.TABLE, [YEAR]), key=lambda row: row["changed_at"])
        return [(row["net_before"], row["net_after"]) for row in rows]

    done("rollback", "--year", str(YEAR), *WHY)
    assert changed() == [(0, 2 * GOOD), (2 * GOOD, 2 * BAD), (2 * BAD, 2 * GOOD)]


def test_history_tells_who_rolled_back_and_why_for_good(lake: Lake) -> None:
    done("rollback", "--year", str(YEAR), *WHY)
    done("rollback", "--year", str(YEAR), "--release", "--reason", "the file is whole again")
    lines = done("history", "--year", str(YEAR)).splitlines()
    assert "2022 rolled back to the version of " in lines[-2]
    assert lines[-2].endswith(": the file lacked October")
    assert "2022 may be replaced again, by " in lines[-1]
    assert lines[-1].endswith(": the file is whole again")
    assert "rolled back" not in done("history", "--year", "2021")


def test_no_run_replaces_what_was_rolled_back_and_each_says_so(lake: Lake) -> None:
    done("rollback", "--year", str(YEAR), *WHY)
    published = publish_year(lake, YEAR, NEXT)
    assert net_of(lake) == 2 * GOOD
    for one in published:
        assert "the file lacked October" in one.left_out[YEAR]
    assert cited(lake)["sha256"] == SHA[GOOD]


def test_other_years_go_on(lake: Lake) -> None:
    done("rollback", "--year", str(YEAR), *WHY)
    both = [small_lake.row(FACT, year=year, expense_key=year, net_amount=NEXT) for year in (2021, YEAR)]
    staged = lake.stage_rows(FACT, lambda: both, "run", years=[2021, YEAR])
    [published] = lake.publish([replace(staged, expected=lambda: sums_of(staged))], "run")
    assert [*published.left_out] == [YEAR]
    assert [row["net_amount"] for row in lake.rows(FACT, [2021])] == [NEXT]
    assert {row["net_amount"] for row in lake.rows(FACT, [YEAR])} == {GOOD}


def test_what_was_released_is_made_again_whatever_it_is_made_from(lake: Lake) -> None:
    done("rollback", "--year", str(YEAR), *WHY)
    told = done("rollback", "--year", str(YEAR), "--release", "--reason", "x")
    assert f"--partition {YEAR}" in told
    assert YEAR not in {*lake.versions(FACT), *lake.versions(MART)}
    publish_year(lake, YEAR, NEXT)
    assert (net_of(lake), cited(lake)["sha256"]) == (2 * NEXT, SHA[NEXT])


def test_a_version_by_its_minute(lake: Lake) -> None:
    publish_year(lake, YEAR, NEXT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deputies_lake.cli.rollback._FORMS", (("%Y-%m-%dT%H:%M:%S.%f", timedelta.resolution),))
        moment = clock_of(lake, FACT, 1).astimezone(readiness.BRASILIA).replace(tzinfo=None)
        done("rollback", "--year", str(YEAR), "--to", moment.isoformat(timespec="microseconds"), *WHY)
    assert net_of(lake) == 2 * GOOD


def test_a_year_that_is_rolled_back_goes_to_no_other_version_by_guess(lake: Lake) -> None:
    done("rollback", "--year", str(YEAR), *WHY)
    assert "2022 is rolled back already: say to which version, with --to" in refused(
        "rollback", "--year", str(YEAR), *WHY
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--year", "2021"], "no earlier version of 2021 with rows is kept"),
        (["--year", "2019"], "no earlier version of 2019 with rows is kept"),
        (["--year", str(YEAR), "--to", "2020-01-01"], "no version of star.fct_expenses of 2020-01-01 is kept"),
        (["--year", str(YEAR), "--to", "2100-01-01"], "2022 stands as it did then"),
        (["--year", str(YEAR), "--release"], "2022 is not rolled back"),
        (["star.fct_expenses"], "roll back a year of all of them, with --year"),
        (["star.fct_expense_changes"], "is a history"),
        (["raw.chamber_expenses"], "there is no table raw.chamber_expenses among those that readers see"),
        (["star.dim_suppliers"], "no such version of star.dim_suppliers is kept"),
        (["star.dim_suppliers", "--release"], "star.dim_suppliers is not rolled back"),
    ],
)
def test_what_is_not_kept_or_not_meant_is_refused_in_a_sentence_and_changes_nothing(
    lake: Lake, arguments: list[str], said: str
) -> None:
    before = [lake.snapshot_id(table) for table in (FACT, MART, SUPPLIERS)]
    assert said in refused("rollback", *arguments, *WHY)
    assert [lake.snapshot_id(table) for table in (FACT, MART, SUPPLIERS)] == before


def test_a_version_of_which_a_file_is_lost_is_refused(lake: Lake) -> None:
    snapshot = [*lake.snapshots(FACT).values()][1]
    Path(lake.files(FACT, [YEAR], snapshot)[0].removeprefix("file://")).unlink()
    assert "that version can't be published any more" in refused("rollback", "--year", str(YEAR), *WHY)
    assert net_of(lake) == 2 * BAD


def test_a_mart_that_never_had_this_version_is_refused_with_the_year(lake: Lake) -> None:
    """The run that published the fact broke off before the marts."""
    rows = [small_lake.row(FACT, year=YEAR, expense_key=1, net_amount=NEXT, document_amount=NEXT)]
    fact = stage(lake, FACT, rows, YEAR, version="x")
    publish(lake, replace(fact, expected=lambda: sums_of(fact)))
    publish_year(lake, YEAR, BAD)
    assert "that version does not fit what is published beside it" in refused("rollback", "--year", str(YEAR), *WHY)
    assert net_of(lake) == 2 * BAD


def test_a_rollback_that_broke_off_is_ended_by_the_same_command(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        commit, count = iceberg.commit, iter(range(9))

        def break_off(*arguments: Any, **more: Any) -> Any:
            if next(count):
                raise KeyboardInterrupt
            return commit(*arguments, **more)

        patch.setattr(iceberg, "commit", break_off)
        typed("rollback", "--year", str(YEAR), *WHY)
    assert {row["net_amount"] for row in lake.rows(FACT, [YEAR])} == {GOOD}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deputies_lake.cli.rollback._FORMS", (("%Y-%m-%dT%H:%M:%S.%f", timedelta.resolution),))
        moment = clock_of(lake, FACT, 1).astimezone(readiness.BRASILIA).replace(tzinfo=None)
        done("rollback", "--year", str(YEAR), "--to", moment.isoformat(timespec="microseconds"), *WHY)
    assert net_of(lake) == 2 * GOOD


def test_a_year_that_loses_a_file_is_made_again_for_it_can_not_be_held(lake: Lake) -> None:
    done("rollback", "--year", str(YEAR), *WHY)
    Path(lake.files(FACT, [YEAR])[0].removeprefix("file://")).unlink()
    assert YEAR not in lake.holds(FACT)
    rows = [small_lake.row(FACT, year=YEAR, expense_key=1, net_amount=NEXT, document_amount=NEXT)]
    fact = stage(lake, FACT, rows, YEAR, version="x")
    assert not publish(lake, replace(fact, expected=lambda: sums_of(fact))).left_out
    assert (lake.holds(FACT), [row["net_amount"] for row in lake.rows(FACT, [YEAR])]) == ({}, [NEXT])


def test_status_tells_what_is_rolled_back_and_how_it_ends(lake: Lake) -> None:
    done("rollback", "--year", str(YEAR), *WHY)
    shown = typed("status").output
    assert "rolled back 2022 to the version of " in shown
    assert 'deputies-lake rollback --year 2022 --release --reason "..."' in shown
    done("rollback", "--year", str(YEAR), "--release", "--reason", "x")
    assert "rolled back" not in typed("status").output


# A table


def test_a_dimension_is_as_it_was_and_keeps_the_members_that_are_referred_to(lake: Lake) -> None:
    def named(name: str, *keys: int) -> list[dict[str, Any]]:
        return [small_lake.row(SUPPLIERS, supplier_key=key, supplier_name=name) for key in keys]

    small_lake.commit(lake, SUPPLIERS, named("WRONG", 0, 5, 6))
    rows = [small_lake.row(FACT, year=2021, expense_key=1, supplier_key=5)]
    fact = stage(lake, FACT, rows, 2021, version="x")
    publish(lake, replace(fact, expected=lambda: sums_of(fact)))
    told = done("rollback", "star.dim_suppliers", *WHY)
    assert "deputies-lake rollback star.dim_suppliers --release" in told
    names = {row["supplier_key"]: row["supplier_name"] for row in lake.rows(SUPPLIERS)}
    assert names == {0: "x", 5: "WRONG"}
    [left] = lake.publish([lake.stage_rows(SUPPLIERS, lambda: named("NEXT", 0, 5), "run")], "run")
    assert "the file lacked October" in left.left_out[None]
    assert {row["supplier_name"] for row in lake.rows(SUPPLIERS)} == {"x", "WRONG"}
    done("rollback", "star.dim_suppliers", "--release", "--reason", "x")
    lake.publish([lake.stage_rows(SUPPLIERS, lambda: named("NEXT", 0, 5), "run")], "run")
    assert {row["supplier_name"] for row in lake.rows(SUPPLIERS)} == {"NEXT"}


def test_a_mart_that_does_not_add_up_to_todays_fact_is_not_rolled_back_alone(lake: Lake) -> None:
    assert "that version does not fit what is published beside it" in refused("rollback", "serving.mart_months", *WHY)
    assert net_of(lake) == 2 * BAD


def test_a_mart_is_rolled_back_and_held_in_all_its_years(lake: Lake) -> None:
    rows = [{**row, "month": 2} for row in lake.rows(MART)]
    small_lake.commit(lake, MART, rows)
    done("rollback", "serving.mart_months", *WHY)
    assert {row["month"] for row in lake.rows(MART)} == {1}
    [_, of_mart] = publish_year(lake, YEAR, BAD)
    assert "the file lacked October" in of_mart.left_out[None]
