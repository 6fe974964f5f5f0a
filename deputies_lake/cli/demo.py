"""`deputies-lake demo`: a whole lake on this machine, built while one watches. Its runs are in `demo_runs.py`."""

import shlex
import sys
from pathlib import Path

import click

from deputies_lake.cli.options import heading
from deputies_lake.cli.sample import ROWS, write_sample
from deputies_lake.environments import (
    CHAMBER_URL,
    DAGSTER_HOME,
    DEMO_HOME,
    ENVIRONMENT,
    HOME,
    LAKE_HOME,
    LANDING,
    VARIABLES,
    Settings,
    fetch_nothing,
    load_settings,
    provide_dagster_home,
    use_home_unless_set,
    use_landing,
    values,
)
from deputies_lake.java import end_java
from deputies_lake.raw.archive import LandingZone


@click.command()
@click.option(
    "--input",
    "landing",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with deputies_dataset.csv (or .csv.gz) and, optionally, dirty_deputies_v2.csv.",
)
@click.option("--rows", default=ROWS, show_default=True, help="Size of the sample, where there is no input.")
def demo(landing: Path | None, rows: int) -> None:
    """Build the whole lake on this machine and say what came of it.

    Takes what lies in the landing zone, lake/landing. Where nothing does, it invents data and builds a lake of them in
    a home of its own, demo_lake; real and invented data are never mixed.
    """
    # What a demo shows must not depend on what the House published last night; `fetch` is for those who want it.
    fetch_nothing()
    if landing:
        use_landing(landing)
    settings = load_settings()
    if settings.home is None:
        raise click.UsageError(f"the demo builds a local lake; unset {ENVIRONMENT}, which is {settings.environment}")
    settings = _settings_of_demo(rows)
    home = provide_dagster_home()

    # Loading the definitions takes seconds; the other verbs need none.
    import dagster as dg

    from deputies_lake.cli import demo_runs
    from deputies_lake.resources.lake import LakeResource

    lake = LakeResource.of(settings).open()
    click.echo(f"Building the lake in {settings.warehouse} from {settings.landing} with {settings.engine.title()}")
    with dg.DagsterInstance.get() as instance:
        outcome = demo_runs.materialize_all(instance, lake)
    end_java()
    if not outcome.succeeded:
        for problem in outcome.problems:
            click.secho(problem, fg="red", err=True)
        sys.exit(1)

    heading("Tables")
    for name, count in lake.overview():
        click.echo(f"  {name:<36}{count:>14,} rows")
    heading("Receipts by quota year")
    for total in demo_runs.totals_by_year(lake):
        net = "not known" if total.net is None else f"{total.net:,.2f}"
        click.echo(
            f"  {total.year}{total.rows:>12,} rows   BRL {total.amount:>16,.2f}   net {net:>16}   {total.source_code}"
        )
    heading("Checks")
    others = f"; good to know of the other{'s' if len(outcome.warnings) > 1 else ''}:" if outcome.warnings else ""
    click.echo(f"  {outcome.checks_passed} of {outcome.checks_passed + len(outcome.warnings)} passed{others}")
    for warning in outcome.warnings:
        click.echo(f"  {warning}")
    _tell_where_things_are(settings, home)
    if outcome.refused:
        click.secho("\nNot all was published: see Checks", fg="red", err=True)
        sys.exit(1)


def _settings_of_demo(rows: int) -> Settings:
    """Those of the lake that is built: of what has landed, or else of data that are invented here."""
    # Tables' library is slow to load; the other verbs need none.
    from deputies_lake.raw.origin import is_invented_lake, origins
    from deputies_lake.resources.lake import LakeResource

    zone = LandingZone(load_settings(variables={HOME: LAKE_HOME, **values(VARIABLES)}).landing)
    found = origins(zone)
    if zone.files() and (True not in found.values() or False in found.values()):
        use_home_unless_set(LAKE_HOME)
        return load_settings()
    use_home_unless_set(DEMO_HOME)
    use_landing(Path(zone.location) if found else Path(load_settings().home or ".") / "landing")
    settings = load_settings()
    if found:
        return settings
    if is_invented_lake(LakeResource.of(settings).open()) is False:
        raise click.UsageError(
            f"the lake in {settings.home} is of real data, and nothing lies in {zone.location}: fetch what is to be "
            f"taken in with deputies-lake fetch; or set {HOME} to another folder for a lake of invented data"
        )
    if not LandingZone(settings.landing).files():
        write_sample(Path(settings.landing), rows=rows, seed=2017, compress=False)
    return settings


def _tell_where_things_are(settings: Settings, dagster_home: Path) -> None:
    """And what to type next."""
    heading("Where things are")
    places: dict[str, str | Path] = {
        "dashboard": f"{settings.published}/dashboard.html",
        "dictionary": f"{settings.published}/dictionary.html",
        "DuckDB": f"{settings.published}/lake.duckdb",
        "tables": settings.warehouse,
        "archive": settings.archive,
        "runs": dagster_home,
    }
    # Where all files were refused, nothing was made for people to open.
    there = {what: place for what, place in places.items() if Path(place).exists()}
    for what, place in there.items():
        click.echo(f"  {what:<12}{place}")
    heading("Next")
    exports = {DAGSTER_HOME: dagster_home, HOME: settings.home, LANDING: settings.landing, CHAMBER_URL: "none"}
    for variable, value in exports.items():
        click.echo(f"  export {variable}={shlex.quote(str(value))}")
    scripts = Path(sys.executable).parent
    if "DuckDB" in there:
        click.echo(f"  {scripts / 'deputies-lake'} query --question 2    # who spent most in each year")
    else:
        click.echo(f"  {scripts / 'deputies-lake'} status    # what was refused, and what to do")
    click.echo(f"  {scripts / 'dagster'} dev    # the asset graph: http://localhost:3000")
