"""The autoscaler of the tests does what KEDA and a HorizontalPodAutoscaler do with the chart's values."""

from collections.abc import Iterable

import pytest

from tests.chart.rendering import render
from tests.support.autoscaler import Autoscaler, Scaling

POOL = "infer-cpu"


@pytest.fixture
def autoscaler() -> Autoscaler:
    values = {"pools": {POOL: {"maxReplicas": 40, "outstandingPerReplica": 10}}}
    return Autoscaler(Scaling.of(render(values, over="keda").get("ScaledObject", POOL)))


def counts(autoscaler: Autoscaler, outstanding: Iterable[float], pods: int = 0, start_s: float = 0.0) -> list[int]:
    """Pods after each look, one every 15 s."""
    found = []
    for number, value in enumerate(outstanding):
        pods = autoscaler.look(start_s + 15 * number, pods, value)
        found.append(pods)
    return found


def test_without_work_there_are_no_pods(autoscaler: Autoscaler):
    assert counts(autoscaler, [0] * 5) == [0] * 5


def test_a_burst_doubles_pods_or_adds_ten_every_half_minute(autoscaler: Autoscaler):
    assert counts(autoscaler, [1000] * 8) == [1, 11, 11, 22, 22, 40, 40, 40]


def test_what_differs_by_less_than_a_tenth_changes_nothing(autoscaler: Autoscaler):
    assert counts(autoscaler, [109, 91, 111], pods=10) == [10, 10, 12]


def test_a_valley_shorter_than_the_window_stops_nobody(autoscaler: Autoscaler):
    assert set(counts(autoscaler, [200] * 2 + [0] * 19 + [200] * 2, pods=20)) == {20}


def test_after_the_window_a_quarter_a_minute_goes_and_after_the_cooldown_all(autoscaler: Autoscaler):
    assert counts(autoscaler, [80] * 30, pods=16)[20:] == [16, 12, 12, 12, 12, 9, 9, 9, 9, 8]
    assert counts(autoscaler, [0] * 20, pods=8, start_s=450)[-2:] == [8, 0]
