"""Hours of video: time, bytes and memory of each step beside those for one minute: ``make bench-long``.

A clip is repeated without encoding.  Every figure is of a process of its own; memory is its greatest resident size.
Infer is measured with the model, on the last range; stitch has a benchmark of its own (``tests.benchmarks.tracking``).
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np

from producer.planner import cut_parts, target_frames
from schema.options import Options
from schema.plan import Plan
from schema.settings import Settings
from tests.support.media import CLIP
from workers.media.frames import decode_range
from workers.media.index import read_index, whole
from workers.media.local import on_disk
from workers.media.ranges import frame_ranges

MINUTE_H = 1 / 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=12.0)
    parser.add_argument("--clip", type=Path, default=CLIP)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        print(json.dumps(timed(arguments.step, arguments.file)))
        return
    with tempfile.TemporaryDirectory() as folder:
        minute, long = Path(folder) / "minute.mp4", Path(folder) / "long.mp4"
        repeat(arguments.clip, minute, MINUTE_H)
        repeat(arguments.clip, long, arguments.hours)
        print(f"{arguments.hours:g} h, {long.stat().st_size / 1e9:.2f} GB, beside one minute")
        for path in (minute, long):
            write_last(path)
        for step in STEPS:
            a, b = (measured(step, each) for each in (minute, long))
            print(
                f"{step:7} {a['seconds']:6.2f} and {b['seconds']:6.2f} s; {a['fetched'] / 1e6:6.2f} and "
                f"{b['fetched'] / 1e6:6.2f} MB read; {a['memory']:.0f} and {b['memory']:.0f} MB, "
                f"ratio {b['memory'] / a['memory']:.2f}",
                flush=True,
            )


def repeat(clip: Path, target: Path, hours: float) -> None:
    """The clip's picture again and again, as packets."""
    with av.open(str(clip)) as container, av.open(str(target), "w") as output:
        stream = container.streams.video[0]
        packets = [(bytes(p), p.pts or 0, p.dts or 0, p.is_keyframe) for p in container.demux(stream) if p.size]
        made = output.add_stream_from_template(stream, opaque=True)
        length = int(stream.duration or 0)
        for loop in range(round(hours * 3600 / float(length * Fraction(stream.time_base or 1))) or 1):
            for body, pts, dts, key in packets:
                packet: Any = av.Packet(body)
                packet.pts, packet.dts, packet.is_keyframe = pts + loop * length, dts + loop * length, key
                packet.time_base, packet.stream = stream.time_base, made
                output.mux(packet)


def measured(step: str, file: Path) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.long_video", "--step", step, "--file", str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def planned(path: Path) -> tuple[Plan, bytes, int]:
    """The plan of a video, the headers of its windows, and how many bytes were read for them."""
    file = on_disk(path)
    index = read_index(file)
    keys = np.searchsorted(index.table.pts, index.table.key_pts).astype(np.int64)
    cuts = cut_parts(whole(index), keys, target_frames(index.stream.frames, 240), exact=False)
    ranges, headers = frame_ranges(index, cuts)
    return Plan(job_id="", stream=index.stream, ranges=tuple(ranges)), headers, file.fetched


def write_last(path: Path) -> None:
    """Put the plan of the last range and its header beside a video, as a worker gets them."""
    plan, headers, _ = planned(path)
    last = plan.ranges[-1]
    assert last.window is not None
    path.with_suffix(".json").write_bytes(plan.model_copy(update={"ranges": (last,)}).to_json())
    path.with_suffix(".bin").write_bytes(headers[slice(*last.window.header)])


def read_last(path: Path) -> tuple[Plan, bytes]:
    return Plan.from_json(path.with_suffix(".json").read_bytes()), path.with_suffix(".bin").read_bytes()


def plan_all(path: Path) -> int:
    """Index and plan."""
    return planned(path)[2]


def infer(path: Path) -> int:
    """The last range, from its own bytes."""
    from workers.engine.engine import many
    from workers.models.litert import LiteRTMultiPose
    from workers.models.store import trunk_file
    from workers.stages.infer import infer_range

    (plan, header), file = read_last(path), on_disk(path)
    model = LiteRTMultiPose(trunk_file("multipose-lightning", Settings.read().models_dir), batch=None, threads=1)
    infer_range(many(Options(), model, None), file, plan, plan.ranges[0], header)
    return file.fetched


def render(path: Path) -> int:
    """The last range, encoded."""
    from workers.media.writer import encode_piece

    (plan, header), file = read_last(path), on_disk(path)
    encode_piece(((each, []) for each in decode_range(file, plan, plan.ranges[0], header)), plan, Options(), BytesIO())
    return file.fetched


STEPS: dict[str, Callable[[Path], int]] = {"plan": plan_all, "infer": infer, "render": render}


def timed(step: str, path: Path) -> dict[str, float]:
    began = time.monotonic()
    fetched = STEPS[step](path)
    seconds = time.monotonic() - began
    status = Path("/proc/self/status").read_text().split()
    memory = int(status[status.index("VmHWM:") + 1]) / 1024
    return {"seconds": seconds, "fetched": fetched, "memory": memory}


if __name__ == "__main__":
    main()
