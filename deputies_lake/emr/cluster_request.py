"""What a cluster is made of: the settings as EMR's `RunJobFlow` wants them. Calls nothing.

Whose a cluster is, for which packages, and until when, is in its tags; `clusters.py` reads them there.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from deputies_lake.emr.artifact import Artifact
from deputies_lake.environments import AwsSettings, ClusterSettings

ENVIRONMENT_ID: Final = "environment_id"
EXPIRY: Final = "expiry"

# Audits spill to /tmp, which is on the root volume. EMR's default is 15.
_ROOT_VOLUME_GIB: Final = 40
_SPOT_PATIENCE_MINUTES: Final = 5


def request(aws: AwsSettings, artifact: Artifact, now: datetime) -> dict[str, Any]:
    """The arguments of `RunJobFlow` for a cluster that starts `now`."""
    cluster, bucket = aws.cluster, aws.artifacts_bucket
    tags = {
        **aws.ownership,
        "owner": aws.owner,
        EXPIRY: (now + timedelta(hours=cluster.lifetime_hours)).isoformat(timespec="seconds"),
        ENVIRONMENT_ID: artifact.environment_id,
    }
    return {
        "Name": aws.stack,
        "ReleaseLabel": cluster.release_label,
        "Applications": [{"Name": "Spark"}],
        "LogUri": f"s3://{aws.logs_bucket}/emr/",
        "ServiceRole": aws.emr_service_role,
        "JobFlowRole": aws.emr_instance_profile,
        "SecurityConfiguration": aws.stack,
        "Instances": {
            "InstanceFleets": _fleets(cluster),
            "KeepJobFlowAliveWhenNoSteps": True,
            "TerminationProtected": False,
            **({"Ec2SubnetIds": list(cluster.subnets)} if cluster.subnets else {}),
        },
        "EbsRootVolumeSize": _ROOT_VOLUME_GIB,
        "BootstrapActions": [
            {
                "Name": "the Python environment",
                "ScriptBootstrapAction": {
                    "Path": artifact.bootstrap_uri(bucket),
                    "Args": [artifact.environment_uri(bucket), artifact.environment_id],
                },
            }
        ],
        "StepConcurrencyLevel": cluster.step_concurrency,
        "ManagedScalingPolicy": {
            "ComputeLimits": {
                "UnitType": "InstanceFleetUnits",
                "MinimumCapacityUnits": cluster.core_units,
                "MaximumCapacityUnits": _most_units(cluster),
                "MaximumOnDemandCapacityUnits": cluster.core_units,
                "MaximumCoreCapacityUnits": cluster.core_units,
            }
        },
        "AutoTerminationPolicy": {"IdleTimeout": cluster.idle_minutes * 60},
        "ScaleDownBehavior": "TERMINATE_AT_TASK_COMPLETION",
        "VisibleToAllUsers": True,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }


def _fleets(cluster: ClusterSettings) -> Sequence[Mapping[str, Any]]:
    on_demand = {"OnDemandSpecification": {"AllocationStrategy": "lowest-price"}}
    types = [{"InstanceType": name, "WeightedCapacity": cluster.units_per_instance} for name in cluster.instance_types]
    primary = {
        "Name": "primary",
        "InstanceFleetType": "MASTER",
        "TargetOnDemandCapacity": 1,
        "InstanceTypeConfigs": [{"InstanceType": name} for name in cluster.instance_types],
        "LaunchSpecifications": on_demand,
    }
    core = {
        "Name": "core",
        "InstanceFleetType": "CORE",
        "TargetOnDemandCapacity": cluster.core_units,
        "InstanceTypeConfigs": types,
        "LaunchSpecifications": on_demand,
    }
    if _most_units(cluster) - cluster.core_units < cluster.units_per_instance:
        # Not even one more machine is allowed.
        return [primary, core]
    task = {
        "Name": "task",
        "InstanceFleetType": "TASK",
        # EMR wants at least one machine to begin with. Managed scaling takes it away when there is no work for it.
        "TargetSpotCapacity": cluster.units_per_instance,
        "InstanceTypeConfigs": types,
        "LaunchSpecifications": {
            "SpotSpecification": {
                "AllocationStrategy": "price-capacity-optimized",
                "TimeoutDurationMinutes": _SPOT_PATIENCE_MINUTES,
                # The other choice is to end the cluster. Managed scaling doesn't go on demand later, for want of spot.
                "TimeoutAction": "SWITCH_TO_ON_DEMAND",
            }
        },
    }
    return [primary, core, task]


def _most_units(cluster: ClusterSettings) -> int:
    """The cap in whole machines: EC2 fills a fleet with them, also beyond its target."""
    return cluster.max_units // cluster.units_per_instance * cluster.units_per_instance
