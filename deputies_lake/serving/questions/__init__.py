"""The ten questions people ask of this data, as ready-made SQL over the marts, one file each.

The first two lines of a file are its titles, Portuguese and English. What follows is read by DuckDB and by Athena
alike, so it keeps to what both understand; tables stand there without their layer.
"""

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question of which the answer is one query away."""

    number: int
    title_pt: str
    title_en: str
    sql: str


def _question(name: str, text: str) -> Question:
    found = re.fullmatch(r"-- pt: ([^\n]+)\n-- en: ([^\n]+)\n(.+)", text, re.DOTALL)
    if not found:
        raise ValueError(f"{name}: begins with '-- pt: ' and '-- en: ', its titles, then the query")
    title_pt, title_en, sql = found.groups()
    return Question(number=int(name[1:3]), title_pt=title_pt, title_en=title_en, sql=sql.strip())


QUESTIONS: Final = tuple(
    _question(file.name, file.read_text(encoding="utf-8"))
    for file in sorted(files(__name__).iterdir(), key=lambda file: file.name)
    if file.name.endswith(".sql")
)
