"""A model broker, a model journal and the stations of a worker process: what the tests of settlement run against."""

from __future__ import annotations

from collections import Counter

from dramatiq import Message
from dramatiq.brokers.stub import StubBroker

from growbin_jobs.engine.delivery.decide import Decisions
from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.disposition import Disposition
from growbin_jobs.engine.delivery.intake import DeliveryIntake, Start
from growbin_jobs.engine.delivery.records import Health, OutboxMessage, TaskHistory, TaskState
from growbin_jobs.engine.delivery.runs import key_of
from growbin_jobs.engine.delivery.settlement import Settlement
from growbin_jobs.engine.errors import Deferred

COMPLETED, FAILED, DEAD = TaskState.COMPLETED, TaskState.FAILED, TaskState.DEAD

#: How many follow-ups a message has: the ids say where it is in the tree.
DEPTH = 2


class ModelJournal:
    """What is in ``rows`` and ``owed`` survives a crash, what waits does not."""

    worker = "node/test/1"

    def __init__(self):
        self.rows = {}
        self.outbox = {}
        self.seq = 0
        self.waiting = []
        self.away = False
        self.ended = Counter()
        self.slots = set()

    def begin(self, task_id, task_name, queue_name, hint=None):
        slot = len(self.slots) and max(self.slots) + 1
        self.slots.add(slot)
        return slot

    def end(self, slot):
        self.slots.remove(slot)

    def lookup(self, ids):
        if self.away:
            raise Deferred("the journal is away", wait=1.0)
        found = {}
        for task_id in ids:
            if task_id in self.rows:
                state, retries = self.rows[task_id]
                found[task_id] = TaskHistory(task_id, state, 0, retries, 0, tuple(self.outbox.get(task_id, ())))
        return found

    def finish(self, record, then):
        self.waiting.append((record, then))

    def commit(self):
        record, then = self.waiting.pop(0)
        state, _ = self.rows.get(record.task_id, (None, 0))
        if state is not COMPLETED:
            self.ended[record.task_id, record.retry_count] += 1
            self.rows[record.task_id] = (record.state, record.retry_count)
            self.outbox[record.task_id] = [self.numbered(each) for each in record.outbox]
        then(None, tuple(self.outbox[record.task_id]))

    def refuse(self, error):
        """Say of the oldest end that it can never be written."""
        _record, then = self.waiting.pop(0)
        then(error, ())

    def numbered(self, owed):
        self.seq += 1
        return OutboxMessage(
            message_id=owed.message_id, task_name="a", queue_name="q", body=owed.body, parent_id=owed.parent_id,
            seq=self.seq,
        )  # fmt: skip

    def confirmed(self, seqs):
        for messages in self.outbox.values():
            messages[:] = [each for each in messages if each.seq not in seqs]

    def health(self):
        return Health(not self.away, None, 0, 0, ())

    def crash(self):
        self.waiting.clear()
        self.slots.clear()


class ModelClosed(Exception):
    """The journal was closed."""


class ModelConsumer:
    def __init__(self, broker):
        self.broker = broker
        self.closed = False
        self.unacked = {}

    def settle(self, pending_ack):
        self.broker.pending_acks.append(pending_ack)


class ModelBroker:
    def __init__(self):
        self.queue = []  # encoded
        self.dead = []
        self.pending_acks = []
        self.settled = Counter()

    def deliver(self, consumer):
        body = self.queue.pop(0)
        delivery = Delivery(Message.decode(body), consumer, body)
        consumer.unacked[delivery] = body
        return delivery

    def close(self, consumer):
        consumer.closed = True
        self.queue += consumer.unacked.values()
        consumer.unacked.clear()

    def settle(self, delivery, disposition):
        body = delivery.consumer.unacked.pop(delivery, None)
        self.settled[delivery] += 1
        assert self.settled[delivery] == 1, "settled twice"
        if body is None:
            assert delivery.consumer.closed, "settled, and not delivered"
        elif disposition is Disposition.DEAD_LETTER:
            self.dead.append(body)
        elif disposition is Disposition.REQUEUE:
            self.queue.append(body)

    def pay(self, pending_ack, fails_at):
        """Publish what is owed; fail after so many."""
        for number, owed in enumerate(tuple(pending_ack.unconfirmed)):
            if number == fails_at:
                pending_ack.then(pending_ack, ConnectionError("the broker is away"))
                return
            self.queue.append(owed.body)
            pending_ack.unconfirmed.remove(owed)
        assert not pending_ack.unconfirmed, "settled before all is confirmed"
        self.settle(pending_ack.delivery, pending_ack.disposition)
        pending_ack.then(pending_ack, None)


class Process:
    """The stations of one worker process."""

    def __init__(self, journal):
        self.start = Start(journal)
        self.decisions = Decisions(journal)
        self.settlement = Settlement(journal, self.decisions, ModelClosed)
        self.intake = DeliveryIntake(journal, self.settlement)

    def begin(self, delivery):
        return self.start.begin(BROKER, delivery)

    def end(self, delivery, *sends, **how):
        """Let a run end that has sent these, as Dramatiq's worker does."""
        delivery.life.outbox._sent += sends
        for each in sends:
            if each.message_id == delivery.message_id:
                key = key_of(Message.decode(each.body))
                delivery.life.outbox.next_run = key
        self.decisions.decide(delivery, **how)
        self.intake.release(delivery)


BROKER = StubBroker(middleware=[])


def message(message_id, retries=0):
    return Message(
        queue_name="q", actor_name="a", args=(), kwargs={}, options={"retries": retries}, message_id=message_id,
        message_timestamp=0,
    )  # fmt: skip


def owed(parent, child):
    return OutboxMessage(
        message_id=child.message_id, task_name="a", queue_name="q", body=child.encode(), parent_id=parent.message_id
    )


def follow_ups(message_id):
    return [f"{message_id}.{n}" for n in range(2)] if message_id.count(".") < DEPTH - 1 else []


def received(options=None):
    """Return a journal, a broker, the stations of a process, a consumer, and its message that has arrived."""
    journal, broker = ModelJournal(), ModelBroker()
    process, consumer = Process(journal), ModelConsumer(broker)
    broker.queue.append(message("m").copy(options=options or {}).encode())
    delivery = broker.deliver(consumer)
    assert process.intake.receive([delivery])
    return journal, broker, process, consumer, delivery


def running(options=None):
    """The same, and the message runs."""
    journal, broker, process, consumer, delivery = received(options)
    assert process.begin(delivery)
    return journal, broker, process, consumer, delivery
