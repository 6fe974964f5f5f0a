"""`deputies-lake status`: how the lake is, on one screen, for people and monitors. What is told is in `status.py`."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import click

from deputies_lake.alerts import alerts_of
from deputies_lake.cli.options import environment_option
from deputies_lake.environments import DAGSTER_HOME, Settings, SettingsError, load_settings, values
from deputies_lake.quota_years import TIMEZONE, clock

if TYPE_CHECKING:
    import dagster as dg

    from deputies_lake.status import Blocked, InstanceStatus, Morning, Status, TableStatus

# Of a morning in time, by the hour at which its figures were ready: the later, the higher.
_BARS: Final = "▁▂▃▄▅▆▇"
_LATE: Final = "█"
_NOT_MEASURED: Final = "·"


@click.command()
@environment_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--settings", "with_settings", is_flag=True, help="Also the settings in use; secrets stay hidden.")
def status(environment: str | None, *, as_json: bool, with_settings: bool) -> None:
    """Say what is fresh, what is late, what is blocked and why, and what to type next.

    Ends with 0 where all is well, with 1 where something is late, blocked or left half done. Clocks are Brasília's.
    """
    # Opening a lake loads Dagster and more, which takes seconds; other verbs need none.
    from deputies_lake.resources.lake import LakeResource
    from deputies_lake.status import settings_in_use, status_of

    try:
        settings = load_settings(environment)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    with _instance(settings) as instance:
        found = status_of(LakeResource.of(settings).open(), settings, instance, datetime.now(UTC))
    if as_json:
        told = {**asdict(found), "is_well": found.is_well}
        if with_settings:
            told["settings"] = {name: value for name, (value, _) in settings_in_use().items()}
        click.echo(json.dumps(told, default=str, ensure_ascii=False, indent=2))
    else:
        _tell(found)
        if with_settings:
            _tell_settings(settings_in_use())
    sys.exit(0 if found.is_well else 1)


@contextmanager
def _instance(settings: Settings) -> "Iterator[dg.DagsterInstance | None]":
    """Dagster's instance, if one is set up: what `DAGSTER_HOME` names, else the one in the local lake."""
    import dagster as dg
    from sqlalchemy.exc import SQLAlchemyError

    named = values([DAGSTER_HOME]).get(DAGSTER_HOME)
    home = Path(named) if named else Path(settings.home or ".") / "dagster"
    if not (home / "dagster.yaml").exists():
        yield None
        return
    try:
        instance = dg.DagsterInstance.from_config(str(home))
    except (dg.DagsterError, SQLAlchemyError) as error:
        click.secho(f"Dagster's instance in {home} can't be opened: {type(error).__name__}", fg="yellow", err=True)
        yield None
        return
    with instance:
        yield instance


def _tell(found: "Status") -> None:
    where = f"{found.environment}, of invented data" if found.is_invented else found.environment
    click.secho(f"deputies_lake {where}, {clock(found.at)} in Brasília: {_verdict(found)}", bold=True)
    if not found.tables:
        click.echo("The lake is empty. Bring it some files, or let the demo make a sample.")
    _tell_troubles(found)
    if found.tables:
        _heading("Tables")
        for layer in dict.fromkeys(table.name.partition(".")[0] for table in found.tables):
            _tell_layer(layer, [table for table in found.tables if table.name.startswith(f"{layer}.")])
    if found.files:
        _tell_files(found)
    _heading("Dagster")
    if found.instance:
        _tell_instance(found.instance)
    else:
        click.echo(f"  no instance on this machine that can be read; {DAGSTER_HOME} says where one is")
    if found.next_commands:
        _heading("Next")
        for command in found.next_commands:
            click.echo(f"  {command}")


def _verdict(found: "Status") -> str:
    troubles = []
    if found.late_since:
        troubles.append("late")
    if found.damaged:
        troubles.append(f"{len(found.damaged)} table{'s' if len(found.damaged) > 1 else ''} damaged")
    waiting = [one for one in found.blocked if not one.is_accepted]
    doubted = [one for one in waiting if one.can_be_accepted]
    for files, what in ((doubted, "blocked"), ([one for one in waiting if one not in doubted], "refused")):
        if files:
            troubles.append(f"{len(files)} file{'s' if len(files) > 1 else ''} {what}")
    if found.problems:
        count = len(alerts_of(found.problems, found.environment))
        troubles.append(f"{count} problem{'s' if count > 1 else ''}")
    return ", ".join(troubles) or ("well" if found.tables else "empty")


def _tell_troubles(found: "Status") -> None:
    for damage in found.damaged:
        click.secho(f"damaged  {damage}", fg="red")
    for one in found.blocked:
        _tell_blocked(one)
    if found.late_since:
        click.secho(f"late     since {clock(found.late_since)}", fg="red")
    for problem in alerts_of(found.problems, found.environment):
        years = f" ({problem.told_years})" if problem.years else ""
        click.secho(f"problem  {problem.title}{years}, since {clock(datetime.fromisoformat(problem.since))}", fg="red")
        for detail in problem.details:
            click.echo(f"         {detail}")
    for file in found.rejected:
        click.secho(f"rejected {file.file_name}: {file.told}", fg="yellow")
    for back in found.rolled_back:
        told = f"{back.what} to the version of {clock(back.since)}, by {back.by} at {clock(back.at)}: {back.reason}"
        click.secho(f"rolled back {told}", fg="yellow")
    for unused in found.unused:
        click.secho(f"unused   {unused}", fg="yellow")


def _tell_blocked(one: "Blocked") -> None:
    if one.is_accepted:
        click.secho(f"accepted {one.file_name}: it waits to be published", fg="yellow")
        return
    what = "blocked" if one.can_be_accepted else "refused"
    # Why it can't be read begins with its name.
    name = "" if one.why.startswith(one.file_name) else f"{one.file_name}: "
    click.secho(f"{what:<9}{one.year or 'all years'} since {clock(one.since)}: {name}{one.why}", fg="red")


def _tell_layer(layer: str, tables: "Sequence[TableStatus]") -> None:
    years = sorted({year for table in tables for year in table.years})
    span = " to ".join(dict.fromkeys(str(year) for year in (*years[:1], *years[-1:])))
    newest = max(table.published_at for table in tables)
    rows = sum(table.rows for table in tables)
    engines = sorted({table.engine for table in tables if table.engine})
    by = f"   by {', '.join(engines)}" if engines else ""
    click.echo(f"  {layer:<9}{len(tables):>3} tables {rows:>14,} rows   published {clock(newest)}   {span}{by}")


def _tell_files(found: "Status") -> None:
    _heading("The House's files that readers have")
    for file in found.files[-2:]:
        made = clock(file.made_at) if file.made_at else "unknown"
        click.echo(f"  {file.file_name:<20} made {made}   taken in {clock(file.taken_in_at)}")
    if others := found.files[:-2]:
        oldest = min(file.taken_in_at for file in others)
        years = [str(file.year) for file in (others[0], *others[1:][-1:])]
        count = f"{len(others)} other{'s' if len(others) > 1 else ''}"
        click.echo(f"  {count}, {' to '.join(years)}, taken in since {clock(oldest)}")
    _heading(f"Ready by {found.deadline:%H:%M}, the last {len(found.mornings)} days")
    click.echo(f"  {''.join(_bar(morning) for morning in found.mornings)}  {_today(found.mornings[-1])}")


def _tell_instance(instance: "InstanceStatus") -> None:
    for run in instance.runs:
        started = clock(run.started_at) if run.started_at else "waiting".ljust(16)
        click.echo(f"  {started}  {run.status.lower():<11}{run.job} {run.years}  {run.run_id[:8]}")
    if not instance.runs:
        click.echo("  no run yet")
    still = [name.lower() for name, healthy in instance.daemons.items() if not healthy]
    click.echo(f"  daemons: {'all alive' if not still else 'no sign of ' + ', '.join(still)}")
    for word, on in (("on", True), ("off", False)):
        if names := [name for name, is_on in sorted(instance.switches.items()) if is_on is on]:
            click.echo(f"  {word}: {', '.join(names)}")


def _tell_settings(settings: Mapping[str, tuple[str, str]]) -> None:
    _heading("Settings")
    for name, (value, meaning) in settings.items():
        click.echo(f"  {name}={value}" if value else f"  {name} is not set: {meaning}")


def _bar(morning: "Morning") -> str:
    if morning.ready_at is None:
        return _NOT_MEASURED
    if not morning.is_in_time:
        return _LATE
    return _BARS[min(morning.ready_at.astimezone(ZoneInfo(TIMEZONE)).hour, len(_BARS) - 1)]


def _today(morning: "Morning") -> str:
    if morning.ready_at is None:
        return f"today not ready   ({_NOT_MEASURED} not ready, {_LATE} late)"
    return f"today at {morning.ready_at.astimezone(ZoneInfo(TIMEZONE)):%H:%M}"


def _heading(text: str) -> None:
    click.secho(text, bold=True)
