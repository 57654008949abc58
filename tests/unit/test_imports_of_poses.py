"""Poses of other tools come in as they went out."""

import json

import numpy as np
import pytest

from schema.errors import ConfigurationError
from tests.support.people import rows_of
from tests.support.scenes import crossings
from workers.formats.exports.all import exporter
from workers.formats.exports.port import Video
from workers.formats.imports import read_found
from workers.formats.tracks import TracksWriter

SCENE = crossings()[0]
ROWS = rows_of(SCENE.truth[:20], SCENE.ids[:20], SCENE.times[:20])
VIDEO = Video("clip", "clip.mp4", 1280, 720, 20, 30.0, (1, 2))


def exported(name, folder):
    one = exporter(name, folder, VIDEO)
    one.add(ROWS)
    one.close()


def sorted_people(found):
    return sorted(found.people.keypoints[..., :2].tolist())


def same(found, missing=()):
    assert [one.frame for one in found] == list(range(20))
    keep = [k for k in range(17) if k not in missing]
    for one in found:
        there = ROWS.pick(ROWS.frames == one.frame)
        mine = sorted(there.keypoints[:, keep, 0].tolist())
        theirs = sorted(one.people.keypoints[:, keep, 0].tolist())
        np.testing.assert_allclose(theirs, mine, atol=1e-3)


@pytest.mark.parametrize("name", ["openpose", "openpose-coco18"])
def test_openpose(name, tmp_path):
    exported(name, tmp_path)
    same(list(read_found(tmp_path / name)))


def test_coco_results(tmp_path):
    exported("coco", tmp_path)
    found = list(read_found(tmp_path / "keypoints_coco.json"))
    same(found)
    assert [one.time_s for one in found] == pytest.approx(SCENE.times[:20].tolist(), abs=1e-5)


def test_a_coco_dataset_with_labels(tmp_path):
    points = np.tile([10.0, 20.0, 2.0], 17)
    points[3:6] = 0
    document = {
        "images": [{"id": 70, "frame_index": 0}, {"id": 50, "frame_index": 1}],
        "annotations": [{"image_id": 50, "keypoints": points.tolist()}, {"image_id": 70, "keypoints": points.tolist()}],
    }
    (tmp_path / "a.json").write_text(json.dumps(document))
    found = list(read_found(tmp_path / "a.json"))
    assert [one.frame for one in found] == [0, 1]
    assert found[0].people.keypoints[0, 0].tolist() == [10.0, 20.0, 1.0]
    assert np.isnan(found[0].people.keypoints[0, 1, :2]).all()
    assert found[0].people.scores.tolist() == [1.0]


def test_our_own_file(tmp_path):
    with TracksWriter(tmp_path / "t.parquet", {}) as writer:
        writer.add(ROWS)
    same(list(read_found(tmp_path / "t.parquet")))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "{", "is no JSON"),
        ("a.json", "3", "holds no COCO keypoints"),
        ("a.json", '[{"image_id": 1}]', "needs image_id and keypoints"),
        ("a.json", '[{"image_id": "x", "keypoints": []}]', "is no frame index"),
        ("a.json", '[{"image_id": 1, "keypoints": [1, 2]}]', "have to be 51 numbers"),
        ("a.json", json.dumps([{"image_id": 1, "keypoints": ["x"] * 51}]), "have to be numbers"),
        ("a.json", json.dumps([{"image_id": 10**12, "keypoints": [1] * 51}]), "is no frame index"),
        ("a.json", json.dumps([{"image_id": [1], "keypoints": [1] * 51}]), "is no frame index"),
        ("a.json", json.dumps([{"image_id": 1, "keypoints": [1] * 51, "bbox": [1, 2]}]), "has to be four numbers"),
        ("a.json", json.dumps([{"image_id": 1, "keypoints": [1] * 51, "bbox": [1, 2, None, 4]}]), "four numbers"),
        ("a.json", json.dumps([{"image_id": 1, "keypoints": [1] * 51, "score": "high"}]), "score 'high' is no number"),
        ("a.json", json.dumps({"images": [{"name": 1}], "annotations": []}), "needs an id"),
        ("a.json", json.dumps({"images": 5, "annotations": []}), "needs an id"),
        ("a.parquet", "x", "is no track file"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(name, text, said, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError, match=said) as error:
        list(read_found(tmp_path / name))
    assert str(tmp_path / name) in str(error.value)


def test_a_folder_without_openpose_files(tmp_path):
    with pytest.raises(ConfigurationError, match="holds no file such as"):
        list(read_found(tmp_path))
    (tmp_path / "x_000000000003_keypoints.json").write_text('{"people": [{"pose_keypoints_2d": [1]}]}')
    with pytest.raises(ConfigurationError, match="75"):
        list(read_found(tmp_path))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigurationError, match="does not exist"):
        read_found(tmp_path / "nothing.json")
