"""How long AWS may be out of sorts before a step fails: throttling, outages, credentials that ran out.

What will not pass by itself fails at once, and is not retried by Dagster. The short outages that boto3 waits out are
not seen here.
"""

import time
from collections.abc import Callable
from logging import Logger
from typing import Final, TypeVar

import dagster as dg
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    NoCredentialsError,
    SSOError,
    TokenRetrievalError,
)
from dagster._core.errors import raise_execution_interrupts
from dagster_aws.emr import EmrError

from deputies_lake.aws import forget_credentials

T = TypeVar("T")

AWS_ERRORS: Final = (BotoCoreError, ClientError)

_FIRST_PAUSE: Final = 2.0
_LONGEST_PAUSE: Final = 60.0

_CREDENTIALS_EXPIRED: Final = ("ExpiredToken", "RequestExpired", "TokenRefreshRequired")
# EMR gives some of its own failures the status 400.
_PASSING: Final = (*_CREDENTIALS_EXPIRED, "Throttl", "TooManyRequests", "RequestLimitExceeded", "SlowDown", "Internal")
_CREDENTIALS: Final = (CredentialRetrievalError, MetadataRetrievalError, SSOError, TokenRetrievalError)
_CONNECTION: Final = (ConnectionError, HTTPClientError, IncompleteReadError)
_SERVER_ERROR: Final = 500


def interruptible_pause(seconds: float) -> None:
    """Sleep, unless the run is terminated: then `DagsterExecutionInterruptedError`."""
    with raise_execution_interrupts():
        time.sleep(seconds)


class Patience:
    """Repeats calls of AWS that failed for a passing reason, for `seconds` after the first failure in a row."""

    def __init__(
        self, seconds: float, log: Logger, *, remedy: str = "", pause: Callable[[float], None] = interruptible_pause
    ) -> None:
        """`remedy` is said to whom AWS denies access."""
        self._seconds, self._log, self._remedy, self._pause = seconds, log, remedy, pause

    def call(self, purpose: str, function: Callable[[], T]) -> T:
        """What `function` returns. `purpose` says in errors what was tried.

        Raises `EmrError` when patience ends, and `dg.Failure`, which is not retried, for what would not pass.
        """
        pause, end = _FIRST_PAUSE, None
        while True:
            try:
                return function()
            except AWS_ERRORS as error:
                end = end or time.monotonic() + self._seconds
                self._judge(purpose, error, time_left=end - time.monotonic())
                pause_now = min(pause, max(end - time.monotonic(), 0.0))
                self._log.warning(f"{purpose}: {error} Trying again in {pause_now:.0f} s.")
            self._pause(pause_now)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _judge(self, purpose: str, error: Exception, *, time_left: float) -> None:
        """Return if it is worth another try."""
        if not _passes(error):
            remedy = self._remedy if _code(error).startswith(("AccessDenied", "UnauthorizedOperation")) else ""
            raise dg.Failure(f"{purpose}: {error} {remedy}".rstrip(), allow_retries=False) from error
        if time_left <= 0:
            raise EmrError(
                f"{purpose}: AWS gave no answer for {self._seconds:.0f} s, the last time: {error}"
            ) from error
        if isinstance(error, _CREDENTIALS) or _code(error).startswith(_CREDENTIALS_EXPIRED):
            forget_credentials()


def _passes(error: Exception) -> bool:
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= _SERVER_ERROR or any(text in _code(error) for text in _PASSING)
    # Missing credentials, unlike those that can't be fetched now, are a mistake in the set-up.
    return isinstance(error, (*_CREDENTIALS, *_CONNECTION)) and not isinstance(error, NoCredentialsError)


def _code(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
