import numpy as np
import pytest

from tests.support.whole_heads import WholeHeads, decode_whole
from workers.core.decoder import decode
from workers.core.heads import Heads

H, W = 16, 24


def empty(n=1):
    return WholeHeads(*(np.zeros((n, H, W, depth), np.float32) for depth in (1, 2, 2, 17, 34, 34)))


def with_person(heads, image, row, column, score=0.9, size=8.0):
    heads.center[image, row, column, 0] = score
    heads.box_scale[image, row, column] = size
    for k in range(17):
        y, x = row + (k % 3) - 1, column + (k % 5) - 2
        heads.keypoint_regression[image, row, column, 2 * k : 2 * k + 2] = (y - row, x - column)
        heads.keypoint_heatmap[image, y, x, k] = 0.8
        heads.keypoint_offset[image, y, x, 2 * k : 2 * k + 2] = (0.25, 0.5)
    return heads


def test_a_person_is_found_where_the_maps_say():
    pose = decode_whole(with_person(empty(), 0, 8, 12), 6)[0, 0]
    np.testing.assert_allclose(pose[0:3], [(7 + 0.25) / H, (10 + 0.5) / W, 0.8], rtol=1e-6)
    np.testing.assert_allclose(pose[51:55], [4 / H, 8 / W, 12 / H, 16 / W], rtol=1e-6)
    np.testing.assert_allclose(pose[55], 0.9 * 0.8, rtol=1e-6)


def test_people_come_best_first_and_pictures_do_not_mix():
    heads = empty(2)
    with_person(heads, 0, 4, 4, score=0.5, size=6)
    with_person(heads, 0, 11, 18, score=0.7, size=6)
    poses = decode_whole(heads, 3)
    assert poses[0, 0, 55] > poses[0, 1, 55] > 0
    assert poses[0, 2, 55] == 0
    assert (poses[1, :, 55] == 0).all()


def test_neighbouring_cells_are_one_person():
    heads = with_person(empty(), 0, 8, 12)
    heads.center[0, 8, 13, 0] = 0.89
    assert (decode_whole(heads, 6)[0, :, 55] > 0).sum() == 1


def test_keypoints_outside_the_box_are_not_seen():
    heads = with_person(empty(), 0, 8, 12, size=1.0)
    assert decode_whole(heads, 1)[0, 0, 2::3].min() == 0


def test_a_batch_gives_what_its_pictures_give_alone():
    rng = np.random.default_rng(3)
    heads = WholeHeads(*(rng.random((5, H, W, depth), np.float32) for depth in (1, 2, 2, 17, 34, 34)))
    whole = decode_whole(heads, 20)
    for i in range(5):
        alone = decode_whole(WholeHeads(*(value[i : i + 1] for value in heads)), 20)
        np.testing.assert_array_equal(whole[i], alone[0])


def test_maps_that_do_not_fit_are_named():
    heads = Heads.empty(H, W)._replace(keypoint_heatmap=np.zeros((1, H, W, 3), np.float32))
    with pytest.raises(ValueError, match=r"keypoint_heatmap is \(1, 16, 24, 3\), expected \(1, 16, 24, 17\)"):
        decode(heads, 6)


def test_nobody_is_found_where_nobody_is():
    assert not decode(Heads.empty(H, W), 6)[..., 55].any()
