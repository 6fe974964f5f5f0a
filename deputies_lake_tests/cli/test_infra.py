"""`deputies-lake infra`, as a person types it and reads it."""

from collections.abc import Callable

import pytest
from botocore.exceptions import NoCredentialsError
from click.testing import CliRunner, Result

from deputies_lake.cli.infra import infra
from deputies_lake.environments import BUCKETS, ENVIRONMENT
from deputies_lake.infrastructure.stack import Stack
from deputies_lake_tests.infrastructure.conftest import VARIABLES, account, session

__all__ = ["account", "session"]

PLACE = "account 123456789012, region sa-east-1, stack deputies-lake-staging"

Run = Callable[..., Result]


@pytest.fixture
def run(account: None) -> Run:
    def invoke(*arguments: str, typed: str | None = None, **variables: str) -> Result:
        environment = {**VARIABLES, ENVIRONMENT: "staging", "AWS_REGION": "sa-east-1", **variables}
        return CliRunner(env=environment).invoke(infra, arguments, input=typed)

    return invoke


def test_a_plan_is_a_table_of_what_would_happen_and_where(run: Run) -> None:
    result = run("plan")
    assert result.exit_code == 0
    assert result.output.startswith(f"{PLACE}\n  add          AWS::Athena::WorkGroup           Workgroup\n")
    assert result.output.endswith("24 to add. Nothing was changed.\n")


def test_a_plan_without_changes_says_so(run: Run) -> None:
    run("up")
    assert run("plan").output == f"{PLACE}\nNothing to change. Nothing was changed.\n"


def test_what_would_lose_data_stands_out_at_the_top_of_the_plan(run: Run) -> None:
    run("up")
    lines = run("plan", **{BUCKETS: "others"}).output.splitlines()
    assert lines[1].startswith("  replace      AWS::S3::Bucket ")
    assert lines[1].endswith("  <- holds data: `up` will refuse")


def test_up_shows_what_happens_and_then_what_there_is(run: Run) -> None:
    result = run("up")
    assert result.exit_code == 0
    assert "CREATE_COMPLETE          AWS::IAM::Role                   ReaderRole\n" in result.output
    assert "  ReaderRole               arn:aws:iam::123456789012:role/deputies-lake-staging-reader\n" in result.output
    assert result.output.endswith("Done.\n")


def test_up_a_second_time_has_nothing_to_change(run: Run) -> None:
    run("up")
    result = run("up")
    assert (result.exit_code, result.output.splitlines()[0]) == (0, PLACE)
    assert result.output.endswith("Nothing to change.\n")


def test_down_says_that_the_data_are_where_they_were(run: Run) -> None:
    run("up")
    assert run("down").output.endswith("Done. Buckets, tables and the secret are where they were.\n")
    assert run("down").output == "Nothing to remove.\n"


def test_data_are_deleted_after_the_environments_name_was_typed(run: Run) -> None:
    run("up")
    result = run("down", "--delete-data", typed="staging\n")
    assert result.output.startswith(f"{PLACE}\nAll buckets, all tables and the secret will be deleted.")
    assert "To go on, type staging: staging\n" in result.output
    assert "Done. Nothing is left" in result.output
    assert run("plan").output.endswith("24 to add. Nothing was changed.\n")


@pytest.mark.parametrize("typed", ["yes\n", "prod\n", "y\n"])
def test_data_stay_when_anything_else_was_typed(run: Run, typed: str) -> None:
    run("up")
    result = run("down", "--delete-data", typed=typed)
    assert (result.exit_code, result.output.endswith("Aborted!\n")) == (1, True)
    assert run("plan").output.endswith("Nothing to change. Nothing was changed.\n")


def test_data_are_deleted_without_a_question_when_that_was_said(run: Run) -> None:
    run("up")
    result = run("down", "--delete-data", "--yes")
    assert (result.exit_code, "To go on" in result.output) == (0, False)


def test_the_environment_given_counts_more_than_the_variable(run: Run) -> None:
    assert "stack deputies-lake-prod\n" in run("plan", "--env", "prod").output


@pytest.mark.parametrize("verb", ["plan", "up", "down"])
def test_a_local_lake_needs_none(run: Run, verb: str) -> None:
    result = run(verb, **{ENVIRONMENT: ""})
    assert (result.exit_code, result.output.splitlines()[-1]) == (
        2,
        "Error: local is not in AWS: add --env with one of staging, prod",
    )


def test_an_error_is_a_sentence_not_a_traceback(run: Run) -> None:
    result = run("up", DEPUTIES_LAKE_ACCOUNT="210987654321")
    assert result.exit_code == 1
    assert result.output.startswith("Error: these credentials are for account 123456789012, DEPUTIES_LAKE_ACCOUNT says")


def test_a_setting_that_makes_no_sense_is_a_sentence_too(run: Run) -> None:
    result = run("up", DEPUTIES_LAKE_ACCOUNT="1234")
    assert (result.exit_code, result.output) == (
        1,
        "Error: DEPUTIES_LAKE_ACCOUNT='1234' is no AWS account: it has 12 digits\n",
    )


def test_without_credentials_it_says_how_to_see_whose_one_has(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Stack) -> None:
        raise NoCredentialsError

    monkeypatch.setattr(Stack, "plan", fail)
    result = run("plan")
    assert (result.exit_code, result.output) == (
        1,
        "Error: AWS: Unable to locate credentials\nWho you are to AWS: aws sts get-caller-identity\n",
    )
