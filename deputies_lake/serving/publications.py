"""serving.publications: which file each year's figures were made from, since when they stand, and what they lack.

Here are the table and its rows; how they are said in a sentence is in `citation.py`. Readers may see neither raw nor
staging, so what they need to know of them is repeated here.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from deputies_lake.checks.audit import auditor
from deputies_lake.contracts import TOTAL, YEAR, Column, Table
from deputies_lake.quota_years import TIMEZONE, current_year
from deputies_lake.raw import chamber_expenses, file_versions, kaggle_reimbursements
from deputies_lake.staging import rejected_rows
from deputies_lake.star import fct_expenses

if TYPE_CHECKING:
    from deputies_lake.lakehouse.lake import Lake

_FACT: Final = fct_expenses.TABLE
_VERSIONS: Final = file_versions.TABLE
_HOUSE: Final = chamber_expenses.CSV.source_code
_REJECTED: Final = rejected_rows.TABLE
_UNKNOWN: Final = {"file_name": None, "sha256": None, "as_of": None}
_MONTHS: Final = 12
# A month with less of the year's receipts is none that the file reaches: a few dates are wrong, or run ahead.
_LEAST_SHARE_OF_A_MONTH: Final = 0.01

TABLE: Final = Table(
    layer="serving",
    name="publications",
    pt="De que arquivo vêm os números de cada ano, desde quando valem e o que lhes falta: o que se cita.",
    en="Which file each year's figures come from, since when they stand and what they lack: what one cites.",
    grain="one row per year of the fact",
    columns=(
        Column(
            name=YEAR,
            type="int",
            pt="ano da cota",
            en="quota year",
            source=(f"{_FACT.name}.year",),
            published="numAno",
            example="2022",
        ),
        Column(
            name="source_code",
            pt="fonte do ano",
            en="the year's source",
            source=(f"{_FACT.name}.source_code",),
            example="chamber_expenses",
        ),
        Column(
            name="file_name",
            pt="arquivo publicado",
            en="the published file",
            source=(f"{_VERSIONS.name}.file_name",),
            nullable=True,
            example="Ano-2022.csv.zip",
        ),
        Column(
            name="sha256",
            pt="SHA-256 do arquivo; nulo se não se sabe",
            en="the file's SHA-256; null where it is not known",
            source=(f"{_VERSIONS.name}.sha256",),
            nullable=True,
        ),
        Column(
            name="as_of",
            type="date",
            pt="data do arquivo: até quando vão os dados; nula se não se sabe",
            en="the file's date: the day up to which the data go; null where it is not known",
            source=(f"{_VERSIONS.name}.modified_at",),
            nullable=True,
            example="2026-08-18",
        ),
        Column(
            name="last_month",
            type="int",
            pt="último mês da cota a que o arquivo chega; nos anos do Kaggle, o da data do recibo; nulo se não se sabe",
            en="last quota month that the file reaches; in Kaggle's years that of receipts' dates; null if unknown",
            source=(f"{_FACT.name}.competence_month", f"{_FACT.name}.date_key"),
            nullable=True,
            example="12",
        ),
        Column(
            name="is_incomplete",
            type="boolean",
            pt="o ano não está inteiro: os meses param antes de dezembro, ou o arquivo é do próprio ano",
            en="not the whole year: its months stop before December, or its file is of the year itself",
            source=(f"{_FACT.name}.competence_month", f"{_FACT.name}.date_key", f"{_VERSIONS.name}.modified_at"),
        ),
        Column(
            name="rejected_lines",
            type="bigint",
            pt="linhas do arquivo que não puderam ser lidas: não estão nos números e sim na tabela rejected_lines",
            en="lines of the file that could not be read: in the table rejected_lines and not in the figures",
            source=(f"{_REJECTED.name}.source_line",),
            example="0",
        ),
        Column(
            name="rejected_amount",
            type=TOTAL,
            pt="valor dessas linhas em BRL, das que têm um legível; nulo se nenhuma tem",
            en="amount of these lines in BRL, of those with a readable one; null where none has",
            source=(f"{_REJECTED.name}.amount",),
            nullable=True,
            example="139.76",
        ),
        Column(
            name="published_at",
            type="timestamp_ntz",
            pt="desde quando os números do ano valem no lake (UTC)",
            en="since when the year's figures stand in the lake (UTC)",
        ),
        Column(
            name="version",
            pt="versão do lake inteiro: o dia mais recente e um resumo de todos os arquivos",
            en="version of the whole lake: its latest day and a digest of all files",
            source=(f"{_VERSIONS.name}.sha256",),
            example="2026-08-18.3f9a1c2b",
        ),
    ),
    key=(YEAR,),
)


def rows(lake: "Lake") -> list[dict[str, Any]]:
    """One for each year of the published fact. Raises `MissingTableError`."""
    since = lake.published_at(_FACT)
    decisions = lake.rows(_VERSIONS)
    kaggle = lake.data_version(kaggle_reimbursements.TABLE) if lake.exists(kaggle_reimbursements.TABLE) else None
    rejected, holds = _rejected(lake), lake.holds(_FACT)
    found = []
    for year, source, last_month in _years(lake):
        hold = holds.get(year)
        # What is staged, and Kaggle's version, are of what was rolled back.
        moment = datetime.fromisoformat(hold.since) if hold else since[year]
        file = file_of(decisions, year, moment) if source == _HOUSE else _of_kaggle(None if hold else kaggle)
        lines, amount = rejected.get((year, source), (0, None))
        if hold:
            last = _standing(decisions, year, moment) or {}
            lines, amount = last.get("rejected_rows") or 0, last.get("rejected_amount")
        found.append(
            {
                YEAR: year,
                "source_code": source,
                **file,
                "last_month": last_month,
                "is_incomplete": is_incomplete(year, last_month, file["as_of"], current_year()),
                "rejected_lines": lines,
                "rejected_amount": amount,
                "published_at": since[year].astimezone(UTC).replace(tzinfo=None),
            }
        )
    version = _version(found)
    return [{**row, "version": version} for row in found]


def is_incomplete(year: int, last_month: int | None, as_of: date | None, this_year: int) -> bool:
    """Whether figures of a year are not of the whole year: no total of it, and nothing to compare with another's.

    Its months stop before December; or it is not over, by the date of its file, `as_of`, or by the calendar. Months and
    a file's date that are not known prove nothing.
    """
    stops = last_month is not None and last_month < _MONTHS
    return stops or year >= this_year or (as_of is not None and as_of.year == year)


def shortcomings(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What some of these years lack, one sentence each in Portuguese and English: months, and lines not read."""
    told = []
    if partial := [row for row in rows if row.get("is_incomplete")]:
        until = ", ".join(_with(row[YEAR], row["last_month"], "até o mês {}") for row in partial)
        to = ", ".join(_with(row[YEAR], row["last_month"], "to month {}") for row in partial)
        told.append(
            (
                f"Anos incompletos, que não se comparam com anos inteiros: {until}.",
                f"Incomplete years, not to be compared with whole ones: {to}.",
            )
        )
    if unread := [row for row in rows if row.get("rejected_lines")]:
        lines = ", ".join(_with(row[YEAR], row["rejected_lines"], "{}") for row in unread)
        told.append(
            (
                f"Linhas que não puderam ser lidas e não estão nos números: {lines}. Quais: FROM rejected_lines.",
                f"Lines that could not be read and are not in the figures: {lines}. Which: FROM rejected_lines.",
            )
        )
    return told


def _with(year: int, value: int | None, text: str) -> str:
    return f"{year} ({text.format(value)})" if value is not None else str(year)


def _years(lake: "Lake") -> list[tuple[int, str, int | None]]:
    """The fact's years, the source of each, and the last month that it reaches."""
    with auditor() as connection:
        fact = lake.view(connection, _FACT)
        found: list[tuple[int, str, int | None]] = connection.sql(
            f"""
            SELECT {YEAR}, any_value(source_code),
                max(month) FILTER (month > 0 AND receipts >= {_LEAST_SHARE_OF_A_MONTH} * of_year)
            FROM (
                SELECT {YEAR}, source_code, count(*) AS receipts, sum(count(*)) OVER (PARTITION BY {YEAR}) AS of_year,
                    CASE WHEN source_code = '{_HOUSE}' THEN competence_month ELSE date_key // 100 % 100 END AS month
                FROM {fact} GROUP BY {YEAR}, source_code, month
            )
            GROUP BY {YEAR} ORDER BY {YEAR}
            """
        ).fetchall()
    return found


def _rejected(lake: "Lake") -> Mapping[tuple[int, str], tuple[int, Decimal | None]]:
    """How many lines of a year and source were rejected, and what those with a readable amount add up to."""
    if not lake.exists(_REJECTED):
        return {}
    with auditor() as connection:
        view = lake.view(connection, _REJECTED)
        found = connection.sql(f"SELECT {YEAR}, source_code, count(*), sum(amount) FROM {view} GROUP BY ALL").fetchall()
    return {(year, source): (lines, amount) for year, source, lines, amount in found}


def file_of(decisions: Iterable[Mapping[str, Any]], year: int, since: datetime) -> Mapping[str, Any]:
    """`file_name`, `sha256` and `as_of` of the version of the House's file of a year that stood at a moment."""
    last = _standing(decisions, year, since)
    if last is None:
        return _UNKNOWN
    modified = (last["modified_at"] or last["archived_at"]).replace(tzinfo=UTC)
    return {
        "file_name": last["file_name"],
        "sha256": last["sha256"],
        "as_of": modified.astimezone(ZoneInfo(TIMEZONE)).date(),
    }


def _standing(decisions: Iterable[Mapping[str, Any]], year: int, since: datetime) -> Mapping[str, Any] | None:
    """The decision by which the version of the House's file of a year that stood at a moment was published."""
    moment = since.astimezone(UTC).replace(tzinfo=None)
    standing = [
        row for row in decisions if row[YEAR] == year and file_versions.is_believed(row) and row["decided_at"] <= moment
    ]
    return max(standing, key=lambda row: row["decided_at"], default=None)


def _of_kaggle(sha256: str | None) -> Mapping[str, Any]:
    """Kaggle's file says nothing of its own date."""
    return {**_UNKNOWN, "file_name": kaggle_reimbursements.CSV.file_names[0], "sha256": sha256}


def _version(found: Iterable[Mapping[str, Any]]) -> str:
    made_from = [(row[YEAR], row["source_code"], row["sha256"]) for row in found]
    digest = hashlib.sha256(repr(made_from).encode()).hexdigest()[:8]
    day = max((row["as_of"] for row in found if row["as_of"]), default=None)
    return f"{day}.{digest}" if day else digest
