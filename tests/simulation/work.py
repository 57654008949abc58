"""What a fleet works on: videos become jobs, jobs become units, as the planner cuts them."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from producer.planner import aim_for, cut, target_frames
from schema.settings import Settings

_USUAL_PIXELS = 1920 * 1080
STEPS = {"plan": "split", "infer": "infer", "stitch": "stitch", "render": "render", "publish": "publish"}
"""Step of each queue."""
WHOLE = ("plan", "stitch", "publish")
"""Queues of steps of the whole job."""


@dataclass(frozen=True)
class Video:
    """So many frames of one kind."""

    frames: int
    pixels: int = 1280 * 720
    render: bool = True
    batch_frames: int | None = None
    """Instead of the planner's choice."""

    def ranges(self, settings: Settings) -> list[int]:
        """Frames of each batch, with key frames wherever they are wanted."""
        if self.batch_frames:
            aim, target = self.batch_frames, self.batch_frames
        else:
            aim = aim_for(settings.batch_frames, self.pixels / _USUAL_PIXELS)
            target = target_frames(self.frames, aim)
        none = np.zeros(0, np.int64)
        found = cut(self.frames, none, target, exact=bool(self.batch_frames))
        return [stop - start for start, stop in found]


@dataclass(slots=True, eq=False)
class Job:
    """One video under way."""

    video: Video
    ranges: list[int]
    accepted_s: float
    left: int = 0
    """Units of the step under way."""
    ended_s: float | None = None
    failed: bool = False
    times: dict[str, tuple[float, float]] = field(default_factory=dict)
    """First start and last end of each queue's units."""


@dataclass(slots=True, eq=False)
class Unit:
    """What one message is about."""

    job: Job
    queue: str
    frames: int
    since_s: float
    """When it was sent."""
    taken_s: float = 0.0
    """When it was last delivered."""
    attempts: int = 0
    """Starts that count."""


@dataclass
class Tally:
    """What happened, in units and seconds."""

    done: Counter[str] = field(default_factory=Counter)
    begun: Counter[str] = field(default_factory=Counter)
    returned: Counter[str] = field(default_factory=Counter)
    """Units that a stopped or lost worker had begun, or was past its time with."""
    untouched: Counter[str] = field(default_factory=Counter)
    """Messages that a stopped or lost worker had in hand but had not begun."""
    dead: Counter[str] = field(default_factory=Counter)
    wasted_s: float = 0.0
    busy_s: Counter[str] = field(default_factory=Counter)
    """Work of processes, by pool."""
    pod_s: Counter[str] = field(default_factory=Counter)
    """From a pod's creation to its end, by pool."""
    most_pods: Counter[str] = field(default_factory=Counter)
    least_pods: dict[str, int] = field(default_factory=dict)
    wait_s: Counter[str] = field(default_factory=Counter)
    """From sending a unit to its start, by queue."""
    by_minute: Counter[int] = field(default_factory=Counter)
    """Units done, of all queues."""
