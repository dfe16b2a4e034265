"""The embedded broker's file: its SQL, and the open file as its one thread sees it.

No threads, no clock, no Dramatiq.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw
from dramatiq.errors import BrokerConnectionError

from growbin_jobs.engine.broker.embedded.dead_letter_rows import DeadLetterRows
from growbin_jobs.engine.broker.embedded.duplicates import merge, replace_earlier
from growbin_jobs.engine.broker.embedded.schema import create_schema
from growbin_jobs.engine.broker.port import Depth
from growbin_jobs.engine.node.wakeups import wake_all
from growbin_jobs.engine.sqlite.committer import Closed
from growbin_jobs.engine.sqlite.opening import BUSY_TIMEOUT, open_sqlite
from growbin_jobs.engine.text import well_formed

#: Milliseconds by which moments of one machine's clock may differ, as several processes read it.
CLOCK_VARIES: Final = 60_000


class Claimed(NamedTuple):
    """A message that a consumer has got.

    Attributes:
      seq: Names the row.
      body: The encoded message.
      deliveries: How often it was handed out, this time included.
    """

    seq: int
    body: bytes
    deliveries: int


class EmbeddedQueue(DeadLetterRows):
    """All queues of one file.

    The caller runs each changing method inside a transaction, alone on the connection. Times are milliseconds
    since 1970, passed in. A message is ``delayed`` until it is due, ``ready`` until a consumer claims it, and then
    ``claimed`` until that consumer acknowledges, dead-letters or releases it, or its process dies.

    Attributes:
      touched: Queues that got something to deliver, or to wait for, since the caller last took the names.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self.touched: set[str] = set()

    def put(self, queue: str, message_id: str, body: bytes, *, priority: int, due: int, now: int) -> bool:
        """Add a message, unless one of that id already waits in that queue; one that asks for an earlier run gives way.

        Returns:
          False if it waits there already; that one stays as it is.
        """
        state = "delayed" if due > now else "ready"
        since = now if state == "delayed" else None
        self._connection.execute(
            "INSERT INTO message (queue, id, body, priority, due, state, since) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (queue, id) WHERE state <> 'claimed' DO NOTHING",
            (queue, message_id, body, priority, due, state, since),
        )
        added = self._connection.changes() == 1 or replace_earlier(
            self._connection, queue, message_id, body, priority=priority, due=due, state=state, since=since
        )
        if added:
            self.touched.add(queue)
        return added

    def next_due(self, queue: str) -> int | None:
        """Return when the queue's next message may be delivered: 0 for at once, None for an empty queue."""
        if self._connection.execute("SELECT 1 FROM message WHERE queue = ? AND state = 'ready' LIMIT 1", (queue,)).get:
            return 0
        due: int | None = self._connection.execute(
            "SELECT min(due) FROM message WHERE queue = ? AND state = 'delayed'", (queue,)
        ).get
        return due

    def claim(self, queue: str, *, owner: str, consumer: str, limit: int, now: int) -> list[Claimed]:
        """Hand out up to ``limit`` due messages: lower priority number first, then the one that was due first."""
        self._connection.execute(
            "UPDATE message SET state = 'ready' WHERE queue = ? AND state = 'delayed' AND due <= ?", (queue, now)
        )
        rows = self._rows(
            "UPDATE message SET state = 'claimed', owner = ?, consumer = ?, deliveries = deliveries + 1 WHERE seq IN ("
            "  SELECT seq FROM message WHERE queue = ? AND state = 'ready' ORDER BY priority, due, seq LIMIT ?"
            ") RETURNING priority, due, seq, body, deliveries",
            (owner, consumer, queue, limit),
        )
        # RETURNING promises no order.
        return [Claimed(*row[2:]) for row in sorted(rows, key=lambda row: row[:3])]

    def ack(self, seq: int, consumer: str) -> bool:
        """Delete a message that its consumer has done.

        Returns:
          False if it is not, or no longer, this consumer's.
        """
        self._connection.execute("DELETE FROM message WHERE seq = ? AND consumer = ?", (seq, consumer))
        return self._connection.changes() == 1

    def dead_letter(self, seq: int, consumer: str, *, reason: str, now: int) -> bool:
        """Move a message to the dead letters.

        Returns:
          False if it is not, or no longer, this consumer's.
        """
        self._connection.execute(
            "INSERT INTO dead_letter (seq, id, queue, priority, deliveries, reason, died_at, body)"
            " SELECT seq, id, queue, priority, deliveries, ?, ?, body FROM message WHERE seq = ? AND consumer = ?",
            (reason, now, seq, consumer),
        )
        return self.ack(seq, consumer)

    def refuse(self, queue: str, message_id: str, body: bytes, *, reason: str, now: int) -> None:
        """Put a message among the dead letters that could not be put into its queue."""
        self._connection.execute(
            "INSERT INTO dead_letter (seq, id, queue, priority, deliveries, reason, died_at, body) VALUES"
            # Below all numbers that messages have.
            " ((SELECT min(ifnull(min(seq), 0), 0) - 1 FROM dead_letter), ?, ?, 0, 0, ?, ?, ?)",
            (well_formed(message_id), well_formed(queue), reason, now, body),
        )

    def requeue(self, seq: int, consumer: str, *, due: int, now: int) -> bool:
        """Return a message that could not be finished, to be delivered again from ``due`` on.

        Returns:
          False if it is not, or no longer, this consumer's.
        """
        change, which = "state = 'delayed', due = ?, since = ?", "seq = ? AND consumer = ?"
        return self._release(change, (due, now), which, (seq, consumer)) > 0

    def return_unstarted(self, seq: int, consumer: str) -> bool:
        """Return a message that nobody looked at: to its old place, and the delivery does not count.

        Returns:
          False if it is not, or no longer, this consumer's.
        """
        change = "state = 'ready', deliveries = deliveries - 1"
        return self._release(change, (), "seq = ? AND consumer = ?", (seq, consumer)) > 0

    def release_consumer(self, owner: str, consumer: str) -> int:
        """Return all that a closed consumer still had, and how many that were."""
        return self._release("state = 'ready'", (), "owner = ? AND consumer = ?", (owner, consumer))

    def release_owner(self, owner: str) -> int:
        """Return all that a dead process still had, and how many that were."""
        return self._release("state = 'ready'", (), "owner = ?", (owner,))

    def _release(self, change: str, values: tuple[int, ...], which: str, whose: tuple[int | str, ...]) -> int:
        """Make claimed messages wait again; one that waits already, its retry or its double, absorbs them."""
        which = f"state = 'claimed' AND {which}"
        released = self._rows(
            f"UPDATE OR IGNORE message SET {change}, owner = NULL, consumer = NULL WHERE {which} RETURNING queue",  # noqa: S608 constants only
            (*values, *whose),
        )
        self.touched.update(queue for (queue,) in released)
        return len(released) + merge(self._connection, which, whose)

    def set_back(self, *, now: int) -> int:
        """Let delays that began in the future begin now: they were put by a clock that has been set back since.

        Returns:
          How many there were. What waits for its turn, and nothing else, takes it as one that came now.
        """
        last = now + CLOCK_VARIES
        changed = self._rows(
            "UPDATE message SET due = due - since + ?1, since = ?1 WHERE state = 'delayed' AND since > ?2"
            " RETURNING queue",
            (now, last),
        )
        changed += self._rows(
            "UPDATE message SET due = ?1 WHERE state = 'ready' AND due > ?2 RETURNING queue", (now, last)
        )
        self.touched.update(queue for (queue,) in changed)
        return len(changed)

    def owners(self) -> set[str]:
        """Return the processes that have claimed something."""
        rows = self._rows("SELECT DISTINCT owner FROM message WHERE state = 'claimed'")
        return {owner for (owner,) in rows}

    def flush(self, queue: str) -> None:
        """Drop what waits in a queue and its dead letters; what is claimed stays with its consumer."""
        self._connection.execute("DELETE FROM message WHERE queue = ? AND state <> 'claimed'", (queue,))
        self._connection.execute("DELETE FROM dead_letter WHERE queue = ?", (queue,))

    def depths(self) -> dict[str, Depth]:
        """Return the depth of each queue that holds anything."""
        counts: dict[str, dict[str, int]] = {}
        for queue, state, count in self._rows(
            "SELECT queue, 'ready', count(*) FROM message WHERE state = 'ready' GROUP BY queue"
            " UNION ALL SELECT queue, 'claimed', count(*) FROM message WHERE state = 'claimed' GROUP BY queue"
            " UNION ALL SELECT queue, 'delayed', count(*) FROM message WHERE state = 'delayed' GROUP BY queue"
            " UNION ALL SELECT queue, 'dead', count(*) FROM dead_letter GROUP BY queue"
        ):
            counts.setdefault(queue, {})[state] = count
        return {queue: Depth(**states) for queue, states in sorted(counts.items())}

    def waiting(self, after: int, *, limit: int) -> list[tuple[int, str, int, bytes]]:
        """Return number, queue, due time and body of messages that nobody has, in the order of their numbers."""
        return self._rows(
            "SELECT seq, queue, due, body FROM message WHERE seq > ? AND state <> 'claimed' ORDER BY seq LIMIT ?",
            (after, limit),
        )

    def _rows(self, sql: str, values: tuple[int | str | None, ...] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()


#: Seconds to wait for another process's transaction.
PATIENCE = BUSY_TIMEOUT


class QueueUnavailable(BrokerConnectionError):
    """The file cannot be used at the moment. What this process has claimed stays claimed; try again."""


class EmbeddedStore:
    """An open file; see :class:`growbin_jobs.engine.sqlite.transactions.Store`.

    Parameters:
      path: The file; made, with its folder, where it is missing.
      wakeups: Folder of the wakeups to ring after commits.

    Raises:
      ConfigurationError: If SQLite is too old, or the file is not a queue that this version knows.
      OSError, apsw.Error: If it cannot be opened.
    """

    def __init__(self, path: Path, wakeups: Path) -> None:
        self._path = path
        self._wakeups = wakeups
        self.connection = open_sqlite(path, busy_timeout=PATIENCE)
        try:
            self.connection.pragma("fullfsync", True)  # macOS: only this reaches the disk
            create_schema(self.connection)
            self._file = path.stat()
        except BaseException:
            self.connection.close()
            raise
        self.queue = EmbeddedQueue(self.connection)

    def check(self) -> None:
        """Refuse to go on with a file that other processes can no longer see.

        Raises:
          Closed: If it was moved or removed.
        """
        try:
            if os.path.samestat(self._file, self._path.stat()):
                return
        except FileNotFoundError:
            pass
        raise Closed("its file was moved or removed")

    def committed(self) -> None:
        """Wake the consumers that wait for what was committed."""
        touched, self.queue.touched = self.queue.touched, set()
        wake_all(self._wakeups, touched)
