"""What runs first on a cluster's driver: it makes sure that both sides are the same, then runs the Dagster step.

The launcher (`resources/emr/`) uploads this file for every attempt and has `spark-submit` start it in place of
dagster-aws's own main, which it calls in the end. Events travel pickled and tables are written by whatever code is
found here, so a driver with another Python, dagster, Spark, code, environment or settings refuses the step before
anything is unpickled. What it refuses, or how it crashed, it tells the host in a report beside the events: EMR's own
logs come minutes later.

While a step runs, EMR is told that the cluster is busy. It can't know by itself: it looks for applications of YARN, and
a step that only takes in a file or cleans up never starts one.

The host describes itself with the functions below and the driver compares. Until the versions are known to be equal
nothing is imported but the standard library and boto3, and the syntax is that of Python 3.9, EMR 7's default: the
wrong interpreter must get far enough to say so.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import io
import json
import os
import subprocess
import sys
import threading
import traceback
from collections import deque
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

EXPECTATIONS = "expectations.json"
REPORT = "report.json"
BUSY_MARK = "/emr/metricscollector/isbusy"
"""A file on the primary node. From 6.4 on, EMR takes a cluster for busy if it was touched lately."""

_SECONDS_BETWEEN_MARKS = 10.0

_TAIL_LINES = 200
_PACKAGES = ("dagster", "dagster-aws")


def expectations(code_id: str, environment_id: str, variables: Mapping[str, str], hours: float) -> dict[str, Any]:
    """What the host is and has, and the driver must be and have as well; and how many hours it has."""
    return {
        "hours": hours,
        "versions": versions(),
        "code": {"the code": code_id},
        "environment": {"the Python environment": environment_id},
        "settings": dict(variables),
    }


def versions() -> dict[str, str]:
    """Of what both sides must have in common before either can read what the other wrote."""
    found = {"Python": "{}.{}".format(*sys.version_info)}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "missing"
    try:
        # On a cluster it comes with Spark and is no installed package.
        found["Spark"] = ".".join(importlib.import_module("pyspark").__version__.split(".")[:2])
    except ImportError:
        found["Spark"] = "missing"
    return found


def refusals(expected: dict[str, Any]) -> list[str]:
    """A sentence for each difference between this process and `expected`, with the remedy."""
    environment = expected["settings"].get("DEPUTIES_LAKE_ENVIRONMENT", "")
    deploy = f"`deputies-lake deploy --env {environment}`"
    renew = f"Run {deploy}, then `deputies-lake cluster stop --env {environment}`: the next run starts a new cluster."
    found = {"versions": versions(), "environment": {"the Python environment": PurePath(sys.prefix).name}}
    sentences = _differences(expected, found, "versions", renew)
    sentences += _differences(expected, found, "environment", renew)
    if sentences:
        # The lake may not even be importable here.
        return sentences

    from deputies_lake.emr import artifact
    from deputies_lake.environments import load_settings

    found = {"code": {"the code": artifact.code_id()}, "settings": dict(load_settings().variables)}
    sentences += _differences(expected, found, "code", f"Run {deploy}.")
    forward = "The launcher sets it before spark-submit; look for what on the cluster sets it otherwise."
    return sentences + _differences(expected, found, "settings", forward)


def _differences(expected: dict[str, Any], found: dict[str, Any], kind: str, remedy: str) -> list[str]:
    host, cluster = expected[kind], found[kind]
    return [
        f"{name} is {cluster.get(name, 'not set')} on the cluster, {host.get(name, 'not set')} on the host. {remedy}"
        for name in sorted({*host, *cluster})
        if host.get(name) != cluster.get(name)
    ]


class _Tail(io.TextIOBase):
    """Passes on what is written, and keeps the last lines of it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._lines: deque[str] = deque([""], maxlen=_TAIL_LINES)

    def write(self, text: str) -> int:
        first, *others = text.split("\n")
        self._lines[-1] += first
        self._lines.extend(others)
        self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def text(self) -> str:
        return "\n".join(self._lines)


@contextlib.contextmanager
def _marked_busy(mark: Path) -> Iterator[None]:
    """Touches the mark again and again. Where it can't be touched the step runs all the same."""
    done = threading.Event()

    def keep() -> None:
        told = False
        while True:
            try:
                _touch(mark)
            except (OSError, subprocess.SubprocessError) as error:
                if not told:
                    sys.stderr.write(
                        f"{mark} can't be touched ({error}): EMR may take this cluster for idle and end it\n"
                    )
                told = True
            if done.wait(_SECONDS_BETWEEN_MARKS):
                return

    keeper = threading.Thread(target=keep, name="busy mark", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()


def _touch(mark: Path) -> None:
    try:
        mark.touch()
    except PermissionError:
        # It is root's. Steps run as hadoop, who may become root; from then on it is everybody's.
        command = ["sudo", "--non-interactive", "sh", "-c", 'touch "$1" && chmod a+w "$1"', "sh", str(mark)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - ours


@contextlib.contextmanager
def _ended_after(hours: float, report: Callable[..., None]) -> Iterator[None]:
    """Ends the process if it takes longer: a step that hangs would keep its cluster, also when nobody waits for it."""

    def end() -> None:
        try:
            report(crash=f"It was ended after {hours:g} hours, which is as long as a step may take.")
        finally:
            # Whatever it waits for, no exception would reach it.
            os._exit(1)

    timer = threading.Timer(hours * 3600, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def main(bucket: str, step_run_ref_key: str, busy_mark: str = BUSY_MARK) -> None:
    """Run the step, or exit with a status that EMR calls a failure."""
    import boto3

    s3, folder = boto3.client("s3"), step_run_ref_key.rpartition("/")[0]

    def report(**content: Any) -> None:
        s3.put_object(Bucket=bucket, Key=f"{folder}/{REPORT}", Body=json.dumps(content).encode())

    tail = _Tail(sys.stderr)
    try:
        with contextlib.redirect_stderr(tail), _marked_busy(Path(busy_mark)):
            body = s3.get_object(Bucket=bucket, Key=f"{folder}/{EXPECTATIONS}")["Body"].read()
            expected = json.loads(body)
            sentences = refusals(expected)
            if not sentences:
                with _ended_after(expected["hours"], report):
                    importlib.import_module("dagster_aws.emr.emr_step_main").main(bucket, step_run_ref_key)
                return
    except Exception:
        report(crash=f"{tail.text()}\n{traceback.format_exc()}".strip())
        raise
    report(refusals=sentences)
    sys.exit("This step was refused:\n" + "\n".join(sentences))


if __name__ == "__main__":
    main(*sys.argv[1:])
