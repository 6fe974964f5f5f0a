"""serving.readiness: when each day's data were there for readers, measured: the deadline's own record.

Kept for good, unlike Dagster's events and the snapshots of tables. Here are the table, its rows, and what "ready" and
"in time" mean; the deadline as Dagster has it is in `automation/freshness.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from deputies_lake.contracts import Column, Table
from deputies_lake.quota_years import FIRST_YEAR, TIMEZONE, current_year
from deputies_lake.raw import chamber_expenses, file_dates, file_versions
from deputies_lake.raw.archive import LandedFile, LandingZone

if TYPE_CHECKING:
    from deputies_lake.lakehouse.lake import Lake

DEADLINE: Final = time(7, 0)
"""By when the figures of the House's nightly files are to be there, by Brasília's clock."""

BRASILIA: Final = ZoneInfo(TIMEZONE)

_VERSIONS: Final = file_versions.TABLE

TABLE: Final = Table(
    layer="serving",
    name="readiness",
    pt="Quando os dados de cada dia ficaram prontos para os leitores: o arquivo do ano mais recente, das 7h.",
    en="When each day's data were ready for readers: the newest year's file, against the deadline of 07:00.",
    grain="one row per day and version of the newest year's file",
    columns=(
        Column(
            name="day",
            type="date",
            pt="dia em que a Câmara fez o arquivo (Brasília)",
            en="the day on which the House made the file (Brasília)",
            source=(f"{_VERSIONS.name}.modified_at",),
            example="2026-11-23",
        ),
        Column(
            name="sha256",
            pt="SHA-256 do arquivo",
            en="the file's SHA-256",
            source=(f"{_VERSIONS.name}.sha256",),
        ),
        Column(
            name="file_name",
            pt="nome do arquivo",
            en="the file's name",
            source=(f"{_VERSIONS.name}.file_name",),
            example="Ano-2026.csv.zip",
        ),
        Column(
            name="made_at",
            type="timestamp_ntz",
            pt="quando a Câmara fez o arquivo (UTC)",
            en="when the House made the file (UTC)",
        ),
        Column(
            name="taken_in_at",
            type="timestamp_ntz",
            pt="quando o lake decidiu publicar estes bytes (UTC)",
            en="when the lake decided to publish these bytes (UTC)",
            source=(f"{_VERSIONS.name}.decided_at",),
        ),
        Column(
            name="ready_at",
            type="timestamp_ntz",
            pt="quando os leitores tinham os números dele, ou se soube que nada mudou (UTC)",
            en="when readers had its figures, or it was known that nothing had changed (UTC)",
        ),
        Column(
            name="is_in_time",
            type="boolean",
            pt="se ficou pronto até as 7h daquele dia em Brasília",
            en="whether it was ready by 07:00 of that day in Brasília",
        ),
    ),
    key=("day", "sha256"),
)


def deadline_of(day: date) -> datetime:
    """With its zone."""
    return datetime.combine(day, DEADLINE, BRASILIA)


def day_of(moment: datetime) -> date:
    """The day in Brasília of a moment that has a zone."""
    return moment.astimezone(BRASILIA).date()


def ready_row(lake: "Lake", zone: LandingZone, mart: Table, now: datetime) -> Mapping[str, Any] | None:
    """The row of the newest year's file as it lies in the landing zone.

    None where there is none of the House's, or readers don't have its figures: it was refused, or is yet to be taken
    in, or `mart` was not made since, or was rolled back.
    """
    newest = _newest(zone)
    if newest is None:
        return None
    year, file = newest
    sha256 = zone.sha256(file)
    taken_in_at = _taken_in_at(lake, year, sha256)
    published = lake.published_at(mart).get(year) if lake.exists(mart) else None
    if taken_in_at is None or published is None or published < taken_in_at or year in lake.holds(mart):
        return None
    made_at = datetime.fromisoformat(file_dates.made_at(zone, file, chamber_expenses.CSV.of_year(year), sha256))
    # The same bytes under a new date: readers have had the figures for long, but nobody knew until now.
    ready_at = published if published >= made_at else now
    day = day_of(made_at)
    return {
        "day": day,
        "sha256": sha256,
        "file_name": file.name,
        "made_at": _utc(made_at),
        "taken_in_at": _utc(taken_in_at),
        "ready_at": _utc(ready_at),
        "is_in_time": ready_at <= deadline_of(day),
    }


def first_of_days(rows: Sequence[Mapping[str, Any]]) -> Mapping[date, Mapping[str, Any]]:
    """Day by day the row that counts: the first. What the House makes anew later on a day endangers nothing."""
    first: dict[date, Mapping[str, Any]] = {}
    for row in sorted(rows, key=lambda row: row["ready_at"]):
        first.setdefault(row["day"], row)
    return first


def is_of_house(lake: "Lake") -> bool:
    """Whether the lake has a file of the House at all: where it has none, none is late."""
    return bool(lake.versions(chamber_expenses.TABLE))


def _newest(zone: LandingZone) -> tuple[int, LandedFile] | None:
    for year in range(current_year(), FIRST_YEAR - 1, -1):
        if file := zone.find(chamber_expenses.CSV.of_year(year)):
            return year, file
    return None


def _taken_in_at(lake: "Lake", year: int, sha256: str) -> datetime | None:
    if lake.versions(chamber_expenses.TABLE).get(year) != sha256:
        return None
    decided = [
        row["decided_at"]
        for row in lake.rows(_VERSIONS, [year])
        if row["sha256"] == sha256 and file_versions.is_believed(row)
    ]
    return max(decided).replace(tzinfo=UTC) if decided else None


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
