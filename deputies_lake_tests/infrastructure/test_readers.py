"""The questions that readers find saved in Athena, and what opens the lake in Redshift."""

import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from moto.athena.models import athena_backends
from moto.athena.responses import AthenaResponse

from deputies_lake.aws import AccountError, client
from deputies_lake.cli.infra import infra
from deputies_lake.environments import AwsSettings, Settings, load_settings
from deputies_lake.infrastructure.readers import put_questions, redshift_schemas
from deputies_lake.infrastructure.stack import Stack
from deputies_lake.serving import questions
from deputies_lake.serving.questions import Question
from deputies_lake_tests.infrastructure.conftest import VARIABLES


def asked(number: int, sql: str) -> Question:
    return Question(number=number, title_pt="Quanto?", title_en="How much?", sql=sql)


MONTHS = asked(number=1, sql="SELECT year, net_amount FROM serving.mart_months")
RECEIPTS = asked(
    number=10, sql="SELECT f.document_id FROM star.fct_expenses f JOIN star.dim_dates d ON f.date_key = d.date_key"
)
QUESTIONS = (MONTHS, RECEIPTS)


@pytest.fixture
def aws(account: None, settings: Settings) -> AwsSettings:
    Stack(settings).up()
    assert settings.aws
    return settings.aws


def saved(aws: AwsSettings) -> dict[str, tuple[str, str, str]]:
    """Description, database and SQL of each query in the readers' workgroup."""
    athena = client("athena", aws)
    ids = athena.list_named_queries(WorkGroup=aws.stack)["NamedQueryIds"]
    found = [athena.get_named_query(NamedQueryId=query)["NamedQuery"] for query in ids]
    return {query["Name"]: (query["Description"], query["Database"], query["QueryString"]) for query in found}


@pytest.fixture
def update_of_athena(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which moto lacks."""

    def update_named_query(self: Any) -> str:
        asked = json.loads(self.body)
        query = athena_backends["123456789012"][self.region].named_queries[asked["NamedQueryId"]]
        query.query_string, query.description = asked["QueryString"], asked["Description"]
        return "{}"

    monkeypatch.setattr(AthenaResponse, "update_named_query", update_named_query, raising=False)


def test_each_question_is_saved_and_names_the_environments_own_tables(aws: AwsSettings) -> None:
    assert put_questions(aws, QUESTIONS) == {"q01": "added", "q10": "added"}
    star = "deputies_lake_staging_star"
    assert saved(aws) == {
        "q01": (
            "How much? / Quanto?",
            "deputies_lake_staging_serving",
            "SELECT year, net_amount FROM deputies_lake_staging_serving.mart_months",
        ),
        "q10": (
            "How much? / Quanto?",
            "deputies_lake_staging_serving",
            f"SELECT f.document_id FROM {star}.fct_expenses f JOIN {star}.dim_dates d ON f.date_key = d.date_key",
        ),
    }


def test_a_second_time_nothing_is_done(aws: AwsSettings) -> None:
    put_questions(aws, QUESTIONS)
    before = saved(aws)
    assert put_questions(aws, QUESTIONS) == {"q01": "same", "q10": "same"}
    assert saved(aws) == before


@pytest.mark.usefixtures("update_of_athena")
def test_a_question_that_was_put_otherwise_is_changed_and_others_stay(aws: AwsSettings) -> None:
    put_questions(aws, QUESTIONS)
    client("athena", aws).create_named_query(
        Name="a team's own", Description="theirs", Database="x", QueryString="SELECT 1", WorkGroup=aws.stack
    )
    changed = put_questions(aws, [replace(MONTHS, sql="SELECT month FROM serving.mart_months"), RECEIPTS])
    assert changed == {"q01": "changed", "q10": "same"}
    assert saved(aws)["q01"][-1] == "SELECT month FROM deputies_lake_staging_serving.mart_months"
    assert saved(aws)["a team's own"] == ("theirs", "x", "SELECT 1")
    assert len(saved(aws)) == 3


@pytest.mark.usefixtures("account")
def test_in_another_account_nothing_is_saved() -> None:
    elsewhere = load_settings("staging", {**VARIABLES, "DEPUTIES_LAKE_ACCOUNT": "210987654321"}).aws
    assert elsewhere
    with pytest.raises(AccountError):
        put_questions(elsewhere, QUESTIONS)


def test_the_verb_saves_what_is_shipped_and_says_what_to_type_in_redshift(aws: AwsSettings) -> None:
    said = CliRunner(env={**VARIABLES, "AWS_REGION": aws.region}).invoke(infra, ["readers", "--env", "staging"])
    assert said.exit_code == 0, said.output
    assert "Saved queries of the workgroup deputies-lake-staging: 10 added" in said.output
    assert {name: sql for name, (_, _, sql) in saved(aws).items()} == {
        f"q{question.number:02}": question.sql for question in questions.QUESTIONS
    }
    assert redshift_schemas(aws, "123456789012") in said.output


def test_redshift_reads_the_environments_tables_with_the_readers_role(settings: Settings) -> None:
    assert settings.aws
    assert redshift_schemas(settings.aws, "123456789012") == (
        "CREATE EXTERNAL SCHEMA IF NOT EXISTS serving FROM DATA CATALOG\n"
        "  DATABASE 'deputies_lake_staging_serving' REGION 'sa-east-1'"
        " IAM_ROLE 'arn:aws:iam::123456789012:role/deputies-lake-staging-reader';\n"
        "GRANT USAGE ON SCHEMA serving TO PUBLIC;\n"
        "CREATE EXTERNAL SCHEMA IF NOT EXISTS star FROM DATA CATALOG\n"
        "  DATABASE 'deputies_lake_staging_star' REGION 'sa-east-1'"
        " IAM_ROLE 'arn:aws:iam::123456789012:role/deputies-lake-staging-reader';\n"
        "GRANT USAGE ON SCHEMA star TO PUBLIC;"
    )
