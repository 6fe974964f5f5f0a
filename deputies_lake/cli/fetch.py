"""`deputies-lake fetch`: the House's files brought into the landing zone by hand.

What happens is in `raw/fetching.py`; here are arguments, and what a person reads.
"""

import re
import shutil
import sys
import time
from collections.abc import Sequence
from typing import Final

import click

from deputies_lake.cli.options import environment_option
from deputies_lake.environments import CHAMBER_URL, HOME, LAKE_HOME, SettingsError, load_settings, use_home_unless_set
from deputies_lake.quota_years import FIRST_YEAR, current_year
from deputies_lake.raw.archive import LandingZone
from deputies_lake.raw.fetching import Outcome, fetch_years

_YEARS: Final = re.compile(r"(?P<first>[0-9]{4})(?P<range>\.\.(?P<last>[0-9]{4})?)?")
_REDRAW_SECONDS: Final = 0.1


def _latest_years() -> str:
    """Receipts arrive for three months, so the file of the year before changes far into the current one."""
    return f"{current_year() - 1}.."


def _parsed(ctx: click.Context, param: click.Parameter, value: str) -> Sequence[int]:
    """A year, a range, or an open range, of the years that the House publishes."""
    found = _YEARS.fullmatch(value)
    if not found:
        raise click.BadParameter(f"{value!r} is neither a year nor a range of years: write 2024, 2023..2026 or 2008..")
    first, newest = int(found["first"]), current_year()
    last = int(found["last"] or (newest if found["range"] else first))
    if not FIRST_YEAR <= first <= last <= newest:
        raise click.BadParameter(f"{value!r} is not within {FIRST_YEAR}..{newest}, the years that the House publishes")
    return range(first, last + 1)


@click.command()
@click.option(
    "--years",
    metavar="YEARS",
    callback=_parsed,
    default=_latest_years,
    show_default="the current year and the one before",
    help="2024, 2023..2026 or 2008..",
)
@environment_option
def fetch(environment: str | None, years: Sequence[int]) -> None:
    """Bring the House's yearly files into the landing zone, as far as they have changed."""
    # Real files never go into a demo's lake.
    use_home_unless_set(LAKE_HOME)
    try:
        settings = load_settings(environment)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    if settings.chamber_url is None:
        raise click.ClickException(f"{CHAMBER_URL}=none: files come into {settings.landing} by hand")
    zone = LandingZone(settings.landing, settings.aws.region if settings.aws else None)
    # The tables' library is slow to load.
    from deputies_lake.raw.origin import origins

    if invented := [name for name, is_invented in origins(zone).items() if is_invented]:
        raise click.ClickException(
            f"{settings.landing} holds invented files ({', '.join(invented)}): real ones are not put beside them. Take "
            f"them away, or set {HOME} to another folder"
        )
    click.echo(f"Fetching from {settings.chamber_url} into {settings.landing}")
    display = _Display(live=sys.stdout.isatty())
    fetched = fetch_years(zone, settings.chamber_url, years, report=display.report, progress=display.progress)
    display.end()
    counts = {outcome: sum(one.outcome is outcome for one in fetched.values()) for outcome in Outcome}
    click.echo(", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count))
    for one in fetched.values():
        if one.error:
            click.secho(str(one.error), fg="red", err=True)
    if counts[Outcome.FAILED]:
        sys.exit(1)


class _Display:
    """Lines as they come; below them, where a person watches, how far each download is."""

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._under_way: dict[int, str] = {}
        self._drawn = 0.0

    def report(self, line: str) -> None:
        self._clear()
        click.echo(f"  {line}")

    def progress(self, year: int, done: int, total: int | None) -> None:
        of = f" of {total / 2**20:,.1f}" if total else ""
        self._under_way[year] = f"{year}: {done / 2**20:,.1f}{of} MiB"
        if done == total:
            del self._under_way[year]
        if self._live and time.monotonic() > self._drawn + _REDRAW_SECONDS:
            self._drawn = time.monotonic()
            self._clear()
            shown = "   ".join(text for _, text in sorted(self._under_way.items()))
            click.echo(f"  {shown}"[: shutil.get_terminal_size().columns - 1], nl=False)

    def end(self) -> None:
        self._clear()

    def _clear(self) -> None:
        if self._live:
            click.echo("\r\x1b[K", nl=False)
