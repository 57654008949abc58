"""The TensorFlow backend: GPU workers, and CPU workers that ask for it."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from workers.core.decoder import decode
from workers.core.heads import Heads
from workers.models.convert import cut_trunk, stock_signature


class TensorFlowModel:
    """MoveNet MultiPose cut at its heads, run by TensorFlow. Frames are cast to float on the device."""

    def __init__(self, saved_model: Path, *, batch: int) -> None:
        for device in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(device, True)
        self.batch = batch
        self._run = cut_trunk(stock_signature(str(saved_model)))

    def detect(self, frames: NDArray[np.uint8], people: int) -> NDArray[np.float32]:
        """See `PoseModel.detect`."""
        full = np.zeros((self.batch, *frames.shape[1:]), np.uint8)
        full[: len(frames)] = frames
        heads = Heads(*(value.numpy() for value in self._run(full)))
        return decode(heads, people)[: len(frames)]
