"""What goes into staging comes out of it, read or rejected: no line, no row and no cent is lost on the way."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Final

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from deputies_lake.checks.audit import Sums
from deputies_lake.contracts import YEAR
from deputies_lake.raw import kaggle_refunds, kaggle_reimbursements
from deputies_lake.raw.archive import Manifest
from deputies_lake.raw.published_csv import ControlTotals, PublishedCsv, readable_amounts
from deputies_lake.staging import stg_kaggle_refunds, stg_kaggle_reimbursements
from deputies_lake.staging.judged import Judged
from deputies_lake_tests.staging.raw_rows import (
    RawRow,
    in_batches,
    lines_of,
    loaded,
    refund,
    reimbursement,
    stage_refunds,
    stage_reimbursements,
)


def manifest_of(source: PublishedCsv, lines: pa.Table) -> Manifest:
    """What was counted when the file was archived."""
    totals = ControlTotals()
    totals.add(lines[YEAR], lines[source.category_column], readable_amounts(lines[source.amount_column]))
    return Manifest(
        source_code=source.source_code,
        file_name=source.file_names[0],
        sha256="",
        size=0,
        modified="",
        archived="",
        header=list(source.columns),
        rows=lines.num_rows,
        unreadable=0,
        totals=[(*group, rows, f"{totals.amounts[group]:.2f}") for group, rows in totals.rows.items()],
    )


def file_of(source: PublishedCsv, rows: Sequence[RawRow]) -> bytes:
    """A well-formed CSV file of these rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(source.columns)
    writer.writerows([row[name] for name in source.columns] for row in rows)
    return text.getvalue().encode()


def judged_file(
    spark: SparkSession, rows: Sequence[RawRow], folder: Path, years: Sequence[int] | None = None
) -> Judged:
    """The judged rows of a file of Kaggle's reimbursements."""
    source = kaggle_reimbursements.CSV
    lines = lines_of(source, file_of(source, rows))
    rows_of_raw = loaded(spark, lines, folder)
    if years:
        rows_of_raw = rows_of_raw.where(F.col(YEAR).isin(list(years)))
    return Judged(stg_kaggle_reimbursements.judge(rows_of_raw), source, manifest_of(source, lines), years)


def sums_of(rows: DataFrame, category: str, amount: str) -> Sums:
    return Sums.of(rows.groupBy(YEAR, category).agg(F.count("*"), F.sum(amount)).collect())


MIXED: Final = (
    reimbursement(receipt_value="70"),
    reimbursement(receipt_value="30", deputy_id="x"),
    reimbursement(receipt_value="1,5"),
    reimbursement(receipt_value="7", receipt_description="Telephony"),
    reimbursement(receipt_value="5", receipt_date="2011", bugged_date="2"),
    reimbursement(receipt_value="4", receipt_date="2011", bugged_date="1"),
)
FUEL: Final = "Fuels and lubricants."


@pytest.fixture
def mixed(spark: SparkSession, tmp_path: Path) -> Judged:
    """Three readable rows, three rejected ones."""
    return judged_file(spark, MIXED, tmp_path)


def test_readable_and_rejected_rows_are_all_rows(mixed: Judged) -> None:
    readable = {row["source_line"] for row in mixed.readable().collect()}
    rejected = {row["source_line"] for row in mixed.rejected().collect()}
    assert (readable, rejected) == ({2, 5, 7}, {3, 4, 6})


def test_the_readable_rows_must_add_up_to_the_file_without_the_rejected(mixed: Judged) -> None:
    assert mixed.sums() == Sums(
        {(2013, FUEL): 1, (2013, "Telephony"): 1, (2011, FUEL): 1},
        {(2013, FUEL): Decimal(70), (2013, "Telephony"): Decimal(7), (2011, FUEL): Decimal(4)},
    )


def test_sums_of_some_years_leave_out_the_others(spark: SparkSession, tmp_path: Path) -> None:
    assert judged_file(spark, MIXED, tmp_path, [2011]).sums() == Sums({(2011, FUEL): 1}, {(2011, FUEL): Decimal(4)})


def test_a_rejected_row_counts_although_its_amount_can_not_be_read(mixed: Judged) -> None:
    assert mixed.rejected_sums == Sums(
        {(2013, FUEL): 2, (2011, FUEL): 1}, {(2013, FUEL): Decimal(30), (2011, FUEL): Decimal(5)}
    )


def test_rejections_are_looked_for_where_fewer_rows_were_staged_than_published(mixed: Judged) -> None:
    mixed.staged(3)
    assert mixed.rejected_sums.row_count == 3


def test_a_row_that_staging_lost_is_not_taken_for_a_rejected_one(spark: SparkSession, tmp_path: Path) -> None:
    judged = judged_file(spark, [reimbursement(), reimbursement(receipt_value="0")], tmp_path)
    judged.staged(1)
    assert (judged.rejected_sums, judged.sums().row_count) == (Sums.none(), 2)


def test_a_group_of_which_all_rows_were_rejected_is_not_expected(spark: SparkSession, tmp_path: Path) -> None:
    judged = judged_file(spark, [reimbursement(), reimbursement(deputy_id="", receipt_description="Odd")], tmp_path)
    assert judged.sums().rows.keys() == {(2013, FUEL)}


def test_rejected_rows_name_their_file(mixed: Judged) -> None:
    assert {row["source_file"] for row in mixed.rejected().collect()} == {mixed.file_name}


def test_a_file_without_rejections_is_not_read_a_second_time(spark: SparkSession, tmp_path: Path) -> None:
    judged = judged_file(spark, [reimbursement(), reimbursement(receipt_value="0")], tmp_path)
    judged.staged(2)
    (tmp_path / "lines.parquet").unlink()
    assert judged.rejected().collect() == []


def test_a_file_without_rejections_rejects_nothing(spark: SparkSession, tmp_path: Path) -> None:
    judged = judged_file(spark, [reimbursement()], tmp_path)
    judged.staged(1)
    assert judged.rejected_sums == Sums.none()


# Whatever a file holds


@dataclass(frozen=True)
class Source:
    """A source, how its rows are judged and staged, and where their category and amount stand then."""

    csv: PublishedCsv
    module: ModuleType
    ordinary: RawRow
    amount: str

    def staged(self, raw: DataFrame) -> DataFrame:
        return (stage_reimbursements if self.module is stg_kaggle_reimbursements else stage_refunds)(raw)


SOURCES: Final = (
    Source(kaggle_reimbursements.CSV, stg_kaggle_reimbursements, reimbursement(), "document_amount"),
    Source(kaggle_refunds.CSV, stg_kaggle_refunds, refund(), "refund_amount"),
)
ODD_VALUES: Final = (
    *("", " ", "0", "1", "2", "-1", "70", "70.5", "-6100.00", "1e3", "1,5", "NaN", "Vazio", "nan", "1378520"),
    *("2013", "2013-02-30", "2007-01-01", "2999-01-01 00:00:00", "12345678909.0", "9" * 20, '"', "\\", "\r", "PT"),
)


def texts(ordinary: str) -> st.SearchStrategy[str]:
    """Mostly what stands in the file, else any text that is one line of UTF-8."""
    line = st.text(st.characters(codec="utf-8", exclude_characters="\n\0"), max_size=8)
    return st.one_of(st.just(ordinary), st.just(ordinary), st.just(ordinary), st.sampled_from(ODD_VALUES), line)


def files(source: Source) -> st.SearchStrategy[list[RawRow]]:
    row = st.fixed_dictionaries({name: texts(str(source.ordinary[name])) for name in source.csv.columns})
    return st.lists(row, min_size=40, max_size=60)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.csv.source_code)
@in_batches
@given(data=st.data())
def test_whatever_a_file_holds_no_line_and_no_cent_is_lost(
    source: Source, data: st.DataObject, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = file_of(source.csv, data.draw(files(source)))
    lines = lines_of(source.csv, content)
    raw = loaded(spark, lines, tmp_path_factory.mktemp("file"))
    judged = Judged(source.module.judge(raw), source.csv, manifest_of(source.csv, lines))
    staged = source.staged(raw).collect()
    rejected = judged.rejected().collect()
    numbers = [row["source_line"] for row in (*staged, *rejected)]
    assert sorted(numbers) == list(range(2, content.count(b"\n") + 1))
    found = Sums.none()
    for row in staged:
        group = (row[YEAR], row["expense_category_label"])
        found += Sums({group: 1}, {group: row[source.amount]})
    assert found == judged.sums()
