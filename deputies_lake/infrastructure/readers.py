"""What readers find in AWS besides tables: ready-made questions in Athena, and what opens the lake in Redshift.

Who may read what, and how much a query may scan, is said in `template.yaml`; what the questions are, in
`serving/questions/`; how a person gets to them, in `docs/readers.md`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from deputies_lake.aws import client, require_account
from deputies_lake.environments import AwsSettings
from deputies_lake.serving.questions import Question
from deputies_lake.tables import SERVED


def put_questions(aws: AwsSettings, questions: Iterable[Question]) -> Mapping[str, str]:
    """Have each question among the saved queries of the readers' workgroup, as `q01` and so on.

    Doing it again changes nothing. A query that someone saved there under another name stays.

    Returns:
        What was done about each: `added`, `changed` or `same`.

    Raises:
        AccountError: these credentials are for another account.
    """
    require_account(aws)
    athena = client("athena", aws)
    saved = {query["Name"]: query for query in _saved(athena, aws.stack)}
    wanted = {f"q{question.number:02}": question for question in questions}
    return {name: _put(athena, aws, name, question, saved.get(name)) for name, question in wanted.items()}


def redshift_schemas(aws: AwsSettings, account: str) -> str:
    """What an administrator types into Redshift, once: schemas `star` and `serving` that are the lake's own tables."""
    role = f"arn:aws:iam::{account}:role/{aws.reader_role}"
    return "\n".join(
        f"CREATE EXTERNAL SCHEMA IF NOT EXISTS {layer} FROM DATA CATALOG\n"
        f"  DATABASE '{aws.database_prefix}{layer}' REGION '{aws.region}' IAM_ROLE '{role}';\n"
        f"GRANT USAGE ON SCHEMA {layer} TO PUBLIC;"
        for layer in SERVED
    )


def _saved(athena: Any, workgroup: str) -> list[dict[str, Any]]:
    pages = athena.get_paginator("list_named_queries").paginate(WorkGroup=workgroup)
    ids = [query for page in pages for query in page.get("NamedQueryIds", [])]
    return [athena.get_named_query(NamedQueryId=query)["NamedQuery"] for query in ids]


def _put(athena: Any, aws: AwsSettings, name: str, question: Question, saved: Mapping[str, Any] | None) -> str:
    said = {
        "Name": name,
        "Description": f"{question.title_en} / {question.title_pt}",
        "QueryString": _qualified(aws, question.sql),
    }
    if saved is None:
        athena.create_named_query(**said, Database=f"{aws.database_prefix}serving", WorkGroup=aws.stack)
        return "added"
    if said.items() <= saved.items():
        return "same"
    athena.update_named_query(**said, NamedQueryId=saved["NamedQueryId"])
    return "changed"


def _qualified(aws: AwsSettings, sql: str) -> str:
    """With Glue's names of the databases, of which a region may hold those of several lakes."""
    return re.sub(rf"\b({'|'.join(SERVED)})\.(?=\w)", rf"{aws.database_prefix}\1.", sql)
