"""What commands share: the options of a job, and the terminal."""

import inspect
import re
import signal
import time
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Annotated, Any

import typer

from producer import show
from schema.errors import ConfigurationError
from schema.formats import FORMATS
from schema.kinematics import ANGLES
from schema.options import Options
from schema.styles import CODECS, STYLES

_FINDING: dict[str, tuple[Any, object]] = {
    "quality": (Annotated[str, typer.Option(help="Preset: fast, balanced or best. Options beside it win.")], "fast"),
    "input_size": (
        Annotated[
            int | None,
            typer.Option(help="Longer side of the model's input, a multiple of 32 in 128..768; 256 with fast."),
        ],
        None,
    ),
    "extra_sizes": (
        Annotated[str | None, typer.Option(help="Further input sizes, merged by OKS, such as 256,512.")],
        None,
    ),
    "max_people": (
        Annotated[int | None, typer.Option(help="Most people reported in one frame, 1..100; 20 with fast.")],
        None,
    ),
    "min_score": (
        Annotated[float | None, typer.Option(help="Least best score of a track, and of who is drawn, 0..1; 0.2.")],
        None,
    ),
    "refine": (
        Annotated[str | None, typer.Option(help="off, lightning or thunder: a closer look at every person.")],
        None,
    ),
    "looks": (Annotated[int | None, typer.Option(help="Crops of each person that --refine looks at, 1..4.")], None),
    "tiles": (
        Annotated[str | None, typer.Option(help="auto, off or ROWSxCOLUMNS: overlapping tiles, for crowds.")],
        None,
    ),
}
_TRACKING: dict[str, tuple[Any, object]] = {
    "smooth": (
        Annotated[
            str | None,
            typer.Option(help="Zero-phase filter: butterworth, one-euro, gaussian, median or off; butterworth."),
        ],
        None,
    ),
    "cutoff_hz": (Annotated[float | None, typer.Option(help="Faster motion is taken for noise; 6 Hz.")], None),
    "outliers": (Annotated[bool | None, typer.Option(help="Replace single samples that jump (Hampel); yes.")], None),
    "max_gap_s": (
        Annotated[float | None, typer.Option("--max-gap", help="Longest absence that is filled, seconds; 0.5.")],
        None,
    ),
    "link_gap_s": (
        Annotated[float | None, typer.Option("--link-gap", help="Longest absence that keeps an id, seconds; 4.")],
        None,
    ),
    "min_track_s": (
        Annotated[float | None, typer.Option("--min-track", help="Shorter tracks are left out, seconds; 0.2.")],
        None,
    ),
    "format": (Annotated[list[str] | None, typer.Option(help=f"May be repeated: {', '.join(FORMATS)}.")], None),
    "kinematics": (
        Annotated[bool | None, typer.Option(help="Also joint angles, speeds and their plots; no.")],
        None,
    ),
    "repetitions": (
        Annotated[str | None, typer.Option(metavar="ANGLE", help=f"Count repetitions of {', '.join(ANGLES)}.")],
        None,
    ),
}
_RENDERING: dict[str, tuple[Any, object]] = {
    "render": (Annotated[bool, typer.Option(help="Write annotated.mp4 or annotated pictures.")], True),
}
_DRAWING: dict[str, tuple[Any, object]] = {
    "style": (
        Annotated[str | None, typer.Option(help=f"Any of these, with commas between: {', '.join(STYLES)}; overlay.")],
        None,
    ),
    "scale": (Annotated[float | None, typer.Option(help="Size of the annotated video beside the source; 1.")], None),
    "codec": (Annotated[str | None, typer.Option(help=f"{', '.join(CODECS)}; h264.")], None),
    "crf": (
        Annotated[int | None, typer.Option(help="Less is better and larger; 23, with hevc 26, with av1 35.")],
        None,
    ),
}

Model = Annotated[
    str | None,
    typer.Option(help="multipose-lightning, singlepose-lightning, singlepose-thunder. Default: POSEFLEET_MODEL."),
]
BatchFrames = Annotated[int | None, typer.Option(min=1, help="Frames per batch instead of the planner's choice.")]
Force = Annotated[bool, typer.Option("--force", help="Do the work once more even if it was done.")]

Command = Callable[..., None]
_UNITS_S = {"m": 60, "h": 3600, "d": 86_400}

console = show.console()


def say(line: str) -> None:
    """Print a line as it is."""
    console.print(line, highlight=False, soft_wrap=True)


def seconds_ago(option: str, text: str) -> float:
    """When something was that is given as an age or as a date, seconds since 1970.

    Raises:
        ConfigurationError: it is neither.
    """
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)([mhd])", text):
        return time.time() - float(match[1]) * _UNITS_S[match[2]]
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except ValueError as error:
        said = f"{option} {text}: minutes, hours or days ago, or a date: 90m, 12h, 30d, 2026-01-31"
        raise ConfigurationError(said) from error


def finding(command: Command) -> Command:
    """Give a command the options of finding people; it takes them as ``options``."""
    return _with(_FINDING, command)


def tracking(command: Command) -> Command:
    """Give a command the options of what is made of people; it takes them as ``options``."""
    return _with(_TRACKING | {"min_score": _FINDING["min_score"]} | _RENDERING | _DRAWING, command)


def drawing(command: Command) -> Command:
    """Give a command the options of drawing people; it takes them as ``options``."""
    return _with(_DRAWING, command)


def everything(command: Command) -> Command:
    """Give a command all options of a job; it takes them as ``options``."""
    return _with(_FINDING | _TRACKING | _RENDERING | _DRAWING, command)


def _with(added: dict[str, tuple[Any, object]], command: Command) -> Command:
    @wraps(command)
    def wrapped(**said: Any) -> None:
        rest = {name: value for name, value in said.items() if name not in added}
        command(**rest, options=_options({name: said[name] for name in added}))

    own = [each for each in inspect.signature(command).parameters.values() if each.name != "options"]
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in added.items()
    ]
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own] + more
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {each.name: each.annotation for each in parameters}
    return wrapped


def _options(said: dict[str, Any]) -> Options:
    """The options that were given, the rest from their preset; raises `ConfigurationError`."""
    said = {**said, "formats": said.get("format") or None}
    return Options.checked(**{name: said.get(name) for name in Options.model_fields})


def wait_for_end(ready: Callable[[], None] = lambda: None) -> None:
    """Sleep until SIGINT or SIGTERM, which raise KeyboardInterrupt from the time on that ``ready`` is called."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    ready()
    while True:
        time.sleep(3600)
