from itertools import pairwise

import av
import numpy as np
import pytest

from tests.support.media import CLIP, shared
from workers.core.camera import SKETCH_VALUES, compare
from workers.media.sketch import sketch_of

PEOPLE = ["classroom", "face-demographics-walking", "store-aisle-detection", "tfjs_pose_squats"]


def sketches(path, most=90):
    with av.open(str(path)) as container:
        frames = (frame for frame, _ in zip(container.decode(video=0), range(most), strict=False))
        return [sketch_of(frame.to_ndarray(format="rgb24", width=256, height=144)) for frame in frames]


def scene(x=0, y=0):
    """A textured picture seen by a camera at (x, y)."""
    whole = np.random.default_rng(5).integers(0, 255, (60, 100, 3), np.uint8)
    large = np.kron(whole, np.ones((12, 12, 1), np.uint8))
    return np.ascontiguousarray(large[100 + y : 460 + y, 200 + x : 840 + x])


def test_a_sketch_is_small():
    assert sketch_of(scene()).shape == (SKETCH_VALUES,)
    assert sketch_of(scene()).dtype == np.uint8


@pytest.mark.parametrize(("x", "y"), [(24, 0), (-40, 0), (0, 18), (30, -20)])
def test_a_pan_is_measured(x, y):
    change = compare(sketch_of(scene()), sketch_of(scene(x, y)))
    assert not change.cut
    np.testing.assert_allclose(change.shift * [640, 360], [-x, -y], atol=4)


def test_a_camera_at_rest_does_not_move():
    noise = np.random.default_rng(0)
    looks = [sketch_of(np.clip(scene() + noise.normal(0, 6, (360, 640, 3)), 0, 255).astype(np.uint8)) for _ in range(5)]
    for after in looks[1:]:
        assert compare(looks[0], after) == (False, pytest.approx([0.0, 0.0]))


def test_no_cut_within_a_shot():
    looks = sketches(CLIP)
    assert not any(compare(a, b).cut for a, b in pairwise(looks))


@pytest.mark.parametrize("name", PEOPLE)
def test_no_cut_within_real_shots_and_one_between_them(name):
    looks, other = sketches(shared(f"people/{name}.mp4")), sketches(CLIP, 1)
    assert not any(compare(a, b).cut for a, b in pairwise(looks))
    assert compare(looks[-1], other[0]).cut


def test_black_pictures_are_no_cuts():
    black = sketch_of(np.zeros((90, 160, 3), np.uint8))
    assert not compare(black, black).cut
