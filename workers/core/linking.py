"""Second pass: join pieces to tracks across longer gaps, from what the whole video shows.

A piece that ends and one that begins later belong together when the motion of the first, carried forward, meets the
motion of the second, carried back.  All pairs are weighed together.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from workers.core.pieces import End, Piece


@dataclass(frozen=True)
class LinkRules:
    """When two pieces are the same person."""

    longest_gap_s: float = 4.0
    reach: float = 0.4
    """Distance between where the motion leads and where the later piece begins that is allowed, in sizes of the
    person,"""
    reach_per_s: float = 0.6
    """and more of it for each second of the gap."""
    same: float = 0.35
    """Gain of what the first pass took for one person."""
    turning: float = 0.12
    """Cost of a change of velocity of one size of the person per second."""
    least_size_ratio: float = 0.6
    doubtful: float = 0.3
    """A link is doubtful when another one would have cost no more than this beside it."""


@dataclass(frozen=True)
class Links:
    """Which track every piece belongs to."""

    tracks: NDArray[np.int32]
    """``[pieces + 1]`` track of a piece by its number, counted from 1 in order of first appearance; 0 is none."""
    doubts: NDArray[np.int32]
    """``[tracks + 1]`` how often another piece would have gone on with a track almost as well."""


def link(pieces: list[Piece], rules: LinkRules) -> Links:
    """Join pieces, all of which have ended, to tracks."""
    candidates = list(_candidates(pieces, rules))
    chosen = _best_links(candidates)
    root = np.arange(len(pieces))
    for before, after in sorted(chosen, key=lambda pair: _begin(pieces[pair[1]])):
        root[after] = root[before]
    tracks, known = np.zeros(len(pieces) + 1, np.int32), dict[int, int]()
    for index in sorted(range(len(pieces)), key=lambda i: _begin(pieces[i])):
        tracks[index + 1] = known.setdefault(int(root[index]), len(known) + 1)
    doubts = np.zeros(len(known) + 1, np.int32)
    for before in _doubted(candidates, chosen, rules.doubtful):
        doubts[tracks[before + 1]] += 1
    return Links(tracks, doubts)


def _begin(piece: Piece) -> tuple[int, int]:
    return piece.ends[0].frame, piece.number


def _doubted(candidates: list[tuple[int, int, float]], chosen: list[tuple[int, int]], margin: float) -> Iterator[int]:
    """Earlier pieces of chosen pairs that have a rival whose cost is no more than ``margin`` higher."""
    costs = {(before, after): cost for before, after, cost in candidates}
    rivals: dict[int, float] = {}
    picked = set(chosen)
    follower, leader = dict(chosen), {after: before for before, after in chosen}
    for (before, after), cost in costs.items():
        if (before, after) not in picked:
            for one in (before if before in follower else None, leader.get(after)):
                if one is not None:
                    rivals[one] = min(rivals.get(one, np.inf), cost)
    return (before for before, after in chosen if rivals.get(before, np.inf) - costs[before, after] <= margin)


def _candidates(pieces: list[Piece], rules: LinkRules) -> Iterator[tuple[int, int, float]]:
    """Pairs (earlier, later) that may be one person, with their cost in 0..1."""
    heads, tails = [piece.ends[0] for piece in pieces], [piece.ends[1] for piece in pieces]
    order = np.argsort([head.time_s for head in heads], kind="stable")
    begins = np.array([heads[index].time_s for index in order])
    for before, tail in enumerate(tails):
        low = np.searchsorted(begins, tail.time_s, side="left")
        high = np.searchsorted(begins, tail.time_s + rules.longest_gap_s, side="right")
        for after in map(int, order[low:high]):
            if pieces[after].shot == pieces[before].shot and heads[after].frame > tail.frame:
                cost = _cost(tail, heads[after], rules)
                if pieces[after].after == pieces[before].number:
                    cost -= rules.same
                if cost < 1:
                    yield before, after, cost


def _cost(tail: End, head: End, rules: LinkRules) -> float:
    """How unlikely it is that ``head`` goes on with ``tail``; 1 and more is too unlikely.

    Whoever kept the mean of both velocities, or stood still on the way, is where the motion leads.
    """
    gap = head.time_s - tail.time_s
    size = float(np.sqrt(tail.size * head.size))
    if min(tail.size, head.size) < rules.least_size_ratio * max(tail.size, head.size):
        return 1.0
    apart = np.array([head.x - tail.x, head.y - tail.y])
    first, last = np.array([tail.velocity_x, tail.velocity_y]), np.array([head.velocity_x, head.velocity_y])
    walked = np.linalg.norm(apart - gap * (first + last) / 2)
    waited = np.linalg.norm(apart) + 0.15 * size
    allowed = size * (rules.reach + rules.reach_per_s * gap)
    turned = np.linalg.norm(last - first) / size
    return float(min(walked, waited) / allowed + rules.turning * turned)


def _best_links(candidates: list[tuple[int, int, float]]) -> list[tuple[int, int]]:
    """The links of least total cost, where leaving a piece alone costs 1."""
    if not candidates:
        return []
    before, after, cost = (np.array(column) for column in zip(*candidates, strict=True))
    tails, rows = np.unique(before, return_inverse=True)
    heads, columns = np.unique(after, return_inverse=True)
    alone = np.arange(len(tails))
    table = coo_array(
        (
            np.concatenate([cost + 1.0, np.full(len(tails), 2.0)]),
            (np.concatenate([rows, alone]), np.concatenate([columns, len(heads) + alone])),
        ),
        shape=(len(tails), len(heads) + len(tails)),
    )
    chosen = zip(*min_weight_full_bipartite_matching(table.tocsr()), strict=True)
    return [(int(tails[i]), int(heads[j])) for i, j in chosen if j < len(heads)]
