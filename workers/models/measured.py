"""Models whose calls are timed: what they are asked, and what they could do."""

import time
from collections import deque
from collections.abc import Hashable

from workers.models.port import Floats, Pixels, PoseModel, SinglePoseModel
from workers.telemetry.measure import called

_CALLS = 64


class _Pace:
    """Seconds per picture of full calls, by kind of call: the lower quartile of the latest.

    The fastest call of all would be one while all other cores happened to be idle, which no pipeline can rely on.
    """

    def __init__(self, on_device: bool) -> None:
        self._latest: dict[Hashable, deque[float]] = {}
        self._on_device = on_device

    def note(self, kind: Hashable, began: float, pictures: int, batch: int) -> None:
        """Take note of a call that has ended now."""
        took = time.perf_counter() - began
        calls = -(-pictures // batch)
        latest = self._latest.setdefault(kind, deque(maxlen=_CALLS))
        if pictures == calls * batch:
            latest.append(took / pictures)
        usual = sorted(latest)[len(latest) // 4] if latest else took / max(1, pictures)
        called(took, pictures, calls * batch, usual, on_device=self._on_device)


class MeasuredPoseModel:
    """A `PoseModel` that says how it is used."""

    def __init__(self, model: PoseModel) -> None:
        self._model, self._pace = model, _Pace(model.on_device)

    @property
    def on_device(self) -> bool:
        """See `PoseModel.on_device`."""
        return self._model.on_device

    def batch(self, height: int, width: int) -> int:
        """See `PoseModel.batch`."""
        return self._model.batch(height, width)

    def detect(self, pictures: Pixels, people: int) -> Floats:
        """See `PoseModel.detect`."""
        began = time.perf_counter()
        found = self._model.detect(pictures, people)
        self._pace.note(pictures.shape[1:], began, len(pictures), self.batch(*pictures.shape[1:3]))
        return found


class MeasuredSinglePoseModel:
    """A `SinglePoseModel` that says how it is used."""

    def __init__(self, model: SinglePoseModel) -> None:
        self._model, self._pace = model, _Pace(model.on_device)

    @property
    def on_device(self) -> bool:
        """See `SinglePoseModel.on_device`."""
        return self._model.on_device

    @property
    def side(self) -> int:
        """See `SinglePoseModel.side`."""
        return self._model.side

    @property
    def batch(self) -> int:
        """See `SinglePoseModel.batch`."""
        return self._model.batch

    def locate(self, crops: Pixels, expected: Floats | None = None) -> Floats:
        """See `SinglePoseModel.locate`."""
        began = time.perf_counter()
        found = self._model.locate(crops, expected)
        self._pace.note(expected is None, began, len(crops), self.batch)
        return found
