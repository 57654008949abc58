"""The LiteRT backend: CPU, no TensorFlow."""

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from workers.core.heads import Heads


class LiteRTModel:
    """MoveNet MultiPose cut at its heads, run by LiteRT with XNNPACK.

    Every call runs a full batch: a shorter one is filled up, so a pose never depends on how many frames came
    with it.
    """

    def __init__(self, trunk: Path, *, batch: int, threads: int) -> None:
        self.batch = batch
        self._interpreter = Interpreter(model_path=str(trunk), num_threads=threads)
        outputs = self._interpreter.get_signature_runner().get_output_details()
        self._outputs = [outputs[name]["index"] for name in Heads._fields]
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._shape: tuple[int, ...] = ()
        self._buffer: NDArray[np.uint8] = np.zeros(0, np.uint8)

    def detect(self, frames: NDArray[np.uint8], people: int) -> NDArray[np.float32]:
        """See `PoseModel.detect`."""
        from workers.core.decoder import decode

        return decode(self.heads(frames), people)[: len(frames)]

    def heads(self, frames: NDArray[np.uint8]) -> Heads:
        """Head maps of a full batch; those beyond ``len(frames)`` belong to whatever ran before."""
        self._fit(frames.shape[1:])
        self._buffer[: len(frames)] = frames
        self._interpreter.set_tensor(self._input, self._buffer)
        self._interpreter.invoke()
        return Heads(*(self._interpreter.get_tensor(index) for index in self._outputs))

    def _fit(self, shape: tuple[int, ...]) -> None:
        if shape == self._shape:
            return
        self._interpreter.resize_tensor_input(self._input, [self.batch, *shape])
        self._interpreter.allocate_tensors()
        self._buffer = np.zeros((self.batch, *shape), np.uint8)
        self._shape = shape
