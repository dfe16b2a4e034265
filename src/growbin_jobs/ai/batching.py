"""Whether the message that runs here has time: then what it wants to know is put down for a batch, and its run ends.

Set around a stage; read on the one path to a model's answer, once nobody has the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from growbin_jobs.ai.questions import Question

#: What a stage returns whose question waits for a batch: the message comes again, under another id.
ASKED_IN_BATCH = {"asked_in": "batch"}


class AskedInBatch(Exception):
    """The question is put down; the message that asks it is sent again with the answer."""


class PutDown(Protocol):
    """Puts a question down, with the message that runs here."""

    def __call__(self, question: Question) -> bool:
        """Put it down; False where the server has no batches, so that it is asked by itself.

        Raises:
          Deferred: The database is away.
        """
        ...


_put_down: ContextVar[PutDown | None] = ContextVar("growbin_put_down", default=None)


@contextmanager
def putting_down(put_down: PutDown | None) -> Iterator[None]:
    """Let questions inside, of this thread or greenlet, be put down; None: asked at once."""
    token = _put_down.set(put_down)
    try:
        yield
    finally:
        _put_down.reset(token)


def put_down(question: Question) -> None:
    """Put a question down where the message that runs here has time.

    Raises:
      AskedInBatch: It is put down.
      Deferred: The database is away.
    """
    put = _put_down.get()
    if put is not None and put(question):
        raise AskedInBatch


def has_time() -> bool:
    """Return whether the message that runs here has time."""
    return _put_down.get() is not None
