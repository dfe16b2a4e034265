"""Every event of the engine, in one table: what happened, with its measurements and its metadata.

::

    from growbin_jobs.engine import events

    stop = events.listen(print, events.RETRIED, events.GIVEN_UP)    # of these; of all where none is named

A listener is called with the event and its fields, at once, on the thread where it happened, also on native threads
under gevent: it must not block, and it must not keep or change the fields. What it raises is logged once and hurts
nobody. The log is such a listener: it writes the events that have a ``line``.

No event carries arguments or results of actors, or the text of a foreign error; ``error`` is in words that may be
stored. ``docs/events.md`` is written from this table. Where an event happens for each message, the caller asks first
(``if events.STARTED.listeners``), so that it costs nothing while nobody listens.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

logger = logging.getLogger(__name__)

#: Called with the event and its fields.
Listener = Callable[["Event", Mapping[str, Any]], object]


@dataclass(slots=True, eq=False)
class Event:
    """One row of the table.

    Attributes:
      name: ``subject.verb``; never changes.
      when: When it happens.
      measurements: Numbers, by name, with their unit.
      metadata: What tells one occurrence from another, by name.
      line: How the log shows it, as a ``%`` format of the fields; None: the log does not.
      level: Of that line; None: the field ``level`` of each occurrence has it, as the module ``logging`` numbers it.
      listeners: Who is told.
    """

    name: str
    when: str
    measurements: Mapping[str, str]
    metadata: Mapping[str, str]
    line: str | None
    level: int | None
    listeners: tuple[Listener, ...] = field(default=())

    def emit(self, message: Any = None, /, **fields: Any) -> None:
        """Tell the listeners.

        Parameters:
          message: Gives the fields ``actor``, ``id`` and ``queue``.
          fields: All other measurements and metadata of the row, and nothing else.
        """
        if message is not None:
            fields["actor"], fields["id"] = message.actor_name, message.message_id
            fields["queue"] = message.queue_name
        for listener in self.listeners:
            try:
                listener(self, fields)
            except Exception:
                logger.exception("events.listener_failed event=%s", self.name)


#: The table, by name.
EVENTS: dict[str, Event] = {}


def listen(listener: Listener, *events: Event) -> Callable[[], None]:
    """Tell a listener from now on.

    Parameters:
      listener: Called with the event and its fields.
      events: Of which; none: of all.

    Returns:
      What ends it.
    """
    chosen = events or tuple(EVENTS.values())
    for event in chosen:
        event.listeners = (*event.listeners, listener)

    def stop() -> None:
        for event in chosen:
            event.listeners = tuple(each for each in event.listeners if each is not listener)

    return stop


def log(event: Event, fields: Mapping[str, Any]) -> None:
    """Write an event's line: the listener that is there from the start."""
    if event.line is not None:
        level = fields["level"] if event.level is None else event.level
        logger.log(level, event.line, *((fields,) if fields else ()))  # logging takes no empty mapping


# What most rows have.
_TASK = {"actor": "the message's actor", "id": "the message's id", "queue": "its queue"}
_ERROR = {"error": "the error, in words that may be stored: the class alone where it is a foreign one"}
_WHERE = {"where": "places in the code that the error came through, without texts and values"}
_LEVEL = {"level": "of the line in the log, which is not always the same"}
_PAUSE = {"next_try_in": "seconds until the next try"}
_IDS = "actor=%(actor)s id=%(id)s"


def _event(
    name: str,
    when: str,
    measurements: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    line: str | None = None,
    level: int | None = logging.INFO,
) -> Event:
    event = Event(name, when, measurements or {}, metadata or {}, line, level)
    if line is not None:
        event.listeners = (log,)
    EVENTS[name] = event
    return event


W, E, C = logging.WARNING, logging.ERROR, logging.CRITICAL

# --- a message, from its sender to its acknowledgement

SENT: Final = _event(
    "message.sent", "A producer's message is safe: the broker has it, or this node's disk.",
    {"bytes": "of the encoded message", "delay_ms": "milliseconds until it may be delivered"}, _TASK,
)  # fmt: skip
KEPT: Final = _event(
    "message.kept", "The broker is away, and a producer's message is in this node's journal.",
    None, {"id": "the message's id", "queue": "its queue"}, "message.kept id=%(id)s queue=%(queue)s",
)  # fmt: skip
NOT_KEPT: Final = _event(
    "message.not_kept", "The broker is away, and the journal does not take a producer's message either.",
    None, {"id": "the message's id", "queue": "its queue", **_ERROR},
    "message.not_kept id=%(id)s queue=%(queue)s error=%(error)s", W,
)  # fmt: skip
RECEIVED: Final = _event(
    "message.received", "Deliveries have arrived in a worker, and the journal was asked about them.",
    {"messages": "deliveries that arrived together"}, {"queue": "their queue"},
)  # fmt: skip
UNDECODABLE: Final = _event(
    "message.undecodable", "What was delivered is no message; it becomes a dead letter.",
    None, {"queue": "where it was", "reason": "what is wrong, never the content"},
    "message.undecodable queue=%(queue)s reason=%(reason)s moved_to=dead_letters", W,
)  # fmt: skip
KNOWN: Final = _event(
    "message.known", "A run that has ended on this node was delivered again: it does not run.",
    None, {**_TASK, "state": "what became of it"}, f"message.history {_IDS} state=%(state)s",
)  # fmt: skip
SUSPECTED: Final = _event(
    "message.suspected", "A message was running when its worker process died, and is about to run again.",
    {"crashes": "such deaths in a row"}, _TASK, f"message.on_probation {_IDS} crashes=%(crashes)d", W,
)  # fmt: skip
STARTED: Final = _event(
    "message.started", "A run begins: its start is in the ledger.",
    {"waited": "seconds since the message was made", "retries": "runs that failed before",
     "deferrals": "how often it was put off"},
    _TASK,
)  # fmt: skip
ENDED: Final = _event(
    "message.ended", "A run has ended and it is decided what becomes of its message.",
    {"duration": "seconds from its start", "messages": "what it sent, its retry included"},
    {**_TASK, "outcome": "`completed`, `failed`, `deferred`, `dead`, `skipped`, `revoked`, `aborted` or `requeued`"},
)  # fmt: skip
SKIPPED: Final = _event(
    "message.skipped", "A middleware (AgeLimit, for instance) skipped a message: it counts as done.",
    None, _TASK, f"message.skipped {_IDS} queue=%(queue)s", W,
)  # fmt: skip
REVOKED: Final = _event(
    "message.revoked", "A message that a person has revoked was dropped: it did not run, and never will.",
    None, {**_TASK, "by": "who revoked it"}, f"message.revoked {_IDS} by=%(by)s", W,
)  # fmt: skip
ABORTED: Final = _event(
    "message.aborted", "A run that a person has aborted was interrupted; its message does not run again.",
    None, {**_TASK, "by": "who aborted it"}, f"message.aborted {_IDS} by=%(by)s", W,
)  # fmt: skip
PUT_ASIDE: Final = _event(
    "message.put_aside", "The actor of a message is paused, and this process has no room to keep it: it comes later.",
    {"seconds": "until it comes again"}, _TASK,
)  # fmt: skip
NAMED: Final = _event(
    "message.named", "A message came without an id, as other programs may send it: it goes back with one, then runs.",
    None, _TASK,
)  # fmt: skip
NOT_DUE: Final = _event(
    "message.not_due", "A message came before the due time that its sender has named (`eta`): it comes again then.",
    {"seconds": "until it comes again"}, _TASK,
)  # fmt: skip
RETRIED: Final = _event(
    "message.retried", "A run raised, and its message runs again later.",
    {"retry": "this retry's number", "limit": "how many it has", "in_ms": "milliseconds until it is due"},
    {**_TASK, **_ERROR},
    f"message.retry {_IDS} retry=%(retry)s/%(limit)s in_ms=%(in_ms)d error=%(error)s", W,
)  # fmt: skip
DEFERRED: Final = _event(
    "message.deferred", "A run asked to wait: its message runs again later and spends no retry.",
    {"deferral": "how often it was put off", "in_ms": "milliseconds until it is due"}, {**_TASK, **_ERROR},
    f"message.deferred {_IDS} deferral=%(deferral)d in_ms=%(in_ms)d error=%(error)s",
)  # fmt: skip
GIVEN_UP: Final = _event(
    "message.given_up", "A message becomes a dead letter.",
    None, {**_TASK, "code": "the reason"}, f"message.given_up {_IDS} code=%(code)s", E,
)  # fmt: skip
REQUEUED: Final = _event(
    "message.requeued", "A message could not be finished and goes back: the broker delivers it again.",
    {"count": "how often it went back so", "in_ms": "milliseconds until it is due"},
    {**_TASK, "reason": "why, in a word"},
    f"message.requeued {_IDS} count=%(count)d in_ms=%(in_ms)d reason=%(reason)s", W,
)  # fmt: skip
DECISION_FAILED: Final = _event(
    "message.decision_failed", "What becomes of a message could not be decided or written: a bug, or odd options.",
    None, {**_TASK, **_ERROR, **_WHERE}, f"message.decision_failed {_IDS} error=%(error)s\n%(where)s", E,
)  # fmt: skip
TRANSITION_REFUSED: Final = _event(
    "message.transition_refused", "A delivery was told what its state does not allow: a bug, or a middleware's.",
    None, {**_TASK, "state": "where it was", "event": "what it was told"},
    f"message.transition_refused {_IDS} state=%(state)s event=%(event)s", E,
)  # fmt: skip
COMMITTED: Final = _event(
    "message.committed", "The end of a run is in the journal, with all that it sent.",
    {"messages": "what is to be published"}, _TASK,
)  # fmt: skip
PUBLISHED: Final = _event(
    "message.published", "What a run sent was handed to the broker.", {"messages": "how many"}, _TASK,
)  # fmt: skip
CONFIRMED: Final = _event(
    "message.confirmed", "The broker has everything that a run sent.", {"messages": "how many"}, _TASK,
)  # fmt: skip
UNCONFIRMED: Final = _event(
    "message.unconfirmed", "The broker did not take what a run sent; it is tried again.",
    _PAUSE, {**_TASK, **_ERROR}, f"message.unconfirmed {_IDS} next_try_in=%(next_try_in).1f error=%(error)s", W,
)  # fmt: skip
ACKED: Final = _event(
    "message.acked", "The broker was told what becomes of a delivery.",
    {"duration": "seconds from the start of the run; 0 for what did not run"},
    {**_TASK, "disposition": "`ack`, `dead letter` or `requeue`"},
)  # fmt: skip

# --- a worker process

STOPPED_FETCHING: Final = _event(
    "worker.stopped_fetching", "The journal cannot be written: the worker takes nothing new.",
    None, {"reason": "why, with what to do"}, "worker.stopped_fetching %(reason)s", C,
)  # fmt: skip
RESUMED: Final = _event(
    "worker.resumed", "The journal can be written again: the worker fetches.", None, None, "worker.resumed", W,
)  # fmt: skip
QUEUE_PAUSED: Final = _event(
    "queue.paused", "All messages of a queue would have to wait: this process takes none of them until then.",
    {"seconds": "how long"}, {"queue": "its name", "reason": "what they would wait for"},
    "queue.paused queue=%(queue)s seconds=%(seconds).1f reason=%(reason)s", W,
)  # fmt: skip
QUEUE_RESUMED: Final = _event(
    "queue.resumed", "What was away is back: this process takes the queue's messages again.",
    {"pauses": "how many there were"}, {"queue": "its name"},
    "queue.resumed queue=%(queue)s pauses=%(pauses)d", W,
)  # fmt: skip
CONTROL_PAUSED: Final = _event(
    "control.paused", "A person has paused a queue or an actor: this process lets none of its messages begin.",
    None, {"target": "`queue` or `actor`", "name": "its name", "by": "who", "reason": "why, in that person's words"},
    "control.paused target=%(target)s name=%(name)s by=%(by)s reason=%(reason)s", W,
)  # fmt: skip
CONTROL_RESUMED: Final = _event(
    "control.resumed", "The pause of a queue or an actor is over: this process goes on with its messages.",
    None, {"target": "`queue` or `actor`", "name": "its name"}, "control.resumed target=%(target)s name=%(name)s", W,
)  # fmt: skip
WORKER_STARTED: Final = _event(
    "worker.started", "A worker process is ready to fetch.", {"threads": "worker threads or greenlets"},
    {"worker": "its name in rows"},
)  # fmt: skip
WORKER_STOPPED: Final = _event(
    "worker.stopped", "A worker process has stopped.",
    {"unsettled": "messages that have ended and are not settled; they are delivered again"},
    {"worker": "its name in rows"},
)  # fmt: skip
THREAD_REPLACED: Final = _event(
    "worker.thread_replaced", "A thread that runs messages has died: a bug. Another one takes its place.",
    None, {"thread": "which kind"}, "worker.thread_replaced thread=%(thread)s", E,
)  # fmt: skip
CONSUMER_DIED: Final = _event(
    "worker.consumer_died", "A thread that fetches messages has died: a bug. The process ends, to be started anew.",
    None, {"queue": "whose messages it fetched"}, "worker.consumer_died queue=%(queue)s the process ends", C,
)  # fmt: skip
PROCESS_BROKEN: Final = _event(
    "worker.broken", "A worker process has no file or memory left, or has stood still. It ends, to be started anew.",
    None, {"why": "what was found"}, "worker.broken %(why)s The process ends; what it ran runs again", C,
)  # fmt: skip
UNSETTLED: Final = _event(
    "worker.unsettled", "A worker stops before everything that has ended is settled.",
    {"messages": "how many; they are delivered again"}, None,
    "worker.unsettled messages=%(messages)d they will be delivered again", W,
)  # fmt: skip
TIME_LIMIT_EXCEEDED: Final = _event(
    "actor.time_limit_exceeded", "An actor runs longer than it may, and is interrupted.",
    None, {"thread": "which thread or greenlet"}, "actor.time_limit_exceeded thread=%(thread)s", W,
)  # fmt: skip

# --- isolation: what may have killed its worker process runs in a process beside it

ISOLATION_DIED: Final = _event(
    "isolation.process_died", "An isolation process died while it ran messages.",
    {"pid": "its process number", "status": "its exit code, or the negative number of the signal that ended it"},
    {"ids": "of the messages that had not ended"},
    "isolation.process_died pid=%(pid)d status=%(status)d ids=%(ids)s", E,
)  # fmt: skip
ISOLATION_START_FAILED: Final = _event(
    "isolation.start_failed", "No isolation process could be started; what is to run in it waits.",
    _PAUSE, {"reason": "why"}, "isolation.start_failed next_try_in=%(next_try_in).0f %(reason)s", W,
)  # fmt: skip
ISOLATION_LOOKUP_FAILED: Final = _event(
    "isolation.lookup_failed", "The journal cannot be asked for now how a run in isolation ended; it is asked again.",
    _PAUSE, _ERROR, "isolation.lookup_failed next_try_in=%(next_try_in).0f error=%(error)s", W,
)  # fmt: skip
ISOLATION_CRASH_NOT_COUNTED: Final = _event(
    "isolation.crash_not_counted", "The journal cannot count a crash in isolation; the worker still does.",
    None, {"ids": "of the messages that ran", **_ERROR}, "isolation.crash_not_counted ids=%(ids)s error=%(error)s", W,
)  # fmt: skip
ISOLATION_FAILED: Final = _event(
    "isolation.failed", "A thread of isolation failed: a bug. What it ran goes on in another one.",
    None, {**_ERROR, **_WHERE}, "isolation.failed error=%(error)s\n%(where)s", E,
)  # fmt: skip

# --- the journal

JOURNAL_WRITABLE: Final = _event(
    "journal.writable", "Whether the journal can be written has changed.",
    None, {"writable": "whether it can", "reason": "why not, with what to do", **_LEVEL},
    "journal.writable=%(writable)s %(reason)s", None,
)  # fmt: skip
LOOKUP_FAILED: Final = _event(
    "journal.lookup_failed", "The journal cannot be asked for now; deliveries wait.", None, _ERROR,
    "journal.lookup_failed error=%(error)s", W,
)  # fmt: skip
START_FAILED: Final = _event(
    "journal.start_failed", "A start cannot be noted (disk full, for instance); the message goes back.",
    None, {**_TASK, **_ERROR}, f"journal.start_failed {_IDS} error=%(error)s", E,
)  # fmt: skip
FINISH_FAILED: Final = _event(
    "journal.finish_failed", "The end of a run can never be written.", None, {**_TASK, **_ERROR},
    f"journal.finish_failed {_IDS} error=%(error)s", E,
)  # fmt: skip
CRASH_COUNTED: Final = _event(
    "journal.crash_counted", "A process of this node died while it ran messages, and each of them has one crash more.",
    {"tasks": "how many it ran"}, {"ids": "their ids"}, "journal.crash_counted tasks=%(tasks)d ids=%(ids)s", E,
)  # fmt: skip
QUARANTINED: Final = _event(
    "journal.quarantined", "A damaged file was put aside.",
    None, {"file": "its path", "now": "its name now", **_ERROR},
    "journal.quarantined file=%(file)s now=%(now)s error=%(error)s", E,
)  # fmt: skip
SALVAGED: Final = _event(
    "journal.salvaged", "Rows of a damaged file were taken over.",
    {"rows": "how many"}, {"file": "its path"}, "journal.salvaged file=%(file)s rows=%(rows)d", W,
)  # fmt: skip
SALVAGE_INCOMPLETE: Final = _event(
    "journal.salvage_incomplete", "A table of a damaged file could not be read to its end.",
    None, {"file": "its path", "table": "which table", **_ERROR},
    "journal.salvage_incomplete file=%(file)s table=%(table)s error=%(error)s", W,
)  # fmt: skip
CHECKPOINTED: Final = _event(
    "journal.checkpointed", "Pages of the write-ahead log were copied into the file.",
    {"pages": "pages in the log", "copied": "of them, copied now or before"}, {"file": "its path"},
)  # fmt: skip
PRUNED: Final = _event(
    "journal.pruned", "Old rows were deleted.", {"rows": "how many"}, {"table": "from which table"},
)  # fmt: skip
SYNCED: Final = _event(
    "journal.synced", "Rows were copied to the central database.",
    {"rows": "how many", "refused": "rows that it does not take"}, {"behind": "whether more rows wait"},
)  # fmt: skip
ROW_REFUSED: Final = _event(
    "sync.row_refused", "The central database does not take a row; the others are copied.",
    None, {"id": "the task's id", **_ERROR}, "sync.row_refused id=%(id)s error=%(error)s", E,
)  # fmt: skip

LETTER_CARRIED_OUT: Final = _event(
    "dead_letter.carried_out", "What a person has decided about a dead letter in the central database was done.",
    None, {"id": "the message", "action": "retry or discard", "node": "whose letter it is", "by": "who has decided"},
    "dead_letter.carried_out id=%(id)s action=%(action)s node=%(node)s by=%(by)s",
)  # fmt: skip

RERUN_SENT: Final = _event(
    "task.rerun_sent", "A message that a person lets run again under a new id was taken over by a journal.",
    None, {"id": "the new message", "rerun_of": "the task that it was made from", "kind": "again or edited",
           "by": "who wants it"},
    "task.rerun_sent id=%(id)s rerun_of=%(rerun_of)s kind=%(kind)s by=%(by)s",
)  # fmt: skip

BULK_WORKED: Final = _event(
    "bulk.worked", "A keeper has worked on a bulk job.",
    {"targets": "those that had their turn"}, {"id": "the job", "verb": "retry, discard or run_again", "ended": "bool"},
    "bulk.worked id=%(id)s verb=%(verb)s targets=%(targets)d ended=%(ended)s",
)  # fmt: skip

# --- connections and forwarding

CONNECTED: Final = _event(
    "amqp.connected", "A connection to RabbitMQ is open.",
    None, {"connection": "its name", "server": "host and port"},
    "amqp.connected connection=%(connection)s server=%(server)s",
)  # fmt: skip
CONNECTION_LOST: Final = _event(
    "amqp.lost", "A connection to RabbitMQ is lost.", None, {"connection": "its name", "reason": "why"},
    "amqp.lost connection=%(connection)s reason=%(reason)s", W,
)  # fmt: skip
CONNECT_FAILED: Final = _event(
    "amqp.connect_failed", "No connection to RabbitMQ could be opened.",
    _PAUSE, {"connection": "its name", "reason": "why"},
    "amqp.connect_failed connection=%(connection)s next_try_in=%(next_try_in).1f %(reason)s", W,
)  # fmt: skip
QUEUE_DELETED: Final = _event(
    "amqp.queue_deleted", "Somebody has deleted a queue that this process consumes, with its messages.",
    None, {"queue": "its name"},
    "amqp.queue_deleted queue=%(queue)s It is declared anew; its messages are gone. Some minutes later this names "
    "them: growbin-jobs tasks list state:lost. Each is sent again by: growbin-jobs tasks run-again ID", W,
)  # fmt: skip
BLOCKED: Final = _event(
    "amqp.blocked", "RabbitMQ takes no messages for now (memory or disk alarm).",
    None, {"connection": "its name", "reason": "RabbitMQ's words"},
    "amqp.blocked connection=%(connection)s reason=%(reason)s", W,
)  # fmt: skip
UNBLOCKED: Final = _event(
    "amqp.unblocked", "RabbitMQ takes messages again.", None, {"connection": "its name"},
    "amqp.unblocked connection=%(connection)s", W,
)  # fmt: skip
KEEPING: Final = _event(
    "forwarder.keeping", "RabbitMQ is away, and this process begins to keep messages.",
    None, {"file": "where they are kept"}, "forwarder.keeps messages are kept in %(file)s until RabbitMQ is back", W,
)  # fmt: skip
FORWARDED: Final = _event(
    "forwarder.forwarded", "Messages that were kept are the broker's now.", {"messages": "how many"}, None,
    "forwarder.sent messages=%(messages)d", W,
)  # fmt: skip
FORWARDER_WAITS: Final = _event(
    "forwarder.waits", "What was kept cannot be forwarded yet.", None, _ERROR, "forwarder.waits error=%(error)s",
)  # fmt: skip
RELAY_REFUSED: Final = _event(
    "relay.message_refused", "The broker refuses a kept message for good; a person has to look.",
    None, {"id": "the message's id", "queue": "its queue", **_ERROR},
    "relay.message_refused id=%(id)s queue=%(queue)s error=%(error)s", E,
)  # fmt: skip
RELAY_QUEUE_WAITS: Final = _event(
    "relay.queue_waits", "Kept messages of one queue have to wait; the others are forwarded.",
    None, {"id": "the first that waits", "queue": "the queue", **_ERROR},
    "relay.queue_waits queue=%(queue)s id=%(id)s error=%(error)s", W,
)  # fmt: skip

# --- the keeper

KEEPER_SERVING: Final = _event(
    "keeper.serving", "A keeper serves this node.", None, {"node": "the node", "database": "where rows are copied to"},
    "keeper.serving node=%(node)s database=%(database)s",
)  # fmt: skip
KEEPER_HANDS_OVER: Final = _event(
    "keeper.hands_over", "The keeper ends, and another process of the node takes its place.",
    None, {"node": "the node"}, "keeper.hands_over node=%(node)s",
)  # fmt: skip
KEEPER_DONE: Final = _event(
    "keeper.done", "The keeper ends with everything copied.", None, {"node": "the node"}, "keeper.done node=%(node)s",
)  # fmt: skip
KEEPER_LEFT_BEHIND: Final = _event(
    "keeper.left_behind", "The keeper ends, and something is not copied or not sent.",
    {"rows": "not copied", "messages": "not sent"}, {"node": "the node"},
    "keeper.left_behind node=%(node)s rows=%(rows)s messages=%(messages)s", E,
)  # fmt: skip
_OWNER = {"owner": "`keeper` or `scheduler`"}
JOB_DONE: Final = _event(
    "keeper.job_done", "A periodic job did something.", {"duration": "seconds"},
    {**_OWNER, "job": "its name", "did": "what it did", **_LEVEL},
    "%(owner)s.job_done job=%(job)s did=%(did)s", None,
)  # fmt: skip
JOB_WAITS: Final = _event(
    "keeper.job_waits", "A periodic job needs something that is away.",
    _PAUSE, {**_OWNER, "job": "its name", **_ERROR},
    "%(owner)s.job_waits job=%(job)s next_try_in=%(next_try_in).0f error=%(error)s", W,
)  # fmt: skip
JOB_FAILED: Final = _event(
    "keeper.job_failed", "A periodic job failed; the others go on.",
    _PAUSE, {**_OWNER, "job": "its name", **_ERROR, **_WHERE},
    "%(owner)s.job_failed job=%(job)s next_try_in=%(next_try_in).0f error=%(error)s\n%(where)s", E,
)  # fmt: skip
JOB_RECOVERED: Final = _event(
    "keeper.job_recovered", "A periodic job works again.", None, {**_OWNER, "job": "its name"},
    "%(owner)s.job_recovered job=%(job)s",
)  # fmt: skip
DEAD_LETTERS_FOUND: Final = _event(
    "keeper.dead_letters_found", "The keeper has recorded dead letters that no worker gave up.",
    {"messages": "how many"},
    {"reason": "`undeliverable`: the broker could not deliver them when they were due; `unrecorded`: others than "
               "workers made dead letters of them"},
)  # fmt: skip
KEEPER_STARTED: Final = _event(
    "worker.starts_keeper", "A worker found its node without a keeper and started one.",
    {"pid": "its process number"}, None, "worker.starts_keeper pid=%(pid)d there was none", W,
)  # fmt: skip
ORPHAN_CONTINUED: Final = _event(
    "keeper.orphan_continued", "A process that was stopped (SIGSTOP) has lost its supervisor: it is continued, so that "
    "it ends.",
    None, {"process": "its name among the supervisor's", "pid": "its number"},
    "keeper.orphan_continued process=%(process)s pid=%(pid)d it was stopped, and its supervisor is dead", W,
)  # fmt: skip
ORPHAN_KILLED: Final = _event(
    "keeper.orphan_killed", "A process did not end in time after its supervisor had died, and was killed.",
    {"grace": "seconds that it had"}, {"process": "its name among the supervisor's", "pid": "its number"},
    "keeper.orphan_killed process=%(process)s pid=%(pid)d its supervisor is dead, and it did not end in %(grace).0f s",
    W,
)  # fmt: skip
