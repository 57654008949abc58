import numpy as np
import pytest

from schema.kinematics import ANGLES
from schema.skeleton import KEYPOINTS
from tests.support.people import person_at, rows_of
from workers.core.kinematics import Repetitions, angles_of, kinematics


def body(**places):
    """A person of whom some keypoints are known."""
    points = np.full((1, 17, 3), np.nan, np.float32)
    for name, (x, y) in places.items():
        points[0, KEYPOINTS.index(name)] = x, y, 0.9
    return points


def angle(name, **places):
    return float(angles_of(body(**places))[0, ANGLES.index(name)])


@pytest.mark.parametrize(("ankle", "flexion"), [((0, 200), 0), ((100, 100), 90), ((-100, 100), 90), ((1, 0), 179.4)])
def test_knee_flexion_is_zero_when_the_leg_is_straight(ankle, flexion):
    assert angle("left_knee", left_hip=(0, 0), left_knee=(0, 100), left_ankle=ankle) == pytest.approx(flexion, abs=0.1)


@pytest.mark.parametrize(("elbow", "raised"), [((0, 60), 0), ((60, 0), 90), ((0, -60), 180)])
def test_the_shoulder_angle_is_zero_when_the_arm_hangs(elbow, raised):
    found = angle("right_shoulder", right_hip=(0, 100), right_shoulder=(0, 0), right_elbow=elbow)
    assert found == pytest.approx(raised, abs=0.1)


def test_hip_and_elbow():
    assert angle("left_hip", left_shoulder=(0, 0), left_hip=(0, 100), left_knee=(100, 100)) == pytest.approx(90)
    assert angle("left_elbow", left_shoulder=(0, 0), left_elbow=(0, 50), left_wrist=(0, 90)) == pytest.approx(0)


def test_trunk_leans_to_the_right_of_the_picture():
    places = {"left_hip": (10, 100), "right_hip": (-10, 100), "left_shoulder": (110, 0), "right_shoulder": (90, 0)}
    assert angle("trunk", **places) == pytest.approx(45)
    assert angle("head", **places, nose=(100, -30)) == pytest.approx(0)
    assert angle("head", **places, left_ear=(135, -30), right_ear=(125, -30)) == pytest.approx(45)


def test_lines_are_level_or_tilted():
    assert angle("shoulders", left_shoulder=(50, 0), right_shoulder=(-50, 0)) == pytest.approx(0)
    assert angle("pelvis", left_hip=(50, -50), right_hip=(-50, 50)) == pytest.approx(45)
    assert angle("pelvis", left_hip=(-50, 50), right_hip=(50, -50)) == pytest.approx(45)


def test_shank():
    assert angle("left_shank", left_knee=(0, 0), left_ankle=(0, 100)) == pytest.approx(0)
    assert angle("left_shank", left_knee=(100, 0), left_ankle=(0, 100)) == pytest.approx(45)


def test_what_is_not_seen_has_no_angle():
    points = body(left_hip=(0, 0), left_knee=(0, 100), left_ankle=(0, 200))
    points[0, KEYPOINTS.index("left_knee"), 2] = 0.1
    assert np.isnan(angles_of(points)).all()
    assert np.isnan(angles_of(np.full((2, 17, 3), np.nan, np.float32))).all()


@pytest.mark.parametrize("fps", [10, 30, 60])
def test_speed_is_in_real_time(fps):
    times = np.arange(20) / fps
    rows = rows_of([person_at(100 + 90 * t, 200) for t in times], [np.zeros(1, int)] * 20, times)
    motion = kinematics(rows)
    np.testing.assert_allclose(motion.speeds, 90, rtol=1e-3)
    np.testing.assert_allclose(motion.body_speeds, 90 / 140, rtol=1e-3)


def test_a_lone_row_has_no_speed_and_a_gap_is_not_crossed():
    times = np.array([0.0, 0.1, 5.0])
    rows = rows_of([person_at(100 + 500 * t, 200) for t in times], [np.zeros(1, int)] * 3, times)
    speeds = kinematics(rows).speeds
    assert np.isnan(speeds[2])
    np.testing.assert_allclose(speeds[:2], 500, rtol=1e-3)


@pytest.mark.parametrize("starts_bent", [False, True])
def test_squats_are_counted(starts_bent):
    times = np.arange(301) / 30
    bend = 50 - 45 * np.cos(2 * np.pi * 0.5 * times + np.pi * starts_bent)
    rows = rows_of([person_at(100, 200)] * 301, [np.zeros(1, int)] * 301, times)
    angles = np.full((301, len(ANGLES)), np.nan, np.float32)
    angles[:, ANGLES.index("left_knee")] = bend + np.random.default_rng(0).normal(0, 3, 301)
    whole, parts = Repetitions("left_knee"), Repetitions("left_knee")
    whole.add(rows, angles)
    for start in range(0, 301, 40):
        part = slice(start, start + 40)
        parts.add(rows.pick(part), angles[part])
    assert whole.count(1) == parts.count(1) == 5
    assert whole.count(2) == 0
