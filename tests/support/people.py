"""Synthetic people with a known motion."""

import numpy as np

from workers.core.poses import FramePoses, RangePoses
from workers.core.rows import TrackRows

_STANDING = np.array(
    [(0, 0), (3, -3), (-3, -3), (6, -1), (-6, -1), (15, 15), (-15, 15), (20, 40), (-20, 40), (22, 62)]
    + [(-22, 62), (10, 65), (-10, 65), (11, 95), (-11, 95), (12, 125), (-12, 125)],
    np.float32,
)


def person_at(x: float, y: float, score: float = 0.8) -> FramePoses:
    """One standing person whose nose is at (x, y)."""
    points = np.concatenate([_STANDING + [x, y], np.full((17, 1), 0.9)], axis=1).astype(np.float32)
    box = np.array([[x - 25, y - 10, 50, 140]], np.float32)
    return FramePoses(points[None], box, np.array([score], np.float32))


def together(*people: FramePoses) -> FramePoses:
    """All of ``people`` in one frame."""
    return FramePoses(
        np.concatenate([np.zeros((0, 17, 3), np.float32), *(p.keypoints for p in people)]),
        np.concatenate([np.zeros((0, 4), np.float32), *(p.boxes for p in people)]),
        np.concatenate([np.zeros(0, np.float32), *(p.scores for p in people)]),
    )


def range_of(frames: list[FramePoses], first_pts: int, planned: int | None = None) -> RangePoses:
    """Consecutive frames as a poses object."""
    pts = np.arange(first_pts, first_pts + len(frames), dtype=np.int64)
    counts = np.array([len(f.scores) for f in frames], np.int32)
    return RangePoses(pts, counts, together(*frames), len(frames) if planned is None else planned)


def rows_of(frames: list[FramePoses], ids: list[np.ndarray], times: np.ndarray) -> TrackRows:
    """Rows of a track table; ids count from 0 in ``ids``, from 1 in the table."""
    parts = [
        TrackRows(
            np.full(len(who), frame, np.int64),
            np.full(len(who), time_s),
            (who + 1).astype(np.int32),
            poses.scores,
            poses.boxes,
            poses.keypoints,
            np.zeros(len(who), bool),
        )
        for frame, (poses, who, time_s) in enumerate(zip(frames, ids, times, strict=True))
    ]
    return TrackRows.joined(parts).ordered()
