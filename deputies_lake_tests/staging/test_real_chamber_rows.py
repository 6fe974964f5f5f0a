"""Real rows of the House's files: every figure that is known of them, to the cent.

Only figures and counts stand here. The rows hold personal ids: what a failure shows is a number, never a row.
"""

import json
import re
import zipfile
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from deputies_lake.contracts import YEAR
from deputies_lake.raw import chamber_expenses
from deputies_lake.redaction import LONG_NUMBER, redacted_text
from deputies_lake.staging import stg_chamber_expenses, tax_ids
from deputies_lake_tests.staging.raw_rows import lines_of, loaded, stage_chamber_expenses

Truth = Mapping[str, Any]

YEARS: Final = (2008, 2015, 2016, 2019, 2020, 2021, 2022, 2024)
ANSWERED: Final = (2016, 2019, 2020, 2021, 2022)
ROWS_AND_NET: Final = {
    2008: (445, "211877.88"),
    2015: (13_142, "8955727.17"),
    2016: (44_438, "25991257.33"),
    2019: (8_528, "9334366.62"),
    2020: (6_758, "5516305.10"),
    2021: (14_720, "14808992.71"),
    2022: (107_810, "103786502.25"),
    2024: (1_330, "1636536.95"),
}
LEADERSHIP_ROWS: Final = {2008: 0, 2015: 13, 2016: 127, 2019: 23, 2020: 32, 2021: 52, 2022: 410, 2024: 0}


@pytest.fixture(scope="module")
def truths(real_data: Path) -> Mapping[int, Truth]:
    text = (real_data / "truth" / "chamber_answers.json").read_text(encoding="utf-8")
    return {answers["year"]: answers for answers in json.loads(text, parse_float=Decimal)}


@pytest.fixture(params=ANSWERED)
def answered(request: pytest.FixtureRequest, truths: Mapping[int, Truth]) -> tuple[int, Truth]:
    """A year and its answers."""
    return request.param, truths[request.param]


@pytest.fixture(scope="module")
def raw(spark: SparkSession, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    """The lines of all years' files."""

    def lines(year: int) -> pa.Table:
        source = chamber_expenses.CSV.of_year(year)
        with zipfile.ZipFile(real_data / "chamber" / f"Ano-{year}.csv.zip") as archive:
            return lines_of(source, archive.read(f"Ano-{year}.csv"))

    return loaded(spark, pa.concat_tables(map(lines, YEARS)), tmp_path_factory.mktemp("real_chamber"))


@pytest.fixture(scope="module")
def staged(spark: SparkSession, raw: DataFrame, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    """The same rows staged: computed once, then read from disk."""
    path = str(tmp_path_factory.mktemp("real_chamber_staged") / "rows")
    stage_chamber_expenses(raw).write.parquet(path)
    return spark.read.parquet(path)


@pytest.fixture(scope="module")
def figures(staged: DataFrame) -> Mapping[int, Row]:
    """What is asked of each year as a whole."""
    net, is_office = F.col("net_amount"), F.col("is_leadership")
    found = staged.groupBy(YEAR).agg(
        F.count("*").alias("rows"),
        F.sum("net_amount").alias("net"),
        F.sum("document_amount").alias("document"),
        F.sum("deduction_amount").alias("deduction"),
        F.count_if(is_office).alias("leadership_rows"),
        F.sum(F.when(is_office, net)).alias("leadership_net"),
        F.count_distinct(F.when(~is_office, F.col("deputy_id"))).alias("deputies"),
        F.count_if(net < 0).alias("negative_rows"),
        F.coalesce(F.sum(F.when(net < 0, net)), F.lit(0)).alias("negative_net"),
        F.count_if(net == 0).alias("zero_rows"),
        F.count_if(F.col("receipt_date").isNull()).alias("without_date"),
        F.count_if(F.year("receipt_date") != F.col(YEAR)).alias("of_another_year"),
        *(
            F.count_if(F.col("supplier_id_kind") == kind).alias(f"suppliers_{kind}")
            for kind in ("cnpj", "cpf", "functional", "none", "invalid", "cpf_or_cnpj")
        ),
    )
    return {row[YEAR]: row for row in found.collect()}


@pytest.mark.parametrize("year", YEARS)
def test_rows_and_net_of_a_year_are_exact(year: int, figures: Mapping[int, Row]) -> None:
    rows, net = ROWS_AND_NET[year]
    assert (figures[year]["rows"], figures[year]["net"]) == (rows, Decimal(net))


def test_no_line_is_rejected(raw: DataFrame) -> None:
    rejected = stg_chamber_expenses.judge(raw).where("rejection_reason IS NOT NULL")
    assert rejected.groupBy(YEAR).count().collect() == []


def test_every_row_has_a_key_of_its_own(staged: DataFrame) -> None:
    assert staged.select("expense_key").distinct().count() == sum(rows for rows, _ in ROWS_AND_NET.values())


@pytest.mark.parametrize(
    ("figure", "answer"),
    [
        ("document", "sum_documento"),
        ("deduction", "sum_glosa"),
        ("leadership_rows", "leadership_rows"),
        ("leadership_net", "leadership_liquido"),
        ("deputies", "deputies"),
        ("negative_rows", "neg_rows"),
        ("negative_net", "neg_sum"),
        ("zero_rows", "zero_rows"),
        ("without_date", "Q10_missing_date"),
        ("of_another_year", "Q10_year_mismatch"),
        ("suppliers_cnpj", "Q10_docs_14"),
        ("suppliers_cpf", "Q10_docs_11"),
        ("suppliers_functional", "Q10_pseudo_doc"),
        ("suppliers_none", "Q10_empty_doc"),
        ("suppliers_invalid", "Q10_invalid_cnpj_rows"),
    ],
)
def test_a_figure_of_a_year_is_exact(
    figure: str, answer: str, answered: tuple[int, Truth], figures: Mapping[int, Row]
) -> None:
    year, truth = answered
    assert figures[year][figure] == truth[answer]


@pytest.mark.parametrize("year", YEARS)
def test_no_suppliers_id_is_invalid_or_in_doubt(year: int, figures: Mapping[int, Row]) -> None:
    # All of them pass their check digits: an invalid one was misread.
    assert (figures[year]["suppliers_invalid"], figures[year]["suppliers_cpf_or_cnpj"]) == (0, 0)


@pytest.mark.parametrize("year", YEARS)
def test_as_many_rows_are_of_leadership_offices_as_have_no_register(year: int, figures: Mapping[int, Row]) -> None:
    assert figures[year]["leadership_rows"] == LEADERSHIP_ROWS[year]


@pytest.fixture(scope="module")
def by_column(staged: DataFrame) -> Mapping[str, Mapping[int, Mapping[str, tuple[int, Decimal]]]]:
    """Rows and net of the deputies, and of all payers, year by year and value by value."""
    deputies = staged.where(~F.col("is_leadership"))
    asked = {
        "party_label": deputies,
        "state_code": deputies,
        "competence_month": staged,
        "expense_category_id": staged,
    }
    found: dict[str, dict[int, dict[str, tuple[int, Decimal]]]] = {name: {} for name in asked}
    for name, rows in asked.items():
        for row in rows.groupBy(YEAR, name).agg(F.count("*").alias("rows"), F.sum("net_amount").alias("net")).collect():
            found[name].setdefault(row[YEAR], {})[str(row[name])] = (row["rows"], row["net"])
    return found


def test_rows_and_net_by_category_are_exact(answered: tuple[int, Truth], by_column: Mapping[str, Any]) -> None:
    year, truth = answered
    expected = {code: (rows, net) for code, _, rows, net, _ in truth["Q5_category"]}
    assert by_column["expense_category_id"][year] == expected


def test_rows_and_net_by_month_are_exact(answered: tuple[int, Truth], by_column: Mapping[str, Any]) -> None:
    year, truth = answered
    assert by_column["competence_month"][year] == {
        month: tuple(figures) for month, figures in truth["Q1_month"].items()
    }


@pytest.mark.parametrize(("column", "answer"), [("party_label", "Q3_party"), ("state_code", "Q4_uf")])
def test_the_deputies_rows_and_net_by_party_and_state_are_exact(
    column: str, answer: str, answered: tuple[int, Truth], by_column: Mapping[str, Any]
) -> None:
    year, truth = answered
    assert by_column[column][year] == {value: (rows, net) for value, (rows, _, net, _) in truth[answer].items()}


def test_every_category_code_is_among_those_of_the_house(staged: DataFrame) -> None:
    assert staged.where("NOT expense_category_id RLIKE '^[0-9]{1,3}$'").count() == 0


SHOWN: Final = ("supplier_name", "document_number", "trip", "deputy_name", "deputy_id", "expense_specification")


def long_numbers(rows: DataFrame, *columns: str) -> set[str]:
    """The texts in which a CPF could stand."""
    texts = rows.select(F.explode(F.array(*columns)).alias("text")).where(F.col("text").rlike(LONG_NUMBER))
    return {row["text"] for row in texts.collect()}


def test_no_text_shows_a_cpf(staged: DataFrame) -> None:
    shown = long_numbers(staged, *SHOWN)
    assert len(shown) > 10_000
    assert sum(redacted_text(text) != text for text in shown) == 0


def test_no_cpf_that_raw_holds_is_shown_wherever_it_stands(raw: DataFrame, staged: DataFrame) -> None:
    digits = [F.regexp_replace(column, "[^0-9]", "") for column in ("cpf", "txtCNPJCPF", "txtFornecedor")]
    found = raw.select(F.explode(F.array(*digits)).alias("digits")).where("length(digits) = 11").collect()
    known = {row["digits"] for row in found}
    shown = {re.sub("[^0-9]", "", text) for text in long_numbers(staged, *SHOWN, "receipt_url")}
    assert len(known) > 1_000
    assert sum(text[at : at + 11] in known for text in shown for at in range(len(text) - 10)) == 0


def test_passengers_are_named_nowhere_but_where_they_are_deputies_or_suppliers(
    raw: DataFrame, staged: DataFrame
) -> None:
    passenger = F.upper(F.trim("txtPassageiro"))
    names = raw.where(passenger.rlike("^.+ .+$")).select(passenger.alias("text")).distinct()
    others = {"deputy_name", "deputy_id", "supplier_name", "supplier_token"}
    texts = [F.upper(name) for name, kind in staged.dtypes if kind == "string" and name not in others]
    shown = staged.select(F.explode(F.array(*texts)).alias("text"))
    assert names.count() > 1_000
    assert shown.join(names, on="text", how="leftsemi").count() == 0


def test_few_document_numbers_are_hidden(staged: DataFrame) -> None:
    # Eleven digits alone, and one in a hundred windows of a longer number: 23,197 were, when any eleven digits were.
    hidden = staged.where(F.col("document_number").contains("*"))
    assert 1_000 < hidden.count() < 2_000


def test_tables_hide_of_real_texts_what_messages_hide(raw: DataFrame) -> None:
    published = raw.select(F.explode(F.array("txtNumero", "txtFornecedor", "txtTrecho")).alias("text"))
    texts = published.where(F.col("text").rlike(LONG_NUMBER)).select("text", tax_ids.redacted(F.col("text")))
    assert sum(redacted_text(text) != shown for text, shown in texts.collect()) == 0


def test_no_persons_id_is_shown(staged: DataFrame) -> None:
    personal = staged.where("supplier_id_kind = 'cpf'")
    assert personal.count() > 1_000
    assert personal.where("NOT supplier_id RLIKE '^[*]{3}[.][0-9]{3}[.][0-9]{3}-[*]{2}$'").count() == 0


def test_what_deputies_paid_back_is_read(raw: DataFrame, staged: DataFrame) -> None:
    published = raw.where("vlrRestituicao != ''").count()
    assert staged.where("returned_amount > 0").count() == published > 0
