"""serving.rejected_lines: the lines of the published files that could not be read, for readers.

What `staging.rejected_rows` knows, without what only the restricted layers may hold: no line's text, and of a reason
only what can't be about a person. Why a line is rejected is decided in each source's `judge`.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from deputies_lake.checks.audit import auditor
from deputies_lake.contracts import MONEY, YEAR, Column, Table
from deputies_lake.raw import chamber_expenses, file_versions, kaggle_refunds, kaggle_reimbursements
from deputies_lake.serving.publications import file_of
from deputies_lake.staging import rejected_rows

if TYPE_CHECKING:
    from deputies_lake.lakehouse.lake import Lake

_REJECTED: Final = rejected_rows.TABLE
_HOUSE: Final = chamber_expenses.CSV
_SOURCES: Final = (_HOUSE, kaggle_reimbursements.CSV, kaggle_refunds.CSV)
_ONE_FILE: Final = (kaggle_reimbursements.TABLE, kaggle_refunds.TABLE)

TABLE: Final = Table(
    layer="serving",
    name="rejected_lines",
    pt="Linhas dos arquivos que não puderam ser lidas e não estão em nenhum número, com o motivo.",
    en="Lines of the files that could not be read and are in no figure, with the reason.",
    grain="one row per rejected line of a source's file",
    columns=(
        Column(
            name=YEAR,
            type="int",
            pt="ano da cota; linhas sem ano legível ficam no ano da linha acima",
            en="quota year; a line without a readable year is filed under the year of the line above it",
            source=(f"{_REJECTED.name}.year",),
            example="2022",
        ),
        Column(
            name="source_code",
            pt="fonte: um ano vem de uma só (ver publications), e só as linhas dela faltam nos números",
            en="source: a year comes from one (see publications), and only that one's lines are missing in the figures",
            source=(f"{_REJECTED.name}.source_code",),
            example="chamber_expenses",
        ),
        Column(
            name="file_name",
            pt="arquivo",
            en="the file",
            source=(f"{_REJECTED.name}.source_file",),
            example="Ano-2022.csv.zip",
        ),
        Column(
            name="sha256",
            pt="SHA-256 do arquivo; nulo se não se sabe",
            en="the file's SHA-256; null where it is not known",
            source=(f"{file_versions.TABLE.name}.sha256",),
            nullable=True,
        ),
        Column(
            name="line",
            type="bigint",
            pt="linha no arquivo; o cabeçalho é a 1",
            en="line in the file; the header is 1",
            source=(f"{_REJECTED.name}.source_line",),
            example="4711",
        ),
        Column(
            name="reason",
            pt="por que a linha não pôde ser lida (em inglês); sem o valor do campo, salvo se for um número",
            en="why the line could not be read; without the field's value, unless that is a number",
            source=(f"{_REJECTED.name}.rejection_reason",),
            example="vlrLiquido has a comma, where the House writes a decimal point: 1.234,56",
        ),
        Column(
            name="amount",
            type=MONEY,
            pt="valor em BRL pelo qual a fonte é conferida (líquido; do Kaggle, o do documento); nulo se ilegível",
            en="amount in BRL by which the source is reconciled (net; Kaggle's is the document's); null if unreadable",
            source=(f"{_REJECTED.name}.amount",),
            published="vlrLiquido",
            nullable=True,
            example="139.76",
        ),
    ),
    key=("source_code", YEAR, "line"),
)

_PUBLISHED_COLUMNS: Final = frozenset(name for source in _SOURCES for name in source.columns)
# Fields of a line that was split wrong stand in others' places: what should be an amount may be somebody's name.
_NUMBER: Final = re.compile(r"[-+]?(R\$ ?)?[0-9.,]{1,12}")


def rows(lake: "Lake") -> list[dict[str, Any]]:
    """One for each rejected line; none where nothing was ever staged."""
    if not lake.exists(_REJECTED):
        return []
    since = lake.published_at(_REJECTED)
    decisions = lake.rows(file_versions.TABLE)
    of_one_file = {table.name: lake.data_version(table) for table in _ONE_FILE if lake.exists(table)}

    def sha256(source_code: str, year: int) -> str | None:
        if source_code != _HOUSE.source_code:
            return of_one_file.get(source_code)
        file: Mapping[str, Any] = file_of(decisions, year, since[year])
        sha: str | None = file["sha256"]
        return sha

    with auditor() as connection:
        rejected = lake.view(connection, _REJECTED)
        found = connection.sql(
            f"SELECT {YEAR}, source_code, source_file, source_line, rejection_reason, amount FROM {rejected} "
            f"ORDER BY source_code, {YEAR}, source_line"
        ).fetchall()
    return [
        {
            YEAR: year,
            "source_code": source,
            "file_name": file,
            "sha256": sha256(source, year),
            "line": line,
            "reason": for_readers(reason),
            "amount": amount,
        }
        for year, source, file, line, reason, amount in found
    ]


def for_readers(reason: str) -> str:
    """A rejection's reason without the field's value that it ends in, unless that is a number.

    A reason that begins with a published column's name is of a field: the column, what is wrong, `: `, what is there.
    """
    problem, separator, value = reason.partition(": ")
    is_of_a_field = separator and problem.split(" ", 1)[0] in _PUBLISHED_COLUMNS
    return problem if is_of_a_field and not _NUMBER.fullmatch(value) else reason
