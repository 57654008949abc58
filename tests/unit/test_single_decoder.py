import numpy as np
import pytest

from tests.support.whole_heads import WholeHeads, decode_single_whole
from workers.core.heads import Heads
from workers.core.single_decoder import decode_single


def heads(*people, size=64):
    """Maps of one crop with people planted: (row, column, centre score, keypoints' rows down, heatmap value)."""
    center = np.full((1, size, size, 1), 0.01, np.float32)
    heatmap = np.full((1, size, size, 17), 0.01, np.float32)
    regression = np.zeros((1, size, size, 34), np.float32)
    offset = np.zeros((1, size, size, 34), np.float32)
    for row, column, score, down, value in people:
        center[0, row, column, 0] = score
        regression[0, row, column, 0::2] = down
        heatmap[0, row + down, column, :] = value
        offset[0, row + down, column, 1::2] = 0.25
    box = np.zeros((1, size, size, 2), np.float32)
    return WholeHeads(center, box, box, heatmap, regression, offset)


def test_the_keypoint_is_where_it_was_planted():
    found = decode_single_whole(heads((30, 20, 0.9, 4, 0.8)))
    np.testing.assert_allclose(found[0], np.tile([34 / 64, 20.25 / 64, 0.8], (17, 1)), rtol=1e-6)


def test_of_two_people_the_one_near_the_middle_is_taken():
    found = decode_single_whole(heads((32, 32, 0.6, 2, 0.7), (5, 5, 0.9, 2, 0.9)))
    np.testing.assert_allclose(found[0, :, 0], 34 / 64, rtol=1e-6)


def test_where_keypoints_are_expected_settles_whose_they_are():
    near, other = (30, 32, 0.9, 0, 0.6), (30, 38, 0.5, 0, 0.9)
    expected = np.full((1, 17, 2), [30.5 / 64, 32.5 / 64], np.float32)
    assert decode_single_whole(heads(near, other), expected)[0, 0, 1] == pytest.approx(32.25 / 64)
    expected[..., 1] = 38.5 / 64
    assert decode_single_whole(heads(near, other), expected)[0, 0, 1] == pytest.approx(38.25 / 64)


def test_maps_that_do_not_fit_are_refused():
    maps = Heads.empty(64, 64)
    with pytest.raises(ValueError, match="keypoint_heatmap is"):
        decode_single(maps._replace(keypoint_heatmap=maps.keypoint_heatmap[:, :-1]))
    with pytest.raises(ValueError, match="expected keypoints are"):
        decode_single(maps, np.zeros((2, 17, 2), np.float32))
