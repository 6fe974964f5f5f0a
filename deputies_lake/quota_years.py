"""Which quota years exist, and by which clock.

What every layer needs to know of years and Dagster need not be imported for. The partitions themselves are in
`partitions.py`.
"""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

FIRST_YEAR: Final = 2008
"""The House's files begin with 2008."""

TIMEZONE: Final = "America/Sao_Paulo"
"""The House's clock: a year begins and a day ends in Brasília, wherever the lake runs."""


def current_year() -> int:
    return datetime.now(tz=ZoneInfo(TIMEZONE)).year
