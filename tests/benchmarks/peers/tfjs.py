"""TensorFlow.js in Node.js with the same weights, one picture a call; decoding and scaling are not counted.

Uses the backend of tfjs-node where that installs, else WebAssembly, which has one thread in Node.js.
"""

import json
import shutil
import subprocess
import time
from itertools import chain
from pathlib import Path

import numpy as np

from tests.benchmarks.peers.movenet import Detector, ranges_of
from tests.benchmarks.peers.protocol import parser_of, tell


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--node-folder", type=Path, required=True, help="has movenet.mjs and what it needs")
    given, began = parser.parse_args(), time.perf_counter()
    node = shutil.which("node")
    assert node, "there is no node on PATH"
    known = Detector(given.clip, given.model)
    frames = chain.from_iterable(known.frames(each) for each in ranges_of(given.clip, given.frames))
    pictures = np.stack([known.small(frame) for frame in frames])
    size = [str(side) for side in pictures.shape[1:3]]
    command = [node, str(given.node_folder / "movenet.mjs"), *size]
    done = subprocess.run(command, input=pictures.tobytes(), stdout=subprocess.PIPE, check=True)
    said = json.loads(done.stdout.splitlines()[-1])
    warm_seconds = time.perf_counter() - began - said["seconds"]
    tell(len(pictures), said["seconds"], warm_seconds, said["people"], said["backend"])


if __name__ == "__main__":
    main()
