"""Commands on single jobs: render, results, cancel."""

from pathlib import Path
from typing import Annotated

import typer

from producer.cli_options import Force, console, drawing
from producer.fleet import Fleet
from producer.job import Job, Status
from producer.show import Watch, status_line
from schema.manifest import State
from schema.options import Options

cli = typer.Typer()


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
