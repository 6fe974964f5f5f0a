"""The run launchers of a laptop and of a deployment: Dagster's own, which also notice when a run's process is gone.

Dagster asks a launcher whether a run still lives, and its default one can't tell: after a power cut, or when
everything was killed at once, a run would stay "in progress" for hours and be repeated by nobody. On one machine the
process id, which each run logs, is enough; between containers the code server is asked, whose children runs are. Named
in `laptop.yaml` and in `infrastructure/dagster.yaml`.
"""

import os
from typing import Final

import dagster as dg
from dagster import DagsterEventType

# What a launcher answers with and whom it asks; Dagster has made none of it public.
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

_ANSWER_SECONDS: Final = 10


class LaptopRunLauncher(dg.DefaultRunLauncher):
    """Tells of each run in progress whether its process is there."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """A run that has not told its process yet counts as alive: it is about to begin."""
        lost = why_lost(self._instance, run)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND if lost else WorkerStatus.RUNNING, lost)


class ContainerRunLauncher(dg.DefaultRunLauncher):
    """Tells of each run in progress whether the code server that started it still has it."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """As long as the server does not answer, the run counts as alive: it may be, and is judged when it does."""
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id), timeout=_ANSWER_SECONDS)
        except DagsterUserCodeUnreachableError:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "the code server does not answer")
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND, "the code server was started anew, and the run ended with it"
        )


def why_lost(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """That the run's process is gone, which was one of this machine; None while it lives or has not told its number."""
    events = instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT)
    told = [event.dagster_event.engine_event_data.metadata.get("pid") for event in events if event.dagster_event]
    process = next((int(str(process.value)) for process in reversed(told) if process), None)
    return None if process is None or _lives(process) else f"its process {process} is gone, killed or crashed"


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # Somebody else's: ours is gone, and its number was given away.
        return False
    return True
