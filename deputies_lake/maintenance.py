"""The clean-up of the lake's tables: versions that were replaced long ago, and files to which no version refers.

Such files are what expired versions leave, and what runs staged that were killed before they published. Nothing but
tables is looked at: the archive is for good, and what runs and queries leave in other buckets S3 itself expires (see
`infrastructure/template.yaml`). When this runs is in `automation/maintenance.py`; what a version or its files are, in
`lakehouse/iceberg.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from deputies_lake.aws import AwsError, client
from deputies_lake.environments import AwsSettings, Settings
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.damage import DamagedTableError
from deputies_lake.lakehouse.iceberg import Orphan
from deputies_lake.lakehouse.lake import Lake

FEWEST_VERSIONS: Final = 10
"""So many stay readable, however old they are: a table that changes once a year is to be compared, too."""

LEFTOVER_AGE: Final = timedelta(days=3)
"""A younger file may belong to a run that has yet to publish it. The longest run ends after hours."""

# As many as one request to S3 takes.
_BATCH: Final = 1000


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """What was removed of a table, or would be: versions, files and their bytes. `kept` versions can still be read."""

    table: str
    kept: int
    expired: int
    files: int
    size: int


def clean(lake: Lake, settings: Settings, *, dry_run: bool) -> Iterator[Cleaned]:
    """Clean table by table; doing it again right away removes nothing. A dry run says what would be removed.

    Readers, and runs that publish meanwhile, are not disturbed. Tables whose metadata is damaged are left as they are.

    Raises:
        RuntimeError: a table is not in this lake's home, or its files are not where it says; nothing of it was deleted.
        AwsError: S3 refuses to delete files.
    """
    keep = timedelta(days=settings.keep_days)
    for name, table in lake.tables():
        _require_own(name, table.location(), settings)
        if dry_run:
            expired = iceberg.outlived(table, keep=keep, fewest=FEWEST_VERSIONS)
        else:
            expired = iceberg.expire_snapshots(table, keep=keep, fewest=FEWEST_VERSIONS)
        try:
            orphans = iceberg.orphans(table, older_than=LEFTOVER_AGE, forgotten=expired)
        except DamagedTableError:
            # What its versions refer to is not known: nothing may be deleted. Who asks for the clean-up tells it.
            continue
        if not dry_run:
            _delete(orphans, settings.aws)
        yield Cleaned(
            table=name,
            kept=sum(snapshot.snapshot_id not in expired for snapshot in table.snapshots()),
            expired=len(expired),
            files=len(orphans),
            size=sum(orphan.size for orphan in orphans),
        )


def _require_own(name: str, location: str, settings: Settings) -> None:
    """What lies beside the home is somebody else's, whatever a catalog says."""
    own = _homes(settings)
    if not location.startswith(tuple(f"{home}/" for home in own)):
        raise RuntimeError(f"{name} is in {location}, outside {' and '.join(own)}: nothing of it was touched")


def _homes(settings: Settings) -> Sequence[str]:
    """Below which this lake's tables are. In AWS those of the raw layer are beside their archive, in its bucket."""
    if settings.aws:
        return (settings.warehouse, f"s3://{settings.aws.raw_bucket}/tables")
    return (f"file://{Path(settings.warehouse).resolve()}",)


def _delete(orphans: Sequence[Orphan], aws: AwsSettings | None) -> None:
    locations = [orphan.location for orphan in orphans]
    if aws is None:
        for location in locations:
            _delete_file(Path(location.removeprefix("file://")))
        return
    # Not by PyArrow's file system, which leaves an empty object in place of each directory.
    s3 = client("s3", aws)
    for start in range(0, len(locations), _BATCH):
        batch = [location.removeprefix("s3://").partition("/") for location in locations[start : start + _BATCH]]
        keys = [{"Key": key} for _, _, key in batch]
        # A table is in one bucket.
        answer = s3.delete_objects(Bucket=batch[0][0], Delete={"Objects": keys, "Quiet": True})
        if refused := answer.get("Errors"):
            first = refused[0]
            raise AwsError(
                f"{len(refused)} files of s3://{batch[0][0]} could not be deleted; the first: {first['Key']}: "
                f"{first['Code']} {first.get('Message', '')}. They stay until the next clean-up may delete them"
            )


def _delete_file(path: Path) -> None:
    """With the directories that it leaves empty, up to that of the run that wrote it."""
    path.unlink(missing_ok=True)
    for directory in path.parents:
        # A run may be about to write beside it: what every run shares stays.
        if directory.name in ("data", "metadata"):
            return
        try:
            directory.rmdir()
        except OSError:
            return
