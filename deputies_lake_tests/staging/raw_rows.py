"""Raw rows for the tests of staging: ordinary ones of which a test changes what it is about. Nobody in them is real.

A `Case` is one published row and what must become of it. All cases of a module go through Spark in one job, so that
each can still be a test of its own.
"""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from types import ModuleType
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, settings
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from deputies_lake.contracts import YEAR
from deputies_lake.raw import chamber_expenses, kaggle_refunds, kaggle_reimbursements
from deputies_lake.raw.amounts import readable_amounts
from deputies_lake.raw.equal_lines import OCCURRENCE, EqualLines
from deputies_lake.raw.published_csv import PublishedCsv, read_blocks
from deputies_lake.raw.rejections import Rejections
from deputies_lake.staging import stg_chamber_expenses, stg_kaggle_refunds, stg_kaggle_reimbursements

CPF_KEY: Final = "a key for tests, of more than thirty-two characters"

in_batches: Final = settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
"""For properties of which each example is a batch of rows and a Spark job: shrinking one would take minutes."""

RawRow = Mapping[str, str | int | None]

_FIRST_LINE: Final = 2
_FIRST_YEAR: Final = 2008
_LAST_YEAR: Final = 2017

_REIMBURSEMENT: Final[RawRow] = {
    "bugged_date": "0",
    "receipt_date": "2013-03-27 00:00:00",
    "deputy_id": "4242",
    "political_party": "PSB",
    "state_code": "SP",
    "deputy_name": "Fulana De Tal",
    "receipt_social_security_number": "",
    "receipt_description": "Fuels and lubricants.",
    "establishment_name": "AUTO POSTO FICTÍCIO LTDA",
    "receipt_value": "70",
}

_REFUND: Final[RawRow] = {
    **dict.fromkeys(kaggle_refunds.CSV.columns, ""),
    "deputy_name": "FULANA DE TAL",
    "deputy_state": "TO",
    "political_party": "DEM",
    "refund_description": "FUEL COSTS",
    "company_name": "AUTO POSTO FICTÍCIO LTDA",
    "refund_date": "2016-07-29T00:00:00",
    "refund_value": "937.63",
}

_CHAMBER_EXPENSE: Final[RawRow] = {
    **dict.fromkeys(chamber_expenses.CSV.columns, ""),
    "other_columns": None,
    "txNomeParlamentar": "Fulana De Tal",
    "cpf": "12345678900",
    "ideCadastro": "900042",
    "nuCarteiraParlamentar": "77",
    "nuLegislatura": "2019",
    "sgUF": "SP",
    "sgPartido": "PSB",
    "codLegislatura": "56",
    "numSubCota": "3",
    "txtDescricao": "COMBUSTÍVEIS E LUBRIFICANTES.",
    "numEspecificacaoSubCota": "1",
    "txtDescricaoEspecificacao": "Veículos Automotores",
    "txtFornecedor": "AUTO POSTO FICTÍCIO LTDA",
    "txtNumero": "A-17",
    "indTipoDocumento": "4",
    "datEmissao": "2022-03-27T00:00:00",
    "vlrDocumento": "70.25",
    "vlrGlosa": "0.25",
    "vlrLiquido": "70",
    "numMes": "3",
    "numAno": "2022",
    "numParcela": "0",
    "numLote": "1800001",
    "nuDeputadoId": "4242",
    "ideDocumento": "70000001",
}


@dataclass(frozen=True)
class Case:
    """A published row, told by the fields that matter, and the fields that must come of it."""

    must: str
    given: RawRow
    expected: Mapping[str, object]

    def __str__(self) -> str:
        return self.must


def reimbursement(**fields: str | int | None) -> RawRow:
    """A line of Kaggle's reimbursements, filed under the year of its date unless `year` is given."""
    row = {**_REIMBURSEMENT, **fields}
    text = str(row["receipt_date"])[:4]
    readable = text.isascii() and text.isdigit() and _FIRST_YEAR <= int(text) <= _LAST_YEAR
    return {YEAR: int(text) if readable else 2013, **row}


def refund(**fields: str | int | None) -> RawRow:
    """A line of Kaggle's refunds, all of which are of 2016."""
    return {YEAR: kaggle_refunds.REFUNDS_YEAR, **_REFUND, **fields}


def chamber_expense(**fields: str | int | None) -> RawRow:
    """A line of the House's file of 2022."""
    return {YEAR: 2022, **_CHAMBER_EXPENSE, **fields}


def raw_reimbursements(spark: SparkSession, rows: Sequence[RawRow]) -> DataFrame:
    """Rows of raw.kaggle_reimbursements, on lines 2 and following unless they say otherwise."""
    return _frame(spark, kaggle_reimbursements, rows)


def raw_refunds(spark: SparkSession, rows: Sequence[RawRow]) -> DataFrame:
    """Rows of raw.kaggle_refunds, on lines 2 and following unless they say otherwise."""
    return _frame(spark, kaggle_refunds, rows)


def raw_chamber_expenses(spark: SparkSession, rows: Sequence[RawRow]) -> DataFrame:
    """Rows of raw.chamber_expenses, on lines 2 and following unless they say otherwise."""
    return _frame(spark, chamber_expenses, rows)


def stage_reimbursements(raw: DataFrame, cpf_key: str = CPF_KEY) -> DataFrame:
    """What staging makes of the readable rows."""
    readable = _readable(stg_kaggle_reimbursements.judge(raw), "deputies_dataset.csv")
    return stg_kaggle_reimbursements.transform(readable, cpf_key=cpf_key)


def stage_refunds(raw: DataFrame) -> DataFrame:
    """What staging makes of the readable rows."""
    readable = _readable(stg_kaggle_refunds.judge(raw), "dirty_deputies_v2.csv")
    return stg_kaggle_refunds.transform(readable, cpf_key=CPF_KEY)


def stage_chamber_expenses(raw: DataFrame, cpf_key: str = CPF_KEY) -> DataFrame:
    """What staging makes of the readable rows."""
    readable = _readable(stg_chamber_expenses.judge(raw), "Ano-2022.csv.zip")
    return stg_chamber_expenses.transform(readable, cpf_key=cpf_key)


def is_counted(raw: ModuleType, row: RawRow) -> bool:
    """Whether raw counts the row among those that staging rejects, when it judges a file by their number."""
    types = {name: pa.int32() for name in (YEAR, "source_line")}
    whole = {"source_line": _FIRST_LINE, "unreadable_reason": None, **row}
    block = pa.table({name: pa.chunked_array([[value]], types.get(name, pa.string())) for name, value in whole.items()})
    amounts = [readable_amounts(block[name]) for name in (raw.CSV.amount_column, *raw.CSV.other_amount_columns)]
    rejections = Rejections()
    rejections.add(block, raw.CSV, amounts)
    return rejections.rows == 1


def by_line(rows: DataFrame) -> dict[int, Row]:
    """The rows by their line in the file."""
    return {row["source_line"]: row for row in rows.collect()}


def by_case(cases: Sequence[Case], rows: DataFrame) -> dict[str, Row]:
    """For each case what became of its row; rejected ones are missing."""
    found = by_line(rows)
    return {case.must: found[line] for line, case in enumerate(cases, _FIRST_LINE) if line in found}


def outcome(case: Case, row: Row) -> dict[str, object]:
    """Of the row that came of a case, the fields that the case speaks of."""
    return {name: row[name] for name in case.expected}


def file_of(source: PublishedCsv, rows: Sequence[RawRow]) -> bytes:
    """A well-formed CSV file of these rows."""
    text = io.StringIO()
    quoting: Final = csv.QUOTE_ALL if source.quotes_every_field else csv.QUOTE_MINIMAL
    writer = csv.writer(text, delimiter=source.delimiter, quoting=quoting, lineterminator="\n")
    writer.writerow(source.columns)
    writer.writerows([row[name] for name in source.columns] for row in rows)
    return text.getvalue().encode()


def lines_of(source: PublishedCsv, content: bytes) -> pa.Table:
    """The lines of a published file, as the lake's own reader splits and numbers them."""
    stream = io.BufferedReader(io.BytesIO(content))
    lines = EqualLines(source.columns)
    return pa.concat_tables(map(lines.numbered, read_blocks(stream, source.file_names[0], source).tables))


def loaded(spark: SparkSession, lines: pa.Table, folder: Path) -> DataFrame:
    """Lines that Spark reads from a file, as it does in the lake."""
    path = folder / "lines.parquet"
    pq.write_table(lines, path)
    return spark.read.parquet(str(path))


def published(spark: SparkSession, source: PublishedCsv, content: bytes, folder: Path) -> DataFrame:
    """The raw table of a published file."""
    return loaded(spark, lines_of(source, content), folder)


def _readable(judged: DataFrame, file_name: str) -> DataFrame:
    return judged.where(F.col("rejection_reason").isNull()).withColumn("source_file", F.lit(file_name))


def _frame(spark: SparkSession, raw: ModuleType, rows: Sequence[RawRow]) -> DataFrame:
    ours = {"unreadable_text": None, "unreadable_reason": None}
    whole = [{**ours, "source_line": line, **row} for line, row in enumerate(rows, _FIRST_LINE)]
    whole.sort(key=itemgetter("source_line"))
    met: Counter[tuple[object, ...]] = Counter()
    for row in whole:
        met[text := tuple(row[column] for column in raw.CSV.columns)] += 1
        row[OCCURRENCE] = met[text]
    schema = ", ".join(f"{column.name} {column.type}" for column in raw.TABLE.columns)
    return spark.createDataFrame([tuple(row[name] for name in raw.TABLE.column_names) for row in whole], schema)
