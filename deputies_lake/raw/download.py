"""One file from a web server to this machine: asked for only if it changed, resumed where it broke, tried again.

Here: HTTP, what it may take, and what goes wrong with it. What the file must hold and where it goes is in
`fetching.py`.
"""

import json
import os
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from threading import Event
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

_BLOCK_BYTES: Final = 64 << 10

# As they are: a server that compressed on the way would send other bytes than those whose length and ETag it tells.
_HEADERS: Final = {
    "User-Agent": f"deputies-lake {requests.utils.default_user_agent()}",
    "Accept-Encoding": "identity",
}

# Besides the server's own errors, all from 500 on.
_TRY_AGAIN: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)

_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]+)-[0-9]+/([0-9]+|\*)")


Report = Callable[[str], None]


class DownloadError(Exception):
    """A file that can't be had now. `status` is what the server answered, None where its answer was not the trouble.

    What came so far is kept, so that a later download can go on with it.
    """

    def __init__(self, problem: str, status: int | None = None) -> None:
        super().__init__(problem)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a download may take: times in seconds, and bytes.

    `total` is for all attempts together. `attempts` may bring nothing in a row; between them it pauses for `pause`
    and twice as long each time, at most for `longest_pause`.
    """

    connect: float = 10
    stall: float = 30
    total: float = 900
    attempts: int = 5
    pause: float = 1
    longest_pause: float = 60
    size: int = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Version:
    """Which version of a file a server sent, in the server's own words."""

    url: str
    etag: str | None
    last_modified: str | None

    @property
    def conditions(self) -> Mapping[str, str]:
        """The headers that ask for another version only."""
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in headers.items() if value}

    @property
    def if_range(self) -> str | None:
        """What the rest of this version can be asked for by. A weak ETag does not stand for bytes."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified

    def contradicts(self, other: "Version") -> bool:
        """Whether what both say can't be of one version."""
        said = ((self.etag, other.etag), (self.last_modified, other.last_modified))
        return any(mine and theirs and mine != theirs for mine, theirs in said)


class Partial:
    """The beginning of a file, and beside it of which version; both outlive the process that writes them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._label = path.with_name(f"{path.name}.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def version(self, url: str) -> Version | None:
        """None where nothing, or another file, was begun."""
        try:
            version = Version(**json.loads(self._label.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return version if version.url == url else None

    def begin(self, version: Version) -> None:
        # In this order: a process that ends in between must not leave old bytes under a new label.
        self.path.unlink(missing_ok=True)
        self._label.write_text(json.dumps(asdict(version)), encoding="utf-8")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._label.unlink(missing_ok=True)


@dataclass(frozen=True, kw_only=True)
class Download:
    """What is to be had, where it goes, and who is told: `report` of trouble, `progress` of bytes done and in all.

    `known` is the version that need not come again. `stop` ends it as soon as anything comes or a pause ends.
    """

    url: str
    partial: Partial
    known: Version | None
    limits: Limits
    report: Report
    progress: Callable[[int, int | None], None]
    stop: Event

    def run(self) -> Version | None:
        """The version that is whole in `partial` now; None where the server still has the known one.

        Raises `DownloadError`.
        """
        deadline = time.monotonic() + self.limits.total
        futile = 0
        with _PublishersSession(self.url) as session:
            while True:
                self._go_on(deadline)
                before = self.partial.size
                try:
                    return self._attempt(session, deadline)
                except _PassingError as error:
                    futile = 0 if self.partial.size > before else futile + 1
                    self._pause(error, futile, deadline)

    def _pause(self, error: "_PassingError", futile: int, deadline: float) -> None:
        if futile >= self.limits.attempts:
            raise DownloadError(f"{error}, {futile} times in a row", error.status) from error
        longest = min(self.limits.longest_pause, self.limits.pause * 2 ** max(futile - 1, 0))
        # Jitter, so that those who failed together do not come back together.
        seconds = max(error.wait, longest * random.uniform(0.5, 1))  # noqa: S311 - no secret
        if time.monotonic() + seconds > deadline:
            problem = f"{error}; the next try would be after the {self.limits.total:g} s that a file may take"
            raise DownloadError(problem, error.status) from error
        self.report(f"{error}; next try in {seconds:.1f} s")
        self.stop.wait(seconds)

    def _attempt(self, session: requests.Session, deadline: float) -> Version | None:
        begun = self.partial.version(self.url)
        if not (begun and begun.if_range and self.partial.size):
            begun = None
        try:
            response = session.get(
                self.url, headers=self._headers(begun), timeout=(self.limits.connect, self.limits.stall), stream=True
            )
        except requests.ConnectTimeout as error:
            raise _PassingError(f"no connection within {self.limits.connect:g} s") from error
        except requests.ReadTimeout as error:
            raise self._stalled() from error
        except requests.ConnectionError as error:
            raise _PassingError(f"no connection ({_first_cause(error)})") from error
        except requests.RequestException as error:
            raise DownloadError(f"it can't be asked for ({error})") from error
        with response:
            return self._take(response, begun, deadline)

    def _headers(self, begun: Version | None) -> Mapping[str, str]:
        if begun and begun.if_range:
            return {**_HEADERS, "Range": f"bytes={self.partial.size}-", "If-Range": begun.if_range}
        return {**_HEADERS, **(self.known.conditions if self.known else {})}

    def _take(self, response: requests.Response, begun: Version | None, deadline: float) -> Version | None:
        sent = _version(self.url, response)
        match response.status_code:
            case HTTPStatus.OK:
                self.partial.begin(sent)
                self._read(response, _number(response.headers.get("Content-Length")), deadline)
                return sent
            case HTTPStatus.PARTIAL_CONTENT if begun:
                self._read(response, self._whole_size(response, begun, sent), deadline)
                return begun
            case HTTPStatus.NOT_MODIFIED if self.known and not begun:
                self.partial.discard()
                return None
            case HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE if begun:
                self.partial.discard()
                raise _PassingError("the server has no more of what was begun")
            case status:
                problem = f"the server answered {status} {response.reason}".rstrip()
                if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRY_AGAIN:
                    raise _PassingError(problem, status, wait=_retry_after(response))
                raise DownloadError(problem, status)

    def _whole_size(self, response: requests.Response, begun: Version, sent: Version) -> int | None:
        """Of the file whose rest this is. Some servers send a rest whatever it was asked for by."""
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if begun.contradicts(sent) or not found or int(found[1]) != self.partial.size:
            self.partial.discard()
            raise _PassingError("the server sent the rest of another version")
        return _number(found[2])

    def _read(self, response: requests.Response, total: int | None, deadline: float) -> None:
        done = self.partial.size
        with self.partial.path.open("ab") as file:
            try:
                # One read of the socket each, so that the limits count however slowly the bytes trickle.
                while block := response.raw.read1(_BLOCK_BYTES):
                    file.write(block)
                    done += len(block)
                    self.progress(done, total)
                    self._go_on(deadline)
                    if done > self.limits.size:
                        raise DownloadError(f"it has more than {self.limits.size:,} bytes")
            except urllib3.exceptions.ReadTimeoutError as error:
                raise self._stalled() from error
            except urllib3.exceptions.HTTPError as error:
                of = f" of {total:,}" if total else ""
                raise _PassingError(f"the connection broke after {done:,}{of} bytes") from error
            file.flush()
            os.fsync(file.fileno())

    def _go_on(self, deadline: float) -> None:
        if self.stop.is_set():
            raise DownloadError("it was interrupted")
        if time.monotonic() > deadline:
            raise DownloadError(f"it was not done after {self.limits.total:g} s")

    def _stalled(self) -> "_PassingError":
        return _PassingError(f"nothing came for {self.limits.stall:g} s")


class _PublishersSession(requests.Session):
    """Follows redirects to the publisher's hosts only: that of the address, without its `www.`, and those below it."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = urlsplit(url)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target is None:
            return None
        to, home = urlsplit(urljoin(resp.url, target)), (self._url.hostname or "").removeprefix("www.")
        is_theirs = to.hostname is not None and (to.hostname == home or to.hostname.endswith(f".{home}"))
        if not is_theirs or (self._url.scheme, to.scheme) == ("https", "http"):
            raise requests.RequestException(
                f"it is redirected to {to.scheme}://{to.hostname}, which is not {home}'s own"
            )
        return target


class _PassingError(Exception):
    """Trouble that may pass. `wait` is for how many seconds the server asks."""

    def __init__(self, problem: str, status: int | None = None, *, wait: float = 0) -> None:
        super().__init__(problem)
        self.status, self.wait = status, wait


def _version(url: str, response: requests.Response) -> Version:
    headers = response.headers
    return Version(url=url, etag=headers.get("ETag"), last_modified=headers.get("Last-Modified"))


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _retry_after(response: requests.Response) -> float:
    """The header has seconds or a date."""
    text = response.headers.get("Retry-After", "")
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0


def _first_cause(error: BaseException) -> BaseException:
    """What the operating system said: the libraries above it wrap it in sentences of their own."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return error
