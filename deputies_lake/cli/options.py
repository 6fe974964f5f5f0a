"""What several verbs have in common: options, how a lake is opened, how AWS is addressed, a heading."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from deputies_lake.aws import AwsError
from deputies_lake.environments import ENVIRONMENT, AwsSettings, Environment, Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from deputies_lake.lakehouse.lake import Lake

_ENVIRONMENTS: Final = [environment.value for environment in Environment if environment is not Environment.LOCAL]

environment_option: Final[Callable[[Any], Any]] = click.option(
    "--env",
    "environment",
    type=click.Choice(_ENVIRONMENTS),
    help=f"The environment; {ENVIRONMENT} unless given.",
)

year_option: Final[Callable[[Any], Any]] = click.option("--year", type=int, required=True, help="Quota year.")

to_option: Final[Callable[[Any], Any]] = click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("dist"),
    show_default=True,
    help="Folder to build in; laid out as the artifacts bucket is.",
)


def heading(text: str) -> None:
    click.secho(f"\n{text}", bold=True)


@contextmanager
def opened(environment: str | None) -> "Iterator[Lake]":
    """The environment's lake; what a person can mend becomes a message without a traceback."""
    # Opening a lake loads Dagster and more, which takes seconds; other verbs need none.
    from deputies_lake.history import NoVersionError
    from deputies_lake.lakehouse.lake import MissingTableError
    from deputies_lake.resources.lake import LakeResource
    from deputies_lake.serving.reading import QueryError

    try:
        yield LakeResource.of(load_settings(environment)).open()
    except (MissingTableError, NoVersionError, QueryError, SettingsError) as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def in_aws(environment: str | None) -> Iterator[tuple[Settings, AwsSettings]]:
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
