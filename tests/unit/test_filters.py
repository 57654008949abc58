import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.core.filters import fill, hampel, runs, smooth

KINDS = ["butterworth", "one-euro", "gaussian", "median"]
TIMES = np.arange(300) / 30
UNEVEN = np.sort(np.random.default_rng(3).uniform(0, 10, 300))


def gain(kind, hz, cutoff_hz=6.0, fps=240):
    """How much of a sine is left in the middle."""
    times = np.arange(4 * fps) / fps
    wave = np.sin(2 * np.pi * hz * times)[:, None]
    middle = slice(fps, 3 * fps)
    return np.ptp(smooth(times, wave, kind, cutoff_hz)[middle]) / np.ptp(wave[middle])


@pytest.mark.parametrize("kind", ["butterworth", "gaussian"])
def test_the_cutoff_is_where_half_the_power_is_left(kind):
    assert gain(kind, 6.0) == pytest.approx(np.sqrt(0.5), abs=0.01)


@pytest.mark.parametrize("order", [2, 4, 8])
def test_the_cutoff_does_not_depend_on_the_order(order):
    times = np.arange(960) / 240
    wave = np.sin(2 * np.pi * 6 * times)[:, None]
    left = smooth(times, wave, "butterworth", 6.0, order)[240:720]
    assert np.ptp(left) / 2 == pytest.approx(np.sqrt(0.5), abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_slow_motion_stays_and_fast_motion_goes(kind):
    assert gain(kind, 0.5) > 0.95
    assert gain(kind, 40.0) < 0.35


@pytest.mark.parametrize("kind", KINDS)
def test_a_straight_line_stays_straight(kind):
    line = np.stack([3 * TIMES + 7, -TIMES], -1)
    inner = slice(30, -30) if kind == "one-euro" else slice(10, -10)
    np.testing.assert_allclose(smooth(TIMES, line, kind, 6.0)[inner], line[inner], atol=0.02)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("times", [TIMES, UNEVEN], ids=["even", "uneven"])
def test_no_filter_delays(kind, times):
    wave = np.sin(2 * np.pi * 0.8 * times)[:, None]
    smoothed = smooth(times, wave, kind, 6.0)
    shifts = np.linspace(-0.1, 0.1, 201)
    misfit = [np.abs(np.interp(times + s, times, smoothed[:, 0]) - wave[:, 0])[20:-20].mean() for s in shifts]
    assert abs(shifts[int(np.argmin(misfit))]) <= 0.5 / 30


@pytest.mark.parametrize("kind", [*KINDS, "off"])
@pytest.mark.parametrize("count", range(6))
def test_short_curves_pass(kind, count):
    values = np.arange(count, dtype=float)[:, None] ** 2
    smoothed = smooth(np.arange(count) / 30, values, kind, 6.0)
    assert smoothed.shape == values.shape
    assert np.isfinite(smoothed).all()


def test_curves_too_slow_for_the_cutoff_stay_as_they_are():
    times = np.arange(50) / 5
    values = np.random.default_rng(0).normal(size=(50, 2))
    np.testing.assert_array_equal(smooth(times, values, "butterworth", 6.0), values)


def test_a_jump_is_removed_and_a_step_stays():
    curve = np.concatenate([np.zeros(50), np.full(50, 40.0)])
    jumpy = curve.copy()
    jumpy[20] = 300.0
    np.testing.assert_array_equal(hampel(jumpy[:, None], 3, np.full(100, 0.5))[:, 0], curve)


def test_small_noise_is_no_outlier():
    noise = np.random.default_rng(1).normal(0, 0.1, (200, 3))
    np.testing.assert_array_equal(hampel(noise, 3, np.ones(200)), noise)


def test_gaps_are_filled_with_straight_lines():
    values = np.array([[0.0], [np.nan], [np.nan], [6.0]])
    filled = fill(np.array([0.0, 1.0, 2.0, 3.0]), values, np.isfinite(values))
    assert filled[:, 0].tolist() == [0.0, 2.0, 4.0, 6.0]
    nothing = np.full((3, 1), np.nan)
    assert np.isnan(fill(np.arange(3.0), nothing, np.isfinite(nothing))).all()


@given(st.lists(st.booleans(), max_size=30))
@settings(max_examples=60)
def test_runs_cover_what_is_true(there):
    covered = np.zeros(len(there), bool)
    for start, stop in runs(np.array(there, bool)):
        assert start < stop
        covered[start:stop] = True
    assert covered.tolist() == there
