import pickle
from pathlib import Path
from typing import Any

import pytest
from dagster import EventLogEntry
from dagster._serdes import serialize_value

from deputies_lake.emr.step_main import REPORT
from deputies_lake.resources.emr.attempt import Attempt, ForeignEventsError
from deputies_lake_tests.resources.emr.cluster import Cluster

PREFIX = "runs/1/step/attempt_1"


@pytest.fixture
def attempt(cluster: Cluster) -> Attempt:
    return Attempt(aws=cluster.aws, prefix=PREFIX)


def entry(message: str) -> EventLogEntry:
    return EventLogEntry(None, 20, message, "1", 0.0)  # type: ignore[no-untyped-call]


def say(attempt: Attempt, *messages: str) -> None:
    """As the driver does: it writes all events, not only the new ones."""
    attempt.send({"events.pkl": pickle.dumps(serialize_value([entry(message) for message in messages]))})


def heard(attempt: Attempt) -> list[str]:
    return [event.user_message for event in attempt.new_events()]


def test_before_the_driver_speaks_there_are_no_events(attempt: Attempt) -> None:
    assert heard(attempt) == []


def test_each_event_is_heard_once(attempt: Attempt) -> None:
    say(attempt, "a")
    first = heard(attempt)
    say(attempt, "a", "b", "c")
    assert (first, heard(attempt), heard(attempt)) == (["a"], ["b", "c"], [])


def test_unchanged_events_are_not_sent_again(attempt: Attempt, cluster: Cluster) -> None:
    say(attempt, "a")
    attempt.new_events()
    attempt.new_events()
    first, second = cluster.asked("GetObject")
    assert ("IfNoneMatch" in first, "IfNoneMatch" in second) == (False, True)


def test_attempts_do_not_hear_each_other(attempt: Attempt, cluster: Cluster) -> None:
    say(attempt, "a")
    assert heard(Attempt(aws=cluster.aws, prefix="runs/1/step/attempt_2")) == []


def test_without_a_report_it_is_empty(attempt: Attempt) -> None:
    assert attempt.report() == {}


def test_a_report_is_read(attempt: Attempt) -> None:
    attempt.send({REPORT: b'{"crash": "why"}'})
    assert attempt.report() == {"crash": "why"}


class RunsCode:
    """A pickle of it calls whatever it wants where it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_what_would_run_code_is_refused_and_not_run(attempt: Attempt, tmp_path: Path) -> None:
    attempt.send({"events.pkl": pickle.dumps(RunsCode(tmp_path / "was run"))})
    with pytest.raises(ForeignEventsError, match=rf"{PREFIX}/events\.pkl holds something else .*nothing of it was run"):
        attempt.new_events()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [pickle.dumps(["text"]), pickle.dumps(b"bytes"), b"no pickle", b""])
def test_what_is_no_text_is_refused(attempt: Attempt, content: bytes) -> None:
    attempt.send({"events.pkl": content})
    with pytest.raises(ForeignEventsError):
        attempt.new_events()
