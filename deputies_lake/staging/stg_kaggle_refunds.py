"""staging.stg_kaggle_refunds: the refunds of 2016 from `dirty_deputies_v2.csv`, typed and repaired.

With cents and sign, unlike the reimbursements, and with the attributes of the payer's party, which no other file has.
One year has one source, so these amounts are never added to those of stg_kaggle_reimbursements.
"""

from typing import Final

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import MONEY, YEAR, Column, Table, Totals
from deputies_lake.raw.kaggle_refunds import CSV
from deputies_lake.reference.tables import category_ids
from deputies_lake.staging import tax_ids
from deputies_lake.staging.columns import category_columns, place_columns, supplier_columns
from deputies_lake.staging.row_keys import row_key
from deputies_lake.staging.texts import (
    amount_fault,
    date_of,
    is_leadership,
    looked_up,
    readable_amount,
    whole,
    whole_number_fault,
)

_RAW: Final = "kaggle_refunds"

PARTY_ATTRIBUTES: Final = (
    Column(
        name="party_name_pt",
        pt="nome do partido em português",
        en="the party's name in Portuguese",
        source=(f"{_RAW}.party_pg",),
        published="party_pg",
        nullable=True,
    ),
    Column(
        name="party_name_en",
        pt="nome do partido em inglês",
        en="the party's name in English",
        source=(f"{_RAW}.party_en",),
        published="party_en",
        nullable=True,
    ),
    Column(
        name="party_number",
        pt="número do partido no TSE em 2017; números são reutilizados",
        en="the party's number at the electoral court in 2017; numbers are used again by others",
        source=(f"{_RAW}.party_tse",),
        published="party_tse",
        nullable=True,
        example="25",
    ),
    Column(
        name="party_registered",
        pt="data de registro, como publicada",
        en="when the party was registered, as published",
        source=(f"{_RAW}.party_regdate",),
        published="party_regdate",
        nullable=True,
    ),
    Column(
        name="party_members",
        type="int",
        pt="filiados em 2017; nulo se o arquivo diz Nan",
        en="members in 2017; null where the file says Nan",
        source=(f"{_RAW}.party_nmembers",),
        published="party_nmembers",
        nullable=True,
        example="15606",
    ),
    Column(
        name="party_ideologies",
        pt="ideologias, separadas por ponto e vírgula",
        en="ideologies, separated by semicolons",
        source=tuple(f"{_RAW}.party_ideology{n}" for n in range(1, 5)),
        published="party_ideology1 to party_ideology4",
        nullable=True,
    ),
    Column(
        name="party_position",
        pt="posição no espectro político",
        en="position in the political spectrum",
        source=(f"{_RAW}.party_position",),
        published="party_position",
        nullable=True,
        example="Centreright",
    ),
)

TABLE: Final = Table(
    layer="staging",
    name="stg_kaggle_refunds",
    pt="Reembolsos de 2016 com centavos e sinal, e atributos dos partidos.",
    en="Refunds of 2016 with cents and sign, and the parties' attributes.",
    grain="one row per readable row of dirty_deputies_v2.csv",
    columns=(
        Column(name=YEAR, type="int", pt="ano da cota, sempre 2016", en="quota year, always 2016", example="2016"),
        Column(
            name="refund_key",
            type="bigint",
            pt="chave da linha: hash das colunas publicadas e do número entre linhas idênticas",
            en="row key: hash of the published columns and of the number among identical rows",
            source=tuple(f"{_RAW}.{name}" for name in CSV.columns),
        ),
        Column(
            name="receipt_date",
            type="date",
            pt="data do recibo; nula se vazia ou ilegível",
            en="the receipt's date; null where it is empty or no date",
            source=(f"{_RAW}.refund_date",),
            published="refund_date",
            nullable=True,
            example="2016-07-29",
        ),
        Column(
            name="deputy_name",
            pt="nome parlamentar em maiúsculas; o arquivo não traz o número do deputado",
            en="parliamentary name in capitals; the file has no deputy number",
            source=(f"{_RAW}.deputy_name",),
            published="deputy_name",
            example="FULANA DE TAL",
        ),
        Column(
            name="is_leadership",
            type="boolean",
            pt="a cota é de uma liderança, não de um deputado",
            en="the quota is a leadership office's, not a deputy's",
            source=(f"{_RAW}.deputy_name", f"{_RAW}.deputy_state"),
        ),
        Column(
            name="party_label",
            pt="partido como publicado; nulo nas lideranças",
            en="party as published; null for leadership offices",
            source=(f"{_RAW}.political_party",),
            published="political_party",
            nullable=True,
            example="DEM",
        ),
        Column(
            name="state_code",
            pt="UF; nula nas lideranças",
            en="state; null for leadership offices",
            source=(f"{_RAW}.deputy_state",),
            published="deputy_state",
            nullable=True,
            example="TO",
        ),
        *category_columns(_RAW, "refund_description", "FLIGHT TICKET"),
        *supplier_columns(
            _RAW,
            "company_id",
            "company_name",
            repair_pt="com os algarismos perdidos recalculados",
            repair_en="with its lost digits computed anew",
        ),
        Column(
            name="refund_amount",
            type=MONEY,
            pt="valor reembolsado em BRL; negativo se bilhete devolvido",
            en="the amount refunded in BRL; negative for a returned ticket",
            source=(f"{_RAW}.refund_value",),
            published="refund_value",
            example="937.63",
        ),
        *PARTY_ATTRIBUTES,
        *place_columns(_RAW, "dirty_deputies_v2.csv"),
    ),
    key=("refund_key",),
    totals=Totals(by=(YEAR, "expense_category_label"), amount="refund_amount"),
)


def judge(raw: DataFrame) -> DataFrame:
    """`raw` with `rejection_reason`: why a row can't be read, null for the rows that can.

    A reason that is neither of a line's form nor of a number is in `raw.kaggle_refunds` too, where a file is judged.
    """
    is_sum = _text("refund_description").isNull() & _text("deputy_state").isNull() & _text("political_party").isNull()
    return raw.withColumn(
        "rejection_reason",
        F.coalesce(
            F.col("unreadable_reason"),
            amount_fault("refund_value"),
            whole_number_fault(CSV.whole_number_columns),
            F.when(is_sum, "a summary line, not a refund: it has no category, state and party"),
        ),
    )


def transform(readable: DataFrame, *, cpf_key: str) -> DataFrame:
    """The rows of raw.kaggle_refunds that `judge` found readable, and their `source_file`, typed."""
    columns = tax_ids.in_row_key(CSV.columns, "company_id", "company_name")
    id_text = F.col("company_id")
    label = F.col("refund_description")
    shown = readable.withColumns(
        {
            "supplier_name": tax_ids.redacted(F.col("company_name")),
            "expense_category_label": tax_ids.redacted_label(label, category_ids(CSV.source_code)),
        }
    )
    keyed = tax_ids.with_key(shown, cpf_key)
    supplied = tax_ids.with_supplier(tax_ids.with_repaired_number(keyed, id_text), id_text=id_text)
    name, state = F.trim("deputy_name"), F.trim("deputy_state")
    has_state = state.rlike("^[A-Z]{2}$") & (state != "NA")
    ideologies = [_text(f"party_ideology{n}") for n in range(1, 5)]
    return supplied.select(
        YEAR,
        row_key(columns).alias("refund_key"),
        date_of(F.col("refund_date")).alias("receipt_date"),
        name.alias("deputy_name"),
        is_leadership(name, has_state).alias("is_leadership"),
        _text("political_party").alias("party_label"),
        F.when(has_state, state).alias("state_code"),
        "expense_category_label",
        looked_up(label, category_ids(CSV.source_code)).alias("expense_category_id"),
        "supplier_id",
        "supplier_id_kind",
        "supplier_token",
        "supplier_name",
        readable_amount(F.col("refund_value")).alias("refund_amount"),
        _text("party_pg").alias("party_name_pt"),
        _text("party_en").alias("party_name_en"),
        # pandas wrote a float where the column has gaps.
        whole(_text("party_tse")).alias("party_number"),
        _text("party_regdate").alias("party_registered"),
        whole(_text("party_nmembers")).cast("int").alias("party_members"),
        F.nullif(F.concat_ws("; ", *ideologies), F.lit("")).alias("party_ideologies"),
        _text("party_position").alias("party_position"),
        "source_file",
        "source_line",
    )


def _text(column: str) -> SparkColumn:
    """A text whose absence the file writes as nothing or as some spelling of NaN."""
    text = F.trim(column)
    return F.when(~F.lower(text).isin("", "nan"), text)
