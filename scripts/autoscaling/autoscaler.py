"""The HorizontalPodAutoscaler's algorithm, for external metrics with a target per pod.

As Kubernetes' documentation has it ("Horizontal Pod Autoscaling", its sections on the algorithm and on scaling
behaviour): every 15 s, desired = ceil(value / target); no change within a tolerance of 10 %; the lowest recommendation
of the window before a scale-up, the highest of the one before a scale-down; then the policies.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

#: Seconds between two looks of the controller.
PERIOD = 15

_TOLERANCE = 0.1

#: Seconds that recommendations are kept beyond a window: the other one may be longer.
_KEPT = 600


@dataclass
class Autoscaler:
    """One HorizontalPodAutoscaler.

    Attributes:
      least, most: Pods.
      behavior: As its ``spec.behavior`` has it.
    """

    least: int
    most: int
    behavior: dict[str, Any]
    _recommended: deque[tuple[int, int]] = field(default_factory=deque)
    _counts: deque[tuple[int, int]] = field(default_factory=deque)

    def pods(self, now: int, current: int, ratios: list[float]) -> int:
        """Return how many pods there are to be.

        Parameters:
          now: Seconds.
          current: Pods that there are.
          ratios: Of each metric its value divided by its target for one pod: how many pods' worth it is.
        """
        wanted = max(self._of_one(current, ratio) for ratio in ratios)
        wanted = min(max(wanted, self.least), self.most)
        if not self._recommended:  # as the controller does when it begins
            self._recommended.append((now, current))
        self._recommended.append((now, wanted))
        self._counts.append((now, current))
        up, down = self.behavior["scaleUp"], self.behavior["scaleDown"]
        lowest = min(self._since(now - up["stabilizationWindowSeconds"], wanted))
        highest = max(self._since(now - down["stabilizationWindowSeconds"], wanted))
        if current < lowest:
            return min(lowest, self._most_after(up, now, current))
        if current > highest:
            return max(highest, self._least_after(down, now, current))
        return current

    def _of_one(self, current: int, ratio: float) -> int:
        if abs(ratio / current - 1) <= _TOLERANCE:
            return current
        return math.ceil(ratio)

    def _since(self, start: int, wanted: int) -> list[int]:
        while self._recommended and self._recommended[0][0] < start - _KEPT:
            self._recommended.popleft()
        return [each for at, each in self._recommended if at >= start] or [wanted]

    def _begin(self, now: int, seconds: int, current: int) -> int:
        """Pods at the beginning of a policy's period."""
        return next((count for at, count in self._counts if at > now - seconds), current)

    def _most_after(self, rules: dict[str, Any], now: int, current: int) -> int:
        found = []
        for policy in rules["policies"]:
            begin = self._begin(now, policy["periodSeconds"], current)
            more = policy["value"] if policy["type"] == "Pods" else begin * policy["value"] / 100
            found.append(math.ceil(begin + more))
        return max(found)

    def _least_after(self, rules: dict[str, Any], now: int, current: int) -> int:
        found = []
        for policy in rules["policies"]:
            begin = self._begin(now, policy["periodSeconds"], current)
            less = policy["value"] if policy["type"] == "Pods" else begin * policy["value"] / 100
            found.append(math.floor(begin - less))
        return min(found)
