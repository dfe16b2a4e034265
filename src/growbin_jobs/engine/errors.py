"""The engine's errors, in one tree::

    GrowbinError
    ├── ConfigurationError    a setting or an installation is wrong; raised at start, never inside a message
    ├── NotFound              something that was asked for by name is not there
    ├── Conflict              somebody else was first, or what it is now does not allow it
    ├── Permanent             trying again cannot help: the message goes to the dead letters
    ├── Transient             trying again may help: spends a retry
    └── Deferred              wait, it is nobody's fault: comes back later and spends no retry

What an actor raises decides what happens to its message; ``middleware/retries.py`` reads the class and
nothing else. Any exception from outside this tree counts as transient. Applications derive their own classes.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from growbin_jobs.engine.foreign_numbers import finite
from growbin_jobs.engine.reasons import REASONS, reason
from growbin_jobs.engine.text import plain


class GrowbinError(Exception):
    """Root of the tree."""


class ConfigurationError(GrowbinError):
    """A setting or the installation is wrong. The message says which one and how to mend it."""


class NotFound(GrowbinError):
    """What was asked for by name does not exist."""


class Conflict(GrowbinError):
    """Somebody else was first, or the state of a thing does not allow what was asked; the message says what to do."""


class Permanent(GrowbinError):
    """Trying again cannot help.

    Parameters:
      code: A registered code of :mod:`growbin_jobs.engine.reasons`: it is stored and turned into a sentence where a
        person reads it. Anything else is the sentence itself, in your own words; its code is ``given_up``.
      params: What the code's sentence needs, or more that a person should know. Text and numbers, and what has a plain
        form (paths, decimals, dates, …): they are shown to people and travel in messages, so no secrets and no
        personal data.
    """

    def __init__(self, code: str, **params: Any) -> None:
        self.params = {name: plain(value) for name, value in params.items()}
        known = isinstance(code, str) and code in REASONS
        self.code = str(code) if known else "given_up"
        if not known:
            self.params["detail"] = plain(code) or "no reason was given"
        super().__init__(reason(self.code, "en", self.params))


class DecisionInvalid(Permanent, ValueError):
    """An error asks for what cannot be done, such as a pause without an end.

    In an actor it makes the message a dead letter that says so: nobody can tell what else was meant.
    """

    def __init__(self, detail: str) -> None:
        super().__init__("decision_invalid", detail=detail)


class Transient(GrowbinError):
    """Trying again may help.

    Parameters:
      message: What happened, for logs.
      max_retries: At most this many retries for this kind of error, where it must be fewer than the
        actor's own limit (a timed out paid call, for instance, may have been billed). None: the actor's.
      final_code: What a person is told when no retry is left: a code or a sentence, as in :class:`Permanent`.

    Raises:
      DecisionInvalid: If ``max_retries`` is no whole number.
    """

    def __init__(self, message: str, *, max_retries: int | None = None, final_code: str = "retries_exhausted") -> None:
        self.max_retries = _retries(max_retries)
        self.final_code = final_code
        super().__init__(message)


class Deferred(GrowbinError):
    """Something we depend on asks us to wait (rate limit) or is away (database down).

    Parameters:
      message: What we wait for, for logs.
      wait: Seconds until the next try, or a timedelta; jitter is added. A time that has passed means at once.
      capacity: However long it waits, as for its turn at something limited, it is never given up for having waited.
      pauses_queue: Every message of its queue would have to wait as long: this process takes nothing from it until
        then.

    Raises:
      DecisionInvalid: If ``wait`` is no finite number.
    """

    def __init__(
        self, message: str, *, wait: float | timedelta, capacity: bool = False, pauses_queue: bool = False
    ) -> None:
        self.wait = _seconds(wait)
        self.capacity = capacity
        self.pauses_queue = pauses_queue
        super().__init__(message)


class Away(Deferred):
    """A service that nearly every message of a worker needs is away, such as the central database.

    Its message waits, however long that takes; where it goes on, the process pauses the queue
    (:mod:`growbin_jobs.engine.middleware.outages`).

    Parameters:
      message: What is away and how to mend it, for logs.
      wait: Seconds until the message comes back, or a timedelta; also the first pause of its queue.
    """

    def __init__(self, message: str, *, wait: float | timedelta) -> None:
        super().__init__(message, wait=wait, capacity=True)


class Returned(Deferred):
    """A message goes back to its queue at once, and nothing counts that.

    Parameters:
      message: Why, for logs.
      reason: The same in a word, for events.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        self.reason = reason
        super().__init__(message, wait=0.0, capacity=True)


class WorkerStopping(Returned):
    """The worker stops while a message waits in it."""

    def __init__(self) -> None:
        super().__init__("This worker stops.", reason="worker_stops")


def _seconds(wait: object) -> float:
    if isinstance(wait, timedelta):
        return max(0.0, wait.total_seconds())
    seconds = finite(wait)
    if seconds is None:
        raise DecisionInvalid(f"Deferred(wait={plain(wait)!r}): wait must be finite seconds or a timedelta.")
    return max(0.0, seconds)


def _retries(limit: object) -> int | None:
    if limit is None or limit == math.inf:
        return None
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
        raise DecisionInvalid(f"Transient(max_retries={plain(limit)!r}): it must be a whole number from 0, or None.")
    return limit
