import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import boto3
import dagster as dg
import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from dagster_aws.emr import EmrError

from deputies_lake.resources.emr.patience import Patience
from deputies_lake_tests.resources.emr.cluster import client_error

THROTTLED = client_error("ThrottlingException")

PASSING = [
    THROTTLED,
    client_error("RequestLimitExceeded", 503),
    client_error("TooManyRequestsException"),
    client_error("SlowDown", 503),
    client_error("InternalServerException", 400),
    client_error("SomethingNew", 502),
    client_error("ExpiredToken"),
    client_error("ExpiredTokenException"),
    client_error("RequestExpired"),
    EndpointConnectionError(endpoint_url="https://emr"),
    ConnectionClosedError(endpoint_url="https://emr"),
    ReadTimeoutError(endpoint_url="https://emr"),
    CredentialRetrievalError(provider="iam-role", error_msg="no answer"),
    UnauthorizedSSOTokenError(),
    TokenRetrievalError(provider="sso", error_msg="expired"),
]

LASTING = [
    client_error("AccessDeniedException"),
    client_error("ValidationException"),
    client_error("InvalidRequestException"),
    client_error("NoSuchBucket", 404),
    client_error("UnrecognizedClientException", 403),
    NoCredentialsError(),
    ParamValidationError(report="a mistake of ours"),
]

EXPIRED = [client_error("ExpiredTokenException"), CredentialRetrievalError(provider="iam-role", error_msg="no answer")]


@dataclass
class Clock:
    """Time that passes in pauses only."""

    now: float = 1000.0
    pauses: list[float] = field(default_factory=list)

    def pause(self, seconds: float) -> None:
        self.pauses.append(round(seconds))
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def patience(clock: Clock) -> Patience:
    return Patience(100, logging.getLogger("patience"), remedy="Ask for it.", pause=clock.pause)


def answering(*answers: Exception | str) -> Callable[[], str]:
    left = list(answers)

    def answer() -> str:
        first = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(first, Exception):
            raise first
        return first

    return answer


def test_an_answer_is_passed_on(patience: Patience, clock: Clock) -> None:
    assert (patience.call("asking", answering("yes")), clock.pauses) == ("yes", [])


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_what_passes_is_tried_again(patience: Patience, error: Exception) -> None:
    assert patience.call("asking", answering(error, "yes")) == "yes"


@pytest.mark.parametrize("error", LASTING, ids=str)
def test_what_lasts_fails_at_once_and_is_not_retried(patience: Patience, clock: Clock, error: Exception) -> None:
    with pytest.raises(dg.Failure, match="asking: ") as failed:
        patience.call("asking", answering(error))
    assert (failed.value.allow_retries, clock.pauses) == (False, [])


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"])
def test_who_is_denied_access_is_told_how_to_get_it(patience: Patience, code: str) -> None:
    with pytest.raises(dg.Failure, match=r"as told Ask for it\.$"):
        patience.call("asking", answering(client_error(code)))


def test_pauses_grow_up_to_a_minute(clock: Clock) -> None:
    patience = Patience(300, logging.getLogger("patience"), pause=clock.pause)
    with pytest.raises(EmrError):
        patience.call("asking", answering(THROTTLED))
    assert clock.pauses == [2, 4, 8, 16, 32, 60, 60, 60, 58]


def test_patience_ends_that_long_after_the_first_failure(patience: Patience, clock: Clock) -> None:
    with pytest.raises(EmrError, match=r"asking: AWS gave no answer for 100 s, the last time: .*ThrottlingException"):
        patience.call("asking", answering(THROTTLED))
    assert clock.now == 1100


def test_an_answer_renews_patience(patience: Patience, clock: Clock) -> None:
    failures = [THROTTLED] * 6
    for _ in range(2):
        assert patience.call("asking", answering(*failures, "yes")) == "yes"
    assert clock.now > 1100


def test_every_failure_is_logged(patience: Patience, caplog: pytest.LogCaptureFixture) -> None:
    patience.call("asking", answering(THROTTLED, THROTTLED, "yes"))
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert caplog.messages[1].startswith("asking: An error occurred (ThrottlingException)")
    assert caplog.messages[1].endswith("Trying again in 4 s.")


def test_other_errors_are_none_of_its_business(patience: Patience) -> None:
    with pytest.raises(KeyError):
        patience.call("asking", answering(KeyError("x")))


@pytest.mark.parametrize(("error", "renewed"), [*((e, True) for e in EXPIRED), (THROTTLED, False)], ids=str)
def test_credentials_that_ran_out_are_looked_for_anew(
    patience: Patience, monkeypatch: pytest.MonkeyPatch, error: Exception, *, renewed: bool
) -> None:
    sessions: list[bool] = []
    monkeypatch.setattr(boto3, "setup_default_session", lambda: sessions.append(True))
    patience.call("asking", answering(error, "yes"))
    assert bool(sessions) is renewed
