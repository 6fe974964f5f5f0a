"""What the verbs that call AWS have in common: which environment they mean, and how they say what went wrong.

The verbs themselves are in `cli.py`, `emr/cluster_commands.py` and `infrastructure/commands.py`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import click

from deputies_lake.aws import AwsError
from deputies_lake.environments import ENVIRONMENT, AwsSettings, Environment, Settings, SettingsError, load_settings

_ENVIRONMENTS: Final = [environment.value for environment in Environment if environment is not Environment.LOCAL]

environment_option: Final[Callable[[Any], Any]] = click.option(
    "--env",
    "environment",
    type=click.Choice(_ENVIRONMENTS),
    help=f"The environment; {ENVIRONMENT} unless given.",
)


@contextmanager
def explained(environment: str | None) -> Iterator[tuple[Settings, AwsSettings]]:
    """The environment's settings; what a person can mend becomes a message without a traceback."""
    # A laptop's verbs do without AWS's client, which is slow to import.
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        settings = load_settings(environment)
        if settings.aws is None:
            raise click.UsageError(
                f"{settings.environment} is not in AWS: add --env with one of {', '.join(_ENVIRONMENTS)}"
            )
        yield settings, settings.aws
    except (AwsError, SettingsError) as error:
        raise click.ClickException(str(error)) from error
    except (BotoCoreError, ClientError) as error:
        raise click.ClickException(f"AWS: {error}\nWho you are to AWS: aws sts get-caller-identity") from error
