"""What only the TensorFlow backend does: it measures its batch and halves it when memory is short."""

import os
import subprocess
import sys

import pytest

from schema.settings import Settings
from workers.models.store import stock_folder

MEASURES = """
import sys, numpy as np
from workers.models.tensorflow_backend import TensorFlowMultiPose
model = TensorFlowMultiPose(sys.argv[1], batch=None)
size = model.batch(256, 256)
assert size >= 1 and size & (size - 1) == 0, size
assert model.batch(512, 512) == max(1, size // 4)
frames = np.random.default_rng(2).integers(0, 256, (5, 96, 128, 3), np.uint8)
together, alone = model.detect(frames, 20), np.concatenate([model.detect(frame[None], 20) for frame in frames])
np.testing.assert_allclose(together, alone, atol=1e-4)
"""
NO_GPU = """
import sys
from schema.errors import DeviceLost
from schema.settings import Settings
from workers.models.store import identity, load_multipose
settings = Settings.read().model_copy(update={"backend": "gpu"})
try:
    load_multipose(identity(sys.argv[1], settings.models_dir), settings)
except DeviceLost as error:
    assert "TensorFlow sees no GPU" in str(error), error
else:
    raise SystemExit("a GPU was asked for, and there is none")
"""
HALVES = """
import numpy as np, tensorflow as tf
from schema.errors import ModelError
from workers.models.tensorflow_backend import Batches
calls = []
def call(pictures):
    calls.append(len(pictures))
    if len(pictures) > LIMIT:
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
    return tf.reduce_max(tf.cast(pictures, tf.float32), axis=(1, 2, 3))
LIMIT = 3
batches = Batches(call, 8, 256)
pictures = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1) * np.ones((1, 8, 8, 3), np.uint8)
np.testing.assert_array_equal(batches.run(pictures), np.arange(10))
assert calls == [8, 4, 2, 2, 2, 2, 2], calls
assert batches.size == 2
calls.clear()
batches.run(pictures[:2])
assert calls == [2], "the smaller batch is remembered"
LIMIT = 0
try:
    batches.run(pictures)
except ModelError as error:
    assert "--input-size" in str(error)
else:
    raise AssertionError("no picture fits and nothing was raised")
"""

LOST = """
import numpy as np, tensorflow as tf
from schema.errors import DeviceLost
from workers.models.tensorflow_backend import Batches
def call(pictures):
    raise tf.errors.InternalError(None, None, "CUDA_ERROR_ILLEGAL_ADDRESS")
for on_device, expected in ((True, DeviceLost), (False, tf.errors.InternalError)):
    try:
        Batches(call, 8, 256, on_device=on_device).run(np.zeros((1, 8, 8, 3), np.uint8))
    except expected as error:
        assert "CUDA_ERROR_ILLEGAL_ADDRESS" in str(error)
    else:
        raise AssertionError("nothing was raised")
"""


def run(code, *arguments):
    command = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": os.getcwd()})


@pytest.mark.timeout(240)
def test_the_batch_is_measured_and_changes_no_pose(model):
    run(MEASURES, stock_folder(model.name, Settings.read().models_dir))


def test_a_gpu_that_is_asked_for_and_not_there_is_an_error(model, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    run(NO_GPU, model.name)


def test_out_of_memory_halves_the_batch_for_good():
    pytest.importorskip("tensorflow")
    run(HALVES)


def test_a_lost_device_is_told_from_a_fault_of_the_model():
    run(LOST)
