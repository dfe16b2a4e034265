"""The stand-in for OpenAI with limits of its own: it counts each request up to a second late, and keeps the moments.

What it counted is the judge of our limits: :meth:`LimitedOpenAI.counted`. Beyond its limit it answers 429, as OpenAI
does. It can also play an outage: every request is then treated by one behaviour of the stub (``quota``, ``503``,
``hang``, ``drip``) until :meth:`LimitedOpenAI.play` says ``ok``.
"""

from __future__ import annotations

import random
import threading
import time
from bisect import bisect_left, bisect_right, insort
from typing import Any

from openai_server import BEHAVIOURS, Asked, Kind, Reply, StubOpenAI, completion, error, violations

__all__ = ["BEHAVIOURS", "LimitedOpenAI", "largest"]


def largest(moments: list[float], window: float) -> int:
    """Return the most moments in any window of a length; the list is sorted."""
    return max((bisect_right(moments, first + window) - at for at, first in enumerate(moments)), default=0)


class LimitedOpenAI(StubOpenAI):
    """See the module.

    Parameters:
      limits: The most requests of each kind in any window.
      window: Its length in seconds.
      late: Most seconds by which a request is counted late, at random.
      answers_after: Seconds, from and to, that an answer takes, by kind.
      checked: Whether each body is checked against OpenAI's own schema; it takes some milliseconds.
    """

    def __init__(
        self,
        limits: dict[Kind, int],
        *,
        window: float = 60.0,
        late: float = 1.0,
        answers_after: dict[Kind, tuple[float, float]] | None = None,
        checked: bool = True,
    ) -> None:
        super().__init__(**({} if checked else {"schema": None}))
        self.limits, self.window = limits, window
        self._late, self._answers_after = late, answers_after or {}
        self._moments: dict[Kind, list[float]] = {"vision": [], "text": []}
        self._counting = threading.Lock()
        self._lateness = random.Random(7)
        self._playing = "ok"
        self.refused = 0

    def play(self, behaviour: str) -> None:
        """Treat every request so from now on."""
        self._playing = behaviour

    def counted(self, kind: Kind) -> list[float]:
        """Return when each request of a kind was counted, on the monotonic clock, refused ones included."""
        with self._counting:
            return list(self._moments[kind])

    def take(self, body: dict[str, Any], headers: dict[str, str]) -> Reply:
        wrong = self.check("CreateChatCompletionRequest", body) or violations(body)
        if wrong:
            self.violations += wrong
            return error(400, "invalid_request", "; ".join(wrong))
        asked = Asked(body, headers, _picture_of(body))
        with self._counting:
            late = self._lateness.uniform(0, self._late)
            seconds = self._lateness.uniform(*self._answers_after.get(asked.kind, (0.0, 0.0)))
        time.sleep(late)
        if not self._count(asked.kind):
            return error(429, "rate_limit_exceeded", retry_after="1")
        if self._playing != "ok":
            return BEHAVIOURS[self._playing](asked) if self._playing in BEHAVIOURS else error(int(self._playing))
        if seconds:
            time.sleep(seconds)
        return completion(asked, asked.content())

    def _count(self, kind: Kind) -> bool:
        """Count a request now; return whether it is within the limit. A refused one counts too, as with OpenAI."""
        with self._counting:
            now, moments = time.monotonic(), self._moments[kind]
            insort(moments, now)
            within = len(moments) - bisect_left(moments, now - self.window) <= self.limits[kind]
            self.refused += not within
            return within


def _picture_of(body: dict[str, Any]) -> bytes | None:
    import base64

    for message in body["messages"]:
        for part in message["content"] if isinstance(message["content"], list) else ():
            if part["type"] == "image_url":
                return base64.b64decode(part["image_url"]["url"].partition(",")[2])
    return None
