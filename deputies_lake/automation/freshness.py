"""The deadline, as Dagster's freshness policies: what of the serving layer is late, for the UI and the alerts.

Dagster takes any materialization of an asset for a sign of freshness, whatever years it was about. So on a mart, which
has years, and on what is made of marts, the policy says half of it: where it fails nothing was made this morning, and
that is late for certain; where it passes, something was. The whole of it says `serving/todays_figures`, which is
materialized only when the day's file is in what readers get. When that is, is decided in `serving/readiness.py`.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

import dagster as dg

from deputies_lake.quota_years import TIMEZONE
from deputies_lake.serving.readiness import DEADLINE

POLICY: Final = dg.FreshnessPolicy.cron(
    deadline_cron=f"{DEADLINE.minute} {DEADLINE.hour} * * *",
    # From midnight on: what was made the evening before can't have the House's file of the night.
    lower_bound_delta=timedelta(hours=DEADLINE.hour, minutes=DEADLINE.minute),
    timezone=TIMEZONE,
)


def with_deadline(assets: Iterable[Any]) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The same assets and specs, with the deadline on all that readers get."""
    return list(dg.map_asset_specs(_with_deadline, assets))


def _with_deadline(spec: dg.AssetSpec) -> dg.AssetSpec:
    return dg.apply_freshness_policy(spec, POLICY) if spec.group_name == "serving" else spec
