import numpy as np

from tests.support.people import person_at, together
from workers.core.tracker import Tracker, TrackerRules

FPS = 30


def track(frames, rules=None):
    tracker = Tracker(rules or TrackerRules())
    return [tracker.update(people, index / FPS).tolist() for index, people in enumerate(frames)]


def test_two_people_who_cross_keep_their_ids():
    frames = [together(person_at(100 + 6 * i, 200), person_at(500 - 6 * i, 215)) for i in range(60)]
    assert track(frames) == [[1, 2]] * 60


def test_the_order_of_people_in_a_frame_does_not_matter():
    left, right = person_at(100, 200), person_at(400, 200)
    assert track([together(left, right), together(right, left)]) == [[1, 2], [2, 1]]


def test_a_short_absence_keeps_the_id_and_a_long_one_ends_the_track():
    nobody = together()
    assert track([person_at(100, 200), *[nobody] * 20, person_at(105, 200)])[-1] == [1]
    assert track([person_at(100, 200), *[nobody] * 40, person_at(105, 200)])[-1] == [2]


def test_a_weak_pose_continues_a_track_but_begins_none():
    weak = person_at(101, 200, score=0.15)
    assert track([weak]) == [[0]]
    assert track([person_at(100, 200), weak]) == [[1], [1]]


def test_nobody_is_an_empty_frame():
    assert track([together(), together()]) == [[], []]


def test_two_videos_in_one_process_share_nothing():
    first = Tracker(TrackerRules())
    first.update(person_at(1, 1), 0.0)
    assert Tracker(TrackerRules()).update(person_at(1, 1), 0.0).tolist() == [1]


def test_a_fast_walker_is_predicted():
    frames = [person_at(50 + 22 * i, 200) for i in range(30)]
    frames[10:14] = [together()] * 4
    assert {track_id for ids in track(frames) for track_id in ids} == {1}


def test_missing_keypoints_do_not_break_matching():
    broken = person_at(100, 200)
    broken.keypoints[:] = np.nan
    assert track([person_at(100, 200), broken, person_at(101, 200)])[-1] == [1]
