"""Object storage that fails, loses replies, cuts bodies; sources that change or are broken; publishers that die."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from producer.job import Job
from schema.errors import StorageUnavailable
from schema.manifest import Manifest
from schema.names import JobKeys
from schema.options import Options
from tests.faults.ground import Ground
from tests.faults.oracle import check, nothing_is_left
from tests.faults.rows import Record, row
from tests.support.awkward import REFUSED
from tests.support.media import SHARED
from tests.support.s3_proxy import S3Faults
from workers.storage.s3 import S3Store

pytestmark = pytest.mark.stack
WAIT_S = 150


def wait_for(jobs: list[Job]) -> None:
    assert [job.wait(WAIT_S).state for job in jobs] == ["succeeded"] * len(jobs)


def through_proxy(ground: Ground) -> S3Store:
    """Storage as workers see it."""
    return S3Store(ground.settings(ground.fleet.settings.redis_url, ground.s3_proxy.endpoint))


@row(16, "S3 answers 503, 500 or nothing on 20 % of requests", ci=True)
def test_s3_fails_often(ground: Ground, undisturbed, record: Record):
    ground.s3_proxy.s3_faults = S3Faults(error_share=0.2)
    jobs = [ground.job(batch_frames=20), ground.job(batch_frames=40, render=True)]
    wait_for(jobs)
    ground.s3_proxy.s3_faults = S3Faults()
    record.exactly("jobs done", len(jobs), 2)
    record.about(f"{ground.s3_proxy.faulty()} of {len(ground.s3_proxy.exchanges())} requests failed")
    check(ground, jobs[:1], undisturbed)
    check(ground, jobs[1:], undisturbed)
    record.verdict()


@row(17, "S3 commits the write, the reply is lost", ci=True)
def test_replies_of_writes_are_lost(ground: Ground, undisturbed, record: Record):
    ground.s3_proxy.s3_faults = S3Faults(lost_reply_share=0.5)
    jobs = [ground.job(batch_frames=20), ground.job(batch_frames=40, render=True)]
    wait_for(jobs)
    ground.s3_proxy.s3_faults = S3Faults()
    record.about(f"{ground.s3_proxy.faulty()} replies lost")
    record.exactly("redone", sum(ground.redone(job) for job in jobs), 0)
    check(ground, jobs, undisturbed)
    record.verdict()


@row(17, "S3 commits an upload in parts, the reply is lost", ci=True)
def test_the_reply_to_the_last_request_of_an_upload_is_lost(ground: Ground, record: Record, tmp_path: Path):
    path = tmp_path / "large.bin"
    path.write_bytes(random.Random(ground.seed).randbytes(17 << 20))
    ground.s3_proxy.s3_faults = S3Faults(lost_reply_share=1.0, only="large.bin?uploadId=", most=1)
    through_proxy(ground).put_new_file("large.bin", path, "application/octet-stream")
    record.exactly("replies lost", ground.s3_proxy.faulty(), 1)
    assert ground.fleet.store.get("large.bin") == path.read_bytes()
    ground.fleet.store.delete(["large.bin"])
    nothing_is_left(ground)
    record.verdict()


@row(18, "S3 truncates a body, or answers 200 to a range")
@pytest.mark.parametrize("fault", ["cut_share", "whole_share", "hidden_cut_share"])
def test_bodies_are_not_what_was_asked_for(ground: Ground, undisturbed, record: Record, fault: str):
    hidden = fault == "hidden_cut_share"  # of bodies that are read as a range: only there is a length asked for
    ground.s3_proxy.s3_faults = S3Faults(**{fault: 0.5 if hidden else 0.2}, only="/uploads/" if hidden else "")
    jobs = [ground.job(batch_frames=20), ground.job(batch_frames=40, render=True)]
    wait_for(jobs)
    ground.s3_proxy.s3_faults = S3Faults()
    record.at_least("bodies wrong", ground.s3_proxy.faulty(), 1)
    check(ground, jobs, undisturbed)
    record.verdict()


@row(18, "S3 truncates every body of the source")
def test_a_source_that_is_never_whole_fails_loudly(ground: Ground, record: Record):
    ground.s3_proxy.s3_faults = S3Faults(hidden_cut_share=1.0, only="/never.bin")
    store = through_proxy(ground)
    ground.fleet.store.put_new("never.bin", bytes(1000))
    info = ground.fleet.store.head("never.bin")
    assert info is not None
    with pytest.raises(StorageUnavailable, match=r"gave 250 bytes for 0\.\.500"):
        store.get_range(info, 0, 500)
    ground.fleet.store.delete(["never.bin"])
    record.about("refused")


@row(18, "S3 truncates a body once", ci=True)
def test_a_short_body_is_asked_for_again(ground: Ground, record: Record):
    ground.fleet.store.put_new("short.bin", bytes(range(200)))
    info = ground.fleet.store.head("short.bin")
    assert info is not None
    ground.s3_proxy.s3_faults = S3Faults(hidden_cut_share=1.0, only="/short.bin", most=1)
    assert through_proxy(ground).get_range(info, 20, 120) == bytes(range(20, 120))
    record.exactly("bodies wrong", ground.s3_proxy.faulty(), 1)
    ground.fleet.store.delete(["short.bin"])
    record.verdict()


PUBLISHING = (
    "result.before_put=kill@annotated.mp4*1",
    "publish.before_manifest=kill*1",
    "publish.after_manifest=kill*1",
)
#: At most two of one step: the third start that ends in a kill would be the last.
OTHERS = (
    "result.before_put=kill@tracks.parquet*1",
    "stitch.before_stitched=kill*1",
    "split.before_plan=kill*1",
    "split.before_messages=kill*1",
    "queue.between_messages=kill@00000040*1",
    "infer.after_claim=kill*1",
    "render.before_put=kill@00000040*1",
)


@row(19, "publisher killed between outputs and manifest, at each hook", ci=True)
def test_publishers_die(ground: Ground, undisturbed, record: Record):
    die_at(ground, undisturbed, record, PUBLISHING)


@row(19, "other tasks killed at each hook")
def test_tasks_die_at_every_place(ground: Ground, undisturbed, record: Record):
    die_at(ground, undisturbed, record, OTHERS)


def die_at(ground: Ground, undisturbed: pa.Table, record: Record, places: tuple[str, ...]) -> None:
    ground.failpoints(";".join(places))
    jobs = [ground.job(batch_frames=40, render=True) for _ in range(2)]
    with watched(ground, jobs) as partial:
        wait_for(jobs)
    markers = [path.name for path in (ground.folder / "marks").iterdir() if path.name.endswith(".0")]
    record.exactly("places", len(markers), len(places))
    record.exactly("partial manifests", len(partial), 0)
    check(ground, jobs, undisturbed)
    record.verdict()


@contextmanager
def watched(ground: Ground, jobs: list[Job]) -> Iterator[list[str]]:
    """A reader who looks all the time; manifests that name what is not there."""
    partial: list[str] = []
    over = threading.Event()
    store = S3Store(ground.fleet.settings)

    def look() -> None:
        while not over.wait(0.05):
            for job in jobs:
                body = store.get_or_none(JobKeys(job.job_id).manifest)
                for result in Manifest.from_json(body).results if body else ():
                    info = store.head(result.key)
                    if info is None or info.size != result.size:
                        partial.append(result.key)

    reader = threading.Thread(target=look)
    reader.start()
    try:
        yield partial
    finally:
        over.set()
        reader.join()


@row(21, "source overwritten during a run", ci=True)
def test_a_source_changes_during_a_run(ground: Ground, record: Record):
    uri = ground.upload(ground.clip, "changing.mp4")
    ground.failpoints("infer.start=sleep:1")
    job = ground.job(batch_frames=20, uri=uri)
    ground.under_way(job, runs=1)
    changed = ground.clip.read_bytes()
    ground.client.put_object(Bucket=ground.fleet.store.bucket, Key="uploads/changing.mp4", Body=changed + bytes(8))
    status = job.wait(WAIT_S)
    assert (status.state, status.error and status.error.reason) == ("failed", "source_changed")
    assert ground.fleet.store.head(JobKeys(job.job_id).stitched()) is None
    check(ground, [job], None, state="failed")
    results = [info.key for info in ground.fleet.store.objects(JobKeys(job.job_id).result(""))]
    record.exactly("results beside the manifest", len(results) - 1, 0)
    record.verdict()


@row(22, "broken videos", ci=True)
def test_broken_videos(ground: Ground, record: Record, tmp_path: Path):
    broken = {name: ground.upload(path) for name, path in spoiled(ground, tmp_path).items()}
    before = {name: ground.pool(name) for name in ("infer-1", "infer-2", "other")}
    jobs = {name: ground.fleet.enqueue(uri, Options(render=False), force=True) for name, uri in broken.items()}
    ends = {name: job.wait(WAIT_S).manifest for name, job in jobs.items()}
    unclear = {name: end for name, end in ends.items() if not classified(end)}
    record.exactly("not classified", len(unclear), 0)
    record.about(f"{len(ends)} files")
    assert {name: ground.pool(name) for name in before} == before, "a process died"
    assert unclear == {}
    nothing_is_left(ground)
    record.verdict()


def classified(end: Manifest | None) -> bool:
    """Whether a job has failed for a named reason, or has all frames, or says which it has not."""
    assert end is not None
    if end.state == "failed":
        return end.error is not None and end.error.reason not in ("internal", "error", "permanent")
    return end.frames == end.planned_frames or bool(end.warnings)


def spoiled(ground: Ground, folder: Path) -> dict[str, Path]:
    """The clip, damaged in many ways, and the files of the larger media folder that must be refused."""
    body, dice = ground.clip.read_bytes(), random.Random(ground.seed)
    flipped = bytearray(body)
    for _ in range(40):
        flipped[dice.randrange(len(body))] ^= 1 << dice.randrange(8)
    made = {
        "empty.mp4": b"",
        "text.mp4": b"#EXTM3U\nfile:///etc/hostname\n",
        "zeros.mp4": bytes(100_000),
        "noise.mp4": dice.randbytes(100_000),
        "half.mp4": body[: len(body) // 2],
        "tail.mp4": body[len(body) // 2 :],
        "head.mp4": body[:32],
        "flipped.mp4": bytes(flipped),
        "hole.mp4": body[:50_000] + bytes(20_000) + body[70_000:],
    }
    paths = {name: folder / name for name in made}
    for name, path in paths.items():
        path.write_bytes(made[name])
    awkward = {name: SHARED / "awkward" / name for name in REFUSED}
    return paths | {name: path for name, path in awkward.items() if path.exists()}
