"""The whole way, as `docs/aws.md` has it: an empty account, the infrastructure, a lake made by EMR steps, nothing left.

One terminal types the page from top to bottom; the tests look at what was said and made on the way, in that order.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pytest
from moto.emr.models import emr_backends

from deputies_lake.contracts import LAYERS, Table
from deputies_lake.environments import CPF_KEY, HOME, LANDING, AwsSettings, load_settings
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.resources.lake import LakeResource
from deputies_lake.serving import rejected_lines
from deputies_lake.staging import rejected_rows
from deputies_lake_tests.aws.emulator import ACCOUNT, REGION, EmulatedAws
from deputies_lake_tests.aws.page import ENVIRONMENT, HOUSE_YEAR, Terminal, lines, new_terminal, play
from deputies_lake_tests.lakehouse import rust
from deputies_lake_tests.test_definitions import CONTRACTS

ROWS = 3_000
SERVED: Final = [contract for contract in CONTRACTS.values() if contract.layer in ("star", "serving")]
PUBLISHED: Final = ("lake.duckdb", "dashboard.html", "dictionary.html", "dictionary.csv", "datapackage.json")
MAINTAIN: Final = "dagster job execute -m deputies_lake.definitions -j maintain_tables"
# What Glue, and so Athena and Redshift, calls a contract's type.
GLUE_TYPES: Final = {"timestamp_ntz": "timestamp"}


@dataclass
class Story:
    """The account, the terminal, and the part of the page that was typed."""

    aws: EmulatedAws
    terminal: Terminal

    @property
    def settings(self) -> AwsSettings:
        found = load_settings(ENVIRONMENT, self.terminal.variables).aws
        assert found is not None
        return found

    def play_as_dagster(self, typed: Sequence[str]) -> None:
        """Type the lines, and those that are Dagster's with the rights that its role has, on a machine of its own."""
        role = f"AWS_ACCESS_KEY_ID={self.settings.dagster_role}"
        play(self.terminal, [f"{role} {line}" if line.startswith("dagster ") else line for line in typed])

    def said(self, line: str) -> str:
        return next(said for typed, said in self.terminal.said.items() if typed.startswith(line))


@pytest.fixture(scope="module")
def account(emulated_aws: EmulatedAws, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Before anything is typed."""
    return Story(emulated_aws, new_terminal(emulated_aws, tmp_path_factory.mktemp("engineer"), ROWS))


@pytest.fixture(scope="module")
def infrastructure(account: Story) -> Story:
    play(account.terminal, [*lines("What you need"), *lines("1.")])
    return account


@pytest.fixture(scope="module")
def deployed(infrastructure: Story) -> Story:
    play(infrastructure.terminal, lines("2."))
    return infrastructure


@pytest.fixture(scope="module")
def first_run(deployed: Story) -> Story:
    house = f"Ano-{HOUSE_YEAR}.csv.zip"
    content = (deployed.terminal.folder / house).read_bytes()
    # As `deputies-lake fetch` does, which finds no House here.
    deployed.aws.client("s3").put_object(Bucket=deployed.settings.landing_bucket, Key=house, Body=content)
    deployed.play_as_dagster([line for line in lines("3.") if "cluster" not in line])
    return deployed


@pytest.fixture(scope="module")
def local(first_run: Story, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The lake that a laptop makes of the same files, with the same secret."""
    home = tmp_path_factory.mktemp("laptop")
    secret = first_run.aws.client("secretsmanager").get_secret_value(SecretId=first_run.settings.cpf_secret)
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DEPUTIES_LAKE_"))},
        HOME: str(home),
        LANDING: str(first_run.terminal.folder),
        CPF_KEY: secret["SecretString"],
        "DAGSTER_HOME": "",
    }
    program = Path(sys.executable).with_name("deputies-lake")
    done = subprocess.run([program, "demo"], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return LakeResource(warehouse=str(home / "warehouse")).open()


@pytest.fixture(scope="module")
def end(first_run: Story) -> Story:
    play(first_run.terminal, lines("7."))
    return first_run


def test_planning_makes_nothing(infrastructure: Story) -> None:
    assert "Nothing was changed" in infrastructure.said("deputies-lake infra plan")
    assert f"account {ACCOUNT}" in infrastructure.said("deputies-lake infra plan")


def test_a_second_up_has_nothing_to_do(infrastructure: Story) -> None:
    before = len(infrastructure.aws.gate.calls())
    assert infrastructure.terminal.type("deputies-lake infra up  # again") == 0
    assert "Nothing to change" in infrastructure.said("deputies-lake infra up  # again")
    made = {call.operation for call in infrastructure.aws.gate.calls()[before:]}
    assert not any(operation.endswith((":ExecuteChangeSet", ":UpdateStack", ":CreateStack")) for operation in made)


def test_what_is_deployed_is_not_sent_again(deployed: Story) -> None:
    assert deployed.terminal.type("deputies-lake deploy  # again") == 0
    assert "nothing was sent" in deployed.said("deputies-lake deploy  # again")


def test_each_step_ran_on_the_one_cluster_and_succeeded(first_run: Story) -> None:
    assert len(first_run.aws.clusters()) == 1
    assert {step.state for step in first_run.aws.steps()} == {"COMPLETED"}


def test_tables_that_read_the_same_are_one_step(first_run: Story) -> None:
    # Two of Kaggle's files and one of the House taken in, two stagings, star, marts, descriptions, readiness.
    assert len(first_run.aws.steps()) == 9


def test_all_tables_are_in_the_catalog(first_run: Story) -> None:
    glue = first_run.aws.client("glue")
    found = {
        f"{layer}/{table['Name']}"
        for layer in LAYERS
        for table in glue.get_tables(DatabaseName=f"{first_run.settings.database_prefix}{layer}")["TableList"]
    }
    assert found == {f"{contract.layer}/{contract.name}" for contract in CONTRACTS.values()}


def test_personal_ids_stay_in_the_raw_bucket(first_run: Story) -> None:
    aws = first_run.settings
    for layer, bucket in (("raw", aws.raw_bucket), ("staging", aws.lake_bucket), ("star", aws.lake_bucket)):
        tables = first_run.aws.client("glue").get_tables(DatabaseName=f"{aws.database_prefix}{layer}")["TableList"]
        places = {table["Parameters"]["metadata_location"].split("/")[2] for table in tables}
        assert places == {bucket}, layer


@pytest.fixture(scope="module")
def lake(first_run: Story) -> Lake:
    aws = first_run.settings
    catalog = iceberg.glue_catalog(f"s3://{aws.lake_bucket}", aws.region, aws.database_prefix, first_run.aws.endpoint)
    return Lake(catalog)


def rows_of(lake: Lake, contract: Table) -> pa.Table:
    with duckdb.connect() as connection:
        return connection.table(lake.view(connection, contract)).to_arrow_table()


def differing(one: pa.Table, other: pa.Table) -> list[tuple[object, ...]]:
    """The rows that only one of the two has, or has more often."""
    with duckdb.connect() as both:
        both.register("one", one)
        both.register("other", other)
        sides = ("(FROM one EXCEPT ALL FROM other)", "(FROM other EXCEPT ALL FROM one)")
        return both.sql(" UNION ALL ".join(sides)).fetchall()


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.identifier)
def test_a_table_is_that_of_a_laptop_row_for_row(contract: Table, lake: Lake, local: Lake) -> None:
    moments = [column.name for column in contract.columns if column.type == "timestamp_ntz"]
    remote = rows_of(lake, contract).drop_columns(moments)
    # Of what the page lands, every line can be read.
    assert remote.num_rows > 0 or contract in (rejected_rows.TABLE, rejected_lines.TABLE)
    assert differing(remote, rows_of(local, contract).drop_columns(moments)) == []


@pytest.mark.parametrize("contract", SERVED, ids=lambda contract: contract.identifier)
def test_a_served_table_is_in_glue_as_athena_and_redshift_take_it(contract: Table, first_run: Story) -> None:
    aws = first_run.settings
    database = f"{aws.database_prefix}{contract.layer}"
    table = first_run.aws.client("glue").get_table(DatabaseName=database, Name=contract.name)["Table"]
    assert table["TableType"] == "EXTERNAL_TABLE"
    assert table["Parameters"]["table_type"] == "ICEBERG"
    place = f"s3://{aws.lake_bucket}/{contract.layer}/{contract.name}"
    assert table["StorageDescriptor"]["Location"] == place
    assert table["Parameters"]["metadata_location"].startswith(f"{place}/metadata/")
    assert [(column["Name"], column["Type"]) for column in table["StorageDescriptor"]["Columns"]] == [
        (column.name, GLUE_TYPES.get(column.type, column.type)) for column in contract.columns
    ]


@pytest.fixture(scope="module")
def by_rust(first_run: Story) -> Mapping[str, pa.Table]:
    """The served tables as another implementation of Iceberg reads them, from where Glue says they are."""
    aws, glue = first_run.settings, first_run.aws.client("glue")
    tables = {
        f"{layer}.{table['Name']}": table["Parameters"]["metadata_location"]
        for layer in ("star", "serving")
        for table in glue.get_tables(DatabaseName=f"{aws.database_prefix}{layer}")["TableList"]
    }
    storage = {
        "s3.endpoint": first_run.aws.endpoint,
        "s3.region": aws.region,
        "s3.access-key-id": "reader",
        "s3.secret-access-key": "reader",
        "s3.path-style-access": "true",
    }
    return rust.read(tables, storage)


@pytest.mark.parametrize("contract", SERVED, ids=lambda contract: contract.identifier)
def test_another_reader_of_iceberg_gets_the_same_rows(
    contract: Table, lake: Lake, by_rust: Mapping[str, pa.Table]
) -> None:
    found = by_rust[contract.identifier]
    assert found.column_names == list(contract.column_names)
    assert differing(found, rows_of(lake, contract)) == []


def test_what_is_made_for_people_lies_where_readers_may_fetch_it(first_run: Story) -> None:
    s3, bucket = first_run.aws.client("s3"), first_run.settings.lake_bucket
    found = {entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix="published/")["Contents"]}
    assert found == {f"published/{name}" for name in PUBLISHED}
    assert s3.head_object(Bucket=bucket, Key="published/dashboard.html")["ContentType"].startswith("text/html")


def test_the_clean_up_finds_nothing_to_remove_from_tables_just_made(first_run: Story) -> None:
    play(first_run.terminal, lines("6."))
    *tables, total = first_run.said("deputies-lake maintain").splitlines()[1:]
    assert {line.split()[-1] for line in tables} == {contract.identifier for contract in CONTRACTS.values()}
    assert total == "0 files of 0 bytes would be removed."


def test_the_weekly_clean_up_runs_on_the_cluster(first_run: Story) -> None:
    first_run.play_as_dagster([MAINTAIN])
    step = first_run.aws.steps()[-1]
    assert (step.state, "clean_tables" in step.name) == ("COMPLETED", True)


def test_no_role_asked_for_what_it_may_not_do(first_run: Story) -> None:
    assert first_run.aws.gate.calls(caller=first_run.settings.dagster_role)
    assert first_run.aws.gate.denied == []


def test_the_cluster_can_be_looked_at_and_stopped(first_run: Story) -> None:
    play(first_run.terminal, ["deputies-lake cluster status"])
    assert first_run.aws.clusters()[0].id in first_run.said("deputies-lake cluster status")


def test_in_the_end_nothing_is_left(end: Story) -> None:
    assert end.aws.processes() == {}
    assert {cluster.state for cluster in end.aws.clusters()} == {"TERMINATED"}
    left = {
        "stacks": end.aws.client("cloudformation").describe_stacks()["Stacks"],
        "buckets": end.aws.client("s3").list_buckets()["Buckets"],
        "secrets": end.aws.client("secretsmanager").list_secrets()["SecretList"],
        "databases": end.aws.client("glue").get_databases()["DatabaseList"],
        "workgroups": [
            group["Name"]
            for group in end.aws.client("athena").list_work_groups()["WorkGroups"]
            if group["Name"] != "primary"
        ],
        "roles": [
            role["RoleName"]
            for role in end.aws.client("iam").list_roles()["Roles"]
            if re.match("deputies", role["RoleName"])
        ],
        # moto can't list these.
        "security configurations": [*emr_backends[ACCOUNT][REGION].security_configurations],
    }
    assert left == {kind: [] for kind in left}
