"""The settings of each environment."""

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from deputies_lake.environments import (
    BUCKETS,
    CPF_KEY,
    EMR_CLUSTER,
    ENVIRONMENT,
    HOME,
    LANDING,
    REGION,
    SPARK_MEMORY,
    VARIABLES,
    EmrSettings,
    Environment,
    Settings,
    SettingsError,
    load_settings,
)

AWS = ("staging", "prod")
SECRET = "nobody may see this secret of 32+ characters"


# which environment


def test_without_any_variable_the_environment_is_local() -> None:
    assert load_settings(variables={}).environment is Environment.LOCAL


@pytest.mark.parametrize("environment", Environment)
def test_the_variable_names_the_environment(environment: Environment) -> None:
    assert load_settings(variables={ENVIRONMENT: environment.value}).environment is environment


@pytest.mark.parametrize("environment", Environment)
def test_the_argument_names_the_environment(environment: Environment) -> None:
    assert load_settings(environment.value, {}).environment is environment


def test_the_argument_counts_more_than_the_variable() -> None:
    assert load_settings("staging", {ENVIRONMENT: "prod"}).environment is Environment.STAGING


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert load_settings(variables={ENVIRONMENT: ""}).environment is Environment.LOCAL


def test_the_variables_of_the_process_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "prod")
    assert load_settings().environment is Environment.PROD


@pytest.mark.parametrize("name", ["production", "Local", " prod", "dev"])
def test_an_unknown_environment_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        load_settings(name, {})
    assert str(refusal.value) == (
        f"DEPUTIES_LAKE_ENVIRONMENT={name!r} is no environment of this lake; set it to one of: local, staging, prod"
    )


def test_every_variable_that_is_read_is_documented() -> None:
    read = {ENVIRONMENT, HOME, LANDING, BUCKETS, REGION, CPF_KEY, SPARK_MEMORY, EMR_CLUSTER}
    assert {name for name in VARIABLES if VARIABLES[name]} == read


# local


def test_the_local_lake_is_below_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings("local", {})
    assert (settings.warehouse, settings.archive, settings.landing) == (
        f"{tmp_path}/lake/warehouse",
        f"{tmp_path}/lake/archive",
        f"{tmp_path}/lake/landing",
    )


def test_home_moves_the_local_lake() -> None:
    settings = load_settings("local", {HOME: "/srv/lago são joão"})
    assert (settings.warehouse, settings.archive, settings.landing) == (
        "/srv/lago são joão/warehouse",
        "/srv/lago são joão/archive",
        "/srv/lago são joão/landing",
    )


def test_landing_moves_the_local_landing_zone_alone() -> None:
    settings = load_settings("local", {HOME: "/srv/lake", LANDING: "/downloads"})
    assert (settings.warehouse, settings.landing) == ("/srv/lake/warehouse", "/downloads")


def test_local_paths_are_absolute_whatever_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings("local", {HOME: "my lake", LANDING: "downloads"})
    assert (settings.warehouse, settings.landing) == (f"{tmp_path}/my lake/warehouse", f"{tmp_path}/downloads")


def test_a_tilde_is_the_users_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/fulana")
    settings = load_settings("local", {HOME: "~/lake", LANDING: "~/downloads"})
    assert (settings.warehouse, settings.landing) == ("/home/fulana/lake/warehouse", "/home/fulana/downloads")


def test_the_local_landing_zone_may_be_on_s3() -> None:
    assert load_settings("local", {LANDING: "s3://landed/here"}).landing == "s3://landed/here"


def test_loading_local_settings_makes_no_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    load_settings("local", {})
    assert list(tmp_path.iterdir()) == []


def test_the_local_lake_has_no_cluster_and_no_region() -> None:
    settings = load_settings("local", {})
    assert (settings.emr, settings.region) == (None, "")


@pytest.mark.parametrize(("given", "memory"), [({}, "1g"), ({SPARK_MEMORY: "6g"}, "6g")])
def test_the_memory_of_the_local_spark_can_be_set(given: Mapping[str, str], memory: str) -> None:
    assert load_settings("local", given).spark["spark.driver.memory"] == memory


def test_the_local_spark_runs_in_the_process_and_talks_to_nobody_else() -> None:
    spark = load_settings("local", {}).spark
    assert (spark["spark.master"], spark["spark.driver.bindAddress"], spark["spark.ui.enabled"]) == (
        "local[*]",
        "127.0.0.1",
        "false",
    )


# staging and prod


@pytest.mark.parametrize("environment", AWS)
def test_on_aws_everything_has_the_environment_in_its_name(environment: str) -> None:
    settings = load_settings(environment, {})
    assert (settings.warehouse, settings.archive, settings.landing, settings.region) == (
        f"s3://deputies-lake-{environment}-lake",
        f"s3://deputies-lake-{environment}-raw/archive",
        f"s3://deputies-lake-{environment}-landing",
        "sa-east-1",
    )


@pytest.mark.parametrize("environment", AWS)
def test_on_aws_the_launcher_gets_its_cluster_its_bucket_and_an_artifact(environment: str) -> None:
    assert load_settings(environment, {EMR_CLUSTER: "j-1"}).emr == EmrSettings(
        cluster_id="j-1",
        region="sa-east-1",
        staging_bucket=f"deputies-lake-{environment}-artifacts",
        package=f"s3://deputies-lake-{environment}-artifacts/deputies_lake.zip",
    )


@pytest.mark.parametrize("environment", AWS)
def test_on_aws_buckets_region_and_landing_zone_can_be_set(environment: str) -> None:
    given = {BUCKETS: "house", REGION: "us-east-1", LANDING: "s3://elsewhere/files"}
    settings = load_settings(environment, given)
    assert (settings.warehouse, settings.archive, settings.landing, settings.region) == (
        "s3://house-lake",
        "s3://house-raw/archive",
        "s3://elsewhere/files",
        "us-east-1",
    )
    assert settings.emr == EmrSettings(
        cluster_id="unknown",
        region="us-east-1",
        staging_bucket="house-artifacts",
        package="s3://house-artifacts/deputies_lake.zip",
    )


@pytest.mark.parametrize("environment", AWS)
def test_the_local_home_moves_nothing_on_aws(environment: str) -> None:
    assert load_settings(environment, {HOME: "/srv/lake"}) == load_settings(environment, {})


def test_staging_and_prod_share_no_place() -> None:
    staging, prod = (load_settings(environment, {}) for environment in AWS)
    assert staging.emr
    assert prod.emr
    places = [
        {s.warehouse, s.archive, s.landing, e.staging_bucket, e.package}
        for s, e in ((staging, staging.emr), (prod, prod.emr))
    ]
    assert places[0].isdisjoint(places[1])


@pytest.mark.parametrize("environment", AWS)
def test_a_cluster_decides_itself_about_its_memory_and_runs_on_yarn(environment: str) -> None:
    spark = load_settings(environment, {SPARK_MEMORY: "6g"}).spark
    assert (spark.get("spark.driver.memory"), spark["spark.master"]) == (None, "yarn")


@pytest.mark.parametrize("environment", Environment)
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("spark.sql.session.timeZone", "UTC"),
        ("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS"),
        ("spark.sql.parquet.fieldId.read.enabled", "true"),
        ("spark.sql.ansi.enabled", "false"),
    ],
)
def test_what_decides_about_values_is_equal_everywhere(environment: Environment, setting: str, value: str) -> None:
    assert load_settings(environment.value, {}).spark[setting] == value


@pytest.mark.parametrize("environment", Environment)
def test_no_settings_need_a_network(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("settings went to the network")

    for call in ("connect", "connect_ex", "bind"):
        monkeypatch.setattr(socket.socket, call, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert load_settings(environment.value, {}).warehouse


# the secret


def test_a_laptop_has_a_public_key() -> None:
    assert load_settings("local", {}).require_cpf_key() == "a public key: fit for a laptop, not for publication"


@pytest.mark.parametrize("environment", Environment)
def test_the_secret_is_what_was_set(environment: Environment) -> None:
    assert load_settings(environment.value, {CPF_KEY: SECRET}).require_cpf_key() == SECRET


@pytest.mark.parametrize("given", [{}, {CPF_KEY: ""}])
@pytest.mark.parametrize("environment", AWS)
def test_without_a_secret_nothing_is_published_on_aws(environment: str, given: Mapping[str, str]) -> None:
    with pytest.raises(SettingsError) as refusal:
        load_settings(environment, given).require_cpf_key()
    assert str(refusal.value) == (
        f"DEPUTIES_LAKE_CPF_KEY is not set: {environment} needs a secret of at least 32 characters"
    )


@pytest.mark.parametrize("environment", AWS)
def test_a_secret_that_can_be_guessed_is_refused_on_aws(environment: str) -> None:
    with pytest.raises(SettingsError, match="at least 32 characters"):
        load_settings(environment, {CPF_KEY: "x" * 31}).require_cpf_key()


@pytest.mark.parametrize("show", [repr, str])
@pytest.mark.parametrize("environment", Environment)
def test_settings_do_not_show_the_secret(environment: Environment, show: type[str]) -> None:
    assert SECRET not in show(load_settings(environment.value, {CPF_KEY: SECRET}))


def test_settings_show_everything_else() -> None:
    shown = repr(load_settings("prod", {}))
    assert all(name in shown for name in Settings.__dataclass_fields__ if name != "cpf_key")
