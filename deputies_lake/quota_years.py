"""Which quota years exist, and by which clock.

What every layer needs to know of years and Dagster need not be imported for. The partitions themselves are in
`partitions.py`.
"""

from collections.abc import Sized
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

FIRST_YEAR: Final = 2008
"""The House's files begin with 2008."""

TIMEZONE: Final = "America/Sao_Paulo"
"""The House's clock: a year begins and a day ends in Brasília, wherever the lake runs."""


def clock(moment: datetime) -> str:
    """A moment that has a zone by Brasília's clock, by which all people are told the time: `2026-11-23 07:00`."""
    return f"{moment.astimezone(ZoneInfo(TIMEZONE)):%Y-%m-%d %H:%M}"


def counted(years: Sized) -> str:
    """`1 year`, `2 years`."""
    return f"{len(years)} year{'' if len(years) == 1 else 's'}"


def current_year() -> int:
    return datetime.now(tz=ZoneInfo(TIMEZONE)).year
