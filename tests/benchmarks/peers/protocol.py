"""How a peer is called and what it prints; needs nothing but Python."""

import argparse
import json
from pathlib import Path


def parser_of(about: str | None) -> argparse.ArgumentParser:
    """What every peer takes: ``clip``, ``--frames``, and ``--model``, the folder of a pulled model.

    With ``--whole``, the network run to its end as a LiteRT file, those that run LiteRT take that; else they work
    most heads out where they are needed, as the fleet does.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--whole", type=Path)
    return parser


def tell(frames: int, seconds: float, warm_seconds: float, people: int, how: str = "") -> None:
    """Print what a peer did.

    Args:
        frames: how many frames it went through.
        seconds: what that took.
        warm_seconds: what came before.
        people: how many it is sure of.
        how: what there is to say of the way, such as a backend.
    """
    said = {"frames": frames, "seconds": seconds, "warm_seconds": warm_seconds, "people": people, "how": how}
    print(json.dumps(said))
