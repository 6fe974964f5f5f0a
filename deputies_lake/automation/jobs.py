"""The jobs: named, stable targets for people, schedules, sensors and the dagster CLI.

A selection worth a name belongs here; assets, schedules and sensors do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import dagster as dg

from deputies_lake.assets import key_of
from deputies_lake.contracts import Table
from deputies_lake.partitions import BY_YEARS
from deputies_lake.raw import chamber_expenses, file_versions, kaggle_refunds, kaggle_reimbursements
from deputies_lake.raw.published_csv import PublishedCsv


@dataclass(frozen=True, kw_only=True)
class Source:
    """A published source: its file, the tables that are made from it directly, and its job."""

    csv: PublishedCsv
    tables: Sequence[Table]

    @property
    def code(self) -> str:
        return self.csv.source_code

    @property
    def job_name(self) -> str:
        return f"from_{self.code}"


HOUSE: Final = Source(csv=chamber_expenses.CSV, tables=[chamber_expenses.TABLE, file_versions.TABLE])
REIMBURSEMENTS: Final = Source(csv=kaggle_reimbursements.CSV, tables=[kaggle_reimbursements.TABLE])
REFUNDS: Final = Source(csv=kaggle_refunds.CSV, tables=[kaggle_refunds.TABLE])

SOURCES: Final = (HOUSE, REIMBURSEMENTS, REFUNDS)

lake_job: Final = dg.define_asset_job(
    name="lake",
    selection=dg.AssetSelection.all(),
    description="The whole lake, raw to serving, for the selected years.",
    tags=BY_YEARS,
)

raw_job: Final = dg.define_asset_job(
    name="raw",
    selection=dg.AssetSelection.groups("raw"),
    description="Take in what is in the landing zone: archive it and publish its lines.",
    tags=BY_YEARS,
)

expenses_job: Final = dg.define_asset_job(
    name="expenses",
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups("raw"),
    description="From what raw holds to what readers get, for the selected years.",
    tags=BY_YEARS,
)

# `dagster job backfill` starts a run for each year, whatever the backfill policy says, and a run that stages its year
# has to rebuild the dimensions for it. Of these two, one after the other, only the first run of the second does.

typed_rows_job: Final = dg.define_asset_job(
    name="typed_rows",
    selection=dg.AssetSelection.groups("staging"),
    description="From what raw holds to typed rows, for the selected years: a backfill's first half.",
    tags=BY_YEARS,
)

figures_job: Final = dg.define_asset_job(
    name="figures",
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups("raw", "staging"),
    description="From typed rows to what readers get, for the selected years: a backfill's second half.",
    tags=BY_YEARS,
)

SOURCE_JOBS: Final = tuple(
    dg.define_asset_job(
        name=source.job_name,
        # All that readers get: what comes from no source must be there, too, where a lake begins with this one.
        selection=dg.AssetSelection.assets(*(key_of(table) for table in source.tables)).downstream()
        | dg.AssetSelection.groups("star", "serving"),
        description=f"What is new in {source.csv.file_names[0]}, from raw to what readers get, for the selected years.",
        tags=BY_YEARS,
    )
    for source in SOURCES
)

JOBS: Final = (lake_job, raw_job, expenses_job, typed_rows_job, figures_job, *SOURCE_JOBS)
