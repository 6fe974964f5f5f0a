"""The whole way, as `docs/aws.md` has it: an empty account, the infrastructure, a lake made by EMR steps, nothing left.

One terminal types the page from top to bottom; the tests look at what was said and made on the way, in that order.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from moto.emr.models import emr_backends

from deputies_lake.contracts import LAYERS, Table
from deputies_lake.environments import CPF_KEY, HOME, LANDING, AwsSettings, load_settings
from deputies_lake.resources import iceberg
from deputies_lake.resources.lake import Lake, LakeResource
from deputies_lake.staging import rejected_rows
from deputies_lake_tests.aws.emulator import ACCOUNT, REGION, EmulatedAws
from deputies_lake_tests.aws.page import ENVIRONMENT, HOUSE_YEAR, Terminal, lines, new_terminal, play
from deputies_lake_tests.test_definitions import CONTRACTS

ROWS = 3_000
MATERIALIZE = next(line for line in lines() if line.startswith("dagster asset materialize"))


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
    play(deployed.terminal, [line for line in lines("3.") if "cluster" not in line])
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
    play(first_run.terminal, lines("5."))
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
    assert len(first_run.aws.steps()) == 7


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


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.identifier)
def test_a_table_is_that_of_a_laptop_row_for_row(contract: Table, first_run: Story, local: Lake) -> None:
    aws = first_run.settings
    catalog = iceberg.glue_catalog(f"s3://{aws.lake_bucket}", aws.region, aws.database_prefix, first_run.aws.endpoint)
    with duckdb.connect() as remote_side, duckdb.connect() as local_side:
        remote = remote_side.table(Lake(catalog).view(remote_side, contract)).to_arrow_table()
        at_home = local_side.table(local.view(local_side, contract)).to_arrow_table()
    moments = [column.name for column in contract.columns if column.type == "timestamp_ntz"]
    remote, at_home = remote.drop_columns(moments), at_home.drop_columns(moments)
    with duckdb.connect() as both:
        both.register("remote", remote)
        both.register("at_home", at_home)
        assert remote.num_rows == at_home.num_rows > 0 or contract is rejected_rows.TABLE
        assert both.sql("FROM remote EXCEPT ALL FROM at_home").fetchall() == []
        assert both.sql("FROM at_home EXCEPT ALL FROM remote").fetchall() == []


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
