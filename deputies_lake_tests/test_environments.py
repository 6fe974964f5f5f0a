"""The settings of each environment."""

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from deputies_lake.environments import (
    ACCOUNT,
    ALARM_EMAIL,
    ALERT_EMAIL,
    ALERT_SENDER,
    ALERT_SLACK,
    ALERT_SMTP,
    ALERT_WEBHOOK,
    BUCKETS,
    BUDGET_USD,
    CHAMBER_URL,
    CPF_KEY,
    ENDPOINT,
    ENGINE,
    ENVIRONMENT,
    HOME,
    KEEP_DAYS,
    LANDING,
    MAX_UNITS,
    OWNER,
    POLL_SECONDS,
    REBUILD,
    REGION,
    SPARK_MEMORY,
    SUBNETS,
    VARIABLES,
    AlertSettings,
    AwsSettings,
    Engine,
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
    aws = {ACCOUNT, REGION, ENDPOINT, BUCKETS, OWNER, SUBNETS, MAX_UNITS, POLL_SECONDS, ALARM_EMAIL, BUDGET_USD}
    alerts = {ALERT_SLACK, ALERT_WEBHOOK, ALERT_EMAIL, ALERT_SENDER, ALERT_SMTP}
    read = {ENVIRONMENT, HOME, LANDING, CHAMBER_URL, REBUILD, KEEP_DAYS, CPF_KEY, ENGINE, SPARK_MEMORY, *aws, *alerts}
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


def test_the_local_lake_is_not_in_aws() -> None:
    assert load_settings("local", {}).aws is None


@pytest.mark.parametrize(
    ("given", "engine"), [({}, Engine.SPARK), ({ENGINE: ""}, Engine.SPARK), *(({ENGINE: e.value}, e) for e in Engine)]
)
def test_a_laptop_computes_with_the_engine_that_is_named(given: Mapping[str, str], engine: Engine) -> None:
    assert load_settings("local", given).engine is engine


def test_an_unknown_engine_is_refused_naming_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"DEPUTIES_LAKE_ENGINE='flink' computes nothing here.*: spark, sail"):
        load_settings("local", {ENGINE: "flink"})


@pytest.mark.parametrize("environment", AWS)
def test_a_cluster_computes_with_spark_and_refuses_any_other(environment: str) -> None:
    assert load_settings(environment, {}).engine is Engine.SPARK
    assert ENGINE not in load_settings(environment, {ENGINE: "spark"}).variables
    with pytest.raises(SettingsError, match=r"DEPUTIES_LAKE_ENGINE='sail' computes nothing here.*: spark$"):
        load_settings(environment, {ENGINE: "sail"})


@pytest.mark.parametrize(
    ("given", "memory"), [({}, "1g"), ({SPARK_MEMORY: "2g"}, "2g"), ({SPARK_MEMORY: "1500MB"}, "1500m")]
)
def test_the_memory_of_the_local_spark_can_be_set(given: Mapping[str, str], memory: str) -> None:
    assert load_settings("local", given).spark["spark.driver.memory"] == memory


@pytest.mark.parametrize("memory", ["16m", "511m", "0g", "2", "2048", "much", "-2g", "1.5g"])
def test_memory_with_which_spark_does_not_start_is_refused(memory: str) -> None:
    with pytest.raises(SettingsError, match=rf"DEPUTIES_LAKE_SPARK_MEMORY='{memory}' makes no sense: set it to 512m"):
        load_settings("local", {SPARK_MEMORY: memory})


def test_more_memory_than_the_machine_has_is_refused() -> None:
    with pytest.raises(
        SettingsError, match=r"DEPUTIES_LAKE_SPARK_MEMORY='900g' is more than this machine has, [0-9]+m"
    ):
        load_settings("local", {SPARK_MEMORY: "900g"})


def test_the_local_spark_runs_in_the_process_and_talks_to_nobody_else() -> None:
    spark = load_settings("local", {}).spark
    assert (spark["spark.master"], spark["spark.driver.bindAddress"], spark["spark.ui.enabled"]) == (
        "local[*]",
        "127.0.0.1",
        "false",
    )


# staging and prod


def aws_of(environment: str, given: Mapping[str, str]) -> AwsSettings:
    aws = load_settings(environment, given).aws
    assert aws is not None
    return aws


@pytest.mark.parametrize("environment", AWS)
def test_on_aws_everything_has_the_environment_in_its_name(environment: str) -> None:
    settings, aws = load_settings(environment, {}), aws_of(environment, {})
    assert (settings.warehouse, settings.archive, settings.landing, aws.artifacts_bucket, aws.logs_bucket) == (
        f"s3://deputies-lake-{environment}-lake",
        f"s3://deputies-lake-{environment}-raw/archive",
        f"s3://deputies-lake-{environment}-landing",
        f"deputies-lake-{environment}-artifacts",
        f"deputies-lake-{environment}-logs",
    )
    assert (aws.stack, aws.database_prefix, aws.cpf_secret) == (
        f"deputies-lake-{environment}",
        f"deputies_lake_{environment}_",
        f"deputies-lake-{environment}/cpf-key",
    )


def test_buckets_are_named_for_the_account_since_their_names_are_the_worlds() -> None:
    assert load_settings("prod", {ACCOUNT: "123456789012"}).warehouse == "s3://deputies-lake-prod-123456789012-lake"


@pytest.mark.parametrize("account", ["12345", "1234-5678-9012", "abc"])
def test_an_account_that_is_none_is_refused(account: str) -> None:
    with pytest.raises(SettingsError, match=f"{ACCOUNT}='{account}' is no AWS account: it has 12 digits"):
        load_settings("prod", {ACCOUNT: account})


@pytest.mark.parametrize("environment", AWS)
def test_on_aws_buckets_region_and_landing_zone_can_be_set(environment: str) -> None:
    given = {BUCKETS: "house", REGION: "us-east-1", LANDING: "s3://elsewhere/files"}
    settings, aws = load_settings(environment, given), aws_of(environment, given)
    assert (settings.warehouse, settings.archive, settings.landing, aws.region) == (
        "s3://house-lake",
        "s3://house-raw/archive",
        "s3://elsewhere/files",
        "us-east-1",
    )


def test_a_clusters_subnets_size_and_owner_can_be_set() -> None:
    aws = aws_of("staging", {SUBNETS: "subnet-1, subnet-2,", MAX_UNITS: "32", OWNER: "maria", POLL_SECONDS: "0.5"})
    assert (aws.cluster.subnets, aws.cluster.max_units, aws.owner, aws.poll_seconds) == (
        ("subnet-1", "subnet-2"),
        32,
        "maria",
        0.5,
    )


def test_whom_aws_tells_and_from_what_cost_on_can_be_set() -> None:
    assert (aws_of("prod", {}).alarm_email, aws_of("prod", {}).budget_usd) == (None, 200)
    aws = aws_of("prod", {ALARM_EMAIL: "lake@example.org", BUDGET_USD: "50"})
    assert (aws.alarm_email, aws.budget_usd) == ("lake@example.org", 50)


@pytest.mark.parametrize(
    ("variable", "text"), [(MAX_UNITS, "3"), (MAX_UNITS, "many"), (POLL_SECONDS, "nan"), (BUDGET_USD, "0")]
)
def test_a_number_that_makes_no_sense_is_refused(variable: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"{variable}='{text}' makes no sense: set it to a number from"):
        load_settings("staging", {variable: text})


@pytest.mark.parametrize("environment", Environment)
def test_its_variables_give_the_same_settings_elsewhere(environment: Environment) -> None:
    given = {
        LANDING: "s3://elsewhere/files",
        CHAMBER_URL: "none",
        ACCOUNT: "123456789012",
        REGION: "us-east-1",
        BUCKETS: "house",
        OWNER: "maria",
        SUBNETS: "subnet-1",
        MAX_UNITS: "32",
        POLL_SECONDS: "1",
    }
    settings = load_settings(environment.value, {} if environment is Environment.LOCAL else given)
    assert load_settings(variables=settings.variables) == settings


@pytest.mark.parametrize("environment", AWS)
def test_the_local_home_moves_nothing_on_aws(environment: str) -> None:
    assert load_settings(environment, {HOME: "/srv/lake"}) == load_settings(environment, {})


def test_staging_and_prod_share_no_place() -> None:
    staging, prod = (
        {s.warehouse, s.archive, s.landing, s.aws.stack, s.aws.buckets, s.aws.database_prefix, s.aws.cpf_secret}
        for s in (load_settings(environment, {}) for environment in AWS)
        if s.aws
    )
    assert staging.isdisjoint(prod)


@pytest.mark.parametrize("environment", AWS)
def test_a_cluster_decides_itself_about_its_memory_and_its_master(environment: str) -> None:
    spark = load_settings(environment, {SPARK_MEMORY: "6g"}).spark
    assert spark.keys().isdisjoint({"spark.driver.memory", "spark.master"})


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


# the House


@pytest.mark.parametrize("environment", Environment)
def test_files_come_from_the_houses_own_site(environment: Environment) -> None:
    assert load_settings(environment.value, {}).chamber_url == "https://www.camara.leg.br/cotas"


@pytest.mark.parametrize("environment", Environment)
def test_files_may_come_from_elsewhere(environment: Environment) -> None:
    given = {CHAMBER_URL: "http://mirror.example/house/"}
    assert load_settings(environment.value, given).chamber_url == "http://mirror.example/house"


@pytest.mark.parametrize("environment", Environment)
def test_files_may_come_by_hand_alone(environment: Environment) -> None:
    assert load_settings(environment.value, {CHAMBER_URL: "none"}).chamber_url is None


@pytest.mark.parametrize("url", ["None", "www.camara.leg.br/cotas", "ftp://camara.leg.br"])
def test_a_place_that_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        load_settings("local", {CHAMBER_URL: url})
    assert str(refusal.value) == (
        f"DEPUTIES_LAKE_CHAMBER_URL={url!r} is no address: let it begin with https://, or set it to none"
    )


# the secret


def test_a_laptop_has_a_public_key() -> None:
    assert load_settings("local", {}).cpf_key == "a public key: fit for a laptop, not for publication"


def test_a_laptops_secret_is_what_was_set() -> None:
    assert load_settings("local", {CPF_KEY: SECRET}).cpf_key == SECRET


@pytest.mark.parametrize("environment", AWS)
def test_on_aws_no_secret_comes_from_a_variable(environment: str) -> None:
    settings = load_settings(environment, {CPF_KEY: SECRET})
    assert settings.cpf_key is None
    assert SECRET not in settings.variables.values()


@pytest.mark.parametrize("show", [repr, str])
def test_settings_do_not_show_the_secret(show: type[str]) -> None:
    assert SECRET not in show(load_settings("local", {CPF_KEY: SECRET}))


def test_settings_show_everything_else() -> None:
    shown = repr(load_settings("prod", {}))
    assert all(name in shown for name in Settings.__dataclass_fields__ if name != "cpf_key")


def test_what_has_not_changed_is_computed_again_only_if_asked_for() -> None:
    assert [load_settings("staging", given).rebuild for given in ({}, {REBUILD: "all"})] == [False, True]
    assert load_settings("staging", {REBUILD: "all"}).variables[REBUILD] == "all"
    with pytest.raises(SettingsError, match="DEPUTIES_LAKE_REBUILD='yes' makes no sense: set it to all"):
        load_settings("local", {REBUILD: "yes"})


def test_replaced_versions_stay_for_as_long_as_is_said_on_clusters_too() -> None:
    assert [load_settings("local", given).keep_days for given in ({}, {KEEP_DAYS: "30"})] == [90, 30]
    assert load_settings("staging", {KEEP_DAYS: "30"}).variables[KEEP_DAYS] == "30"
    with pytest.raises(SettingsError, match="DEPUTIES_LAKE_KEEP_DAYS='0' makes no sense: set it to a number from 1"):
        load_settings("local", {KEEP_DAYS: "0"})


# where alerts go

TARGETS = {
    ALERT_SLACK: "https://hooks.example/T0/SECRET",
    ALERT_WEBHOOK: "https://alerts.example/SECRET",
    ALERT_SMTP: "smtps://ana:SECRET@mail.example",
    ALERT_EMAIL: "ana@example.org, bia@example.org",
}


def test_alerts_go_nowhere_but_to_the_log_unless_that_is_set() -> None:
    assert load_settings("prod", {}).alerts == AlertSettings()


def test_alerts_by_e_mail_come_from_whom_they_go_to_unless_that_is_set() -> None:
    alerts = [load_settings("prod", given).alerts for given in (TARGETS, {**TARGETS, ALERT_SENDER: "lake@example.org"})]
    assert [one.sender for one in alerts] == ["ana@example.org", "lake@example.org"]
    assert alerts[0].email == ("ana@example.org", "bia@example.org")


@pytest.mark.parametrize("environment", Environment)
def test_the_addresses_of_alerts_are_shown_to_nobody_and_not_passed_to_clusters(environment: str) -> None:
    settings = load_settings(environment, TARGETS)
    assert settings.alerts.slack == TARGETS[ALERT_SLACK]
    assert "SECRET" not in f"{settings!r} {settings.variables}"


@pytest.mark.parametrize("variable", [ALERT_SLACK, ALERT_WEBHOOK, ALERT_SMTP])
def test_a_wrong_address_is_refused_without_being_repeated(variable: str) -> None:
    with pytest.raises(SettingsError, match=f"{variable} is no address: let it begin with") as refusal:
        load_settings("local", {variable: "hooks.example/SECRET"})
    assert "SECRET" not in str(refusal.value)


def test_e_mail_needs_somebody_who_sends_it() -> None:
    with pytest.raises(SettingsError, match=f"set {ALERT_SMTP}, too"):
        load_settings("local", {ALERT_EMAIL: "ana@example.org"})
