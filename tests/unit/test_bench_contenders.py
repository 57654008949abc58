"""What a benchmark compares does the same work: every contender finds the same people in the same frames."""

import numpy as np
import pytest

from schema.messages import ModelIdentity
from schema.settings import Settings
from tests.benchmarks.ideal import CORES, Ideal, Video
from tests.benchmarks.peers.movenet import Detector, ranges_of
from tests.benchmarks.peers.run import HERE, PEERS
from tests.support.media import CLIP
from workers.media.pixels import Frames
from workers.models.store import stock_folder

FRAMES = 230


@pytest.fixture(scope="module")
def folder(model: ModelIdentity):
    return stock_folder(model.name, Settings.read().models_dir).parent


def test_ranges_of_a_peer_begin_at_key_frames_and_cover_the_clip():
    assert [each.frames for each in ranges_of(CLIP, FRAMES)] == [60, 60, 60, 50]
    assert [each.frames for each in ranges_of(CLIP, 130)] == [60, 60]


def test_peers_and_ideals_find_the_same_people(folder):
    detector = Detector(CLIP, folder)
    first, *_ = ranges_of(CLIP, FRAMES)
    theirs = detector.people_of(first)
    ideal, video = Ideal(folder / "trunk.tflite", None), Video(CLIP, 1)
    found = ideal._found(video, Frames(video.plan.stream))
    for people, (_, other) in zip(theirs, found, strict=False):
        sure = people.pick(people.scores >= 0.01)
        assert np.array_equal(sure.keypoints, other.keypoints)


def test_both_shapes_of_the_ideal_see_every_frame(folder):
    ideal = Ideal(folder / "trunk.tflite", None)
    assert ideal.infer_threads(CLIP) == ideal.infer_ahead(CLIP) == FRAMES


def test_a_share_for_every_core_covers_the_clip():
    ranges = Video(CLIP, CORES).plan.ranges
    assert [each.start for each in ranges] == [0, *(each.stop for each in ranges[:-1])]
    assert ranges[-1].stop == FRAMES


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_peer_has_a_script_and_pinned_requirements_without_addresses(peer):
    assert (HERE / f"{peer.script}.py").is_file()
    locked = (HERE / f"{peer.locked}.txt").read_text()
    assert "--hash=sha256:" in locked
    assert "://" not in locked
