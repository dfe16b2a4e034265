"""The keeper's part in dead letters about which somebody has decided in the central database.

The keeper of the letter's node carries the decision out: it closes the letter and puts the message into the outbox in
one transaction. Where that node has fallen silent another one sends the message; when the node is back its keeper finds
its letter dealt with, and closes it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import apsw

from growbin_jobs.engine import events
from growbin_jobs.engine.central.dead_letter_rows import Action, CentralDeadLetter, letter_id
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.central.lost import Lost
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.errors import NotFound
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import dead_letters, tasks
from growbin_jobs.engine.periodic.timetable import Changes

#: Seconds between two looks whether letters of this journal were dealt with while this node was away.
LOOK_BACK = 60.0

#: Letters of the journal that one query asks about.
PAGE = 500


@dataclass(slots=True)
class TakenLetters:
    """Carry out what people have decided.

    Attributes:
      send: Hands the outbox to the broker: the keeper's relay.
      clock: Seconds since 1970, UTC.
      changes: Those that decide whether this is run; None: it always is.
    """

    journal: Journal
    letters: DeadLetters
    lost: Lost
    send: Callable[[], object]
    clock: Callable[[], float] = time.time
    changes: Changes | None = None
    _looked_back: float = field(default=-LOOK_BACK, init=False)

    def run_once(self) -> dict[str, int]:
        """Carry out what is this node's.

        Raises:
          Deferred, BrokerConnectionError: The database, the journal or the broker is away; what was kept is sent later.
        """
        done = 0
        if self.letters.any_to_do():
            if self.changes is not None:
                self.changes.forget()  # nobody writes when the time of one has come
            done = sum(self._carry_out(letter) for letter in self._mine())
        closed = self._look_back()
        if done:
            self.send()
        return {name: count for name, count in (("carried_out", done), ("closed", closed)) if count}

    def _mine(self) -> list[CentralDeadLetter]:
        """Return those that this node may carry out: its own, those that it has begun, those of silent nodes."""
        taken, me = self.letters.taken(now=self._now()), self.journal.node
        others = [each for each in taken if (each.carried_by or each.node) != me]
        living = self.lost.living(self._now()) if others else set()
        return [each for each in taken if (each.carried_by or each.node) not in living - {me}]

    def _carry_out(self, letter: CentralDeadLetter) -> bool:
        if not self.letters.carry(letter, node=self.journal.node):
            return False
        at = self.clock()
        body = letter.body_to_send() if letter.taken_to is Action.RETRY else None
        if letter.node == self.journal.node:
            outcome = self.journal.write(lambda connection: _settle(connection, letter, body, at), durable=True)
        else:
            outcome = self.journal.write(lambda connection: _send(connection, letter, body, at), durable=True)
        if outcome:
            self.letters.done(letter, at=self._now())
            events.LETTER_CARRIED_OUT.emit(
                id=letter.task_id, action=str(letter.taken_to), node=letter.node, by=letter.taken_by
            )
        return outcome

    def _look_back(self) -> int:
        """Close letters of this journal that were dealt with elsewhere while this node was away."""
        if time.monotonic() - self._looked_back < LOOK_BACK:
            return 0
        closed, below = 0, 2**62
        while page := self.journal.read(partial(dead_letters.find, below_id=below, limit=PAGE)):
            ids = [letter_id(self.journal.node, each.id, each.task_id) for each in page]
            for letter in self.letters.decided(ids):
                if letter.done_at is not None and letter.carried_by != self.journal.node:
                    closed += self.journal.write(partial(_close, letter=letter, now=self.clock()))
            below = page[-1].id
        self._looked_back = time.monotonic()
        return closed

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)


def _settle(connection: apsw.Connection, letter: CentralDeadLetter, body: bytes | None, now: float) -> bool:
    """Carry out a decision about a letter of this journal; False where its message has died once more meanwhile."""
    try:
        record = dead_letters.get(connection, letter.letter)
    except NotFound:
        record = None
    if record is None or record.task_id != letter.task_id:  # the file was made anew since
        return _send(connection, letter, body, now)
    if record.retried_at is not None or record.discarded_at is not None:  # by a person on this node, or by us before
        return True
    if dead_letters.find_death(connection, letter.letter, letter.task_id, letter.died_at.timestamp()) is None:
        return False
    if body is None:
        dead_letters.discard(connection, record.id, now=now)
    else:
        dead_letters.retry(connection, record.id, body=body, now=now)
    return True


def _send(connection: apsw.Connection, letter: CentralDeadLetter, body: bytes | None, now: float) -> bool:
    """Put the message of another journal's letter into this one's outbox."""
    if body is not None:
        message = OutboxMessage(
            message_id=letter.task_id, task_name=letter.task_name, queue_name=letter.queue_name, body=body
        )
        tasks.accept(connection, message, body.decode("utf-8", "replace"), now=now)
    return True


def _close(connection: apsw.Connection, letter: CentralDeadLetter, now: float) -> bool:
    """Close a letter of this journal that another node has carried out, if it still tells of the same death."""
    died_at = letter.died_at.timestamp()
    if dead_letters.find_death(connection, letter.letter, letter.task_id, died_at) is None:
        return False
    if letter.taken_to is Action.RETRY:
        dead_letters.retry_elsewhere(connection, letter.letter, now=now)
    else:
        dead_letters.discard(connection, letter.letter, now=now)
    return True
