"""`deputies-lake`: thin verbs over public functions.

What a verb does is in the module it calls; here are arguments, and what a person reads. Materializing, backfills and
schedules are Dagster's own commands' business.
"""

import shlex
import sys
from pathlib import Path
from typing import Any

import click
import dagster as dg

from deputies_lake.aws import require_account
from deputies_lake.aws_commands import environment_option, explained
from deputies_lake.causes import told
from deputies_lake.emr.artifact import ArtifactError, current, missing_parts
from deputies_lake.emr.cluster_commands import cluster
from deputies_lake.emr.packaging import Built, build, to_deploy
from deputies_lake.emr.packaging import deploy as upload
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
from deputies_lake.fetch_command import fetch
from deputies_lake.history_commands import accept, diff, history
from deputies_lake.infrastructure.commands import infra
from deputies_lake.java import ClassArchiveError, end_java, make_class_archive
from deputies_lake.maintenance_command import maintain, relocate, repair
from deputies_lake.raw.archive import LandingZone
from deputies_lake.reading_commands import export, query
from deputies_lake.sample.chamber import FEWEST_ROWS, write_chamber_files
from deputies_lake.sample.kaggle import write_kaggle_files
from deputies_lake.status_commands import status

_SAMPLE_ROWS = 100_000
# Kaggle's file ends with 2017.
_SAMPLE_YEARS = range(2018, 2021)


class _Verbs(click.Group):
    """What a person can mend becomes a message without a traceback, whichever verb it was."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if sentence := told(error):
                raise click.ClickException(sentence) from error
            raise


@click.group(cls=_Verbs)
def main() -> None:
    """The expense receipts of Brazil's House of Deputies as a star schema."""


main.add_command(accept)
main.add_command(cluster)
main.add_command(diff)
main.add_command(export)
main.add_command(fetch)
main.add_command(history)
main.add_command(infra)
main.add_command(maintain)
main.add_command(relocate)
main.add_command(repair)
main.add_command(status)
main.add_command(query)

_into = click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("dist"),
    show_default=True,
    help="Folder to build in; laid out as the artifacts bucket is.",
)


@main.command()
@click.option("--rows", default=_SAMPLE_ROWS, show_default=True, help="Rows of deputies_dataset.csv.")
@click.option("--seed", default=2017, show_default=True, help="Equal seeds give equal files.")
@click.option("--compress", is_flag=True, help="Write .csv.gz.")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def sample(rows: int, seed: int, directory: Path, *, compress: bool) -> None:
    """Write invented input to DIRECTORY, at any size: both of Kaggle's files, and the House's of the years after them.

    Each of the House's has a tenth of the rows. No other file is replaced but invented ones.
    """
    # Only here are tables needed, whose library is slow to load.
    from deputies_lake.raw.origin import origins

    if real := [
        name for name, is_invented in origins(LandingZone(str(directory.absolute()))).items() if not is_invented
    ]:
        raise click.UsageError(
            f"{directory} holds {', '.join(real)}, which this verb did not write: choose a folder without real files"
        )
    _write_sample(directory, rows=rows, seed=seed, compress=compress)


@main.command()
@click.option(
    "--input",
    "landing",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with deputies_dataset.csv (or .csv.gz) and, optionally, dirty_deputies_v2.csv.",
)
@click.option("--rows", default=_SAMPLE_ROWS, show_default=True, help="Size of the sample, where there is no input.")
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
    from deputies_lake import demo as steps
    from deputies_lake.resources.lake import LakeResource

    lake = LakeResource.of(settings).open()
    click.echo(f"Building the lake in {settings.warehouse} from {settings.landing} with {settings.engine.title()}")
    with dg.DagsterInstance.get() as instance:
        outcome = steps.materialize_all(instance, lake)
    end_java()
    if not outcome.succeeded:
        for problem in outcome.problems:
            click.secho(problem, fg="red", err=True)
        sys.exit(1)

    _heading("Tables")
    for name, count in lake.overview():
        click.echo(f"  {name:<36}{count:>14,} rows")
    _heading("Receipts by quota year")
    for total in steps.totals_by_year(lake):
        net = "not known" if total.net is None else f"{total.net:,.2f}"
        click.echo(
            f"  {total.year}{total.rows:>12,} rows   BRL {total.amount:>16,.2f}   net {net:>16}   {total.source_code}"
        )
    _heading("Checks")
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
        _write_sample(Path(settings.landing), rows=rows, seed=2017, compress=False)
    return settings


def _tell_where_things_are(settings: Settings, dagster_home: Path) -> None:
    """And what to type next."""
    _heading("Where things are")
    places = {
        "dashboard": f"{settings.published}/dashboard.html",
        "dictionary": f"{settings.published}/dictionary.html",
        "DuckDB": f"{settings.published}/lake.duckdb",
        "tables": settings.warehouse,
        "archive": settings.archive,
        "runs": dagster_home,
    }
    for what, place in places.items():
        click.echo(f"  {what:<12}{place}")
    _heading("Next")
    exports = {DAGSTER_HOME: dagster_home, HOME: settings.home, LANDING: settings.landing, CHAMBER_URL: "none"}
    for variable, value in exports.items():
        click.echo(f"  export {variable}={shlex.quote(str(value))}")
    scripts = Path(sys.executable).parent
    click.echo(f"  {scripts / 'deputies-lake'} query --question 2    # who spent most in each year")
    click.echo(f"  {scripts / 'dagster'} dev    # the asset graph: http://localhost:3000")


@main.command()
def prepare() -> None:
    """Keep Java's loaded classes on disk, so that every run on this machine takes seconds less.

    Builds a small lake in a temporary directory to learn which they are. Again after an update of Java or Spark.
    """
    click.echo("Preparing Java for quick starts: Spark builds a small lake, which takes one to three minutes, once")
    try:
        archive = make_class_archive()
    except ClassArchiveError as error:
        raise click.ClickException(f"{error}\nWithout it all works as well, a few seconds slower.") from error
    size = sum(file.stat().st_size for file in archive.iterdir())
    click.echo(f"  {size / 2**20:,.0f} MiB of classes in {archive}")


@main.command()
@_into
def package(folder: Path) -> None:
    """Build what clusters run: this code as a zip, and the wheels of its Python environment. Once per version."""
    try:
        _build(folder)
    except ArtifactError as error:
        raise click.ClickException(str(error)) from error


@main.command()
@environment_option
@_into
def deploy(environment: str | None, folder: Path) -> None:
    """Upload what clusters run, as far as it is not there yet; build it first if need be."""
    with explained(environment) as (_, aws):
        require_account(aws)
        if not missing_parts(aws, current()):
            click.echo("All there already; nothing was sent")
            return
        built = _build(folder)
        with click.progressbar(length=to_deploy(built), label=f"Uploading to s3://{aws.artifacts_bucket}") as bar:
            sent = upload(aws, built, lambda _: bar.update(1))
        click.echo(f"  {len(sent)} files sent")


def _build(folder: Path) -> Built:
    built = build(current(), folder, click.echo)
    for part, identity in (("code", built.artifact.code_id), ("environment", built.artifact.environment_id)):
        click.echo(f"  {part:<12} {identity}  {'new' if part in built.new else 'was there already'}")
    size = sum(file.stat().st_size for file in (*built.of_code(), *built.of_environment()))
    click.echo(f"  {size / 2**20:,.0f} MiB in {folder}")
    return built


def _write_sample(directory: Path, *, rows: int, seed: int, compress: bool) -> None:
    with click.progressbar(length=rows, label=f"Writing {rows:,} invented rows to {directory}") as bar:
        written = write_kaggle_files(
            directory, rows=rows, seed=seed, compress=compress, progress=lambda done, _: bar.update(done - bar.pos)
        )
    click.echo(f"  {written.reimbursements.name}: {written.rows:,} rows, BRL {written.total:,}")
    rows_per_year = max(rows // 10, FEWEST_ROWS)
    house = write_chamber_files(
        directory, years=_SAMPLE_YEARS, rows_per_year=rows_per_year, seed=seed, kaggle_rows=rows
    )
    for year in house.by_year.values():
        click.echo(f"  {year.path.name}: {year.total.rows:,} rows, net BRL {year.total.net:,}")


def _heading(text: str) -> None:
    click.secho(f"\n{text}", bold=True)
