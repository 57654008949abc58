"""First pass: follow people from frame to frame, in pieces of tracks.

Per frame: find out what the camera did, predict where each piece is, match confident poses to pieces, then weaker
poses to the pieces left over, then by nearness whoever moved far, then begin pieces for poses nobody claimed.
`workers.core.linking` joins pieces to tracks once the whole video is known.  All state is in the tracker: one per
video.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.core.association import Predicted, Similarity, assign, common_shift, common_step, similarity
from workers.core.camera import Sketch, compare
from workers.core.crowd import Crowd, Seen
from workers.core.pieces import Moment, Piece
from workers.core.poses import FramePoses

_STAYED, _GONE, _FAR = 0.75, 0.3, 0.5
_SETTLED_HITS = 3


@dataclass(frozen=True)
class TrackerRules:
    """What counts as the same person. Similarities are the mean of OKS and box overlap, 0 to 1."""

    strong_score: float = 0.2
    """Poses at or above are matched first."""
    weak_score: float = 0.05
    """Poses at or above continue pieces."""
    begin_score: float = 0.1
    """Poses at or above begin pieces."""
    strong_similarity: float = 0.25
    weak_similarity: float = 0.35
    nearness: float = 0.3
    """Least nearness of a match of last resort."""
    duplicate_oks: float = 0.6
    """A pose that is as alike to a matched one begins no piece: it is the same person found twice."""
    duplicate_iou: float = 0.75
    lost_track_buffer_s: float = 0.8
    """A piece not seen for longer has ended."""
    met: float = 0.5
    """Share of a person's box that another's covers from which on one may be taken for the other,"""
    unseen_s: float = 0.1
    """and time without being seen."""
    settled_s: float = 0.4
    """What is seen for as long afterwards tells who is who."""
    velocity_s: float = 0.25
    """Time over which velocity is averaged."""
    coast_s: float = 0.4
    """Time after which an unseen person's velocity has faded."""
    drift_gain: float = 0.4
    """Share of an unforeseen step of the camera that it goes on with."""


class Tracker:
    """Pieces of tracks of one video. Deterministic; a frame without people advances it."""

    def __init__(self, rules: TrackerRules, size: tuple[int, int] = (0, 0)) -> None:
        """Begin a video whose picture is ``size`` (width, height); needed with sketches only."""
        self._rules = rules
        self._size = np.array(size, float)
        self._crowd = Crowd(rules.velocity_s, rules.coast_s)
        self._sketch: Sketch | None = None
        self._origin, self._drift = np.zeros(2), np.zeros(2)
        self._frame = -1
        self._time_s = 0.0
        self.pieces: list[Piece] = []
        """All pieces so far; the number of a piece is its place plus one."""
        self.cuts: list[int] = []
        """Frames that began a new shot."""
        self.parted: dict[int, tuple[int, int]] = {}
        """Pieces that were parted later on: from a frame on, their people belong to another piece."""

    def update(self, poses: FramePoses, time_s: float, sketch: Sketch | None = None) -> NDArray[np.int32]:
        """Take the people of the next frame.

        Args:
            poses: who was found.
            time_s: presentation time, later than the last one.
            sketch: what the picture looks like, for shot cuts and camera motion; without it both are taken from the
                poses where they are plain.

        Returns:
            ``[people]`` numbers of pieces; 0 for a pose that belongs to none.
        """
        self._frame += 1
        ids = np.zeros(len(poses.scores), np.int32)
        self._crowd.leave(time_s - self._crowd.times > self._rules.lost_track_buffer_s)
        if self._follow_camera(poses, time_s, sketch):
            self.cuts.append(self._frame)
            self.finish()
        if len(ids):
            self._take(Seen.of(poses, self._origin), time_s, ids, settle=sketch is None)
        self._time_s = time_s
        return ids

    def finish(self) -> None:
        """End all pieces: the video is over."""
        self._crowd.leave(np.ones(len(self._crowd), bool))

    def _take(self, seen: Seen, time_s: float, ids: NDArray[np.int32], *, settle: bool) -> None:
        pairs = self._matched(seen, time_s)
        if settle:
            seen = self._settle_camera(pairs, seen, time_s)
        places = seen.places()
        doubtful = (self._crowd.covering() > self._rules.met) | self._unseen(time_s)
        for row, person in pairs:
            ids[person] = self._crowd.pieces[row].number
            self._crowd.advance(row, seen, person, time_s)
            moment = self._moment(time_s, places[person], seen.scores[person])
            self._add(row, moment, doubtful=bool(doubtful[row]))
        self._begin_all(seen, time_s, ids, places)

    def _unseen(self, time_s: float) -> NDArray[np.bool_]:
        """Who was not seen for a while, and not just for want of frames."""
        times = self._crowd.times
        return np.asarray((time_s - times > self._rules.unseen_s) & (times != self._time_s))

    def _follow_camera(self, poses: FramePoses, time_s: float, sketch: Sketch | None) -> bool:
        """Move the origin with the picture; whether a new shot begins instead."""
        before, self._sketch = self._sketch, sketch
        if before is not None and sketch is not None:
            change = compare(before, sketch)
            self._origin += change.shift * self._size
            return change.cut and not self._all_stayed(poses, time_s)
        self._origin += self._drift * (time_s - self._time_s)
        recent = (self._crowd.times == self._time_s) & (self._crowd.hits >= _SETTLED_HITS)
        strong = poses.pick(poses.scores >= self._rules.strong_score)
        if recent.sum() < 2 or not len(strong.scores):
            return False
        seen, known = Seen.of(strong, self._origin), self._predicted(time_s, recent)
        jump = common_shift(known, seen.keypoints, seen.boxes)
        self._origin += jump
        return not jump.any() and _all_gone(similarity(known, seen.keypoints, seen.boxes))

    def _settle_camera(self, pairs: list[tuple[int, int]], seen: Seen, time_s: float) -> Seen:
        """Give the camera what all known people did alike and nobody foresaw; ``seen`` without it."""
        crowd = self._crowd
        known = [(r, p) for r, p in pairs if crowd.hits[r] >= _SETTLED_HITS and crowd.times[r] == self._time_s]
        if len(known) < 2:
            return seen
        steps = np.array([crowd.step(row, seen, person) for row, person in known])
        common = common_step(steps - crowd.ahead(time_s)[[row for row, _ in known]])
        self._origin += common
        self._drift += self._rules.drift_gain * common / (time_s - self._time_s)
        return seen.shifted(-common)

    def _all_stayed(self, poses: FramePoses, time_s: float) -> bool:
        """Whether everybody is just where they were: so the picture flashed, and did not change."""
        recent = self._crowd.times == self._time_s
        if not recent.any() or not len(poses.scores):
            return False
        seen = Seen.of(poses, self._origin)
        alike = similarity(self._predicted(time_s, recent), seen.keypoints, seen.boxes)
        return bool(np.median(alike.joint.max(1)) > _STAYED)

    def _predicted(self, time_s: float, rows: NDArray[np.bool_]) -> Predicted:
        return Predicted(*(value[rows] for value in self._crowd.predicted(time_s, self._rules.lost_track_buffer_s)))

    def _matched(self, seen: Seen, time_s: float) -> list[tuple[int, int]]:
        """Who goes on with which pose: rows of the crowd and of ``seen``."""
        rules, scores = self._rules, seen.scores
        if not len(self._crowd):
            return []
        known = self._crowd.predicted(time_s, rules.lost_track_buffer_s)
        alike = similarity(known, seen.keypoints, seen.boxes)
        strong, weak = scores >= rules.strong_score, (scores >= rules.weak_score) & (scores < rules.strong_score)
        free, left, pairs = np.ones(len(self._crowd), bool), np.ones(len(scores), bool), []
        for poses, gain, least in (
            (strong, alike.joint, rules.strong_similarity),
            (weak, alike.joint, rules.weak_similarity),
            (scores >= rules.begin_score, alike.near, rules.nearness),
        ):
            rows, columns = free.nonzero()[0], (poses & left).nonzero()[0]
            if len(rows) and len(columns):
                for i, j in assign(gain[rows][:, columns], least):
                    pairs.append((int(rows[i]), int(columns[j])))
                    free[rows[i]] = left[columns[j]] = False
        return pairs

    def _moment(self, time_s: float, place: tuple[float, float, float], score: np.float32) -> Moment:
        x, y, size = place
        return Moment(self._frame, time_s, x, y, size, float(score))

    def _add(self, row: int, moment: Moment, *, doubtful: bool) -> None:
        """Go on with a piece; part it when a doubt is over: `workers.core.linking` finds out who went on."""
        piece = self._crowd.pieces[row]
        piece.add(moment, doubtful=doubtful)
        if piece.settled(moment.time_s, self._rules.settled_s):
            parted = piece.part(len(self.pieces) + 1)
            if parted is not None:
                rest, first = parted
                self.parted[piece.number] = first, rest.number
                self.pieces.append(rest)
                self._crowd.pieces[row] = rest

    def _found_twice(self, seen: Seen, person: int, others: NDArray[np.bool_]) -> bool:
        """Whether ``person`` is one of ``others`` once more."""
        known = Predicted(seen.keypoints[others], seen.boxes[others], np.zeros(int(others.sum())))
        alike = similarity(known, seen.keypoints[[person]], seen.boxes[[person]])
        return bool(alike.oks.max() >= self._rules.duplicate_oks or alike.iou.max() >= self._rules.duplicate_iou)

    def _begin_all(
        self, seen: Seen, time_s: float, ids: NDArray[np.int32], places: list[tuple[float, float, float]]
    ) -> None:
        """Begin pieces for poses that nobody claimed, unless they show somebody who was found already."""
        for person in ((ids == 0) & (seen.scores >= self._rules.begin_score)).nonzero()[0]:
            taken = ids > 0
            if taken.any() and self._found_twice(seen, int(person), taken):
                continue
            piece = Piece(len(self.pieces) + 1, shot=len(self.cuts))
            piece.add(self._moment(time_s, places[person], seen.scores[person]), doubtful=False)
            self.pieces.append(piece)
            self._crowd.join(piece, seen.keypoints[person], seen.boxes[person], time_s)
            ids[person] = piece.number


def _all_gone(alike: Similarity) -> bool:
    """Whether nobody is where they could be."""
    return bool(alike.joint.max() < _GONE and alike.near.max() < _FAR)
