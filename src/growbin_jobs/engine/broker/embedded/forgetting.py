"""Deletes dead letters of the embedded broker's file that a function picks by their messages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from growbin_jobs.engine.broker.embedded.queue import EmbeddedQueue
from growbin_jobs.engine.broker.embedded.session import EmbeddedSession


def forget_dead_letters(hold: EmbeddedSession, belongs: Callable[[bytes], bool]) -> int:
    """Delete them, page by page; return how many.

    Parameters:
      hold: On the file.
      belongs: Called with each body.
    """
    after, deleted = 0, 0
    while page := hold.read(partial(EmbeddedQueue.bodies_of_dead_letters, after=after)):
        picked = [seq for seq, body in page if belongs(body)]
        if picked:
            deleted += hold.write(partial(EmbeddedQueue.delete_dead_letters, seqs=picked))
        after = page[-1][0]
    return deleted
