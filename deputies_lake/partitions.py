"""The lake's one partitions definition: quota years.

A year is the unit of publication, replacement and backfill. Other partitionings do not belong here, nor does what
a year means: see `quota_years.py`.
"""

import json
from collections.abc import Mapping
from typing import Final

import dagster as dg

from deputies_lake.quota_years import FIRST_YEAR, TIMEZONE

# Ends with the current year, not with the last complete one: its receipts arrive daily. A new key appears by itself
# each 1 January, so no deployment is needed for it.
reimbursement_years: Final = dg.TimeWindowPartitionsDefinition(
    start=str(FIRST_YEAR), fmt="%Y", cron_schedule="0 0 1 1 *", end_offset=1, timezone=TIMEZONE
)


PARTITION_TAG: Final = "dagster/partition"
RANGE_TAGS: Final = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
"""Dagster's own tags of a run of one year, and of a range of them."""


BY_YEARS: Final[Mapping[str, str]] = {"deputies_lake/partitions": "years"}
"""The tag of jobs whose runs must be told their years."""


class UnknownYearError(Exception):
    """A run is about a quota year that does not exist, or about none where it must be about one."""


def range_tags(first: int, last: int) -> Mapping[str, str]:
    """The tags that make one run of the years from `first` to `last`, as `--partition-range` sets them."""
    return dict(zip(RANGE_TAGS, (str(first), str(last)), strict=True))


def years_of_run(tags: Mapping[str, str]) -> range:
    """The years that a run with these tags is about; none where it is about no year."""
    first, last = (tags.get(tag, tags.get(PARTITION_TAG, "")) for tag in RANGE_TAGS)
    return range(int(first), int(last) + 1) if first.isdigit() and last.isdigit() else range(0)


def require_years(tags: Mapping[str, str]) -> None:
    """Raises `UnknownYearError` where a run with these tags can't be about the years that it names.

    Dagster's own `dagster job execute` starts whatever a tag says.
    """
    known = reimbursement_years.get_partition_keys()
    asked = [tags[tag] for tag in (PARTITION_TAG, *RANGE_TAGS) if tag in tags]
    if unknown := [year for year in asked if year not in known]:
        raise UnknownYearError(
            f"there is no quota year {' or '.join(dict.fromkeys(unknown))}: the years are {known[0]} to {known[-1]}"
        )
    if not asked and BY_YEARS.items() <= tags.items():
        example = json.dumps({PARTITION_TAG: known[-1]})
        raise UnknownYearError(
            f"the run must be told its quota year, {known[0]} to {known[-1]}: --tags '{example}', or a range of them: "
            f"--tags '{json.dumps(dict(zip(RANGE_TAGS, (known[0], known[-1]), strict=True)))}'"
        )
