"""How this project calls AWS: clients that are patient and bound to a region, and the account they must be in.

Credentials come from boto3's default chain only. What is called for is in `emr/`, `infrastructure/` and `resources/`.
"""

from typing import Any, Final

from deputies_lake.environments import ACCOUNT, REGION, AwsSettings

_SECONDS: Final = 30
_ATTEMPTS: Final = 8


class AwsError(RuntimeError):
    """Something in AWS that a person must see to. The message says what to type."""


class AccountError(AwsError):
    """These credentials are for another account than the settings name, or none is named. Nothing was changed."""


def client(service: str, aws: AwsSettings, *, attempts: int = _ATTEMPTS) -> Any:
    """A boto3 client that waits out throttling and short outages by itself.

    With one attempt it repeats nothing: for requests that AWS would carry out twice.
    """
    # A laptop's lake never comes here, and boto3 takes half a second to import.
    import boto3
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": attempts}
    config = Config(retries=retries, connect_timeout=_SECONDS, read_timeout=_SECONDS)
    return boto3.client(service, region_name=aws.region, config=config)


def forget_credentials() -> None:
    """Have clients made from now on look for credentials anew: a session never does, once it found some."""
    import boto3

    boto3.setup_default_session()


def require_account(aws: AwsSettings) -> str:
    """The account that is about to be changed, if it is the one meant. Raises `AccountError`."""
    found: str = client("sts", aws).get_caller_identity()["Account"]
    if aws.account is None:
        raise AccountError(
            f"these credentials are for account {found}, region {aws.region}. "
            f"If that is meant: export {ACCOUNT}={found}"
        )
    if found != aws.account:
        raise AccountError(
            f"these credentials are for account {found}, {ACCOUNT} says {aws.account} (region {aws.region}, {REGION}). "
            "Nothing was changed. Use the other credentials, or set the variable."
        )
    return found
