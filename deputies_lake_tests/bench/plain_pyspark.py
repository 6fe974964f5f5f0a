"""The opponent to beat: one plain PySpark script, as a competent data engineer would write it for the same tables.

It reads the file once with a schema of strings, writes the staging table as Parquet by year, reads that back, and
writes the six dimensions and the fact, all at once so that no core waits. Left out is what makes a lake of it: raw
copy, rejected rows, line numbers, checks, totals, commits, history. The parties' attributes come from another file.
Keys are computed as the lake computes them, so its tables can be compared with the lake's value by value.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from functools import reduce
from itertools import chain
from operator import add
from pathlib import Path
from typing import Final

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from deputies_lake.java import provide_java
from deputies_lake_tests.bench import shared

SETTINGS: Final[dict[str, bool | float | int | str | None]] = {
    "spark.driver.memory": "2g",
    "spark.driver.extraJavaOptions": "-XX:+UseParallelGC",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.adaptive.enabled": "true",
    # More and smaller pieces of the file than the default 128m, or one core waits for the other's last piece.
    "spark.sql.files.maxPartitionBytes": "32m",
    "spark.sql.maxConcurrentOutputFileWriters": "16",
    "spark.sql.parquet.compression.codec": "zstd",
}


def main() -> None:
    given = shared.arguments(__doc__)
    provide_java()
    spark = SparkSession.builder.master("local[*]").appName("plain_pyspark").config(map=SETTINGS).getOrCreate()
    write(spark, given.input, given.output)
    spark.stop()


def write(spark: SparkSession, csv: Path, output: Path) -> None:
    staging_path = str(output / "stg_kaggle_reimbursements")
    staging(spark, csv).write.partitionBy("year").parquet(staging_path)
    staged = spark.read.parquet(staging_path)
    tables = {
        "fct_expenses": fact(staged),
        "dim_suppliers": suppliers(staged),
        "dim_deputies": deputies(staged),
        "dim_parties": parties(staged),
        "dim_states": states(staged),
        "dim_expense_categories": expense_categories(staged),
        "dim_dates": dates(spark),
    }

    def write_table(name: str) -> None:
        years = ["year"] if name == "fct_expenses" else []
        tables[name].write.partitionBy(*years).parquet(str(output / name))

    with ThreadPoolExecutor(len(tables)) as pool:
        list(pool.map(write_table, tables))


def staging(spark: SparkSession, csv: Path) -> DataFrame:
    schema = ", ".join(f"{name} string" for name in shared.CSV_COLUMNS)
    published = spark.read.csv(str(csv), schema=schema, header=True, quote='"', escape='"').fillna("")
    # The years first: then rows are in the order in which they are written, and need no second sort.
    equal_rows = Window.partitionBy("year", "_hash").orderBy("_hash")
    keyed = (
        published.withColumn("year", F.substring("receipt_date", 1, 4).cast("int"))
        .withColumn("_hash", F.xxhash64(*hashed_columns()))
        .withColumn("expense_key", F.xxhash64("_hash", F.row_number().over(equal_rows)))
    )
    state, name, label = F.col("state_code"), F.upper(F.trim("deputy_name")), F.col("receipt_description")
    is_office = name.rlike(shared.OFFICE_NAME) | name.isin(*shared.office_labels())
    day = F.when(F.substring("receipt_date", 5, 1) == "-", F.substring("receipt_date", 1, 10).cast("date"))
    return with_supplier(keyed).select(
        "year",
        "expense_key",
        F.when(F.col("bugged_date") == "0", day).alias("receipt_date"),
        "deputy_id",
        F.trim("deputy_name").alias("deputy_name"),
        ((state == "Vazio") & is_office).alias("is_leadership"),
        F.trim("political_party").alias("party_label"),
        F.when(state != "Vazio", state).alias("state_code"),
        label.alias("expense_category_label"),
        looked_up(label, shared.category_ids()).alias("expense_category_id"),
        "supplier_id",
        "supplier_id_kind",
        "supplier_token",
        "supplier_name",
        F.col("receipt_value").cast("decimal(14,2)").alias("document_amount"),
        F.lit(csv.name).alias("source_file"),
    )


def hashed_columns() -> list[Column]:
    """The published columns as a row's key is made from them: without what may be a person's tax id."""
    text, name = F.col("receipt_social_security_number"), F.col("establishment_name")
    is_short = F.length(text).between(1, shared.LONGEST_PERSONAL_ID)
    columns = {column: F.col(column) for column in shared.CSV_COLUMNS} | {
        "receipt_social_security_number": F.when(is_short, keyed_hash(text)).otherwise(text),
        "establishment_name": F.when(redacted(name) != name, keyed_hash(name)).otherwise(name),
    }
    return [*columns.values()]


def keyed_hash(text: Column) -> Column:
    inner, outer = map(F.lit, shared.hmac_pads())
    return F.sha2(F.concat(outer, F.unhex(F.sha2(F.concat(inner, text.cast("binary")), 256))), 256)


def redacted(text: Column) -> Column:
    hidden = F.regexp_replace(text, shared.ELEVEN_DIGITS, "*" * 11)
    hidden = F.regexp_replace(hidden, shared.PUNCTUATED_CPF, "***.***.***-**")
    return F.when(text.rlike(shared.BEGINS_LIKE_CPF), hidden).otherwise(text)


def looked_up(text: Column, table: Mapping[str, str]) -> Column:
    return F.element_at(F.create_map(*map(F.lit, chain.from_iterable(table.items()))), text)


def with_supplier(rows: DataFrame) -> DataFrame:
    text, name = F.col("receipt_social_security_number"), F.col("establishment_name")
    number, kind, digits = F.col("_number"), F.col("supplier_id_kind"), F.col("_digits")
    as_float = text.cast("double")
    is_whole = (as_float >= 0) & (as_float < 10**14) & (as_float == F.floor(as_float))
    is_cpf = (number < 10**11) & checks(number, shared.CPF_WEIGHTS)
    as_company = kind.isin("cnpj", "functional") | (number >= 10**11)
    plain = number.cast("string")
    padded = F.when(as_company, F.lpad(plain, 14, "0")).otherwise(F.lpad(plain, 11, "0"))
    is_personal = kind.isin("cpf", "cpf_or_cnpj") | ((kind == "invalid") & (F.length(digits) != 14))
    mask = F.concat(F.lit("***."), F.substring(digits, 4, 3), F.lit("."), F.substring(digits, 7, 3), F.lit("-**"))
    name_alone = F.upper(F.trim(F.regexp_replace("supplier_name", " +", " ")))
    return (
        rows.withColumn("_number", F.when(is_whole, as_float.cast("bigint")))
        .withColumns({"_is_cnpj": checks(number, shared.CNPJ_WEIGHTS), "_is_cpf": is_cpf})
        .withColumn(
            "supplier_id_kind",
            F.when(text == "", "none")
            .when(number.isNull(), "invalid")
            .when(number < 100, "functional")
            .when(F.col("_is_cnpj") & F.col("_is_cpf"), "cpf_or_cnpj")
            .when(F.col("_is_cnpj"), "cnpj")
            .when(F.col("_is_cpf"), "cpf")
            .otherwise("invalid"),
        )
        .withColumn("_digits", F.when(kind != "none", F.coalesce(padded, text)))
        .withColumn("supplier_name", redacted(name))
        .withColumn("supplier_id", F.when(is_personal, mask).otherwise(digits))
        .withColumn(
            "supplier_token", F.when(kind == "none", name_alone).when(is_personal, keyed_hash(digits)).otherwise(digits)
        )
    )


def check_digit(number: Column, first_place: int, weights: Sequence[int]) -> Column:
    places = range(first_place, first_place + len(weights))
    digits = [F.call_function("div", number, F.lit(10**place)) % 10 for place in places]
    return reduce(add, (digit * weight for digit, weight in zip(digits, weights, strict=True))) * 10 % 11 % 10


def checks(number: Column, weights: Sequence[int]) -> Column:
    return check_digit(number, 2, weights[:-1]) * 10 + check_digit(number, 1, weights) == number % 100


def key(entity: str, natural_id: Column) -> Column:
    return F.xxhash64(F.concat_ws("|", F.lit(entity), F.coalesce(natural_id, F.lit("UNKNOWN"))))


def state_key() -> Column:
    return key("state", F.coalesce("state_code", F.when(F.col("is_leadership"), "NONE")))


def category_key(label: Column) -> Column:
    return key("expense_category", F.coalesce("expense_category_id", F.concat(F.lit("label:"), label)))


def date_key(day: Column) -> Column:
    return F.coalesce(F.year(day) * 10000 + F.month(day) * 100 + F.dayofmonth(day), F.lit(0))


def fact(staged: DataFrame) -> DataFrame:
    return staged.select(
        "year",
        "expense_key",
        date_key(F.col("receipt_date")).alias("date_key"),
        key("deputy", F.col("deputy_id")).alias("deputy_key"),
        key("party", F.upper("party_label")).alias("party_key"),
        state_key().alias("state_key"),
        key("supplier", F.col("supplier_token")).alias("supplier_key"),
        category_key(F.col("expense_category_label")).alias("expense_category_key"),
        key("document_type", F.lit(None)).alias("document_type_key"),
        F.lit("kaggle_reimbursements").alias("source_code"),
        "document_amount",
        "source_file",
        *(F.lit(None).cast(kind).alias(name) for name, kind in shared.ONLY_OF_THE_HOUSE.items()),
    )


def reference(spark: SparkSession, name: str) -> DataFrame:
    return spark.read.csv(str(shared.REFERENCE / f"{name}.csv"), header=True, quote='"', escape='"')


def deputies(staged: DataFrame) -> DataFrame:
    def latest(column: str) -> Column:
        dated = F.struct(F.when(F.col(column).isNotNull(), F.col("year")), F.col(column))
        return F.max(dated)[column].alias(column)

    found = staged.groupBy("deputy_id").agg(
        latest("deputy_name"),
        F.when(F.bool_and("is_leadership"), "leadership").otherwise("deputy").alias("payer_kind"),
        latest("party_label"),
        latest("state_code"),
        F.min("year").alias("first_year"),
        F.max("year").alias("last_year"),
    )
    unknown = "'UNKNOWN', 'Desconhecido / Unknown', 'unknown', 'UNKNOWN', string(null), int(null), int(null)"
    everyone = found.union(staged.sparkSession.sql(f"SELECT {unknown}"))
    in_name = looked_up(F.regexp_replace(F.upper("deputy_name"), shared.OFFICE_OF, ""), shared.parties_in_names())
    party = F.coalesce(F.when(F.col("payer_kind") == "leadership", in_name), "party_label")
    return everyone.withColumn("party_label", party).select(
        key("deputy", F.col("deputy_id")).alias("deputy_key"),
        "*",
        F.lit(None).cast("string").alias("deputy_register_id"),
    )


def parties(staged: DataFrame) -> DataFrame:
    upper = F.upper("party_label").alias("_upper")
    labels = staged.groupBy(upper).agg(F.max("party_label").alias("party_label"))
    labels = labels.union(staged.sparkSession.sql("SELECT 'UNKNOWN', 'UNKNOWN'"))
    events = reference(staged.sparkSession, "party_events").select(
        upper, F.col("party_label_today").alias("_today"), F.concat_ws(", ", "event", "happened").alias("party_event")
    )
    kind = (
        F.when(F.col("_upper") == "UNKNOWN", "unknown")
        .when(F.col("_upper") == "SEM PARTIDO ASSOCIADO", "leadership")
        .when(F.col("_upper").isin("S.PART.", "S/PARTIDO"), "no_party")
        .otherwise("party")
    )
    return labels.join(F.broadcast(events), on="_upper", how="left").select(
        key("party", F.col("_upper")).alias("party_key"),
        "party_label",
        kind.alias("party_kind"),
        F.coalesce("_today", "party_label").alias("party_label_today"),
        "party_event",
    )


def states(staged: DataFrame) -> DataFrame:
    spark = staged.sparkSession
    known = reference(spark, "states").union(
        spark.sql(
            "VALUES ('NONE', 'Sem UF (lideranças) / No state (leadership offices)', 'Sem região', 'No region'),"
            " ('UNKNOWN', 'Desconhecida / Unknown', 'Desconhecida', 'Unknown')"
        )
    )
    found = staged.where("state_code IS NOT NULL").select("state_code").distinct()
    unlisted = found.join(F.broadcast(known), on="state_code", how="left_anti").select(
        "state_code", "state_code", F.lit("Desconhecida"), F.lit("Unknown")
    )
    return known.union(unlisted).select(key("state", F.col("state_code")).alias("state_key"), "*")


def expense_categories(staged: DataFrame) -> DataFrame:
    spark = staged.sparkSession
    labels = reference(spark, "expense_category_labels").where("source_code = 'kaggle_reimbursements'")
    names = ("expense_category_id", "name_pt", "name_en", "group_pt", "group_en")
    columns = (*names, "kaggle_label", "chamber_label", "note")
    of_house = looked_up(F.col("expense_category_id"), shared.house_labels()).alias("chamber_label")
    known = reference(spark, "expense_categories").join(
        F.broadcast(labels.withColumnRenamed("label", "kaggle_label")), on="expense_category_id", how="left"
    )
    unknown = spark.sql(
        "SELECT string(null), 'Desconhecida', 'Unknown', 'Desconhecido', 'Unknown', "
        "string(null), string(null), string(null)"
    )
    label = F.col("expense_category_label")
    found = staged.where("expense_category_id IS NULL").select(label).distinct()
    unmapped = found.select(
        F.lit(None).cast("string"),
        label,
        label,
        F.lit("Sem código"),
        F.lit("Without a code"),
        label,
        F.lit(None).cast("string"),
        F.lit("Label not in the reference: it loads as itself"),
    )
    return (
        known.select(*names, "kaggle_label", of_house, "note")
        .union(unknown)
        .union(unmapped)
        .select(category_key(F.col("kaggle_label")).alias("expense_category_key"), *columns)
    )


def suppliers(staged: DataFrame) -> DataFrame:
    spellings = staged.groupBy("supplier_token", "supplier_id", "supplier_id_kind", "supplier_name").agg(
        F.sum(F.abs("document_amount")).alias("_spent")
    )
    found = spellings.groupBy("supplier_token").agg(
        F.first("supplier_id").alias("supplier_id"),
        F.first("supplier_id_kind").alias("supplier_id_kind"),
        F.max(F.struct("_spent", "supplier_name"))["supplier_name"].alias("supplier_name"),
        F.count("*").alias("spellings"),
    )
    unknown = staged.sparkSession.sql("SELECT 'UNKNOWN', string(null), 'unknown', 'Desconhecido / Unknown', bigint(0)")
    root = F.when(F.col("supplier_id_kind") == "cnpj", F.substring("supplier_id", 1, 8))
    return found.union(unknown).select(
        key("supplier", F.col("supplier_token")).alias("supplier_key"),
        "supplier_id",
        "supplier_id_kind",
        root.alias("supplier_root"),
        "supplier_name",
        "spellings",
    )


def dates(spark: SparkSession) -> DataFrame:
    last = date(datetime.now(tz=UTC).year + 1, 12, 31)
    days = spark.sql(f"SELECT explode(sequence(date'{shared.FIRST_DAY}', date'{last}')) AS date")
    day = F.col("date")
    weekday = F.weekday(day) + 1
    terms = [
        F.when(day.between(term["first_date"], term["last_date"]), int(term["term_of_office"]))
        for term in shared.reference_rows("terms_of_office")
    ]
    return days.union(spark.sql("SELECT date(null)")).select(
        date_key(day).alias("date_key"),
        "date",
        F.year(day).alias("calendar_year"),
        F.quarter(day).alias("quarter"),
        F.month(day).alias("month"),
        F.element_at(F.array(*map(F.lit, shared.MONTHS_PT)), F.month(day)).alias("month_name_pt"),
        F.date_format(day, "MMMM").alias("month_name_en"),
        F.dayofmonth(day).alias("day"),
        F.expr("extract(YEAROFWEEK FROM date)").alias("iso_year"),
        F.weekofyear(day).alias("iso_week"),
        weekday.alias("iso_weekday"),
        F.element_at(F.array(*map(F.lit, shared.WEEKDAYS_PT)), weekday).alias("weekday_name_pt"),
        F.date_format(day, "EEEE").alias("weekday_name_en"),
        (weekday >= 6).alias("is_weekend"),
        F.coalesce(*terms).alias("term_of_office"),
    )


if __name__ == "__main__":
    main()
