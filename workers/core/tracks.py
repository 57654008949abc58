"""From pieces to tracks: which rows belong to whom, who is kept, and how good each track is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.core.linking import LinkRules, link
from workers.core.rows import TrackRows
from workers.core.tracker import Tracker


@dataclass(frozen=True)
class KeepRules:
    """Which tracks are worth keeping."""

    min_score: float = 0.2
    """The best score of a track is at least this."""
    min_track_s: float = 0.2
    """Shorter ones are left out, unless the video is hardly longer."""


@dataclass(frozen=True)
class Numbering:
    """From the pieces of a finished tracker to the numbers of tracks."""

    tracks: NDArray[np.int32]
    """``[pieces + 1]``; 0 for none."""
    parted_at: NDArray[np.int64]
    """``[pieces + 1]`` frame from which on a piece's people belong to ``parted_to``."""
    parted_to: NDArray[np.int32]
    doubts: dict[int, int]
    """Track: how often somebody else might have gone on with it."""
    cuts: tuple[int, ...]
    """Frames that begin a new shot."""

    @property
    def count(self) -> int:
        """How many tracks there are."""
        return int(self.tracks.max())

    def number(self, rows: TrackRows) -> TrackRows:
        """Rows with pieces, with tracks in their place; those of no track are left out."""
        pieces = rows.tracks.copy()
        while (late := rows.frames >= self.parted_at[pieces]).any():
            pieces[late] = self.parted_to[pieces[late]]
        tracks = self.tracks[pieces]
        numbered = TrackRows(
            rows.frames, rows.times, tracks, rows.scores, rows.boxes, rows.keypoints, rows.interpolated
        )
        return numbered.pick(tracks > 0)


def number(tracker: Tracker, times: NDArray[np.float64], links: LinkRules, keep: KeepRules) -> Numbering:
    """Join the pieces of a finished tracker and choose the tracks that are kept, in order of first appearance.

    Args:
        tracker: after `Tracker.finish`.
        times: ``[frames]`` seconds.
        links: when two pieces are one person.
        keep: which tracks are kept.
    """
    linked = link(tracker.pieces, links)
    best, counts = np.zeros(linked.tracks.max() + 1), np.zeros(linked.tracks.max() + 1, int)
    for piece in tracker.pieces:
        track = linked.tracks[piece.number]
        best[track] = max(best[track], piece.best_score)
        counts[track] += piece.count
    kept = (best >= keep.min_score) & (counts >= _fewest(times, keep.min_track_s))
    kept[0] = False
    renamed = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    size = len(tracker.pieces) + 1
    at, to = np.full(size, np.iinfo(np.int64).max), np.zeros(size, np.int32)
    for piece_number, (frame, after) in tracker.parted.items():
        at[piece_number], to[piece_number] = frame, after
    doubts = {int(renamed[t]): int(linked.doubts[t]) for t in np.flatnonzero(kept)}
    return Numbering(renamed[linked.tracks], at, to, doubts, tuple(tracker.cuts))


def _fewest(times: NDArray[np.float64], min_track_s: float) -> int:
    """Frames that a track has at least: what fits in ``min_track_s``, half of the video at most."""
    if len(times) < 2:
        return 1
    step = float(np.median(np.diff(times)))
    return max(1, min(int(min_track_s / step + 1e-6), len(times) // 2))
