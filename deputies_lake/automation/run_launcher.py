"""The run launcher of a laptop: Dagster's own, which here also notices when a run's process is gone.

Dagster asks a launcher whether a run still lives, and its default one can't tell: after a power cut, or when
everything was killed at once, a run would stay "in progress" for hours and be repeated by nobody. On one machine the
process id, which each run logs, is enough. Named in `laptop.yaml`; where runs are on other machines it has no place.
"""

import os

import dagster as dg
from dagster import DagsterEventType

# What a launcher answers with; Dagster has made neither public.
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus


class LaptopRunLauncher(dg.DefaultRunLauncher):
    """Tells of each run in progress whether its process is there."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """A run that has not told its process yet counts as alive: it is about to begin."""
        process = self._process(run.run_id)
        if process is None or _lives(process):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"its process {process} is gone, killed or crashed")

    def _process(self, run_id: str) -> int | None:
        events = self._instance.all_logs(run_id, of_type=DagsterEventType.ENGINE_EVENT)
        told = [event.dagster_event.engine_event_data.metadata.get("pid") for event in events if event.dagster_event]
        return next((int(str(process.value)) for process in reversed(told) if process), None)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # Somebody else's: ours is gone, and its number was given away.
        return False
    return True
