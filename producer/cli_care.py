"""Commands that look after a fleet: doctor, sweep, dead letters, delete."""

import json
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

import typer

from producer.cli_options import seconds_ago, wait_for_end
from producer.fleet import Fleet, reachable
from schema.dead import DeadRecord
from schema.errors import ConfigurationError

cli = typer.Typer()
dead_cli = typer.Typer(no_args_is_help=True, help="Batches that were given up.")
cli.add_typer(dead_cli, name="dead")

_PATIENCE_S, _PAUSE_S = 30, 0.5
"""Another sweeper is soon done."""
AJob = Annotated[str, typer.Argument(help="Job id.")]


@cli.command()
def doctor() -> None:
    """Compare all jobs with storage once, send again what is missing, and say what was found."""
    from producer.sweep import Sweeper

    sweeper, end = Sweeper(Fleet()), time.monotonic() + _PATIENCE_S
    while not (findings := sweeper.sweep(every=True)).active and time.monotonic() < end:
        time.sleep(_PAUSE_S)
    print("\n".join(findings.lines()))
    if findings.nothing:
        print("nothing was missing")
    raise typer.Exit(1 if findings.errors or not findings.active else 0)


@cli.command()
def sweep() -> None:
    """Look after the fleet for ever; any number may run, one at a time is active."""
    from producer.sweep import run
    from workers.telemetry import logs

    logs.set_up("sweeper")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the first process of a container has no other
    with suppress(KeyboardInterrupt):
        run(Fleet())


@cli.command()
def metrics(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of http://…/metrics.")] = 9808,
    host: Annotated[str | None, typer.Option(help="Address; default: POSEFLEET_METRICS_HOST.")] = None,
) -> None:
    """Serve Prometheus gauges of the whole fleet – outstanding work, open jobs, workers – until it is stopped."""
    from workers.telemetry import fleet, logs, prometheus

    logs.set_up("metrics")
    settings = reachable()
    try:
        stop = prometheus.serve(fleet.registry(settings.redis_url), host or settings.metrics_host, port)
    except OSError as error:
        raise ConfigurationError(
            f"nothing can be served at port {port}: {error.strerror}; give another --port"
        ) from error
    with suppress(KeyboardInterrupt):
        wait_for_end(lambda: print(f"http://{host or settings.metrics_host}:{port}/metrics", flush=True))
    stop()


@dead_cli.command("list")
def dead_list(
    job: Annotated[str | None, typer.Argument(help="Job id; all jobs without.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with tracebacks.")] = False,
) -> None:
    """List dead letters: job, step, frames, worker, and what went wrong."""
    from producer.letters import letters

    found = list(letters(Fleet(), job))
    if as_json:
        print(json.dumps([letter.model_dump(mode="json") for letter in found], indent=1))
    else:
        print("\n".join(map(_line, found)) or "no dead letters")


@dead_cli.command("retry")
def dead_retry(job: AJob) -> None:
    """Do the dead batches of a job again; print the job that does: a new one when the old one has ended."""
    from producer.letters import retry

    going, count = retry(Fleet(), job)
    print(f"{going.job_id}  {count} batches again" if count else f"{going.job_id}  its step has gone on already")
    raise typer.Exit(0 if count else 1)


@dead_cli.command("drop")
def dead_drop(job: AJob) -> None:
    """Delete the dead letters of an ended job."""
    from producer.letters import drop

    print(f"{drop(Fleet(), job)} dead letters deleted")


@cli.command()
def delete(
    jobs: Annotated[list[str] | None, typer.Argument(help="Job ids.")] = None,
    older_than: Annotated[str | None, typer.Option(help="Also jobs that ended longer ago: 30d, 12h, 90m.")] = None,
) -> None:
    """Delete jobs with all their objects, running ones too; the videos themselves stay."""
    from producer.sweep import delete_older

    if not jobs and older_than is None:
        raise ConfigurationError("give job ids, or --older-than")
    before = None if older_than is None else seconds_ago("--older-than", older_than)
    fleet = Fleet()
    for job in jobs or []:
        print(f"job {job}: {fleet.delete(job)} objects deleted")
    for job in delete_older(fleet, before) if before is not None else []:
        print(f"job {job}: deleted")


def _line(letter: DeadRecord) -> str:
    when = datetime.fromtimestamp(letter.time_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return (
        f"{letter.job_id}  {letter.step:<6} frames {letter.start}..{letter.stop}  {when}  {letter.worker}  "
        f"{letter.error.reason}: {letter.error.message}"
    )
