"""Staged rows for the tests of the star: ordinary ones of which a test changes what it is about. Nobody is real."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from pyspark.sql import DataFrame, Row, SparkSession

from deputies_lake.contracts import Table
from deputies_lake.staging import stg_chamber_expenses, stg_kaggle_refunds
from deputies_lake.star.expenses import HOUSE, KAGGLE, conformed

StagedRow = Mapping[str, object]

_EXPENSE: Final[StagedRow] = {
    "year": 2013,
    "receipt_date": date(2013, 3, 27),
    "deputy_id": "4242",
    "deputy_name": "Fulana De Tal",
    "is_leadership": False,
    "party_label": "PSB",
    "state_code": "SP",
    "expense_category_label": "Fuels and lubricants.",
    "expense_category_id": "3",
    "supplier_id": "11222333000181",
    "supplier_id_kind": "cnpj",
    "supplier_token": "11222333000181",
    "supplier_name": "AUTO POSTO FICTÍCIO LTDA",
    "document_amount": Decimal("70.00"),
    "source_file": "deputies_dataset.csv",
}

_HOUSE_EXPENSE: Final[StagedRow] = {
    **{column.name: None for column in stg_chamber_expenses.TABLE.columns},
    **_EXPENSE,
    "year": 2022,
    "receipt_date": date(2022, 3, 27),
    "expense_category_label": "COMBUSTÍVEIS E LUBRIFICANTES.",
    "deputy_register_id": "900042",
    "document_id": "70000001",
    "document_number": "A-17",
    "document_type_id": "4",
    "document_amount": Decimal("70.25"),
    "deduction_amount": Decimal("0.25"),
    "net_amount": Decimal("70.00"),
    "competence_year": 2022,
    "competence_month": 3,
    "instalment": 0,
    "is_net_inconsistent": False,
    "is_date_impossible": False,
    "source_file": "Ano-2022.csv.zip",
}

_REFUND: Final[StagedRow] = {
    **{column.name: None for column in stg_kaggle_refunds.TABLE.columns},
    "year": 2016,
    "deputy_name": "FULANA DE TAL",
    "is_leadership": False,
    "party_label": "PSB",
    "expense_category_label": "FUEL COSTS",
    "supplier_id_kind": "none",
    "supplier_token": "AUTO POSTO",
    "supplier_name": "AUTO POSTO",
    "refund_amount": Decimal("70.00"),
    "source_file": "dirty_deputies_v2.csv",
}

LEADERSHIP: Final[StagedRow] = {
    "deputy_id": "9001",
    "deputy_name": "Liderança Do Psol",
    "is_leadership": True,
    "party_label": "SEM PARTIDO ASSOCIADO",
    "state_code": None,
}
HOUSE_LEADERSHIP: Final[StagedRow] = {
    **LEADERSHIP,
    "deputy_name": "LIDERANÇA DO PSOL",
    "party_label": None,
    "deputy_register_id": None,
}
FORMER_DEPUTY: Final[StagedRow] = {
    "deputy_id": "77",
    "deputy_name": "Fulano De Tal",
    "is_leadership": False,
    "party_label": "SEM PARTIDO ASSOCIADO",
    "state_code": None,
}
WITHOUT_ID: Final[StagedRow] = {
    "supplier_id": None,
    "supplier_id_kind": "none",
    "supplier_token": "CELULAR FUNCIONAL",
    "supplier_name": "Celular Funcional",
}
UNMAPPED: Final[StagedRow] = {"expense_category_id": None, "expense_category_label": "Space travel"}


def expenses(spark: SparkSession, *changes: StagedRow) -> DataFrame:
    """Kaggle's rows as the star takes them, one for each of the changes to an ordinary one."""
    return conformed(spark, {KAGGLE: staged(spark, KAGGLE, *changes)})


def house_expenses(spark: SparkSession, *changes: StagedRow) -> DataFrame:
    """The House's rows as the star takes them, one for each of the changes to an ordinary one."""
    return conformed(spark, {HOUSE: staged(spark, HOUSE, *changes)})


def staged(spark: SparkSession, source: Table, *changes: StagedRow) -> DataFrame:
    """Rows of a source's staging table, one for each of the changes to an ordinary one."""
    return frame(spark, source, staged_rows(source, *changes))


def staged_rows(source: Table, *changes: StagedRow) -> list[StagedRow]:
    ordinary = {KAGGLE: _EXPENSE, HOUSE: _HOUSE_EXPENSE}[source]
    return [
        {**ordinary, "expense_key": number, "source_line": number, **change} for number, change in enumerate(changes, 2)
    ]


def refunds(spark: SparkSession, *changes: StagedRow) -> DataFrame:
    """Rows of stg_kaggle_refunds, one for each of the changes to an ordinary one."""
    rows = [
        {**_REFUND, "refund_key": number, "source_line": number, **change} for number, change in enumerate(changes, 2)
    ]
    return frame(spark, stg_kaggle_refunds.TABLE, rows)


def frame(spark: SparkSession, contract: Table, rows: Sequence[StagedRow]) -> DataFrame:
    schema = ", ".join(f"{column.name} {column.type}" for column in contract.columns)
    return spark.createDataFrame([tuple(row[name] for name in contract.column_names) for row in rows], schema)


def computed(spark: SparkSession, rows: DataFrame) -> DataFrame:
    """The same rows, which whatever reads them does not compute again."""
    return spark.createDataFrame(rows.collect(), rows.schema)


def contract_of(table: Table) -> list[tuple[str, str]]:
    """Names and types of a contract's columns in their order, as a frame's `dtypes` has them."""
    return [(column.name, column.type) for column in table.columns]


def nulls_in_required(table: Table, rows: Sequence[Row]) -> set[str]:
    return {name for row in rows for name in table.required if row[name] is None}
