"""Files in the landing zone that nobody takes: each with the reason, and what to do if it was meant to be taken.

By their names alone, for who lists the landing zone need not be allowed to read in it. Names are the publishers'; what
people, browsers and older links of the House make of them is almost right.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from deputies_lake.quota_years import FIRST_YEAR, TIMEZONE, current_year
from deputies_lake.raw import chamber_expenses, kaggle_refunds, kaggle_reimbursements
from deputies_lake.raw.archive import LandedFile
from deputies_lake.raw.published_csv import PublishedCsv

_HOUSE: Final = chamber_expenses.CSV
_KAGGLE: Final = (kaggle_reimbursements.CSV, kaggle_refunds.CSV)

# What editors, browsers and copying programs call a file that they have not finished.
_UNFINISHED: Final = (".part", ".partial", ".crdownload", ".tmp", ".temp", ".unfinished", ".filepart", "~")

_OF_A_YEAR: Final = re.compile(r"ano\W{0,2}_?(?P<year>[0-9]{4})(?P<rest>[^0-9].*)?", re.IGNORECASE)
_WITHOUT_YEAR: Final = re.compile(r"ano\W{0,2}_?(atual|anterior)\b.*", re.IGNORECASE)
_OTHER_FORMATS: Final = {"xml": "XML", "json": "JSON", "xlsx": "Excel", "xls": "Excel", "ods": "a spreadsheet"}


@dataclass(frozen=True, kw_only=True)
class UnusedFile:
    """A file that is not taken, why, and what to do. `is_meant` says that it is a source's file by all appearance."""

    name: str
    why: str
    is_meant: bool

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


def is_unfinished(name: str) -> bool:
    return name.startswith(".") or name.lower().endswith(_UNFINISHED)


def unused_files(
    files: Collection[LandedFile], dated: Callable[[LandedFile], str] | None = None
) -> Sequence[UnusedFile]:
    """Those of a landing zone that no source takes, in the order given; unfinished ones are nobody's business.

    `dated` gives a file's date in ISO 8601, with its zone: what is known by reading it. Without it no date is told, for
    that of a copy is not the file's.
    """
    by_name = {file.name: file for file in files}
    taken = _taken(by_name)
    return [
        _passed_over(file, by_name[taken[file.name]], dated) if file.name in taken else _unknown(file.name, by_name)
        for file in files
        if not is_unfinished(file.name) and taken.get(file.name) != file.name
    ]


def _taken(by_name: Collection[str]) -> Mapping[str, str]:
    """For each name that a source has, the one of that source's names that is taken."""
    taken = {}
    for source in _sources():
        there = [name for name in source.file_names if name in by_name]
        taken.update(dict.fromkeys(there, there[0] if there else ""))
    return taken


def _sources() -> Iterator[PublishedCsv]:
    yield from _KAGGLE
    for year in range(FIRST_YEAR, current_year() + 1):
        yield _HOUSE.of_year(year)


def _passed_over(file: LandedFile, taken: LandedFile, dated: Callable[[LandedFile], str] | None) -> UnusedFile:
    days = f"; this one is of {_day(dated(file))}, that one of {_day(dated(taken))}" if dated else ""
    why = f"{taken.name} is taken instead{days}. If this one is meant, remove {taken.name}"
    return UnusedFile(name=file.name, why=why, is_meant=True)


def _unknown(name: str, there: Collection[str]) -> UnusedFile:
    if found := _OF_A_YEAR.fullmatch(name):
        return UnusedFile(name=name, why=_of_year(int(found["year"]), _ending(name), there), is_meant=True)
    if _WITHOUT_YEAR.fullmatch(name):
        why = "the House's files are taken by their year. Fetch it: deputies-lake fetch, or name it Ano-YYYY.csv.zip"
        return UnusedFile(name=name, why=f"its name tells no year, and {why}", is_meant=True)
    for source in _KAGGLE:
        if name.casefold().startswith(source.csv_name.removesuffix(".csv")):
            return UnusedFile(name=name, why=_rename(source, _ending(name), there), is_meant=True)
    known = ", ".join(source.file_names[0] for source in (_HOUSE, *_KAGGLE)).replace("{year}", "YYYY")
    why = f"no source has a file of this name (known: {known})"
    return UnusedFile(name=name, why=why, is_meant=False)


def _of_year(year: int, ending: str, there: Collection[str]) -> str:
    if year < FIRST_YEAR:
        return f"the House's files begin with {FIRST_YEAR}"
    if year > current_year():
        return f"{year} has not begun. If its rows are of another year, name it by that"
    return _rename(_HOUSE.of_year(year), ending, there)


def _rename(source: PublishedCsv, ending: str, there: Collection[str]) -> str:
    if ending in _OTHER_FORMATS:
        return f"only CSV is read, not {_OTHER_FORMATS[ending]}. {source.obtain}".rstrip(".")
    right = next((name for name in source.file_names if name.endswith(f".{ending}")), None)
    if right is None:
        return f"it is not called {' or '.join(source.file_names)}. {source.obtain}".rstrip(".")
    return f"{right} is taken instead. Remove one of them" if right in there else f"rename it to {right}"


def _ending(name: str) -> str:
    return name.rpartition(".")[2].casefold()


def _day(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(ZoneInfo(TIMEZONE)):%Y-%m-%d %H:%M}"
