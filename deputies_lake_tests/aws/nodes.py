"""What happens on a cluster: bootstrap actions and steps are run as an EMR machine runs them, and clusters end.

One thread moves every cluster on, a little at a time, and is the parent of all processes. What callers may ask of a
cluster is in `emr.py`, what a process may see in `sandbox.py`.
"""

import contextlib
import gzip
import hashlib
import logging
import os
import shlex
import shutil
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.utils import utcnow
from moto.s3.exceptions import MissingBucket
from moto.s3.models import S3Backend, s3_backends

from deputies_lake_tests.aws.emr import LOCK, Cluster, Step, all_clusters
from deputies_lake_tests.aws.machine import Machine, write_spark_defaults
from deputies_lake_tests.aws.sandbox import Process

_LOG: Final = logging.getLogger(__name__)

_HOME: Final = "/home/hadoop"
# Where EMR's own programs look whether somebody keeps a cluster busy.
_COLLECTOR: Final = "/emr/metricscollector"
_SPARK_SUBMIT: Final = ("/usr/lib/spark/bin/spark-submit", "spark-submit")
_WITHOUT_VALUE: Final = ("--supervise", "--verbose", "-v")
# What this machine has instead of YARN.
_REPLACED: Final = {"--master": "local[2]", "--deploy-mode": "client"}
_SECONDS_BETWEEN_LOOKS: Final = 0.05


@dataclass(kw_only=True)
class Node:
    """A cluster's primary node, which is all the machines that an emulated cluster has.

    `kept` is where later clusters with the same bootstrap actions find what these left in `home`.
    """

    directory: Path
    kept: Path
    bootstrap: Process | None = None
    steps: dict[str, Process] = field(default_factory=dict)
    idle_since: float = 0.0
    marked: int = 0

    @property
    def busy_mark(self) -> Path:
        return self.home / ".metricscollector" / "isbusy"

    @property
    def home(self) -> Path:
        return self.directory / "home"

    @property
    def bootstrap_directory(self) -> Path:
        return self.directory / "bootstrap"

    @property
    def temporary(self) -> Path:
        return self.directory / "tmp"

    @property
    def spark_defaults(self) -> Path:
        return self.directory / "spark-defaults.conf"

    def step_directory(self, step_id: str) -> Path:
        return self.directory / "steps" / step_id


class Nodes(threading.Thread):
    """Gives clusters life until `stop`.

    Clusters live in `directory`. What bootstrap actions left stays there, also for later emulators: a cluster with
    the same scripts and arguments starts in a second. `idle_scale` shortens the time in which a cluster counts as
    idle; `step_delay`, in seconds, keeps steps waiting.
    """

    def __init__(self, machine: Machine, directory: Path, endpoint: str) -> None:
        super().__init__(name="emulated EMR")
        self._machine, self._directory, self._endpoint = machine, directory, endpoint
        self.idle_scale, self.step_delay = 1.0, 0.0
        self._nodes: dict[str, Node] = {}
        self._stopped = threading.Event()
        # Every node sees its home here: what a bootstrap wrote, with this path in it, is good on each of them.
        self._home = directory / "hadoop"
        self._home.mkdir(exist_ok=True)

    def run(self) -> None:
        while not self._stopped.wait(_SECONDS_BETWEEN_LOOKS):
            with LOCK:
                for cluster in all_clusters():
                    self._move_on(cluster)
        with LOCK:
            for cluster in all_clusters():
                cluster.terminate()
                self._move_on(cluster)

    def stop(self) -> None:
        """Terminate every cluster, and wait for that: no process and no file of theirs is left."""
        self._stopped.set()
        self.join()

    def running_steps(self) -> Mapping[str, Process]:
        """By step id."""
        with LOCK:
            return {step_id: process for node in self._nodes.values() for step_id, process in node.steps.items()}

    def _move_on(self, cluster: Cluster) -> None:
        try:
            match cluster.state:
                case "STARTING":
                    self._start(cluster)
                case "BOOTSTRAPPING":
                    self._finish_bootstrap(cluster, self._nodes[cluster.id])
                case "WAITING" | "RUNNING":
                    self._work(cluster, self._nodes[cluster.id])
                case "TERMINATING":
                    self._terminate(cluster, self._nodes.pop(cluster.id, None))
        # Nobody waits for this thread. Whoever waits for the cluster learns it.
        except Exception as error:  # noqa: BLE001
            _LOG.exception("cluster %s", cluster.id)
            cluster.terminate("INTERNAL_ERROR", f"the emulator failed: {error!r}")

    # Bootstrap

    def _start(self, cluster: Cluster) -> None:
        actions = cluster.bootstrap_actions
        arguments = [[self._located(argument) for argument in action.args] for action in actions]
        try:
            scripts = [_read(str(action.script_path)) for action in actions]
        except FileNotFoundError as error:
            cluster.terminate("BOOTSTRAP_FAILURE", f"a bootstrap action can't be downloaded: {error}")
            return
        kept = self._directory / "bootstraps" / hashlib.sha256(repr((scripts, arguments)).encode()).hexdigest()
        if any(node.bootstrap and node.kept == kept for node in self._nodes.values()):
            return  # Another cluster is at it: wait for what it leaves.
        node = Node(directory=self._directory / "clusters" / cluster.id, kept=kept)
        for directory in (node.home, node.temporary, node.bootstrap_directory, kept.parent):
            directory.mkdir(parents=True, exist_ok=True)
        write_spark_defaults(node.spark_defaults, self._spark_defaults(cluster, node))
        if kept.exists():
            command = ["cp", "--archive", "--link", f"{kept}/.", str(node.home)]
        else:
            command = ["sh", "-c", _bootstrap_script(node, scripts, arguments)]
        node.bootstrap = self._process(cluster, node, command, node.bootstrap_directory)
        self._nodes[cluster.id] = node
        cluster.state = "BOOTSTRAPPING"

    def _finish_bootstrap(self, cluster: Cluster, node: Node) -> None:
        assert node.bootstrap is not None
        code = node.bootstrap.exit_code()
        if code is None:
            return
        node.bootstrap = None
        if code == 0:
            cluster.become_ready()
            node.busy_mark.parent.mkdir()
            node.busy_mark.touch()
            node.marked, node.idle_since = node.busy_mark.stat().st_mtime_ns, time.monotonic()
            return
        action = (node.bootstrap_directory / "running").read_text(encoding="utf-8").strip()
        message = f"On the master instance ({cluster.id}), bootstrap action {action} returned a non-zero return code"
        cluster.terminate("BOOTSTRAP_FAILURE", message)

    # Steps

    def _work(self, cluster: Cluster, node: Node) -> None:
        for step_id, process in list(node.steps.items()):
            step, code = cluster.step(step_id), process.exit_code()
            if code is not None:
                del node.steps[step_id]
                _finish_step(cluster, step, node.step_directory(step_id), code)
            elif step.cancelled_by:
                process.send(signal.SIGKILL if step.cancelled_by == "TERMINATE_PROCESS" else signal.SIGTERM)
        for step in cluster.steps:
            is_due = step.state == "PENDING" and _age(step) >= self.step_delay
            if is_due and len(node.steps) < cluster.step_concurrency_level:
                cluster.state = "RUNNING"
                self._start_step(cluster, node, step)
        if not cluster.active_steps():
            if cluster.state == "RUNNING":
                cluster.state = "WAITING"
            if not cluster.keep_job_flow_alive_when_no_steps:
                cluster.terminate("ALL_STEPS_COMPLETED", "Steps completed")
        self._end_if_idle(cluster, node)

    def _start_step(self, cluster: Cluster, node: Node, step: Step) -> None:
        directory = node.step_directory(step.id)
        directory.mkdir(parents=True)
        arguments = [self._located(argument) for argument in step.args]
        command = as_run_here(arguments, self._machine.spark_submit, node.spark_defaults)
        (directory / "controller").write_text(f"INFO startExec {shlex.join(command)}\n", encoding="utf-8")
        node.steps[step.id] = self._process(cluster, node, command, directory, {"EMR_STEP_ID": step.id})
        step.begin()

    def _end_if_idle(self, cluster: Cluster, node: Node) -> None:
        """By AWS's rule from EMR 6.4 on: busy is a cluster with pending steps, with applications of YARN, or whose mark
        is touched. A step that runs but has no application does not count."""
        marked = node.busy_mark.stat().st_mtime_ns
        if marked != node.marked or _has_application(node) or any(step.state == "PENDING" for step in cluster.steps):
            node.marked, node.idle_since = marked, time.monotonic()
        policy = cluster.auto_termination_policy
        if policy and time.monotonic() - node.idle_since > policy["IdleTimeout"] * self.idle_scale:
            cluster.terminate("ALL_STEPS_COMPLETED", "Terminated by the auto-termination policy")

    # The end

    def _terminate(self, cluster: Cluster, node: Node | None) -> None:
        for process in [*node.steps.values(), *filter(None, [node.bootstrap])] if node else []:
            process.kill()
        for step in cluster.active_steps():
            if node and step.id in node.steps:
                _upload_logs(cluster, f"steps/{step.id}", node.step_directory(step.id))
            step.end("CANCELLED", "Job terminated")
        if node:
            for action in node.bootstrap_directory.glob("[0-9]*"):
                _upload_logs(cluster, f"node/{cluster.id}/bootstrap-actions/{action.name}", action)
            shutil.rmtree(node.directory)
        cluster.become_terminated()

    # Processes

    def _process(
        self,
        cluster: Cluster,
        node: Node,
        command: Sequence[str],
        directory: Path,
        variables: Mapping[str, str] | None = None,
    ) -> Process:
        """A process with the variables that one has on EMR, and none of this process's.

        Its credentials are those of the instance profile; the key's name is the cluster, which shows in the list of
        calls. There is no metadata service to get them from, and none to say the region, which EMR does not set.
        """
        given = {
            **self._machine.variables,
            "HOME": str(self._home),
            "USER": "hadoop",
            "TMPDIR": str(node.temporary),
            "SPARK_LOCAL_DIRS": str(node.temporary),
            "EMR_CLUSTER_ID": cluster.id,
            "AWS_ENDPOINT_URL": self._endpoint,
            "AWS_ACCESS_KEY_ID": cluster.id,
            "AWS_SECRET_ACCESS_KEY": "instance-profile",
            "AWS_EC2_METADATA_DISABLED": "true",
            **cluster.configured("spark-env", "export"),
            **(variables or {}),
        }
        return Process(command, directory=directory, home=node.home, seen_as=self._home, variables=given)

    def _located(self, argument: str) -> str:
        return argument.replace(_HOME, str(self._home)).replace(_COLLECTOR, str(self._home / ".metricscollector"))

    def _spark_defaults(self, cluster: Cluster, node: Node) -> Mapping[str, str]:
        archive = f"-XX:SharedArchiveFile={self._machine.class_archive} -Xlog:cds*=off"
        return {
            **cluster.configured("spark-defaults"),
            **self._machine.spark_defaults(self._endpoint, node.temporary, archive),
        }


def _has_application(node: Node) -> bool:
    """Whether a driver has a Spark context, which on EMR is an application of YARN: it keeps blocks on disk."""
    # Walked, for Spark deletes its folders meanwhile: a walk passes over what is gone, `glob` fails of it.
    folders = (name for _, names, _ in os.walk(node.temporary) for name in names)
    return bool(node.steps) and any(name.startswith("blockmgr-") for name in folders)


def as_run_here(arguments: Sequence[str], spark_submit: Path, defaults: Path) -> list[str]:
    """A step's command, with this machine's Spark where it asks for EMR's. Any other command stays as it is."""
    command = list(arguments)
    # command-runner.jar runs any program, so also `env NAME=VALUE ... spark-submit ...`.
    at = 0
    if command[:1] == ["env"]:
        at = next((i for i, argument in enumerate(command) if i and "=" not in argument), len(command) - 1)
    if command[at : at + 1] and command[at] in _SPARK_SUBMIT:
        options = [str(spark_submit), "--properties-file", str(defaults)]
        command[at:] = [*options, *_submitted_here(command[at + 1 :])]
    return command


def _submitted_here(arguments: Sequence[str]) -> list[str]:
    """Options with their values up to the program; what follows it is the program's own."""
    submitted: list[str] = []
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        submitted.append(option)
        if option not in _WITHOUT_VALUE and rest:
            submitted.append(_REPLACED.get(option, rest[0]))
            del rest[0]
    return submitted + rest


def _bootstrap_script(node: Node, scripts: Sequence[bytes], arguments: Sequence[Sequence[str]]) -> str:
    """Runs the actions in order and keeps what they left for clusters to come. Says in `running` how far it came."""
    lines = []
    for number, (script, given) in enumerate(zip(scripts, arguments, strict=True), start=1):
        directory = node.bootstrap_directory / str(number)
        directory.mkdir()
        program = directory / "script"
        program.write_bytes(script)
        program.chmod(0o755)
        command = shlex.join([str(program), *given])
        lines.append(f"echo {number} >running; {command} >{number}/stdout 2>{number}/stderr || exit 1")
    unfinished = f"{node.kept}.{node.directory.name}"
    lines += [
        "echo after the last >running",
        shlex.join(["cp", "--archive", "--link", str(node.home), unfinished]),
        shlex.join(["mv", unfinished, str(node.kept)]),
    ]
    return "set -e\n" + "\n".join(lines)


def _finish_step(cluster: Cluster, step: Step, directory: Path, code: int) -> None:
    with (directory / "controller").open("a", encoding="utf-8") as controller:
        controller.write(f"INFO ended with exit code {code}\n")
    _upload_logs(cluster, f"steps/{step.id}", directory)
    if step.cancelled_by:
        step.end("CANCELLED", "Job terminated")
    elif code == 0:
        step.end("COMPLETED")
    else:
        step.failure_details = {
            "Reason": "Unknown Error.",
            "Message": _last_error((directory / "stderr").read_text(encoding="utf-8", errors="replace")),
            **({"LogFile": f"{cluster.log_uri}{cluster.id}/steps/{step.id}/stderr.gz"} if cluster.log_uri else {}),
        }
        step.end("FAILED")
        _act_on_failure(cluster, step)


def _act_on_failure(cluster: Cluster, failed: Step) -> None:
    if failed.action_on_failure == "CANCEL_AND_WAIT":
        for step in cluster.steps:
            if step.state == "PENDING":
                step.end("CANCELLED", "Job terminated")
    elif failed.action_on_failure in {"TERMINATE_CLUSTER", "TERMINATE_JOB_FLOW"}:
        cluster.terminate("STEP_FAILURE", "Shut down as step failed")


def _last_error(stderr: str) -> str:
    """What EMR shows as the message: the last line that names an exception, if there is one."""
    lines = [line.strip() for line in stderr.splitlines() if "Error" in line or "Exception" in line]
    return lines[-1][:1000] if lines else ""


def _age(step: Step) -> float:
    seconds: float = (utcnow() - step.creation_date_time).total_seconds()
    return seconds


# S3 as EMR itself uses it: no call that a test could see, count or make fail.


def _s3() -> S3Backend:
    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]


def _read(uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        found = _s3().get_object(bucket, key)
    except MissingBucket:
        found = None
    if found is None:
        raise FileNotFoundError(f"there is no {uri}")
    content: bytes = found.value
    return content


def _upload_logs(cluster: Cluster, prefix: str, directory: Path) -> None:
    """Where nobody wants logs, or their bucket is gone, EMR says nothing and neither do we."""
    if not cluster.log_uri:
        return
    bucket, _, root = cluster.log_uri.removeprefix("s3n://").partition("/")
    for name in ("controller", "stdout", "stderr"):
        log = directory / name
        if log.exists():
            content = gzip.compress(log.read_bytes())
            with contextlib.suppress(MissingBucket):
                _s3().put_object(bucket, f"{root}{cluster.id}/{prefix}/{name}.gz", content)
