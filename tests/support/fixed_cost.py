"""Workers whose model costs the same on every machine: ``celery -A tests.support.fixed_cost worker …``.

It is `workers.app` with a model that waits instead of computing, ``FIXED_COST_S`` seconds for each picture (0.1), and
sees the same two people on all of them.  Whatever is around the model is real.  So many workers fit on few cores.
Where ``FIXED_COST_DEVICE`` names a file, all processes share one device, which takes one call at a time.
"""

import fcntl
import os
import time

import numpy as np

from workers.app import app
from workers.models import loaded
from workers.models.port import Floats, Pixels

COST = "FIXED_COST_S"
DEVICE = "FIXED_COST_DEVICE"
APPLICATION = "tests.support.fixed_cost"
PEOPLE = 2


class FixedCost:
    """A `PoseModel` of two people side by side."""

    def __init__(self, cost_s: float, device: str = "") -> None:
        self.on_device = bool(device)
        self._cost_s, self._device = cost_s, device
        self._people = np.array([_person(0.25), _person(0.75)], np.float32)

    def batch(self, height: int, width: int) -> int:
        """See `PoseModel.batch`."""
        return 4

    def detect(self, pictures: Pixels, people: int) -> Floats:
        """See `PoseModel.detect`."""
        with open(self._device or os.devnull, "a") as device:
            if self._device:
                fcntl.flock(device, fcntl.LOCK_EX)
            time.sleep(len(pictures) * self._cost_s)
        found = np.zeros((len(pictures), people, 56), np.float32)
        found[:, :PEOPLE] = self._people[:people]
        return found


def _person(x: float) -> list[float]:
    """Someone who stands upright around ``x``, in 0..1 of the picture."""
    keypoints = [value for number in range(17) for value in (0.2 + 0.6 * number / 16, x, 0.9)]
    return [*keypoints, 0.2, x - 0.1, 0.8, x + 0.1, 0.9]


def _asked() -> FixedCost:
    return FixedCost(float(os.environ.get(COST, "0.1")), os.environ.get(DEVICE, ""))


loaded.load_multipose = lambda _model, _settings: _asked()
app.conf.include = [*app.conf.include, APPLICATION]
"""Processes of the pool import these."""
