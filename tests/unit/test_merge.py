import numpy as np

from tests.support.people import person_at, together
from workers.core.merge import distinct, fuse


def test_who_was_found_twice_stays_once_with_the_better_score():
    people = together(person_at(100, 100, 0.4), person_at(101, 101, 0.9), person_at(300, 100, 0.5))
    kept = distinct(people, oks=0.7, iou=0.7)
    np.testing.assert_allclose(kept.scores, [0.9, 0.5])


def test_people_side_by_side_are_two():
    people = together(person_at(100, 100), person_at(125, 100))
    assert len(distinct(people, oks=0.7, iou=0.7).scores) == 2


def test_nobody_stays_nobody():
    assert len(distinct(together(), oks=0.7).scores) == 0


def test_looks_that_agree_are_averaged_and_an_outlier_is_not_heard():
    a, b, far = (person_at(x, 100).keypoints for x in (100, 102, 400))
    box = person_at(100, 100).boxes
    joined = fuse(np.stack([a, b, far]), box)
    np.testing.assert_allclose(joined[0, :, 0], (a + b)[0, :, 0] / 2, atol=1e-3)
    np.testing.assert_allclose(joined[0, :, 2], 2 / 3 * 0.9, atol=1e-5)


def test_one_sure_look_outweighs_two_unsure_ones():
    sure, unsure = person_at(100, 100).keypoints.copy(), person_at(300, 100).keypoints.copy()
    unsure[..., 2] = 0.3
    joined = fuse(np.stack([unsure, sure, unsure]), person_at(100, 100).boxes)
    np.testing.assert_allclose(joined[..., :2], sure[..., :2], atol=1e-3)


def test_a_single_look_is_kept_as_it_is():
    look = person_at(100, 100).keypoints
    np.testing.assert_allclose(fuse(look[None], person_at(100, 100).boxes), look, rtol=1e-6)


def test_looks_without_any_confidence_give_a_place_and_no_confidence():
    look = person_at(100, 100).keypoints.copy()
    look[..., 2] = 0
    joined = fuse(np.stack([look, look]), person_at(100, 100).boxes)
    np.testing.assert_allclose(joined, look, rtol=1e-6)
