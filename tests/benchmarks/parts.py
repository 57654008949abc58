"""What the engine is made of, piece by piece: trunk, decoder, crops, the machine's own rate."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tests.support.media import CLIP
from workers.core.decoder import decode
from workers.core.heads import Heads
from workers.core.letterbox import Letterbox
from workers.core.regions import Region, Square
from workers.media.pixels import Still
from workers.models.litert import LiteRTMultiPose, LiteRTSinglePose
from workers.models.store import trunk_file

CORES = os.cpu_count() or 1
MATRIX = 2048

Run = Callable[[], float]


def seconds(run: Callable[[], object], times: int = 1) -> float:
    began = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - began) / times


def parts(models: Path) -> dict[str, Run]:
    """Each gives the seconds that one frame, one crop or one GFLOP takes, all cores working."""
    stills = pictures(32)
    shown = np.stack([view(still) for still in stills])
    multipose = [LiteRTMultiPose(trunk_file("multipose-lightning", models), batch=4, threads=1) for _ in range(CORES)]
    thunder = LiteRTSinglePose(trunk_file("singlepose-thunder", models), batch=8, threads=CORES)
    heads = heads_of(multipose[0], shown)
    squares = [Square.around(660 - 9 * number, 340, 200) for number in range(len(stills))]
    crops = np.stack([still.crop(square, 256) for still, square in zip(stills, squares, strict=True)])
    matrix = np.random.default_rng(1).normal(size=(MATRIX, MATRIX)).astype(np.float32)
    return {
        "matrix product, a GFLOP": lambda: seconds(lambda: matrix @ matrix, 4) / (2 * MATRIX**3 / 1e9),
        "trunk, a frame": lambda: seconds(lambda: trunks(multipose, shown)) / (CORES * len(shown)),
        "decoder, k = 20, a frame of 32": lambda: seconds(lambda: [decode(h, 20) for h in heads], 10) / len(shown),
        "cutting a crop": lambda: seconds(lambda: [s.crop(q, 256) for s, q in zip(stills, squares, strict=True)]) / 32,
        "Thunder, a crop": lambda: seconds(lambda: thunder.locate(crops)) / len(crops),
    }


def pictures(count: int) -> list[Still]:
    """Every sixth frame of the clip."""
    with av.open(str(CLIP)) as container:
        frames = [f.to_ndarray(format="rgb24") for i, f in enumerate(container.decode(video=0)) if i % 6 == 0]
    return [Still(frame) for frame in frames[:count]]


def view(still: Still) -> NDArray[np.uint8]:
    return still.view(Region(0, 0, still.width, still.height), Letterbox.fit(still.width, still.height, 256))


def trunks(models: list[LiteRTMultiPose], shown: NDArray[np.uint8]) -> None:
    """All of ``shown`` on every core, by a model of its own with one thread, as in the fleet."""
    with ThreadPoolExecutor(len(models)) as pool:
        list(pool.map(lambda model: [model.heads(shown[i : i + 4]) for i in range(0, len(shown), 4)], models))


def heads_of(model: LiteRTMultiPose, shown: NDArray[np.uint8]) -> list[Heads]:
    return [model.heads(shown[i : i + 4]) for i in range(0, len(shown), 4)]
