"""Events of a driver say what they would say had the step run on the host: from which versions, about which version."""

from collections.abc import Iterator, Mapping

import dagster as dg
import pytest
from dagster._core.definitions.data_version import (
    DATA_VERSION_TAG,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)

from deputies_lake.emr.artifact import Artifact
from deputies_lake.environments import Settings
from deputies_lake.resources.emr.launcher import EmrStepLauncher
from deputies_lake_tests.resources.emr import assets
from deputies_lake_tests.resources.emr.cluster import Cluster, Event, running
from deputies_lake_tests.resources.emr.conftest import Ran, Run, run_job

RANGE = {"dagster/asset_partition_range_start": "2015", "dagster/asset_partition_range_end": "2017"}


def latest(instance: dg.DagsterInstance, name: str) -> dg.EventLogRecord:
    (record,) = instance.fetch_materializations(dg.AssetKey(name), limit=1).records
    return record


def tags_of(instance: dg.DagsterInstance, name: str) -> Mapping[str, str]:
    made = latest(instance, name).asset_materialization
    assert made
    return made.tags or {}


def versions(instance: dg.DagsterInstance, name: str) -> dict[str, str]:
    """What must not depend on where a step runs: pointers count events, of which a host has fewer."""
    return {tag: value for tag, value in tags_of(instance, name).items() if "event_pointer" not in tag}


def materialize_all(instance: dg.DagsterInstance) -> None:
    for names, tags in ((("source",), {}), (("by_year",), RANGE), (("left", "right"), {})):
        assert run_job(instance, *names, tags=tags).success


@pytest.fixture(scope="module")
def host() -> Iterator[dg.DagsterInstance]:
    """Where steps ran in the run's process."""
    with dg.DagsterInstance.ephemeral() as instance:
        materialize_all(instance)
        yield instance


@pytest.fixture(scope="module")
def remote(host: dg.DagsterInstance, settings: Settings, own: Artifact, endpoint: str) -> Iterator[dg.DagsterInstance]:
    """Where the same steps ran on a cluster."""
    assert settings.aws
    with dg.DagsterInstance.ephemeral() as instance:
        with running(settings.aws, own, endpoint) as cluster:
            assets.use(EmrStepLauncher(settings, clusters=cluster, deployed=lambda: own))
            materialize_all(instance)
            assets.use(None)
        yield instance


def test_versions_are_those_of_a_step_on_the_host(host: dg.DagsterInstance, remote: dg.DagsterInstance) -> None:
    names = ["source", "by_year", "left", "right"]
    assert {name: versions(remote, name) for name in names} == {name: versions(host, name) for name in names}


def test_an_asset_points_to_the_inputs_it_was_made_from(remote: dg.DagsterInstance) -> None:
    tags = tags_of(remote, "by_year")
    source = dg.AssetKey("source")
    assert tags[get_input_event_pointer_tag(source)] == str(latest(remote, "source").storage_id)
    assert tags[get_input_data_version_tag(source)] == tags_of(remote, "source")[DATA_VERSION_TAG]


def test_an_input_made_in_the_same_step_is_the_new_one(remote: dg.DagsterInstance) -> None:
    pointer = tags_of(remote, "right")[get_input_event_pointer_tag(dg.AssetKey("left"))]
    assert pointer == str(latest(remote, "left").storage_id)


def test_a_data_version_that_the_asset_gave_is_kept(remote: dg.DagsterInstance) -> None:
    assert tags_of(remote, "right")[DATA_VERSION_TAG] == "given"


def test_every_year_of_a_range_is_materialized(remote: dg.DagsterInstance) -> None:
    assert remote.get_materialized_partitions(dg.AssetKey("by_year")) == {"2015", "2016", "2017"}


def test_an_input_made_anew_meanwhile_is_not_the_one_that_was_read(
    run: Run, instance: dg.DagsterInstance, cluster: Cluster
) -> None:
    run("source")
    read = latest(instance, "source").storage_id

    def made_anew() -> None:
        instance.report_runless_asset_event(dg.AssetMaterialization("source"))

    cluster.events["DescribeStep"] = [Event(made_anew)]
    run("by_year", tags={"dagster/partition": "2016"})
    assert tags_of(instance, "by_year")[get_input_event_pointer_tag(dg.AssetKey("source"))] == str(read)
    assert latest(instance, "source").storage_id > read


def targets(ran: Ran) -> dict[str, int | None]:
    """Which materialization each check is about."""
    found = [event.asset_check_evaluation_data for event in ran.events(dg.DagsterEventType.ASSET_CHECK_EVALUATION)]
    about = {check.check_name: check.target_materialization_data for check in found}
    return {name: target.storage_id if target else None for name, target in about.items()}


def test_a_check_is_about_the_version_that_was_there_when_it_was_made(run: Run, instance: dg.DagsterInstance) -> None:
    first = run("source")
    old = latest(instance, "source").storage_id
    second = run("source")
    new = latest(instance, "source").storage_id
    assert (targets(first), targets(second)) == ({"before": None, "fits": old}, {"before": old, "fits": new})


def test_a_check_of_a_year_is_about_that_year(run: Run, instance: dg.DagsterInstance) -> None:
    ran = run("by_year", tags={"dagster/partition": "2016"})
    assert targets(ran) == {"fits": latest(instance, "by_year").storage_id}
