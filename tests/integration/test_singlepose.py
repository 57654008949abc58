"""The batched single-pose models against the stock graphs, and both backends against each other."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from schema.messages import ModelIdentity
from schema.settings import Settings
from tests.support.media import shared
from workers.core.regions import Square
from workers.media.stills import read_still
from workers.models.store import identity, load_singlepose, stock_folder

pytestmark = pytest.mark.media
TOLERANCE = 1e-3
STOCK = """
import sys, numpy as np, tensorflow as tf
from workers.models.convert import stock_signature
run = stock_signature(sys.argv[1])
crops = np.load(sys.argv[2])
found = [run(input=tf.constant(crop[None].astype("int32")))["output_0"].numpy()[0, 0] for crop in crops]
np.save(sys.argv[3], np.stack(found))
"""
OURS = """
import sys, numpy as np
from schema.settings import Settings
from workers.models.store import identity, load_singlepose
settings = Settings.read()
model = load_singlepose(identity(sys.argv[1], settings.models_dir), settings)
hints = np.load(sys.argv[3])
crops = np.load(sys.argv[2])
np.savez(sys.argv[4], plain=model.locate(crops), hinted=model.locate(crops, hints))
"""


@pytest.fixture(scope="module", params=["singlepose-lightning", "singlepose-thunder"])
def single(request, model) -> ModelIdentity:
    return identity(request.param, Settings.read().models_dir)


@pytest.fixture(scope="module")
def crops(single):
    side = 192 if "lightning" in single.name else 256
    truth = json.loads(shared("coco/person_keypoints.json").read_text())
    names = {image["id"]: image["file_name"] for image in truth["images"]}
    people = [a for a in truth["annotations"] if a["num_keypoints"] >= 8][:60]
    made = []
    for person in people:
        still = read_still(shared(f"coco/images/{names[person['image_id']]}").read_bytes())
        x, y, width, height = person["bbox"]
        made.append(still.crop(Square.around(x + width / 2, y + height / 2, 1.2 * max(width, height)), side))
    return np.stack(made)


def run(code, tmp_path, *arguments, **environment):
    arguments = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    subprocess.run(arguments, check=True, env={**os.environ, "PYTHONPATH": os.getcwd(), **environment})


def test_the_batched_model_equals_the_stock_graph(single, crops, tmp_path):
    settings = Settings.read()
    np.save(tmp_path / "crops.npy", crops)
    run(STOCK, tmp_path, stock_folder(single.name, settings.models_dir), tmp_path / "crops.npy", tmp_path / "out.npy")
    stock = np.load(tmp_path / "out.npy")
    ours = load_singlepose(single, settings).locate(crops)
    assert ours.shape == stock.shape == (len(crops), 17, 3)
    assert_same(ours, stock)


def test_both_backends_agree_with_and_without_hints(single, crops, tmp_path):
    np.save(tmp_path / "crops.npy", crops)
    np.save(tmp_path / "hints.npy", np.random.default_rng(3).uniform(0.2, 0.8, (len(crops), 17, 2)).astype(np.float32))
    found = {}
    for backend in ("litert", "tensorflow"):
        paths = tmp_path / "crops.npy", tmp_path / "hints.npy", tmp_path / f"{backend}.npz"
        run(OURS, tmp_path, single.name, *paths, POSEFLEET_BACKEND=backend)
        found[backend] = np.load(paths[2])
    for kind in ("plain", "hinted"):
        assert_same(found["litert"][kind], found["tensorflow"][kind])
    assert np.abs(found["litert"]["plain"] - found["litert"]["hinted"]).max() > 0.1


def assert_same(ours, theirs):
    """Equal but where two cells tie within float noise, mostly of keypoints that are not seen."""
    apart = np.abs(ours - theirs)[..., :2].max(-1) > TOLERANCE
    assert apart.mean() < 0.01
    assert apart[theirs[..., 2] > 0.3].mean() < 0.002
    np.testing.assert_allclose(ours[~apart], theirs[~apart], atol=TOLERANCE)


def test_how_many_crops_come_together_changes_nothing(single, crops):
    model = load_singlepose(single, Settings.read())
    alone = np.concatenate([model.locate(crop[None]) for crop in crops[:7]])
    np.testing.assert_array_equal(model.locate(crops[:7]), alone)
