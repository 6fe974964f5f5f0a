"""The environment's settings for steps that need more of them than where things are."""

from typing import Final

import dagster as dg

from deputies_lake.aws import client
from deputies_lake.environments import AwsSettings, SettingsError, load_settings

_KEY_LENGTH: Final = 32


class SettingsResource(dg.ConfigurableResource[None]):
    """Names the environment and nothing else: a resource's configuration is shown in the UI, secrets must not be."""

    environment: str

    def rebuild(self) -> bool:
        """Whether what has not changed is to be computed all the same."""
        return load_settings(self.environment).rebuild

    def cpf_key(self) -> str:
        """The secret that hides private persons' tax ids. In AWS it is read where it is kept, on every call.

        Raises `SettingsError` where there is none, or one that could be guessed.
        """
        settings = load_settings(self.environment)
        if settings.aws is None:
            return settings.cpf_key or ""
        return _secret(settings.aws)


def _secret(aws: AwsSettings) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    where = f"the secret {aws.cpf_secret} in Secrets Manager, {aws.region},"
    try:
        secret: str = client("secretsmanager", aws).get_secret_value(SecretId=aws.cpf_secret)["SecretString"]
    except (BotoCoreError, ClientError) as error:
        raise SettingsError(f"{where} can't be read: {error}. `deputies-lake infra up` makes it") from error
    if len(secret) < _KEY_LENGTH:
        raise SettingsError(f"{where} is too short: tax ids need one of at least {_KEY_LENGTH} characters")
    return secret
