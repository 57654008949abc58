"""The whole arrow with real servers and real worker processes."""

import json
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from producer import Fleet
from producer.inputs import upload
from producer.models import models_for
from producer.stack.stack import Stack
from schema.manifest import Manifest, Stitched
from schema.messages import JobReference, Source, VideoJob
from schema.names import JobKeys
from schema.options import Options
from schema.queue import send
from tests.support.flower import flower
from tests.support.media import CLIP

pytestmark = pytest.mark.stack
WAIT_S = 120


@pytest.fixture(scope="module")
def uri(fleet: Fleet) -> str:
    return upload(fleet, CLIP)


@pytest.fixture(scope="module")
def finished(fleet: Fleet, uri: str) -> Any:
    job = fleet.enqueue(uri)
    status = job.wait(WAIT_S)
    assert status.state == "succeeded", status
    return job


def manifest_of(job: Any) -> Manifest:
    return job.status().manifest


def test_every_planned_frame_is_published(finished, fleet):
    manifest = manifest_of(finished)
    assert manifest.planned_frames == manifest.frames == 230
    assert manifest.warnings == ()
    stitched = Stitched.from_json(fleet.store.get(JobKeys(finished.job_id).stitched()))
    assert stitched.first_indexes[0] == 0
    assert set(manifest.steps) == {"split", "infer", "stitch", "render"}


def test_the_manifest_says_where_the_time_went(finished):
    manifest = manifest_of(finished)
    infer, render = manifest.steps["infer"], manifest.steps["render"]
    assert {"fetch", "decode", "letterbox", "infer", "heads", "write"} <= set(infer.parts)
    assert {"fetch", "decode", "draw", "encode", "write"} <= set(render.parts)
    for report in (infer, render):
        assert 0 < report.speed_of_light < 1.2
        assert report.ideal_seconds < 1.2 * report.busy_seconds
    assert infer.parts["heads"] < infer.parts["infer"] < infer.busy_seconds
    assert manifest.steps["stitch"].speed_of_light is None
    assert 0 < manifest.speed_of_light < 1.2
    assert finished.fleet.info(finished.job_id).speed_of_light == manifest.speed_of_light


def test_the_manifest_lists_results_as_they_are(finished, fleet):
    for result in manifest_of(finished).results:
        info = fleet.store.head(result.key)
        assert info is not None
        assert info.size == result.size


def test_tracks_show_the_two_people(finished):
    table = finished.tracks().to_pandas()
    assert table["frame_index"].is_monotonic_increasing
    assert not table.duplicated(["frame_index", "track_id"]).any()
    assert table.groupby("frame_index").size().max() == 2
    assert table["track_id"].min() == 1
    walker = table[table["frame_index"] == 60].iloc[-1]
    assert 640 < walker["bbox_x"] + walker["bbox_w"] / 2 < 720
    assert 255 < walker["nose_y"] < 310


def test_the_file_says_where_it_comes_from(finished, fleet, tmp_path):
    import pyarrow.parquet as pq

    paths = {path.name: path for path in fleet.fetch(finished.job_id, tmp_path)}
    stored = json.loads(pq.read_schema(paths["tracks.parquet"]).metadata[b"posefleet"])
    assert stored["model"]["sha256"] == manifest_of(finished).model["sha256"]
    assert stored["source"]["size"] == CLIP.stat().st_size


def test_the_annotated_video_has_the_frames_times_and_sound_of_the_source(finished, fleet, tmp_path):
    fleet.fetch(finished.job_id, tmp_path)
    source, made = streams_of(CLIP), streams_of(tmp_path / "annotated.mp4")
    assert made["codec"] == "h264"
    assert made["format"] == "yuv420p"
    np.testing.assert_allclose(made["times"], source["times"], atol=1e-6)
    assert made["sound"] == source["sound"]
    body = (tmp_path / "annotated.mp4").read_bytes()
    assert body.index(b"moov") < body.index(b"mdat")


def streams_of(path: Path) -> dict[str, Any]:
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        frames = list(container.decode(video))
        container.seek(0)
        sound = [(p.pts * p.time_base, p.size) for p in container.demux(container.streams.audio[0]) if p.size]
        return {
            "codec": video.codec_context.name,
            "format": frames[0].format.name,
            "times": [float(frame.pts * video.time_base) for frame in frames],
            "sound": sound,
        }


def test_something_is_drawn_on_the_people_and_nothing_elsewhere(finished, fleet, tmp_path):
    fleet.fetch(finished.job_id, tmp_path)
    source, made = picture(CLIP, 60), picture(tmp_path / "annotated.mp4", 60)
    difference = np.abs(source.astype(int) - made).sum(-1)
    assert (difference[270:440, 620:730] > 150).mean() > 0.05
    assert (difference[250:, :560] > 150).mean() < 0.002


def picture(path: Path, index: int) -> Any:
    with av.open(str(path)) as container:
        frames = container.decode(container.streams.video[0])
        return next(frame for i, frame in enumerate(frames) if i == index).to_ndarray(format="rgb24")


def test_the_same_enqueue_twice_does_no_second_work(finished, fleet, uri):
    before = {o.key: o.etag for o in fleet.store.objects(JobKeys(finished.job_id).prefix)}
    again = fleet.enqueue(uri)
    assert again.job_id == finished.job_id
    time.sleep(1)
    assert fleet.progress.redis.llen("posefleet:plan") == 0
    assert {o.key: o.etag for o in fleet.store.objects(JobKeys(finished.job_id).prefix)} == before
    assert fleet.progress.redis.hget(f"posefleet:job:{finished.job_id}:attempts", "split:all") == "1"


def test_pieces_are_gone_once_the_video_is_joined(finished, fleet):
    assert list(fleet.store.objects(f"{JobKeys(finished.job_id).prefix}render/")) == []


def shown(stack: Stack, job: Any) -> dict[str, str]:
    """What Flower shows of a job: names of tasks, and what they are about."""
    tasks = json.loads(flower(stack.addresses, "/api/tasks?limit=1000")).values()
    return {task["name"]: task["args"] for task in tasks if job.job_id in str(task["args"])}


def test_flower_shows_readable_tasks(finished, fleet, uri, stack):
    """A Flower that has to connect anew misses events, as they are told once: then one more job shows it."""
    steps = {f"posefleet.{step}" for step in ("split", "infer", "stitch", "render", "publish")}
    job = finished
    if set(shown(stack, job)) != steps:
        job = fleet.enqueue(uri, force=True)
        assert job.wait(WAIT_S).state == "succeeded"
    mine = shown(stack, job)
    assert set(mine) == steps, logged(stack, "flower")
    assert mine["posefleet.infer"].startswith(f"(job {job.job_id} frames ")
    assert ".." in mine["posefleet.infer"]


def logged(stack: Stack, name: str) -> str:
    return next(child.last_lines() for child in stack.children if child.name == name)


def test_a_cancelled_job_ends_without_results(fleet, uri):
    job = fleet.enqueue(uri, force=True)
    assert fleet.cancel(job.job_id)
    assert job.wait(WAIT_S).state == "cancelled"
    assert manifest_of(job).results == ()
    assert not fleet.cancel(job.job_id)


def test_a_missing_object_fails_with_a_reason(fleet):
    job = fleet.enqueue(f"s3://{fleet.store.bucket}/nothing/here.mp4")
    status = job.wait(WAIT_S)
    assert status.state == "failed"
    assert status.error.reason == "source_missing"
    assert status.error.message == f"there is no s3://{fleet.store.bucket}/nothing/here.mp4"


def test_a_source_overwritten_before_its_turn_is_never_mixed(fleet):
    body = CLIP.read_bytes()
    client = fleet.store._client
    client.put_object(Bucket=fleet.store.bucket, Key="changing.mp4", Body=body)
    info = fleet.store.head("changing.mp4")
    client.put_object(Bucket=fleet.store.bucket, Key="changing.mp4", Body=body + b"\0" * 8)
    source = Source(bucket=info.bucket, key=info.key, etag=info.etag, size=info.size)
    job = VideoJob.accept(source, Options(), models_for(fleet.settings, None, Options())[0], nonce="changing")
    fleet.store.put_new(JobKeys(job.job_id).job, job.to_json())
    send(fleet.dispatch.app, "posefleet.split", [JobReference(job_id=job.job_id)])
    status = fleet.job(job.job_id).wait(WAIT_S)
    assert (status.state, status.error.reason) == ("failed", "source_changed")
