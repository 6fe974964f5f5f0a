"""From a reference table that ships as CSV to the rows of a table of the star.

Its columns are those of the CSV, so the contract alone says what is published; those that several tables have are
declared here. What a table means is said in its own file.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from deputies_lake.contracts import MONEY, Column, Table

VALIDITY: Final = (
    Column(
        name="valid_from",
        type="date",
        pt="primeiro dia de validade",
        en="first day on which it is valid",
        example="2016-03-01",
    ),
    Column(
        name="valid_to",
        type="date",
        pt="último dia de validade; nulo se ainda vale",
        en="last day on which it is valid; null where it still is",
        nullable=True,
        example="2023-01-31",
    ),
)

CONFIDENCE: Final = Column(
    name="confidence",
    pt="confiança: high, medium ou low",
    en="confidence: high, medium or low",
    example="high",
)

NOTE: Final = Column(name="note", pt="observação", en="note", nullable=True)

Row = Mapping[str, str]
"""As a CSV has it: all text, empty where there is nothing."""

_PARSERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "string": str,
    "int": int,
    "date": date.fromisoformat,
    MONEY: Decimal,
}


def typed(contract: Table, rows: Iterable[Row]) -> list[dict[str, Any]]:
    """`rows` in the contract's columns and types, null for what is empty.

    Raises:
        KeyError: the rows lack a column of the contract.
        ValueError, ArithmeticError: a text is not of its column's type.
    """
    return [
        {
            column.name: _PARSERS[column.type](text) if (text := row[column.name]) else None
            for column in contract.columns
        }
        for row in rows
    ]
