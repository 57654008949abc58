"""Cut a video's frames into ranges of about equal work that begin at key frames where they can."""

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

_PARALLEL = 4
"""A short video is cut into this many ranges, so that several workers share it."""
_SHORTEST = 32
"""Frames; shorter ranges cost more in decoding ahead than they save."""
_LAST = 60
"""Frames that the last ranges of a long video come down to, so that workers end at about the same time."""
_FEWEST = 4


def aim_for(aim: int, work: float) -> int:
    """Frames per range for options that cost ``work`` times the defaults: a batch should take about as long."""
    return max(min(aim, _FEWEST), round(aim / max(work, 1.0)))


def target_frames(frames: int, aim: int) -> int:
    """Frames per range for a video of ``frames`` when long ranges should have ``aim``."""
    return max(min(_SHORTEST, aim), min(aim, -(-frames // _PARALLEL)))


def cut_parts(
    parts: list[tuple[int, int]], keys: NDArray[np.int64], target: int, *, exact: bool
) -> list[tuple[int, int]]:
    """Like `cut` for each of several parts that follow each other."""
    return [
        (start + a, start + b)
        for start, stop in parts
        for a, b in cut(stop - start, keys[(keys >= start) & (keys < stop)] - start, target, exact=exact)
    ]


def cut(frames: int, keys: NDArray[np.int64], target: int, *, exact: bool) -> list[tuple[int, int]]:
    """Half-open ranges that cover ``0..frames`` without gap or overlap.

    Args:
        frames: displayed frames.
        keys: ``[n]`` rising frame indexes of key frames.
        target: frames per range to aim at.
        exact: cut every ``target`` frames, key frame or not; else move a cut to a key frame within half a target, and
            make the last ranges shorter where there are key frames for that.
    """
    if frames < 1 or target < 1:
        raise ValueError(f"cannot cut {frames} frames into ranges of {target}")
    ranges: list[tuple[int, int]] = []
    start, known = 0, keys.tolist()
    while start < frames:
        stop = start + target if exact else _stop(known, start, frames, target)
        ranges.append((start, min(stop, frames)))
        start = ranges[-1][1]
    return ranges


def _stop(keys: list[int], start: int, frames: int, target: int) -> int:
    """Where the range ends that begins at ``start``; a small rest belongs to it."""
    tapered = max(min(target, _LAST), min(target, -(-(frames - start) // _PARALLEL)))
    for size in (tapered, target):
        if (stop := _key_near(keys, start + size, size // 2)) is not None:
            return frames if frames - stop < size // 2 else stop
    return frames if frames - start - target < target // 2 else start + target


def ahead(ranges: list[tuple[int, int]], keys: NDArray[np.int64]) -> int:
    """Frames that have to be decoded before the first one of their range, altogether."""
    if not len(keys):
        return 0
    starts = np.array([start for start, _ in ranges], np.int64)
    before = keys[np.maximum(np.searchsorted(keys, starts, side="right") - 1, 0)]
    return int(np.maximum(starts - before, 0).sum())


def _key_near(keys: list[int], wanted: int, reach: int) -> int | None:
    """The key frame nearest to ``wanted``; none where it is farther away than ``reach`` frames."""
    at = bisect_left(keys, wanted)
    near = [key for key in keys[max(at - 1, 0) : at + 1] if abs(key - wanted) <= reach]
    return min(near, key=lambda key: abs(key - wanted), default=None)
