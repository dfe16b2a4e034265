"""The life of a batch of paid calls: its states, what is done in each, and when it is looked at again.

::

    collecting ──> uploaded ──> creating ──> sent ──> reading ──> done
        │              │           │           │
        └──────────────┴───────────┴───────────┴── no answer: its questions are asked in the standard tier

Each arrow is written down when it has been done, so what a killed process leaves is done once more: a file is built and
uploaded anew, which is free. Only ``creating`` costs money. It is written down *before* the call, so whoever finds a
batch there looks for it at the server by its metadata first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from growbin_jobs.settings import Settings


class State(StrEnum):
    """How far a batch is."""

    COLLECTING = "collecting"
    UPLOADED = "uploaded"
    CREATING = "creating"
    SENT = "sent"
    READING = "reading"
    DONE = "done"


class Why(StrEnum):
    """Why a question is asked in the standard tier after all."""

    NO_BATCHES = "no_batches"
    NOT_TAKEN = "not_taken"
    QUEUE_FULL = "queue_full"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    LOST = "lost"
    REFUSED = "refused"
    UNUSABLE = "unusable"
    NO_ANSWER = "no_answer"
    NOT_ASKED = "not_asked"
    BUDGET_SPENT = "budget_spent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How large batches are.

    Attributes:
      requests: Most requests of one.
      tokens: Most tokens of all batches at the server, by estimate; 0: any.
      gather: Seconds that questions are gathered for one.
      first_look: Seconds until the server is first asked how far it is.
    """

    requests: int
    tokens: int
    gather: float
    first_look: float

    @classmethod
    def of(cls, settings: Settings) -> Sizes:
        """Return them as they are set."""
        return cls(
            requests=settings.batch_requests, tokens=settings.batch_tokens, gather=settings.batch_gather,
            first_look=settings.batch_poll,
        )  # fmt: skip


#: States that the job works on which makes batches, and the one that looks after them.
MADE_IN: Final = (State.COLLECTING, State.UPLOADED, State.CREATING)
LOOKED_AFTER_IN: Final = (State.SENT, State.READING)

#: Seconds that a batch may take at the server, and after which one that has not come to its end is given up.
WINDOW: Final = 86_400.0
CANCELLED_AFTER: Final = WINDOW + 3_600.0
LOST_AFTER: Final = WINDOW + 4 * 3_600.0

#: Seconds between two looks at most, and by how much each pause is longer than the one before.
LONGEST_PAUSE: Final = 900.0
_GROWS: Final = 1.5

#: Words of the server for an end, and what its questions without an answer are asked in the standard tier for.
_ENDS: Final = {
    "completed": Why.NO_ANSWER,
    "failed": Why.FAILED,
    "expired": Why.EXPIRED,
    "cancelled": Why.CANCELLED,
}


def end_of(status: str, problem: str | None = None) -> Why | None:
    """Return why questions without an answer are asked otherwise once a batch is so; None while it goes on.

    Parameters:
      status: As the server says it.
      problem: Codes of why it failed.
    """
    if status == "failed" and "token_limit" in (problem or ""):
        return Why.QUEUE_FULL
    return _ENDS.get(status)


def pause_after(looks: int, first: float) -> float:
    """Return the seconds until the next look.

    Parameters:
      looks: How often it was looked at.
      first: Seconds of the first pause.
    """
    pause = first
    for _ in range(looks):
        if pause >= LONGEST_PAUSE:
            break
        pause *= _GROWS
    return min(pause, max(LONGEST_PAUSE, first))


def moment(seconds: float) -> datetime:
    """Return a moment that a table of batches has in seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)
