"""Every format is read by a reader that others wrote, also where there is little or too much to write."""

import io
import json
import warnings
from contextlib import redirect_stdout
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from schema.formats import FORMATS
from schema.skeleton import KEYPOINTS
from tests.support.people import rows_of
from tests.support.scenes import crossings
from workers.core.rows import TrackRows
from workers.formats.exports.all import exporter
from workers.formats.exports.json_lists import POSETRACK, posetrack_points
from workers.formats.exports.openpose import BODY_25, COCO_18
from workers.formats.exports.port import Video
from workers.formats.tracks import TracksFile, TracksWriter

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from loguru import logger
    from movement.io import load_poses
    from pose_format.utils.openpose import load_openpose_directory
    from pycocotools.coco import COCO
    from sleap_io import load_file
    from trackeval.datasets import MotChallenge2DBox
    from trc import TRCData

SCENE = crossings()[0]


def two_people():
    """Two people who cross, one of them away for ten frames."""
    rows = rows_of(SCENE.truth[:60], SCENE.ids[:60], SCENE.times[:60])
    return rows.pick(~((rows.tracks == 1) & (rows.frames >= 20) & (rows.frames < 30)))


def crowd():
    """A hundred people in three frames."""
    one = two_people().pick(slice(0, 1))
    frames = np.repeat(np.arange(3), 100)
    tracks = np.tile(np.arange(1, 101), 3)
    many = TrackRows.joined([one] * 300)
    return TrackRows(
        frames, frames / 30, tracks.astype(np.int32), many.scores, many.boxes, many.keypoints, many.interpolated
    )


def nan_only():
    """A person without a single keypoint."""
    rows = two_people().pick(slice(0, 4))
    return replace(rows, keypoints=np.full_like(rows.keypoints, np.nan))


CASES = {
    "two people": (two_people(), 60),
    "nobody": (TrackRows.none(), 12),
    "no frame": (TrackRows.none(), 0),
    "one frame without people": (TrackRows.none(), 1),
    "one person in one frame": (two_people().pick(slice(0, 1)), 1),
    "one person in one of many frames": (two_people().pick(slice(4, 5)), 40),
    "a hundred people": (crowd(), 3),
    "no keypoints": (nan_only(), 2),
}


@pytest.fixture(params=CASES)
def case(request, tmp_path):
    """Rows, their video, and a folder with all exports; nothing on the way may warn."""
    rows, frames = CASES[request.param]
    tracks = tuple(np.unique(rows.tracks).tolist())
    video = Video("clip", "s3://b/clip.mp4", 1280, 720, frames, 30.0, tracks)
    for name in FORMATS:
        one = exporter(name, tmp_path, video)
        for start in range(0, frames + 1, 16):
            one.add(rows.pick((rows.frames >= start) & (rows.frames < start + 16)))
        one.close()
    said = []
    sink = logger.add(said.append, level="WARNING")
    yield rows, video, tmp_path
    logger.remove(sink)
    assert said == []


def dense(rows, video):
    """``[frames, people, 17, 3]``, NaN where nobody is; one person at least."""
    table = np.full((video.frames, max(1, len(video.tracks)), 17, 3), np.nan)
    if len(rows):
        table[rows.frames, np.searchsorted(video.tracks, rows.tracks)] = rows.keypoints
    return table


def same(read, expected, tolerance):
    """Whether a dataset of movement's holds ``expected``."""
    position = read.position.transpose("time", "individuals", "keypoints", "space")
    confidence = read.confidence.transpose("time", "individuals", "keypoints")
    np.testing.assert_allclose(position, expected[..., :2], rtol=tolerance)
    np.testing.assert_allclose(confidence, expected[..., 2], rtol=tolerance)


@pytest.mark.parametrize("suffix", ["h5", "csv"])
def test_movement_reads_deeplabcut(case, suffix):
    rows, video, folder = case
    if video.frames == 0 and suffix == "csv":
        return  # movement takes no CSV table without lines
    read = load_poses.from_dlc_file(folder / f"clip_deeplabcut.{suffix}", fps=30)
    expected = dense(rows, video)
    assert [str(name) for name in read.keypoints.values] == list(KEYPOINTS)
    np.testing.assert_allclose(
        read.position.transpose("time", "individuals", "keypoints", "space"), expected[..., :2], rtol=1e-4
    )
    np.testing.assert_allclose(
        read.confidence.transpose("time", "individuals", "keypoints"), expected[..., 2], rtol=1e-4
    )


def test_deeplabcut_is_what_pandas_would_write(case):
    rows, video, folder = case
    people = [f"person{track}" for track in video.tracks or (1,)]
    levels = [["posefleet"], people, list(KEYPOINTS), ["x", "y", "likelihood"]]
    columns = pd.MultiIndex.from_product(levels, names=["scorer", "individuals", "bodyparts", "coords"])
    values = dense(rows, video).reshape(video.frames, len(columns))
    table = pd.DataFrame(values, columns=columns)
    pd.testing.assert_frame_equal(pd.read_hdf(folder / "clip_deeplabcut.h5"), table, check_index_type=False)
    assert (folder / "clip_deeplabcut.csv").read_text() == table.to_csv()


def test_movement_reads_sleap(case):
    rows, video, folder = case
    read = load_poses.from_sleap_file(folder / "clip.analysis.h5", fps=30)
    expected = dense(rows, video)
    np.testing.assert_allclose(
        read.position.transpose("time", "individuals", "keypoints", "space"), expected[..., :2], rtol=1e-5
    )
    np.testing.assert_allclose(
        read.confidence.transpose("time", "individuals", "keypoints"), expected[..., 2], rtol=1e-5
    )


def test_sleap_io_reads_sleap(case):
    rows, _, folder = case
    read = load_file(str(folder / "clip.analysis.h5"))
    assert [node.name for node in read.skeletons[0].nodes] == list(KEYPOINTS)
    seen = np.isfinite(rows.keypoints[..., :2]).any((1, 2))
    assert len(read.labeled_frames) == len(np.unique(rows.frames[seen]))


def test_pycocotools_reads_coco(case):
    rows, video, folder = case
    listed = json.loads((folder / "keypoints_coco.json").read_text())
    assert len(listed) == len(rows)
    if not listed:
        return  # loadRes takes no empty list, whoever wrote it
    with redirect_stdout(io.StringIO()):
        truth = COCO()
        images = [{"id": frame, "width": 1280, "height": 720} for frame in range(video.frames)]
        truth.dataset = {"info": {}, "images": images, "annotations": [], "categories": [{"id": 1, "name": "person"}]}
        truth.createIndex()
        read = truth.loadRes(str(folder / "keypoints_coco.json"))
    first = np.array(read.anns[1]["keypoints"]).reshape(17, 3)
    np.testing.assert_allclose(first, np.nan_to_num(rows.keypoints[0]), atol=1e-3)
    assert {one["track_id"] for one in listed} == set(video.tracks)


def test_trackeval_reads_motchallenge(case):
    rows, _, folder = case
    read, _ = MotChallenge2DBox._load_simple_text_file(str(folder / "clip_motchallenge.txt"))
    assert sum(map(len, read.values())) == len(rows)
    for key, lines in read.items():
        there = rows.frames == int(key) - 1
        np.testing.assert_allclose(np.array(lines, float)[:, 2:6], rows.boxes[there], atol=0.01)


def test_a_trc_reader_reads_trc(case):
    rows, video, folder = case
    files = sorted((folder / "trc").iterdir())
    assert len(files) == len(video.tracks)
    for track, path in zip(video.tracks, files, strict=True):
        one = rows.pick(rows.tracks == track)
        read = TRCData()
        read.load(str(path))
        assert read["Markers"] == list(KEYPOINTS)
        np.testing.assert_allclose(read["Time"], one.times, atol=1e-6)
        nose = np.array(read["nose"])[:, :2]
        np.testing.assert_allclose(nose, one.keypoints[:, 0, :2] * [1, -1] + [0, 719], atol=1e-3)


def test_pandas_reads_csv_and_mot(case):
    rows, _, folder = case
    read = pd.read_csv(folder / "tracks.csv")
    assert len(read) == len(rows)
    assert list(read.columns[:4]) == ["frame_index", "time_s", "track_id", "score"]
    np.testing.assert_allclose(read["left_knee_x"].astype(float), rows.keypoints[:, 13, 0], rtol=1e-5)
    for path in (folder / "mot").iterdir():
        head, _, _ = path.read_text().partition("endheader\n")
        angles = pd.read_csv(path, sep="\t", skiprows=head.count("\n") + 1)
        assert f"nRows={len(angles)}\n" in head
        assert f"nColumns={len(angles.columns)}\n" in head
        assert angles.columns[0] == "time"


@pytest.mark.parametrize(("name", "order"), [("openpose", BODY_25), ("openpose-coco18", COCO_18)])
def test_openpose_has_a_file_per_frame(case, name, order):
    rows, video, folder = case
    files = sorted((folder / name).iterdir())
    assert [path.name for path in files] == [f"clip_{frame:012d}_keypoints.json" for frame in range(video.frames)]
    for frame, path in enumerate(files):
        people = json.loads(path.read_text())["people"]
        there = rows.pick(rows.frames == frame)
        assert [person["person_id"] for person in people] == [[track] for track in there.tracks.tolist()]
        for person, points in zip(people, there.keypoints, strict=True):
            values = np.array(person["pose_keypoints_2d"]).reshape(len(order), 3)
            np.testing.assert_allclose(values[0], np.nan_to_num(points[0]), atol=1e-3)
            neck = np.nan_to_num(points[5:7, :2].mean(0))
            np.testing.assert_allclose(values[1, :2], neck, atol=1e-3)


def test_pose_format_reads_openpose(case):
    rows, video, folder = case
    if video.frames == 0:
        return  # it takes no empty folder
    read = load_openpose_directory(str(folder / "openpose"), fps=30, width=1280, height=720)
    most = int(np.unique(rows.frames, return_counts=True)[1].max(initial=0))
    assert read.body.data.shape[:2] == (video.frames, most)
    for row in range(len(rows)):
        place = row - int(np.searchsorted(rows.frames, rows.frames[row]))
        nose = read.body.data.data[rows.frames[row], place, 0]
        np.testing.assert_allclose(nose, np.nan_to_num(rows.keypoints[row, 0, :2]), atol=1e-3)


def test_pandas_reads_mmpose_an_item_per_frame(case):
    rows, video, folder = case
    listed = pd.read_json(folder / "clip_mmpose.json")
    if video.frames == 0:
        assert len(listed) == 0
        return
    assert listed["frame_id"].tolist() == list(range(video.frames))
    instances = [one for item in listed["instances"] for one in item]
    assert len(instances) == len(rows)
    for one, points in zip(instances, rows.keypoints, strict=True):
        np.testing.assert_allclose(one["keypoints"], np.nan_to_num(points[:, :2]), atol=1e-3)


def test_pycocotools_reads_posetrack(case):
    rows, video, folder = case
    with redirect_stdout(io.StringIO()):
        read = COCO(str(folder / "clip_posetrack.json"))
    document = read.dataset
    assert len(read.imgs) == video.frames
    assert len(read.anns) == len(rows)
    assert document["categories"][0]["keypoints"] == list(POSETRACK)
    known = {image["id"] for image in document["images"]}
    for one, points in zip(document["annotations"], rows.keypoints, strict=True):
        assert one["image_id"] in known
        values = np.array(one["keypoints"]).reshape(17, 3)
        np.testing.assert_allclose(values[16, :2], np.nan_to_num(points[16, :2]), atol=1e-3)


def test_neck_and_crown_of_posetrack_lie_on_the_line_through_the_nose():
    rows = two_people().pick(slice(0, 1))
    nose, neck, crown = posetrack_points(rows.keypoints)[0, :3, :2]
    assert crown[1] < nose[1] < neck[1]
    assert abs(np.linalg.det(np.stack([nose - neck, crown - neck]))) < 1e-2


def test_the_native_table_survives_the_trip(tmp_path):
    rows = two_people()
    with TracksWriter(tmp_path / "t.parquet", {"frames": 60}) as writer:
        writer.add(rows)
    read = TracksFile(tmp_path / "t.parquet")
    again = TrackRows.joined(list(read))
    for name, value in vars(rows).items():
        np.testing.assert_array_equal(getattr(again, name), value)
    assert read.metadata == {"frames": 60}


def test_row_groups_do_not_depend_on_how_rows_arrive(tmp_path):
    rows = crowd()
    big = TrackRows.joined([rows] * 80)
    for name, step in (("a", len(big)), ("b", 777)):
        with TracksWriter(tmp_path / name, {}) as writer:
            for start in range(0, len(big), step):
                writer.add(big.pick(slice(start, start + step)))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert pq.ParquetFile(tmp_path / "a").num_row_groups == 2
