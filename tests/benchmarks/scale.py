"""From one worker to many: ``make bench-scale``.

    python -m tests.benchmarks.scale [--only PART …] [--json FILE]

A fleet with real servers, real workers of one process each and tiny videos, whose model waits instead of computing: so
16 workers fit on two cores, and what is measured is the fleet around the model.  The JSON file is written after each
part; parts that are there already stay.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.scaling import device, growth, queue, traffic, whole, workers
from tests.benchmarks.scaling.fleet import ManyWorkers, many_workers
from tests.benchmarks.scaling.table import lines

Part = Callable[[ManyWorkers, argparse.Namespace], Any]

REAL = "workers.app"
"""Workers with the model itself."""

PARTS: dict[str, Part] = {
    "workers": lambda fleet, asked: workers.rates(fleet, asked.counts, asked.batch_s, asked.batches),
    "latency": lambda fleet, asked: workers.latency(fleet, 2, asked.starts),
    "device": lambda fleet, _: device.shared(fleet, 3, 0.25, 60, 0.03),
    "traffic": lambda fleet, asked: traffic.steady(fleet, 4, asked.batch_s, 30 * asked.batches // 4),
    "queue": lambda fleet, asked: queue.deep(fleet, asked.queue),
    "infer": lambda fleet, asked: growth.infer(fleet, asked.frames, asked.pairs),
    "long video": lambda fleet, asked: whole.long_video(fleet, 30, 8, asked.frame_s),
    "real model": lambda fleet, asked: whole.real_model(fleet, asked.loops),
    "stitch and render": lambda fleet, asked: growth.stitch_and_render(fleet, asked.frames // 5, asked.pairs),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 2, 4, 8, 16], help="workers")
    parser.add_argument("--batch-s", type=float, default=2.0, help="what a batch takes in the model")
    parser.add_argument("--batches", type=int, default=12, help="of each worker")
    parser.add_argument("--starts", type=int, default=200, help="of idle workers")
    parser.add_argument("--queue", type=int, default=1_000_000, help="batches")
    parser.add_argument(
        "--frames", type=int, default=1_008_000, help="of the long video; a fifth for stitch and render"
    )
    parser.add_argument("--pairs", type=int, default=60, help="of batches near the beginning and near the end")
    parser.add_argument("--frame-s", type=float, default=0.005, help="of the model, in the long video of 30 minutes")
    parser.add_argument("--loops", type=int, default=11, help="of the clip of 230 frames that the real model is shown")
    parser.add_argument("--json", type=Path, help="write the figures here, beside those that are there")
    asked = parser.parse_args()
    figures = json.loads(asked.json.read_text()) if asked.json and asked.json.exists() else {}
    for name in asked.only:
        began = time.monotonic()
        with many_workers(*([REAL] if name == "real model" else [])) as fleet:
            figures[name] = PARTS[name](fleet, asked)
        print("\n".join(lines(name, figures[name])), f"({time.monotonic() - began:.0f} s)", flush=True)
        if asked.json:
            asked.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
