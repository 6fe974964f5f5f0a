"""What stands between callers and the emulated AWS: every call is listed and judged, and may be made to fail.

Calls come over HTTP, so it reaches other processes as well as this one. What EMR does by itself, such as reading a
bootstrap script, is no call.
"""

import fnmatch
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs

from moto.core.request import Request
from moto.core.routing import get_service_router
from werkzeug.exceptions import NotFound

from deputies_lake_tests.aws import iam

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

# The names that boto3 has for them.
_SERVICES: Final = {"elasticmapreduce": "emr", "monitoring": "cloudwatch"}


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call to AWS. `operation` is as in "emr:DescribeStep", `caller` the name of the access key: "host" for what
    uses the emulator's variables, a cluster's id for its steps. `time` is that of `time.monotonic`.
    """

    operation: str
    caller: str
    time: float


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """A refusal: the status and error code that AWS has for it in JSON, in XML, and in S3's XML."""

    json: tuple[HTTPStatus, str]
    xml: tuple[HTTPStatus, str]
    s3: tuple[HTTPStatus, str]
    message: str


_THROTTLED: Final = _Answer(
    json=(HTTPStatus.BAD_REQUEST, "ThrottlingException"),
    xml=(HTTPStatus.BAD_REQUEST, "Throttling"),
    s3=(HTTPStatus.SERVICE_UNAVAILABLE, "SlowDown"),
    message="Rate exceeded",
)
_UNAVAILABLE: Final = _Answer(
    json=(HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable"),
    xml=(HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable"),
    s3=(HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable"),
    message="The service is temporarily unavailable",
)
_EXPIRED: Final = _Answer(
    json=(HTTPStatus.BAD_REQUEST, "ExpiredTokenException"),
    xml=(HTTPStatus.FORBIDDEN, "ExpiredToken"),
    s3=(HTTPStatus.BAD_REQUEST, "ExpiredToken"),
    message="The security token included in the request is expired",
)
_DENIED: Final = _Answer(
    json=(HTTPStatus.BAD_REQUEST, "AccessDeniedException"),
    xml=(HTTPStatus.FORBIDDEN, "AccessDenied"),
    s3=(HTTPStatus.FORBIDDEN, "AccessDenied"),
    message="The caller is not authorized to perform this operation",
)
_UNKNOWN: Final = _Answer(
    json=(HTTPStatus.BAD_REQUEST, "UnknownOperationException"),
    xml=(HTTPStatus.BAD_REQUEST, "InvalidAction"),
    s3=(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented"),
    message="moto has no such operation",
)


@dataclass(kw_only=True)
class _Fault:
    operation: str
    caller: str
    left: int
    answer: _Answer | None

    def hits(self, call: Call) -> bool:
        return (
            self.left > 0
            and fnmatch.fnmatchcase(call.operation, self.operation)
            and fnmatch.fnmatchcase(call.caller, self.caller)
        )


@dataclass(frozen=True, kw_only=True)
class Hold:
    """A call that waits, from when `reached` is set until `released` is."""

    operation: str
    caller: str
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def takes(self, call: Call) -> bool:
        return (
            not self.reached.is_set()
            and not self.released.is_set()
            and fnmatch.fnmatchcase(call.operation, self.operation)
            and fnmatch.fnmatchcase(call.caller, self.caller)
        )


@dataclass(kw_only=True)
class Gate:
    """The only way in, as a WSGI application around moto's.

    What a role may not do is refused, and kept in `denied`. A fault hits the next `times` calls of an operation,
    "emr:DescribeStep" or "s3:*", by any caller unless one is named.
    """

    application: Application
    denied: list[str] = field(default_factory=list)
    _calls: list[Call] = field(default_factory=list)
    _faults: list[_Fault] = field(default_factory=list)
    _holds: list[Hold] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def throttle(self, operation: str, times: int, *, caller: str = "*") -> None:
        self._add(operation, times, caller, _THROTTLED)

    def make_unavailable(self, operation: str, times: int, *, caller: str = "*") -> None:
        self._add(operation, times, caller, _UNAVAILABLE)

    def expire_credentials(self, operation: str, times: int, *, caller: str = "*") -> None:
        self._add(operation, times, caller, _EXPIRED)

    def deny(self, operation: str, times: int, *, caller: str = "*") -> None:
        self._add(operation, times, caller, _DENIED)

    def drop_connections(self, operation: str, times: int, *, caller: str = "*") -> None:
        self._add(operation, times, caller, None)

    @contextmanager
    def hold(self, operation: str, *, caller: str = "*") -> Iterator[Hold]:
        """Keep the next such call waiting until the end of `with`; void is that of whoever was ended meanwhile."""
        hold = Hold(operation=operation, caller=caller)
        with self._lock:
            self._holds.append(hold)
        try:
            yield hold
        finally:
            hold.released.set()

    def faults_left(self) -> int:
        """How many calls are still to be hit."""
        with self._lock:
            return sum(fault.left for fault in self._faults)

    def clear_faults(self) -> None:
        with self._lock:
            self._faults.clear()

    def calls(self, operation: str = "*", *, caller: str = "*") -> list[Call]:
        """Those made so far, also the ones that failed, in order."""
        with self._lock:
            return [
                call
                for call in self._calls
                if fnmatch.fnmatchcase(call.operation, operation) and fnmatch.fnmatchcase(call.caller, caller)
            ]

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        call = _call(environ)
        with self._lock:
            self._calls.append(call)
            fault = next((fault for fault in self._faults if fault.hits(call)), None)
            if fault:
                fault.left -= 1
            hold = next((hold for hold in self._holds if hold.takes(call)), None)
            if hold:
                hold.reached.set()
        if hold:
            environ["wsgi.input"] = io.BytesIO(_body(environ))
            hold.released.wait()
            if _is_gone(environ["werkzeug.socket"]):
                raise ConnectionAbortedError("whoever called was ended while the call was held")
        if fault:
            # A caller that is still sending would see a broken connection, not the answer.
            _body(environ)
            if fault.answer is None:
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
                raise ConnectionAbortedError("dropped by a fault")
            return _refuse(environ, start_response, call, fault.answer)
        if reason := iam.refusal(environ, call.operation, call.caller):
            _body(environ)
            return self._deny(environ, start_response, call, reason)
        answer: list[Any] = []
        try:
            body = self.application(environ, lambda *given: answer.append(given))
            if answer[0][0].startswith("404") and iam.hides_what_is_missing(environ, call.operation, call.caller):
                reason = (
                    f"{call.caller} may not know that {environ['PATH_INFO']} is not there: it may not list the bucket"
                )
                return self._deny(environ, start_response, call, reason)
            start_response(*answer[0])
            return body
        except NotImplementedError:
            # A server error would be tried again, many times.
            return _refuse(environ, start_response, call, _UNKNOWN)

    def _deny(self, environ: Environ, start_response: StartResponse, call: Call, reason: str) -> Iterable[bytes]:
        with self._lock:
            self.denied.append(reason)
        return _refuse(environ, start_response, call, replace(_DENIED, message=reason))

    def _add(self, operation: str, times: int, caller: str, answer: _Answer | None) -> None:
        with self._lock:
            self._faults.append(_Fault(operation=operation, caller=caller, left=times, answer=answer))


def _call(environ: Environ) -> Call:
    caller, service = "", "s3"
    # AWS4-HMAC-SHA256 Credential=<key>/<date>/<region>/<service>/aws4_request, ...
    _, _, credential = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")
    if credential:
        caller, _, _, service, _ = credential.split(",")[0].split("/")
    service = _SERVICES.get(service, service)
    return Call(operation=f"{service}:{_operation(environ, service)}", caller=caller, time=time.monotonic())


def _operation(environ: Environ, service: str) -> str:
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).split(".")[-1]
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        body = _body(environ)
        environ["wsgi.input"] = io.BytesIO(body)
        return parse_qs(body.decode()).get("Action", ["?"])[0]
    try:
        operation, _ = get_service_router(service).match(Request(environ))
    except NotFound:
        return "?"
    return str(operation.name)


def _body(environ: Mapping[str, Any]) -> bytes:
    content: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return content


def _is_gone(caller: socket.socket) -> bool:
    """Whether the other end was closed. All that it had to say was read."""
    try:
        return not caller.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def _refuse(environ: Environ, start_response: StartResponse, call: Call, answer: _Answer) -> Iterable[bytes]:
    if "HTTP_X_AMZ_TARGET" in environ:
        (status, code), kind = answer.json, "application/x-amz-json-1.1"
        body = json.dumps({"__type": code, "message": answer.message})
    elif call.operation.startswith("s3:"):
        (status, code), kind = answer.s3, "application/xml"
        body = f"<Error><Code>{code}</Code><Message>{answer.message}</Message></Error>"
    else:
        (status, code), kind = answer.xml, "text/xml"
        error = f"<Type>Sender</Type><Code>{code}</Code><Message>{answer.message}</Message>"
        body = f"<ErrorResponse><Error>{error}</Error><RequestId>none</RequestId></ErrorResponse>"
    start_response(f"{status.value} {status.phrase}", [("Content-Type", kind)])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body.encode()]
