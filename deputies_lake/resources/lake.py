"""The lake as a Dagster resource: which catalog an environment has. What is done with tables is in `lakehouse/`."""

from pathlib import Path

import dagster as dg

from deputies_lake.environments import Settings
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.partitions import require_years


class LakeResource(dg.ConfigurableResource[Lake]):
    """The lake of an environment. Opening it reads nothing: a catalog is asked only when a table is."""

    warehouse: str
    region: str | None = None
    database_prefix: str = ""
    endpoint: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> "LakeResource":
        aws = settings.aws
        return cls(
            warehouse=settings.warehouse,
            region=aws.region if aws else None,
            database_prefix=aws.database_prefix if aws else "",
            endpoint=aws.endpoint if aws else None,
        )

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """What can't come to anything fails the run before its first step, not each step three times.

        A run of years that don't exist, and a lake on this machine that can't be used.
        """
        require_years(context.run.tags if context.run else {})
        if not self.warehouse.startswith("s3://"):
            self.open()

    def open(self) -> Lake:
        """Raises `LakeError`."""
        if self.warehouse.startswith("s3://"):
            return Lake(iceberg.glue_catalog(self.warehouse, self.region, self.database_prefix, self.endpoint))
        return Lake(iceberg.local_catalog(Path(self.warehouse)))
