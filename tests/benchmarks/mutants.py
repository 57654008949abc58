"""Damaged videos and pictures through the process that reads sources: ``make fuzz``.

Each file of a seeded series is indexed, cut, and its first batch decoded.  Prints how many came through, how many
were refused and under which name, the slowest, and the memory at its highest; fails where one was not classified.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.support.mutants import Outcome, mutants, originals, outcome_of
from workers.media.jail import calls

_SLACK_S = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for files that were not classified")
    arguments = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, body in mutants(originals(Path(folder)), arguments.count, arguments.seed):
            found.append(outcome_of(name, body))
            if found[-1].kind in ("unclassified", "decoder_died"):
                print(found[-1], flush=True)
                if arguments.keep:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    (arguments.keep / name.replace(" ", "-")).write_bytes(body)
    sys.exit(report(found))


def report(found: list[Outcome]) -> int:
    """Print the table; 1 where a file was not classified, took too long or too much memory."""
    for kind, count in Counter(outcome.kind for outcome in found).most_common():
        print(f"{kind:18}{count:6}")
    limits = calls.limits()
    slowest = max(found, key=lambda outcome: outcome.seconds)
    peak = max(outcome.peak_mb for outcome in found)
    hung = sum(outcome.seconds > limits.stall_s + _SLACK_S for outcome in found)
    loose = sum(outcome.kind == "unclassified" for outcome in found)
    print(f"{len(found)} files; slowest {slowest.seconds:.1f} s ({slowest.name})")
    print(f"peak {peak:.0f} MB of {limits.memory_mb} MB")
    print(f"hangs {hung}, unclassified {loose}, above the memory limit {int(peak > limits.memory_mb)}")
    return int(bool(hung or loose or peak > limits.memory_mb))


if __name__ == "__main__":
    main()
