"""The dashboard as one file: figures, texts, style and scripts, put together.

The figures are in it compressed, year by year, and unpacked when they are looked at: a first view needs a tenth of
them. Text of other people's making reaches the page only through them, and the scripts only write text, never HTML.
"""

import gzip
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from deputies_lake.lakehouse.lake import Lake
from deputies_lake.serving.citation import INVENTED_EN, INVENTED_PT, Citation, citation
from deputies_lake.serving.dashboard.figures import TABLES, Figures
from deputies_lake.star import ref_known_gaps

NAME: Final = "dashboard.html"

_FOLDER: Final = Path(__file__).parent
_SCRIPTS: Final = ("vega.js", "words.js", "parts.js", "views.js")


@dataclass(frozen=True, kw_only=True)
class Checks:
    """How many checks of the lake's tables passed when these were last published, and which did not."""

    passed: int
    failed: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class About:
    """What qualifies the figures. `made_at` is when the page was made, with its time zone."""

    cited: Citation
    gaps: Sequence[Mapping[str, Any]]
    checks: Checks
    made_at: datetime


def about(lake: Lake, checks: Checks, made_at: datetime) -> About:
    """What is to be said of all that the page shows. Raises `MissingTableError`."""
    known = ("gap_id", "first_month", "last_month", "text_pt", "text_en")
    gaps = [
        {name: gap[name] for name in known}
        for gap in lake.rows(ref_known_gaps.TABLE)
        if gap["severity"] in ref_known_gaps.CHANGES_FIGURES or gap["gap_id"] == ref_known_gaps.OF_PARTIES
    ]
    return About(cited=citation(lake, tables=TABLES), gaps=gaps, checks=checks, made_at=made_at)


def render(figures: Figures, told: About) -> bytes:
    """The page, which needs nothing else."""
    # Dagster needs it, too, but loading definitions does not.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    core = {
        **figures.overall,
        "citation": told.cited.record(),
        "gaps": {gap["gap_id"]: gap for gap in told.gaps},
        "checks": {"passed": told.checks.passed, "failed": told.checks.failed},
        "made_at": told.made_at.isoformat(timespec="minutes"),
    }
    environment = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template("page.html").render(
        citation=told.cited,
        invented_pt=INVENTED_PT,
        invented_en=INVENTED_EN,
        style=_part("style.css"),
        scripts=[_part(name) for name in _SCRIPTS],
        core=_packed(core),
        years={year: _packed(of_year) for year, of_year in figures.by_year.items()},
    )
    return page.encode()


def _part(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _packed(content: Any) -> str:
    """JSON, compressed, in letters that mean nothing in HTML."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=str)
    return b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode()
