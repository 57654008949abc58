"""Cut a video's frames into ranges of about equal work that begin at key frames where they can."""

import numpy as np
from numpy.typing import NDArray

from schema.plan import FrameRange

_PARALLEL = 4
"""A short video is cut into this many ranges, so that several workers share it."""
_SHORTEST = 32
"""Frames; shorter ranges cost more in decoding ahead than they save."""


_FEWEST = 4


def aim_for(aim: int, work: float) -> int:
    """Frames per range for options that cost ``work`` times the defaults: a batch should take about as long."""
    return max(min(aim, _FEWEST), round(aim / max(work, 1.0)))


def target_frames(frames: int, aim: int) -> int:
    """Frames per range for a video of ``frames`` when long ranges should have ``aim``."""
    return max(min(_SHORTEST, aim), min(aim, -(-frames // _PARALLEL)))


def cut(frames: int, keys: NDArray[np.int64], target: int, *, exact: bool) -> list[tuple[int, int]]:
    """Half-open ranges that cover ``0..frames`` without gap or overlap.

    Args:
        frames: displayed frames.
        keys: ``[n]`` rising frame indexes of key frames.
        target: frames per range to aim at.
        exact: cut every ``target`` frames, key frame or not; else move a cut to a key frame within half a target.
    """
    if frames < 1 or target < 1:
        raise ValueError(f"cannot cut {frames} frames into ranges of {target}")
    ranges: list[tuple[int, int]] = []
    start = 0
    while start < frames:
        stop = start + target
        if not exact:
            stop = _nearest_key(keys, stop, target // 2)
            if frames - stop < target // 2:
                stop = frames
        ranges.append((start, min(stop, frames)))
        start = ranges[-1][1]
    return ranges


def _nearest_key(keys: NDArray[np.int64], wanted: int, reach: int) -> int:
    """The key frame nearest to ``wanted``, or ``wanted`` when none is within ``reach`` frames."""
    if not len(keys):
        return wanted
    nearest = int(keys[np.argmin(np.abs(keys - wanted))])
    return nearest if abs(nearest - wanted) <= reach else wanted


def frame_ranges(
    cuts: list[tuple[int, int]],
    pts: NDArray[np.int64],
    key_pts: NDArray[np.int64],
    key_dts: NDArray[np.int64],
) -> list[FrameRange]:
    """Give each cut its times and the key frame to begin decoding at.

    Args:
        cuts: half-open frame ranges.
        pts: ``[frames]`` rising presentation time stamps.
        key_pts: ``[keys]`` rising time stamps of the key frames.
        key_dts: ``[keys]`` their decode time stamps.
    """
    ranges = []
    for start, stop in cuts:
        key = int(np.searchsorted(key_pts, pts[start], side="right")) - 1
        ranges.append(
            FrameRange(
                start=start,
                stop=stop,
                first_pts=int(pts[start]),
                end_pts=int(pts[stop]) if stop < len(pts) else None,
                seek_dts=int(key_dts[key]) if key > 0 else None,
            )
        )
    return ranges
