"""Pieces of tracks: runs of one person during which nobody could be taken for somebody else."""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

_FITTED_S = 0.5
_LONGEST_DOUBT_S = 2.0


class Moment(NamedTuple):
    """Where a person was."""

    frame: int
    time_s: float
    x: float
    """Of the middle of the torso, or of the box, pixels."""
    y: float
    size: float
    """Square root of the box's area, pixels."""
    score: float


class End(NamedTuple):
    """One end of a piece: place and motion, averaged over half a second."""

    frame: int
    time_s: float
    x: float
    y: float
    velocity_x: float
    """Pixels per second."""
    velocity_y: float
    size: float


@dataclass
class Doubt:
    """A while in which somebody could have been taken for somebody else: people met, or this one was not seen."""

    before: End
    last_s: float
    """When it was so last."""


@dataclass
class Piece:
    """A run of one person, and how it begins and ends."""

    number: int
    shot: int
    """Number of the shot that it lies in."""
    count: int = 0
    """Frames that show the person."""
    best_score: float = 0.0
    head: End | None = None
    """Its beginning, once it has ended."""
    tail: End | None = None
    doubt: Doubt | None = None
    after: int = 0
    """The piece that it was parted from after a doubt; 0 for none."""
    _first: list[Moment] = field(default_factory=list)
    _last: deque[Moment] = field(default_factory=deque)

    def add(self, moment: Moment, *, doubtful: bool) -> None:
        """Go on with what the next frame shows."""
        if doubtful:
            self._doubt(moment.time_s)
        self.count += 1
        self.best_score = max(self.best_score, moment.score)
        if not self._first or moment.time_s - self._first[0].time_s <= _FITTED_S:
            self._first.append(moment)
        self._last.append(moment)
        since = min(moment.time_s, self.doubt.before.time_s if self.doubt else moment.time_s)
        while since - self._last[0].time_s > _FITTED_S:
            self._last.popleft()

    def _doubt(self, time_s: float) -> None:
        if self.doubt is None and self._last:
            self.doubt = Doubt(_end(list(self._last), self._last[-1]), time_s)
        elif self.doubt:
            self.doubt.last_s = time_s

    def settled(self, time_s: float, after_s: float) -> bool:
        """Whether a doubt is over and enough was seen since; one that goes on for too long is dropped."""
        if self.doubt and self.doubt.last_s - self.doubt.before.time_s > _LONGEST_DOUBT_S:
            self.doubt = None
        return self.doubt is not None and time_s - self.doubt.last_s >= after_s

    def part(self, number: int) -> tuple["Piece", int] | None:
        """End where the doubt began; the piece that goes on from there, and its first frame.

        Who meets whom at the turn of a doubt is settled by the frame before which the motion of before fits better,
        and after which that of afterwards does.
        """
        assert self.doubt is not None
        before, over_s = self.doubt.before, self.doubt.last_s
        self.doubt = None
        later = [one for one in self._last if one.time_s >= over_s]
        within = [one for one in self._last if one.time_s > before.time_s]
        if len(later) < 2:
            return None
        head = _end(later, later[0])
        first = within[_turn(within, before, head)].frame
        moved = [one for one in self._last if one.frame >= first]
        rest = Piece(number, self.shot, len(moved), max(one.score for one in moved), head, after=self.number)
        rest._last = deque(moved)
        self.count -= len(moved)
        self._close(before)
        return rest, first

    def end(self) -> None:
        """Keep its ends only; a doubt that was not settled counts for nothing."""
        last = self._last[-1]
        self._close(_end([one for one in self._last if last.time_s - one.time_s <= _FITTED_S], last))

    @property
    def ends(self) -> tuple[End, End]:
        """Beginning and end; raises ValueError while it goes on."""
        if self.head is None or self.tail is None:
            raise ValueError(f"piece {self.number} has not ended")
        return self.head, self.tail

    def _close(self, tail: End) -> None:
        self.head = self.head or _end(self._first, self._first[0])
        self.tail, self.doubt = tail, None
        self._first, self._last = [], deque()


def _end(moments: list[Moment], at: Moment) -> End:
    """Fit a straight line through ``moments``; where it is at the time of ``at``."""
    values = np.array([(one.time_s, one.x, one.y, one.size) for one in moments])
    times, places = values[:, 0] - at.time_s, values[:, 1:3]
    velocity, place = np.zeros(2), places.mean(0)
    spread = times - times.mean()
    if (square := spread @ spread) > 0:
        velocity = spread @ places / square * min(1.0, (len(moments) - 1) / 4)
        place = place - velocity * times.mean()
    x, y, across, down = (float(value) for value in (*place, *velocity))
    return End(at.frame, at.time_s, x, y, across, down, float(np.median(values[:, 3])))


def _turn(moments: list[Moment], before: End, after: End) -> int:
    """The first of ``moments`` that the line of ``after`` fits better than that of ``before``, by squares."""
    misfits = [
        [(one.x - x) ** 2 + (one.y - y) ** 2 for one in moments for x, y in [_at(line, one.time_s)]]
        for line in (before, after)
    ]
    first = np.concatenate([[0.0], np.cumsum(misfits[0])])
    second = np.sum(misfits[1]) - np.concatenate([[0.0], np.cumsum(misfits[1])])
    return min(int((first + second).argmin()), len(moments) - 1)


def _at(line: End, time_s: float) -> tuple[float, float]:
    gone = time_s - line.time_s
    return line.x + gone * line.velocity_x, line.y + gone * line.velocity_y
