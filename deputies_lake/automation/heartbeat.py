"""A sign of life for AWS, which tells a person when it stays away: the alarm is in `infrastructure/template.yaml`.

Alerts of what is wrong with the data are Dagster's own (`alerts.py`), and end with it. A sensor is run by the daemon,
in the code server, and remembered in Postgres: if any of them is gone, so is the sign.
"""

from typing import Final

import dagster as dg

from deputies_lake.aws import client
from deputies_lake.environments import AwsSettings, Settings

INTERVAL_SECONDS: Final = 300
METRIC: Final = "heartbeat"


def heartbeat_definitions(settings: Settings) -> dg.Definitions:
    """The sensor, on from the start, where the lake is in AWS."""
    aws = settings.aws
    if aws is None:
        return dg.Definitions()

    @dg.sensor(
        name=METRIC,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells CloudWatch that Dagster is alive. An alarm of AWS's own goes off when it does not.",
    )
    def heartbeat() -> dg.SkipReason:
        beat(aws)
        return dg.SkipReason("CloudWatch was told that Dagster is alive")

    return dg.Definitions(sensors=[heartbeat])


def beat(aws: AwsSettings) -> None:
    """Put one into the environment's metric."""
    dimensions = [{"Name": "environment", "Value": aws.environment.value}]
    client("cloudwatch", aws).put_metric_data(
        Namespace=aws.ownership["project"], MetricData=[{"MetricName": METRIC, "Dimensions": dimensions, "Value": 1}]
    )
