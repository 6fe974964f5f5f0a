"""raw.kaggle_refunds: Kaggle's `dirty_deputies_v2.csv`, line by line, as it was published.

The contract, the file's form, and which lines are no refunds. These are of 2016, with cents and sign, and the only
source of the parties' attributes. The file is optional: where it is absent the table is empty and the parties'
attributes are unknown.
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from deputies_lake.contracts import YEAR, Table
from deputies_lake.raw.lines import LINE_COLUMNS, published
from deputies_lake.raw.published_csv import PublishedCsv
from deputies_lake.raw.rejections import says_nothing

REFUNDS_YEAR: Final = 2016


def sums_up(rows: pa.Table) -> pa.ChunkedArray:
    """It has no category, state and party."""
    has_no_place = pc.and_(says_nothing(rows["deputy_state"]), says_nothing(rows["political_party"]))
    return pc.and_(says_nothing(rows["refund_description"]), has_no_place)


CSV: Final = PublishedCsv(
    source_code="kaggle_refunds",
    file_names=("dirty_deputies_v2.csv", "dirty_deputies_v2.csv.gz"),
    columns=(
        "deputy_name",
        "deputy_state",
        "political_party",
        "refund_description",
        "company_name",
        "company_id",
        "refund_date",
        "refund_value",
        "party_pg",
        "party_en",
        "party_tse",
        "party_regdate",
        "party_nmembers",
        "party_ideology1",
        "party_ideology2",
        "party_ideology3",
        "party_ideology4",
        "party_position",
    ),
    only_year=REFUNDS_YEAR,
    category_column="refund_description",
    amount_column="refund_value",
    date_column="refund_date",
    whole_number_columns=("party_tse", "party_nmembers"),
    is_summary=sums_up,
    obtain="Download dirty_deputies_v2.csv of epattaro/brazils-house-of-deputies-reimbursements from Kaggle.",
)

TABLE: Final = Table(
    layer="raw",
    name="kaggle_refunds",
    pt="Reembolsos de 2016 e atributos dos partidos como publicados no Kaggle, linha a linha, em texto.",
    en="Refunds of 2016 and the parties' attributes as published on Kaggle, line by line, as text.",
    grain="one row per line of dirty_deputies_v2.csv",
    partitioned=True,
    columns=(
        published("deputy_name", "nome parlamentar em maiúsculas", "parliamentary name in capitals", "FULANA DE TAL"),
        published("deputy_state", "UF", "state", "TO"),
        published("political_party", "partido", "party", "DEM"),
        published("refund_description", "categoria da despesa, em inglês", "expense category", "FLIGHT TICKET"),
        published("company_name", "nome do fornecedor", "the supplier's name", "AUTO POSTO LTDA"),
        published(
            "company_id",
            "CNPJ ou CPF com 12 algarismos significativos",
            "CNPJ or CPF rounded to 12 significant digits",
            "2.01286200016e+12",
        ),
        published("refund_date", "data do recibo", "the receipt's date", "2016-07-29T00:00:00"),
        published("refund_value", "valor reembolsado", "the amount refunded, with cents and sign", "937.63"),
        published("party_pg", "nome do partido em português", "the party's name in Portuguese", "Democratas"),
        published("party_en", "nome do partido em inglês", "the party's name in English", "Democrats"),
        published("party_tse", "número do partido no TSE", "the party's number at the electoral court", "25"),
        published("party_regdate", "data de registro do partido", "when the party was registered", "11.9.1986"),
        published("party_nmembers", "filiados do partido", "the party's members", "15606"),
        *(
            published(f"party_ideology{n}", f"ideologia do partido ({n})", f"the party's ideology ({n})", "Liberalism")
            for n in range(1, 5)
        ),
        published("party_position", "posição do partido", "the party's position", "Centreright"),
        *LINE_COLUMNS,
    ),
    key=(YEAR, "source_line"),
)
