"""Time and memory of tracking a long video: ``python -m tests.benchmarks.tracking --frames 216000 --people 6``.

People wander and cross; everything that the stitch step does with poses is done: tracking, linking, cleaning, and
writing ``tracks.parquet``, ``tracks_raw.parquet`` and the summary.  Only storage is left out.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from schema.options import Options
from tests.support.scenes import Camera, Person, film, wander
from workers.core.camera import SKETCH_VALUES
from workers.formats.poses import read_poses, write_poses
from workers.stages.products import About, make
from workers.stages.tracking import Frame

_PERIOD = 1800


def _bodies(people: int, sketches: bool) -> list[bytes]:
    """One minute of poses, as infer writes them."""
    rng = np.random.default_rng(7)
    scene = film("long", [Person(wander(rng), height=200) for _ in range(people)], Camera(seconds=_PERIOD / 30))
    from dataclasses import replace

    from tests.support.people import range_of

    bodies = []
    for start in range(0, _PERIOD, 240):
        frames = scene.detections[start : start + 240]
        poses = range_of(frames, start)
        look = rng.integers(90, 92, (len(frames), SKETCH_VALUES), np.uint8)
        bodies.append(write_poses(replace(poses, sketches=look) if sketches else poses))
    return bodies


def _frames(bodies: list[bytes], count: int) -> Iterator[Frame]:
    index = 0
    while index < count:
        for body in bodies:
            poses = read_poses(body)
            for people, sketch in zip(poses.frames(), poses.looks(), strict=True):
                if index < count:
                    yield Frame(index / 30, people, sketch)
                index += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=216_000)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--no-sketches", action="store_true")
    given = parser.parse_args()
    bodies = _bodies(given.people, not given.no_sketches)
    with tempfile.TemporaryDirectory() as folder:
        _run(bodies, 2000, Path(folder) / "warm")
        began, used = time.monotonic(), time.process_time()
        made = _run(bodies, given.frames, Path(folder) / "long")
        wall, cpu = time.monotonic() - began, time.process_time() - used
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{given.frames} frames x {given.people} people: {wall:.1f} s wall, {cpu:.1f} s CPU, "
        f"{given.frames / wall:.0f} frames/s, {memory:.0f} MB at most, {len(made.reports)} tracks"
    )


def _run(bodies: list[bytes], frames: int, folder: Path):  # type: ignore[no-untyped-def]
    about = About("long", "", 1280, 720, 30.0, {})
    return make(_frames(bodies, frames), about, Options(), folder)


if __name__ == "__main__":
    main()
