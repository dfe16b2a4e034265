"""Counts what was sent against what was promised: the largest number in any window, for each limit."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from growbin_jobs.limit_names import EACH_USER, TOKENS, USER, common_name
from growbin_jobs.limits.named import names_of
from growbin_jobs.limits.promises import Promise
from growbin_jobs.rates import Rate

#: Windows in a row over which the use of a limit is shown: one alone says little of a load that lasts.
SUSTAINED: Final = 10


class Sent(NamedTuple):
    """One HTTP request, as the ledger has it.

    Attributes:
      at: When it was sent, in seconds since 1970.
      purpose: What the answer was for.
      model: The one that was asked.
      user_id: For whom; None: not known.
      tokens: Tokens in and out, as the server counted them.
    """

    at: float
    purpose: str
    model: str
    user_id: str | None
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one limit promised and what was sent.

    Attributes:
      name: Of the limit.
      most: What it promised when the most was sent: so many units …
      window: … in any so many seconds.
      worst: The most units in any window.
      worst_at: When the last of them was sent; None: nothing was sent.
      use: Units in the busiest ten windows in a row, as a part of what was promised for them.
      total: Units in all.
      broken: Windows, each ending with a request, that held more than was promised.
    """

    name: str
    most: int
    window: float
    worst: int
    worst_at: float | None
    use: float
    total: int
    broken: int


def audit(requests: Iterable[Sent], history: Sequence[Promise]) -> list[Finding]:
    """Return a finding for each limit that promised something, by name; of users only those who sent something.

    A window in which a promise changed may hold as much as the larger one; one that began before the first promise, or
    in which the length of the window changed, is not judged.

    Parameters:
      requests: In the order of their sending.
      history: All promises, the oldest of each name first.
    """
    promised: dict[str, list[Promise]] = {}
    for promise in history:
        promised.setdefault(promise.name, []).append(promise)
    counted = _Counted(promised)
    for request in requests:
        counted.add(request)
    return counted.findings()


class _Counted:
    """Counts the units of all limits that promised something.

    Parameters:
      promised: By the limit's name, the oldest first.
    """

    def __init__(self, promised: Mapping[str, list[Promise]]) -> None:
        self._promised = promised
        own = {name: its for name, its in promised.items() if name.removeprefix(TOKENS) != EACH_USER}
        self._counts = {name: _Count(name, its) for name, its in own.items()}
        self._by_user = any(_is_users(name) for name in promised)
        # Users send several requests, and models are few: most of the time went into the names of limits.
        self._of = lru_cache(maxsize=10_000)(self._counts_of)

    def add(self, request: Sent) -> None:
        user_id = request.user_id if self._by_user else None
        for count, is_tokens in self._of(request.purpose, request.model, user_id):
            count.add(request.at, request.tokens if is_tokens else 1)

    def findings(self) -> list[Finding]:
        return [self._counts[name].finding() for name in sorted(self._counts)]

    def _counts_of(self, purpose: str, model: str, user_id: str | None) -> list[tuple[_Count, bool]]:
        found = []
        for name in names_of(purpose, model, user_id):
            if name not in self._counts and (theirs := _promises_of(name, self._promised)):
                self._counts[name] = _Count(name, theirs)
            if name in self._counts:
                found.append((self._counts[name], name.startswith(TOKENS)))
        return found


def _is_users(name: str) -> bool:
    """Whether a limit, of requests or of tokens, is that of a user, or of all of them."""
    return name.removeprefix(TOKENS).startswith(USER)


def _promises_of(name: str, promised: Mapping[str, list[Promise]]) -> list[Promise] | None:
    """The promises of a limit; a user's own before those of all users."""
    return promised.get(name) or (promised.get(common_name(name)) if _is_users(name) else None)


@dataclass(slots=True)
class _Window:
    """The units of the last so many seconds."""

    length: float
    total: int = 0
    _units: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, at: float, units: int) -> int:
        # By names of this call: half a million requests of a day come by here twice.
        its, total, oldest = self._units, self.total + units, at - self.length
        its.append((at, units))
        while its[0][0] < oldest:
            total -= its.popleft()[1]
        self.total = total
        return total


class _Count:
    """Counts one limit; its promises are of one name."""

    def __init__(self, name: str, promises: Sequence[Promise]) -> None:
        self._name = name
        self._promises = promises
        self._length = promises[-1].rate.window
        self._window = _Window(self._length)
        self._long = _Window(self._length * SUSTAINED)
        self._worst, self._rate = 0, promises[-1].rate
        self._use, self._total, self._broken = 0.0, 0, 0
        self._worst_at: float | None = None

    def add(self, at: float, units: int) -> None:
        self._total += units
        inside, sustained = self._window.add(at, units), self._long.add(at, units)
        allowed = self._allowed(at - self._length, at)
        if inside > self._worst:
            self._worst, self._worst_at = inside, at
            self._rate = Rate(allowed, self._length) if allowed else self._promises[-1].rate
        if not allowed:
            return
        if inside > allowed:
            self._broken += 1
        # Most windows are not the busiest: only of one that is, it matters what was promised all the time.
        use = sustained / (allowed * SUSTAINED)
        if use > self._use and self._allowed(at - self._length * SUSTAINED, at) == allowed:
            self._use = use

    def finding(self) -> Finding:
        return Finding(
            name=self._name,
            most=self._rate.most,
            window=self._rate.window,
            worst=self._worst,
            worst_at=self._worst_at,
            use=self._use,
            total=self._total,
            broken=self._broken,
        )

    def _allowed(self, start: float, end: float) -> int | None:
        """The largest promise that held at some moment of a window; None where it cannot be judged."""
        if start < self._promises[0].since:
            return None
        if len(self._promises) == 1:  # as nearly always
            return self._promises[0].rate.most
        ends = [*(each.since for each in self._promises[1:]), float("inf")]
        held = [each for each, until in zip(self._promises, ends, strict=True) if each.since <= end and until > start]
        if any(each.rate.window != self._length for each in held):
            return None
        return max(each.rate.most for each in held)
