import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.planner import ahead, aim_for, cut, cut_parts, target_frames

KEYS = st.lists(st.integers(0, 5000), unique=True).map(lambda keys: np.array(sorted(keys), np.int64))


@given(st.integers(1, 5000), KEYS, st.integers(1, 700), st.booleans())
def test_ranges_cover_every_frame_once(frames, keys, target, exact):
    ranges = cut(frames, keys[keys < frames], target, exact=exact)
    assert [start for start, _ in ranges] == [0, *(stop for _, stop in ranges[:-1])]
    assert ranges[-1][1] == frames
    assert all(start < stop for start, stop in ranges)


@given(st.integers(1, 5000), st.integers(1, 700))
def test_exact_ranges_have_the_asked_length_but_for_the_last(frames, target):
    lengths = [stop - start for start, stop in cut(frames, np.zeros(0, np.int64), target, exact=True)]
    assert all(length == target for length in lengths[:-1])
    assert lengths[-1] <= target


def test_cuts_move_to_a_key_frame_in_reach():
    assert cut(300, np.array([0, 90, 210]), 100, exact=False) == [(0, 90), (90, 210), (210, 300)]


def test_a_short_rest_joins_the_range_before_it():
    assert cut(210, np.array([0]), 100, exact=False) == [(0, 100), (100, 210)]


def test_the_last_ranges_are_shorter_where_there_are_key_frames():
    lengths = [stop - start for start, stop in cut(4000, np.arange(0, 4000, 20), 240, exact=False)]
    assert lengths[:12] == [240] * 12
    assert lengths == sorted(lengths, reverse=True)
    assert max(lengths[-4:]) <= 60
    assert sum(lengths) == 4000


def test_the_last_ranges_are_as_the_others_where_key_frames_are_rare():
    assert cut(1000, np.arange(0, 1000, 250), 240, exact=False) == [(0, 250), (250, 500), (500, 750), (750, 1000)]


def test_short_videos_are_shared_by_several_workers():
    assert target_frames(230, 240) == 58
    assert target_frames(20, 240) == 32
    assert target_frames(100_000, 240) == 240


def test_frames_decoded_ahead_are_counted():
    assert ahead([(0, 40), (40, 90), (90, 200)], np.array([0, 90])) == 40
    assert ahead([(0, 40), (40, 80)], np.zeros(0, np.int64)) == 0


def test_no_range_goes_across_parts():
    ranges = cut_parts([(0, 50), (50, 130)], np.array([0, 50]), 100, exact=False)
    assert ranges == [(0, 50), (50, 130)]


@pytest.mark.parametrize(("frames", "target"), [(0, 5), (5, 0)])
def test_nothing_to_cut_is_a_mistake(frames, target):
    with pytest.raises(ValueError, match="cannot cut"):
        cut(frames, np.zeros(0, np.int64), target, exact=True)


@pytest.mark.parametrize(("work", "frames"), [(0.5, 240), (1.0, 240), (10.0, 24), (1000.0, 4)])
def test_dear_options_make_short_ranges(work, frames):
    assert aim_for(240, work) == frames


def test_a_small_aim_stays():
    assert aim_for(2, 50.0) == 2
