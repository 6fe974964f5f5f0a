"""How long a command takes, and what it and all processes it starts use: a JVM, its helpers, Python workers.

Linux only and the standard library only. Nothing here knows what is measured.
"""

import ctypes
import os
import resource
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SAMPLES_PER_SECOND: Final = 10

_PR_SET_CHILD_SUBREAPER: Final = 36
_SECONDS_TO_END: Final = 30
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")

Progress = Callable[[float, int], None]


class CommandFailedError(RuntimeError):
    """A measured command that did not succeed. Says where its output is."""


@dataclass(frozen=True)
class Usage:
    """`peak_bytes` is the resident memory of all processes together; pages that they share count in each."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


def measure(command: Sequence[str], log: Path, progress: Progress) -> Usage:
    """Run `command` to its end, its output going to `log`; `progress` is told seconds and bytes once a second.

    CPU seconds are the kernel's own figures for all descendants, no matter who started them. Raises
    `CommandFailedError`.
    """
    # A JVM outlives the Python process that started it. As subreaper we inherit it, and with it its CPU time.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    cpu_before = _cpu_of_ended_children()
    started = time.monotonic()
    with log.open("wb") as output, _Sampler(progress) as sampler:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        process.returncode = _wait_for(process.pid)
        wall = time.monotonic() - started
        _wait_for_others()
    if process.returncode:
        raise CommandFailedError(f"{shlex.join(command)} ended with {process.returncode}; its output is in {log}")
    return Usage(wall_seconds=wall, cpu_seconds=_cpu_of_ended_children() - cpu_before, peak_bytes=sampler.peak_bytes)


class _Sampler(threading.Thread):
    """Adds up the resident memory of all our descendants, ten times a second."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(daemon=True)
        self._progress, self._ended, self.peak_bytes = progress, threading.Event(), 0

    def __enter__(self) -> "_Sampler":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        started, previous, ticks = time.monotonic(), 0, 0
        while not self._ended.wait(1 / SAMPLES_PER_SECOND):
            current = resident_bytes_below(os.getpid())
            # Two samples in a row: a JVM that is just starting a helper appears twice for an instant.
            self.peak_bytes = max(self.peak_bytes, min(previous, current))
            previous, ticks = current, ticks + 1
            if ticks % SAMPLES_PER_SECOND == 0:
                self._progress(time.monotonic() - started, current)


def resident_bytes_below(root: int) -> int:
    """Resident memory of all descendants of a process, without its own."""
    children: dict[int, list[int]] = {}
    pages: dict[int, int] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = file.read_text(errors="replace")
        except OSError:
            continue  # It ended meanwhile.
        # The name in parentheses may hold anything; parent and resident pages are the 2nd and 22nd field after it.
        fields = text.rpartition(")")[2].split()
        process = int(file.parent.name)
        children.setdefault(int(fields[1]), []).append(process)
        pages[process] = int(fields[21])
    below, total = list(children.get(root, ())), 0
    while below:
        process = below.pop()
        total += pages[process] * _PAGE_BYTES
        below += children.get(process, ())
    return total


def _wait_for(process: int) -> int:
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == process:
            return os.waitstatus_to_exitcode(status)


def _wait_for_others() -> None:
    """What the command left running ends by itself in a moment; what does not is killed."""
    last_moment = time.monotonic() + _SECONDS_TO_END
    while True:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not ended and time.monotonic() > last_moment:
            for file in Path("/proc/self/task").glob("*/children"):
                for child in file.read_text().split():
                    os.kill(int(child), signal.SIGKILL)
        time.sleep(0.02)


def _cpu_of_ended_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
