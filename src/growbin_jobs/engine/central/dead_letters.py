"""Dead letters of all nodes with their messages, and what people decide about them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

import peewee

from growbin_jobs.engine.central import bulk
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letter_rows import (
    IS_OPEN,
    IS_TO_DO,
    Action,
    CentralDeadLetter,
    DeadLetterRow,
    decide,
    letter_id,
    view_of,
)
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.central.minutes_due import touch
from growbin_jobs.engine.central.task_copy import iso
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.delivery.records import DeadLetterRecord, TaskState
from growbin_jobs.engine.errors import NotFound

#: Dead letters of one task that are read, the newest.
_OF_TASK: Final = 50

#: ``list`` is a method below.
Found = list[CentralDeadLetter]


class DeadLetters:
    """The only writer of ``dead_letters``.

    A person decides by :meth:`mark`; the first one wins. The keepers carry it out: that of the letter's node, and where
    that node is gone any other one (``engine/keeper/taken_letters.py``).

    Parameters:
      database: Where the table is.

    Every method raises Deferred when the database is away (:meth:`Database.run`); calling it again is always safe.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    # --- for people

    def get(self, letter_id: str) -> CentralDeadLetter:
        """Return one with its message.

        Raises:
          NotFound: There is none of that id.
        """
        rows = self.database.rows(DeadLetterRow.select().where(DeadLetterRow.id == letter_id))
        if not rows:
            raise NotFound(f"There is no dead letter {letter_id} in the central database.")
        return view_of(rows[0])

    def list(
        self,
        *,
        queue: str | None = None,
        actor: str | None = None,
        code: str | None = None,
        node: str | None = None,
        since: datetime | None = None,
        before: datetime | None = None,
        dealt_with: bool = False,
        below: tuple[datetime, str] | None = None,
        limit: int = 100,
    ) -> Found:
        """Return dead letters of all nodes without their messages, newest first.

        Parameters:
          since, before: When they died.
          dealt_with: Also those about which somebody has decided.
          below: ``died_at`` and ``id`` of the last one of the page before.
        """
        row = DeadLetterRow
        columns = [field for field in row._meta.sorted_fields if field.name != "body"]
        query = row.select(*columns, peewee.Value(b"").alias("body")).order_by(row.died_at.desc(), row.id.desc())
        if not dealt_with:
            query = query.where(IS_OPEN)
        for field, value in ((row.queue_name, queue), (row.task_name, actor), (row.code, code), (row.node, node)):
            query = query if value is None else query.where(field == value)
        query = query if since is None else query.where(row.died_at >= since)
        query = query if before is None else query.where(row.died_at < before)
        if below is not None:
            # The first comparison is for the index, the second one parts what died in the same microsecond.
            query = query.where((row.died_at <= below[0]) & ((row.died_at < below[0]) | (row.id < below[1])))
        return [view_of(each | {"body": b""}) for each in self.database.rows(query.limit(limit))]

    def some(self, letter_ids: Collection[str]) -> Found:
        """Return those of some letters that are open, with their messages, newest first."""
        row = DeadLetterRow
        query = row.select().where(row.id.in_(list(letter_ids)) & IS_OPEN).order_by(row.died_at.desc(), row.id.desc())
        return [view_of(each) for each in self.database.rows(query)] if letter_ids else []

    def of_task(self, task_id: str) -> Found:
        """Return the newest dead letters of a task on all nodes, oldest first, without messages and tracebacks."""
        row = DeadLetterRow
        columns = [field for field in row._meta.sorted_fields if field.name not in ("body", "traceback")]
        nothing = (peewee.Value(b"").alias("body"), peewee.Value("").alias("traceback"))
        query = row.select(*columns, *nothing).where(row.task_id == task_id).order_by(row.died_at.desc())
        return [view_of(each) for each in reversed(self.database.rows(query.limit(_OF_TASK)))]

    def count_open(self, *, most: int = 100_000) -> int:
        """Return how many dead letters nobody has dealt with, counted up to a limit."""
        query = DeadLetterRow.select(DeadLetterRow.id).where(IS_OPEN).limit(most)
        return self.database.run(lambda connection: int(query.count(connection)))

    def mark(self, letter_id: str, action: Action, *, by: str, at: datetime, effect_at: datetime | None = None) -> bool:
        """Decide about a dead letter. Of all who do at once, on all nodes, one gets True; the keepers carry it out.

        A retried message keeps its id, and its retries are counted anew.

        Parameters:
          by: Who decides, for the others to see.
          effect_at: Not to be carried out before, so that it can be taken back. None: at once.

        Returns:
          False: It was retried or discarded before, or somebody else has decided.

        Raises:
          NotFound: There is none of that id, or it is to be retried and holds no message that could be sent.
        """
        letter = self.get(letter_id)
        if action is Action.RETRY:
            letter.body_to_send()
        return self.database.run(
            lambda connection: decide(connection, letter_id, action, by=by, at=at, effect_at=effect_at)
        )

    def take_back(self, letter_id: str, *, now: datetime) -> bool:
        """Open a letter again whose decision has no effect yet; False where it is too late, or nothing was decided."""
        row = DeadLetterRow
        nothing = dict.fromkeys(("taken_by", "taken_at", "taken_to", "effect_at"))
        query = row.update(**nothing).where((row.id == letter_id) & IS_TO_DO & (row.effect_at > now))
        return self.database.run(lambda connection: bool(query.execute(connection)))

    # --- for the keepers

    def absorb(self, node: str, letters: Sequence[tuple[int, DeadLetterRecord]]) -> None:
        """Take over dead letters of a node's journal, all or none, in one transaction. Not in a gevent process.

        What a person has decided stays, unless the message has died once more since.

        Parameters:
          letters: Each with the number of its change.

        Raises:
          Deferred: The database is away.
          Permanent: It refuses a value; nothing of these was stored.
        """
        rows = sorted({row[0]: row for row in (_row(node, *each) for each in letters)}.values())
        dialect = self.database.dialect
        minutes = {int(record.died_at // 60) for _, record in letters}  # their errors are counted by code and place

        def work(connection: peewee.Database) -> None:
            bulk.insert(connection, dialect, "dead_letters", _COPIED, rows, _TAKE_OVER)
            touch(connection, dialect, minutes)

        self.database.transaction(work)

    def taken(self, *, now: datetime, limit: int = 200) -> Found:
        """Return those about which somebody has decided and nobody has done it, oldest decision first."""
        due = DeadLetterRow.effect_at.is_null() | (DeadLetterRow.effect_at <= now)
        query = DeadLetterRow.select().where(IS_TO_DO & due).order_by(DeadLetterRow.taken_at).limit(limit)
        return [view_of(each) for each in self.database.rows(query)]

    def any_to_do(self) -> bool:
        """Return whether there are any about which somebody has decided and nobody has done it, due or not."""
        return bool(self.database.rows(DeadLetterRow.select(DeadLetterRow.id).where(IS_TO_DO).limit(1)))

    def decided(self, letter_ids: Collection[str]) -> Found:
        """Return those of some letters about which somebody has decided, done or not."""
        row = DeadLetterRow
        query = row.select().where(row.id.in_(list(letter_ids)) & row.taken_by.is_null(False))
        return [view_of(each) for each in self.database.rows(query)]

    def carry(self, letter: CentralDeadLetter, *, node: str) -> bool:
        """Be the node that carries a decision out, in place of the one that had begun; False where another one is."""
        row = DeadLetterRow
        as_seen = row.carried_by.is_null() if letter.carried_by is None else row.carried_by == letter.carried_by
        query = row.update(carried_by=node).where((row.id == letter.id) & IS_TO_DO & as_seen)
        return self.database.run(lambda connection: bool(query.execute(connection)))

    def done(self, letter: CentralDeadLetter, *, at: datetime) -> None:
        """Note that a decision was carried out, unless the message has died once more meanwhile.

        The task of a message that was sent again is not dead any more, also where the node that said so is gone.
        """
        row, task = DeadLetterRow, TaskRow
        retried = letter.taken_to is Action.RETRY
        closed = {"retried_at": at} if retried else {"discarded_at": at}
        same = (row.id == letter.id) & (row.died_at == letter.died_at) & row.taken_by.is_null(False)
        note = row.update(done_at=at, **closed).where(same)
        alive = task.update(status=TaskState.FAILED.value)
        alive = alive.where((task.task_id == letter.task_id) & (task.status == TaskState.DEAD.value))

        def work(connection: peewee.Database) -> None:
            if note.execute(connection) and retried:
                alive.execute(connection)

        self.database.transaction(work)


_COPIED: Final = (
    "id", "node", "letter", "task_id", "task_name", "queue_name", "body", "code", "params", "error", "traceback",
    "died_at", "retried_at", "discarded_at", "seq",
)  # fmt: skip

#: The journal may not know yet what was carried out elsewhere.
_KEPT: Final = {
    name: f"CASE WHEN excluded.died_at > dead_letters.died_at THEN excluded.{name}"
    f" ELSE COALESCE(excluded.{name}, dead_letters.{name}) END"
    for name in ("retried_at", "discarded_at")
}
_TAKEN: Final = {
    name: f"CASE WHEN excluded.died_at > dead_letters.died_at THEN NULL ELSE dead_letters.{name} END"
    for name in ("taken_by", "taken_at", "taken_to", "carried_by", "done_at", "effect_at")
}
_CHANGES: Final = {name: f"excluded.{name}" for name in _COPIED if name != "id"} | _KEPT | _TAKEN
_TAKE_OVER: Final = f"""(id) DO UPDATE SET {", ".join(f"{name} = {value}" for name, value in _CHANGES.items())}
    WHERE excluded.seq > dead_letters.seq"""


def _row(node: str, seq: int, record: DeadLetterRecord) -> tuple[Any, ...]:
    texts = (record.code, record.params, record.error, record.traceback)
    return (
        letter_id(node, record.id, record.task_id), node, record.id, storable(record.task_id), storable(record.actor),
        storable(record.queue), bytes(record.body), *map(storable, texts), iso(record.died_at), iso(record.retried_at),
        iso(record.discarded_at), seq,
    )  # fmt: skip
