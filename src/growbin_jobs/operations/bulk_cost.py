"""What a bulk job is expected to cost and take: paid requests of each stage from here on, at the limits that hold."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from growbin_jobs import names
from growbin_jobs.limits.named import NamedLimits, names_of
from growbin_jobs.limits.past_requests import Need

#: What a message of each actor pays for, itself and by those that follow.
PAID: Final[Mapping[str, tuple[str, ...]]] = {
    names.UPLOAD_IMAGE.actor: ("vision", "text"),
    names.ANALYZE_IMAGE.actor: ("vision", "text"),
    names.RETRIEVE_RULE.actor: ("text",),
    names.GENERATE_RESPONSE.actor: ("text",),
}

#: Where an actor's arguments have the analysis: position and name.
_ANALYSIS: Final = {
    names.UPLOAD_IMAGE.actor: 2,
    names.ANALYZE_IMAGE.actor: 0,
    names.RETRIEVE_RULE.actor: 0,
    names.GENERATE_RESPONSE.actor: 0,
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to be expected.

    Attributes:
      requests: Paid requests, by purpose.
      saved: Requests that are not sent since their answer is kept, by purpose.
      micro_dollars: Of all; None: the price of a request is not known.
      minutes: Until the last one is answered.
      decided_by: The limit that decides how long it takes; ``pace``; None: nothing does.
    """

    requests: dict[str, int]
    saved: dict[str, int]
    micro_dollars: int | None
    minutes: float
    decided_by: str | None


def analysis_of(actor: str, message: Mapping[str, Any]) -> str | None:
    """Return the analysis that a message is about; None: it is about none."""
    place = _ANALYSIS.get(actor)
    args, kwargs = message.get("args"), message.get("kwargs")
    if place is None or not isinstance(args, list) or not isinstance(kwargs, dict):
        return None
    found = args[place] if len(args) > place else kwargs.get("analysis_id")
    return found if isinstance(found, str) else None


def requests_of(
    targets: Iterable[tuple[str, str | None]], answered: Mapping[str, frozenset[str]]
) -> tuple[Counter[str], Counter[str]]:
    """Return how many requests are to be paid for, and how many are not, by purpose.

    Parameters:
      targets: The actor of each, and its analysis.
      answered: By purpose, the analyses whose answer is kept.
    """
    paid: Counter[str] = Counter()
    saved: Counter[str] = Counter()
    for actor, analysis_id in targets:
        for purpose in PAID.get(actor, ()):
            (saved if analysis_id in answered.get(purpose, frozenset()) else paid)[purpose] += 1
    return paid, saved


def expected(
    count: int,
    paid: Counter[str],
    saved: Counter[str],
    *,
    needs: Sequence[Need],
    limits: NamedLimits | None,
    models: Mapping[str, str],
    pace: float | None,
) -> Expected:
    """Return what a job is expected to cost and take.

    Parameters:
      count: Its targets.
      paid, saved: Of :func:`requests_of`.
      needs: What one request takes, of each purpose.
      limits: Those that hold; None: no model server is asked, and nothing costs anything.
      models: The model of each purpose.
      pace: Targets a minute at most.
    """
    seconds, decided_by = _pace(count, pace)
    if limits is None:
        return Expected({}, {}, 0, round(seconds / 60, 1), decided_by)
    for name, amount in sorted(_units(paid, needs, limits, models).items()):
        limit = limits.find(name)
        assert limit is not None
        takes = amount * limit.parameters.spacing
        if takes > seconds:
            seconds, decided_by = takes, name
    by_purpose = {need.purpose: need for need in needs}
    seconds += sum(by_purpose[purpose].seconds for purpose in paid if paid[purpose] and purpose in by_purpose)
    costs = [_cost(by_purpose.get(purpose), number) for purpose, number in paid.items() if number]
    known = [cost for cost in costs if cost is not None]
    money = sum(known) if len(known) == len(costs) else None
    return Expected(dict(paid), dict(saved), money, round(seconds / 60, 1), decided_by)


def _pace(count: int, pace: float | None) -> tuple[float, str | None]:
    return (count * 60.0 / pace, "pace") if pace and count else (0.0, None)


def _cost(need: Need | None, number: int) -> int | None:
    return None if need is None or need.micro_dollars is None else need.micro_dollars * number


def _units(
    paid: Counter[str], needs: Sequence[Need], limits: NamedLimits, models: Mapping[str, str]
) -> dict[str, float]:
    """Return how many units of each limit the requests take: one of those that both stages share counts both."""
    units: dict[str, float] = {}
    for need in needs:
        for name in names_of(need.purpose, models.get(need.purpose, ""), None):
            limit = limits.find(name)
            if limit is not None and math.isfinite(limit.parameters.spacing):
                each = need.tokens if limit.counts_tokens else 1
                units[name] = units.get(name, 0.0) + each * paid[need.purpose]
    return units
