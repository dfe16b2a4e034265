"""Decides which of several messages of one id in one queue stays.

A retry, or the next run after a deferral, has the id of its message. What asks for a later run is never dropped for
what asks for an earlier one, such as the same job handed in once more: a node that remembers the earlier run
acknowledges that without running it, and then both would be gone.
"""

from __future__ import annotations

import json
from typing import Any

import apsw


def run_of(body: bytes) -> int:
    """Return how many runs of its message come before the one that a body asks for; 0 for what cannot be read."""
    try:
        options = json.loads(body)["options"]
        counts = [options.get("retries", 0), options.get("deferrals", 0)]
    except (ValueError, TypeError, KeyError, AttributeError):
        return 0
    return sum(count for count in counts if isinstance(count, int))


def replace_earlier(
    connection: apsw.Connection,
    queue: str,
    message_id: str,
    body: bytes,
    *,
    priority: int,
    due: int,
    state: str,
    since: int | None,
) -> bool:
    """Put a message in the place of the one that waits there, if it asks for a later run. Returns True if it does."""
    found: list[Any] = connection.execute(
        "SELECT seq, body FROM message WHERE queue = ? AND id = ? AND state <> 'claimed'", (queue, message_id)
    ).fetchall()
    for seq, waiting in found:
        if run_of(body) > run_of(waiting):
            connection.execute(
                "UPDATE message SET body = ?, priority = ?, due = ?, state = ?, since = ? WHERE seq = ?",
                (body, priority, due, state, since, seq),
            )
            return True
    return False


def merge(connection: apsw.Connection, which: str, whose: tuple[int | str, ...]) -> int:
    """Delete claimed messages that come back where one of their id waits already; the latest run stays.

    Parameters:
      which, whose: A condition on the table ``message`` and its values.

    Returns:
      How many came back so.
    """
    back = f"(SELECT * FROM message WHERE {which}) AS back"  # noqa: S608 constants only
    twins: list[Any] = connection.execute(
        f"SELECT back.body, back.due, twin.seq, twin.body FROM {back} JOIN message AS twin"  # noqa: S608 constants only
        " ON twin.queue = back.queue AND twin.id = back.id AND twin.state <> 'claimed'",
        whose,
    ).fetchall()
    for body, due, seq, waiting in sorted(twins, key=lambda row: run_of(row[0])):
        if run_of(body) > run_of(waiting):
            connection.execute(
                "UPDATE message SET body = ?, due = min(due, ?), state = 'ready' WHERE seq = ?", (body, due, seq)
            )
    connection.execute(
        f"DELETE FROM message WHERE {which} AND EXISTS (SELECT 1 FROM message AS twin"  # noqa: S608 constants only
        " WHERE twin.queue = message.queue AND twin.id = message.id AND twin.state <> 'claimed')",
        whose,
    )
    return connection.changes()
