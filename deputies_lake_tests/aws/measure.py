"""What runs cost on EMR: steps, cluster time, and the launcher's own part of a step. On the emulated AWS.

`python -m deputies_lake_tests.aws.measure --write deputies_lake/docs/aws_costs.md` (`make aws-bench`). EMR's own
minutes, such as starting machines, are not in the figures; the numbers of steps and the ratios are what holds there,
too.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import dagster as dg

from deputies_lake.assets import key_of
from deputies_lake.environments import POLL_SECONDS as POLL
from deputies_lake.environments import AwsSettings, load_settings
from deputies_lake.star import fct_expenses
from deputies_lake_tests.aws.emulator import EmulatedAws
from deputies_lake_tests.aws.page import ENVIRONMENT, Terminal, lines, new_terminal, play
from deputies_lake_tests.bench.report import spread, table

POLL_SECONDS: Final = 1.0
YEARS: Final = 17

MATERIALIZE: Final = "dagster asset materialize -m deputies_lake.definitions --select"
STAGING_AND_STAR: Final = "'group:staging or group:star'"
RUNS: Final = {
    "a full load, 2009 to 2017": f"{MATERIALIZE} '*' --partition-range 2009...2017",
    "one restated year": f"{MATERIALIZE} {STAGING_AND_STAR} --partition 2016",
    f"a backfill of {YEARS} years": f"{MATERIALIZE} {STAGING_AND_STAR} --partition-range 2009...2025",
}
ONE_STEP: Final = f"{MATERIALIZE} {'/'.join(key_of(fct_expenses.TABLE).path)} --partition 2016"
NO_WORK: Final = f"{MATERIALIZE} raw/kaggle_refunds"

# The same step without a launcher: what its process does on the cluster, and nothing that goes back and forth.
BARE: Final = """
import dagster as dg
from deputies_lake.definitions import defs
from deputies_lake.raw import assets as raw
from deputies_lake.staging import assets as staging
from deputies_lake.star import assets as star

assets = dg.load_assets_from_modules([raw, staging, star])
resources = {**defs.resources, "pyspark_step_launcher": dg.ResourceDefinition.none_resource()}
facts = dg.AssetSelection.assets(["star", "fct_expenses"], ["star", "fct_expense_changes"])
assert dg.materialize(assets, selection=facts, partition_key="2016", resources=resources).success
"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of a run: its EMR steps, and the seconds from the start of the first to the end of the last."""

    steps: int
    seconds: float


def cost(aws: EmulatedAws, terminal: Terminal, line: str) -> Cost:
    before = len(aws.steps())
    play(terminal, [line])
    steps = aws.steps()[before:]
    return Cost(steps=len(steps), seconds=_seconds(steps[0], steps[-1]))


def stock_steps(years: int, layers: Sequence[str]) -> int:
    """Steps if each asset and each of its years were one, as the stock launcher with a run for each year has it."""
    from deputies_lake.definitions import defs

    specs = [spec for spec in defs.resolve_all_asset_specs() if spec.group_name in layers]
    return sum(years if spec.partitions_def else 1 for spec in specs)


def launched(terminal: Terminal) -> float:
    """Seconds that a run of one step takes as Dagster's host sees it, without loading the definitions."""
    play(terminal, [ONE_STEP])
    with dg.DagsterInstance.from_config(terminal.variables["DAGSTER_HOME"]) as instance:
        # Of the run, not of the step: the step's own start is told by the cluster, when half of the time has passed.
        run = instance.get_run_stats(instance.get_runs(limit=1)[0].run_id)
    assert run.start_time
    assert run.end_time
    return run.end_time - run.start_time


def bare(aws: EmulatedAws, settings: AwsSettings) -> float:
    """Seconds that EMR takes for the work of the last launched step, submitted by hand: with another main."""
    command = [*aws.steps()[-1].args]
    main = next(place for place, word in enumerate(command) if word.endswith("step_main.py"))
    key = "measure/bare.py"
    aws.client("s3").put_object(Bucket=settings.artifacts_bucket, Key=key, Body=BARE.encode())
    command[main:] = [f"s3://{settings.artifacts_bucket}/{key}"]
    cluster = aws.clusters()[-1].id
    emr = aws.client("emr")
    step = {
        "Name": "bare",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": command},
        "ActionOnFailure": "CONTINUE",
    }
    step_id = emr.add_job_flow_steps(JobFlowId=cluster, Steps=[step])["StepIds"][0]
    emr.get_waiter("step_complete").wait(
        ClusterId=cluster, StepId=step_id, WaiterConfig={"Delay": POLL_SECONDS, "MaxAttempts": 600}
    )
    done = aws.steps()[-1]
    return _seconds(done, done)


def page(rows: int, rounds: int) -> str:
    """Do it all; the findings as Markdown."""
    with tempfile.TemporaryDirectory() as folder, EmulatedAws() as aws:
        terminal = new_terminal(aws, Path(folder), rows)
        terminal.variables[POLL] = str(POLL_SECONDS)
        typed = [line for line in lines() if not line.startswith("deputies-lake infra down")]
        play(terminal, typed[: next(n for n, line in enumerate(typed) if line.startswith(MATERIALIZE))])
        settings = load_settings(ENVIRONMENT, terminal.variables).aws
        assert settings is not None
        costs = {title: cost(aws, terminal, line) for title, line in RUNS.items()}
        fixed = [cost(aws, terminal, NO_WORK).seconds for _ in range(rounds)]
        pairs = [(launched(terminal), bare(aws, settings)) for _ in range(rounds)]
    stock = dict(
        zip(
            RUNS,
            (
                stock_steps(9, ("raw", "staging", "star", "serving")),
                stock_steps(1, ("staging", "star")),
                stock_steps(YEARS, ("staging", "star")),
            ),
            strict=True,
        )
    )
    each = statistics.median(fixed)
    runs = [
        [title, f"{found.steps}", f"{found.seconds / 60:.1f}", f"{stock[title]}", f"{stock[title] * each / 60:.1f}"]
        for title, found in costs.items()
    ]
    ratios = [(host - POLL_SECONDS) / hand for host, hand in pairs]
    overhead = [
        ["a step that has nothing to do (its fixed cost), on EMR", spread(fixed)],
        [f"the fact of one year, as Dagster sees it (asking every {POLL_SECONDS:g} s)", spread([h for h, _ in pairs])],
        ["the same work, submitted by hand", spread([b for _, b in pairs])],
        ["ratio of the two, without one poll", spread(ratios)],
    ]
    names = ["run", "EMR steps", "minutes of EMR", "steps the stock way", "minutes of their fixed costs alone"]
    return "\n".join(
        [
            "# What runs cost on EMR",
            "",
            f"{rows:,} rows, an emulated EMR on this machine: real `spark-submit`, S3 through S3A, Glue; no machines",
            "to start and no YARN. Numbers of steps and ratios hold on AWS, seconds do not. The stock way: each asset",
            "and each of its years is a step of its own.",
            "",
            table(names, runs),
            "",
            table(["", "s"], overhead),
            "",
            f"- Machine: {len(os.sched_getaffinity(0))} cores, load average {os.getloadavg()[0]:.1f} at the end",
            f"- The two ways of a step in turns, rounds: {rounds}; median (min to max)",
            f"- Date: {datetime.now(tz=UTC):%Y-%m-%d %H:%M} UTC",
            "- Command: `make aws-bench`",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, help="also write the page there")
    given = parser.parse_args()
    text = page(given.rows, given.rounds)
    print(text)
    if given.write:
        given.write.write_text(text, encoding="utf-8")


def _seconds(first: Any, last: Any) -> float:
    """From a step's start to a step's end, as EMR has noted them."""
    return float((last.end_date_time - first.start_date_time).total_seconds())


if __name__ == "__main__":
    main()
