"""What only the host can know about an event: from which versions of its inputs an asset was made.

A driver has a Dagster instance of its own, empty and soon gone. There no input was ever materialized, so it reports
unknown input versions, a data version computed from them, and checks without a target; assets would be stale the
moment they are made, or never. The same functions that Dagster calls for a step of the host are called here again,
with the host's step context. They are private: `test_emr_contract.py` says which, and fails when they change.
"""

from collections.abc import Mapping

import dagster as dg
from dagster import AssetCheckResult, AssetKey, DagsterEvent, DataVersion, EventLogEntry
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    compute_logical_data_version,
)
from dagster._core.events import StepMaterializationData
from dagster._core.execution.context.system import StepExecutionContext
from dagster._core.execution.plan.execute_step import _build_data_version_tags, _get_input_provenance_data
from dagster_shared.record import replace


def remember_inputs(context: StepExecutionContext) -> None:
    """Note the inputs' versions as they are before the step, as Dagster does for a step of the host."""
    if not context.is_external_input_asset_version_info_loaded:
        context.fetch_external_input_asset_version_info()


def as_of_host(context: StepExecutionContext, entry: EventLogEntry) -> EventLogEntry:
    """The event as it would be had the step run here. Each must be stored before the next is asked for."""
    event = entry.dagster_event
    if event is None:
        return entry
    data = event.event_specific_data
    if isinstance(data, StepMaterializationData):
        return _with_data(entry, event, data._replace(materialization=_materialization(context, data.materialization)))
    if isinstance(data, AssetCheckEvaluation):
        result = AssetCheckResult(passed=data.passed)
        target = result._get_target_materialization_data(context, data.asset_check_key)  # noqa: SLF001
        return _with_data(entry, event, replace(data, target_materialization_data=target))
    return entry


def _with_data(
    entry: EventLogEntry, event: DagsterEvent, data: StepMaterializationData | AssetCheckEvaluation
) -> EventLogEntry:
    return entry._replace(dagster_event=event._replace(event_specific_data=data))


def _materialization(context: StepExecutionContext, made: dg.AssetMaterialization) -> dg.AssetMaterialization:
    tags = made.tags or {}
    if CODE_VERSION_TAG not in tags or DATA_VERSION_TAG not in tags:
        # Logged by the asset's code, beside what the step makes.
        return made
    return made._replace(tags={**tags, **_version_tags(context, made.asset_key, tags)})


def _version_tags(context: StepExecutionContext, key: AssetKey, tags: Mapping[str, str]) -> Mapping[str, str]:
    context.wipe_input_asset_version_info(key)
    inputs = _get_input_provenance_data(key, context)
    code_version, is_user_provided = tags[CODE_VERSION_TAG], DATA_VERSION_IS_USER_PROVIDED_TAG in tags
    data_version = (
        DataVersion(tags[DATA_VERSION_TAG])
        if is_user_provided
        else compute_logical_data_version(code_version, {k: v["data_version"] for k, v in inputs.items()})
    )
    return _build_data_version_tags(data_version, code_version, inputs, is_user_provided)
