"""The step launcher: what moves an asset's step to a cluster, or leaves it where it is."""

from typing import Any

import dagster as dg

from deputies_lake.environments import Settings


def step_launcher(settings: Settings) -> Any:
    """The launcher of an environment: none locally, EMR's elsewhere. Making it calls nothing."""
    if settings.aws is None:
        return dg.ResourceDefinition.none_resource("Steps run in the run's own process.")
    # It takes a second to import, which a laptop's every command would wait for.
    from dagster_aws.emr import emr_pyspark_step_launcher

    aws = settings.aws
    return emr_pyspark_step_launcher.configured(
        {
            "cluster_id": "unknown",
            "region_name": aws.region,
            "staging_bucket": aws.artifacts_bucket,
            # The code comes from an immutable artifact; the path is asked for by the schema all the same.
            "s3_job_package_path": f"s3://{aws.artifacts_bucket}/deputies_lake.zip",
            "local_job_package_path": ".",
            "deploy_local_job_package": False,
            # The stock default would cancel every other step that waits on the cluster.
            "action_on_failure": "CONTINUE",
        }
    )
