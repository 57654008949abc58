"""How good each track is, added up window after window."""

from dataclasses import dataclass, field

import numpy as np

from schema.manifest import TrackReport
from workers.core.rows import TrackRows


@dataclass
class _Sums:
    first_frame: int
    first_s: float
    last_frame: int = -1
    last_s: float = 0.0
    frames: int = 0
    interpolated: int = 0
    gaps: int = 0
    longest_gap_s: float = 0.0
    score: float = 0.0
    jitter: float = 0.0
    size: float = 0.0


@dataclass
class Quality:
    """Adds up the quality of tracks, window after window."""

    doubts: dict[int, int]
    """Of each track, how often somebody else might have gone on with it."""
    _sums: dict[int, _Sums] = field(default_factory=dict)

    def add(self, found: TrackRows, cleaned: TrackRows) -> None:
        """Take the next rows as found and as cleaned."""
        by_track = found.pick(np.lexsort((found.frames, found.tracks)))
        for one in by_track.split(by_track.tracks):
            self._add_one(one)
        self._add_jitter(found, cleaned)
        for track, count in zip(*np.unique(cleaned.tracks[cleaned.interpolated], return_counts=True), strict=True):
            if int(track) in self._sums:
                self._sums[int(track)].interpolated += int(count)

    def _add_one(self, one: TrackRows) -> None:
        sums = self._sums.setdefault(int(one.tracks[0]), _Sums(int(one.frames[0]), float(one.times[0])))
        frames, times = one.frames, one.times
        if sums.frames:
            frames, times = np.append(sums.last_frame, frames), np.append(sums.last_s, times)
        missing = np.diff(frames) > 1
        sums.gaps += int(missing.sum())
        if missing.any():
            sums.longest_gap_s = max(sums.longest_gap_s, float(np.diff(times)[missing].max()))
        sums.last_frame, sums.last_s = int(frames[-1]), float(times[-1])
        sums.frames += len(one)
        sums.score += float(one.scores.sum())
        sums.size += float(np.sqrt(one.boxes[:, 2:].astype(float).prod(-1).clip(min=0)).sum())

    def _add_jitter(self, found: TrackRows, cleaned: TrackRows) -> None:
        there = cleaned.pick(~cleaned.interpolated)
        apart = found.keypoints[..., :2].astype(float) - there.keypoints[..., :2]
        weights = np.nan_to_num(found.keypoints[..., 2]) >= 0.2
        squares = np.where(weights, np.nan_to_num((apart**2).sum(-1)), 0.0).sum(1) / np.maximum(weights.sum(1), 1)
        for track in np.unique(found.tracks):
            self._sums[int(track)].jitter += float(squares[found.tracks == track].sum())

    def reports(self) -> tuple[TrackReport, ...]:
        """All tracks, by id."""
        return tuple(self._report(track, sums) for track, sums in sorted(self._sums.items()))

    def _report(self, track: int, sums: _Sums) -> TrackReport:
        jitter = float(np.sqrt(sums.jitter / sums.frames))
        return TrackReport(
            track_id=track,
            first_frame=sums.first_frame,
            last_frame=sums.last_frame,
            first_time_s=round(sums.first_s, 6),
            last_time_s=round(sums.last_s, 6),
            frames=sums.frames,
            interpolated_frames=sums.interpolated,
            gaps=sums.gaps,
            longest_gap_s=round(sums.longest_gap_s, 4),
            mean_score=round(sums.score / sums.frames, 4),
            jitter_px=round(jitter, 3),
            jitter_share=round(jitter / max(sums.size / sums.frames, 1e-9), 5),
            likely_swaps=self.doubts.get(track, 0),
        )
