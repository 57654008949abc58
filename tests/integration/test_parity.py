"""The batched model against the stock graph, one picture at a time, on real pictures."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from schema.settings import Settings
from tests.support.media import shared
from workers.models.store import load_multipose, stock_folder

SIZES = {"160x256": (160, 256), "256x256": (256, 256)}
TOLERANCE = 1e-4
STOCK = """
import sys, numpy as np, tensorflow as tf
from workers.models.convert import stock_signature
run = stock_signature(sys.argv[1])
frames = np.load(sys.argv[2])
out = [run(input=tf.constant(frame[None].astype("int32")))["output_0"].numpy()[0] for frame in frames]
np.save(sys.argv[3], np.stack(out))
"""


@pytest.mark.media
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("backend", ["litert", "tensorflow"])
def test_the_batched_model_equals_the_stock_graph(size, backend, model, tmp_path):
    settings = Settings.read()
    frames = pictures(size)
    stock = run_stock(stock_folder(model.name, settings.models_dir), frames, tmp_path)
    ours = run_ours(backend, frames, tmp_path)
    scored = stock[..., 55] >= 0.1
    points, stock_points = (p[..., :51].reshape(*p.shape[:2], 17, 3) for p in (ours, stock))
    confident = scored[..., None] & (stock_points[..., 2] >= 0.1)
    wrong = {
        "score": np.abs(ours - stock)[..., 55] * scored,
        "box": np.abs(ours - stock)[..., 51:55].max(-1) * scored,
        "confidence": (np.abs(points - stock_points)[..., 2] * confident).max(-1),
        "position": (np.abs(points - stock_points)[..., :2].max(-1) * confident).max(-1),
    }
    differing = {name: int((value.max(-1) > TOLERANCE).sum()) for name, value in wrong.items()}
    ties = tied_frames(stock, ours)
    for name, value in wrong.items():
        assert (value.max(-1)[~ties] <= TOLERANCE).all(), (name, differing, int(ties.sum()))
    assert ties.sum() <= 1
    assert scored.sum() > 40


def tied_frames(stock, ours):
    """Frames where a tie within float noise chose another cell for one of the six centres.

    Each person's confidence takes in the weights of all six, so one other centre can change the others' confidence.
    """
    return np.abs(stock - ours)[..., 51:55].max(axis=(1, 2)) > 2 / 64 / 4


def pictures(size):
    height, width = size
    paths = sorted(shared("coco/images").iterdir())
    assert len(paths) >= 20
    return np.stack([cv2.resize(cv2.imread(str(path)), (width, height))[..., ::-1] for path in paths])


def run_stock(folder, frames, tmp_path):
    np.save(tmp_path / "frames.npy", frames)
    arguments = [sys.executable, "-W", "ignore", "-c", STOCK, folder, tmp_path / "frames.npy", tmp_path / "out.npy"]
    subprocess.run([str(a) for a in arguments], check=True, env={**os.environ, "PYTHONPATH": os.getcwd()})
    return np.load(tmp_path / "out.npy")


OURS = """
import sys, numpy as np
from schema.settings import Settings
from workers.models.store import identity, load_multipose
settings = Settings.read()
model = load_multipose(identity(settings.model, settings.models_dir), settings)
np.save(sys.argv[2], model.detect(np.load(sys.argv[1]), 6))
"""


def run_ours(backend, frames, tmp_path):
    np.save(tmp_path / "frames.npy", frames)
    arguments = [sys.executable, "-W", "ignore", "-c", OURS, tmp_path / "frames.npy", tmp_path / "ours.npy"]
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "POSEFLEET_BACKEND": backend}
    subprocess.run([str(a) for a in arguments], check=True, env=environment)
    return np.load(tmp_path / "ours.npy")


def test_how_many_frames_come_together_changes_nothing(model):
    settings = Settings.read()
    loaded = load_multipose(model, settings)
    frames = np.random.default_rng(5).integers(0, 256, (loaded.batch(96, 128), 96, 128, 3), np.uint8)
    together = loaded.detect(frames, 6)
    alone = np.concatenate([loaded.detect(frame[None], 6) for frame in frames])
    np.testing.assert_array_equal(together, alone)
