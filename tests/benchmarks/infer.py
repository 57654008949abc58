"""The infer step beside an ideal pipeline and the bare model, in turn in one run: ``make bench``.

The ideal pipeline decodes, scales, runs the model and decodes its heads in one process on all cores, from a local
file; it takes the faster of two shapes: a thread per core that does everything for its share of the video, and one
thread that decodes ahead of a model that uses all cores.  The fleet does the same work through Redis, S3 and
worker processes.  Ratios count: absolute figures are this machine's, at this moment.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import numpy as np

from producer import Fleet
from producer.inputs import upload
from producer.split import make_plan
from producer.stack.stack import Stack
from schema.messages import ModelIdentity, Options, Plan, Source, VideoJob
from schema.settings import Settings
from tests.support.media import CLIP, Disk, ranged
from workers.models.litert import LiteRTModel
from workers.models.store import identity
from workers.stages.infer import infer_range

CORES = os.cpu_count() or 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loops", type=int, default=6, help="how often the clip of 230 frames is repeated")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "long.mp4"
        frames = repeat(CLIP, clip, arguments.loops)
        os.environ["POSEFLEET_DATA_DIR"] = folder
        figures = measure(clip, frames, arguments.rounds)
    report(figures, frames)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


def repeat(source: Path, target: Path, loops: int) -> int:
    """Write ``loops`` copies of a video one after the other, without encoding; how many frames."""
    count = 0
    with av.open(str(target), "w") as output:
        made: Any = None
        for loop in range(loops):
            with av.open(str(source)) as container:
                stream = container.streams.video[0]
                made = made or output.add_stream_from_template(stream)
                for packet in container.demux(stream):
                    if packet.size and packet.pts is not None and packet.dts is not None:
                        shift = loop * (stream.duration or 0)
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        packet.stream = made
                        output.mux(packet)
                        count += 1
    return count


def measure(clip: Path, frames: int, rounds: int) -> dict[str, list[float]]:
    """Frames per second of every contender in every round."""
    settings = Settings.read()
    known = identity(settings.model, settings.models_dir)
    trunk = settings.models_dir / settings.model / "trunk.tflite"
    stack = Stack(settings, print)
    stack.start()
    try:
        fleet = Fleet(stack.addresses.settings(settings))
        uri = upload(fleet, clip)
        contenders: dict[str, Callable[[], float]] = {
            "fleet": lambda: run_fleet(fleet, uri),
            "ideal, a thread per core": lambda: timed(ideal_threads(clip, known, trunk, settings), frames),
            "ideal, decoding ahead": lambda: timed(ideal_ahead(clip, known, trunk, settings), frames),
            "bare model": lambda: timed(bare(trunk, settings, frames), frames),
        }
        figures: dict[str, list[float]] = {name: [] for name in contenders}
        for name, run in contenders.items():
            print(f"warming up {name}: {run():.1f} f/s", flush=True)
        for number in range(rounds):
            for name, run in contenders.items():
                figures[name].append(run())
            latest = ", ".join(f"{name} {values[-1]:.1f}" for name, values in figures.items())
            print(f"round {number + 1}: {latest}", flush=True)
        return figures
    finally:
        stack.stop()


def run_fleet(fleet: Fleet, uri: str) -> float:
    """Frames per second of the infer step, from its first start to its last end."""
    status = fleet.enqueue(uri, Options(render=False), force=True).wait(600)
    assert status.manifest is not None
    assert status.state == "succeeded", status
    rate = status.manifest.steps["infer"].frames_per_second
    assert rate is not None
    return rate


def timed(run: Callable[[], None], frames: int) -> float:
    began = time.perf_counter()
    run()
    return frames / (time.perf_counter() - began)


def plan_of(clip: Path, known: ModelIdentity, ranges: int) -> Plan:
    source = Source(bucket="", key=str(clip), etag="", size=clip.stat().st_size)
    total = plan_frames(clip)
    job = VideoJob.accept(source, Options(), known, batch_frames=-(-total // ranges))
    return make_plan(Disk(), job, total)  # type: ignore[arg-type]


def plan_frames(clip: Path) -> int:
    with av.open(str(clip)) as container:
        return container.streams.video[0].frames


def ideal_threads(clip: Path, known: ModelIdentity, trunk: Path, settings: Settings) -> Callable[[], None]:
    """A thread per core, each with a model of one thread and its share of the frames."""
    plan = plan_of(clip, known, CORES)
    models = [LiteRTModel(trunk, batch=settings.model_batch, threads=1) for _ in plan.ranges]

    def run() -> None:
        with ThreadPoolExecutor(len(models)) as pool:
            shares = zip(models, plan.ranges, strict=True)
            jobs = [pool.submit(infer_range, model, ranged(clip), Options(), plan, share) for model, share in shares]
            assert sum(len(job.result().pts) for job in jobs) == plan.stream.frames

    return run


def ideal_ahead(clip: Path, known: ModelIdentity, trunk: Path, settings: Settings) -> Callable[[], None]:
    """One thread decodes ahead, the model uses all cores."""
    plan = plan_of(clip, known, 1)
    model = LiteRTModel(trunk, batch=8, threads=CORES)

    def run() -> None:
        assert len(infer_range(model, ranged(clip), Options(), plan, plan.ranges[0]).pts) == plan.stream.frames

    return run


def bare(trunk: Path, settings: Settings, frames: int) -> Callable[[], None]:
    """The model and its decoder on frames that lie ready, on all cores."""
    model = LiteRTModel(trunk, batch=8, threads=CORES)
    batch = np.random.default_rng(1).integers(0, 256, (8, 160, 256, 3), np.uint8)

    def run() -> None:
        for _ in range(frames // 8):
            model.detect(batch, 6)

    return run


def report(figures: dict[str, list[float]], frames: int) -> None:
    """Medians, spreads, and the ratio that counts, round by round."""
    print(f"\n{frames} frames of {CLIP.name}, {CORES} cores")
    for name, values in figures.items():
        print(f"{name:28} {statistics.median(values):7.1f} f/s   ({min(values):.1f} to {max(values):.1f})")
    ideals = [max(pair) for pair in zip(*(v for n, v in figures.items() if n.startswith("ideal")), strict=True)]
    for name, others in {"ideal": ideals, "bare model": figures["bare model"]}.items():
        ratios = [ours / other for ours, other in zip(figures["fleet"], others, strict=True)]
        print(f"fleet ÷ {name:20} {statistics.median(ratios):7.2f}       ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
