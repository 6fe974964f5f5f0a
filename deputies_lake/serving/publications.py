"""serving.publications: which file each year's figures were made from, and since when they stand.

Here are the table and its rows; how they are said in a sentence is in `citation.py`. Readers may not see the raw layer,
so what they need to cite of it is repeated here.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from deputies_lake.checks.audit import auditor
from deputies_lake.contracts import YEAR, Column, Table
from deputies_lake.quota_years import TIMEZONE
from deputies_lake.raw import chamber_expenses, file_versions, kaggle_reimbursements
from deputies_lake.star import fct_expenses

if TYPE_CHECKING:
    from deputies_lake.resources.lake import Lake

_FACT: Final = fct_expenses.TABLE
_VERSIONS: Final = file_versions.TABLE
_HOUSE: Final = chamber_expenses.CSV.source_code
_UNKNOWN: Final = {"file_name": None, "sha256": None, "as_of": None}

TABLE: Final = Table(
    layer="serving",
    name="publications",
    pt="De que arquivo vêm os números de cada ano, e desde quando valem: o que se cita.",
    en="Which file each year's figures come from, and since when they stand: what one cites.",
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
    found = [
        {
            YEAR: year,
            "source_code": source,
            **(_of_house(decisions, year, since[year]) if source == _HOUSE else _of_kaggle(kaggle)),
            "published_at": since[year].astimezone(UTC).replace(tzinfo=None),
        }
        for year, source in _sources(lake)
    ]
    version = _version(found)
    return [{**row, "version": version} for row in found]


def _sources(lake: "Lake") -> list[tuple[int, str]]:
    with auditor() as connection:
        fact = lake.view(connection, _FACT)
        found: list[tuple[int, str]] = connection.sql(
            f"SELECT {YEAR}, any_value(source_code) FROM {fact} GROUP BY 1 ORDER BY 1"
        ).fetchall()
    return found


def _of_house(decisions: Iterable[Mapping[str, Any]], year: int, since: datetime) -> Mapping[str, Any]:
    """The version of the year's file that stood when its figures were published."""
    moment = since.astimezone(UTC).replace(tzinfo=None)
    standing = [
        row for row in decisions if row[YEAR] == year and file_versions.is_believed(row) and row["decided_at"] <= moment
    ]
    if not standing:
        return _UNKNOWN
    last = max(standing, key=lambda row: row["decided_at"])
    modified = (last["modified_at"] or last["archived_at"]).replace(tzinfo=UTC)
    return {
        "file_name": last["file_name"],
        "sha256": last["sha256"],
        "as_of": modified.astimezone(ZoneInfo(TIMEZONE)).date(),
    }


def _of_kaggle(sha256: str | None) -> Mapping[str, Any]:
    """Kaggle's file says nothing of its own date."""
    return {**_UNKNOWN, "file_name": kaggle_reimbursements.CSV.file_names[0], "sha256": sha256}


def _version(found: Iterable[Mapping[str, Any]]) -> str:
    made_from = [(row[YEAR], row["source_code"], row["sha256"]) for row in found]
    digest = hashlib.sha256(repr(made_from).encode()).hexdigest()[:8]
    day = max((row["as_of"] for row in found if row["as_of"]), default=None)
    return f"{day}.{digest}" if day else digest
