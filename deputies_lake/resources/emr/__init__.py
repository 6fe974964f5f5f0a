"""The step launcher: what moves an asset's step to a cluster, or leaves it where it is.

`launcher.py` is the resource and the order of events, `attempt.py` what the two sides tell each other, `steps.py`
EMR's side of it, `patience.py` how long AWS may be out of sorts, `provenance.py` what only the host can know about an
event. Which cluster and which code belong to `deputies_lake/emr/`, and so does `step_main.py`, the remote end.
"""

from typing import Any

import dagster as dg

from deputies_lake.environments import Settings


def step_launcher(settings: Settings) -> Any:
    """The launcher of an environment: none locally, EMR's elsewhere. Making it calls nothing."""
    if settings.aws is None:
        return dg.ResourceDefinition.none_resource("Steps run in the run's own process.")
    # It takes a second to import, which a laptop's every command would wait for.
    from deputies_lake.resources.emr.launcher import EmrStepLauncherResource

    return EmrStepLauncherResource.of(settings)
