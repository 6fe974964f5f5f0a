"""The landing zone and the archive of an environment, as Dagster resources see them."""

import dagster as dg

from deputies_lake.raw.archive import Archive, LandingZone


class FilesResource(dg.ConfigurableResource[None]):
    """Where published files arrive, and where each version of them is kept. Opening looks at nothing."""

    landing: str
    archive: str
    region: str | None = None

    def landing_zone(self) -> LandingZone:
        return LandingZone(self.landing, self.region)

    def open_archive(self) -> Archive:
        return Archive(self.archive, self.region)
