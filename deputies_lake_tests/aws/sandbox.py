"""Commands that can't see the checkout and never outlive the process that started them.

Linux alone offers both: a mount namespace in which the checkout is an empty directory, and a process namespace of
which the kernel ends every member when its first one ends. What is run in them, and when, is in `nodes.py`.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import deputies_lake_tests

CHECKOUT: Final = Path(deputies_lake_tests.__file__).resolve().parents[1]

# 1: what is hidden, 2 and 3: a directory and where it appears. The death signal is set last, for `unshare` drops it.
# The innermost shell is there because the first process of a namespace ignores the signals it does not handle.
_ENTER: Final = """
mount -t tmpfs none "$1" && mount --bind "$2" "$3" && shift 3 || exit 1
exec setpriv --pdeathsig KILL unshare --pid --fork --kill-child sh -c '"$@"; exit $?' sh "$@"
"""


class SandboxError(RuntimeError):
    """This machine can't keep commands away from the checkout. Says why, and what to do."""


class Process:
    """A command in a sandbox. It sees `home` at `seen_as` and writes `stdout` and `stderr` into `directory`.

    It ends at the latest with the thread that makes it.
    """

    def __init__(
        self, command: Sequence[str], *, directory: Path, home: Path, seen_as: Path, variables: Mapping[str, str]
    ) -> None:
        with (directory / "stdout").open("wb") as stdout, (directory / "stderr").open("wb") as stderr:
            self._process = subprocess.Popen(
                [*_entrance(CHECKOUT, home, seen_as), *command],
                cwd=directory,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs. 128 and the signal's number if a signal ended it, as a shell says it."""
        code = self._process.poll()
        return code if code is None or code >= 0 else 128 - code

    def send(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """End it and everything it started, and wait for that."""
        self.send(signal.SIGKILL)
        self._process.wait()


def require_sandbox(*needed: Path) -> None:
    """Raises `SandboxError` where no sandbox is to be had, or where it would hide what is `needed` in it."""
    for path in needed:
        if path.resolve().is_relative_to(CHECKOUT):
            raise SandboxError(
                f"{path} is inside the checkout {CHECKOUT}, which commands on the emulated cluster can't see. "
                "Put it elsewhere: XDG_CACHE_HOME decides where the EMR machine is, TMPDIR where clusters are."
            )
    if not (shutil.which("unshare") and shutil.which("setpriv")):
        raise SandboxError("the emulated AWS runs on Linux only: it needs unshare and setpriv of util-linux")
    with tempfile.TemporaryDirectory() as probed:
        probe = [*_entrance(Path(probed), Path(probed), Path(probed)), "true"]
        done = subprocess.run(probe, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SandboxError(
            f"this machine lets nobody make namespaces: {done.stderr.strip()}. Run as root, allow it with "
            "`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or start the container with "
            "--cap-add SYS_ADMIN --security-opt apparmor=unconfined."
        )


def _entrance(hidden: Path, directory: Path, seen_as: Path) -> list[str]:
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *as_root, "--mount", "sh", "-c", _ENTER, "sh", str(hidden), str(directory), str(seen_as)]
