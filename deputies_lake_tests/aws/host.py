"""Dagster's host, from which runs start without delay: processes forked from one that has imported all they need.

Each is what `dagster` typed at a terminal is, a process of its own with an environment of its own, but for the seconds
of processor time that importing takes, which would be a third of what most faults need.
"""

import importlib
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final

_PROCESSES: Final = multiprocessing.get_context("forkserver")
# Not the definitions: they are built for the environment that a run is given.
_IMPORTED: Final = ("dagster._cli", "deputies_lake.star.assets", "deputies_lake.resources.emr.launcher", "boto3")


def prepare() -> None:
    """Have runs forked from what is imported; without effect where others in this process were forked before."""
    _PROCESSES.set_forkserver_preload([__name__, *_IMPORTED])


def start(arguments: Sequence[str], *, home: Path, variables: Mapping[str, str], log: Path) -> ForkServerProcess:
    """`dagster` with these arguments, in the directory `home`, its output in `log`."""
    process = _PROCESSES.Process(target=_dagster, args=(arguments, home, dict(variables), log))
    process.start()
    return process


def _dagster(arguments: Sequence[str], home: Path, variables: Mapping[str, str], log: Path) -> None:
    with log.open("wb") as output:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(output.fileno(), stream.fileno())
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(home)
    importlib.import_module("dagster._cli").create_dagster_cli()(arguments)
