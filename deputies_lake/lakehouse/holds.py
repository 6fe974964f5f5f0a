"""Versions that readers were given back on a person's word, which no run replaces: what a table's properties say.

Which version is given back, and how, is in `rollback.py`; that it stays, is seen to in `lake.py`.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Final

# One for each year that is held, or one for the table.
_PROPERTY: Final = "lake.held"


@dataclass(frozen=True, kw_only=True)
class Hold:
    """A version that readers were given back. It was published `since`, and given back `at`: ISO 8601 with zones."""

    since: str
    at: str
    by: str
    reason: str

    @property
    def told(self) -> str:
        """In a sentence without a full stop."""
        return f"rolled back to the version of {self.since} by {self.by} at {self.at} ({self.reason})"


def holds_of(properties: Mapping[str, str]) -> dict[int | None, Hold]:
    """From a table's properties, by year; under None that of all its years, or of a table without any."""
    found = {name: text for name, text in properties.items() if name.startswith(_PROPERTY) and text}
    return {_year(name): Hold(**json.loads(text)) for name, text in found.items()}


def properties_of(hold: Hold | None, years: Collection[int] | None) -> dict[str, str]:
    """The properties that hold these years, all where None are named; that release them, without a hold."""
    text = json.dumps(asdict(hold), ensure_ascii=False) if hold else ""
    return {_PROPERTY if year is None else f"{_PROPERTY}.{year}": text for year in ([None] if years is None else years)}


def _year(name: str) -> int | None:
    year = name.removeprefix(_PROPERTY).removeprefix(".")
    return int(year) if year else None
