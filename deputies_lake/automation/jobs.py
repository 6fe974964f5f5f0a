"""The jobs: named, stable targets for people, schedules and the dagster CLI.

A selection worth a name belongs here; assets, schedules and sensors do not.
"""

from typing import Final

import dagster as dg

lake_job: Final = dg.define_asset_job(
    name="lake",
    selection=dg.AssetSelection.all(),
    description="The whole lake, raw to star, for the selected years.",
)

raw_job: Final = dg.define_asset_job(
    name="raw",
    selection=dg.AssetSelection.groups("raw"),
    description="Take in what is in the landing zone: archive it and publish its lines.",
)

expenses_job: Final = dg.define_asset_job(
    name="expenses",
    selection=dg.AssetSelection.groups("staging", "star"),
    description="From what raw holds to the fact, for the selected years.",
)

JOBS: Final = (lake_job, raw_job, expenses_job)
