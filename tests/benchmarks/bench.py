"""The fleet beside ideal pipelines, its own parts, and what others do with the same clip: ``make bench``.

All contenders run in turn in every round; ratios count, absolute figures are this machine's at this moment.  The
fleet's infer step goes through Redis, S3 and worker processes, from the first start of a batch to the last end; its
whole job, with the annotated video, from enqueueing to the manifest.  Peers are timed without imports, start and load.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from producer import Fleet
from producer.inputs import upload
from producer.stack.stack import Stack
from schema.options import Options
from schema.settings import Settings
from tests.benchmarks.clips import repeat
from tests.benchmarks.figures import Figures, Rates, report
from tests.benchmarks.ideal import CORES, Ideal, checked
from tests.benchmarks.parts import parts, seconds
from tests.benchmarks.peers.run import PEERS, Peer, PeerFailed, call, prepare
from tests.support.media import CLIP
from workers.models.store import identity, stock_folder, trunk_file

_MODEL = "multipose-lightning"


class Clip(NamedTuple):
    """The same video for all."""

    path: Path
    frames: int


Contender = Callable[[Clip], float]
"""What it does per second."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loops", type=int, default=22, help="how often the clip of 230 frames is repeated")
    parser.add_argument("--only", nargs="*", default=[""], help="contenders whose names begin so")
    parser.add_argument("--json", type=Path, help="where the figures go; else into the data folder")
    given = parser.parse_args()
    settings = Settings.read()
    target = given.json or settings.data_dir / "bench" / f"{datetime.now():%Y-%m-%d-%H%M%S}.json"
    identity(_MODEL, settings.models_dir)
    with tempfile.TemporaryDirectory() as folder:
        clip = Clip(Path(folder) / "long.mp4", repeat(CLIP, Path(folder) / "long.mp4", given.loops))
        os.environ["POSEFLEET_DATA_DIR"] = folder
        figures = measure(Settings.read(), clip, given.rounds, tuple(given.only))
    report(figures, Console(width=None if os.isatty(1) else 120))
    figures.write(target)
    print(f"figures: {target}")


def measure(settings: Settings, clip: Clip, rounds: int, only: tuple[str, ...]) -> Figures:
    """Every contender in every round, after one go each at the short clip; whoever fails is left out."""
    stack = Stack(settings, print)
    stack.start()
    try:
        contenders, left_out = everyone(settings, Fleet(stack.addresses.settings(settings)), only)
        rates: Rates = {name: [] for name in contenders}
        for number in range(rounds + 1):
            for name in list(rates):
                try:
                    rate = contenders[name](clip if number else Clip(CLIP, 230))
                except PeerFailed as error:
                    left_out[name] = str(error)
                    del rates[name]
                    continue
                print(f"{f'round {number}' if number else 'warming up'}: {name} {rate:.1f} a second", flush=True)
                rates[name] += [rate] if number else []
        return Figures(clip.frames, CORES, rates, left_out)
    finally:
        stack.stop()


def everyone(settings: Settings, fleet: Fleet, only: tuple[str, ...]) -> tuple[dict[str, Contender], dict[str, str]]:
    """The contenders whose names begin as asked for, and why some are left out."""
    ideal = Ideal(trunk_file(_MODEL, settings.models_dir), settings.model_batch)
    found: dict[str, Contender] = {
        "infer step": partial(infer_step, fleet),
        "ideal infer, a thread per core": partial(timed, ideal.infer_threads),
        "ideal infer, decoding ahead": partial(timed, ideal.infer_ahead),
        "whole job": partial(whole_job, fleet),
        "ideal job, two passes": partial(delivered, ideal.job_threads),
        "ideal job, one pass": partial(delivered, ideal.job_ahead),
    }
    for name, part in parts(settings.models_dir).items():
        found[name] = lambda _, part=part: 1 / part()  # type: ignore[misc]
    found = {name: run for name, run in found.items() if name.startswith(only)}
    return with_peers(found, [peer for peer in PEERS if peer.name.startswith(only)], settings)


def with_peers(
    found: dict[str, Contender], peers: list[Peer], settings: Settings
) -> tuple[dict[str, Contender], dict[str, str]]:
    """``found`` and the peers that install; why others do not."""
    left_out, model = {}, stock_folder(_MODEL, settings.models_dir).parent
    for peer in peers:
        print(f"preparing {peer.name}", flush=True)
        try:
            command = prepare(peer, settings.cache_dir, model)
        except PeerFailed as error:
            left_out[peer.name] = str(error)
        else:
            found[peer.name] = lambda clip, peer=peer, command=command: call(  # type: ignore[misc]
                peer, command, clip.path, clip.frames
            )
    return found, left_out


def infer_step(fleet: Fleet, clip: Clip) -> float:
    status = fleet.enqueue(upload(fleet, clip.path), Options(render=False), force=True).wait(900)
    assert status.manifest is not None
    rate = status.manifest.steps["infer"].frames_per_second
    assert rate is not None, status
    return rate


def whole_job(fleet: Fleet, clip: Clip) -> float:
    uri, began = upload(fleet, clip.path), time.perf_counter()
    status = fleet.enqueue(uri, Options(), force=True).wait(900)
    took = time.perf_counter() - began
    assert status.manifest is not None
    assert status.manifest.frames == clip.frames, status
    return clip.frames / took


def timed(run: Callable[[Path], int], clip: Clip) -> float:
    return clip.frames / seconds(lambda: checked(lambda: run(clip.path), clip.frames))


def delivered(run: Callable[[Path, Path], int], clip: Clip) -> float:
    with tempfile.TemporaryDirectory() as folder:
        return timed(lambda path: run(path, Path(folder)), clip)


if __name__ == "__main__":
    main()
