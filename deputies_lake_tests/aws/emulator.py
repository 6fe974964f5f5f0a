"""An AWS on this machine's loopback, in one process: moto, with an EMR whose clusters run what they are given.

The pieces are put together here. EMR is in `emr.py` and `nodes.py`, the machine it has in `machine.py`, what can be
made to fail in `faults.py`. moto keeps one world for the whole process, so there is one emulator at a time.
"""

import signal
import tempfile
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from unittest import mock

import boto3
import moto.emr.models
import moto.emr.urls
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.glue.responses import GlueResponse
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from deputies_lake_tests.aws import emr, glue
from deputies_lake_tests.aws.faults import Gate
from deputies_lake_tests.aws.machine import provide_machine
from deputies_lake_tests.aws.nodes import Nodes
from deputies_lake_tests.aws.sandbox import Process, require_sandbox
from deputies_lake_tests.infrastructure.moto_gaps import patch_moto

ACCOUNT: Final = DEFAULT_ACCOUNT_ID
REGION: Final = "sa-east-1"


class EmulatedAws:
    """The emulator, from `with` on. Empty at first; nothing of it is left at the end.

    Clusters live in `directory`, a temporary one unless given. What their bootstrap actions left is kept there, so a
    second emulator in it starts its clusters sooner. What can go wrong with calls, and the list of them, is in `gate`.

    `with` raises `MachineError` or `SandboxError` where an EMR machine can't be had.
    """

    gate: Gate
    endpoint: str
    _nodes: Nodes

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        machine = provide_machine()
        with self._stack as stack:
            directory = self._directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aws-")))
            require_sandbox(directory)
            self.gate, self.endpoint = serve(stack)
            self._nodes = Nodes(machine, directory, self.endpoint)
            self._nodes.start()
            stack.callback(self._nodes.stop)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def variables(self) -> Mapping[str, str]:
        """What a process must have in its environment to take this for AWS, whatever its user's own settings are."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "host",
            "AWS_SECRET_ACCESS_KEY": "host",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def client(self, service: str) -> Any:
        """A client for whoever watches: the list of calls has it as "test"."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def clusters(self) -> list[emr.Cluster]:
        """Every cluster that there has been, the oldest first."""
        with emr.LOCK:
            return emr.all_clusters()

    def steps(self) -> list[emr.Step]:
        """Every step that there has been, cluster by cluster."""
        return [step for cluster in self.clusters() for step in cluster.steps]

    def processes(self) -> Mapping[str, Process]:
        """The processes of the steps that run, by step id."""
        return self._nodes.running_steps()

    def kill_step(self, step_id: str) -> None:
        """End a running step as the kernel does when memory is short: at once and without a word."""
        self.processes()[step_id].send(signal.SIGKILL)

    def lose_cluster(self, cluster_id: str) -> None:
        """Take a cluster's machines away, as when EC2 wants them back."""
        with emr.LOCK:
            cluster = next(cluster for cluster in emr.all_clusters() if cluster.id == cluster_id)
            cluster.terminate("INSTANCE_FAILURE", "The primary node was lost")

    def delay_steps(self, seconds: float) -> None:
        """Steps stay PENDING for so long, those that wait now too. 0: no more."""
        self._nodes.step_delay = seconds

    def scale_idle_time(self, scale: float) -> None:
        """Let idle time pass faster: at 0.01, a cluster was idle for ten minutes after six seconds."""
        self._nodes.idle_scale = scale

    def end_faults(self) -> None:
        """From now on all goes well again, and at its own pace."""
        self.gate.clear_faults()
        self.delay_steps(0)
        self.scale_idle_time(1)


def serve(stack: ExitStack) -> tuple[Gate, str]:
    """The calls of an empty AWS and where it listens, until `stack` is closed. Without nodes clusters never start."""
    _repair_moto(stack)
    moto_api_backend.reset()
    stack.callback(moto_api_backend.reset)
    gate = Gate(application=DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, gate, threaded=True, request_handler=_QuietHandler)
    stack.callback(server.server_close)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="emulated AWS")
    thread.start()
    stack.callback(thread.join)
    stack.callback(server.shutdown)
    return gate, f"http://127.0.0.1:{server.server_port}"


class _QuietHandler(MotoRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """A call is no news."""


def _repair_moto(stack: ExitStack) -> None:
    stack.enter_context(mock.patch.object(moto.emr.models, "Cluster", emr.Cluster))
    stack.enter_context(mock.patch.dict(moto.emr.urls.url_paths, {"{0}/$": emr.Emr.dispatch}))
    stack.enter_context(mock.patch.object(GlueResponse, "create_table", glue.create_table))
    stack.enter_context(mock.patch.object(GlueResponse, "update_table", glue.update_table))
    patch_moto()
