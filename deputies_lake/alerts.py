"""What an alert is: what is wrong, in which years, since when, and what to type.

When something is wrong is decided in `automation/alerts.py`; how an alert travels is in `alert_targets.py`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from deputies_lake.quota_years import clock
from deputies_lake.redaction import redacted_text


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that is wrong and stays so until it is mended.

    `name` is the same for as long as it lasts, so that it is told once; `title` what several of its kind have in
    common; `year` the quota year it is about, None where it is about none; `since` ISO 8601, with its zone; `run_id`
    the run that found it.
    """

    name: str
    title: str
    detail: str
    year: int | None
    since: str
    command: str
    run_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A message about problems of one kind that began, or ended, together. `since` is when the first of them began."""

    title: str
    over: bool
    environment: str
    years: tuple[int, ...]
    since: str
    details: tuple[str, ...]
    command: str

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """From what `values` gave, also after a trip through JSON."""
        return cls(**{**values, "years": tuple(values["years"]), "details": tuple(values["details"])})

    @property
    def values(self) -> Mapping[str, Any]:
        """As JSON takes it."""
        return asdict(self)

    @property
    def told_years(self) -> str:
        """Such as `2016, 2018-2020`."""
        return _years(self.years)

    @property
    def subject(self) -> str:
        """One line."""
        of_years = f" ({self.told_years})" if self.years else ""
        return f"[deputies_lake {self.environment}] {'over: ' if self.over else ''}{self.title}{of_years}"

    @property
    def text(self) -> str:
        """All of it, for people, by Brasília's clock."""
        since = clock(datetime.fromisoformat(self.since))
        lines = [self.subject, *self.details, f"Since {since} in Brasília."]
        return "\n".join(lines if self.over else [*lines, f"Next: {self.command}"])


def alerts_of(problems: Collection[Problem], environment: str, *, over: bool = False) -> Sequence[Alert]:
    """One for each title: a bad night of the House is one message, not one for each of its years.

    What an error says may repeat what stood in a file: no CPF leaves the house.
    """
    by_title: dict[str, list[Problem]] = {}
    for problem in sorted(problems, key=lambda problem: (problem.year or 0, problem.name)):
        by_title.setdefault(problem.title, []).append(problem)
    return [
        Alert(
            title=title,
            over=over,
            environment=environment,
            years=tuple(sorted({problem.year for problem in alike if problem.year is not None})),
            since=min((problem.since for problem in alike), key=datetime.fromisoformat),
            details=() if over else tuple(dict.fromkeys(redacted_text(problem.detail) for problem in alike)),
            command=alike[0].command,
        )
        for title, alike in by_title.items()
    ]


def _years(years: Sequence[int]) -> str:
    """`2016, 2018-2020`."""
    spans: list[list[int]] = []
    for year in years:
        if spans and year == spans[-1][-1] + 1:
            spans[-1].append(year)
        else:
            spans.append([year])
    return ", ".join(str(span[0]) if len(span) == 1 else f"{span[0]}-{span[-1]}" for span in spans)
