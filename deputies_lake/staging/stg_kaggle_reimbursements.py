"""staging.stg_kaggle_reimbursements: Kaggle's reimbursements, typed and repaired, one row per published row.

The contract, which rows can be read (`judge`) and how they are typed (`transform`). Odd but real rows stay: unknown
dates, zero amounts, leadership offices, rows identical to the letter. Nothing is joined and nothing summed here.
"""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import MONEY, YEAR, Column, Table, Totals
from deputies_lake.raw.kaggle_reimbursements import CSV, IS_DATE_UNKNOWN
from deputies_lake.redaction import CPF_LENGTH
from deputies_lake.reference.tables import category_ids
from deputies_lake.staging import tax_ids
from deputies_lake.staging.columns import category_columns, payer_columns, place_columns, supplier_columns
from deputies_lake.staging.row_keys import row_key
from deputies_lake.staging.texts import (
    amount_fault,
    date_of,
    is_digits,
    is_leadership,
    looked_up,
    readable_amount,
    rejected_where,
)

_RAW: Final = "kaggle_reimbursements"

TABLE: Final = Table(
    layer="staging",
    name="stg_kaggle_reimbursements",
    pt="Reembolsos do Kaggle com tipos, identificadores reparados e chave de linha.",
    en="Kaggle's reimbursements with types, repaired ids and a row key.",
    grain="one row per readable row of deputies_dataset.csv",
    partitioned=True,
    columns=(
        Column(
            name=YEAR,
            type="int",
            pt="ano da cota",
            en="quota year",
            source=(f"{_RAW}.receipt_date",),
            published="receipt_date",
            example="2013",
        ),
        Column(
            name="expense_key",
            type="bigint",
            pt="chave da linha: hash das colunas publicadas e do número entre linhas idênticas",
            en="row key: hash of the published columns and of the number among identical rows",
            source=tuple(f"{_RAW}.{name}" for name in CSV.columns),
        ),
        Column(
            name="receipt_date",
            type="date",
            pt="data do recibo; nula se desconhecida",
            en="the receipt's date; null where it is unknown (bugged_date, or only a year was published)",
            source=(f"{_RAW}.receipt_date", f"{_RAW}.bugged_date"),
            published="receipt_date",
            nullable=True,
            example="2013-03-27",
        ),
        Column(
            name="deputy_id",
            pt="número do deputado (nuDeputadoId)",
            en="the deputy's number (nuDeputadoId)",
            source=(f"{_RAW}.deputy_id",),
            published="deputy_id",
            example="1772",
        ),
        *payer_columns(_RAW, "deputy_name", "deputy_name", "state_code"),
        Column(
            name="party_label",
            pt="partido como publicado, sem brancos em volta",
            en="party as published, without surrounding blanks",
            source=(f"{_RAW}.political_party",),
            published="political_party",
            example="PSB",
        ),
        Column(
            name="state_code",
            pt="UF; nula onde o arquivo diz Vazio",
            en="state; null where the file says Vazio (leaderships, a few former deputies)",
            source=(f"{_RAW}.state_code",),
            published="state_code",
            nullable=True,
            example="SP",
        ),
        *category_columns(_RAW, "receipt_description", "Airline tickets"),
        *supplier_columns(
            _RAW,
            "receipt_social_security_number",
            "establishment_name",
            repair_pt="com zeros à esquerda",
            repair_en="with its leading zeros",
        ),
        Column(
            name="document_amount",
            type=MONEY,
            pt="valor do documento em BRL; no Kaggle sem centavos nem sinal, e sem descontar glosas",
            en="the document's value in BRL; in Kaggle's file without cents and sign, disallowed parts included",
            source=(f"{_RAW}.receipt_value",),
            published="receipt_value",
            example="70.00",
        ),
        *place_columns(_RAW, "deputies_dataset.csv"),
    ),
    key=("expense_key",),
    totals=Totals(by=(YEAR, "expense_category_label"), amount="document_amount"),
)


def judge(raw: DataFrame) -> DataFrame:
    """`raw` with `rejection_reason`: why a row can't be read, null for the rows that can.

    A reason that is neither of a line's form nor of a number is in `raw.kaggle_reimbursements` too, where a file is
    judged.
    """
    return raw.withColumn(
        "rejection_reason",
        F.coalesce(
            F.col("unreadable_reason"),
            rejected_where(
                ~F.col("receipt_date").startswith(F.col(YEAR).cast("string")),
                "receipt_date",
                "does not begin with a year the lake has",
            ),
            rejected_where(~F.col("bugged_date").isin(*IS_DATE_UNKNOWN), "bugged_date", "is neither 0 nor 1"),
            rejected_where(~is_digits(F.col("deputy_id")), "deputy_id", "is not a number"),
            rejected_where(F.length("deputy_id") >= CPF_LENGTH, "deputy_id", "is too long for a deputy's number"),
            amount_fault("receipt_value"),
        ),
    )


def transform(readable: DataFrame, *, cpf_key: str) -> DataFrame:
    """The rows of raw.kaggle_reimbursements that `judge` found readable, and their `source_file`, typed."""
    columns = tax_ids.in_row_key(CSV.columns, "receipt_social_security_number", "establishment_name")
    id_text, state = F.col("receipt_social_security_number"), F.col("state_code")
    label = F.col("receipt_description")
    shown = readable.withColumns(
        {
            "supplier_name": tax_ids.redacted(F.col("establishment_name")),
            "party_label": tax_ids.redacted_short_text(F.trim("political_party")),
            "expense_category_label": tax_ids.redacted_label(label, category_ids(CSV.source_code)),
        }
    )
    keyed = tax_ids.with_key(shown, cpf_key)
    return tax_ids.with_supplier(tax_ids.with_number(keyed, id_text), id_text=id_text).select(
        YEAR,
        row_key(columns).alias("expense_key"),
        F.when(F.col("bugged_date") == "0", date_of(F.col("receipt_date"))).alias("receipt_date"),
        "deputy_id",
        F.trim("deputy_name").alias("deputy_name"),
        is_leadership(F.trim("deputy_name"), state != "Vazio").alias("is_leadership"),
        "party_label",
        F.when(state != "Vazio", tax_ids.code(state)).alias("state_code"),
        "expense_category_label",
        looked_up(label, category_ids(CSV.source_code)).alias("expense_category_id"),
        "supplier_id",
        "supplier_id_kind",
        "supplier_token",
        "supplier_name",
        readable_amount(F.col("receipt_value")).alias("document_amount"),
        "source_file",
        "source_line",
    )
