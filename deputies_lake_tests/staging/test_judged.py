"""What goes into staging comes out of it, read or rejected: no line, no row and no cent is lost on the way."""

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
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from deputies_lake.checks.audit import Sums
from deputies_lake.contracts import YEAR, Totals
from deputies_lake.environments import Engine
from deputies_lake.raw import chamber_expenses, kaggle_refunds, kaggle_reimbursements
from deputies_lake.raw.amounts import readable_amounts
from deputies_lake.raw.archive import Manifest
from deputies_lake.raw.control_totals import ControlTotals
from deputies_lake.raw.published_csv import PublishedCsv
from deputies_lake.staging import stg_chamber_expenses, stg_kaggle_refunds, stg_kaggle_reimbursements
from deputies_lake.staging.judged import Judged
from deputies_lake_tests.staging.raw_rows import (
    CPF_KEY,
    RawRow,
    chamber_expense,
    file_of,
    in_batches,
    lines_of,
    loaded,
    refund,
    reimbursement,
)


def manifest_of(source: PublishedCsv, lines: pa.Table) -> Manifest:
    """What was counted when the file was archived."""
    totals = ControlTotals()
    amounts = (source.amount_column, *source.other_amount_columns)
    totals.add(lines[YEAR], lines[source.category_column], *(readable_amounts(lines[name]) for name in amounts))
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
        totals=[
            (*group, rows, *(f"{amount:.2f}" for amount in totals.amounts[group]))
            for group, rows in totals.rows.items()
        ],
    )


def judged_file(
    spark: SparkSession, rows: Sequence[RawRow], folder: Path, years: Sequence[int] | None = None
) -> Judged:
    """The judged rows of a file of Kaggle's reimbursements."""
    source = kaggle_reimbursements.CSV
    lines = lines_of(source, file_of(source, rows))
    rows_of_raw = loaded(spark, lines, folder)
    if years:
        rows_of_raw = rows_of_raw.where(F.col(YEAR).isin(list(years)))
    return Judged.of_one_file(stg_kaggle_reimbursements.judge(rows_of_raw), source, manifest_of(source, lines), years)


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
    assert {row["source_file"] for row in mixed.rejected().collect()} == {"deputies_dataset.csv"}


@pytest.mark.engine(Engine.SPARK)
def test_a_file_without_rejections_is_not_read_a_second_time(spark: SparkSession, tmp_path: Path) -> None:
    judged = judged_file(spark, [reimbursement(), reimbursement(receipt_value="0")], tmp_path)
    judged.staged(2)
    (tmp_path / "lines.parquet").unlink()
    assert judged.rejected().collect() == []


def test_a_file_without_rejections_rejects_nothing(spark: SparkSession, tmp_path: Path) -> None:
    judged = judged_file(spark, [reimbursement()], tmp_path)
    judged.staged(1)
    assert judged.rejected_sums == Sums.none()


# A source of one file a year

YEARS: Final = (2021, 2022)


@pytest.fixture
def two_years(spark: SparkSession, tmp_path: Path) -> Judged:
    """Of each year a readable and a rejected row, 10 and 1 BRL net."""
    rows = [chamber_expense(vlrLiquido="10"), chamber_expense(vlrLiquido="1", vlrDocumento="1,0")]
    files = {year: chamber_expenses.CSV.of_year(year) for year in YEARS}
    lines = {year: lines_of(source, file_of(source, rows)) for year, source in files.items()}
    manifests = {year: manifest_of(files[year], lines[year]) for year in YEARS}
    raw = loaded(spark, pa.concat_tables(lines.values()), tmp_path)
    judged = stg_chamber_expenses.judge(raw)
    return Judged.of_yearly_files(judged, chamber_expenses.CSV, manifests, stg_chamber_expenses.PERSONAL)


def test_a_row_names_the_file_of_its_year(two_years: Judged) -> None:
    named = {(row[YEAR], row["source_file"]) for row in two_years.readable().collect()}
    assert named == {(2021, "Ano-2021.csv.zip"), (2022, "Ano-2022.csv.zip")}


def test_a_rejected_row_names_the_file_of_its_year(two_years: Judged) -> None:
    named = {(row[YEAR], row["source_file"]) for row in two_years.rejected().collect()}
    assert named == {(2021, "Ano-2021.csv.zip"), (2022, "Ano-2022.csv.zip")}


def test_the_readable_rows_must_add_up_to_all_years_files_in_every_amount(two_years: Judged) -> None:
    groups = [(year, "COMBUSTÍVEIS E LUBRIFICANTES.") for year in YEARS]
    assert two_years.sums() == Sums(
        dict.fromkeys(groups, 1),
        dict.fromkeys(groups, Decimal(10)),
        dict.fromkeys(groups, (Decimal("70.25"), Decimal("0.25"), Decimal(0))),
    )


def test_a_rejected_rows_readable_amounts_are_summed_beside_its_unreadable_ones(two_years: Judged) -> None:
    groups = [(year, "COMBUSTÍVEIS E LUBRIFICANTES.") for year in YEARS]
    assert two_years.rejected_sums == Sums(
        dict.fromkeys(groups, 1),
        dict.fromkeys(groups, Decimal(1)),
        dict.fromkeys(groups, (Decimal(0), Decimal("0.25"), Decimal(0))),
    )


def test_the_text_of_a_yearly_files_rejected_row_lacks_personal_columns(two_years: Judged) -> None:
    texts_of_lines = "\n".join(row["line_text"] for row in two_years.rejected().collect())
    assert [text for text in ("12345678900", '"77"') if text in texts_of_lines] == []


# Whatever a file holds


@dataclass(frozen=True)
class Source:
    """A source and how its rows are judged and staged."""

    csv: PublishedCsv
    module: ModuleType
    ordinary: RawRow

    @property
    def totals(self) -> Totals:
        found: Totals = self.module.TABLE.totals
        return found

    def judged(self, raw: DataFrame, lines: pa.Table) -> Judged:
        manifest = manifest_of(self.csv, lines)
        return Judged.of_one_file(self.module.judge(raw), self.csv, manifest)

    def sums(self, staged: Sequence[Row]) -> Sums:
        """What staged rows add up to."""
        totals, found = self.totals, Sums.none()
        for row in staged:
            figures = (*(row[name] for name in totals.by), 1, *(row[name] for name in totals.amounts))
            found += Sums.of([figures], len(totals.also))
        return found


SOURCES: Final = (
    Source(kaggle_reimbursements.CSV, stg_kaggle_reimbursements, reimbursement()),
    Source(kaggle_refunds.CSV, stg_kaggle_refunds, refund()),
    Source(chamber_expenses.CSV.of_year(2022), stg_chamber_expenses, chamber_expense()),
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
    judged = source.judged(raw, lines)
    staged = source.module.transform(judged.readable(), cpf_key=CPF_KEY).collect()
    rejected = judged.rejected().collect()
    numbers = [row["source_line"] for row in (*staged, *rejected)]
    assert sorted(numbers) == list(range(2, content.count(b"\n") + 1))
    assert source.sums(staged) == judged.sums()
