"""Commands that take uploads: from a queue, by listing."""

import logging
import signal
from contextlib import suppress
from typing import Annotated

import typer

from producer.fleet import Fleet

events_cli = typer.Typer(no_args_is_help=True, help="Videos that enqueue themselves (POSEFLEET_WATCH).")
cli = typer.Typer()
cli.add_typer(events_cli, name="events")


@events_cli.command("sqs")
def events_sqs(queue: Annotated[str, typer.Argument(metavar="QUEUE_URL", help="With the bucket's events.")]) -> None:
    """Take uploads from a queue of SQS until SIGTERM."""
    from producer.events.sqs import Poller
    from workers.storage.sqs import MessageQueue

    logging.basicConfig(level=logging.INFO, format="[%(asctime)s: %(levelname)s] %(message)s")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    fleet = Fleet()
    poller = Poller(fleet, MessageQueue(queue, fleet.settings))
    with suppress(KeyboardInterrupt):
        poller.run()


@events_cli.command("list")
def events_list() -> None:
    """List the watched prefixes once, and enqueue what no event told of. The sweeper does it by itself."""
    from producer.events.listing import Listing

    listed = Listing(Fleet()).look()
    print("\n".join([f"{listed.seen} videos below the watched prefixes", *listed.lines()]))
    raise typer.Exit(1 if listed.errors else 0)
