"""What the opponents share, so that their tables can be compared with the lake's: arguments, key, reference data.

How rows are computed does not belong here: each opponent does that in its own way.
"""

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import deputies_lake.reference

CPF_KEY: Final = "a public key of the benchmark, to compare hidden tax ids"
"""With what private persons' tax ids are hidden. The lake is run with it too."""

REFERENCE: Final = Path(deputies_lake.reference.__file__).parent
"""The directory of the lake's reference tables: CSV files, read as data."""

HMAC_BLOCK: Final = 64

FIRST_DAY: Final = "2007-01-01"

OFFICE_NAME: Final = r"^(LIDERAN[CÇ]A|LID[.]|LIDM|REPRESENTA[CÇ][AÃ]O)"

OFFICE_OF: Final = r"^(LIDERAN[CÇ]A|REPRESENTA[CÇ][AÃ]O) D[AEO] "

LONGEST_PERSONAL_ID: Final = len("123.456.789-00")

ELEVEN_DIGITS: Final = "[0-9]{11}"
PUNCTUATED_CPF: Final = r"(?<![0-9])[0-9]{3}[.][0-9]{3}[.][0-9]{3}[-/ ]?[0-9]{2}(?![0-9])"
"""What is or may be a person's tax id within a text."""
BEGINS_LIKE_CPF: Final = "[0-9.]{11}"
"""What both begin with: seldom found, and sought in half of the time."""

ONLY_OF_THE_HOUSE: Final = {
    "competence_year": "int",
    "competence_month": "int",
    "document_id": "string",
    "document_number": "string",
    "instalment": "int",
    "trip": "string",
    "receipt_url": "string",
    "deduction_amount": "decimal(14,2)",
    "net_amount": "decimal(14,2)",
    "returned_amount": "decimal(14,2)",
}
"""Columns of the fact, with their types, that are null in what comes from Kaggle's file."""

CSV_COLUMNS: Final = (
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
)

CNPJ_WEIGHTS: Final = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5, 6)
CPF_WEIGHTS: Final = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
"""Of the check digits, from the last digit to the first."""

MONTHS_PT: Final = (
    "janeiro",
    "fevereiro",
    "março",
    "abril",
    "maio",
    "junho",
    "julho",
    "agosto",
    "setembro",
    "outubro",
    "novembro",
    "dezembro",
)
WEEKDAYS_PT: Final = (
    "segunda-feira",
    "terça-feira",
    "quarta-feira",
    "quinta-feira",
    "sexta-feira",
    "sábado",
    "domingo",
)


@dataclass(frozen=True)
class Arguments:
    """The file to read, and the directory to write tables to, one directory each."""

    input: Path
    output: Path


def arguments(description: str | None) -> Arguments:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--input", type=Path, required=True, metavar="CSV", help="a deputies_dataset.csv")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the tables are written")
    given = parser.parse_args()
    return Arguments(input=given.input.resolve(), output=given.output.resolve())


def hmac_pads() -> tuple[bytes, bytes]:
    """What stands before the text in HMAC's inner and outer hash."""
    secret = CPF_KEY.encode().ljust(HMAC_BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in secret), bytes(byte ^ 0x5C for byte in secret)


def reference_rows(name: str) -> list[dict[str, str]]:
    with (REFERENCE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def category_ids() -> dict[str, str]:
    """The House's code of each category label of Kaggle's file."""
    labels = reference_rows("expense_category_labels")
    return {r["label"]: r["expense_category_id"] for r in labels if r["source_code"] == "kaggle_reimbursements"}


def house_labels() -> dict[str, str]:
    """The House's latest label of each of its codes."""
    labels = reference_rows("expense_category_labels")
    return {r["expense_category_id"]: r["label"] for r in labels if r["source_code"] == "chamber_expenses"}


def parties_in_names() -> dict[str, str]:
    """A party's label by what an office's name calls it: one of its labels, or the party in full."""
    parties = reference_rows("parties")
    labels = {row["party_label"].upper(): row["party_label"] for row in (*parties, *reference_rows("party_events"))}
    return labels | {row["party_name_pt"].upper(): row["party_label"] for row in parties}


def office_labels() -> list[str]:
    """Names of leadership offices that are a bare party label."""
    columns = ("party_label", "became", "party_label_today")
    labels = {row[column].upper() for row in reference_rows("party_events") for column in columns}
    return sorted(
        labels | {"PT", "PDT", "PSDB", "PSOL", "PCDOB", "PV", "REDE", "NOVO", "PSB", "PSD", "PL", "PRTB", "PMB"}
    )
