"""Commands on files of this machine: run, demo, inspect, track, export, up."""

import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from producer.cli_options import BatchFrames, Force, Model, console, everything, finding, say, tracking, wait_for_end
from producer.fleet import Fleet
from producer.models import models_for
from producer.stack.stack import running_stack
from schema.errors import ConfigurationError
from schema.formats import FORMATS
from schema.names import TRACKS
from schema.options import Options
from schema.settings import Settings, current

cli = typer.Typer()
model_cli = typer.Typer(no_args_is_help=True, help="The pose model in the cache.")
cli.add_typer(model_cli, name="model")


@model_cli.command("pull")
def model_pull(name: Annotated[str | None, typer.Argument(help="Default: POSEFLEET_MODEL.")] = None) -> None:
    """Fetch the weights, check them, and convert them for every backend."""
    from workers.models.store import pull

    settings = current()
    found = pull(name or settings.model, settings.models_dir, say)
    say(f"model   {found.name}, weights {found.sha256[:12]}, in {settings.models_dir}")


@cli.command()
def up() -> None:
    """Start the fleet on this machine and keep it running. Ctrl-C stops it, twice stops it hard."""
    settings = prepared()
    with running_stack(settings, say):
        say(f"data    {settings.data_dir}\ncache   {settings.cache_dir}")
        with suppress(KeyboardInterrupt):
            wait_for_end(lambda: say("posefleet is up; Ctrl-C stops it"))
        say("stopping (Ctrl-C again to stop hard)")


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

    settings = prepared(model)
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
    settings = prepared()
    say(f"data    {settings.data_dir}\ncache   {settings.cache_dir}")
    done = run_all([str(video)], out, Options(kinematics=True), settings, console, force=True)
    folder = out / video.stem
    if done:
        say(f"\nplay   {folder / 'annotated.mp4'} in a browser or any player")
        say(f"look   {folder / 'timeline.png'} (who is there when), {folder / 'angles'}/ (how joints move)")
        say(f"read   {sys.executable} -c \"import pandas; print(pandas.read_parquet('{folder / 'tracks.parquet'}'))\"")
    say(f"done in {time.monotonic() - began:.1f} s")
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
    settings = prepared()
    models = models_for(settings, None, options)
    from workers.inspect import inspect

    people = inspect(picture, out, options, models, settings)
    for number, score in enumerate(people.scores, start=1):
        say(f"person {number}  score {score:.2f}  box {' '.join(f'{side:.0f}' for side in people.boxes[number - 1])}")
    say(f"{len(people.scores)} people; figure in {out}")


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
    say(f"{len(made.reports)} tracks in {made.frames} frames, {made.max_people} people at most")
    for path in sorted(out.iterdir()):
        say(f"  {path}")
    for warning in made.warnings:
        say(f"warning: {warning}")


@cli.command("export")
def export_tracks(
    tracks: Annotated[str, typer.Argument(metavar="JOB|tracks.parquet", help="A job that has ended, or a track file.")],
    out: Annotated[Path, typer.Option(help="Folder of the exports.")],
    format: Annotated[list[str], typer.Option(help=f"May be repeated: {', '.join(FORMATS)}.")],
) -> None:
    """Write tracks in the formats of other tools."""
    from workers.retrack import export

    formats = Options.checked(formats=format).formats
    with TemporaryDirectory() as folder:
        path = Path(tracks)
        if path.suffix or "/" in tracks:
            _there(path)
        else:
            path = Fleet().fetch_result(tracks, TRACKS, Path(folder) / TRACKS)
        for written in export(path, formats, out):
            print(written)


def _there(path: Path) -> None:
    if not path.is_file():
        raise ConfigurationError(f"{path} does not exist: give a job id or a track file")


def prepared(model: str | None = None) -> Settings:
    """Settings, with the models in the cache."""
    from workers.models.store import pull

    settings = current()
    for name in dict.fromkeys((settings.model, model or settings.model)):
        pull(name, settings.models_dir, say)
    return settings
