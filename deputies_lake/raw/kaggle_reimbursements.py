"""raw.kaggle_reimbursements: Kaggle's `deputies_dataset.csv`, line by line, as it was published.

The contract, the file's form, and which lines are no receipts. No other value is interpreted here but the year a line
is filed under; typing and judging rows is staging's work.
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from deputies_lake.contracts import YEAR, Table
from deputies_lake.raw.amounts import each_once
from deputies_lake.raw.lines import LINE_COLUMNS, published
from deputies_lake.raw.published_csv import PublishedCsv
from deputies_lake.redaction import CPF_LENGTH

IS_DATE_UNKNOWN: Final = ("0", "1")
"""What `bugged_date` may say."""

_PAYER: Final = rf"^[0-9]{{1,{CPF_LENGTH - 1}}}\z"
"""A deputy's number. What is as long as a CPF is none."""


def lacks_year_or_payer(rows: pa.Table) -> pa.ChunkedArray:
    """The row's year is not its own, or whose receipt it is, or whether its date is known, can't be told."""
    other_year = pc.not_equal(pc.utf8_slice_codeunits(rows["receipt_date"], 0, 4), pc.cast(rows[YEAR], pa.string()))
    is_odd = pc.invert(pc.is_in(rows["bugged_date"], value_set=pa.array(IS_DATE_UNKNOWN)))
    is_number = each_once(lambda ids: pc.match_substring_regex(ids, _PAYER), rows["deputy_id"])
    return pc.or_(pc.or_(other_year, is_odd), pc.invert(is_number))


CSV: Final = PublishedCsv(
    source_code="kaggle_reimbursements",
    file_names=("deputies_dataset.csv", "deputies_dataset.csv.gz"),
    columns=(
        "bugged_date",
        "receipt_date",
        "deputy_id",
        "political_party",
        "state_code",
        "deputy_name",
        "receipt_social_security_number",
        "receipt_description",
        "establishment_name",
        "receipt_value",
    ),
    year_column="receipt_date",
    category_column="receipt_description",
    amount_column="receipt_value",
    date_column="receipt_date",
    is_no_receipt=lacks_year_or_payer,
    obtain="Download deputies_dataset.csv of epattaro/brazils-house-of-deputies-reimbursements from Kaggle.",
)

TABLE: Final = Table(
    layer="raw",
    name="kaggle_reimbursements",
    pt="Reembolsos de 2009 a 2017 como publicados no Kaggle, linha a linha, em texto.",
    en="Reimbursements of 2009 to 2017 as published on Kaggle, line by line, as text.",
    grain="one row per line of deputies_dataset.csv",
    partitioned=True,
    columns=(
        published("bugged_date", "1 se a data do recibo é desconhecida", "1 where the receipt's date is unknown", "0"),
        published(
            "receipt_date",
            "data do recibo, ou só o ano da cota",
            "the receipt's date, or only the quota year where it is unknown",
            "2013-03-27 00:00:00",
        ),
        published("deputy_id", "número do deputado (nuDeputadoId)", "the deputy's number (nuDeputadoId)", "1772"),
        published(
            "political_party",
            "partido na data da extração, repetido em todos os anos",
            "party when Kaggle's author extracted the data, the same for all years",
            "PSB",
        ),
        published("state_code", "UF; Vazio nas lideranças", "state; Vazio for leadership offices", "SP"),
        published("deputy_name", "nome parlamentar", "the deputy's parliamentary name", "Fulana De Tal"),
        published(
            "receipt_social_security_number",
            "CNPJ ou CPF do fornecedor como número de ponto flutuante",
            "the supplier's CNPJ or CPF as a float: leading zeros lost",
            "3530749000139.0",
        ),
        published("receipt_description", "categoria da despesa, em inglês", "expense category", "Airline tickets"),
        published("establishment_name", "nome do fornecedor", "the supplier's name", "AUTO POSTO LTDA"),
        published(
            "receipt_value",
            "valor do documento em reais inteiros, sem sinal",
            "the document's value in whole BRL: cents cut, sign lost",
            "70",
        ),
        *LINE_COLUMNS,
    ),
    key=(YEAR, "source_line"),
)
