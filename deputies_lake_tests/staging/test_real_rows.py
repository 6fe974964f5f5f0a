"""Real rows: figures known to the unit, and ids compared with those that the House itself published.

Only figures and counts stand here. The rows hold personal ids: what a failure shows is a number, never a row.
"""

import csv
import gzip
import hashlib
import hmac
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from deputies_lake.raw import kaggle_refunds, kaggle_reimbursements
from deputies_lake.redaction import LONG_NUMBER, redacted_text
from deputies_lake.staging import stg_kaggle_reimbursements, tax_ids
from deputies_lake_tests.staging import check_digits
from deputies_lake_tests.staging.raw_rows import (
    CPF_KEY,
    RawRow,
    published,
    raw_refunds,
    refund,
    stage_refunds,
    stage_reimbursements,
)

Truth = Mapping[str, Any]


@pytest.fixture(scope="module")
def truth(real_data: Path) -> Truth:
    found: Truth = json.loads((real_data / "truth" / "kaggle_shared_file.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def real_raw(spark: SparkSession, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    """The shared real file in Kaggle's layout, as raw.kaggle_reimbursements has it."""
    content = gzip.decompress((real_data / "kaggle" / "deputies_dataset.csv.gz").read_bytes())
    return published(spark, kaggle_reimbursements.CSV, content, tmp_path_factory.mktemp("real_raw"))


@pytest.fixture(scope="module")
def real_expenses(spark: SparkSession, real_raw: DataFrame, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    """The same rows staged: computed once, then read from disk."""
    path = str(tmp_path_factory.mktemp("real_staged") / "rows")
    stage_reimbursements(real_raw).write.parquet(path)
    return spark.read.parquet(path)


@pytest.fixture(scope="module")
def kinds(real_expenses: DataFrame) -> Counter[str]:
    """Rows by the kind of their supplier's id."""
    counted = real_expenses.groupBy("supplier_id_kind").count().collect()
    return Counter({row["supplier_id_kind"]: row["count"] for row in counted})


def hmac_sha256(text: str) -> str:
    return hmac.new(CPF_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def sums(rows: DataFrame, column: str) -> dict[str, int]:
    found = rows.groupBy(column).agg(F.sum("document_amount").alias("total")).collect()
    return {str(row[column]): row["total"] for row in found}


def test_every_line_is_read(real_raw: DataFrame, real_expenses: DataFrame, truth: Truth) -> None:
    assert (real_raw.count(), real_expenses.count()) == (truth["rows"], truth["rows"])


def test_no_line_is_rejected(real_raw: DataFrame) -> None:
    reasons = stg_kaggle_reimbursements.judge(real_raw).where("rejection_reason IS NOT NULL")
    assert reasons.groupBy("rejection_reason").count().collect() == []


def test_rows_by_year_are_exact(real_expenses: DataFrame, truth: Truth) -> None:
    found = {str(row["year"]): row["count"] for row in real_expenses.groupBy("year").count().collect()}
    assert found == truth["rows_by_year"]


def test_totals_by_year_are_exact(real_expenses: DataFrame, truth: Truth) -> None:
    assert sums(real_expenses, "year") == truth["total_by_year"]


def test_totals_by_category_are_exact(real_expenses: DataFrame, truth: Truth) -> None:
    assert sums(real_expenses, "expense_category_label") == truth["total_by_category"]


def test_as_many_dates_are_unknown_as_are_bugged(real_expenses: DataFrame, truth: Truth) -> None:
    assert real_expenses.where("receipt_date IS NULL").count() == truth["bugged_rows"]


def test_every_known_date_is_of_the_quota_year(real_expenses: DataFrame) -> None:
    assert real_expenses.where("year(receipt_date) != year").count() == 0


def test_as_many_suppliers_have_no_id_as_in_the_file(kinds: Mapping[str, int], truth: Truth) -> None:
    assert kinds["none"] == truth["null_supplier_ids"]


def test_every_category_has_a_code(real_expenses: DataFrame) -> None:
    assert real_expenses.where("expense_category_id IS NULL").count() == 0


def test_every_row_has_a_key_of_its_own(real_expenses: DataFrame, truth: Truth) -> None:
    assert real_expenses.select("expense_key").distinct().count() == truth["rows"]


def test_exactly_the_rows_without_a_state_are_leadership_offices(real_expenses: DataFrame) -> None:
    # The former deputies without a state have receipts in 2009 only.
    assert real_expenses.where("is_leadership != (state_code IS NULL)").count() == 0


# Suppliers' ids


def test_no_published_id_becomes_invalid(kinds: Mapping[str, int]) -> None:
    # Measured: 0 of 175,645.
    assert kinds["invalid"] == 0


def test_few_ids_may_be_a_persons_or_a_companys(kinds: Counter[str]) -> None:
    # Measured: 147 of 175,645 rows, less than one in a thousand.
    assert 0 < kinds["cpf_or_cnpj"] < kinds.total() / 1000


@pytest.fixture(scope="module")
def of_the_house(real_data: Path) -> Counter[str]:
    """Receipts of 2016 by supplier's id as the House published it: with all its zeros, empty where there is none."""
    with zipfile.ZipFile(real_data / "chamber" / "Ano-2016.csv.zip") as archive, archive.open("Ano-2016.csv") as file:
        rows = csv.DictReader(io.TextIOWrapper(file, encoding="utf-8-sig"), delimiter=";")
        return Counter(re.sub(r"\D", "", row["txtCNPJCPF"]) for row in rows)


@pytest.fixture(scope="module")
def tokens(real_expenses: DataFrame) -> Counter[str]:
    """Receipts of 2016 by supplier's token."""
    counted = real_expenses.where("year = 2016").groupBy("supplier_token").count().collect()
    return Counter({row["supplier_token"]: row["count"] for row in counted})


def test_each_companys_receipts_of_2016_are_found_under_the_houses_own_id(
    of_the_house: Mapping[str, int], tokens: Mapping[str, int]
) -> None:
    companies = {i: n for i, n in of_the_house.items() if check_digits.kind(int(i or 0)) == "cnpj"}
    assert len(companies) > 5_000
    assert sum(tokens[company] != receipts for company, receipts in companies.items()) == 0


def test_each_persons_receipts_of_2016_are_found_under_the_keyed_hash_of_the_houses_own_id(
    of_the_house: Mapping[str, int], tokens: Mapping[str, int]
) -> None:
    persons = {i: n for i, n in of_the_house.items() if check_digits.kind(int(i or 0)) in {"cpf", "cpf_or_cnpj"}}
    hashes = {hmac_sha256(f"{int(number):011d}"): receipts for number, receipts in persons.items()}
    assert len(hashes) > 50
    assert sum(tokens[token] != receipts for token, receipts in hashes.items()) == 0


def test_no_name_shows_a_cpf(real_expenses: DataFrame) -> None:
    names = real_expenses.where(F.col("supplier_name").rlike(LONG_NUMBER)).select("supplier_name").collect()
    assert sum(redacted_text(row["supplier_name"]) != row["supplier_name"] for row in names) == 0


def test_no_id_that_is_or_may_be_a_persons_is_shown(real_expenses: DataFrame) -> None:
    personal = real_expenses.where("supplier_id_kind IN ('cpf', 'cpf_or_cnpj')")
    assert personal.count() > 1_000
    assert personal.where("NOT supplier_id RLIKE '^[*]{3}[.][0-9]{3}[.][0-9]{3}-[*]{2}$'").count() == 0


def test_nearly_all_real_ids_survive_rounding_to_twelve_digits(spark: SparkSession, real_expenses: DataFrame) -> None:
    companies = real_expenses.where("supplier_id_kind = 'cnpj'").select("supplier_id").distinct().collect()
    ids = [int(row["supplier_id"]) for row in companies]
    rounded = [(number, check_digits.rounded_text(number)) for number in ids]
    rows = tax_ids.with_repaired_number(spark.createDataFrame(rounded, "true bigint, id string"), F.col("id")).collect()
    right = sum(row["_number"] == row["true"] for row in rows) / len(ids)
    # Measured: 97.8 of 100 companies of 2016 and 2017, which have 98.3 of 100 receipts.
    assert right > 0.975


# Rows of the true files as people printed them


@pytest.fixture(scope="module")
def transcribed(real_data: Path) -> list[dict[str, str]]:
    """Rows of the true Kaggle file printed in notebooks. Of some ids only the first digits are known (`~3.53e+12`)."""
    with (real_data / "kaggle" / "transcribed_rows.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def transcribed_rows(
    spark: SparkSession, transcribed: Sequence[Mapping[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> dict[int, Row]:
    """What staging makes of them, by line, their ids written as floats again."""
    text = io.StringIO()
    writer = csv.DictWriter(text, kaggle_reimbursements.CSV.columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in transcribed:
        known = row["receipt_social_security_number"]
        number = f"{int(known)}.0" if known.isdigit() else ""
        writer.writerow({**row, "receipt_social_security_number": number})
    content = text.getvalue().encode()
    raw = published(spark, kaggle_reimbursements.CSV, content, tmp_path_factory.mktemp("transcribed"))
    return {row["source_line"]: row for row in stage_reimbursements(raw).collect()}


def test_all_transcribed_rows_are_read(transcribed: Sequence[object], transcribed_rows: Mapping[int, Row]) -> None:
    assert len(transcribed_rows) == len(transcribed) == 47


def test_transcribed_ids_come_back_as_shown(
    transcribed: Sequence[Mapping[str, str]], transcribed_rows: Mapping[int, Row]
) -> None:
    shown = {line: row["receipt_social_security_number"] for line, row in enumerate(transcribed, 2)}
    known = {line: number for line, number in shown.items() if number.isdigit()}
    assert len(known) == 22
    assert sum(transcribed_rows[line]["supplier_id"] != number for line, number in known.items()) == 0


def test_transcribed_amounts_and_days_come_back_as_shown(
    transcribed: Sequence[Mapping[str, str]], transcribed_rows: Mapping[int, Row]
) -> None:
    shown = [(row["receipt_date"][:10], int(row["receipt_value"])) for row in transcribed]
    staged = [transcribed_rows[line] for line in sorted(transcribed_rows)]
    assert [(row["receipt_date"].isoformat(), row["document_amount"]) for row in staged] == shown


def test_transcribed_rows_without_a_state_are_five_of_an_office_and_seven_of_former_deputies(
    transcribed_rows: Mapping[int, Row],
) -> None:
    offices = [row["is_leadership"] for row in transcribed_rows.values() if row["state_code"] is None]
    assert Counter(offices) == {True: 5, False: 7}


@pytest.fixture(scope="module")
def stub(real_data: Path) -> list[RawRow]:
    """Ten refunds, of which only the first eight columns are known."""
    names = kaggle_refunds.CSV.columns[:8]
    lines = (real_data / "kaggle" / "dirty_deputies_stub.txt").read_text(encoding="utf-8").splitlines()
    return [refund(**dict(zip(names, line.split("|"), strict=True))) for line in lines]


@pytest.fixture(scope="module")
def stub_rows(spark: SparkSession, stub: Sequence[RawRow]) -> list[Row]:
    return sorted(stage_refunds(raw_refunds(spark, stub)).collect(), key=lambda row: int(row["source_line"]))


def test_all_refunds_of_the_stub_are_read(stub: Sequence[RawRow], stub_rows: Sequence[Row]) -> None:
    assert len(stub_rows) == len(stub) == 10


def test_the_stubs_ids_are_repaired_to_companies_that_are_rounded_to_its_text(
    stub: Sequence[RawRow], stub_rows: Sequence[Row]
) -> None:
    pairs = [(str(raw["company_id"]), int(row["supplier_id"])) for raw, row in zip(stub, stub_rows, strict=True)]
    assert sum(check_digits.rounded_text(number) != text for text, number in pairs) == 0


def test_the_stubs_suppliers_are_all_companies(stub_rows: Sequence[Row]) -> None:
    assert {row["supplier_id_kind"] for row in stub_rows} == {"cnpj"}


def test_the_stubs_supplier_with_two_candidates_is_the_head_office(
    stub: Sequence[RawRow], stub_rows: Sequence[Row]
) -> None:
    texts = [str(raw["company_id"]) for raw in stub]
    ambiguous = [row for text, row in zip(texts, stub_rows, strict=True) if len(check_digits.candidates(text)) > 1]
    assert ambiguous
    assert {row["supplier_id"][8:12] for row in ambiguous} == {"0001"}


def test_the_stubs_amounts_keep_their_cents(stub: Sequence[RawRow], stub_rows: Sequence[Row]) -> None:
    assert [float(row["refund_amount"]) for row in stub_rows] == [float(str(raw["refund_value"])) for raw in stub]
