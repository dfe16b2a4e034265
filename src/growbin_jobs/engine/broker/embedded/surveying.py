"""Tells how deep the queues of the embedded broker's file are, and how long their oldest messages wait."""

from __future__ import annotations

import time
from collections.abc import Iterable

from growbin_jobs.engine.broker.embedded.queue import EmbeddedQueue
from growbin_jobs.engine.broker.port import Depth, Survey

#: What is due waits, also before a consumer has noticed that it is.
_OLDEST = """
SELECT queue, min(due) FROM (
    SELECT queue, min(due) AS due FROM message WHERE state = 'ready' GROUP BY queue
    UNION ALL SELECT queue, min(due) FROM message WHERE state = 'delayed' AND due <= ?1 GROUP BY queue
) GROUP BY queue
"""


def survey(file: EmbeddedQueue, queues: Iterable[str]) -> dict[str, Survey]:
    """Return depth and age of queues; one that holds nothing is empty.

    Parameters:
      file: The broker's.
      queues: Which.
    """
    depths, now = file.depths(), time.time() * 1000
    oldest = dict(file._rows(_OLDEST, (int(now),)))
    found = {}
    for name in queues:
        due = oldest.get(name)
        found[name] = Survey(depths.get(name, Depth()), 0.0 if due is None else max(0.0, now - due) / 1000)
    return found
