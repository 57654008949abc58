"""What the Python peers do with frames: the fleet's kept scaler and decoder, one of two models, on one thread."""

from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from tests.support.whole_heads import WholeHeads, decode_whole
from workers.core.letterbox import Letterbox
from workers.core.poses import FramePoses, to_picture
from workers.models.litert import LiteRTMultiPose, Trunk

INPUT_SIZE, MOST_PEOPLE, BATCH = 256, 20, 2
SEEN = 0.2
"""Score of the people that are counted."""

Pixels = NDArray[np.uint8]


class Range(NamedTuple):
    """Frames from one key frame to the next."""

    first_pts: int
    end_pts: int | None
    frames: int


def ranges_of(clip: Path, most: int) -> list[Range]:
    """The ranges between key frames, up to ``most`` frames altogether."""
    with av.open(str(clip)) as container:
        packets = [p for p in container.demux(container.streams.video[0]) if p.size]
    keys = [i for i, packet in enumerate(packets) if packet.is_keyframe]
    stops = [*keys[1:], len(packets)]
    pts = [packets[i].pts for i in keys]
    every = zip(pts, [*pts[1:], None], keys, stops, strict=True)
    return [Range(first, end, stop - start) for first, end, start, stop in every if stop <= most]


class Detector:
    """Frames of one video to people, by the network ``whole`` or, without it, by the fleet's own model."""

    def __init__(self, clip: Path, model: Path, whole: Path | None = None) -> None:
        self._container = av.open(str(clip))
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "NONE"
        self._box = Letterbox.fit(self._stream.width, self._stream.height, INPUT_SIZE)
        self._scaler = VideoReformatter()
        self._whole = Trunk(whole, WholeHeads._fields, threads=1) if whole else None
        self._sparse = None if whole else LiteRTMultiPose(model / "trunk.tflite", batch=BATCH, threads=1)

    def people_of(self, wanted: Range) -> list[FramePoses]:
        """The people of each frame of a range."""
        pictures = (self.small(frame) for frame in self.frames(wanted))
        found: list[FramePoses] = []
        while batch := list(islice(pictures, BATCH)):
            found += self.detect(np.stack(batch))
        return found

    def frames(self, wanted: Range) -> Iterator[VideoFrame]:
        """Decode a range."""
        self._container.seek(wanted.first_pts, stream=self._stream)
        for frame in self._container.decode(self._stream):
            if wanted.end_pts is not None and frame.pts >= wanted.end_pts:
                return
            if frame.pts >= wanted.first_pts:
                yield frame

    def small(self, frame: VideoFrame) -> Pixels:
        """The model's view of a frame, uint8 ``[height, width, 3]``."""
        box = self._box
        target = np.zeros((box.padded_height, box.padded_width, 3), np.uint8)
        scaled = self._scaler.reformat(
            frame,
            box.content_width,
            box.content_height,
            "rgb24",
            interpolation=Interpolation.AREA,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        target[: box.content_height, : box.content_width] = scaled.to_ndarray()
        return target

    def detect(self, pictures: Pixels) -> list[FramePoses]:
        """The people of each of ``pictures``."""
        if self._whole:
            steps = [pictures[i : i + BATCH] for i in range(0, len(pictures), BATCH)]
            found = np.concatenate([decode_whole(WholeHeads(*self._whole.run(step)), MOST_PEOPLE) for step in steps])
        else:
            assert self._sparse is not None
            found = self._sparse.detect(pictures, MOST_PEOPLE)
        return [to_picture(each, self._box) for each in found]


@cache
def detector(clip: Path, model: Path, whole: Path | None) -> Detector:
    """That of this process."""
    return Detector(clip, model, whole)


def seen(found: list[FramePoses]) -> int:
    """How many people are there for sure."""
    return sum(int((each.scores >= SEEN).sum()) for each in found)
