"""Commands that talk to a fleet: enqueue, status, results, cancel."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from producer.cli_options import BatchFrames, Force, Model, console, drawing, everything
from producer.fleet import Fleet
from producer.inputs import resolve
from producer.job import Job, Status
from producer.show import Watch, status_line, summary
from producer.uris import parse_uri
from schema.manifest import State
from schema.options import Options

cli = typer.Typer()

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@cli.command()
@everything
def enqueue(
    uris: Annotated[list[str], typer.Argument(help="s3://bucket/key …, or s3://bucket/prefix/ for pictures.")],
    model: Model = None,
    batch_frames: BatchFrames = None,
    force: Force = False,
    as_json: AsJson = False,
    *,
    options: Options,
) -> None:
    """Accept videos in object storage; print a job id for each. The same video twice is the same job."""
    for uri in uris:
        parse_uri(uri)
    fleet = Fleet()
    resolved = [resolve(fleet, uri) for uri in uris]
    jobs = [fleet.enqueue(uri, options, model=model, batch_frames=batch_frames, force=force) for uri in resolved]
    if as_json:
        print(json.dumps([{"job_id": job.job_id, "uri": uri} for job, uri in zip(jobs, uris, strict=True)]))
    else:
        print("\n".join(job.job_id for job in jobs))


@cli.command()
@drawing
def render(
    job: Annotated[str, typer.Argument(help="A job that has tracks.")],
    out: Annotated[Path | None, typer.Option(help="Wait, and put the video and its pictures here.")] = None,
    force: Force = False,
    *,
    options: Options,
) -> None:
    """Draw the tracks of a job once more, in another style, size or codec, without the model; print the new job id."""
    made = Fleet().render(job, options, force=force)
    print(made.job_id)
    if out is None:
        return
    ended = _watched(made)
    if ended.state not in (State.SUCCEEDED, State.PARTIAL):
        print(status_line(ended))
        raise typer.Exit(1)
    for path in made.fetch(out):
        print(path)


@cli.command()
def status(
    job: Annotated[str | None, typer.Argument(help="Job id; all jobs without.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Until the job has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say where a job stands, or all of them. With --watch: exit status 1 unless it succeeded."""
    fleet = Fleet()
    if job is None:
        _print_all([each.status() for each in fleet.jobs()], as_json)
        return
    found = _watched(fleet.job(job)) if watch else fleet.job(job).status()
    _print_all([found], as_json)
    if watch and found.state is not State.SUCCEEDED:
        raise typer.Exit(1)


@cli.command()
def results(job: Annotated[str, typer.Argument()], out: Annotated[Path, typer.Option(help="Folder.")]) -> None:
    """Download the results of an ended job."""
    for path in Fleet().fetch(job, out):
        print(path)


@cli.command()
def cancel(job: Annotated[str, typer.Argument()]) -> None:
    """End a job without results."""
    fleet = Fleet()
    ended = fleet.cancel(fleet.job(job).job_id)
    print(f"job {job} is cancelled" if ended else f"job {job} had ended already")
    raise typer.Exit(0 if ended else 1)


def _watched(job: Job) -> Status:
    with Watch(console) as watch:
        return job.wait(report=lambda now: watch.show(job.job_id, now))


def _print_all(found: list[Status], as_json: bool) -> None:
    if as_json:
        print(json.dumps([_as_json(each) for each in found], indent=1))
        return
    for each in found:
        print(status_line(each))
    ended = {each.job_id: each.manifest for each in found if each.manifest}
    if ended and os.isatty(1):
        console.print(summary(ended))


def _as_json(found: Status) -> dict[str, Any]:
    steps = {name: {"done": step.done, "total": step.total} for name, step in found.steps.items()}
    error = found.error.model_dump() if found.error else None
    return {"job_id": found.job_id, "uri": found.uri, "state": found.state, "steps": steps, "error": error}
