"""The options that commands share, as the command line takes them."""

from typing import Annotated

import typer

from schema.options import Options

Quality = Annotated[str, typer.Option(help="Preset: fast, balanced or best. Options given beside it win.")]
InputSize = Annotated[
    int | None, typer.Option(help="Longer side of the model's input, a multiple of 32 in 128..768; 256 with fast.")
]
ExtraSizes = Annotated[str | None, typer.Option(help="Further input sizes, merged by OKS, such as 256,512.")]
MaxPeople = Annotated[int | None, typer.Option(help="Most people reported in one frame, 1..100; 20 with fast.")]
MinScore = Annotated[float | None, typer.Option(help="Least person score that begins a track or is drawn, 0..1; 0.2.")]
Refine = Annotated[str | None, typer.Option(help="off, lightning or thunder: a closer look at every person.")]
Looks = Annotated[int | None, typer.Option(help="Crops of each person that --refine looks at, 1..4.")]
Tiles = Annotated[str | None, typer.Option(help="auto, off or ROWSxCOLUMNS: overlapping tiles, for crowds.")]
Model = Annotated[
    str | None,
    typer.Option(help="multipose-lightning, singlepose-lightning, singlepose-thunder. Default: POSEFLEET_MODEL."),
]
Format = Annotated[list[str] | None, typer.Option(help="coco: also keypoints_coco.json. Pictures always have it.")]
Render = Annotated[bool, typer.Option(help="Write annotated.mp4 or annotated pictures.")]
BatchFrames = Annotated[int | None, typer.Option(min=1, help="Frames per batch instead of the planner's choice.")]
Force = Annotated[bool, typer.Option("--force", help="Do the work once more even if it was done.")]


def options_of(context: typer.Context) -> Options:
    """The options that a command was given, the rest from its preset; raises `ConfigurationError`."""
    said = {**context.params, "formats": context.params.get("format") or None}
    return Options.checked(**{name: said.get(name) for name in Options.model_fields})
