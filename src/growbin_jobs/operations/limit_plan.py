"""What so many pictures need under some limits: time, money, threads, and the limit that decides."""

import math
from dataclasses import dataclass

from growbin_jobs.limits.named import NamedLimit, NamedLimits, names_of
from growbin_jobs.limits.past_requests import Need


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The answer.

    Attributes:
      pictures: How many.
      seconds: Until the last one is answered.
      limit: The limit that decides; None: nothing limits it.
      per_minute: Pictures in a minute.
      threads: Worker threads of the group ai that suffice.
      micro_dollars: Of all; None: the price of a request is not known.
      needs: What one picture was reckoned with.
    """

    pictures: int
    seconds: float
    limit: str | None
    per_minute: float
    threads: int
    micro_dollars: int | None
    needs: list[Need]


def plan(pictures: int, limits: NamedLimits, needs: list[Need], *, models: dict[str, str]) -> Plan:
    """Return what so many pictures need, each one vision request and one text request.

    Parameters:
      pictures: How many.
      limits: What holds, or what is asked about.
      needs: What one picture needs, of each purpose.
      models: The model of each purpose.
    """
    # Units of each limit that one picture takes, in all its requests: a limit that both stages share counts twice.
    units: dict[str, float] = {}
    for need in needs:
        for name in names_of(need.purpose, models[need.purpose], None):
            limit = limits.find(name)
            if limit is not None:
                units[name] = units.get(name, 0.0) + (need.tokens if limit.counts_tokens else 1)
    rates = {name: _per_second(limits, name) / amount for name, amount in units.items()}
    slowest = min(rates, key=lambda name: (rates[name], name), default=None)
    latency = sum(need.seconds for need in needs)
    costs = [need.micro_dollars for need in needs]
    rate = rates[slowest] if slowest else math.inf
    known = [cost for cost in costs if cost is not None]
    return Plan(
        pictures=pictures,
        seconds=round(max(0, pictures - 1) / rate + latency, 1),
        limit=slowest,
        per_minute=round(rate * 60, 2) if slowest else 0.0,
        threads=math.ceil(rate * latency) if slowest else pictures,
        micro_dollars=sum(known) * pictures if len(known) == len(costs) else None,
        needs=needs,
    )


def _per_second(limits: NamedLimits, name: str) -> float:
    limit = limits.find(name)
    assert isinstance(limit, NamedLimit)
    return 1 / limit.parameters.spacing
