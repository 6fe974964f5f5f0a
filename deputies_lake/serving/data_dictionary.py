"""serving.data_dictionary: what each column that readers see means, and where its values come from.

All of it is said in the contracts; here they become rows, of which the Iceberg table, `dictionary.csv` and
`dictionary.html` are made.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any, Final

from deputies_lake.contracts import MONEY, SHARE, TOTAL, Column, Table
from deputies_lake.tables import served_tables, tables_of

UNITS: Final[Mapping[str, str]] = {MONEY: "BRL", TOTAL: "BRL", SHARE: "1"}
"""Of the types that have one. A share is a part of one."""

_MOST: Final = 8

TABLE: Final = Table(
    layer="serving",
    name="data_dictionary",
    pt="Dicionário: o que significa cada coluna que se pode ler, e de onde vem.",
    en="Dictionary: what each column that can be read means, and where it comes from.",
    grain="one row per column of a served table",
    columns=(
        Column(name="table_layer", pt="camada", en="layer", example="serving"),
        Column(name="table_name", pt="tabela", en="table", example="mart_months"),
        Column(name="table_pt", pt="o que é a tabela", en="what the table is, in Portuguese"),
        Column(name="table_en", pt="o que é a tabela, em inglês", en="what the table is"),
        Column(name="table_grain", pt="o que é uma linha, em inglês", en="what one row is"),
        Column(name="position", type="int", pt="lugar da coluna, a partir de 1", en="the column's place, from 1 on"),
        Column(name="column_name", pt="nome da coluna", en="the column's name", example="net_amount"),
        Column(name="column_type", pt="tipo", en="type", example=MONEY),
        Column(
            name="unit",
            pt="unidade: BRL, ou 1 se é parte de um; nula se não há",
            en="unit: BRL, or 1 for a part of one; null where there is none",
            nullable=True,
            example="BRL",
        ),
        Column(
            name="is_nullable",
            type="boolean",
            pt="pode ser nula",
            en="may be null",
        ),
        Column(
            name="is_key",
            type="boolean",
            pt="faz parte da chave: duas linhas nunca têm a mesma",
            en="is part of the key, of which no two rows have the same",
        ),
        Column(
            name="references_table",
            pt="tabela em que cada valor tem sua linha; nula se nenhuma",
            en="table in which each value has its row; null where none",
            nullable=True,
            example="star.dim_deputies",
        ),
        Column(name="description_pt", pt="significado, em português", en="meaning, in Portuguese"),
        Column(name="description_en", pt="significado, em inglês", en="meaning, in English"),
        Column(name="example", pt="exemplo inventado", en="an invented example", nullable=True),
        Column(
            name="sources",
            pt="colunas das quais é calculada",
            en="the columns it is computed from",
            nullable=True,
            example="fct_expenses.net_amount",
        ),
        Column(
            name="published_sources",
            pt="colunas dos arquivos publicados a que tudo isso remonta",
            en="the columns of the published files to which all that goes back",
            nullable=True,
            example="chamber_expenses.vlrLiquido",
        ),
    ),
    key=("table_layer", "table_name", "column_name"),
)


def rows() -> list[dict[str, Any]]:
    """One for each column of each served table, in the tables' order."""
    return [row for table in served_tables().values() for row in _of(table)]


def _of(table: Table) -> Iterator[dict[str, Any]]:
    references = {reference.column: f"star.{reference.table}" for reference in table.references}
    for position, column in enumerate(table.columns, start=1):
        yield {
            "table_layer": table.layer,
            "table_name": table.name,
            "table_pt": table.pt,
            "table_en": table.en,
            "table_grain": table.grain,
            "position": position,
            "column_name": column.name,
            "column_type": column.type,
            "unit": UNITS.get(column.type),
            "is_nullable": column.nullable,
            "is_key": column.name in table.key,
            "references_table": references.get(column.name),
            "description_pt": column.pt,
            "description_en": column.en,
            "example": column.example,
            "sources": ", ".join(column.source) or None,
            "published_sources": _shortened(published_sources(table.name, column.name)),
        }


@cache
def published_sources(table: str, column: str) -> frozenset[str]:
    """The columns of published files, as `file.column`, that a column is made from in the end."""
    known = _known()[table, column]
    if known.source:
        above = (source.partition(".") for source in known.source)
        return frozenset().union(*(published_sources(of_table, name) for of_table, _, name in above))
    return frozenset({f"{table}.{known.published}"} if known.published else ())


def _shortened(columns: Collection[str]) -> str | None:
    """As text; of a file of which a row's key is made, and so nearly every column, `file.*`."""
    by_file: dict[str, list[str]] = {}
    for column in sorted(columns):
        by_file.setdefault(column.partition(".")[0], []).append(column)
    told = [f"{file}.*" if len(of_file) > _MOST else ", ".join(of_file) for file, of_file in by_file.items()]
    return ", ".join(told) or None


@cache
def _known() -> Mapping[tuple[str, str], Column]:
    return {(table.name, column.name): column for table in tables_of() for column in table.columns}
