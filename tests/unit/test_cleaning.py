"""What happens to tracks after tracking, on people with a known motion."""

from dataclasses import replace

import numpy as np
import pytest

from schema.options import Options
from tests.support.people import rows_of
from tests.support.scenes import Camera, Person, film, line
from tests.support.tracking import tracked
from workers.core.cleaning import CleaningRules, clean
from workers.core.rows import TrackRows

WALKER = film("walker", [Person(line(150, 120), height=300)], Camera(seconds=8, miss=0.0, false=0.0, jitter=0.01))
TRUTH = rows_of(WALKER.truth, WALKER.ids, WALKER.times)
NOISY = rows_of(WALKER.detections, WALKER.ids, WALKER.times)
RULES = CleaningRules()


def cleaned(rows, rules=RULES, times=WALKER.times):
    return clean(rows, 0, times, rules)


def error(rows):
    return np.sqrt(((rows.keypoints[..., :2] - TRUTH.keypoints[..., :2]) ** 2).sum(-1).mean())


def at_fps(fps, drop=0.0):
    camera = Camera(fps=fps, seconds=8, miss=0.0, false=0.0, jitter=0.01, drop=drop)
    return film("walker", [Person(line(150, 120), height=300)], camera)


@pytest.mark.parametrize("fps", [15, 25, 30, 60, 120])
@pytest.mark.parametrize("drop", [0.0, 0.3])
def test_the_walker_is_closer_to_the_truth_than_what_was_found(fps, drop):
    scene = at_fps(fps, drop)
    truth, noisy = rows_of(scene.truth, scene.ids, scene.times), rows_of(scene.detections, scene.ids, scene.times)
    done = clean(noisy, 0, scene.times, RULES)

    def misfit(rows):
        return np.sqrt(((rows.keypoints[..., :2] - truth.keypoints[..., :2]) ** 2).sum(-1).mean())

    assert misfit(done) <= misfit(noisy)
    if fps >= 30:
        assert misfit(done) < 0.8 * misfit(noisy)


def test_every_keypoint_gains():
    before = np.abs(NOISY.keypoints[..., :2] - TRUTH.keypoints[..., :2]).mean((0, 2))
    after = np.abs(cleaned(NOISY).keypoints[..., :2] - TRUTH.keypoints[..., :2]).mean((0, 2))
    assert (after < before).all()


def test_the_walker_is_not_delayed():
    ankle = cleaned(NOISY).keypoints[:, 15, 0] - 120 * WALKER.times
    true = TRUTH.keypoints[:, 15, 0] - 120 * WALKER.times
    shifts = np.linspace(-2, 2, 81) / 30
    misfit = [np.abs(np.interp(WALKER.times + s, WALKER.times, ankle) - true)[10:-10].mean() for s in shifts]
    assert abs(shifts[int(np.argmin(misfit))]) <= 0.5 / 30


@pytest.mark.parametrize("smoothing", ["butterworth", "one-euro", "gaussian", "median"])
def test_every_filter_helps(smoothing):
    assert error(cleaned(NOISY, replace(RULES, smoothing=smoothing))) < error(NOISY)


def test_nothing_changes_when_everything_is_off():
    rows = cleaned(NOISY, CleaningRules(smoothing="off", outliers=False))
    for name, value in vars(NOISY).items():
        np.testing.assert_array_equal(getattr(rows, name), value)


def test_a_short_gap_is_filled_and_marked_and_a_long_one_is_not():
    kept = ~(((NOISY.frames >= 40) & (NOISY.frames < 50)) | ((NOISY.frames >= 100) & (NOISY.frames < 130)))
    rows = cleaned(NOISY.pick(kept))
    assert set(rows.frames[rows.interpolated].tolist()) == set(range(40, 50))
    assert not set(range(100, 130)) & set(rows.frames.tolist())
    away = np.abs(rows.keypoints[40:50, 11, 0] - TRUTH.keypoints[40:50, 11, 0])
    assert away.max() < 6


def test_the_longest_gap_that_is_filled_is_a_time_not_a_number_of_frames():
    scene = at_fps(60)
    rows = rows_of(scene.detections, scene.ids, scene.times)
    gap = rows.pick((rows.frames < 100) | (rows.frames >= 125))
    assert clean(gap, 0, scene.times, RULES).interpolated.sum() == 25
    assert clean(gap, 0, scene.times, replace(RULES, max_gap_s=0.3)).interpolated.sum() == 0


def test_a_single_jump_is_removed():
    jumpy = NOISY.keypoints.copy()
    jumpy[60, 9, :2] += 250
    rows = cleaned(replace(NOISY, keypoints=jumpy))
    assert np.abs(rows.keypoints[60, 9, :2] - TRUTH.keypoints[60, 9, :2]).max() < 12
    kept = cleaned(replace(NOISY, keypoints=jumpy), replace(RULES, outliers=False))
    assert np.abs(kept.keypoints[60, 9, :2] - TRUTH.keypoints[60, 9, :2]).max() > 30


def test_what_the_model_is_not_sure_of_is_bridged_for_a_moment_and_kept_for_longer():
    points = NOISY.keypoints.copy()
    points[50:56, 10, :2], points[50:56, 10, 2] = 0.0, 0.05
    points[100:160, 10, :2], points[100:160, 10, 2] = 7.0, 0.05
    rows = cleaned(replace(NOISY, keypoints=points))
    assert np.abs(rows.keypoints[50:56, 10, :2] - TRUTH.keypoints[50:56, 10, :2]).max() < 25
    np.testing.assert_array_equal(rows.keypoints[100:160, 10, :2], 7.0)
    np.testing.assert_array_equal(rows.keypoints[50:56, 10, 2], np.float32(0.05))


def test_keypoints_without_an_estimate_stay_without():
    points = NOISY.keypoints.copy()
    points[:, 3] = np.nan
    rows = cleaned(replace(NOISY, keypoints=points))
    assert np.isnan(rows.keypoints[:, 3, :2]).all()
    assert np.isfinite(rows.keypoints[:, 4, :2]).all()


def test_nobody_and_one_row():
    assert len(cleaned(TrackRows.none())) == 0
    one = NOISY.pick(slice(7, 8))
    np.testing.assert_array_equal(cleaned(one).keypoints, one.keypoints)


def test_windows_do_not_show():
    camera = Camera(seconds=160, miss=0.05, false=0.0)
    long = film("long walk", [Person(line(100, 5)), Person(line(1000, -5))], camera)
    rows, found, _ = tracked(long.detections, long.times, Options())
    whole = clean(found, 0, long.times, CleaningRules())
    assert len(long.times) > 2 * 2048
    np.testing.assert_array_equal(rows.frames, whole.frames)
    np.testing.assert_allclose(rows.keypoints, whole.keypoints, atol=1e-3)
