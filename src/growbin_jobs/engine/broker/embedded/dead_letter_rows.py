"""The SQL of the dead letters in the embedded broker's file."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import apsw

from growbin_jobs.engine.broker.port import DeadLetter


class DeadLetterRows:
    """The dead letters of one file; the caller runs each changing method inside a transaction.

    Parameters:
      connection: To the file.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def dead_letters(self, queue: str | None, *, limit: int) -> list[DeadLetter]:
        """Return the latest dead letters, newest first, of one queue or of all."""
        rows = self._connection.execute(
            "SELECT seq, id, queue, priority, deliveries, reason, body, died_at FROM dead_letter"
            " WHERE ?1 IS NULL OR queue = ?1 ORDER BY died_at DESC, seq DESC LIMIT ?2",
            (queue, limit),
        )
        return [DeadLetter(*(*row[:-1], datetime.fromtimestamp(row[-1] / 1000, UTC))) for row in rows]

    def forget_dead_letters(self, dealt_with: Mapping[str, int]) -> int:
        """Delete dead letters that people have dealt with, and return how many.

        Parameters:
          dealt_with: When, by message id; what died later stays.
        """
        self._connection.execute(
            "DELETE FROM dead_letter WHERE seq IN (SELECT seq FROM dead_letter"
            " JOIN json_each(?) AS done ON dead_letter.id = done.key AND dead_letter.died_at <= done.value)",
            (json.dumps(dict(dealt_with)),),
        )
        return self._connection.changes()

    def prune_dead_letters(self, *, before: int, limit: int) -> int:
        """Delete dead letters that died before a time, the oldest first, and return how many."""
        self._connection.execute(
            "DELETE FROM dead_letter WHERE seq IN"
            " (SELECT seq FROM dead_letter WHERE died_at < ? ORDER BY died_at LIMIT ?)",
            (before, limit),
        )
        return self._connection.changes()

    def redact_dead_letters(self, known: Collection[str], *, limit: int) -> int:
        """Cut the texts of foreign errors, which earlier versions stored, off the reasons; return how many.

        Parameters:
          known: What stands before the colon where the text behind it is ours.
        """
        self._connection.execute(
            "UPDATE dead_letter SET reason = substr(reason, 1, instr(reason, ': ') - 1) WHERE seq IN"
            " (SELECT seq FROM dead_letter WHERE instr(reason, ': ') > 0"
            " AND substr(reason, 1, instr(reason, ': ') - 1) NOT IN (SELECT value FROM json_each(?)) LIMIT ?)",
            (json.dumps(sorted(known)), limit),
        )
        return self._connection.changes()

    def bodies_of_dead_letters(self, *, after: int, limit: int = 200) -> list[tuple[int, bytes]]:
        """Return numbers and encoded messages of dead letters behind one, in the order of their numbers."""
        sql = "SELECT seq, body FROM dead_letter WHERE seq > ? ORDER BY seq LIMIT ?"
        return [(seq, bytes(body)) for seq, body in self._connection.execute(sql, (after, limit))]

    def delete_dead_letters(self, *, seqs: Collection[int]) -> int:
        """Delete dead letters by their numbers; return how many."""
        sql = "DELETE FROM dead_letter WHERE seq IN (SELECT value FROM json_each(?))"
        self._connection.execute(sql, (json.dumps(list(seqs)),))
        return self._connection.changes()

    def undecodable(self, after: int, *, limit: int) -> list[DeadLetter]:
        """Return dead letters that are no message, in the order of their numbers.

        Parameters:
          after: Number of the last one that was seen.
        """
        rows = self._connection.execute(
            "SELECT seq, id, queue, priority, deliveries, reason, body, died_at FROM dead_letter"
            " WHERE seq > ? AND reason LIKE 'not a message%' ORDER BY seq LIMIT ?",
            (after, limit),
        )
        return [DeadLetter(*(*row[:-1], datetime.fromtimestamp(row[-1] / 1000, UTC))) for row in rows]
