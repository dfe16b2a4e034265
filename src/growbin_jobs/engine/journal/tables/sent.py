"""The table ``sent``: messages that the broker has taken over, until the central database knows of them."""

from __future__ import annotations

import json
from typing import NamedTuple

import apsw

PAGE = """
SELECT seq, message_id, parent_id, task_name, queue_name, body, due_at, created_at FROM sent ORDER BY seq LIMIT ?
"""


class SentMessage(NamedTuple):
    """A message that the broker has confirmed.

    Attributes:
      seq: What it had in the outbox.
      parent_id: The task that sent it. None: a producer.
      body: The encoded message.
      due_at: Not to be delivered before. None: at once.
      created_at: When it was stored, seconds since 1970, UTC.
    """

    seq: int
    message_id: str
    parent_id: str | None
    task_name: str
    queue_name: str
    body: bytes
    due_at: float | None
    created_at: float


def page(connection: apsw.Connection, *, limit: int) -> list[SentMessage]:
    """Return the first messages in the order in which they were stored."""
    return [SentMessage(*row) for row in connection.execute(PAGE, (limit,))]


def forget(connection: apsw.Connection, messages: list[SentMessage]) -> None:
    """Delete messages that the central database knows. Inside a transaction.

    By number, since one with a lower number may have been confirmed after they were read.
    """
    seqs = json.dumps([each.seq for each in messages])
    connection.execute("DELETE FROM sent WHERE seq IN (SELECT value FROM json_each(?))", (seqs,))
