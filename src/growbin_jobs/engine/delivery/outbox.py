"""What a running message sends: kept until its run has ended, then committed with its end, and only then published.

Follow-ups have the id ``uuid5(parent id, actor, ordinal)``: a second run of the same message makes the same ones. So
does one whose sender has chosen an id that is no random UUID, for instance one made from a due time.

A message that sends itself anew keeps its id and becomes another run of it: a retry and a deferral count one more, and
what an actor sends of itself counts as put off once more, since a node knows a run by its counts
(:mod:`growbin_jobs.engine.delivery.runs`). There is one next run: what it sends of itself beside that has an id of its
own.

The outbox belongs to the thread or greenlet that runs the message. What a thread started by an actor sends, what a
process forked by an actor sends, and what is sent after the end, is published at once like any producer's message.
"""

from __future__ import annotations

import json
import os
import time
from contextvars import ContextVar
from typing import Any

from dramatiq import Message
from dramatiq.broker import Broker, MessageProxy
from dramatiq.middleware import CurrentMessage

from growbin_jobs.engine import processes
from growbin_jobs.engine.delivery.admission import check, encoded
from growbin_jobs.engine.delivery.codec import assemble, follow_up_id, is_random
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.delivery.runs import Key, counted, key_of

_current: ContextVar[Outbox | None] = ContextVar("outbox", default=None)

_new_message = OutboxMessage.__new__


def _forked() -> None:
    CurrentMessage._MESSAGE.set(None)  # what ran at the fork runs in the parent


os.register_at_fork(after_in_child=_forked)


class Outbox:
    """The messages that one run has sent so far.

    Parameters:
      broker: Who delivered the message; what is sent through another broker is not ours.
      run: The run of the message. Not the message itself, which knows its outbox: a cycle for each message would be
        left to Python's collector.
      body: The encoded message. An id that it names is the same in each run, and somebody else may know it.

    Attributes:
      broker: The same.
      next_run: The run that follows this one, if the message has sent itself.
    """

    __slots__ = (
        "_body", "_counts", "_generation", "_kept", "_made", "_names", "_of_actor", "_run", "_sent", "broker", "closed",
        "next_run",
    )  # fmt: skip

    def __init__(self, broker: Broker, run: Key, body: bytes = b"") -> None:
        self.broker = broker
        self.closed = False
        self.next_run: Key | None = None
        self._run = run
        self._body = body
        self._sent: list[OutboxMessage] = []
        self._kept = 0
        self._counts: dict[str, int] = {}
        self._made: dict[str, bool] = {}  # ids of messages that were made, and whether they were sent
        self._names: dict[str, str] = {}
        self._of_actor = False  # what is sent now is the actor's own
        self._generation = processes.generation

    @property
    def inherited(self) -> bool:
        """True in a process that was forked while its message ran: that runs in the parent."""
        return self._generation != processes.generation

    def open(self) -> None:
        """Take what this thread or greenlet sends from now on."""
        _current.set(self)

    def name(self, message: Message[Any]) -> None:
        """Give a message that was just made the id that it will have, so that pipelines and their makers know it."""
        if is_random(message.message_id):
            vars(message)["message_id"] = self.new_id(message.actor_name)

    def new_id(self, actor_name: str) -> str:
        """Return the id of a message that is being made."""
        message_id = self._next_id(actor_name)
        self._made[message_id] = False
        return message_id

    def stable(self, random_id: str, what: str) -> str:
        """Return what to use in each run instead of a random id that this run has made.

        Parameters:
          random_id: Of a group, or of a message inside of another one.
          what: Of what kind.
        """
        if not is_random(random_id) or self._knows(random_id):
            return random_id
        key = f"{what} {random_id}"
        if key not in self._names:
            self._names[key] = self._next_id(what)
        return self._names[key]

    def take(self, message: Message[Any], delay: int | None) -> Message[Any]:
        """Be the broker's ``enqueue``: keep a message, and return it under the id that it will have.

        Parameters:
          message: What is sent.
          delay: Milliseconds from now before which it must not be delivered.

        Raises:
          ValueError: It could never be published; nothing was kept.
        """
        check(message, delay)
        message = self._identified(message)
        if message.options:
            self._settle_parts(message.options)
        self.broker.emit_before("enqueue", message, delay)
        self._put(message, delay)
        if message.message_id == self._run[0]:
            self.next_run = key_of(message)
        self.broker.emit_after("enqueue", message, delay)
        return message

    def begin_actor(self) -> None:
        """Note that what is sent from now on is the actor's own."""
        self._of_actor = True
        if self._sent or self._counts:
            self._kept = len(self._sent)
            self._counts.clear()

    def forget(self) -> None:
        """Drop what the actor has sent: it has failed, and its next run will send it again."""
        del self._sent[self._kept :]
        self.next_run = None
        # What is sent from now on tells of this run: the next one may fail, too, and sends another message.
        self._counts.clear()
        self._of_actor = False

    def close(self) -> tuple[OutboxMessage, ...]:
        """Take nothing more, and return what was sent, in order."""
        self.closed = True
        _current.set(None)
        return tuple(self._sent)

    def _identified(self, message: Message[Any]) -> Message[Any]:
        if isinstance(message, MessageProxy):  # it must not share its options with the delivery
            message = message.copy()
        parent_id = self._run[0]
        if message.message_id == parent_id and self.next_run is None:
            return self._run_again(message)
        message_id = message.message_id
        sent = self._made.get(message_id)
        if sent is False:  # it got its id when it was made
            self._made[message_id] = True
            return message
        # The same message sent twice is two messages.
        if sent is None and message_id != parent_id and (not is_random(message_id) or self._knows(message_id)):
            return message
        return assemble(vars(message) | {"message_id": self._next_id(message.actor_name)})

    def _next_id(self, name: str) -> str:
        ordinal = self._counts.get(name, 0)
        self._counts[name] = ordinal + 1
        message_id, retries, deferrals = self._run
        scope = "" if self._of_actor else f"@{retries}.{deferrals}"
        return follow_up_id(message_id, name + scope, ordinal)

    def _knows(self, an_id: str) -> bool:
        """Does the message that runs name an id? Then it is the same in each run, and others may know it."""
        return an_id.encode() in self._body

    def _settle_parts(self, options: dict[str, Any]) -> None:
        """Give what this run has composed the same ids in each run: stages of pipelines, groups, their callbacks."""
        while True:
            if "group_completion_uuid" in options:
                options["group_completion_uuid"] = self.stable(options["group_completion_uuid"], "group")
                for callback in options.get("group_completion_callbacks") or ():
                    callback["message_id"] = self.stable(callback["message_id"], callback["actor_name"])
            target = options.get("pipe_target")
            if not target:
                return
            target["message_id"] = self.stable(target["message_id"], target["actor_name"])
            options = target["options"]

    def _run_again(self, message: Message[Any]) -> Message[Any]:
        _, retries, deferrals = self._run
        own_retries, own_deferrals = counted(message.options, "retries"), counted(message.options, "deferrals")
        if own_retries < retries or own_deferrals < deferrals or (own_retries, own_deferrals) == (retries, deferrals):
            own_deferrals = max(deferrals, own_deferrals) + 1 + max(0, retries - own_retries)
            options = {**message.options, "deferrals": own_deferrals}
            message = assemble(vars(message) | {"options": options})
        if "requeues" not in message.options:
            return message
        options = {name: value for name, value in message.options.items() if name != "requeues"}
        return assemble(vars(message) | {"options": options})

    def _put(self, message: Message[Any], delay: int | None) -> None:
        kept = _new_message(OutboxMessage)  # filled in: to pass its fields by name takes longer
        kept.message_id = message.message_id
        kept.task_name = message.actor_name
        kept.queue_name = message.queue_name
        kept.body = encoded(message)
        kept.parent_id = self._run[0]
        kept.due_at = None if delay is None else time.time() + delay / 1000
        kept.ordinal = len(self._sent)
        kept.seq = 0
        self._sent.append(kept)


def current_outbox() -> Outbox | None:
    """Return the outbox of the message that the calling thread or greenlet runs, whichever broker has delivered it."""
    outbox = _current.get()
    return None if outbox is None or outbox.closed or outbox.inherited else outbox


def outbox_of(broker: Broker) -> Outbox | None:
    """Return the outbox of the message of this broker that the calling thread or greenlet runs."""
    outbox = _current.get()
    # A greenlet that an actor has started begins with a copy of its context, and may outlive it.
    if outbox is None or outbox.closed or outbox.broker is not broker or outbox.inherited:
        return None
    return outbox


def option(body: bytes, name: str) -> Any:
    """Return an option of an encoded message; None where it has none."""
    if name.encode() not in body:  # nearly always, and a thousand times cheaper than decoding
        return None
    return json.loads(body)["options"].get(name)
