"""The infer step beside what it is made of, what it could be, and the tutorials' loop: ``make bench``.

All contenders run in turn in every round; ratios count, absolute figures are this machine's at this moment.  The
ideal pipeline decodes, scales, runs the model and decodes its heads in one process on all cores, from a local file;
it takes the faster of two shapes: a thread per core that does everything for its share of the video, and one thread
that decodes ahead of a model that uses all cores.  The fleet does the same work through Redis, S3 and worker
processes.  The tutorials' loop reads with OpenCV, pads, runs one picture a call and draws.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av

from producer import Fleet
from producer.inputs import upload
from producer.split import make_plan
from producer.stack.stack import Stack
from schema.messages import ModelIdentity, Source, VideoJob
from schema.options import Options
from schema.plan import Plan
from schema.settings import Settings
from tests.benchmarks.parts import CORES, GFLOP_PER_FRAME, parts, seconds
from tests.support.media import CLIP, Disk, ranged
from workers.engine.engine import Engine, many
from workers.models.litert import LiteRTMultiPose
from workers.models.store import identity, trunk_file
from workers.stages.infer import infer_range

RATIOS = (
    ("infer step", "ideal pipeline"),
    ("infer step", "trunk, a frame"),
    ("infer step", "tutorial at 160 x 256, a frame"),
    ("infer step", "tutorial as written, a frame"),
    ("trunk, GFLOP", "machine"),
    ("trunk, a frame", "decoder, k = 20, a frame of 32"),
    ("Thunder, a crop", "cutting a crop"),
    ("trunk, a frame", "Thunder, a crop"),
    ("ideal, a thread per core", "ideal, decoding ahead"),
)


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
    """Frames (or crops, or GFLOP) per second of every contender in every round."""
    settings = Settings.read()
    known = identity("multipose-lightning", settings.models_dir)
    stack = Stack(settings, print)
    stack.start()
    try:
        fleet = Fleet(stack.addresses.settings(settings))
        uri = upload(fleet, clip)
        contenders: dict[str, Callable[[], float]] = {
            "infer step": lambda: run_fleet(fleet, uri),
            "ideal, a thread per core": rate_of(ideal_threads(clip, known, settings), frames),
            "ideal, decoding ahead": rate_of(ideal_ahead(clip, known, settings), frames),
        }
        for name, part in parts(settings.models_dir).items():
            contenders[name] = lambda part=part: 1 / part()  # type: ignore[misc]
        figures: dict[str, list[float]] = {name: [] for name in contenders}
        for name, run in contenders.items():
            print(f"warming up {name}: {run():.1f} a second", flush=True)
        for number in range(rounds):
            for name, run in contenders.items():
                figures[name].append(run())
            print(f"round {number + 1} of {rounds}: infer step {figures['infer step'][-1]:.1f} f/s", flush=True)
        return figures
    finally:
        stack.stop()


def rate_of(run: Callable[[], None], frames: int) -> Callable[[], float]:
    return lambda: frames / seconds(run)


def run_fleet(fleet: Fleet, uri: str) -> float:
    """Frames per second of the infer step, from its first start to its last end."""
    status = fleet.enqueue(uri, Options(render=False), force=True).wait(600)
    assert status.manifest is not None
    assert status.state == "succeeded", status
    rate = status.manifest.steps["infer"].frames_per_second
    assert rate is not None
    return rate


def plan_of(clip: Path, known: ModelIdentity, ranges: int) -> Plan:
    source = Source(bucket="", key=str(clip), etag="", size=clip.stat().st_size)
    total = plan_frames(clip)
    job = VideoJob.accept(source, Options(), known, batch_frames=-(-total // ranges))
    return make_plan(Disk(), job, total)  # type: ignore[arg-type]


def plan_frames(clip: Path) -> int:
    with av.open(str(clip)) as container:
        return container.streams.video[0].frames


def engine(settings: Settings, threads: int) -> Engine:
    trunk = trunk_file("multipose-lightning", settings.models_dir)
    return many(Options(), LiteRTMultiPose(trunk, batch=settings.model_batch, threads=threads), None)


def ideal_threads(clip: Path, known: ModelIdentity, settings: Settings) -> Callable[[], None]:
    """A thread per core, each with a model of one thread and its share of the frames."""
    plan = plan_of(clip, known, CORES)
    engines = [engine(settings, 1) for _ in plan.ranges]

    def run() -> None:
        with ThreadPoolExecutor(len(engines)) as pool:
            shares = zip(engines, plan.ranges, strict=True)
            jobs = [pool.submit(infer_range, each, ranged(clip), plan, share) for each, share in shares]
            assert sum(len(job.result().pts) for job in jobs) == plan.stream.frames

    return run


def ideal_ahead(clip: Path, known: ModelIdentity, settings: Settings) -> Callable[[], None]:
    """One thread decodes ahead, the model uses all cores."""
    plan = plan_of(clip, known, 1)
    one = engine(settings, CORES)

    def run() -> None:
        assert len(infer_range(one, ranged(clip), plan, plan.ranges[0]).pts) == plan.stream.frames

    return run


def report(figures: dict[str, list[float]], frames: int) -> None:
    """Medians, spreads, and the ratios that count, each taken round by round."""
    print(f"\n{frames} frames of {CLIP.name}, {CORES} cores; a second: median (lowest to highest)")
    for name, values in figures.items():
        print(f"{name:36} {statistics.median(values):9.1f}   ({min(values):.1f} to {max(values):.1f})")
    ideals = [max(pair) for pair in zip(*(v for n, v in figures.items() if n.startswith("ideal")), strict=True)]
    known = {**figures, "ideal pipeline": ideals, "machine": figures["matrix product, a GFLOP"]}
    known["trunk, GFLOP"] = [GFLOP_PER_FRAME * rate for rate in figures["trunk, a frame"]]
    print("\nratios")
    for ours, other in RATIOS:
        ratios = [a / b for a, b in zip(known[ours], known[other], strict=True)]
        line = f"{ours} ÷ {other}"
        print(f"{line:68} {statistics.median(ratios):8.3f}   ({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
