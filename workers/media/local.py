"""Pictures in local files: an image, or one frame of a video."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np
from av.video.frame import VideoFrame

from schema.errors import ConfigurationError, NoFrames, PictureError
from schema.plan import Plan
from workers.media.frames import ShownFrame, decode_range
from workers.media.index import VideoIndex, read_index, whole
from workers.media.pixels import Frames, Still
from workers.media.ranges import frame_ranges
from workers.media.stills import read_still
from workers.storage.port import ObjectInfo
from workers.storage.ranged import RangedFile


def read_picture(what: str) -> Still:
    """The picture in the file ``what``, or the frame of ``VIDEO@TIME`` (seconds or hours:minutes:seconds).

    Raises:
        ConfigurationError: there is no such file, or the time is none or beyond the end.
        PictureError, VideoError: the file cannot be read.
    """
    path, at, time = what.rpartition("@")
    if not at or Path(what).exists():
        path, time = what, ""
    if not Path(path).is_file():
        raise ConfigurationError(f"{path} does not exist: give an image, or VIDEO@TIME")
    if time:
        return frame_at(Path(path), _seconds(time))
    try:
        return read_still(Path(path).read_bytes())
    except PictureError as error:
        raise PictureError(f"{path}: {error}; of a video, say which frame: {path}@SECONDS") from error


@dataclass(frozen=True)
class LocalVideo:
    """A video on disk, cut into as few ranges as it takes."""

    path: Path
    index: VideoIndex
    plan: Plan
    headers: bytes

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises `VideoError`."""
        index = read_index(on_disk(path))
        ranges, headers = frame_ranges(index, whole(index))
        plan = Plan(job_id="", stream=index.stream, ranges=tuple(ranges), sequential=index.table.sequential)
        return cls(path, index, plan, headers)

    def frames(self) -> Iterator[ShownFrame]:
        """All frames that decode."""
        for wanted in self.plan.ranges:
            header = self.headers[slice(*wanted.window.header)] if wanted.window else b""
            yield from decode_range(on_disk(self.path), self.plan, wanted, header)

    def at(self, wanted: list[int]) -> Iterator[tuple[int, VideoFrame]]:
        """The frames with the rising indexes ``wanted``; in place of one that does not decode, one beside it.

        Frames that hang on the same key frame are decoded together.

        Raises:
            NoFrames: of some of them none decodes.
        """
        table = self.index.table
        keys = np.searchsorted(table.key_pts, table.pts[wanted], side="right")
        for group in np.split(np.array(wanted, np.int64), np.flatnonzero(np.diff(keys)) + 1):
            ranges, header = frame_ranges(self.index, [(int(group[0]), int(group[-1]) + 1)])
            shown = decode_range(on_disk(self.path), self.plan, ranges[0], header)
            yield from _nearest(shown, [(int(index), int(table.pts[index])) for index in group], self.path)


def _nearest(
    frames: Iterator[ShownFrame], wanted: list[tuple[int, int]], path: Path
) -> Iterator[tuple[int, VideoFrame]]:
    """For each index and time the first frame that is not earlier, else the last one."""
    frame = next(frames, None)
    if frame is None:
        raise NoFrames(f"{path} is damaged: frame {wanted[0][0]} does not decode")
    for index, pts in wanted:
        while frame.pts < pts and (later := next(frames, None)) is not None:
            frame = later
        yield index, frame.picture


def on_disk(path: Path) -> RangedFile:
    """A local file as the readers of objects take it."""
    return RangedFile(_Disk(), ObjectInfo("", str(path), "", path.stat().st_size))


def frame_at(path: Path, seconds: float) -> Still:
    """The frame that is shown ``seconds`` after the first one.

    Raises:
        ConfigurationError: the video has ended by then.
        VideoError: it cannot be read.
    """
    file = on_disk(path)
    index = read_index(file)
    stream, time_base = index.stream, Fraction(index.stream.time_base)
    if seconds >= stream.duration_s:
        raise ConfigurationError(f"{path} ends at {stream.duration_s:.2f} s, there is no frame at {seconds:.2f} s")
    number, pts = int(seconds * stream.frame_rate), index.table.pts
    if not index.table.sequential:
        number = int(np.searchsorted(pts, pts[0] + round(seconds / time_base), side="right")) - 1
    ranges, header = frame_ranges(index, [(number, number + 1)])
    number -= ranges[0].start
    frames = Frames(stream)
    plan = Plan(job_id="", stream=stream, ranges=tuple(ranges), sequential=index.table.sequential)
    for position, shown in enumerate(decode_range(file, plan, ranges[0], header)):
        if position == number:
            return Still(np.ascontiguousarray(frames.rgb(shown.picture, stream.display_width, stream.display_height)))
    raise NoFrames(f"{path}: the frame at {seconds:.2f} s does not decode")


def _seconds(time: str) -> float:
    try:
        parts = [float(part) for part in time.split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3 or min(parts) < 0:
        raise ConfigurationError(f"@{time} is no time: give seconds, or hours:minutes:seconds")
    return float(sum(part * 60**power for power, part in enumerate(reversed(parts))))


class _Disk:
    """Local files as the reader of objects expects them."""

    def get_range(self, source: ObjectInfo, start: int, stop: int) -> bytes:
        with open(source.key, "rb") as stream:
            stream.seek(start)
            return stream.read(stop - start)
