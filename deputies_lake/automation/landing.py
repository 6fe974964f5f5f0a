"""The sensor of the landing zone: a new or overwritten file starts its source's job, for the years of that file only.

One code path for a directory and for S3: a listing with names, sizes and times. Nothing is read, for who starts runs
need not be allowed to read what they read. What is remembered from one look to the next is in `Memory`, what is decided
in `look`; both work without a daemon. How a file is taken in is the raw assets' business, and so is what is wrong with
one: each version of a file is asked for once.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Final, Self

import dagster as dg

from deputies_lake.assets import key_of
from deputies_lake.automation.jobs import HOUSE, REFUNDS, SOURCE_JOBS, SOURCES, Source
from deputies_lake.automation.runs import is_going_on, of_source, request
from deputies_lake.environments import Settings
from deputies_lake.quota_years import FIRST_YEAR, current_year
from deputies_lake.raw import kaggle_refunds
from deputies_lake.raw.archive import LandedFile, LandingZone
from deputies_lake.raw.assets import AS_IT_LIES, MARK
from deputies_lake.raw.unused_files import UnusedFile, unused_files
from deputies_lake.resources.files import FilesResource

# Dagster's daemon asks every five seconds which sensors are due: this one is each second time, every ten seconds. With
# ten it would be a moment too early for that, and looked every fifteen.
INTERVAL_SECONDS: Final = 8

QUIET_SECONDS: Final = 10
"""A file that was not touched for so long is complete; a younger one is if two looks found it alike."""

_MOST_UNKNOWN: Final = 100

# What arrives now goes before what was queued for years long past.
_FIRST: Final = {"dagster/priority": "1"}


@dataclass(frozen=True, kw_only=True)
class _Place:
    """What a file's name says: its source, the years from which to which it is about, and which name is preferred."""

    source: Source
    first: int
    last: int
    rank: int


@dataclass(kw_only=True)
class Memory:
    """What was found so far, as marks of 12 digits: of each source's files, and of a hundred that no source takes.

    `handled` are files of which a run was asked for, or that needed none; `growing` those that a look found for the
    first time, `unknown` those of no source. As the sensor's cursor it takes less than 4,000 characters however many
    files there are.
    """

    handled: dict[str, str] = field(default_factory=dict)
    growing: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, cursor: str | None) -> Self:
        """Of a cursor that is not ours, nothing: then all files are looked at again, and those seen start nothing."""
        try:
            return cls(**json.loads(cursor or "{}"))
        except (TypeError, ValueError):
            return cls()

    def write(self) -> str:
        return json.dumps(self.__dict__, separators=(",", ":"))


@dataclass(kw_only=True)
class Look:
    """What one look at the zone led to: the runs to start, and what there is to say."""

    memory: Memory
    requests: list[dg.RunRequest] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def look(
    zone: LandingZone,
    memory: Memory,
    *,
    is_going_on: Callable[[Source], bool],
    was_seen: Callable[[Source, int, LandedFile], bool],
) -> Look:
    """Decide which runs the files of the zone call for.

    Args:
        zone: looked at as a whole, its folders left out.
        memory: what the look before gave.
        is_going_on: whether a run of the source is queued or in progress; its files wait for the end of it, so that
            what arrives in the meantime goes into one run.
        was_seen: whether some run had this version of the source's file of the year before it, such as the one that
            fetched it.
    """
    places, files = _places(), zone.files()
    known = _preferred(files, places)
    found = Look(memory=Memory(handled=_still_there(memory.handled, known)))
    _tell_unused(found, memory, unused_files(files))

    ready: dict[str, list[LandedFile]] = {}
    for name, file in known.items():
        if memory.handled.get(name) == file.mark:
            continue
        found.memory.growing[name] = file.mark
        if memory.growing.get(name) == file.mark or _is_quiet(file):
            ready.setdefault(places[name].source.code, []).append(file)
        else:
            found.remarks.append(f"{name} may still be growing")

    for source in SOURCES:
        waiting = ready.get(source.code, [])
        if waiting and is_going_on(source):
            found.remarks.append(f"a run of {source.job_name} is going on: {_names(waiting)} wait for its end")
            continue
        for file in [file for file in waiting if was_seen(source, places[file.name].first, file)]:
            waiting.remove(file)
            _handle(found, file)
        if waiting:
            _ask_for(found, source, waiting, places)
    return found


def _ask_for(found: Look, source: Source, files: Sequence[LandedFile], places: Mapping[str, _Place]) -> None:
    """One run, for the first years of these that follow each other: a run takes a range. Others wait for its end."""
    by_year = {places[file.name].first: file for file in files}
    ranges = [[y for _, y in group] for _, group in groupby(enumerate(sorted(by_year)), lambda e: e[1] - e[0])]
    now, later = ranges[0], [year for years in ranges[1:] for year in years]
    last = max(places[by_year[year].name].last for year in now)
    found.requests.append(request(source, now[0], last, {**AS_IT_LIES, **_FIRST}))
    for year in now:
        _handle(found, by_year[year])
    if later:
        found.remarks.append(f"{_names([by_year[year] for year in later])} go into the next run")


def _handle(found: Look, file: LandedFile) -> None:
    found.memory.handled[file.name] = found.memory.growing.pop(file.name)


def _tell_unused(found: Look, memory: Memory, unused: Sequence[UnusedFile]) -> None:
    """Each once, the first hundred of them."""
    marks = {hashlib.sha256(file.name.encode()).hexdigest()[:12]: file for file in unused}
    standing = [mark for mark in memory.unknown if mark in marks]
    new = [mark for mark in marks if mark not in standing][: _MOST_UNKNOWN - len(standing)]
    found.memory.unknown = [*standing, *new]
    if new:
        found.warnings.append(f"files that are left alone: {'; '.join(str(marks[mark]) for mark in new)}")


def _places() -> Mapping[str, _Place]:
    """Every file name that a source may have today."""
    places = {}
    for source in SOURCES:
        first, last = FIRST_YEAR, current_year()
        if source is REFUNDS:
            first = last = kaggle_refunds.REFUNDS_YEAR
        if source is HOUSE:
            for year in range(first, last + 1):
                for rank, name in enumerate(source.csv.of_year(year).file_names):
                    places[name] = _Place(source=source, first=year, last=year, rank=rank)
        else:
            for rank, name in enumerate(source.csv.file_names):
                places[name] = _Place(source=source, first=first, last=last, rank=rank)
    return places


def _preferred(files: Sequence[LandedFile], places: Mapping[str, _Place]) -> Mapping[str, LandedFile]:
    """The sources' files by name; of several that a source has for the same years, the one it takes."""
    claims = sorted((file for file in files if file.name in places), key=lambda file: -places[file.name].rank)
    taken = {(places[file.name].source.code, places[file.name].first): file for file in claims}
    return {file.name: file for file in sorted(taken.values(), key=lambda file: file.name)}


def _still_there(handled: Mapping[str, str], known: Collection[str]) -> dict[str, str]:
    """A file that was deleted is forgotten: when it comes back it is new."""
    return {name: mark for name, mark in handled.items() if name in known}


def _is_quiet(file: LandedFile) -> bool:
    """By when it was written to last, whatever date the file itself has."""
    age = datetime.now(UTC) - datetime.fromisoformat(file.modified)
    return age.total_seconds() > QUIET_SECONDS


def _names(files: Sequence[LandedFile]) -> str:
    return ", ".join(file.name for file in files)


def _was_seen(instance: dg.DagsterInstance, source: Source, year: int, file: LandedFile) -> bool:
    """By the last observation that a run made of the source's file of the year."""
    records = dg.AssetRecordsFilter(
        asset_key=key_of(source.tables[0]), asset_partitions=[str(year)] if source is HOUSE else None
    )
    (*_, last) = [None, *instance.fetch_observations(records, limit=1).records]
    observation = last.asset_observation if last else None
    return observation is not None and observation.metadata[MARK].value == file.mark


def landing_definitions(settings: Settings) -> dg.Definitions:
    """The sensor, on from the start wherever a daemon runs: who puts a file there wants it taken in."""

    @dg.sensor(
        name="landing_zone",
        jobs=SOURCE_JOBS,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Takes in what is new in the landing zone: the source's job, for the years of the file.",
    )
    def landing_zone(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        found = look(
            FilesResource.of(settings).landing_zone(),
            Memory.read(context.cursor),
            is_going_on=lambda source: is_going_on(context.instance, of_source(source)),
            was_seen=lambda source, year, file: _was_seen(context.instance, source, year, file),
        )
        for warning in found.warnings:
            context.log.warning(warning)
        said = "; ".join([*found.warnings, *found.remarks]) or "nothing new"
        return dg.SensorResult(
            run_requests=found.requests,
            skip_reason=None if found.requests else said,
            cursor=found.memory.write(),
        )

    return dg.Definitions(sensors=[landing_zone])
