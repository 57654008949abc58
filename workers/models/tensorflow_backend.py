"""The TensorFlow backend: GPU workers, and CPU workers that ask for it.

Pictures go to the device as uint8; cast, trunk and decoder are one compiled function, and only poses come back.
"""

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from schema.errors import DeviceLost, ModelError
from workers.models.convert import Trunk, cut_trunk, stock_signature
from workers.models.port import Floats, Pixels
from workers.models.tensorflow_decoders import decode, decode_single

log = logging.getLogger("posefleet")

_LOST = (tf.errors.InternalError, tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.UnknownError)
"""What CUDA's errors come as."""
_SHORT = (tf.errors.ResourceExhaustedError, tf.errors.NotFoundError)
"""What short memory comes as: the latter where no algorithm of cuDNN finds the room that it wants."""
_MOST = 128
_GAIN = 1.1
"""A larger batch is taken when it is this much faster per picture."""
_TIMED_SIDE = 256


def devices(*, required: bool = False) -> list[Any]:
    """The GPUs that TensorFlow sees; raises `DeviceLost` where one is ``required`` and there is none."""
    found: list[Any] = tf.config.list_physical_devices("GPU")
    if required and not found:
        raise DeviceLost(
            "POSEFLEET_BACKEND=gpu, but TensorFlow sees no GPU: is there one (nvidia-smi), and is its driver found "
            "(libcuda.so.1 on LD_LIBRARY_PATH)? POSEFLEET_BACKEND=tensorflow works without"
        )
    return found


def _is_short(error: Exception) -> bool:
    return not isinstance(error, tf.errors.NotFoundError) or "No algorithm worked" in str(error)


class Batches:
    """Runs pictures in batches of a size found by measuring, halved for good when the device's memory is short.

    A shorter batch is filled up, so what a picture gives does not depend on how many came with it.
    """

    def __init__(self, call: Callable[..., Any], size: int | None, side: int, *, on_device: bool | None = None) -> None:
        """``on_device`` says that pictures go to a GPU, none asks TensorFlow."""
        self._call, self._side = call, side
        self.on_device = bool(devices()) if on_device is None else on_device
        self.size = size or _MOST
        if size is None:
            self.size = self._fastest()

    def run(self, pictures: Pixels, *more: Any, size: int | None = None) -> Floats:
        """The results of all ``pictures``; arrays in ``more`` are cut alike."""
        done: list[Floats] = []
        at = 0
        while at < len(pictures):
            step = min(size or self.size, self.size)
            try:
                done.append(self._filled(step, pictures[at : at + step], *(each[at : at + step] for each in more)))
            except _SHORT as error:
                if not _is_short(error):
                    raise
                self._halve(step, error)
                size = size and max(1, size // 2)
                continue
            except _LOST as error:
                if not self.on_device:
                    raise
                raise DeviceLost(f"the device failed: {error}") from error
            at += step
        return np.concatenate(done)

    def _filled(self, step: int, *arrays: Any) -> Floats:
        missing = step - len(arrays[0])
        full = [np.pad(a, [(0, missing)] + [(0, 0)] * (a.ndim - 1)) if missing else a for a in arrays]
        result: Floats = self._call(*full).numpy()
        return result[: len(arrays[0])]

    def _halve(self, step: int, error: Exception) -> None:
        if step == 1 and self.on_device:  # others may hold it; a new process begins with none
            raise DeviceLost("the device's memory does not hold one picture, with what others take of it") from error
        if step == 1:
            raise ModelError("there is no memory for one picture: choose a smaller --input-size") from error
        self.size = max(1, self.size // 2)
        log.warning("out of device memory with %d pictures a call, going on with half as many", step)

    def _fastest(self) -> int:
        """The batch after which doubling no longer pays."""
        best, rate = 1, self._rate(1)
        while 2 * best <= _MOST:
            try:
                faster = self._rate(2 * best)
            except _SHORT as error:
                if not _is_short(error):
                    raise
                break
            if faster < _GAIN * rate:
                break
            best, rate = 2 * best, faster
        log.info("model batch %d, %.0f pictures/s at %d x %d", best, rate, self._side, self._side)
        return best

    def _rate(self, size: int) -> float:
        """Pictures per second in calls of ``size``, the first of which does not count."""
        pictures = np.zeros((size, self._side, self._side, 3), np.uint8)
        self._call(pictures).numpy()
        began = time.perf_counter()
        for _ in range(3):
            self._call(pictures).numpy()
        return 3 * size / (time.perf_counter() - began)


class TensorFlowMultiPose:
    """MoveNet MultiPose on whatever device TensorFlow has."""

    def __init__(self, saved_model: Path, *, batch: int | None) -> None:
        trunk = _trunk(saved_model)
        specs = [tf.TensorSpec([None, None, None, 3], tf.uint8), tf.TensorSpec([], tf.int32)]
        self._function = tf.function(lambda frames, people: decode(trunk.run(frames), people), input_signature=specs)
        self._people = 6
        with _alone(saved_model):
            self._batches = Batches(lambda frames: self._function(frames, self._people), batch, _TIMED_SIDE)

    @property
    def on_device(self) -> bool:
        """See `PoseModel.on_device`."""
        return self._batches.on_device

    def batch(self, height: int, width: int) -> int:
        """See `PoseModel.batch`: the measured batch, fewer of larger pictures."""
        area = max(height * width, _TIMED_SIDE**2)
        return 1 << (max(1, self._batches.size * _TIMED_SIDE**2 // area).bit_length() - 1)

    def detect(self, pictures: Pixels, people: int) -> Floats:
        """See `PoseModel.detect`."""
        self._people = people
        return self._batches.run(pictures, size=self.batch(*pictures.shape[1:3]))


class TensorFlowSinglePose:
    """Single-pose MoveNet on whatever device TensorFlow has."""

    def __init__(self, saved_model: Path, *, batch: int | None) -> None:
        trunk = _trunk(saved_model)
        self.side = int(trunk.side or 0)
        specs = [
            tf.TensorSpec([None, self.side, self.side, 3], tf.uint8),
            tf.TensorSpec([None, 17, 2], tf.float32),
            tf.TensorSpec([], tf.bool),
        ]
        self._function = tf.function(
            lambda crops, expected, hinted: decode_single(trunk.run(crops), expected, hinted), input_signature=specs
        )
        with _alone(saved_model):
            self._batches = Batches(self._call, batch, self.side)

    @property
    def on_device(self) -> bool:
        """See `PoseModel.on_device`."""
        return self._batches.on_device

    @property
    def batch(self) -> int:
        """See `SinglePoseModel.batch`."""
        return self._batches.size

    def locate(self, crops: Pixels, expected: Floats | None = None) -> Floats:
        """See `SinglePoseModel.locate`."""
        return self._batches.run(crops) if expected is None else self._batches.run(crops, expected)

    def _call(self, crops: Pixels, expected: Floats | None = None) -> Any:
        hints = np.zeros((len(crops), 17, 2), np.float32) if expected is None else expected
        return self._function(crops, hints, expected is not None)


@contextmanager
def _alone(saved_model: Path) -> Iterator[None]:
    """Have no other process measure this model meanwhile: it may share the device."""
    folder = os.open(saved_model, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _trunk(saved_model: Path) -> Trunk:
    """The trunk of a SavedModel; the device's memory is taken as it is needed, and convolutions keep all their digits.

    TF32 would round what they take to ten bits, and choose anew in every process how.
    """
    tf.config.experimental.enable_tensor_float_32_execution(False)
    for device in devices():
        tf.config.experimental.set_memory_growth(device, True)
    return cut_trunk(stock_signature(str(saved_model)))
