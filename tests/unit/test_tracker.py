import numpy as np
import pytest

from schema.options import Options
from tests.support.people import person_at, together
from tests.support.scenes import crossings, scenes
from tests.support.track_metrics import People, evaluate
from tests.support.tracking import track_scene, tracked
from workers.core.linking import LinkRules, link
from workers.core.tracker import Tracker, TrackerRules

FPS = 30
RAW = Options(smooth="off", outliers=False, max_gap_s=0.0)


def track(frames, fps=FPS, options=RAW, **more):
    """Track ids of the people of each frame, in order of the track id."""
    _, found, _ = tracked(frames, np.arange(len(frames)) / fps, options, **more)
    return [found.tracks[found.frames == frame].tolist() for frame in range(len(frames))]


def standing(x, count, **more):
    return [person_at(x, 200, **more)] * count


def test_two_people_who_cross_keep_their_ids():
    frames = [together(person_at(100 + 6 * i, 200), person_at(500 - 6 * i, 215)) for i in range(60)]
    _, found, _ = tracked(frames, np.arange(60) / FPS, RAW)
    first = found.pick(found.tracks == 1)
    np.testing.assert_allclose(first.keypoints[:, 0, 0], 100 + 6 * np.arange(60), atol=1e-3)
    assert set(found.tracks.tolist()) == {1, 2}


def test_the_order_of_people_in_a_frame_does_not_matter():
    left, right = person_at(100, 200), person_at(400, 200)
    frames = [together(left, right), together(right, left)] * 10
    _, found, _ = tracked(frames, np.arange(20) / FPS, RAW)
    assert set(found.keypoints[found.tracks == 1][:, 0, 0].tolist()) == {100.0}


def test_an_absence_keeps_the_id_and_a_longer_one_ends_the_track():
    nobody = [together()]
    assert track([*standing(100, 10), *nobody * 60, *standing(105, 10)])[-1] == [1]
    assert track([*standing(100, 10), *nobody * 150, *standing(105, 10)])[-1] == [2]


def test_whoever_comes_back_far_away_is_somebody_else():
    assert track([*standing(100, 10), *[together()] * 20, *standing(900, 10)])[-1] == [2]


def test_a_weak_pose_continues_a_track_and_weak_poses_alone_make_none():
    weak = standing(101, 10, score=0.12)
    assert track(weak) == [[]] * 10
    assert track([*standing(100, 10), *weak]) == [[1]] * 20


def test_a_track_begins_with_its_first_weak_pose():
    assert track([*standing(101, 5, score=0.12), *standing(100, 10)]) == [[1]] * 15


def test_a_glimpse_is_no_track():
    frames = [*standing(100, 10), *[together(person_at(100, 200), person_at(600, 200))] * 2, *standing(100, 10)]
    assert {track_id for ids in track(frames) for track_id in ids} == {1}


def test_nobody_is_an_empty_frame():
    assert track([together(), together()]) == [[], []]


def test_one_person_in_one_frame_is_a_track():
    assert track([person_at(100, 200)]) == [[1]]


def test_two_videos_in_one_process_share_nothing():
    first, second = Tracker(TrackerRules()), Tracker(TrackerRules())
    for index in range(30):
        a, b = person_at(100 + 5 * index, 200), person_at(700 - 5 * index, 220)
        assert first.update(a, index / FPS).tolist() == [1]
        assert second.update(b, index / FPS).tolist() == [1]


def test_a_fast_walker_is_predicted():
    frames = [person_at(50 + 22 * i, 200) for i in range(30)]
    frames[10:14] = [together()] * 4
    assert {track_id for ids in track(frames) for track_id in ids} == {1}


def test_missing_keypoints_do_not_break_matching():
    broken = person_at(100, 200)
    broken.keypoints[:] = np.nan
    assert track([*standing(100, 5), broken, *standing(101, 5)]) == [[1]] * 11


def test_a_person_found_twice_is_one_track():
    twice = together(person_at(100, 200, score=0.8), person_at(103, 201, score=0.5))
    assert {track_id for ids in track([twice] * 20) for track_id in ids} == {1}


def test_a_hundred_people_are_a_hundred_tracks():
    frame = together(*(person_at(60 + 110 * (i % 20), 100 + 200 * (i // 20)) for i in range(100)))
    assert track([frame] * 5) == [list(range(1, 101))] * 5


def test_who_goes_behind_a_pillar_and_who_comes_from_there_are_told_apart_by_their_motion():
    def places(t):
        there = [person_at(100 + 200 * t, 200)] if t < 1.5 or t > 2.5 else []
        back = [person_at(900 - 200 * t, 215)] if t < 1.5 or t > 2.5 else []
        return together(*there, *back)

    times = np.arange(120) / FPS
    _, found, _ = tracked([places(t) for t in times], times, RAW)
    first = found.pick(found.tracks == 1)
    np.testing.assert_allclose(first.keypoints[:, 0, 0], 100 + 200 * first.times, atol=0.1)


def test_a_camera_that_jumps_changes_no_id():
    def frame(i):
        shake = 15 * (-1) ** (i // 5)
        return together(person_at(300 + shake, 200), person_at(420 + shake, 215), person_at(700 + shake, 190))

    assert track([frame(i) for i in range(60)]) == [[1, 2, 3]] * 60


def test_everybody_elsewhere_is_a_shot_cut():
    first = together(person_at(100, 200), person_at(400, 200))
    second = together(person_at(220, 400), person_at(900, 100))
    ids = track([*[first] * 20, *[second] * 20])
    assert ids == [[1, 2]] * 20 + [[3, 4]] * 20


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("number", range(6))
def test_crossings_make_no_id_switch(seed, number):
    scene = crossings(seed)[number]
    scored = evaluate(People(scene.truth, scene.ids), track_scene(scene))
    assert (scene.name, scored.switches) == (scene.name, 0)
    assert scored.hota > 0.85


def test_no_track_goes_across_a_shot_cut():
    for scene in (scene for seed in range(3) for scene in scenes(seed) if scene.cuts):
        people = track_scene(scene)
        shots = np.searchsorted(scene.cuts, np.arange(len(scene.times)), side="right")
        of_track = {}
        for shot, ids in zip(shots, people.ids, strict=True):
            for track_id in ids.tolist():
                of_track.setdefault(track_id, set()).add(int(shot))
        assert of_track
        assert all(len(each) == 1 for each in of_track.values())


def test_the_same_video_gives_the_same_tracks():
    scene = scenes()[6]
    a, _, _ = tracked(scene.detections, scene.times)
    b, _, _ = tracked(scene.detections, scene.times)
    for name, value in vars(a).items():
        np.testing.assert_array_equal(getattr(b, name), value)


def test_a_piece_without_another_is_a_track_of_its_own():
    tracker = Tracker(TrackerRules())
    for index in range(5):
        tracker.update(person_at(100, 200), index / FPS)
    tracker.finish()
    assert link(tracker.pieces, LinkRules()).tracks.tolist() == [0, 1]
    assert link([], LinkRules()).tracks.tolist() == [0]
