"""Ray Data on one machine: ranges between key frames, decoded and scaled by `flat_map`, the model by `map_batches`.

The model is kept by each of Ray's processes; a first pass has started and loaded all of them.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import ray
import ray.data

from tests.benchmarks.peers.movenet import SEEN, Range, detector, ranges_of
from tests.benchmarks.peers.protocol import parser_of, tell

CORES = os.cpu_count() or 1
ROWS = 32
"""Frames that `map_batches` gives the model at once."""


def run(clip: Path, model: Path, whole: Path | None, ranges: list[Range]) -> tuple[int, int]:
    """Frames and people that are found."""

    def pictures(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        known = detector(clip, model, whole)
        wanted = Range(*row["item"])
        return ({"pts": frame.pts, "picture": known.small(frame)} for frame in known.frames(wanted))

    def people(batch: dict[str, Any]) -> dict[str, Any]:
        found = detector(clip, model, whole).detect(batch["picture"])
        counts = np.array([(each.scores >= SEEN).sum() for each in found])
        return {
            "pts": batch["pts"],
            "people": counts,
            "keypoints": np.array([each.keypoints for each in found], object),
        }

    rows = ray.data.from_items([tuple(each) for each in ranges], override_num_blocks=len(ranges))
    found = rows.flat_map(pictures).map_batches(people, batch_size=ROWS)
    counts = [batch["people"] for batch in found.iter_batches(batch_size=None, batch_format="numpy")]
    return sum(map(len, counts)), int(sum(each.sum() for each in counts))


def main() -> None:
    given, began = parser_of(__doc__).parse_args(), time.perf_counter()
    ray.init(num_cpus=CORES, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    ranges = ranges_of(given.clip, given.frames)
    run(given.clip, given.model, given.whole, ranges[: 2 * CORES])
    warm = time.perf_counter()
    frames, people = run(given.clip, given.model, given.whole, ranges)
    tell(frames, time.perf_counter() - warm, warm - began, people)


if __name__ == "__main__":
    main()
