"""What KEDA and the autoscaler below it make of a ScaledObject: how many pods there are to be.

From none to the first pod, and from the last one to none, is KEDA's: above the activation, and after the cooldown.
Between them a HorizontalPodAutoscaler wants ``outstanding / target``, rounded up, where that differs by a tenth; takes
the highest recommendation of the window; and changes no more within a period than the most generous policy allows.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

_TOLERANCE = 0.1


@dataclass(frozen=True)
class Policy:
    """At most so many pods, or per cent of those at the beginning of the period, in a period."""

    percent: bool
    value: float
    period_s: float


@dataclass(frozen=True)
class Scaling:
    """What a ScaledObject says."""

    least: int
    most: int
    target: float
    """Outstanding units per pod."""
    activation: float
    """The first pod starts when more than this is outstanding."""
    polling_s: float
    cooldown_s: float
    window_s: float
    """Before there are fewer, fewer would have done for so long."""
    up: tuple[Policy, ...]
    down: tuple[Policy, ...]

    @classmethod
    def of(cls, scaled_object: dict[str, Any], faster: float = 1.0) -> "Scaling":
        """Read one of the chart's, with a single trigger; its times are divided by ``faster``."""
        spec = scaled_object["spec"]
        (trigger,) = spec["triggers"]
        behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
        return cls(
            least=spec["minReplicaCount"],
            most=spec["maxReplicaCount"],
            target=float(trigger["metadata"]["targetValue"]),
            activation=float(trigger["metadata"]["activationTargetValue"]),
            polling_s=spec["pollingInterval"] / faster,
            cooldown_s=spec["cooldownPeriod"] / faster,
            window_s=behavior["scaleDown"]["stabilizationWindowSeconds"] / faster,
            up=_policies(behavior["scaleUp"], faster),
            down=_policies(behavior["scaleDown"], faster),
        )


def _policies(rules: dict[str, Any], faster: float) -> tuple[Policy, ...]:
    assert rules["selectPolicy"] == "Max"
    return tuple(
        Policy(each["type"] == "Percent", each["value"], each["periodSeconds"] / faster) for each in rules["policies"]
    )


class Autoscaler:
    """Decides at every look; knows what it has recommended and changed lately."""

    def __init__(self, scaling: Scaling) -> None:
        self.scaling = scaling
        self._active_s = -math.inf
        self._recommended: deque[tuple[float, int]] = deque()
        self._changes: list[tuple[float, int]] = []

    def look(self, now_s: float, pods: int, outstanding: float) -> int:
        """How many pods there are to be, when there are ``pods``."""
        scaling = self.scaling
        if active := outstanding > scaling.activation:
            self._active_s = now_s
        if not pods:
            return max(scaling.least, int(active))
        if not active and not scaling.least and now_s - self._active_s >= scaling.cooldown_s:
            return 0
        wanted = self._between(now_s, pods, outstanding)
        self._changes.append((now_s, wanted - pods))
        return wanted

    def _between(self, now_s: float, pods: int, outstanding: float) -> int:
        """What the autoscaler wants that knows no zero."""
        share = outstanding / (self.scaling.target * pods)
        wanted = pods if abs(1 - share) <= _TOLERANCE else math.ceil(outstanding / self.scaling.target)
        wanted = min(max(wanted, self.scaling.least, 1), self.scaling.most)
        if not self._recommended:
            self._recommended.append((now_s, pods))
        self._recommended.append((now_s, wanted))
        while self._recommended[0][0] < now_s - self.scaling.window_s:
            self._recommended.popleft()
        if wanted > pods:
            return min(wanted, max(self._allowed(now_s, pods, each, up=True) for each in self.scaling.up))
        wanted = min(pods, max(each for _, each in self._recommended))
        return max(wanted, min(self._allowed(now_s, pods, each, up=False) for each in self.scaling.down))

    def _allowed(self, now_s: float, pods: int, policy: Policy, *, up: bool) -> int:
        """As far as a policy lets go, from what there was at the beginning of its period."""
        changed = self._changed(now_s - policy.period_s, up=up)
        begun, sign = pods - changed, 1 if up else -1
        if policy.percent:
            share = begun * (1 + sign * policy.value / 100)
            return math.ceil(share) if up else int(share)
        return int(begun + sign * policy.value)

    def _changed(self, since_s: float, *, up: bool) -> int:
        """Pods that came, or went, since then."""
        return sum(change for when_s, change in self._changes if when_s > since_s and (change > 0) == up)
