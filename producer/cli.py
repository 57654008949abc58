"""The command ``posefleet``."""

import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console

from producer.cli_options import BatchFrames, Force, Model, everything, finding, tracking
from producer.fleet import Fleet, Job, Status, parse_uri
from producer.inputs import resolve
from producer.models import models_for
from producer.show import Watch, status_line, summary
from producer.stack.stack import read_addresses, running_stack
from schema.errors import ConfigurationError, PosefleetError
from schema.formats import FORMATS
from schema.manifest import State
from schema.names import TRACKS
from schema.options import Options
from schema.settings import Settings, current

cli = typer.Typer(no_args_is_help=True, add_completion=False, help="Keypoint tracks from videos, by a fleet.")
model_cli = typer.Typer(no_args_is_help=True, help="The pose model in the cache.")
cli.add_typer(model_cli, name="model")
console = Console(width=None if sys.stdout.isatty() else 120)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


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


@model_cli.command("pull")
def model_pull(name: Annotated[str | None, typer.Argument(help="Default: POSEFLEET_MODEL.")] = None) -> None:
    """Fetch the weights, check them, and convert them for every backend."""
    from workers.models.store import pull

    settings = current()
    found = pull(name or settings.model, settings.models_dir, _say)
    _say(f"model   {found.name}, weights {found.sha256[:12]}, in {settings.models_dir}")


@cli.command()
def up() -> None:
    """Start the fleet on this machine and keep it running. Ctrl-C stops it, twice stops it hard."""
    settings = _prepared()
    with running_stack(settings, _say):
        _say(f"data    {settings.data_dir}\ncache   {settings.cache_dir}")
        with suppress(KeyboardInterrupt):
            _say("posefleet is up; Ctrl-C stops it")
            _wait()
        _say("stopping (Ctrl-C again to stop hard)")


@cli.command()
@everything
def run(
    inputs: Annotated[list[str], typer.Argument(help="Videos, pictures, folders, patterns, s3://…")],
    out: Annotated[Path, typer.Option(help="Folder of the results.")],
    model: Model = None,
    batch_frames: BatchFrames = None,
    force: Force = False,
    *,
    options: Options,
) -> None:
    """Process videos and pictures on this machine and put the results into a folder."""
    from producer.run import run as run_all

    settings = _prepared(model)
    done = run_all(inputs, out, options, settings, console, model=model, batch_frames=batch_frames, force=force)
    raise typer.Exit(0 if done else 1)


@cli.command()
def demo(
    video: Annotated[Path, typer.Argument(help="A video with people.")] = Path("tests/media/flip.mp4"),
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("out"),
) -> None:
    """Process one real video from upload to annotated video, on this machine."""
    from producer.run import run as run_all

    began = time.monotonic()
    settings = _prepared()
    _say(f"data    {settings.data_dir}\ncache   {settings.cache_dir}")
    done = run_all([str(video)], out, Options(), settings, console, force=True)
    folder = out / video.stem
    if done:
        _say(f"\nplay   {folder / 'annotated.mp4'} in a browser or any player")
        _say(f"read   {sys.executable} -c \"import pandas; print(pandas.read_parquet('{folder / 'tracks.parquet'}'))\"")
    _say(f"done in {time.monotonic() - began:.1f} s")
    raise typer.Exit(0 if done else 1)


@cli.command("inspect")
@finding
def inspect_picture(
    picture: Annotated[str, typer.Argument(help="IMAGE, or VIDEO@TIME with seconds or hours:minutes:seconds.")],
    out: Annotated[Path, typer.Option(help="The figure: .png, .jpg or .webp.")],
    *,
    options: Options,
) -> None:
    """Show what the model sees in one picture: result, heatmaps, regression vectors."""
    settings = _prepared()
    models = models_for(settings, None, options)
    from workers.inspect import inspect

    people = inspect(picture, out, options, models, settings)
    for number, score in enumerate(people.scores, start=1):
        _say(f"person {number}  score {score:.2f}  box {' '.join(f'{side:.0f}' for side in people.boxes[number - 1])}")
    _say(f"{len(people.scores)} people; figure in {out}")


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
    fleet = Fleet(_settings())
    resolved = [resolve(fleet, uri) for uri in uris]
    jobs = [fleet.enqueue(uri, options, model=model, batch_frames=batch_frames, force=force) for uri in resolved]
    if as_json:
        print(json.dumps([{"job_id": job.job_id, "uri": uri} for job, uri in zip(jobs, uris, strict=True)]))
    else:
        print("\n".join(job.job_id for job in jobs))


@cli.command()
def status(
    job: Annotated[str | None, typer.Argument(help="Job id; all jobs without.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Until the job has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say where a job stands, or all of them. With --watch: exit status 1 unless it succeeded."""
    fleet = Fleet(_settings())
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
    for path in Fleet(_settings()).fetch(job, out):
        print(path)


@cli.command("export")
def export_tracks(
    tracks: Annotated[str, typer.Argument(metavar="JOB|tracks.parquet", help="A job that has ended, or a track file.")],
    out: Annotated[Path, typer.Option(help="Folder of the exports.")],
    format: Annotated[list[str], typer.Option(help=f"Again and again: {', '.join(FORMATS)}.")],
) -> None:
    """Write tracks in the formats of other tools."""
    from workers.retrack import export

    formats = Options.checked(formats=format).formats
    with TemporaryDirectory() as folder:
        path = Path(tracks)
        if path.suffix or "/" in tracks:
            _there(path)
        else:
            path = Fleet(_settings()).fetch_result(tracks, TRACKS, Path(folder) / TRACKS)
        for written in export(path, formats, out):
            print(written)


@cli.command("track")
@tracking
def track_poses(
    poses: Annotated[Path, typer.Argument(help="tracks.parquet, a folder of OpenPose JSON, or COCO keypoints JSON.")],
    out: Annotated[Path, typer.Option(help="Folder of the results.")],
    video: Annotated[Path | None, typer.Option(help="The video that the poses are of.")] = None,
    fps: Annotated[float | None, typer.Option(min=0.01, help="Frames per second, if nothing tells; 30.")] = None,
    *,
    options: Options,
) -> None:
    """Track poses that are there already, of posefleet or another tool, without a fleet; with a video, draw them."""
    from workers.retrack import track

    made = track(poses, out, options, video, fps)
    _say(f"{len(made.reports)} tracks in {made.frames} frames, {made.max_people} people at most")
    for path in sorted(out.iterdir()):
        _say(f"  {path}")
    for warning in made.warnings:
        _say(f"warning: {warning}")


@cli.command()
def cancel(job: Annotated[str, typer.Argument()]) -> None:
    """End a job without results."""
    fleet = Fleet(_settings())
    ended = fleet.cancel(fleet.job(job).job_id)
    print(f"job {job} is cancelled" if ended else f"job {job} had ended already")
    raise typer.Exit(0 if ended else 1)


def _there(path: Path) -> None:
    if not path.is_file():
        raise ConfigurationError(f"{path} does not exist: give a job id or a track file")


def _say(line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True)


def _settings() -> Settings:
    """Settings of the environment, else of the stack that runs on this machine."""
    settings = current()
    if settings.model_fields_set & {"redis_url", "s3_endpoint"}:
        return settings
    return read_addresses(settings.data_dir).settings(settings)


def _prepared(model: str | None = None) -> Settings:
    """Settings, with the models in the cache."""
    from workers.models.store import pull

    settings = current()
    for name in dict.fromkeys((settings.model, model or settings.model)):
        pull(name, settings.models_dir, _say)
    return settings


def _wait() -> None:
    """Sleep until SIGINT or SIGTERM, which raise KeyboardInterrupt."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    while True:
        time.sleep(3600)


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
