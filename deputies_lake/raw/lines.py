"""Columns that every raw table shares: where a line stood, which of equal ones it is, and why it could not be split.

Columns of one file belong in the file named after its table.
"""

from typing import Final

from deputies_lake.contracts import YEAR, Column
from deputies_lake.raw.equal_lines import OCCURRENCE

LINE_COLUMNS: Final = (
    Column(
        name=YEAR,
        type="int",
        pt="ano da cota; linhas sem ano legível ficam no ano da linha acima",
        en="quota year; a line without a readable year is filed under the year of the line above it",
        example="2013",
    ),
    Column(
        name="source_line", type="bigint", pt="linha no arquivo", en="line in the file; the header is 1", example="2"
    ),
    Column(
        name=OCCURRENCE,
        type="int",
        pt="qual das linhas iguais do arquivo é esta, contadas de cima: 1 na maioria",
        en="which of the file's equal lines this is, counted from the top: 1 for most",
        example="1",
    ),
    Column(
        name="unreadable_text",
        pt="a linha inteira, se não pôde ser dividida em campos",
        en="the whole line, where it could not be split into fields",
        nullable=True,
    ),
    Column(
        name="unreadable_reason",
        pt="por que a linha não pôde ser dividida",
        en="why the line could not be split",
        nullable=True,
    ),
)


def published(name: str, pt: str, en: str, example: str) -> Column:
    """A column kept as its publisher spells and writes it: text, empty where the file is."""
    return Column(name=name, pt=pt, en=en, published=name, example=example)
