"""The receipts as marts read them, what all marts sum up, and which known gaps touch a figure.

Here belongs what more than one mart does with Spark. What a mart is, is said in its own file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, GroupedData
from pyspark.sql import functions as F

from deputies_lake.contracts import SHARE, TOTAL, YEAR, Totals
from deputies_lake.raw import chamber_expenses
from deputies_lake.star import fct_expenses, ref_known_gaps

HOUSE: Final = chamber_expenses.CSV.source_code

_OF_THE_FACT: Final = (
    *(YEAR, "source_code", "expense_key", "date_key", "deputy_key", "party_key", "state_key", "supplier_key"),
    *("expense_category_key", "competence_year", "competence_month", "document_number"),
)
_AMOUNTS: Final = ("spent", "document", "gross", "deduction", "net", "refund", "returned")
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, kw_only=True)
class Star:
    """What marts are made from: `receipts` as `of_fact` makes them, and tables of the star as they are published.

    `fact` has the same rows as `receipts`, with all columns.
    """

    receipts: DataFrame
    fact: DataFrame
    dates: DataFrame
    deputies: DataFrame
    parties: DataFrame
    states: DataFrame
    suppliers: DataFrame
    categories: DataFrame
    quotas: DataFrame
    limits: DataFrame
    gaps: DataFrame


def of_fact(
    fact: DataFrame, deputies: DataFrame, dates: DataFrame, suppliers: DataFrame, *, more: Sequence[str] = ()
) -> DataFrame:
    """The fact's rows as most marts need them: few columns, so that they can be kept while all marts are made.

    Of the fact `_OF_THE_FACT` and `more`; and `month`, `payer_kind`, `date`, `is_weekend`, `supplier_id_kind`,
    `company`, which all branches of a supplier share, `_receipts`, one, and each amount in whole cents, `_<amount>`: as
    a number Spark adds amounts up in place, as a decimal it makes an object of each.
    """
    net, document = F.col("net_amount"), F.col("document_amount")
    cents = {
        "spent": F.coalesce(net, document),
        "document": document,
        "gross": F.when(net < 0, F.lit(0)).otherwise(document),
        "deduction": F.col("deduction_amount"),
        "net": net,
        "refund": F.when(net.isNotNull(), F.least(net, F.lit(0))),
        "returned": F.col("returned_amount"),
    }
    company = F.coalesce("supplier_root", F.col("supplier_key").cast("string")).alias("company")
    kinds = F.broadcast(deputies.select("deputy_key", "payer_kind"))
    days = F.broadcast(dates.select("date_key", "date", "is_weekend"))
    quota_month = F.when(F.col("source_code") == HOUSE, F.col("competence_month")).otherwise(F.month("date"))
    return (
        fact.join(kinds, on="deputy_key", how="left")
        .join(days, on="date_key", how="left")
        .join(suppliers.select("supplier_key", "supplier_id_kind", "supplier_root"), on="supplier_key", how="left")
        .select(
            *dict.fromkeys((*_OF_THE_FACT, *more)),
            *("payer_kind", "date", "is_weekend", "supplier_id_kind", company),
            F.coalesce(quota_month, F.lit(0)).alias("month"),
            F.lit(1).cast("bigint").alias("_receipts"),
            *((amount * 100).cast("bigint").alias(f"_{name}") for name, amount in cents.items()),
        )
    )


def fact_sums(totals: Totals) -> str:
    """The DuckDB query for what a mart must add up to, over the view of the fact; in its own words, not by Spark."""
    by = ", ".join(totals.by)
    derived = {
        "spent_amount": "coalesce(net_amount, document_amount)",
        "gross_amount": "CASE WHEN net_amount < 0 THEN 0 ELSE document_amount END",
        "refund_amount": "least(net_amount, 0)",
        # Of a refund the document is not in the account, so nothing but its deduction can be.
        "difference_amount": "CASE WHEN net_amount < 0 THEN deduction_amount "
        "ELSE net_amount - (document_amount - deduction_amount) END",
    }
    amounts = ", ".join(f"sum({derived.get(amount, amount)})" for amount in totals.amounts)
    return f"SELECT {by}, count(*), {amounts} FROM star_{fct_expenses.TABLE.name} GROUP BY {by}"


def in_brl(cents: SparkColumn) -> SparkColumn:
    """An amount in cents as a decimal, exactly."""
    return (cents.cast("decimal(18,0)") * F.lit(_CENT)).cast(TOTAL)


def whole_cents(cents: SparkColumn) -> SparkColumn:
    """A mean or a quartile, which is a double, as the nearest whole number of cents; halves away from zero."""
    return F.when(cents < 0, -F.floor(0.5 - cents)).otherwise(F.floor(cents + 0.5))


def _quotient(part: SparkColumn, whole: SparkColumn) -> SparkColumn:
    """What a share or an amount can be rounded from, be it rounded here or, as by Sail, cut off at the last digit.

    Either may be a count or an amount. So many decimal places are never wrong at a boundary of those that stay.
    """
    return part.cast("decimal(36,18)") / whole.cast("decimal(18,2)")


def sums() -> list[SparkColumn]:
    """The aggregates by which many receipts become one row that `measures` takes for all of them."""
    return [F.sum(f"_{name}").alias(f"_{name}") for name in ("receipts", *_AMOUNTS)]


def measures() -> list[SparkColumn]:
    """The aggregates behind `columns.MEASURES`."""
    cents = {name: F.sum(f"_{name}") for name in _AMOUNTS}
    cents["difference"] = cents["net"] - (cents["gross"] - cents["deduction"] + cents["refund"])
    return [
        F.sum("_receipts").alias("receipts"),
        *(in_brl(amount).alias(f"{name}_amount") for name, amount in cents.items()),
    ]


def of_deputies(column: SparkColumn) -> SparkColumn:
    """The value on the rows that deputies pay, null on those of leadership offices."""
    return F.when(F.col("payer_kind") == "deputy", column)


def per_deputy() -> list[SparkColumn]:
    """How many deputies have a receipt, and what they spent on average: the mean of deputies, offices left out."""
    deputies = F.countDistinct(of_deputies(F.col("deputy_key")))
    spent = in_brl(F.sum(of_deputies(F.col("_spent"))))
    return [
        deputies.alias("deputies"),
        F.when(deputies > 0, _quotient(spent, deputies).cast(TOTAL)).alias("spent_per_deputy"),
    ]


def by_year(receipts: DataFrame, *columns: SparkColumn | str) -> GroupedData:
    """Receipts grouped by year, the year's one source, and `columns`."""
    # The source as an aggregate, a text's maximum, would have Spark sort all receipts instead of hashing them.
    return receipts.groupBy(YEAR, "source_code", *columns)


def ratio(part: SparkColumn, whole: SparkColumn) -> SparkColumn:
    """A share, null where the whole is null or zero."""
    return F.when(whole != 0, _quotient(part, whole)).cast(SHARE)


def qualified(rows: DataFrame, gaps: DataFrame, *, by_month: bool = False, by_category: bool = False) -> DataFrame:
    """`rows` with `is_incomplete` and `known_gaps`: the gaps of their year, or of their month, and of their source.

    What is only worth knowing, of low severity, is left out. A gap of one category touches a total, too: of `rows` that
    are `by_category`, it touches that category's only.
    """
    first, last = (F.make_date(YEAR, F.lit(month), F.lit(1)) for month in (1, 12))
    if by_month:
        of_month = F.when(F.col("month") > 0, F.make_date(YEAR, "month", F.lit(1)))
        first, last = F.coalesce(of_month, first), F.coalesce(of_month, last)

    def touches(gap: SparkColumn) -> SparkColumn:
        same = [(gap["source_code"], "source_code")]
        same += [(gap["expense_category_id"], "expense_category_id")] if by_category else []
        touched = F.coalesce(gap["first_month"] <= last, F.lit(True)) & F.coalesce(
            gap["last_month"] >= first, F.lit(True)
        )
        for of_gap, column in same:
            touched &= of_gap.isNull() | of_gap.eqNullSafe(F.col(column))
        return touched

    # They are a handful: beside each row as one array they cost less than another join and grouping.
    telling = gaps.where(F.col("severity").isin(*ref_known_gaps.CHANGES_FIGURES))
    known = telling.agg(F.collect_list(F.struct(*gaps.columns)).alias("_known"))
    found = F.array_sort(F.transform(F.filter("_known", touches), lambda gap: gap["gap_id"]))
    return (
        rows.join(F.broadcast(known), how="cross")
        .withColumn("_found", found)
        .withColumns(
            {
                "is_incomplete": F.array_contains("_found", ref_known_gaps.STILL_ARRIVING),
                "known_gaps": F.when(F.size("_found") > 0, F.array_join("_found", ", ")),
            }
        )
        .drop("_known", "_found")
    )


def named(rows: DataFrame, members: DataFrame, key: str, columns: Sequence[str], **renamed: str) -> DataFrame:
    """`rows` with columns of a dimension, found by its key; `renamed` gives new names to further columns."""
    told = members.select(key, *columns, *(F.col(name).alias(new) for new, name in renamed.items()))
    return rows.join(F.broadcast(told), on=key, how="left")


def with_category(rows: DataFrame, star: Star, *more: str) -> DataFrame:
    """`rows` with what `columns.CATEGORY` tells of their `expense_category_key`."""
    return named(
        rows,
        star.categories,
        "expense_category_key",
        ["expense_category_id", *more],
        category_pt="name_pt",
        category_en="name_en",
    )


def with_deputy(rows: DataFrame, star: Star, *more: str) -> DataFrame:
    """`rows` with what `columns.DEPUTY` tells of their `deputy_key`."""
    return named(rows, star.deputies, "deputy_key", ["deputy_id", "deputy_name", *more])


def with_supplier(rows: DataFrame, star: Star, *more: str) -> DataFrame:
    """`rows` with what `columns.SUPPLIER` tells of their `supplier_key`."""
    # Too many for every core to be sent all of them.
    told = star.suppliers.select("supplier_key", "supplier_id", "supplier_id_kind", "supplier_name", *more)
    return rows.join(told, on="supplier_key", how="left")
