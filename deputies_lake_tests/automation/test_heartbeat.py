"""The sign of life: where AWS's alarm looks for it, and only where there is one."""

from datetime import UTC, datetime, timedelta

import boto3
import dagster as dg
import pytest
from moto import mock_aws

from deputies_lake.automation.heartbeat import INTERVAL_SECONDS, heartbeat_definitions
from deputies_lake.environments import load_settings

REGION = "sa-east-1"


def only_sensor(environment: str) -> dg.SensorDefinition:
    (sensor,) = heartbeat_definitions(load_settings(environment, {})).sensors or ()
    assert isinstance(sensor, dg.SensorDefinition)
    return sensor


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_each_look_is_a_sign_of_the_environments_life(environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "testing")
    with mock_aws():
        ticked = only_sensor(environment).evaluate_tick(dg.build_sensor_context())
        now = datetime.now(UTC)
        found = boto3.client("cloudwatch", region_name=REGION).get_metric_statistics(
            Namespace="deputies_lake",
            MetricName="heartbeat",
            Dimensions=[{"Name": "environment", "Value": environment}],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=3600,
            Statistics=["Sum"],
        )
    assert ticked.skip_message == "CloudWatch was told that Dagster is alive"
    assert sum(point["Sum"] for point in found["Datapoints"]) == 1


def test_it_beats_by_itself_as_often_as_the_alarm_counts() -> None:
    sensor = only_sensor("prod")
    assert (sensor.default_status, sensor.minimum_interval_seconds) == (
        dg.DefaultSensorStatus.RUNNING,
        INTERVAL_SECONDS,
    )


def test_a_laptop_tells_nobody() -> None:
    assert not heartbeat_definitions(load_settings("local", {})).sensors
