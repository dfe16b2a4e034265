"""A load, a group, an autoscaler and a signal, played together."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from autoscaling.autoscaler import PERIOD, Autoscaler
from autoscaling.workers import Group

ROOT = Path(__file__).resolve().parents[2]

#: Seconds until what has happened is in the metric: scrape, rule and adapter. Two looks of the autoscaler.
LAG = 2 * PERIOD

Signal = Literal["slots", "length"]


@dataclass(frozen=True)
class Moment:
    """What was seen at a look of the autoscaler.

    Attributes:
      at: Seconds since the beginning.
      pods: That there are, those that start included.
      ready: Messages in the broker.
      unacknowledged: Messages that pods hold.
      busy: Slots that run a message.
    """

    at: int
    pods: int
    ready: float
    unacknowledged: float
    busy: float


def scaler(name: str) -> dict[str, Any]:
    """Return the ``spec`` of a HorizontalPodAutoscaler of the base."""
    text = (ROOT / "manifests" / "base" / "autoscaling.yaml").read_text()
    return next(each["spec"] for each in yaml.safe_load_all(text) if each["metadata"]["name"] == name)


def external_target(spec: dict[str, Any]) -> float:
    """Return what one pod's share of the external metric is."""
    found = [metric["external"]["target"]["averageValue"] for metric in spec["metrics"] if metric["type"] == "External"]
    return float(found[0])


def play(
    group: Group,
    spec: dict[str, Any],
    load: Callable[[int], float],
    seconds: int,
    signal: Signal = "slots",
    pods: int = 2,
) -> list[Moment]:
    """Let time pass, and return what was seen every 15 s.

    Parameters:
      group: The workers.
      spec: Of the HorizontalPodAutoscaler.
      load: Messages that arrive in a second.
      seconds: How long.
      signal: ``slots``: what is built; ``length``: a queue's length with 100 a pod, to see why not.
      pods: At the beginning.
    """
    autoscaler = Autoscaler(spec["minReplicas"], spec["maxReplicas"], spec["behavior"])
    group.scale(pods, -group.start)
    target = external_target(spec) if signal == "slots" else 100.0
    seen: list[float] = []  # at each look
    cores: list[float] = []
    moments = []
    for now in range(seconds):
        group.second(now, load(now))
        cores.append(group.cores_used(now))
        if now % PERIOD:
            continue
        seen.append(_value(group, signal))
        moments.append(Moment(now, len(group.pods), group.ready, group.unacknowledged, group.busy))
        value = seen[max(len(seen) - 1 - LAG // PERIOD, 0)]
        # CPU: a mean of the last minute, of the requested core, with a target of 70 %.
        lately = cores[-60:]
        ratios = [value / target, sum(lately) / len(lately) / 0.7]
        group.scale(autoscaler.pods(now, len(group.pods), ratios), now)
    return moments


def _value(group: Group, signal: Signal) -> float:
    if signal == "length":
        return group.ready + group.unacknowledged
    if group.calls_per_minute is not None and _saturated(group):
        # The rule in monitoring/rules takes the calls that really run while a limit holds the work.
        return min(group.busy, group.calls_per_minute / 60 * group.seconds)
    return group.busy + group.ready


def _saturated(group: Group) -> bool:
    assert group.calls_per_minute is not None
    started = sum(count for pod in group.pods for at, count in pod.running)
    return started >= 0.95 * group.calls_per_minute / 60 * group.seconds
