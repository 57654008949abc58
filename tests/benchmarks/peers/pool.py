"""A `multiprocessing.Pool` with a process per core, over the ranges between key frames."""

import os
import time
from multiprocessing import Pool
from pathlib import Path

from tests.benchmarks.peers.movenet import Range, detector, ranges_of, seen
from tests.benchmarks.peers.protocol import parser_of, tell
from workers.core.poses import FramePoses

CORES = os.cpu_count() or 1


def people_of(given: tuple[Path, Path, Path | None, Range]) -> list[FramePoses]:
    """The people of each frame of a range."""
    *files, wanted = given
    return detector(*files).people_of(wanted)


def main() -> None:
    given, began = parser_of(__doc__).parse_args(), time.perf_counter()
    ranges = ranges_of(given.clip, given.frames)
    files = (given.clip, given.model, given.whole)
    shares = [(*files, each) for each in ranges]
    with Pool(CORES, initializer=detector, initargs=files) as pool:
        pool.map(people_of, shares[: 2 * CORES], chunksize=1)
        warm = time.perf_counter()
        found = [people for share in pool.imap(people_of, shares) for people in share]
        seconds = time.perf_counter() - warm
    tell(len(found), seconds, warm - began, seen(found))


if __name__ == "__main__":
    main()
