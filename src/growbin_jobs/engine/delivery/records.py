"""What is written into the journal and read from it. Ids and JSON are text, times seconds since 1970, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class TaskState(StrEnum):
    """What has become of a message here.

    ::

        pending ──> running ──> completed
                     │  ^ └───> dead
                     v  │        │ a person retries it
                    failed <─────┘

    ``pending``: accepted, and not yet confirmed by the broker. ``failed``: will run again. ``completed`` is never left.
    A run whose start was not written (it is only a hint) ends all the same.
    """

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    DEAD = "dead"


#: By name, since Python 3.11 takes long to find a member in its class, and each message asks for these.
COMPLETED, FAILED, DEAD = TaskState.COMPLETED, TaskState.FAILED, TaskState.DEAD

#: What the row of a completed task has as its error when a person dropped its message: before it ran, or while it did.
#: It is final as ``completed`` is, and no success.
REVOKED: Final = "revoked"
ABORTED: Final = "aborted"
DROPPED: Final = (REVOKED, ABORTED)


class Outcome(StrEnum):
    """How a run ended that did not complete.

    ``failed``: it raised and is retried. ``deferred``: it was put off, which spends no retry. ``dead``: its message was
    given up. ``crashed``: its process died.
    """

    FAILED = "failed"
    DEFERRED = "deferred"
    DEAD = "dead"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A hint for people and monitors: this runs now."""

    task_id: str
    task_name: str
    queue_name: str
    payload: str
    worker: str
    started_at: float
    created_at: float | None = None
    retry_count: int = 0
    deferrals: int = 0
    delivery_tag: int | None = None


@dataclass(slots=True, kw_only=True)  # not frozen, which takes three times as long to make, and each message makes some
class OutboxMessage:
    """A message that the broker must get. Nobody changes it but who stores it.

    Attributes:
      message_id: Its id; two with the same id are the same message.
      parent_id: The task that made it, or whose retry it is. None: a producer handed it in.
      task_name: Its actor.
      queue_name: Where it goes.
      body: The encoded message.
      due_at: Not to be delivered before. None: at once.
      ordinal: Position among its parent's messages.
      seq: Names the message when it is confirmed; 0 until it is stored.
    """

    message_id: str
    task_name: str
    queue_name: str
    body: bytes
    parent_id: str | None = None
    due_at: float | None = None
    ordinal: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """Why a message was given up.

    Attributes:
      body: The encoded message, as it is sent again when a person retries it.
      code, params: A reason of :mod:`growbin_jobs.reasons`; the params as JSON.
      error: The last error in words that may be stored.
      traceback: Of that error; no values of variables.
    """

    body: bytes
    code: str
    params: str
    error: str
    traceback: str
    died_at: float


@dataclass(slots=True, kw_only=True)  # not frozen, as OutboxMessage
class Finish:
    """The end of a run. Nobody changes it.

    Attributes:
      state: ``completed``, ``failed`` (it is retried or was put off; its next message is in ``outbox``) or ``dead``.
      outbox: Its follow-ups, or the retry of itself.
      dead: With ``dead`` only.
      deferred: With ``failed``: it was put off, which spends no retry.
      due_at: When the retry is due.
      retry_count, deferrals: Of the run that ended.
    """

    task_id: str
    task_name: str
    queue_name: str
    payload: str
    state: TaskState
    worker: str
    started_at: float
    completed_at: float
    created_at: float | None = None
    error: str | None = None
    result: str | None = None
    retry_count: int = 0
    deferrals: int = 0
    outbox: tuple[OutboxMessage, ...] = ()
    dead: Dead | None = None
    deferred: bool = False
    due_at: float | None = None
    delivery_tag: int | None = None

    def __post_init__(self) -> None:
        if (self.dead is None) == (self.state is DEAD):
            raise ValueError("a message that was given up, and no other, says why in `dead`")
        if self.state not in (COMPLETED, FAILED, DEAD):
            raise ValueError(f"{self.state} is not the end of a run")


@dataclass(frozen=True, slots=True)
class TaskHistory:
    """What the journal knows about a message that is about to run.

    Attributes:
      state: What has become of it here.
      crashes: How many of its starts in a row took the process with them.
      lone_crashes: In how many of those it ran alone in its process.
      retry_count, deferrals: Of the last run that ended here: the same as the message's say that this very run ended.
      outbox: Messages that the broker has not confirmed.
    """

    task_id: str
    state: TaskState
    crashes: int
    retry_count: int
    deferrals: int
    outbox: tuple[OutboxMessage, ...]
    lone_crashes: int = 0


@dataclass(frozen=True, slots=True)
class JournalTask:
    """A row of ``task_wal``; see spec and schema.sql."""

    task_id: str
    task_name: str
    queue_name: str
    payload: str
    status: TaskState
    delivery_tag: int | None
    created_at: float
    started_at: float | None
    completed_at: float | None
    error: str | None
    retry_count: int
    result: str | None
    worker: str | None
    synced_at: float | None
    deferrals: int
    crashes: int
    due_at: float | None
    seq: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """A run that did not complete.

    Attributes:
      started_at, worker, retry_count, deferrals: Of the run; None of a crash whose start nobody saw.
      ended_at: Of a crash: when it was found.
      due_at: When the run that follows is due; None: at once, or there is none.
    """

    task_id: str
    outcome: Outcome
    started_at: float | None
    ended_at: float
    worker: str | None
    error: str | None
    retry_count: int | None
    deferrals: int | None
    due_at: float | None


@dataclass(frozen=True, slots=True)
class DeadLetterRecord:
    """A message that was given up. ``retried_at`` or ``discarded_at`` say that a person has dealt with it."""

    id: int
    task_id: str
    actor: str
    queue: str
    body: bytes
    code: str
    params: str
    error: str
    traceback: str
    died_at: float
    retried_at: float | None
    discarded_at: float | None


@dataclass(frozen=True, slots=True)
class Health:
    """Can the journal be written?

    Attributes:
      writable: False: take no new messages.
      reason: Why not, with what to do; None when it is writable.
      free_bytes: Left on its disk.
      unwritten: Ends of runs that wait until it can be written again; nothing is dropped.
      quarantined: Damaged files that were put aside, by name, newest last.
    """

    writable: bool
    reason: str | None
    free_bytes: int
    unwritten: int
    quarantined: tuple[str, ...]
