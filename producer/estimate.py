"""How much work many videos are, from the indexes of a few of them and from how fast the last jobs were."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from producer.fleet import Fleet
from producer.show import duration
from schema.errors import PosefleetError
from schema.manifest import Manifest, State
from schema.names import JobKeys
from workers.media.jail.calls import opened_index
from workers.storage.port import ObjectInfo
from workers.storage.ranged import RangedFile

_SAMPLES = 8
_RECENT = 10


@dataclass(frozen=True)
class Estimate:
    """A guess; none where there is nothing to guess from."""

    frames: int | None
    sampled: int
    """Videos whose index was read."""
    frames_per_second: float | None
    """Best of the last jobs, their infer step."""

    def line(self) -> str:
        """What to tell people."""
        if self.frames is None:
            return "no estimate of frames: no index could be read"
        said = f"about {self.frames:,} frames, by the indexes of {self.sampled} of them"
        if self.frames_per_second is None:
            return f"{said}; no estimate of time: no job has ended yet"
        takes = duration(self.frames / self.frames_per_second)
        return f"{said}; about {takes} at {self.frames_per_second:,.0f} frames a second, the best of the last jobs"


def estimate(fleet: Fleet, found: Sequence[ObjectInfo]) -> Estimate:
    """Frames of ``found`` and how fast this fleet is.

    Raises:
        StorageUnavailable, BrokerUnavailable
    """
    ordered = sorted(found, key=lambda info: info.size)
    picked = [ordered[round(at * (len(ordered) - 1) / max(1, _SAMPLES - 1))] for at in range(_SAMPLES)] if found else []
    frames, size, read = 0, 0, 0
    for info in dict.fromkeys(picked):
        with suppress(PosefleetError), opened_index(RangedFile(fleet.store, info)) as index:
            frames, size, read = frames + index.stream.frames, size + info.size, read + 1
    total = round(frames * sum(info.size for info in found) / size) if size else None
    return Estimate(total, read, _speed(fleet))


def _speed(fleet: Fleet) -> float | None:
    recent = fleet.list_jobs(state=State.SUCCEEDED, limit=_RECENT).jobs
    bodies = [fleet.store.get_or_none(JobKeys(info.job_id).manifest) for info in recent]
    steps = [Manifest.from_json(body).steps.get("infer") for body in bodies if body]
    return max((step.frames_per_second for step in steps if step and step.frames_per_second), default=None)
