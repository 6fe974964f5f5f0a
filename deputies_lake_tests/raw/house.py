"""The House's web server on a loopback port: it publishes invented files, and misbehaves as it is told to.

It keeps what it was asked for and what it answered. What the files hold is of no interest here: whoever reads their
rows makes them elsewhere.
"""

import io
import random
import threading
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

_BLOCK_BYTES = 16 << 10


def zip_of(year: int, *, edition: int = 1, size: int = 200_000) -> bytes:
    """A year's archive. Editions differ, in as many bytes."""
    return zip_with({f"Ano-{year}.csv": random.Random(f"{year} {edition}").randbytes(size)})


def zip_with(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


@dataclass(frozen=True, kw_only=True)
class Published:
    """A file as it is published; without an ETag, or without a date, the server does not tell it."""

    content: bytes
    etag: str | None = None
    last_modified: str | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        told = {"ETag": self.etag, "Last-Modified": self.last_modified}
        return {name: value for name, value in told.items() if value}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with one request. `cut` ends the connection, `stall` the flow, after so many bytes of a body; a
    `mute` server does not answer at all."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    stall: int | None = None
    mute: bool = False


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request, and what was answered."""

    year: int
    headers: Mapping[str, str]
    status: int


class House:
    """The server, from `with` on. What goes wrong is taken from `faults`, one for each request.

    `ranges` and `conditions_of_ranges` say whether it heeds Range and If-Range, `tells_length` whether it says how much
    will come; `pause` is what it sleeps before each block, in seconds. `most_waiting` requests waited for it at once.
    """

    def __init__(self) -> None:
        self.files: dict[int, Published] = {}
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.most_waiting = 0
        self.ranges = True
        self.conditions_of_ranges = True
        self.tells_length = True
        self.pause = 0.0
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._waiting = 0

    def __enter__(self) -> Self:
        house = self

        class Handler(_Handler):
            def do_GET(self) -> None:
                house.answer(self)

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, name="the House"
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/cotas"

    def publish(self, year: int, content: bytes, *, edition: int = 1) -> bytes:
        """With an ETag and a date, as the House does."""
        date = f"Mon, {edition:02} Nov 2026 06:27:00 GMT"
        self.files[year] = Published(content=content, etag=f'"{edition:x}-{len(content):x}"', last_modified=date)
        return content

    @property
    def statuses(self) -> list[int]:
        return [seen.status for seen in self.seen]

    def answer(self, request: "_Handler") -> None:
        year = int(request.path.removeprefix("/cotas/Ano-").removesuffix(".csv.zip"))
        with self._lock:
            fault = self.faults.pop(0) if self.faults else Fault()
            status, headers, body = self._answer(year, request.headers, fault)
            self.seen.append(Seen(year=year, headers=dict(request.headers), status=status))
            self._waiting += 1
            self.most_waiting = max(self.most_waiting, self._waiting)
        time.sleep(self.pause)
        with self._lock:
            self._waiting -= 1
        if fault.mute:
            self.closing.wait()
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        self._send(request, body, fault)

    def _answer(self, year: int, asked: Any, fault: Fault) -> tuple[int, dict[str, str], bytes]:
        if fault.status:
            return fault.status, {**fault.headers, "Content-Length": "0"}, b""
        file = self.files.get(year)
        if file is None:
            return 404, {"Content-Length": "0"}, b""
        headers = {**file.headers, **fault.headers}
        if self._is_known(file, asked):
            return 304, headers, b""
        start = self._start(file, asked)
        if start and start >= len(file.content):
            return 416, {"Content-Range": f"bytes */{len(file.content)}", "Content-Length": "0"}, b""
        body = file.content[start:]
        if self.tells_length:
            headers["Content-Length"] = str(len(body))
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(file.content) - 1}/{len(file.content)}"
        return (206 if start else 200), headers, body

    def _is_known(self, file: Published, asked: Any) -> bool:
        # If there is an ETag the date does not count.
        if "If-None-Match" in asked:
            return bool(asked["If-None-Match"] == file.etag)
        return "If-Modified-Since" in asked and asked["If-Modified-Since"] == file.last_modified

    def _start(self, file: Published, asked: Any) -> int:
        wanted = asked.get("Range", "")
        if not self.ranges or not wanted:
            return 0
        if self.conditions_of_ranges and asked.get("If-Range") not in (None, file.etag, file.last_modified):
            return 0
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def _send(self, request: "_Handler", body: bytes, fault: Fault) -> None:
        end = min((limit for limit in (fault.cut, fault.stall) if limit is not None), default=len(body))
        for at in range(0, end, _BLOCK_BYTES):
            time.sleep(self.pause)
            request.wfile.write(body[at : min(at + _BLOCK_BYTES, end)])
        if fault.stall is not None:
            self.closing.wait()


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """A request is no news."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever hangs up is no news either."""
