"""The marts: what each tells of invented receipts, and that those which hold all receipts add up to the fact."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

import duckdb
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from deputies_lake.contracts import MONEY, YEAR, Table, Totals
from deputies_lake.environments import Engine
from deputies_lake.reference import tables
from deputies_lake.serving import assets, mart_outliers, mart_points_of_attention
from deputies_lake.serving.marts import Star, by_year, fact_sums, measures, of_fact
from deputies_lake.star import (
    dim_dates,
    dim_deputies,
    dim_expense_categories,
    dim_parties,
    dim_states,
    dim_suppliers,
    fct_expenses,
    ref_category_limits,
    ref_known_gaps,
    ref_monthly_quotas,
)
from deputies_lake.star.expenses import HOUSE, KAGGLE, conformed
from deputies_lake.star.mentions import payers
from deputies_lake.star.shipped import typed
from deputies_lake_tests.star.staged_rows import (
    FORMER_DEPUTY,
    HOUSE_LEADERSHIP,
    WITHOUT_ID,
    StagedRow,
    computed,
    contract_of,
    frame,
    refunds,
    staged,
)

MARTS: Final = {mart.name: mart for mart in assets._MARTS}


def paid(net: str, **other: object) -> StagedRow:
    return {"document_amount": Decimal(net), "deduction_amount": Decimal(0), "net_amount": Decimal(net), **other}


OTHER_DEPUTY: Final[StagedRow] = {"deputy_id": "4343", "deputy_name": "Beltrana", "deputy_register_id": "900043"}
BRANCH: Final[StagedRow] = {"supplier_id": "11222333000262", "supplier_token": "11222333000262"}
PUBLICITY: Final[StagedRow] = {"expense_category_id": "5", "expense_category_label": "DIVULGAÇÃO."}

# One thing each; 2022 is the House's year, 2013 Kaggle's.
HOUSE_ROWS: Final[Sequence[StagedRow]] = (
    paid("7000.00"),
    paid("30000.00", competence_month=1, receipt_date=date(2022, 1, 29), **PUBLICITY),
    paid("-500.00", competence_month=4, receipt_date=None, **WITHOUT_ID),
    {"document_amount": Decimal("100.00"), "deduction_amount": Decimal("40.00"), "net_amount": Decimal("60.00")},
    paid("20.00", party_label="PSL", document_number="B-1", **OTHER_DEPUTY),
    paid("20.00", party_label="PSL", document_number="B-1", **OTHER_DEPUTY),
    paid("0.07", party_label="DEM", document_number="B-2", competence_month=5, **OTHER_DEPUTY, **BRANCH),
    paid("900.00", party_label="UNIÃO", document_number="B-3", competence_month=6, **OTHER_DEPUTY, **BRANCH),
    paid("1000.00", **HOUSE_LEADERSHIP),
    paid("10.00", receipt_date=date(2021, 12, 31), returned_amount=Decimal("1.50")),
)
KAGGLE_ROWS: Final[Sequence[StagedRow]] = (
    {"document_amount": Decimal("70.00")},
    {"document_amount": Decimal("30.00"), "receipt_date": None},
    {"document_amount": Decimal("5.00"), **FORMER_DEPUTY},
)


@pytest.fixture(scope="module")
def fact(spark: SparkSession) -> DataFrame:
    return computed(spark, fct_expenses.transform(expenses(spark)))


def expenses(spark: SparkSession) -> DataFrame:
    keyed = [{"expense_key": 1000 + number, **row} for number, row in enumerate(HOUSE_ROWS)]
    return conformed(spark, {HOUSE: staged(spark, HOUSE, *keyed), KAGGLE: staged(spark, KAGGLE, *KAGGLE_ROWS)})


@pytest.fixture(scope="module")
def star(spark: SparkSession, fact: DataFrame) -> Star:
    rows = expenses(spark)
    deputies, dates = dim_deputies.transform(payers(rows)), dim_dates.transform(spark)
    suppliers = dim_suppliers.transform(rows)

    def shipped(contract: Table, name: str) -> DataFrame:
        return frame(spark, contract, typed(contract, tables.rows(name)))

    arriving = [{**gap, "first_month": "2022-05-01", "last_month": "2022-06-01"} for gap in tables.rows("known_gaps")]
    gaps = [gap for gap in arriving if gap["gap_id"] == "receipts_still_arriving"]
    gaps.append({**gaps[0], "gap_id": "of_fuel", "expense_category_id": "3"})
    gaps.append({**gaps[0], "gap_id": "worth_knowing", "severity": "low"})
    made = {
        "receipts": of_fact(fact, deputies, dates, suppliers),
        "fact": fact,
        "dates": dates,
        "deputies": deputies,
        "parties": dim_parties.transform(payers(rows), refunds(spark, {})),
        "states": dim_states.transform(payers(rows)),
        "suppliers": suppliers,
        "categories": dim_expense_categories.transform(rows),
        "quotas": shipped(ref_monthly_quotas.TABLE, "monthly_quotas"),
        "limits": shipped(ref_category_limits.TABLE, "category_limits"),
        "gaps": frame(spark, ref_known_gaps.TABLE, typed(ref_known_gaps.TABLE, gaps)),
    }
    # Computed once, not again for each mart.
    return Star(**{name: computed(spark, rows) for name, rows in made.items()})


@pytest.fixture(scope="module")
def rows_of(star: Star) -> Callable[..., list[Row]]:
    """The rows of a mart in which columns have the given values; computed once."""
    computed: dict[str, list[Row]] = {}

    def rows(mart: str, **values: Any) -> list[Row]:
        if mart not in computed:
            computed[mart] = assets._MARTS[MARTS[mart]](star).collect()
        return [row for row in computed[mart] if all(row[name] == value for name, value in values.items())]

    return rows


RowsOf = Callable[..., list[Row]]


def told(rows: Sequence[Row], *columns: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(row[column] for column in columns) for row in rows), key=str)


@pytest.mark.parametrize("name", MARTS)
def test_columns_are_those_of_the_contract(star: Star, name: str) -> None:
    assert assets._MARTS[MARTS[name]](star).dtypes == contract_of(MARTS[name])


@pytest.mark.engine(Engine.SPARK)
@pytest.mark.parametrize("name", MARTS)
def test_receipts_are_hashed_not_sorted_into_groups(star: Star, name: str) -> None:
    """A text or a structure as an aggregate would have Spark sort all receipts; the few rows of groups it may."""
    plan = assets._MARTS[MARTS[name]](star)._jdf.queryExecution().executedPlan().toString()
    steps = re.findall(r"\b(\w*Aggregate|Scan)\b", plan)
    assert "Scan" in steps
    assert "SortAggregate" not in {above for above, below in pairwise(steps) if below == "Scan"}


@pytest.mark.parametrize("name", MARTS)
def test_rows_keep_the_contract(rows_of: RowsOf, name: str) -> None:
    mart, rows = MARTS[name], rows_of(name)
    assert {column for row in rows for column in mart.required if row[column] is None} == set()
    assert len({tuple(row[column] for column in mart.key) for row in rows}) == len(rows) > 0


@pytest.mark.parametrize("name", [name for name, mart in MARTS.items() if mart.totals and mart.totals.rows])
def test_all_receipts_and_all_that_was_spent_are_in_it(rows_of: RowsOf, name: str) -> None:
    by_year: dict[int, tuple[int, Decimal]] = {}
    for row in rows_of(name):
        receipts, spent = by_year.get(row.year, (0, Decimal(0)))
        by_year[row.year] = (receipts + row.receipts, spent + row.spent_amount)
    assert by_year == {2022: (10, Decimal("38510.07")), 2013: (3, Decimal("105.00"))}


def test_offices_are_apart_from_deputies_in_a_month(rows_of: RowsOf) -> None:
    assert told(rows_of("mart_months", year=2022, month=3), "payer_kind", "receipts", "net_amount") == [
        ("deputy", 5, Decimal("7110.00")),
        ("leadership", 1, Decimal("1000.00")),
    ]


def test_refunds_are_taken_off_and_told(rows_of: RowsOf) -> None:
    columns = ("net_amount", "refund_amount", "deduction_amount", "returned_amount")
    assert told(rows_of("mart_months", year=2022, month=4), *columns) == [
        (Decimal("-500.00"), Decimal("-500.00"), Decimal("0.00"), None)
    ]
    assert told(rows_of("mart_months", month=3, payer_kind="deputy", year=2022), *columns[2:]) == [
        (Decimal("40.00"), Decimal("1.50"))
    ]


@pytest.fixture(scope="module")
def odd(fact: DataFrame, star: Star) -> tuple[DataFrame, DataFrame]:
    """The fact with a receipt of which less was paid, and a refund whose document has no minus; and its receipts."""
    net, document = F.col("net_amount"), F.col("document_amount")
    rows = fact.withColumn(
        "document_amount", F.when(net == -500, (0 - document).cast(MONEY)).otherwise(document)
    ).withColumn("net_amount", F.when(net == 60, F.lit("55.50").cast(MONEY)).otherwise(net))
    return rows, of_fact(rows, star.deputies, star.dates, star.suppliers)


ACCOUNT: Final = ("gross_amount", "deduction_amount", "refund_amount", "difference_amount", "net_amount")
OF_2022: Final = tuple(map(Decimal, ("39050.07", "40.00", "-500.00", "-4.50", "38505.57")))


def test_the_account_of_the_net_value_closes_to_the_cent(odd: tuple[DataFrame, DataFrame]) -> None:
    found = {row.year: tuple(row[name] for name in ACCOUNT) for row in by_year(odd[1]).agg(*measures()).collect()}
    assert found == {2022: OF_2022, 2013: (Decimal("105.00"), None, None, None, None)}
    gross, deduction, refund, difference, net = found[2022]
    assert gross - deduction + refund + difference == net


def test_the_audit_says_the_same_account_in_its_own_words(odd: tuple[DataFrame, DataFrame]) -> None:
    columns = (YEAR, "net_amount", "document_amount", "deduction_amount", "returned_amount")
    rows = [row.asDict() for row in odd[0].select(*columns).collect()]
    with duckdb.connect() as connection:
        connection.register("star_fct_expenses", pa.Table.from_pylist(rows))
        found = connection.sql(fact_sums(Totals(by=(YEAR,), amount=ACCOUNT[0], also=ACCOUNT[1:]))).fetchall()
    assert {year: amounts for year, _, *amounts in found}[2022] == [*OF_2022]


def test_a_year_of_kaggle_has_no_net_value_and_the_receipts_month(rows_of: RowsOf) -> None:
    columns = ("month", "net_amount", "refund_amount", "spent_amount", "source_code")
    assert told(rows_of("mart_months", year=2013), *columns) == [
        (0, None, None, Decimal("30.00"), "kaggle_reimbursements"),
        (3, None, None, Decimal("75.00"), "kaggle_reimbursements"),
    ]


def test_months_whose_receipts_still_arrive_are_marked(rows_of: RowsOf) -> None:
    found = told(rows_of("mart_months", year=2022, payer_kind="deputy"), "month", "is_incomplete", "known_gaps")
    touched = "of_fuel, receipts_still_arriving"
    assert found == [(1, False, None), (3, False, None), (4, False, None), (5, True, touched), (6, True, touched)]


def test_a_gap_of_one_category_touches_that_one_and_the_years_total(rows_of: RowsOf) -> None:
    found = told(rows_of("mart_categories", year=2022), "expense_category_id", "known_gaps")
    assert found == [("3", "of_fuel, receipts_still_arriving"), ("5", "receipts_still_arriving")]
    (state,) = rows_of("mart_states", year=2022, state_code="SP")
    assert (state.known_gaps, state.is_incomplete) == ("of_fuel, receipts_still_arriving", True)


def test_a_deputy_has_the_party_of_the_latest_receipts(rows_of: RowsOf) -> None:
    found = told(rows_of("mart_deputies", deputy_id="4343"), "party_label", "months", "receipts", "net_amount")
    assert found == [("UNIÃO", 3, 4, Decimal("940.07"))]


def test_a_party_is_as_published_and_its_deputies_share_what_deputies_spent(rows_of: RowsOf) -> None:
    columns = ("party_label", "deputies", "spent_amount", "spent_per_deputy")
    assert told(rows_of("mart_parties", year=2022, party_kind="party"), *columns) == [
        ("DEM", 1, Decimal("0.07"), Decimal("0.07")),
        ("PSB", 1, Decimal("36570.00"), Decimal("36570.00")),
        ("PSL", 1, Decimal("40.00"), Decimal("40.00")),
        ("UNIÃO", 1, Decimal("900.00"), Decimal("900.00")),
    ]
    (offices,) = rows_of("mart_parties", year=2022, party_kind="leadership")
    assert (offices.deputies, offices.spent_per_deputy, offices.spent_amount) == (0, None, Decimal("1000.00"))


def test_parties_that_merged_are_one_today_and_a_deputy_counts_once(rows_of: RowsOf) -> None:
    columns = ("party_labels", "deputies", "spent_amount")
    assert told(rows_of("mart_parties_today", year=2022, party_label_today="UNIÃO"), *columns) == [
        ("DEM, PSL, UNIÃO", 1, Decimal("940.07"))
    ]


def test_a_state_has_its_region_and_its_deputies(rows_of: RowsOf) -> None:
    found = told(rows_of("mart_states", year=2022), "state_code", "region_en", "deputies", "spent_per_deputy")
    assert found == [("NONE", "No region", 0, None), ("SP", "Southeast", 2, Decimal("18755.04"))]


def test_shares_of_categories_are_of_the_years_spending(rows_of: RowsOf) -> None:
    shares = told(rows_of("mart_categories", year=2022), "expense_category_id", "share_of_year")
    assert shares == [("3", Decimal("0.220983")), ("5", Decimal("0.779017"))]


def test_branches_are_joined_under_their_company(rows_of: RowsOf) -> None:
    columns = ("supplier_id", "branches", "deputies", "only_deputy_name", "spent_amount")
    assert told(rows_of("mart_suppliers", year=2022, supplier_id_kind="cnpj"), *columns) == [
        ("11222333000181", 2, 2, None, Decimal("39010.07"))
    ]
    assert told(rows_of("mart_supplier_branches", year=2022, supplier_id_kind="cnpj"), *columns[:1], *columns[2:]) == [
        ("11222333000181", 2, None, Decimal("38110.00")),
        ("11222333000262", 1, "Beltrana", Decimal("900.07")),
    ]


def test_quotas_are_those_of_the_month_and_add_up_from_january(rows_of: RowsOf) -> None:
    columns = ("month", "spent_amount", "quota_amount", "share_of_quota", "spent_to_date", "quota_to_date")
    quota = Decimal("37043.53")
    assert told(rows_of("mart_quota_shares", deputy_id="4242"), *columns) == [
        (1, Decimal("30000.00"), quota, Decimal("0.809858"), Decimal("30000.00"), quota),
        (3, Decimal("7070.00"), quota, Decimal("0.190857"), Decimal("37070.00"), 3 * quota),
        (4, Decimal("-500.00"), quota, Decimal("-0.013498"), Decimal("36570.00"), 4 * quota),
    ]


def test_quotas_are_told_of_deputies_in_the_houses_years_only(rows_of: RowsOf) -> None:
    assert {(row.year, row.deputy_id) for row in rows_of("mart_quota_shares")} == {(2022, "4242"), (2022, "4343")}


def test_a_month_is_compared_with_the_limit_of_then(rows_of: RowsOf) -> None:
    columns = ("deputy_id", "expense_category_id", "spent_amount", "limit_amount", "share_of_limit")
    assert told(rows_of("mart_sub_limits", month=3), *columns) == [
        ("4242", "3", Decimal("7070.00"), Decimal("6000.00"), Decimal("1.178333")),
        ("4343", "3", Decimal("40.00"), Decimal("6000.00"), Decimal("0.006667")),
    ]


def test_the_largest_receipts_are_ranked_in_year_category_and_payer(rows_of: RowsOf) -> None:
    columns = ("rank_of_year", "rank_of_category", "rank_of_payer", "spent_amount", "date")
    assert told(rows_of("mart_largest_receipts", year=2022), *columns)[:1] == [
        (1, 1, 1, Decimal("30000.00"), date(2022, 1, 29))
    ]
    (fuel,) = rows_of("mart_largest_receipts", spent_amount=Decimal("7000.00"))
    assert (fuel.rank_of_year, fuel.rank_of_category, fuel.rank_of_payer) == (2, 1, 2)


def test_a_category_is_described_and_what_lies_far_above_counted(spark: SparkSession, star: Star) -> None:
    amounts = spark.createDataFrame([(brl * 100,) for brl in [*range(1, 41), 1000]], "_spent bigint")
    receipts = star.receipts.limit(1).drop("_spent").join(amounts, how="cross")
    (row,) = mart_outliers.transform(replace(star, receipts=receipts)).collect()
    found = (row.receipts, row.first_quartile_amount, row.median_amount, row.third_quartile_amount, row.largest_amount)
    assert found == (41, Decimal(11), Decimal(21), Decimal(31), Decimal(1000))
    assert (row.far_above_mean, row.far_above_quartile) == (1, 1)


def test_a_category_of_one_receipt_has_no_deviation(rows_of: RowsOf) -> None:
    assert told(
        rows_of("mart_outliers", expense_category_id="5"), "receipts", "deviation_amount", "far_above_mean"
    ) == [(1, None, 0)]


def test_first_digits_skip_leading_zeros_and_what_is_not_above_zero(rows_of: RowsOf) -> None:
    found = told(rows_of("mart_first_digits", year=2022), "first_digit", "receipts", "expected_share")
    assert found == [
        (1, 3, Decimal("0.301030")),
        (2, 2, Decimal("0.176091")),
        (3, 1, Decimal("0.124939")),
        (7, 2, Decimal("0.057992")),
        (9, 1, Decimal("0.045757")),
    ]


def test_points_count_what_is_odd_or_worth_a_look(rows_of: RowsOf) -> None:
    found = {row.point_id: row.receipts for row in rows_of("mart_points_of_attention", year=2022)}
    assert found == {
        "missing_date": 1,
        "no_supplier_id": 1,
        "refund": 1,
        "other_year": 1,
        "partly_disallowed": 1,
        "leadership": 1,
        "weekend": 8,
        "duplicate_invoice": 2,
        "round_amount": 3,
    }


def test_kaggles_years_are_not_blamed_for_what_they_do_not_tell(rows_of: RowsOf) -> None:
    found = {row.point_id for row in rows_of("mart_points_of_attention", year=2013)}
    assert found == {"missing_date"}


def test_points_have_their_texts(rows_of: RowsOf) -> None:
    (row,) = rows_of("mart_points_of_attention", point_id="weekend")
    assert (row.point_kind, row.text_en[:5]) == ("attention", "Dated")


# receipts


def test_each_receipt_is_told_with_its_names_its_amounts_and_its_line(rows_of: RowsOf) -> None:
    columns = (
        *("month", "date", "deputy_name", "deputy_register_id", "party_label", "state_code", "category_en"),
        *("supplier_name", "supplier_id", "document_number", "source_file", "source_line"),
    )
    amounts = ("spent_amount", "document_amount", "deduction_amount", "net_amount", "refund_amount", "returned_amount")
    (partly,) = rows_of("receipts", deduction_amount=Decimal("40.00"))
    assert tuple(partly[name] for name in columns) == (
        *(3, date(2022, 3, 27), "Fulana De Tal", "900042", "PSB", "SP", "Fuels and lubricants"),
        *("AUTO POSTO FICTÍCIO LTDA", "11222333000181", "A-17", "Ano-2022.csv.zip", 5),
    )
    assert [str(partly[name]) for name in amounts] == ["60.00", "100.00", "40.00", "60.00", "0.00", "None"]
    (refund,) = rows_of("receipts", net_amount=Decimal("-500.00"))
    assert (refund.spent_amount, refund.refund_amount) == (Decimal("-500.00"), Decimal("-500.00"))


def test_a_receipt_of_kaggle_lacks_what_kaggle_lacks(rows_of: RowsOf) -> None:
    columns = ("spent_amount", "net_amount", "refund_amount", "month", "date", "source_file")
    assert told(rows_of("receipts", year=2013, deputy_id="4242"), *columns) == [
        (Decimal("30.00"), None, None, 0, None, "deputies_dataset.csv"),
        (Decimal("70.00"), None, None, 3, date(2013, 3, 27), "deputies_dataset.csv"),
    ]


def test_what_a_point_of_attention_counts_is_a_list_of_receipts(rows_of: RowsOf) -> None:
    listed: dict[tuple[int, str], list[Decimal]] = {}
    for row in rows_of("receipts"):
        for point in (row.points_of_attention or "").split(", "):
            listed.setdefault((row.year, point), []).append(row.spent_amount)
    assert {of: (len(spent), sum(spent)) for of, spent in listed.items() if of[1]} == {
        (row.year, row.point_id): (row.receipts, row.spent_amount) for row in rows_of("mart_points_of_attention")
    }


def test_no_point_is_found_where_another_is_looked_for() -> None:
    points = [point for point, *_ in mart_points_of_attention._POINTS]
    assert [(one, other) for one in points for other in points if one != other and one in other] == []


def test_a_receipt_has_the_gaps_of_its_month_and_category(rows_of: RowsOf) -> None:
    found = told(rows_of("receipts", deputy_id="4343"), "month", "is_incomplete", "known_gaps")
    touched = "of_fuel, receipts_still_arriving"
    assert found == [(3, False, None), (3, False, None), (5, True, touched), (6, True, touched)]
