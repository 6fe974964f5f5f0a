"""What a cluster is made of. That EMR's description of `RunJobFlow` allows it is boto3's word, not ours."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from deputies_lake.emr.cluster_request import request
from deputies_lake.environments import MAX_UNITS, SUBNETS, load_settings
from deputies_lake_tests.emr.cloud import OWN, VARIABLES, aws_of

NOW = datetime(2026, 11, 23, 1, 2, 3, 4, tzinfo=UTC)


def wanted(environment: str = "staging", **variables: str) -> Any:
    return request(aws_of(load_settings(environment, {**VARIABLES, **variables})), OWN, NOW)


def fleets(asked: Any) -> dict[str, Any]:
    return {fleet["InstanceFleetType"]: fleet for fleet in asked["Instances"]["InstanceFleets"]}


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_emrs_own_description_allows_it(environment: str) -> None:
    asked = wanted(environment, **{SUBNETS: "subnet-1,subnet-2"})
    emr = boto3.client("emr", region_name="sa-east-1", aws_access_key_id="nobodys", aws_secret_access_key="nobodys")
    with Stubber(emr) as stub:
        stub.add_response("run_job_flow", {"JobFlowId": "j-1"}, asked)
        assert emr.run_job_flow(**asked)["JobFlowId"] == "j-1"


def test_only_what_may_be_lost_is_spot() -> None:
    keys = ("TargetOnDemandCapacity", "TargetSpotCapacity")
    capacities = {kind: tuple(fleet.get(key, 0) for key in keys) for kind, fleet in fleets(wanted()).items()}
    assert capacities == {"MASTER": (1, 0), "CORE": (4, 0), "TASK": (0, 4)}


def test_spot_can_be_had_of_several_types_that_count_the_same() -> None:
    weights = [config["WeightedCapacity"] for config in fleets(wanted())["TASK"]["InstanceTypeConfigs"]]
    assert weights == [4, 4, 4, 4]


def test_scaling_stops_at_the_settings() -> None:
    assert wanted("prod")["ManagedScalingPolicy"]["ComputeLimits"] == {
        "UnitType": "InstanceFleetUnits",
        "MinimumCapacityUnits": 8,
        "MaximumCapacityUnits": 64,
        "MaximumOnDemandCapacityUnits": 8,
        "MaximumCoreCapacityUnits": 8,
    }


def test_a_limit_that_is_no_whole_number_of_machines_is_not_passed() -> None:
    limits = wanted(**{MAX_UNITS: "15"})["ManagedScalingPolicy"]["ComputeLimits"]
    assert limits["MaximumCapacityUnits"] == 12


def test_where_the_limit_leaves_no_room_there_is_no_spot() -> None:
    assert list(fleets(wanted(**{MAX_UNITS: "7"}))) == ["MASTER", "CORE"]


@pytest.mark.parametrize(("given", "subnets"), [("", None), ("subnet-1, subnet-2", ["subnet-1", "subnet-2"])])
def test_subnets_are_named_only_if_given(given: str, subnets: list[str] | None) -> None:
    assert wanted(**{SUBNETS: given})["Instances"].get("Ec2SubnetIds") == subnets


def test_it_ends_by_itself_when_idle_but_not_between_two_steps() -> None:
    asked = wanted()
    assert asked["AutoTerminationPolicy"] == {"IdleTimeout": 1200}
    assert asked["Instances"]["KeepJobFlowAliveWhenNoSteps"]
    assert not asked["Instances"]["TerminationProtected"]


def test_its_tags_say_whose_it_is_and_until_when() -> None:
    assert {tag["Key"]: tag["Value"] for tag in wanted("prod")["Tags"]} == {
        "project": "deputies_lake",
        "environment": "prod",
        "owner": "data-platform",
        "expiry": "2026-11-23T13:02:03+00:00",
        "environment_id": OWN.environment_id,
    }


def test_it_is_bound_to_what_the_stack_of_its_environment_made() -> None:
    asked = wanted("prod")
    assert [asked[key] for key in ("SecurityConfiguration", "ServiceRole", "JobFlowRole", "LogUri")] == [
        "deputies-lake-prod",
        "deputies-lake-prod-emr",
        "deputies-lake-prod-emr-instance",
        "s3://deputies-lake-prod-123456789012-logs/emr/",
    ]


def test_it_lays_down_the_environment_of_the_artifact() -> None:
    place = f"s3://deputies-lake-staging-123456789012-artifacts/environments/{OWN.environment_id}"
    (action,) = wanted()["BootstrapActions"]
    assert action["ScriptBootstrapAction"] == {"Path": f"{place}/bootstrap.sh", "Args": [place, OWN.environment_id]}


def test_other_code_in_the_same_environment_needs_no_other_cluster() -> None:
    aws = aws_of(load_settings("staging", VARIABLES))
    assert request(aws, replace(OWN, code_id="newer"), NOW) == request(aws, OWN, NOW)
