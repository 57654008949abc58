"""Tracks do not depend on how the video was cut."""

import io
from itertools import pairwise

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.errors import NoFrames, SourceMissing, VideoError
from schema.messages import FrameBatch, ModelIdentity, Source, VideoJob
from schema.names import JobKeys
from schema.options import Options
from schema.plan import FrameRange, Plan, Stream
from tests.support.memory import Memory
from tests.support.people import person_at, range_of, together
from workers.formats.poses import read_poses, write_poses
from workers.stages.dead import bury
from workers.stages.stitch import stitch

FRAMES = 40
WALK = [
    together(person_at(100 + 6 * i, 200), person_at(400 - 5 * i, 215)) if i % 7 else person_at(100 + 6 * i, 200)
    for i in range(FRAMES)
]
JOB = VideoJob.accept(Source(bucket="b", key="k.mp4", etag="e", size=1), Options(), ModelIdentity(name="m", sha256="0"))
STREAM = Stream(
    index=0,
    codec="h264",
    container="mp4",
    coded_width=640,
    coded_height=480,
    display_width=640,
    display_height=480,
    rotation=0,
    sample_aspect_ratio="1:1",
    time_base="1/30",
    frames=FRAMES,
    duration_s=FRAMES / 30,
    variable_frame_rate=False,
    frame_rate=30.0,
    has_audio=False,
)


def plan_of(cuts):
    ranges = [
        FrameRange(start=a, stop=b, first_pts=a, end_pts=b if b < FRAMES else None, seek_dts=None) for a, b in cuts
    ]
    return Plan(job_id=JOB.job_id, stream=STREAM, ranges=tuple(ranges))


def stitched(cuts, folder, lost=(), short=0, order=None):
    """Stitch the walk cut into ``cuts``.

    Ranges in ``lost`` were given up, but then somebody finished them; ``short`` frames of each do not decode.
    """
    store = Memory()
    keys = JobKeys(JOB.job_id)
    for start, stop in order or cuts:
        poses = range_of(WALK[start : stop - short], start, planned=stop - start)
        store.put_new(keys.poses(start, stop), write_poses(poses))
    for start, stop in lost:
        batch = FrameBatch(job_id=JOB.job_id, start=start, stop=stop)
        bury(store=store, step="infer", batch=batch, error=VideoError("broken"), trace="", worker="w")
    done = stitch(store=store, job=JOB, plan=plan_of(cuts), work=folder)
    return done, store.bodies[keys.result("tracks.parquet")]


def everything(cuts, folder, options):
    """All results of the walk cut into ``cuts``, by name."""
    job = VideoJob.accept(JOB.source, options, JOB.model)
    store, keys = Memory(), JobKeys(job.job_id)
    for start, stop in cuts:
        store.put_new(keys.poses(start, stop), write_poses(range_of(WALK[start:stop], start)))
    folder.mkdir()
    stitch(store=store, job=job, plan=plan_of(cuts), work=folder)
    return {key.rpartition("/")[2]: body for key, body in store.bodies.items() if "/results/" in key}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, FRAMES - 1), unique=True, max_size=12), st.randoms())
def test_any_cut_and_any_order_of_arrival_give_the_same_file(tmp_path_factory, inner, random):
    edges = [0, *sorted(inner), FRAMES]
    cuts = list(pairwise(edges))
    whole = stitched([(0, FRAMES)], tmp_path_factory.mktemp("whole"))
    pieces = stitched(cuts, tmp_path_factory.mktemp("pieces"), order=random.sample(cuts, len(cuts)))
    assert pieces[1] == whole[1]
    assert pieces[0].first_indexes == tuple(edges[:-1])


def test_every_product_but_the_archives_is_the_same_for_any_cut(tmp_path):
    options = Options.checked(formats="openpose,sleap,coco,trc,motchallenge", kinematics=True, repetitions="left_knee")
    whole, pieces = (
        everything(cuts, tmp_path / name, options)
        for name, cuts in (("a", [(0, FRAMES)]), ("b", [(i, i + 1) for i in range(FRAMES)]))
    )
    assert set(whole) == set(pieces)
    assert {"angles.csv", "angles.parquet", "timeline.png", "tracks_raw.parquet", "tracks_summary.csv"} < set(whole)
    same = {name for name in whole if whole[name] == pieces[name]}
    assert set(whole) - same <= {name for name in whole if name.endswith((".zip", ".h5", "stitched.json"))}


def test_stitching_twice_writes_once(tmp_path):
    first = stitched([(0, FRAMES)], tmp_path)
    again = stitched([(0, FRAMES)], tmp_path)
    assert first == again


def test_a_lost_range_is_named_and_the_rest_keeps_its_frame_indexes(tmp_path):
    done, body = stitched([(0, 10), (10, 20), (20, FRAMES)], tmp_path, lost={(10, 20)})
    assert done.dead_ranges == ((10, 20),)
    assert done.frames == FRAMES
    (tmp_path / "t").write_bytes(body)
    found = pq.read_table(tmp_path / "t").filter(pc.field("interpolated") == False).to_pydict()  # noqa: E712
    assert set(found["frame_index"]) == {*range(10), *range(20, FRAMES)}
    assert found["time_s"] == pytest.approx([frame / 30 for frame in found["frame_index"]])


def test_frames_that_do_not_decode_are_reported(tmp_path):
    done, _ = stitched([(0, 20), (20, FRAMES)], tmp_path, short=2)
    assert done.frames == FRAMES - 4
    assert done.warnings == ("4 of 40 frames could not be decoded and are left out",)


def test_a_video_without_any_frame_fails(tmp_path):
    with pytest.raises(NoFrames):
        stitched([(0, 5)], tmp_path, short=5)


def test_a_video_without_people_gives_an_empty_valid_table(tmp_path):
    store = Memory()
    keys = JobKeys(JOB.job_id)
    store.put_new(keys.poses(0, FRAMES), write_poses(range_of([together()] * FRAMES, 0)))
    done = stitch(store=store, job=JOB, plan=plan_of([(0, FRAMES)]), work=tmp_path)
    table = pq.read_table(io.BytesIO(store.bodies[keys.result("tracks.parquet")]))
    assert (done.frames, done.tracks, table.num_rows) == (FRAMES, 0, 0)
    assert table.column_names[:4] == ["frame_index", "time_s", "track_id", "score"]


def test_poses_survive_the_trip():
    poses = range_of(WALK[:5], 100)
    body = write_poses(poses)
    again = read_poses(body)
    assert write_poses(again) == body
    assert again.pts.tolist() == poses.pts.tolist()


def test_a_range_that_is_not_there_though_nobody_gave_it_up_is_an_error(tmp_path):
    with pytest.raises(SourceMissing, match="poses/00000000-00000040"):
        stitch(store=Memory(), job=JOB, plan=plan_of([(0, FRAMES)]), work=tmp_path)
