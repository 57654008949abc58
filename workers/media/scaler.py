"""Scale frames straight from the decoder's planes."""

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from schema.plan import Stream
from workers.media.orientation import Orientation

Pixels = NDArray[np.uint8]


class Scaler:
    """Makes RGB of a stream's frames; what scaling needs is kept from frame to frame."""

    def __init__(self, stream: Stream) -> None:
        self._orientation = Orientation(stream.rotation, stream.mirrored)
        self._reformatters: dict[tuple[int, int], VideoReformatter] = {}

    def rgb(self, frame: VideoFrame, width: int, height: int) -> Pixels:
        """``frame`` as displayed, scaled to ``width`` x ``height``: uint8 ``[height, width, 3]``."""
        if self._orientation.swaps_sides:
            width, height = height, width
        reformatter = self._reformatters.setdefault((width, height), VideoReformatter())
        small = reformatter.reformat(
            frame, width, height, "rgb24", interpolation=Interpolation.AREA, dst_color_range=ColorRange.JPEG, threads=1
        )
        turned: Pixels = self._orientation.apply(small.to_ndarray())
        return turned
