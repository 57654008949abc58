import numpy as np
import pytest

from workers.core.similarity import iou_matrix, oks_matrix

PERSON = np.random.default_rng(1).uniform(0, 100, (17, 2))
ALL = np.ones((1, 1, 17), bool)


@pytest.mark.parametrize(
    ("moved", "expected"),
    [(0.0, 1.0), (1e6, 0.0)],
    ids=["a pose is like itself", "a pose far away is like nothing"],
)
def test_oks(moved, expected):
    found = oks_matrix(PERSON[None], PERSON[None] + moved, np.array([1e4]), ALL)
    np.testing.assert_allclose(found, [[expected]], atol=1e-9)


def test_oks_of_one_keypoint_follows_the_formula():
    only_nose = np.zeros((1, 1, 17), bool)
    only_nose[..., 0] = True
    found = oks_matrix(PERSON[None], PERSON[None] + [3.0, 4.0], np.array([2500.0]), only_nose)
    np.testing.assert_allclose(found, [[np.exp(-25 / (2 * 2500 * (2 * 0.026) ** 2))]])


def test_oks_without_a_confident_keypoint_is_zero():
    assert oks_matrix(PERSON[None], PERSON[None], np.array([1e4]), ~ALL) == 0


@pytest.mark.parametrize(
    ("other", "expected"),
    [([0, 0, 10, 10], 1.0), ([5, 0, 10, 10], 1 / 3), ([20, 20, 5, 5], 0.0)],
    ids=["the same box", "half a box aside", "boxes apart"],
)
def test_iou(other, expected):
    found = iou_matrix(np.array([[0.0, 0, 10, 10]]), np.array([other], float))
    np.testing.assert_allclose(found, [[expected]])
