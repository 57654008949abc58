"""Nodes that are taken away: with a notice as spot nodes are, or without."""

from dataclasses import dataclass

from tests.simulation.fleet import Fleet
from tests.simulation.pod import Pod, Steps


@dataclass(frozen=True)
class Spot:
    """How often it happens."""

    life_s: float
    """Mean life of a node (exponential)."""
    without_notice: float = 0.0
    """Share of nodes that are gone at once."""


def take_away(fleet: Fleet, spot: Spot, pools: tuple[str, ...]) -> None:
    """Take the nodes of these pools away, those that are there and those to come."""

    def begin(pod: Pod) -> None:
        if pod.pool.name in pools:
            fleet.env.process(_live(fleet, spot, pod))

    for name in pools:
        for pod in fleet.pods[name]:
            begin(pod)
    fleet.new_pod = begin


def _live(fleet: Fleet, spot: Spot, pod: Pod) -> Steps:
    yield fleet.env.timeout(fleet.rng.expovariate(1 / spot.life_s))
    if not pod.gone:
        fleet.replace(pod, notice=fleet.rng.random() >= spot.without_notice)
