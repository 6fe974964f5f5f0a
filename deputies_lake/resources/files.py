"""Where an environment's files arrive, are kept and are published, as Dagster's resources see it."""

import dagster as dg

from deputies_lake.environments import Settings
from deputies_lake.published import PublishedFiles
from deputies_lake.raw.archive import Archive, LandingZone


class FilesResource(dg.ConfigurableResource[None]):
    """Where the publishers' files arrive, where each version of them is kept, and where those for readers go.

    Opening looks at nothing. `chamber_url` is where the House's are fetched from, None where they come by hand.
    """

    landing: str
    archive: str
    published: str
    region: str | None = None
    chamber_url: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> "FilesResource":
        region = settings.aws.region if settings.aws else None
        return cls(
            landing=settings.landing,
            archive=settings.archive,
            published=settings.published,
            region=region,
            chamber_url=settings.chamber_url,
        )

    def landing_zone(self) -> LandingZone:
        return LandingZone(self.landing, self.region)

    def open_archive(self) -> Archive:
        return Archive(self.archive, self.region)

    def open_published(self) -> PublishedFiles:
        return PublishedFiles(self.published, self.region)
