from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.skeleton import KEYPOINTS
from tests.support.people import person_at
from workers.core.regions import Region, Square, tiles_of

SIDES = st.integers(33, 4000)


@given(SIDES, SIDES, st.integers(1, 8), st.integers(1, 8))
def test_tiles_cover_the_picture_and_stay_inside(width, height, rows, columns):
    tiles = tiles_of(width, height, f"{rows}x{columns}", 256) or [Region(0, 0, width, height)]
    assert len(tiles) == rows * columns
    for of_axis, length in (("left", "width"), ("top", "height")):
        spans = sorted({(getattr(tile, of_axis), getattr(tile, length)) for tile in tiles})
        assert spans[0][0] == 0
        assert max(begin + span for begin, span in spans) == {"width": width, "height": height}[length]
        assert all(b <= a + span for (a, span), (b, _) in pairwise(spans))


@pytest.mark.parametrize(
    ("size", "grid"), [((640, 480), (1, 1)), ((1920, 1080), (2, 4)), ((7680, 4320), (4, 4)), ((1080, 1920), (4, 2))]
)
def test_automatic_tiles_follow_the_picture(size, grid):
    assert len(tiles_of(*size, "auto", 256)) in (grid[0] * grid[1], 0 if grid == (1, 1) else -1)


def test_neighbouring_tiles_overlap_by_a_quarter():
    left, right = tiles_of(700, 400, "1x2", 256)
    assert left.left + left.width - right.left == pytest.approx(0.25 * left.width, abs=1)


def test_people_cut_by_an_inner_edge_are_left_to_the_other_views():
    tile = Region(100, 0, 200, 300)
    inside, cut = person_at(100, 100), person_at(20, 100)
    assert len(tile.uncut(inside, 640, 300).scores) == 1
    assert len(tile.uncut(cut, 640, 300).scores) == 0
    assert len(Region(0, 0, 200, 300).uncut(cut, 640, 300).scores) == 1


@given(st.floats(-50, 500), st.floats(-50, 500), st.floats(1, 300), st.booleans())
def test_a_square_maps_there_and_back(x, y, side, mirrored):
    square = Square.around(x, y, side, mirrored=mirrored)
    places = np.random.default_rng(1).uniform(-100, 600, (17, 2)).astype(np.float32)
    there = square.to_crop(places)
    back = square.to_picture(np.concatenate([there, np.ones((17, 1), np.float32)], axis=1))
    np.testing.assert_allclose(back[:, :2], places, atol=1e-2)


def test_a_mirrored_crop_has_the_left_hand_where_the_right_one_is():
    left, right = KEYPOINTS.index("left_wrist"), KEYPOINTS.index("right_wrist")
    found = np.full((17, 3), 0.5, np.float32)
    found[left] = (0.5, 0.25, 0.9)
    placed = Square(0, 0, 100, mirrored=True).to_picture(found)
    np.testing.assert_allclose(placed[right], (74.5, 49.5, 0.9), atol=1e-4)


def test_the_square_lies_around_its_middle():
    square = Square.around(99.5, 49.5, 20)
    assert (square.left, square.top, square.side) == (90, 40, 20)
