"""What must hold at the end of every row, whatever the fault was."""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pyarrow as pa

from producer.job import Job
from schema.manifest import Manifest
from schema.names import ANNOTATED, OPEN, STEPS, JobKeys, LedgerKeys
from schema.plan import Plan
from tests.faults.ground import VISIBILITY_S, Ground
from tests.support.waiting import until

_SETTLE_S = VISIBILITY_S + 30


def check(ground: Ground, jobs: Iterable[Job], reference: pa.Table | None, *, state: str = "succeeded") -> None:
    """Everything that every row must leave behind.

    Args:
        ground: the fleet.
        jobs: that have ended.
        reference: tracks of an undisturbed run with the same options; none where tracks may differ.
        state: how the jobs must have ended.
    """
    for job in jobs:
        manifest = _one_manifest(ground, job)
        assert manifest.state == state, manifest.error
        if state in ("succeeded", "partial"):
            _frames(ground, job, manifest, reference)
    nothing_is_left(ground)


def _one_manifest(ground: Ground, job: Job) -> Manifest:
    keys = JobKeys(job.job_id)
    found = [info.key for info in ground.fleet.store.objects(keys.prefix) if info.key.endswith("manifest.json")]
    assert found == [keys.manifest]
    writes = [each for each in ground.s3_proxy.exchanges() if each.method == "PUT" and keys.manifest in each.target]
    assert sum(each.status == 200 for each in writes) <= 1, f"{keys.manifest} was written twice"
    return Manifest.from_json(ground.fleet.store.get(keys.manifest))


def _frames(ground: Ground, job: Job, manifest: Manifest, reference: pa.Table | None) -> None:
    store, keys = ground.fleet.store, JobKeys(job.job_id)
    plan = Plan.from_json(store.get(keys.plan))
    bounds = [(each.start, each.stop) for each in plan.ranges]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == plan.stream.frames == manifest.planned_frames == manifest.frames
    assert all(first[1] == second[0] for first, second in pairwise(bounds)), "a gap or an overlap in the plan"
    given_up = set(manifest.dead_ranges)
    poses = {info.key for info in store.objects(f"{keys.prefix}poses/")}
    assert poses == {keys.poses(*each) for each in bounds if each not in given_up}
    table = job.tracks()
    _monotone(table, plan.stream.frames)
    if reference is not None:
        assert table.equals(reference), "tracks differ from those of an undisturbed run"
    _results(ground, manifest)
    until(lambda: not list(store.objects(keys.render_prefix)), _SETTLE_S, "pieces are left")


def _monotone(table: pa.Table, frames: int) -> None:
    indexes, times = (table.column(name).to_numpy() for name in ("frame_index", "time_s"))
    assert (np.diff(indexes) >= 0).all()
    assert (np.diff(times) >= 0).all()
    assert ((np.diff(indexes) > 0) == (np.diff(times) > 0)).all(), "two times for a frame, or two frames at a time"
    assert indexes.max(initial=0) < frames


def _results(ground: Ground, manifest: Manifest) -> None:
    """All results are there, whole; the annotated video has all frames."""
    for result in manifest.results:
        info = ground.fleet.store.head(result.key)
        assert info is not None, f"{result.key} is missing"
        assert info.size == result.size, f"{result.key} is not whole"
    video = next((result for result in manifest.results if result.name == ANNOTATED), None)
    assert (video is not None) == bool(manifest.options["render"])
    if video is not None:
        assert _shown(ground, video.key) == manifest.frames


def _shown(ground: Ground, key: str) -> int:
    path = ground.folder / "annotated.mp4"
    ground.fleet.store.download(key, path)
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def nothing_is_left(ground: Ground) -> None:
    """No message, claim, upload or folder stays behind; no worker died that should live."""
    assert ground.dead() == []
    until(lambda: ground.outstanding() == 0, _SETTLE_S, "messages are left")
    assert ground.redis.zcard("posefleet:unacked_index") == 0
    until(lambda: not ledger(ground), _SETTLE_S, "units are left in the ledger")
    until(lambda: not opened(ground), _SETTLE_S, "jobs are left open")
    claims = [key for key in ground.redis.scan_iter("posefleet:job:*:claim:*") if ground.redis.ttl(key) < 0]
    assert claims == [], "claims that never end"
    uploads = ground.client.list_multipart_uploads(Bucket=ground.fleet.store.bucket)
    assert uploads.get("Uploads", []) == []
    work = ground.folder / "data" / "work"
    until(lambda: not folders(work), 10, f"temporary folders are left: {folders(work)}")


def ledger(ground: Ground) -> list[str]:
    """Units that wait or run, and jobs that are under way, as Redis has it."""
    keys = [LedgerKeys.open, *(key(step) for step in STEPS for key in (LedgerKeys.waiting, LedgerKeys.running))]
    return [name for key in keys for name in ground.redis.zrange(key, 0, -1)]


def opened(ground: Ground) -> list[str]:
    """Jobs that are under way, as storage has it."""
    return [info.key for info in ground.fleet.store.objects(OPEN)]


def folders(work: Path) -> list[str]:
    """Folders of tasks."""
    return sorted(each.name for each in work.iterdir()) if work.exists() else []
