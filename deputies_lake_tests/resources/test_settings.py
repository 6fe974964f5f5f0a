"""Where the secret for tax ids comes from: a variable on a laptop, Secrets Manager in AWS."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from deputies_lake.environments import CPF_KEY, SettingsError
from deputies_lake.resources.settings import SettingsResource

SECRET = "forty-eight characters that nobody has ever seen"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "testing")
    with mock_aws():
        yield


def keep(name: str, secret: str) -> None:
    boto3.client("secretsmanager", region_name="sa-east-1").create_secret(Name=name, SecretString=secret)


def test_on_a_laptop_it_is_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CPF_KEY, SECRET)
    assert SettingsResource(environment="local").cpf_key() == SECRET


@pytest.mark.usefixtures("aws")
def test_in_aws_it_is_the_environments_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CPF_KEY, "a variable that must not count")
    keep("deputies-lake-prod/cpf-key", "another environment's, of just as many characters")
    keep("deputies-lake-staging/cpf-key", SECRET)
    assert SettingsResource(environment="staging").cpf_key() == SECRET


@pytest.mark.usefixtures("aws")
def test_a_missing_one_is_said_with_what_makes_it() -> None:
    with pytest.raises(SettingsError) as refusal:
        SettingsResource(environment="prod").cpf_key()
    assert str(refusal.value).startswith(
        "the secret deputies-lake-prod/cpf-key in Secrets Manager, sa-east-1, can't be read: "
    )
    assert str(refusal.value).endswith("`deputies-lake infra up` makes it")


@pytest.mark.usefixtures("aws")
def test_one_that_can_be_guessed_is_refused() -> None:
    keep("deputies-lake-staging/cpf-key", "x" * 31)
    with pytest.raises(SettingsError, match="is too short: tax ids need one of at least 32 characters"):
        SettingsResource(environment="staging").cpf_key()
