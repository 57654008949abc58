"""The LiteRT backend: CPU, no TensorFlow."""

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from schema.errors import ModelError
from workers.core.decoder import decode
from workers.core.heads import Heads, Network
from workers.core.single_decoder import decode_single
from workers.models.port import Floats, Pixels
from workers.telemetry.measure import computing

NETWORKS = "heads.npz"
"""Lies beside the trunk's file."""

_DEFAULT_BATCH = 2
"""Measured: with a process on every core, 2 is 2 to 5 % faster than 4 and as fast as 1."""
_BATCH_AREA = 256 * 256
"""Pixels of a picture up to which a full batch is run; larger pictures come in smaller ones, so memory stays flat."""


class Trunk:
    """A trunk run by LiteRT with XNNPACK, which gives the same numbers for a picture whatever it comes with.

    One interpreter serves all input shapes: giving it another one costs a few milliseconds at most.
    """

    def __init__(self, path: Path, maps: tuple[str, ...], threads: int) -> None:
        """``maps`` names the outputs in the order in which `run` gives them."""
        try:
            self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{path} is no LiteRT model: {error}") from error
        details = self._interpreter.get_input_details()[0]
        outputs = self._interpreter.get_signature_runner().get_output_details()
        self.side = int(details["shape_signature"][1])
        self._input = details["index"]
        self._outputs = [outputs[name]["index"] for name in maps]
        self._shape: tuple[int, ...] = ()

    def run(self, pictures: Pixels) -> list[Floats]:
        """The maps of ``pictures`` uint8 ``[n, H, W, 3]``."""
        if pictures.shape != self._shape:
            self._interpreter.resize_tensor_input(self._input, list(pictures.shape))
            self._interpreter.allocate_tensors()
            self._shape = pictures.shape
        self._interpreter.set_tensor(self._input, pictures)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


class _Model:
    """A trunk, and the heads that are worked out from its features."""

    def __init__(self, trunk: Path, threads: int) -> None:
        self._trunk = Trunk(trunk, Heads._fields[:3], threads)
        self._networks = read_networks(trunk.with_name(NETWORKS))

    @property
    def side(self) -> int:
        """Pixels of the trunk's square input, where it has one."""
        return self._trunk.side

    def of(self, pictures: Pixels) -> Heads:
        """Those of ``pictures`` uint8 ``[n, H, W, 3]``."""
        center, heatmap, features = self._trunk.run(pictures)
        return Heads(center, heatmap, features, self._networks)


def read_networks(path: Path) -> dict[str, Network]:
    """The heads that `workers.models.convert` kept.

    Raises:
        ModelError: they are not there, or others.
    """
    try:
        with np.load(path) as weights:
            heads = {name.split("/")[0] for name in weights.files}
            return {head: Network(*(weights[f"{head}/{part}"] for part in Network._fields)) for head in heads}
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path} holds no heads: {error}") from error


class LiteRTMultiPose:
    """MoveNet MultiPose on CPU."""

    on_device = False

    def __init__(self, trunk: Path, *, batch: int | None, threads: int) -> None:
        self._heads = _Model(trunk, threads)
        self._batch = batch or _DEFAULT_BATCH

    def batch(self, height: int, width: int) -> int:
        """See `PoseModel.batch`."""
        fitting = max(1, self._batch * _BATCH_AREA // max(height * width, _BATCH_AREA))
        return 1 << (fitting.bit_length() - 1)

    def detect(self, pictures: Pixels, people: int) -> Floats:
        """See `PoseModel.detect`."""
        step, found = self.batch(*pictures.shape[1:3]), []
        for i in range(0, len(pictures), step):
            heads = self.heads(pictures[i : i + step])
            with computing("heads"):
                found.append(decode(heads, people))
        return np.concatenate(found)

    def heads(self, pictures: Pixels) -> Heads:
        """Heads of one call."""
        return self._heads.of(pictures)


class LiteRTSinglePose:
    """Single-pose MoveNet on CPU."""

    on_device = False

    def __init__(self, trunk: Path, *, batch: int | None, threads: int) -> None:
        self._heads = _Model(trunk, threads)
        self.batch = batch or _DEFAULT_BATCH

    @property
    def side(self) -> int:
        """See `SinglePoseModel.side`."""
        return self._heads.side

    def locate(self, crops: Pixels, expected: Floats | None = None) -> Floats:
        """See `SinglePoseModel.locate`."""
        found = []
        for i in range(0, len(crops), self.batch):
            hints = None if expected is None else expected[i : i + self.batch]
            heads = self._heads.of(crops[i : i + self.batch])
            with computing("heads"):
                found.append(decode_single(heads, hints))
        return np.concatenate(found)
