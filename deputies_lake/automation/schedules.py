"""The schedules of the House's files: every morning those that change most, once a week all of them.

The House makes all files anew each night, between 01:30 and 05:30 in Brasília; the figures are to be there by 07:00.
When clusters end and when tables are maintained is said beside those jobs.
"""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import dagster as dg

from deputies_lake.assets import key_of
from deputies_lake.automation.jobs import HOUSE
from deputies_lake.automation.runs import SCHEDULE, is_going_on, request
from deputies_lake.environments import Environment, Settings
from deputies_lake.quota_years import FIRST_YEAR, TIMEZONE, current_year
from deputies_lake.resources.files import FilesResource

DAILY: Final = ("45 5 * * *", "10 6 * * *", "30 6 * * *")
"""The second and the third are for mornings on which the House is late, or something failed."""

WEEKLY: Final = "0 8 * * 0"
"""After Sunday's deadline, which it must not endanger."""


def schedule_definitions(settings: Settings) -> dg.Definitions:
    """Both schedules. They run by themselves in prod; elsewhere whoever wants them switches them on in the UI.

    A laptop must not download every morning because its UI was once open, and staging has clusters that cost money.
    """
    in_prod = settings.environment is Environment.PROD
    status = dg.DefaultScheduleStatus.RUNNING if in_prod else dg.DefaultScheduleStatus.STOPPED

    @dg.schedule(
        name="daily_refresh",
        job_name=HOUSE.job_name,
        cron_schedule=DAILY,
        execution_timezone=TIMEZONE,
        default_status=status,
        description="Fetches the House's files of this year and the last one and brings what is new to the readers.",
    )
    def daily_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if is_going_on(context.instance, {SCHEDULE: "daily_refresh"}):
            return dg.SkipReason("the run before is still going on")
        if _is_done(context, settings):
            return dg.SkipReason("this morning's file of the House is in the lake")
        return request(HOUSE, current_year() - 1, current_year())

    @dg.schedule(
        name="weekly_refresh",
        job_name=HOUSE.job_name,
        cron_schedule=WEEKLY,
        execution_timezone=TIMEZONE,
        default_status=status,
        description="Fetches the House's files of all years, for it alters closed ones too; only what changed is work.",
    )
    def weekly_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if is_going_on(context.instance, {SCHEDULE: "weekly_refresh"}):
            return dg.SkipReason("the run before is still going on")
        return request(HOUSE, FIRST_YEAR, current_year())

    return dg.Definitions(schedules=[daily_refresh, weekly_refresh])


def _is_done(context: dg.ScheduleEvaluationContext, settings: Settings) -> bool:
    """Whether a run of today succeeded and took in the current year's file, which landed today. Days are Brasília's."""
    midnight = context.scheduled_execution_time.astimezone(ZoneInfo(TIMEZONE)).replace(hour=0, minute=0)
    succeeded = dg.RunsFilter(
        tags={SCHEDULE: "daily_refresh"}, statuses=[dg.DagsterRunStatus.SUCCESS], created_after=midnight
    )
    if not context.instance.get_runs(succeeded, limit=1):
        return False
    # By the list of the zone: who starts runs need not be allowed to read what they read. So by when the file was
    # written there, not by its date: a run that fetches writes it when the House has a new one, and only then.
    names = HOUSE.csv.of_year(current_year()).file_names
    landed = [file for file in FilesResource.of(settings).landing_zone().files() if file.name in names]
    new = [landed_at for file in landed if (landed_at := datetime.fromisoformat(file.modified)) >= midnight]
    # One that was refused is not in the lake, and the House may mend it before the next tick.
    return bool(new) and _is_taken_in(context.instance, since=max(new))


def _is_taken_in(instance: dg.DagsterInstance, since: datetime) -> bool:
    taken_in = dg.AssetRecordsFilter(
        asset_key=key_of(HOUSE.tables[0]),
        asset_partitions=[str(current_year())],
        after_timestamp=since.timestamp(),
    )
    return bool(instance.fetch_materializations(taken_in, limit=1).records)
