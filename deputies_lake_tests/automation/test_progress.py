"""What a run says at a terminal while it goes on."""

import dagster as dg
import pytest

from deputies_lake.automation.progress import RUN_CONFIG, progress_logger


@dg.op
def first() -> int:
    raise dg.Failure(description="no file", allow_retries=False)


@dg.op
def second(number: int) -> int:
    return number


@dg.op
def third(number: int) -> None:
    pass


@dg.job(logger_defs={"progress": progress_logger})
def run() -> None:
    third(second(first()))


def test_steps_after_one_that_failed_are_not_told_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    run.execute_in_process(run_config=RUN_CONFIG, raise_on_error=False)
    shown = [line.partition("s  ")[2] for line in capsys.readouterr().out.splitlines()]
    assert shown == ["first ...", "first failed"]
