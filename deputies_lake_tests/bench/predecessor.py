"""What the lake replaces: the script that an Airflow DAG used to submit, with the habits of its time.

It reads the file again for every table, interprets dates and supplier ids in Python UDFs, makes dimensions with
distinct(), numbers them with monotonically_increasing_id() and joins the fact to each of them to get those numbers.
Spark is left at its defaults (200 shuffle partitions, snappy), but given the heap that the plain script has. Nothing is
checked; a re-run gives other keys; tax ids of persons are not hidden.
"""

from datetime import date, datetime
from pathlib import Path
from typing import Final

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, StringType

from deputies_lake.java import provide_java
from deputies_lake_tests.bench import shared

SETTINGS: Final[dict[str, bool | float | int | str | None]] = {
    "spark.driver.memory": "2g",
    "spark.sql.parquet.compression.codec": "snappy",
}


def main() -> None:
    given = shared.arguments(__doc__)
    provide_java()
    spark = SparkSession.builder.master("local[*]").appName("predecessor").config(map=SETTINGS).getOrCreate()
    csv, output = given.input, given.output
    process_deputies(spark, csv, output)
    process_parties(spark, csv, output)
    process_states(spark, csv, output)
    process_suppliers(spark, csv, output)
    process_categories(spark, csv, output)
    process_dates(spark, csv, output)
    process_expenses(spark, csv, output)
    spark.stop()


def read(spark: SparkSession, csv: Path) -> DataFrame:
    return spark.read.csv(str(csv), header=True, inferSchema=False, escape='"')


@F.udf(returnType=DateType())  # type: ignore[misc, unused-ignore]
def parse_date(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").date()  # noqa: DTZ007 - the file knows no time zone
    except ValueError:
        return None


@F.udf(returnType=StringType())  # type: ignore[misc, unused-ignore]
def clean_supplier_id(text: str | None) -> str:
    """The id with its leading zeros: as a CNPJ if its check digits are right, else as a CPF if those are."""
    if not text:
        return ""
    number = str(int(float(text)))
    cnpj, cpf = number.zfill(14), number.zfill(11)
    if check_digits(cnpj[:-2], shared.CNPJ_WEIGHTS) == cnpj[-2:]:
        return cnpj
    if len(cpf) == 11 and check_digits(cpf[:-2], shared.CPF_WEIGHTS) == cpf[-2:]:
        return cpf
    return number


def check_digits(text: str, weights: tuple[int, ...]) -> str:
    digits = [int(character) for character in text]
    for count in (len(weights) - 1, len(weights)):
        remainder = sum(d * w for d, w in zip(reversed(digits), weights[:count], strict=True)) % 11
        digits.append(0 if remainder < 2 else 11 - remainder)
    return "".join(map(str, digits[-2:]))


def numbered(rows: DataFrame, key: str) -> DataFrame:
    return rows.distinct().withColumn(key, F.monotonically_increasing_id())


def supplier_id() -> Column:
    cleaned: Column = clean_supplier_id("receipt_social_security_number")
    return cleaned.alias("supplier_id")


def receipt_date() -> Column:
    parsed: Column = parse_date("receipt_date")
    return parsed.alias("date")


def process_deputies(spark: SparkSession, csv: Path, output: Path) -> None:
    deputies = read(spark, csv).select("deputy_id", "deputy_name", "political_party", "state_code")
    numbered(deputies, "deputy_key").write.mode("overwrite").parquet(str(output / "deputies"))


def process_parties(spark: SparkSession, csv: Path, output: Path) -> None:
    parties = read(spark, csv).select("political_party")
    numbered(parties, "party_key").write.mode("overwrite").parquet(str(output / "parties"))


def process_states(spark: SparkSession, csv: Path, output: Path) -> None:
    states = read(spark, csv).select("state_code")
    numbered(states, "state_key").write.mode("overwrite").parquet(str(output / "states"))


def process_suppliers(spark: SparkSession, csv: Path, output: Path) -> None:
    suppliers = read(spark, csv).select(supplier_id(), "establishment_name")
    numbered(suppliers, "supplier_key").write.mode("overwrite").parquet(str(output / "suppliers"))


def process_categories(spark: SparkSession, csv: Path, output: Path) -> None:
    categories = read(spark, csv).select("receipt_description")
    numbered(categories, "category_key").write.mode("overwrite").parquet(str(output / "categories"))


def process_dates(spark: SparkSession, csv: Path, output: Path) -> None:
    dates = read(spark, csv).select(receipt_date()).where("date IS NOT NULL").distinct()
    dates.select(
        "date",
        F.dayofmonth("date").alias("day"),
        F.weekofyear("date").alias("week"),
        F.month("date").alias("month"),
        F.year("date").alias("year"),
        F.dayofweek("date").alias("weekday"),
    ).write.mode("overwrite").partitionBy("year", "month").parquet(str(output / "dates"))


def process_expenses(spark: SparkSession, csv: Path, output: Path) -> None:
    joins = {
        "deputies": ["deputy_id", "deputy_name", "political_party", "state_code"],
        "parties": ["political_party"],
        "states": ["state_code"],
        "suppliers": ["supplier_id", "establishment_name"],
        "categories": ["receipt_description"],
        "dates": ["date"],
    }
    quota_year = F.substring("receipt_date", 1, 4).cast("int").alias("year")
    rows = read(spark, csv).select("*", receipt_date(), supplier_id(), quota_year)
    for table, columns in joins.items():
        dimension = spark.read.parquet(str(output / table)).drop("day", "week", "month", "year", "weekday")
        rows = rows.join(dimension, on=columns, how="left")
    expenses = rows.select(
        F.monotonically_increasing_id().alias("expense_key"),
        "date",
        "deputy_key",
        "party_key",
        "state_key",
        "supplier_key",
        "category_key",
        F.col("receipt_value").cast("int").alias("document_amount"),
        F.month("date").alias("month"),
        "year",
    )
    expenses.write.mode("overwrite").partitionBy("year", "month").parquet(str(output / "expenses"))


if __name__ == "__main__":
    main()
