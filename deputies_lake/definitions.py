"""The code location: assets, jobs and the resources of an environment, put together. No logic.

`defs` is what Dagster loads; it is built for the environment that `DEPUTIES_LAKE_ENVIRONMENT` names. Loading touches
no network, no disk and no Java.
"""

import atexit
import gc
from typing import Final

import dagster as dg

from deputies_lake.automation.alerts import alert_definitions
from deputies_lake.automation.clusters import cluster_definitions
from deputies_lake.automation.freshness import with_deadline
from deputies_lake.automation.heartbeat import heartbeat_definitions
from deputies_lake.automation.jobs import JOBS
from deputies_lake.automation.landing import landing_definitions
from deputies_lake.automation.maintenance import maintenance_definitions
from deputies_lake.automation.progress import progress_logger
from deputies_lake.automation.schedules import schedule_definitions
from deputies_lake.environments import load_settings
from deputies_lake.raw import assets as raw
from deputies_lake.resources.emr import step_launcher
from deputies_lake.resources.files import FilesResource
from deputies_lake.resources.lake import LakeResource
from deputies_lake.resources.settings import SettingsResource
from deputies_lake.resources.spark import SparkResource
from deputies_lake.serving import assets as serving
from deputies_lake.staging import assets as staging
from deputies_lake.star import assets as star


def build_definitions(environment: str | None = None) -> dg.Definitions:
    """The same assets in every environment; only the resources differ."""
    settings = load_settings(environment)
    lake = dg.Definitions(
        assets=with_deadline(dg.load_assets_from_modules([raw, staging, star, serving])),
        jobs=JOBS,
        resources={
            "lake": LakeResource.of(settings),
            "files": FilesResource.of(settings),
            "pyspark": SparkResource.of(settings),
            "settings": SettingsResource(environment=settings.environment),
            "pyspark_step_launcher": step_launcher(settings),
        },
        loggers={"progress": progress_logger},
        # One process for the whole run: its steps share one Spark session.
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(
        lake,
        landing_definitions(settings),
        schedule_definitions(settings),
        maintenance_definitions(settings),
        cluster_definitions(settings),
        alert_definitions(settings),
        heartbeat_definitions(settings),
    )


defs: Final = build_definitions()

# Whatever loads them ends most of a second sooner: Python would look through all of Dagster's objects for garbage, and
# the system takes the memory back anyway.
atexit.register(gc.freeze)
