"""Track a whole video: poses in order to numbered, cleaned rows, in memory that does not grow with the video."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from schema.options import Options
from workers.core.camera import SKETCH_VALUES, Sketch
from workers.core.cleaning import CleaningRules, clean
from workers.core.filters import Floats, hampel, smooth
from workers.core.kinematics import Kinematics, kinematics
from workers.core.linking import LinkRules
from workers.core.poses import FramePoses
from workers.core.rows import TrackRows
from workers.core.tracker import Tracker, TrackerRules
from workers.core.tracks import KeepRules, Numbering, number
from workers.formats.spool import Spool

_WINDOW = 2048


class Frame(NamedTuple):
    """One displayed frame, as the tracker takes it."""

    time_s: float
    people: FramePoses
    sketch: Sketch | None


class Window(NamedTuple):
    """Rows of consecutive frames, by frame and track."""

    found: TrackRows
    cleaned: TrackRows
    motion: Kinematics
    """Of the cleaned rows."""


@dataclass(frozen=True)
class TrackingRules:
    """All rules of tracking."""

    tracker: TrackerRules
    links: LinkRules
    keep: KeepRules
    cleaning: CleaningRules

    @classmethod
    def of(cls, options: Options) -> "TrackingRules":
        """The rules that a user's options ask for."""
        score = options.min_score
        return cls(
            TrackerRules(strong_score=score, weak_score=score / 4, begin_score=score / 2),
            LinkRules(longest_gap_s=options.link_gap_s),
            KeepRules(score, options.min_track_s),
            CleaningRules(
                max_gap_s=options.max_gap_s,
                outliers=options.outliers,
                smoothing=options.smooth,
                cutoff_hz=options.cutoff_hz,
            ),
        )


def follow(frames: Iterable[Frame], spool: Spool, rules: TrackingRules, size: tuple[int, int]) -> Numbering:
    """First and second pass: take every frame, then join pieces to tracks.

    Args:
        frames: in order of display.
        spool: takes everybody who may belong to a track.
        rules: of tracking.
        size: width and height of the picture.
    """
    tracker = Tracker(rules.tracker, size)
    for frame in frames:
        spool.add(frame.time_s, tracker.update(frame.people, frame.time_s, frame.sketch), frame.people)
    tracker.finish()
    return number(tracker, spool.times, rules.links, rules.keep)


def windows(spool: Spool, numbering: Numbering, rules: CleaningRules) -> Iterator[Window]:
    """Third pass: the tracks as found and cleaned, some thousand frames at a time."""
    times = spool.times
    for start in range(0, spool.frames, _WINDOW):
        stop = min(start + _WINDOW, spool.frames)
        first, last = _with_margin(times, start, stop, rules.margin_s)
        rows = numbering.number(spool.read(first, last))
        cleaned = clean(rows, first, times[first:last], rules)
        motion = kinematics(cleaned)
        found = rows.pick((rows.frames >= start) & (rows.frames < stop))
        now = (cleaned.frames >= start) & (cleaned.frames < stop)
        yield Window(found.ordered(), cleaned.pick(now), motion.pick(now))


def load() -> None:
    """Compile what tracking runs, or read what was compiled before."""
    person = FramePoses(np.ones((2, 17, 3), np.float32), np.ones((2, 4), np.float32), np.ones(2, np.float32))
    tracker = Tracker(TrackerRules(), (1, 1))
    for index in range(5):
        sketch = np.full(SKETCH_VALUES, index, np.uint8) if index < 2 else None
        tracker.update(person, float(index), sketch)
    for kind in ("butterworth", "one-euro"):
        values = np.arange(8.0)[:, None]
        smooth(np.arange(8.0), hampel(values, 2, np.ones(8)), kind, 0.1)


def _with_margin(times: Floats, start: int, stop: int, margin_s: float) -> tuple[int, int]:
    """The frames from ``margin_s`` before ``start`` to as long after ``stop``."""
    first = int(np.searchsorted(times, times[start] - margin_s))
    return first, int(np.searchsorted(times, times[stop - 1] + margin_s, side="right"))
