"""Without a fleet: export a track file, and track and render poses that are there already."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import repeat
from pathlib import Path

import numpy as np

from schema.errors import ConfigurationError
from schema.names import ANNOTATED, TRACKS
from schema.options import Options
from workers.core.camera import Sketch
from workers.core.filters import Floats
from workers.core.poses import NO_PEOPLE
from workers.formats.exports.all import exporter
from workers.formats.exports.port import Video
from workers.formats.imports import Found, read_found
from workers.formats.tracks import TracksFile, read_range
from workers.media.frames import ShownFrame
from workers.media.gallery import make_gallery
from workers.media.history import DrawnPerson
from workers.media.local import LocalVideo, on_disk
from workers.media.pixels import Frames
from workers.media.sketch import sketch_of
from workers.media.writer import encode_piece, join
from workers.stages.products import About, Products, make
from workers.stages.render import drawn_people
from workers.stages.tracking import Frame

_RATE = 30.0
_FRAMES_AT_ONCE = 240
_SKETCHED = (256, 144)


def export(path: Path, formats: Iterable[str], out: Path) -> list[Path]:
    """Write the tracks at ``path`` in other formats into the folder ``out``; the files and folders.

    Raises:
        ConfigurationError: ``path`` is no track file.
    """
    table = TracksFile(path)
    video = _video_of(table, path)
    out.mkdir(parents=True, exist_ok=True)
    before = {each: each.stat().st_mtime_ns for each in out.iterdir()}
    writers = [exporter(name, out, video) for name in formats]
    for rows in table:
        for writer in writers:
            writer.add(rows)
    for writer in writers:
        writer.close()
    return [each for each in sorted(out.iterdir()) if before.get(each) != each.stat().st_mtime_ns]


def _video_of(table: TracksFile, path: Path) -> Video:
    """Facts of the video from the file itself; what a stranger left out is taken from the rows."""
    told, last, tracks, times = table.metadata, -1, set[int](), [0.0, 0.0]
    for rows in table:
        if len(rows):
            times = [times[0] if last >= 0 else float(rows.times[0]), float(rows.times[-1])]
            last = max(last, int(rows.frames[-1]))
            tracks.update(np.unique(rows.tracks).tolist())
    stream = told.get("stream", {})
    uri = str(told.get("source", {}).get("uri", path))
    span = times[1] - times[0]
    rate = float(stream.get("frame_rate") or (last / span if span > 0 else _RATE))
    frames = max(last + 1, int(told.get("frames", stream.get("frames", 0))))
    name = Path(uri).stem if told else path.stem
    width, height = int(stream.get("display_width", 0)), int(stream.get("display_height", 0))
    return Video(name, uri, width, height, frames, rate, tuple(sorted(tracks)))


def track(poses: Path, out: Path, options: Options, path: Path | None, frame_rate: float | None) -> Products:
    """Track the poses in a file, see `workers.formats.imports`, and write everything that ``options`` ask for.

    Args:
        poses: what was found.
        out: folder of the results.
        options: of tracking; with ``render`` and a video, ``annotated.mp4`` too.
        path: the video that the poses are of: it tells the frames' times and sizes.
        frame_rate: frames per second, where neither video nor poses tell.

    Raises:
        ConfigurationError: a file is missing or none of the kinds that can be read.
        VideoError: the video cannot be read.
    """
    found = read_found(poses)
    if path is not None and not path.is_file():
        raise ConfigurationError(f"{path} does not exist: give the video that {poses} is of")
    video = LocalVideo.read(path) if path else None
    rate = frame_rate or (video.plan.stream.frame_rate if video else _told_rate(poses)) or _RATE
    about = _about(poses, video, rate, options)
    made = make(_every_frame(found, _times(video), rate, _sketches(video)), about, options, out)
    if video and options.render:
        _render(video, options, out)
    return made


def _times(video: LocalVideo | None) -> Floats | None:
    """Presentation time of every frame, seconds."""
    if video is None:
        return None
    stream = video.plan.stream
    if video.plan.sequential:
        return np.array([float(shown.pts * Fraction(stream.time_base)) for shown in video.frames()])
    return np.asarray(video.index.table.pts * float(Fraction(stream.time_base)))


def _told_rate(poses: Path) -> float | None:
    """The frame rate that a track file of ours tells."""
    if poses.suffix != ".parquet":
        return None
    rate = TracksFile(poses).metadata.get("stream", {}).get("frame_rate")
    return float(rate) if rate else None


def _about(poses: Path, video: LocalVideo | None, rate: float, options: Options) -> About:
    told = TracksFile(poses).metadata if poses.suffix == ".parquet" else {}
    stream = video.plan.stream.model_dump(mode="json") if video else told.get("stream", {"frame_rate": rate})
    uri = str(video.path if video else told.get("source", {}).get("uri", poses))
    metadata = {**told, "options": options.model_dump(mode="json"), "stream": stream, "source": {"uri": uri}}
    width, height = int(stream.get("display_width", 0)), int(stream.get("display_height", 0))
    return About(Path(uri).stem, uri, width, height, rate, metadata)


def _sketches(video: LocalVideo | None) -> Iterator[Sketch | None]:
    """What the frames of the video look like, then nothing."""
    if video:
        frames = Frames(video.plan.stream)
        for shown in video.frames():
            yield sketch_of(frames.rgb(shown.picture, *_SKETCHED))
    yield from repeat(None)


def _every_frame(
    found: Iterator[Found], times: Floats | None, rate: float, sketches: Iterator[Sketch | None]
) -> Iterator[Frame]:
    """Frames in order, those without people too, each with its time."""
    last, last_s = -1, -1 / rate
    for frame, told_s, people in found:
        if times is not None and frame >= len(times):
            raise ConfigurationError(f"there are poses of frame {frame}, but the video has {len(times)} frames")
        time_s = float(times[frame]) if times is not None else frame / rate if told_s is None else told_s
        for missed in range(last + 1, frame):
            share = (missed - last) / (frame - last)
            at = float(times[missed]) if times is not None else last_s + share * (time_s - last_s)
            yield Frame(at, NO_PEOPLE, next(sketches))
        if time_s <= last_s and last >= 0:
            raise ConfigurationError(f"frame {frame} is shown at {time_s} s, no later than frame {last}")
        yield Frame(time_s, people, next(sketches))
        last, last_s = frame, time_s
    for missed in range(last + 1, 0 if times is None else len(times)):
        yield Frame(float(times[missed]) if times is not None else 0.0, NO_PEOPLE, next(sketches))


def _render(video: LocalVideo, options: Options, out: Path) -> None:
    """Draw the tracks in ``out`` on the video, and make its pictures."""
    piece = out / ".annotated.nut"
    with piece.open("wb") as target:
        encode_piece(_with_people(video, out / TRACKS), video.plan, options, target)
    join([on_disk(piece)], on_disk(video.path), video.plan, options, out / ANNOTATED)
    piece.unlink()
    make_gallery(out / ANNOTATED, out / TRACKS, out)


def _with_people(video: LocalVideo, tracks: Path) -> Iterator[tuple[ShownFrame, list[DrawnPerson]]]:
    people: dict[int, list[DrawnPerson]] = {}
    for index, shown in enumerate(video.frames()):
        if index % _FRAMES_AT_ONCE == 0:
            people = drawn_people(read_range(tracks, index, index + _FRAMES_AT_ONCE))
        yield shown, people.get(index, [])
