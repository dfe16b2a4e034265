"""The life of a delivery as a table: in which states it may be, what may happen there, and where that leads.

``docs/delivery.md`` is drawn from this table. What happens at each step is in this folder, in this order: ``intake``
(received), ``start`` (begun, or not), ``decide`` (ended), ``settlement`` (committed, published, settled).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol

from growbin_jobs.engine import events
from growbin_jobs.engine.delivery.outbox import Outbox
from growbin_jobs.engine.delivery.records import Finish, TaskHistory
from growbin_jobs.engine.delivery.runs import Run


class State(StrEnum):
    """Where a delivery is."""

    __hash__ = str.__hash__  # Enum's is written in Python, and each message asks the table below eight times

    #: A worker process has it and has asked the journal about it.
    RECEIVED = "received"
    #: It was running when its process died, more than once: it does not run in this one.
    SUSPECT = "suspect"
    #: It waits for an isolation process of this worker, or runs there.
    ISOLATED = "isolated"
    #: Another delivery of the same run is in this process.
    DUPLICATE = "duplicate"
    #: This run ended on this node before.
    KNOWN = "known"
    #: Its start is in the ledger and its outbox is open.
    RUNNING = "running"
    #: Its end is decided: a record with all that it sent.
    DECIDED = "decided"
    #: It goes back to its queue.
    RETURNING = "returning"
    #: A duplicate that waits for what becomes of the other one.
    WAITING = "waiting"
    #: Its end is being written into the journal.
    COMMITTING = "committing"
    #: What it sent is being published; then the broker is told.
    SETTLING = "settling"
    #: The broker was told.
    SETTLED = "settled"
    #: Nobody is told: the broker has it back.
    LEFT = "left"


class Step(StrEnum):
    """What may happen to a delivery."""

    __hash__ = str.__hash__

    #: Nothing speaks against its run.
    BEGIN = "begin"
    #: It is to run in an isolation process.
    ISOLATE = "isolate"
    #: It killed the process in which it ran alone: a worker thread gives it up.
    GIVE_UP = "give up"
    #: Another delivery of the same run was faster.
    DUPLICATE = "duplicate"
    #: The journal knows the end of this run.
    KNOWN = "known"
    #: Its consumer has lost its channel, or its process was forked off another one.
    LEAVE = "leave"
    #: It cannot be finished here and now.
    RETURN = "return"
    #: The run has ended, or there was none to be had: what becomes of it is known.
    DECIDE = "decide"
    #: Dramatiq is done with it.
    RELEASE = "release"
    #: The journal has its end on record.
    COMMITTED = "committed"
    #: The journal can never take that record.
    UNWRITABLE = "unwritable"
    #: What becomes of the other delivery of its run is known.
    SHARE = "share"
    #: The broker did not take all that it sent.
    UNCONFIRMED = "unconfirmed"
    #: The broker has all that it sent, and was told.
    SETTLED = "settled"


class Move(NamedTuple):
    """Where a step leads from a state, and what is done on the way."""

    to: State
    done: str


TABLE: Final[Mapping[State, Mapping[Step, Move]]] = {
    State.RECEIVED: {
        Step.BEGIN: Move(State.RUNNING, "its start is noted in the ledger, its outbox is opened"),
        Step.ISOLATE: Move(State.SUSPECT, "it does not run in this process"),
        Step.DUPLICATE: Move(State.DUPLICATE, "it does not run"),
        Step.KNOWN: Move(State.KNOWN, "it does not run"),
        Step.LEAVE: Move(State.LEFT, "it does not run: the broker delivers it again"),
        Step.RETURN: Move(State.RETURNING, "it does not run"),
        Step.DECIDE: Move(State.DECIDED, "no actor of that name: a dead letter (`actor_unknown`)"),
        Step.RELEASE: Move(State.SETTLING, "Dramatiq has sent a copy of it (an `eta`): it is acknowledged"),
    },
    State.SUSPECT: {
        Step.RELEASE: Move(State.ISOLATED, "it is handed to an isolation process, with other suspects or alone"),
    },
    State.ISOLATED: {
        Step.KNOWN: Move(State.KNOWN, "its run there has ended: the journal has the record"),
        Step.RETURN: Move(State.RETURNING, "it did not come to an end there: this worker stops"),
        Step.GIVE_UP: Move(
            State.RECEIVED, "it is marked as failed (`worker_killed`) and goes to a worker thread again"
        ),
    },
    State.DUPLICATE: {
        Step.RELEASE: Move(State.WAITING, "it waits for the other one"),
    },
    State.KNOWN: {
        Step.RELEASE: Move(State.SETTLING, "the outbox of its run is published, then it is told as that run ended"),
    },
    State.RUNNING: {
        Step.DECIDE: Move(State.DECIDED, "its outbox is closed, the record of its end is made, its slot is cleared"),
        Step.RETURN: Move(State.RETURNING, "its outbox is closed and dropped, its slot is cleared"),
        Step.LEAVE: Move(State.LEFT, "the same; the broker delivers it again"),
    },
    State.DECIDED: {
        Step.RELEASE: Move(State.COMMITTING, "the record is handed to the journal"),
        Step.LEAVE: Move(State.LEFT, "in a forked child: the end is the parent's business"),
    },
    State.RETURNING: {
        Step.RELEASE: Move(
            State.SETTLING, "a copy that counts one more is published with a delay, and it is acknowledged"
        ),
        Step.DECIDE: Move(
            State.DECIDED, "it went back too often, or its end cannot be written: a dead letter (`decision_invalid`)"
        ),
        Step.LEAVE: Move(State.LEFT, "the broker delivers it again"),
    },
    State.WAITING: {
        Step.SHARE: Move(State.SETTLING, "it is told as the other one was"),
    },
    State.COMMITTING: {
        Step.COMMITTED: Move(State.SETTLING, "what it sent is handed to the broker"),
        Step.UNWRITABLE: Move(State.RETURNING, "a record that says so takes the place of its end, once"),
        Step.LEAVE: Move(State.LEFT, "the journal is closed: the broker delivers it again"),
    },
    State.SETTLING: {
        Step.UNCONFIRMED: Move(State.SETTLING, "it is tried again after a pause"),
        Step.SETTLED: Move(State.SETTLED, "those that wait for it are told the same"),
    },
    State.SETTLED: {},
    State.LEFT: {
        Step.RELEASE: Move(State.LEFT, "nothing"),
    },
}

#: The members that each message meets, by name: Python 3.11 takes longer to find one in its class than all that is done
#: with it, and the modules of this room ask for some twenty.
RECEIVED, RUNNING, DECIDED = State.RECEIVED, State.RUNNING, State.DECIDED
BEGIN, DECIDE, RELEASE, COMMITTED, SETTLED = Step.BEGIN, Step.DECIDE, Step.RELEASE, Step.COMMITTED, Step.SETTLED

_NEXT: Final = {state: {step: move.to for step, move in moves.items()} for state, moves in TABLE.items()}

#: Raise what the table does not allow. For tests; a worker logs it, and what has no end by then goes back.
strict = False


class IllegalTransition(RuntimeError):
    """A delivery was told what its state does not allow."""


class Life:
    """What this process knows of one delivery. Only this folder changes it.

    Attributes:
      state: Where it is.
      run: Its run, shared with other deliveries of it.
      history: What the journal knew about the message when it arrived.
      slot: Its place in the ledger of starts while it runs.
      started_at: Seconds since 1970, UTC.
      took: It has taken the run: no other delivery of it runs meanwhile.
      outbox: What it sends.
      record: How it ended.
    """

    __slots__ = ("history", "outbox", "record", "run", "slot", "started_at", "state", "took")

    def __init__(self, run: Run[Any], history: TaskHistory | None) -> None:
        self.state = RECEIVED
        self.run = run
        self.history = history
        self.took = False
        self.slot: int | None = None
        self.started_at = 0.0
        self.outbox: Outbox | None = None
        self.record: Finish | None = None


class Living(Protocol):
    """A delivery."""

    actor_name: str
    message_id: str
    queue_name: str
    life: Life | None


def advance(delivery: Living, step: Step) -> bool:
    """Let a step happen to a delivery.

    Returns:
      False if its state does not allow that: then nothing has changed, and the caller does nothing.

    Raises:
      IllegalTransition: The same, where :data:`strict` is set.
    """
    life = delivery.life
    assert life is not None
    to = _NEXT[life.state].get(step)
    if to is None:
        events.TRANSITION_REFUSED.emit(delivery, state=str(life.state), event=str(step))
        if strict:
            raise IllegalTransition(f"{delivery} is {life.state}: {step} is not allowed there")
        return False
    life.state = to
    return True
