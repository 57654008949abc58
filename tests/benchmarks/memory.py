"""Memory of a CPU infer process over many frames: ``python -m tests.benchmarks.memory VIDEO --frames 100000``."""

import argparse
import os
from pathlib import Path

import psutil

from producer.split import make_plan
from schema.messages import Source, VideoJob
from schema.options import Options
from schema.settings import Settings
from tests.support.media import CLIP, Disk, ranged
from workers.formats.poses import write_poses
from workers.models.loaded import engine_for
from workers.models.store import identity
from workers.stages.infer import infer_range
from workers.tasks import warm_up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path, nargs="?", default=CLIP)
    parser.add_argument("--frames", type=int, default=10_000)
    arguments = parser.parse_args()
    settings = Settings.read()
    source = Source(bucket="", key=str(arguments.video), etag="", size=arguments.video.stat().st_size)
    job = VideoJob.accept(source, Options(), identity(settings.model, settings.models_dir))
    plan = make_plan(Disk(), job, settings.batch_frames)  # type: ignore[arg-type]
    process, done, said = psutil.Process(), 0, 0
    while done < arguments.frames:
        for wanted in plan.ranges:
            write_poses(infer_range(engine_for(job), ranged(arguments.video), plan, wanted))
            done += wanted.stop - wanted.start
            if done - said >= arguments.frames // 20:
                said = done
                print(f"{done:8} frames  {process.memory_info().rss / 1e6:6.0f} MB", flush=True)


if __name__ == "__main__":
    os.environ["POSEFLEET_WARM_MODEL"] = "1"
    warm_up()
    main()
