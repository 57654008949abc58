"""The command ``posefleet``."""

import sys

import typer

from producer import cli_api, cli_care, cli_enqueue, cli_events, cli_fleet, cli_jobs, cli_local
from schema.errors import ConfigurationError, PosefleetError

cli = typer.Typer(no_args_is_help=True, add_completion=False, help="Keypoint tracks from videos, by a fleet.")
cli.add_typer(cli_local.cli)
cli.add_typer(cli_enqueue.cli)
cli.add_typer(cli_jobs.cli)
cli.add_typer(cli_fleet.cli)
cli.add_typer(cli_care.cli)
cli.add_typer(cli_events.cli)
cli.add_typer(cli_api.cli)


def main() -> None:
    """Run the command line; errors of ours are one line and exit status 1 or 2."""
    try:
        cli(standalone_mode=True)
    except ConfigurationError as error:
        _fail(error, 2)
    except PosefleetError as error:
        _fail(error, 1)


def _fail(error: PosefleetError, status: int) -> None:
    print(f"posefleet: {error}", file=sys.stderr)
    sys.exit(status)
