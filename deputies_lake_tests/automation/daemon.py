"""A real daemon on a lake of its own: started as `dagster dev` starts one, watched, and killed with all it started.

What is played with it is in `test_daemon.py`.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Self, TypeVar

import dagster as dg

from deputies_lake.environments import Engine, Settings, load_settings
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.resources.lake import LakeResource
from deputies_lake_tests.as_typed import Shell

SECONDS = 600
"""What any one thing may take, on a machine that is busy with other tests; on an idle one it takes a tenth of it."""

Found = TypeVar("Found")


class Platform:
    """A laptop: a lake, Dagster's home in it as the project writes it, and a daemon with its code server."""

    def __init__(self, folder: Path) -> None:
        self.shell = Shell(folder, Engine.SAIL)
        self.settings: Settings = load_settings("local", self.shell.environment)
        self.landing = Path(self.settings.landing)
        self._log = folder / "daemon.log"
        self._closing = ExitStack()
        self._daemon: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.landing.mkdir(parents=True)
        provide = "from deputies_lake.environments import provide_dagster_home; provide_dagster_home()"
        # Without a home of Dagster that is set, the project makes its own.
        made = self.shell.run(f"unset DAGSTER_HOME; python -c '{provide}'")
        assert made.returncode == 0, made.stdout
        self._look_often()
        self.instance = self._closing.enter_context(dg.DagsterInstance.from_config(str(self.shell.dagster_home)))
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._closing.close()

    def _look_often(self) -> None:
        """As the laptop's instance, but a lost run is noticed at once: nobody waits for that in a test."""
        configuration = self.shell.dagster_home / "dagster.yaml"
        text = configuration.read_text(encoding="utf-8")
        assert "poll_interval_seconds: 15" in text
        configuration.write_text(text.replace("poll_interval_seconds: 15", "poll_interval_seconds: 2"))

    def start(self) -> None:
        log: IO[bytes] = self._closing.enter_context(self._log.open("ab"))
        self._daemon = subprocess.Popen(
            ["dagster-daemon", "run", "-m", "deputies_lake.definitions"],
            cwd=self.shell.home,
            env=self.shell.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def kill(self) -> None:
        """All at once, as a power cut does: the daemon, its code server, the runs and their Java."""
        if self._daemon:
            os.killpg(self._daemon.pid, signal.SIGKILL)
            self._daemon.wait()
            self._daemon = None

    def land(self, *files: Path) -> None:
        """Put files there at once, as old as a file is that was copied with its times."""
        for file in files:
            # Old enough to be at rest, and no older: soon after midnight an hour ago was another day.
            os.utime(file, (time.time() - 60,) * 2)
            file.rename(self.landing / file.name)

    @property
    def lake(self) -> Lake:
        return LakeResource.of(self.settings).open()

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def materialized(self, run: dg.DagsterRun) -> set[dg.AssetKey | None]:
        events = self.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        return {event.asset_materialization.asset_key for event in events if event.asset_materialization}

    def runs(self) -> Sequence[dg.DagsterRun]:
        """All there were, the oldest first."""
        return list(reversed(self.instance.get_runs()))

    def finished(self, count: int) -> Sequence[dg.DagsterRun]:
        """All runs, when there are so many and each is finished."""

        def done() -> Sequence[dg.DagsterRun] | None:
            runs = self.runs()
            return runs if len(runs) >= count and all(run.is_finished for run in runs) else None

        return self.wait_for(done, f"{count} runs that are finished")

    def wait_for(self, find: Callable[[], Found | None], what: str) -> Found:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            if (found := find()) is not None:
                return found
            time.sleep(0.25)
        runs = [(run.job_name, run.status.value, run.tags) for run in self.runs()]
        raise AssertionError(f"no {what} in {SECONDS} seconds; there are {runs}\n{self.log[-6000:]}")
