"""From what lies in the landing zone to the whole lake, in one go, through Dagster; and what came of it.

What `make demo` runs. The runs are ordinary ones: they stay in the Dagster instance, and the UI shows them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

import dagster as dg

from deputies_lake import causes
from deputies_lake.automation.progress import RUN_CONFIG
from deputies_lake.checks.audit import auditor
from deputies_lake.definitions import defs
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.partitions import range_tags
from deputies_lake.quota_years import FIRST_YEAR, current_year
from deputies_lake.raw import chamber_expenses, kaggle_reimbursements
from deputies_lake.star import fct_expenses


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the demo's runs made of the lake. `warnings` are the checks that did not pass and stop nothing.

    `refused` says whether one of them kept a file or a year from being published.
    """

    succeeded: bool
    problems: Sequence[str]
    checks_passed: int
    warnings: Sequence[str]
    refused: bool


@dataclass(frozen=True, kw_only=True)
class YearTotal:
    """What the fact holds of a year, in BRL: the documents' value, and the net, None where the source knows none."""

    year: int
    source_code: str
    rows: int
    amount: Decimal
    net: Decimal | None


def raw() -> dg.JobDefinition:
    return defs.resolve_job_def("raw")


def expenses() -> dg.JobDefinition:
    return defs.resolve_job_def("expenses")


def materialize_all(instance: dg.DagsterInstance, lake: Lake) -> Outcome:
    """Take in the landing zone, then build everything for the years that are in it, or were in the lake before."""
    taken_in = _run(instance, raw, range(FIRST_YEAR, current_year() + 1))
    if not taken_in.succeeded:
        return taken_in
    sources = (kaggle_reimbursements.TABLE, chamber_expenses.TABLE, fct_expenses.TABLE)
    years = {year for table in sources for year in lake.years(table)}
    if not years:
        # Of files without rows, such as that of a year that has just begun, there is nothing to build.
        return taken_in
    built = _run(instance, expenses, range(min(years), max(years) + 1))
    return Outcome(
        succeeded=built.succeeded,
        problems=built.problems,
        checks_passed=taken_in.checks_passed + built.checks_passed,
        warnings=[*taken_in.warnings, *built.warnings],
        refused=taken_in.refused or built.refused,
    )


def totals_by_year(lake: Lake) -> list[YearTotal]:
    """Rows and amounts of the published fact; none where there is no fact yet."""
    if not lake.exists(fct_expenses.TABLE):
        return []
    with auditor() as connection:
        view = lake.view(connection, fct_expenses.TABLE)
        found = connection.sql(
            f"SELECT year, source_code, count(*), sum(document_amount), sum(net_amount) FROM {view} "
            "GROUP BY ALL ORDER BY year"
        ).fetchall()
    names = ("year", "source_code", "rows", "amount", "net")
    return [YearTotal(**dict(zip(names, row, strict=True))) for row in found]


def _run(instance: dg.DagsterInstance, job: Callable[[], dg.JobDefinition], years: range) -> Outcome:
    tags = range_tags(years[0], years[-1])
    with dg.execute_job(dg.reconstructable(job), instance=instance, run_config=RUN_CONFIG, tags=tags) as result:
        checks = result.get_asset_check_evaluations()
        failures = [event for event in result.all_events if event.is_step_failure or event.is_run_failure]
        begun = {event.step_key for event in result.all_events if event.is_step_start}
        left_out = [node.name for node in result.job_def.nodes if node.name not in begun]
    failed = [check for check in checks if not check.passed]
    causes_of_steps = [causes.of_event(event) for event in failures if event.is_step_failure]
    return Outcome(
        succeeded=result.success,
        # A run that fails before its first step has no other event that says why.
        problems=[*(causes_of_steps or [causes.of_event(event) for event in failures]), *_told(left_out)],
        checks_passed=len(checks) - len(failed),
        warnings=[_sentence(check) for check in failed],
        refused=any(check.severity == dg.AssetCheckSeverity.ERROR for check in failed),
    )


def _told(left_out: Sequence[str]) -> Iterator[str]:
    """The steps that come after one that failed, in a line."""
    if left_out:
        yield f"Not executed, for they come after what failed: {len(left_out)} steps, {', '.join(left_out)}"


def _sentence(check: dg.AssetCheckEvaluation) -> str:
    """What a check found; of files, each that it names and what to do, as they stand beside its result in the UI."""
    told = f"{check.asset_key.to_user_string()} {check.check_name}: {check.description}"
    if check.asset_key.path[0] != "raw":
        return told
    return "\n".join([told, *(f"    {name}: {figure.value}" for name, figure in check.metadata.items())])
