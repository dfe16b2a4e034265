"""The table of dead letters of all nodes, one row of it as a value, and the decision about one."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid5

import peewee

from growbin_jobs.engine.central.fields import BytesField, UtcField
from growbin_jobs.engine.delivery.reruns import rerun
from growbin_jobs.engine.errors import NotFound

_NAMESPACE: Final = UUID("5b1b5c0e-6f6c-4c1e-9a58-0f4b1f2f3d77")


class Action(StrEnum):
    """What a person wants done with a dead letter."""

    RETRY = "retry"
    DISCARD = "discard"


class DeadLetterRow(peewee.Model):
    """Table ``dead_letters``. ``migrations/`` creates it; a test holds the two together."""

    id = peewee.TextField(primary_key=True)
    node = peewee.TextField()
    letter = peewee.BigIntegerField()
    task_id = peewee.TextField()
    task_name = peewee.TextField()
    queue_name = peewee.TextField()
    body = BytesField()
    code = peewee.TextField()
    params = peewee.TextField()
    error = peewee.TextField()
    traceback = peewee.TextField()
    died_at = UtcField()
    retried_at = UtcField(null=True)
    discarded_at = UtcField(null=True)
    seq = peewee.BigIntegerField()
    taken_by = peewee.TextField(null=True)
    taken_at = UtcField(null=True)
    taken_to = peewee.TextField(null=True)
    carried_by = peewee.TextField(null=True)
    done_at = UtcField(null=True)
    effect_at = UtcField(null=True)

    class Meta:
        table_name = "dead_letters"
        indexes = ((("died_at", "id"), False), (("task_id",), False))


DeadLetterRow.add_index(
    DeadLetterRow.index(
        DeadLetterRow.died_at, DeadLetterRow.id, name="dead_letters_open",
        where=peewee.SQL("retried_at IS NULL AND discarded_at IS NULL AND taken_by IS NULL"),
    )
)  # fmt: skip
DeadLetterRow.add_index(
    DeadLetterRow.index(DeadLetterRow.taken_at, where=peewee.SQL("taken_by IS NOT NULL AND done_at IS NULL"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralDeadLetter:
    """A dead letter of some node. Times are aware, in UTC.

    Attributes:
      id: In the central database.
      node: Whose journal had it, and ``letter``: its number there.
      body: The encoded message. Empty in lists.
      code, params: The reason; the params as JSON.
      error, traceback: Of the last run; no values of variables.
      retried_at, discarded_at: As the journal says, once it knows.
      taken_by, taken_at, taken_to: Who has decided about it in the central database, when, and what.
      carried_by: The node that carries that out.
      done_at: When that was done.
      effect_at: Not to be carried out before: until then it can be taken back. None: at once.
    """

    id: str
    node: str
    letter: int
    task_id: str
    task_name: str
    queue_name: str
    body: bytes
    code: str
    params: str
    error: str
    traceback: str
    died_at: datetime
    retried_at: datetime | None
    discarded_at: datetime | None
    taken_by: str | None
    taken_at: datetime | None
    taken_to: Action | None
    carried_by: str | None
    done_at: datetime | None
    effect_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """True while nobody has retried or discarded it, nor decided to."""
        return self.retried_at is None and self.discarded_at is None and self.taken_by is None

    def body_to_send(self) -> bytes:
        """Return the message as it is sent again.

        Raises:
          NotFound: It holds none.
        """
        try:
            return rerun(self.body)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise NotFound(f"Dead letter {self.id} holds no message that could be sent. Discard it.") from None

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON: times in ISO 8601, the message as text."""
        times = {name: value.isoformat() for name, value in asdict(self).items() if isinstance(value, datetime)}
        return asdict(self) | times | {"body": self.body.decode("utf-8", "replace")}


IS_OPEN = DeadLetterRow.retried_at.is_null() & DeadLetterRow.discarded_at.is_null() & DeadLetterRow.taken_by.is_null()

IS_TO_DO = DeadLetterRow.taken_by.is_null(False) & DeadLetterRow.done_at.is_null()


def decide(
    connection: peewee.Database,
    letter_id: str,
    action: Action,
    *,
    by: str,
    at: datetime,
    effect_at: datetime | None = None,
) -> bool:
    """Decide about an open dead letter inside of a transaction; False where somebody else has."""
    row = DeadLetterRow
    query = row.update(
        taken_by=by, taken_at=at, taken_to=action.value, carried_by=None, done_at=None, effect_at=effect_at
    ).where((row.id == letter_id) & IS_OPEN)
    return bool(query.execute(connection))


def letter_id(node: str, letter: int, task_id: str) -> str:
    """Return the central id of a letter; the task belongs to it, since a new journal counts from 1 again."""
    return uuid5(_NAMESPACE, f"{node}\0{letter}\0{task_id}").hex


def view_of(row: dict[str, Any]) -> CentralDeadLetter:
    values = {field.name: row[field.name] for field in fields(CentralDeadLetter)}
    taken_to = None if row["taken_to"] is None else Action(row["taken_to"])
    return CentralDeadLetter(**values | {"taken_to": taken_to})
