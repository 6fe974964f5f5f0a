"""What the jobs are made of, and how many runs a backfill of one becomes."""

from collections.abc import Mapping

import dagster as dg
import pytest

from deputies_lake.automation.jobs import SOURCES, Source
from deputies_lake.contracts import LAYERS
from deputies_lake.definitions import build_definitions


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions("local")


def assets_of(definitions: dg.Definitions, job: str) -> set[str]:
    keys = definitions.resolve_job_def(job).asset_layer.executable_asset_keys
    return {key.to_user_string() for key in keys}


@pytest.fixture(scope="module")
def layers(definitions: dg.Definitions) -> Mapping[str, set[str]]:
    specs = [spec.key for spec in definitions.resolve_all_asset_specs()]
    return {layer: {key.to_user_string() for key in specs if key.path[0] == layer} for layer in LAYERS}


def test_the_job_of_the_lake_has_every_asset(definitions: dg.Definitions, layers: Mapping[str, set[str]]) -> None:
    assert assets_of(definitions, "lake") == set().union(*layers.values())


def test_the_job_of_the_expenses_has_all_that_comes_after_raw(
    definitions: dg.Definitions, layers: Mapping[str, set[str]]
) -> None:
    assert assets_of(definitions, "expenses") == set().union(*layers.values()) - layers["raw"]


def test_a_backfills_two_halves_are_the_expenses_and_only_the_second_has_dimensions(
    definitions: dg.Definitions, layers: Mapping[str, set[str]]
) -> None:
    first, second = assets_of(definitions, "typed_rows"), assets_of(definitions, "figures")
    assert (first, first & second, first | second) == (layers["staging"], set(), assets_of(definitions, "expenses"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.code)
def test_a_sources_job_has_its_own_raw_tables_and_everything_readers_get(
    source: Source, definitions: dg.Definitions, layers: Mapping[str, set[str]]
) -> None:
    found = assets_of(definitions, source.job_name)
    assert found & layers["raw"] == {f"raw/{table.name}" for table in source.tables}
    assert layers["star"] | layers["serving"] <= found


@pytest.mark.parametrize(
    "job", ["lake", "raw", "expenses", "typed_rows", "figures", *(source.job_name for source in SOURCES)]
)
def test_a_backfill_of_a_job_from_the_ui_is_one_run(job: str, definitions: dg.Definitions) -> None:
    assert definitions.resolve_job_def(job).backfill_policy == dg.BackfillPolicy.single_run()
