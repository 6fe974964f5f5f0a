"""The Spark session's settings: those of the environment, and what differs in a run of a single year."""

from collections.abc import Mapping

import dagster as dg
import pytest

from deputies_lake.environments import load_settings
from deputies_lake.partitions import PARTITION_TAG, range_tags
from deputies_lake.resources.spark import SparkResource
from deputies_lake_tests.as_typed import COMPILED_IN_HASTE


class Asked:
    """A job that notes the options of the JVM that each of its runs would start."""

    def __init__(self) -> None:
        self._options = ""

        @dg.op
        def ask(pyspark: SparkResource) -> None:
            self._options = pyspark.spark_config["spark.driver.extraJavaOptions"]

        self._job = dg.GraphDefinition(name="asking", node_defs=[ask]).to_job(
            resource_defs={"pyspark": SparkResource.of(load_settings("local", {}))}
        )

    def options(self, tags: Mapping[str, str]) -> str:
        assert self._job.execute_in_process(tags=dict(tags)).success
        return self._options


@pytest.mark.parametrize("tags", [range_tags(2026, 2026), {PARTITION_TAG: "2026"}])
def test_a_run_of_a_year_compiles_quickly(tags: Mapping[str, str]) -> None:
    assert COMPILED_IN_HASTE in Asked().options(tags)


@pytest.mark.parametrize("tags", [{}, range_tags(2025, 2026), range_tags(2008, 2026)])
def test_a_run_of_more_than_a_year_compiles_well(tags: Mapping[str, str]) -> None:
    assert COMPILED_IN_HASTE not in Asked().options(tags)


def test_a_run_of_a_year_keeps_all_other_options() -> None:
    asked = Asked()
    of_all, of_one = asked.options({}), asked.options(range_tags(2026, 2026))
    assert of_one == f"{of_all} {COMPILED_IN_HASTE}"
    assert asked.options({}) == of_all


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_on_a_cluster_a_run_of_a_year_is_like_any(environment: str) -> None:
    assert not SparkResource.of(load_settings(environment, {})).of_one_year
