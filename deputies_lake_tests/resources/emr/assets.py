"""A small code location whose steps the tests of the launcher run: assets, checks, retries and failures of each kind.

Steps need a job that another process, here another thread, can make anew; so it is a module's.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from deputies_lake.resources.emr.launcher import EmrStepLauncher

YEARS = dg.StaticPartitionsDefinition(["2015", "2016", "2017"])
RETRIES = 2

_launchers: list[EmrStepLauncher | None] = [None]


def use(launcher: EmrStepLauncher | None) -> None:
    """Run steps with this launcher from now on; None runs them in the run's process."""
    _launchers[0] = launcher


class CodeError(RuntimeError):
    """What an asset's own code gets wrong."""


@dg.asset(
    code_version="1",
    check_specs=[dg.AssetCheckSpec("before", asset="source"), dg.AssetCheckSpec("fits", asset="source")],
)
def source(context: dg.AssetExecutionContext, pyspark_step_launcher: dg.ResourceParam[Any]) -> Iterator[Any]:
    context.log.info("hello from the driver")
    yield dg.AssetCheckResult(passed=True, check_name="before")
    checked = dg.AssetCheckResult(passed=True, check_name="fits", metadata={"bad": 0})
    yield dg.MaterializeResult(metadata={"rows": 3}, check_results=[checked])


@dg.asset(
    deps=[source],
    code_version="1",
    partitions_def=YEARS,
    check_specs=[dg.AssetCheckSpec("fits", asset="by_year")],
)
def by_year(context: dg.AssetExecutionContext, pyspark_step_launcher: dg.ResourceParam[Any]) -> Iterator[Any]:
    yield dg.MaterializeResult(
        metadata={"years": ",".join(context.partition_keys)},
        check_results=[dg.AssetCheckResult(passed=True, check_name="fits")],
    )


@dg.multi_asset(
    specs=[
        dg.AssetSpec("left", deps=[by_year], code_version="1"),
        dg.AssetSpec("right", deps=["left", source], code_version="1"),
    ]
)
def pair(
    context: dg.AssetExecutionContext, pyspark_step_launcher: dg.ResourceParam[Any]
) -> Iterator[dg.MaterializeResult[None]]:
    yield dg.MaterializeResult(asset_key="left")
    yield dg.MaterializeResult(asset_key="right", data_version=dg.DataVersion("given"))


@dg.asset
def fails(pyspark_step_launcher: dg.ResourceParam[Any]) -> None:
    raise dg.Failure("the input is wrong", metadata={"line": 7})


@dg.asset(retry_policy=dg.RetryPolicy(max_retries=RETRIES, delay=0.01))
def unlucky(context: dg.AssetExecutionContext, pyspark_step_launcher: dg.ResourceParam[Any]) -> None:
    """Fails at its first attempt."""
    context.log.info(f"attempt {context.retry_number}")
    if context.retry_number == 0:
        raise CodeError("out of luck")


@dg.asset
def overtaken(context: dg.AssetExecutionContext, pyspark_step_launcher: dg.ResourceParam[Any]) -> None:
    """Asks for two more attempts, as a step does that another run overtook."""
    if context.retry_number < 2:
        raise dg.RetryRequested(max_retries=2, seconds_to_wait=0.01)


@dg.asset(retry_policy=dg.RetryPolicy(max_retries=RETRIES, delay=0.01))
def steady(context: dg.AssetExecutionContext, pyspark_step_launcher: dg.ResourceParam[Any]) -> None:
    """Succeeds, wherever the infrastructure lets it."""


def job() -> dg.JobDefinition:
    definitions = dg.Definitions(
        assets=[source, by_year, pair, fails, unlucky, overtaken, steady],
        jobs=[dg.define_asset_job("all_assets", dg.AssetSelection.all())],
        resources={"pyspark_step_launcher": dg.ResourceDefinition(lambda _: _launchers[0])},
        executor=dg.in_process_executor,
    )
    return definitions.resolve_job_def("all_assets")
