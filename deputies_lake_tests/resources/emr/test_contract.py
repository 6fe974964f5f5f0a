"""The private parts of dagster and dagster-aws that the launcher is built on.

When an update breaks one, a test here fails: compare the function of that name in dagster with what
`deputies_lake/resources/emr/` expects of it.
"""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from dagster import AssetCheckResult, EventLogEntry
from dagster._core.definitions import data_version
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation
from dagster._core.events import StepMaterializationData
from dagster._core.execution.context.system import StepExecutionContext
from dagster._core.execution.plan import execute_step, external_step
from dagster_aws.emr import emr_step_main
from dagster_aws.emr.pyspark_step_launcher import EmrPySparkStepLauncher

FUNCTIONS: list[tuple[Callable[..., Any], str]] = [
    (execute_step._get_input_provenance_data, "asset_key, step_context"),
    (
        execute_step._build_data_version_tags,
        "data_version, code_version, input_provenance_data, data_version_is_user_provided",
    ),
    (data_version.compute_logical_data_version, "code_version, input_data_versions"),
    (AssetCheckResult._get_target_materialization_data, "self, step_context, check_key"),
    (StepExecutionContext.fetch_external_input_asset_version_info, "self"),
    (StepExecutionContext.wipe_input_asset_version_info, "self, key"),
    (external_step.step_context_to_step_run_ref, "step_context, package_dir"),
    (emr_step_main.main, "step_run_ref_bucket, s3_dir_key"),
    (EmrPySparkStepLauncher._sanitize_step_key, "self, step_key"),
    (EmrPySparkStepLauncher.launch_step, "self, step_context"),
]


@pytest.mark.parametrize(("function", "parameters"), FUNCTIONS, ids=lambda given: getattr(given, "__qualname__", ""))
def test_a_private_function_takes_what_it_is_given(function: Callable[..., Any], parameters: str) -> None:
    assert ", ".join(inspect.signature(function).parameters) == parameters


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (EventLogEntry, "dagster_event"),
        (StepMaterializationData, "materialization"),
        (AssetCheckEvaluation, "target_materialization_data"),
    ],
)
def test_an_event_holds_what_is_put_right(kind: type, field: str) -> None:
    assert field in inspect.signature(kind).parameters


def test_the_stock_main_writes_its_events_beside_what_it_reads() -> None:
    source = inspect.getsource(emr_step_main.main)
    assert 'os.path.dirname(s3_dir_key) + "/" + PICKLED_EVENTS_FILE_NAME' in source


def test_versions_are_computed_as_dagster_computes_them_for_a_step_of_the_host() -> None:
    """`provenance.py` repeats these lines; if they change there, they must here."""
    source = inspect.getsource(execute_step._get_output_asset_events)
    for line in (
        "step_context.wipe_input_asset_version_info(asset_key)",
        "input_provenance_data = _get_input_provenance_data(asset_key, step_context)",
        '{k: meta["data_version"] for k, meta in input_provenance_data.items()}',
    ):
        assert line in source
