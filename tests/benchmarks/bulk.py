"""Thousands of videos at once: how fast they are enqueued, and how soon a single one begins among them.

    python -m tests.benchmarks.bulk [--objects 10000] [--load 500]

Objects of a byte below a prefix become jobs, twice; then, among many real videos of one submitter, somebody else's
single one is timed from the answer of ``enqueue`` to the start of its first batch.  All on a stack of its own, workers
included.
"""

import argparse
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from producer import Fleet
from producer.bulk import Bulk, Filter, Order, below, enqueue_all
from producer.stack.stack import Stack
from schema.names import ProgressKeys
from schema.options import Options
from schema.settings import Settings
from tests.support.media import CLIP, beginning

_TRACKS_ONLY = Options(render=False)


def put(fleet: Fleet, prefix: str, count: int, body: bytes) -> str:
    """So many objects, 100 in a folder, each of other content."""
    names = [f"{prefix}{number // 100:03}/{number:05}.mp4" for number in range(count)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: fleet.store.put_new(name, body + name[-9:].encode()), names))
    return f"s3://{fleet.store.bucket}/{prefix}"


def enqueue(fleet: Fleet, prefix: str, submitter: str) -> tuple[float, Bulk]:
    """Seconds it took, and what became of it."""
    began, bulk = time.monotonic(), Bulk()
    order = Order(_TRACKS_ONLY, submitter=submitter)
    enqueue_all(fleet, below(fleet, prefix, Filter(), bulk), order, bulk)
    return time.monotonic() - began, bulk


def single(fleet: Fleet, uri: str) -> tuple[float, float]:
    """Seconds until a job of somebody else is split, and until its first batch begins."""
    job = fleet.enqueue(uri, _TRACKS_ONLY, submitter="somebody", force=True)
    began, times = time.monotonic(), dict[str, float]()
    while "infer:start" not in times:
        for name in fleet.progress.redis.hkeys(ProgressKeys(job.job_id).times):
            times.setdefault(name, time.monotonic() - began)
        time.sleep(0.01)
    return times["split:start"], times["infer:start"]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--load", type=int, default=500)
    asked = parser.parse_args()
    with fleet_of_its_own() as (fleet, folder):
        among_many(fleet, asked.load, folder)
    with fleet_of_its_own() as (fleet, _):
        thousands(fleet, asked.objects)


@contextmanager
def fleet_of_its_own() -> Iterator[tuple[Fleet, Path]]:
    """A stack with workers, and its folder."""
    with TemporaryDirectory() as folder:
        os.environ["POSEFLEET_DATA_DIR"] = folder
        settings = Settings.read()
        stack = Stack(settings, print)
        stack.start()
        try:
            yield Fleet(stack.addresses.settings(settings)), Path(folder)
        finally:
            stack.kill()


def thousands(fleet: Fleet, objects: int) -> None:
    """Enqueue tiny objects, twice."""
    prefix = put(fleet, "tiny/", objects, b"x")
    for turn in ("first", "second"):
        took, bulk = enqueue(fleet, prefix, "bulk")
        print(
            f"{turn} time, {objects:,} objects: {took:.1f} s, {bulk.new:,} new jobs, {bulk.known:,} had one", flush=True
        )


def among_many(fleet: Fleet, load: int, folder: Path) -> None:
    """Time single videos while many of somebody else wait."""
    clip = beginning(CLIP, folder / "clip.mp4", frames=60).read_bytes()
    prefix = put(fleet, "load/", load, clip)
    fleet.store.put_new("alone/video.mp4", clip)
    took, _ = enqueue(fleet, prefix, "bulk")
    print(f"{load} videos of 60 frames enqueued in {took:.1f} s", flush=True)
    for number in range(5):
        time.sleep(5)
        split_s, infer_s = single(fleet, f"s3://{fleet.store.bucket}/alone/video.mp4")
        left = fleet.progress.outstanding("split") + fleet.progress.outstanding("infer")
        print(
            f"single video {number + 1}: split begins after {split_s:.2f} s, infer after {infer_s:.2f} s; {left} wait"
        )


if __name__ == "__main__":
    main()
