"""The emulated AWS by hand: `python -m deputies_lake_tests.aws` serves until Ctrl-C."""

import signal

import click

from deputies_lake.environments import ACCOUNT as ACCOUNT_VARIABLE
from deputies_lake.environments import ENVIRONMENT, POLL_SECONDS, Environment
from deputies_lake_tests.aws.emulator import ACCOUNT, EmulatedAws


@click.command(help=__doc__)
@click.option("--idle-scale", default=1.0, show_default=True, help="Idle time passes faster below 1.")
def main(idle_scale: float) -> None:
    click.echo("Preparing what an EMR machine brings; the first time this takes a minute or two", err=True)
    with EmulatedAws() as aws:
        aws.scale_idle_time(idle_scale)
        ours = {ENVIRONMENT: Environment.STAGING, ACCOUNT_VARIABLE: ACCOUNT, POLL_SECONDS: "1"}
        click.echo("unset AWS_PROFILE AWS_SESSION_TOKEN")
        for name, value in {**aws.variables, **ours}.items():
            click.echo(f"export {name}={value}")
        click.echo("Type this in another terminal to have it as AWS. Ctrl-C ends it and all that is in it.", err=True)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            signal.pause()
        except KeyboardInterrupt:
            click.echo("Ending", err=True)


if __name__ == "__main__":
    main()
