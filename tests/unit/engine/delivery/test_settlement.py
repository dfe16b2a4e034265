"""The life of deliveries against a model broker and a model journal, with a crash, a lost connection, a failed
publication or an unwritable end at every step: nothing is lost, nothing is acknowledged before what it sent is
confirmed, each delivery is settled once, and no run that has ended here is run again."""

from __future__ import annotations

import time
from collections import Counter
from unittest.mock import patch

import pytest
from dramatiq import Message
from dramatiq.brokers.stub import StubBroker
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from growbin_jobs.engine.delivery import settlement
from growbin_jobs.engine.delivery.decide import Decisions
from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.disposition import Disposition
from growbin_jobs.engine.delivery.endings import GivenUp, ending
from growbin_jobs.engine.delivery.intake import DeliveryIntake, Start
from growbin_jobs.engine.delivery.lifecycle import State
from growbin_jobs.engine.delivery.records import Health, OutboxMessage, TaskHistory, TaskState
from growbin_jobs.engine.delivery.runs import has_ended, key_of
from growbin_jobs.engine.delivery.settlement import MOST_RETURNS, Settlement
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
        delivery.life.outbox._owed += sends
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


class Machine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.journal, self.broker = ModelJournal(), ModelBroker()
        self.sent = []
        self.boot()

    def boot(self):
        self.process = Process(self.journal)
        self.consumer = ModelConsumer(self.broker)
        self.fetched, self.running = [], []

    # --- the life of a message

    @rule()
    def send(self):
        message_id = f"m{len(self.sent)}"
        self.sent.append(message_id)
        self.broker.queue.append(message(message_id).encode())

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def send_a_double(self, data):
        self.broker.queue.append(message(data.draw(st.sampled_from(self.sent))).encode())

    @precondition(lambda self: self.broker.queue)
    @rule(count=st.integers(1, 4))
    def fetch(self, count):
        batch = [self.broker.deliver(self.consumer) for _ in range(min(count, len(self.broker.queue)))]
        assert self.process.intake.receive(batch)
        self.fetched += batch

    @precondition(lambda self: self.fetched)
    @rule(data=st.data())
    def begin(self, data):
        self._begin(self.fetched.pop(data.draw(st.integers(0, len(self.fetched) - 1))))

    def _begin(self, delivery):
        if self.process.begin(delivery):
            message_id, retries, _ = key_of(delivery)
            assert not self.journal.ended[message_id, retries], "it had ended here"
            assert key_of(delivery) not in {key_of(each) for each in self.running}, "it runs here"
            written = {(record.task_id, record.retry_count) for record, _ in self.journal.waiting}
            assert (message_id, retries) not in written, "its end is about to be written"
            self.running.append(delivery)
        else:
            self.process.decisions.decide(delivery, skipped=True)
            self.process.intake.release(delivery)

    @precondition(lambda self: self.fetched)
    @rule(data=st.data())
    def reject(self, data):
        """No actor of that name: Dramatiq does not try to run it."""
        delivery = self.fetched.pop(data.draw(st.integers(0, len(self.fetched) - 1)))
        delivery.fail()
        self.process.intake.release(delivery)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), outcome=st.sampled_from([COMPLETED, COMPLETED, FAILED, DEAD, None]))
    def end(self, data, outcome):
        delivery = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        self._end(delivery, outcome)

    def _end(self, delivery, outcome):
        if outcome is None or (outcome is FAILED and delivery.options["retries"] >= 2):
            delivery.requeue("odd", limited=False)
            self.process.end(delivery)
        elif outcome is COMPLETED:
            self.process.end(delivery, *(owed(delivery, message(each)) for each in follow_ups(delivery.message_id)))
        elif outcome is FAILED:
            retry = message(delivery.message_id, delivery.options["retries"] + 1)
            self.process.end(delivery, owed(delivery, retry), exception=ValueError())
        else:
            delivery.fail()
            self.process.end(delivery, exception=ValueError())

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def forget_to_tell(self, data):
        """A hook fails: Dramatiq is done with a delivery, and nobody has said how it ended."""
        delivery = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        self.process.intake.release(delivery)

    @precondition(lambda self: self.journal.waiting)
    @rule()
    def commit(self):
        self.journal.commit()

    @precondition(lambda self: self.journal.waiting)
    @rule(error=st.sampled_from([OverflowError("never"), ModelClosed()]))
    def refuse_to_commit(self, error):
        self.journal.refuse(error)
        if isinstance(error, ModelClosed):  # at the end of a process
            self.crash()

    @precondition(lambda self: self.broker.pending_acks)
    @rule(data=st.data(), fails_at=st.none() | st.integers(0, 1))
    def pay(self, data, fails_at):
        pending_ack = self.broker.pending_acks.pop(data.draw(st.integers(0, len(self.broker.pending_acks) - 1)))
        self.broker.pay(pending_ack, fails_at)

    @rule()
    def try_again(self):
        assert self.process.intake.ready()

    # --- faults

    @rule(fault=st.sampled_from(["crash", "crash_while_publishing", "lose_the_connection", "lose_the_journal"]))
    def suffer(self, fault):
        getattr(self, fault)()

    def crash(self):
        self.broker.close(self.consumer)
        self.broker.pending_acks.clear()
        self.journal.crash()
        self.boot()

    def crash_while_publishing(self):
        if self.broker.pending_acks:
            pending_ack = self.broker.pending_acks[0]
            self.broker.queue += [each.body for each in pending_ack.unconfirmed[:1]]
        self.crash()

    def lose_the_connection(self):
        self.broker.close(self.consumer)
        self.consumer = ModelConsumer(self.broker)

    def lose_the_journal(self):
        self.journal.away = True
        self.process.intake._next_look = 0.0
        assert not self.process.intake.ready()
        if self.broker.queue:
            delivery = self.broker.deliver(self.consumer)
            assert not self.process.intake.receive([delivery])
            self.lose_the_connection()
        self.journal.away = False
        self.process.intake._next_look = 0.0
        assert self.process.intake.ready()

    # --- what must hold

    @invariant()
    def no_run_ends_twice(self):
        assert all(times == 1 for times in self.journal.ended.values())

    @invariant()
    def what_was_acknowledged_is_owed_or_with_the_broker_or_done(self):
        present = {Message.decode(body).message_id for body in [*self.broker.queue, *self.broker.dead]}
        present |= {each.message_id for each in self.consumer.unacked}
        present |= {each.message_id for messages in self.journal.outbox.values() for each in messages}
        done = {task_id for task_id, (state, _) in self.journal.rows.items() if state in (COMPLETED, DEAD)}
        assert self.expected() <= present | done

    def expected(self):
        """Everything that was accepted, and what the completed ones have made of it."""
        found, todo = set(), list(self.sent)
        while todo:
            message_id = todo.pop()
            found.add(message_id)
            if self.journal.rows.get(message_id, (None, 0))[0] is COMPLETED:
                todo += follow_ups(message_id)
        return found

    def teardown(self):
        """Heal, drain, and look at the history."""
        for _ in range(500):
            while self.broker.pending_acks:
                self.broker.pay(self.broker.pending_acks.pop(0), None)
            while self.journal.waiting:
                self.journal.commit()
            self.process.intake.ready()
            while self.fetched:
                self._begin(self.fetched.pop())
            while self.running:
                self._end(self.running.pop(), COMPLETED)
            if self.broker.queue:
                self.fetch(4)
            elif not (self.broker.pending_acks or self.journal.waiting or self.process.settlement.failed):
                break
        assert not self.consumer.unacked
        assert not any(self.journal.outbox.values())
        done = {task_id for task_id, (state, _) in self.journal.rows.items() if state in (COMPLETED, DEAD)}
        assert self.expected() == done
        assert self.process.settlement.drain(0.0)
        assert not self.journal.slots
        self.no_run_ends_twice()


class TestSettlement(Machine.TestCase):
    settings = settings(max_examples=150, stateful_step_count=50, deadline=None)

    @pytest.fixture(autouse=True)
    def impatient(self):
        with patch.object(settlement, "FIRST_PAUSE", 0.0):
            yield


@pytest.mark.parametrize(
    ("state", "known", "delivered", "crashes", "ended"),
    [
        (COMPLETED, (0, 0), (0, 0), 0, True),
        (COMPLETED, (0, 0), (3, 0), 0, True),
        (FAILED, (1, 0), (1, 0), 0, True),
        (FAILED, (1, 0), (0, 0), 0, True),
        (FAILED, (1, 0), (2, 0), 0, False),
        (FAILED, (1, 2), (1, 3), 0, False),
        (FAILED, (0, 0), (0, 0), 1, False),
        (DEAD, (3, 0), (3, 0), 0, True),
        (DEAD, (3, 1), (0, 2), 0, False),
        (TaskState.RUNNING, (0, 0), (0, 0), 0, False),
        (TaskState.PENDING, (0, 0), (0, 0), 0, False),
    ],
)
def test_a_run_is_known_by_its_counts(state, known, delivered, crashes, ended):
    options = {"retries": delivered[0], "deferrals": delivered[1]}
    one = Delivery(message("m").copy(options=options), ModelConsumer(ModelBroker()))

    assert has_ended(one, TaskHistory("m", state, crashes, *known, ())) is ended


def test_a_message_for_an_actor_that_nobody_knows_is_a_dead_letter_before_it_is_rejected():
    journal, broker, process, _consumer, delivery = received()
    delivery.fail()

    process.intake.release(delivery)

    [(record, _)] = journal.waiting
    assert (record.state, record.dead.code) == (DEAD, "actor_unknown")
    assert not broker.pending_acks
    journal.commit()
    [pending_ack] = broker.pending_acks
    assert pending_ack.disposition is Disposition.DEAD_LETTER


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


@pytest.mark.parametrize(
    ("lost", "disposition"),
    [(False, Disposition.ACK), (True, Disposition.DEAD_LETTER)],
    ids=["one dead letter is enough", "the first rejection went down with its connection"],
)
def test_a_copy_of_a_dead_message_that_this_process_remembers(lost, disposition):
    journal, broker, process, consumer, first = running()
    first.fail()
    process.end(first, exception=ValueError())
    journal.commit()
    broker.pay(broker.pending_acks.pop(), None)

    if lost:
        consumer.closed, consumer = True, ModelConsumer(broker)
    broker.queue.append(message("m").encode())
    copy = broker.deliver(consumer)
    process.intake.receive([copy])
    assert not process.begin(copy)
    process.intake.release(copy)

    [pending_ack] = broker.pending_acks
    assert (pending_ack.delivery, pending_ack.disposition) == (copy, disposition)


def test_an_end_that_can_never_be_written_becomes_a_dead_letter_that_says_so():
    journal, broker, process, _consumer, delivery = running()
    process.end(delivery)

    journal.refuse(OverflowError("never"))

    [(record, _)] = journal.waiting
    assert (record.state, record.dead.code) == (DEAD, "decision_invalid")
    assert "OverflowError" in record.dead.params
    journal.commit()
    assert broker.pending_acks[0].disposition is Disposition.DEAD_LETTER


def test_where_that_cannot_be_written_either_it_goes_back_with_a_delay():
    journal, broker, process, _consumer, delivery = running()
    process.end(delivery)

    journal.refuse(OverflowError("never"))
    journal.refuse(OverflowError("never"))

    [pending_ack] = broker.pending_acks
    assert pending_ack.disposition is Disposition.ACK
    [copy] = pending_ack.outbox
    assert Message.decode(copy.body).options["requeues"] == 1


def test_what_a_closed_journal_did_not_write_is_left_to_the_broker():
    journal, broker, process, consumer, delivery = running()
    process.end(delivery)

    journal.refuse(ModelClosed())

    assert not broker.pending_acks
    assert delivery in consumer.unacked
    assert process.settlement.drain(0.0)
    # When its channel has gone it is delivered again, and must not wait for the run that came to nothing.
    consumer.closed, consumer = True, ModelConsumer(broker)
    broker.queue.append(message("m").encode())
    again = broker.deliver(consumer)
    process.intake.receive([again])
    assert process.begin(again)


# --- what goes back


def returned(process, broker, delivery, **how):
    """Let a delivery go back, and return what is published for it."""
    delivery.requeue("odd", **how)
    process.end(delivery)
    [pending_ack] = broker.pending_acks
    assert pending_ack.disposition is Disposition.ACK
    [copy] = pending_ack.outbox
    return copy


@pytest.mark.parametrize("before", range(MOST_RETURNS))
def test_what_goes_back_is_counted_and_comes_later_each_time(before):
    _journal, broker, process, _consumer, delivery = running({"requeues": before, "retries": 1})
    now = time.time()

    copy = returned(process, broker, delivery)

    again = Message.decode(copy.body)
    assert (again.message_id, again.options) == ("m", {"requeues": before + 1, "retries": 1})
    assert 2**before <= copy.due_at - now < 1.25 * 2**before + 1
    broker.pay(broker.pending_acks.pop(), None)
    assert delivery.life.state is State.SETTLED


def test_what_goes_back_too_often_is_a_dead_letter():
    journal, _broker, process, _consumer, delivery = running({"requeues": MOST_RETURNS})
    delivery.requeue("odd")

    process.end(delivery)

    [(record, _)] = journal.waiting
    assert (record.state, record.dead.code) == (DEAD, "decision_invalid")
    assert "odd" in record.dead.params


def test_a_fault_of_the_node_gives_no_message_up():
    _journal, broker, process, _consumer, delivery = running({"requeues": 10_000})

    copy = returned(process, broker, delivery, limited=False)

    assert copy.due_at - time.time() <= 375


@pytest.mark.parametrize("count", ["many", -1, 2**70, None, [1], True])
def test_any_count_is_understood(count):
    _journal, broker, process, _consumer, delivery = running({"requeues": count})

    assert Message.decode(returned(process, broker, delivery).body).options["requeues"] in (1, 2)


def test_what_a_stopping_worker_has_not_begun_goes_back_at_once():
    _journal, broker, process, _consumer, delivery = running()
    delivery.requeue("worker_stops", counted=False)

    process.end(delivery)

    [pending_ack] = broker.pending_acks
    assert (pending_ack.disposition, pending_ack.outbox) == (Disposition.REQUEUE, ())


def test_a_run_of_which_nobody_has_told_the_end_goes_back():
    _journal, broker, process, _consumer, delivery = running()

    process.intake.release(delivery)

    [pending_ack] = broker.pending_acks
    assert Message.decode(pending_ack.outbox[0].body).options["requeues"] == 1


def test_the_next_run_that_was_decided_counts_no_returns():
    journal, _broker, process, _consumer, delivery = running({"requeues": 3, "retries": 0})
    delivery.life.outbox.open()
    delivery.life.outbox.take(delivery.copy(options={"retries": 1}), 1000)

    process.decisions.decide(delivery, exception=ValueError())
    process.intake.release(delivery)

    [(record, _)] = journal.waiting
    assert Message.decode(record.outbox[0].body).options == {"retries": 1}


def test_a_decision_that_fails_is_a_dead_letter_that_says_so(caplog):
    journal, _broker, process, _consumer, delivery = running()
    delivery.give_up("retries_exhausted", {"a": object()})

    process.end(delivery, exception=ValueError("secret"))

    [(record, _)] = journal.waiting
    assert (record.dead.code, "secret" in record.dead.params + record.dead.traceback) == ("decision_invalid", False)
    assert "secret" not in caplog.text
    assert not journal.slots


def test_a_slot_is_cleared_after_the_bookkeeping():
    journal, _broker, process, _consumer, delivery = running()
    slots = []
    result = type("Result", (dict,), {"items": lambda self: slots.append(set(journal.slots)) or ()})(a=1)

    process.end(delivery, result=result)

    assert slots == [{0}]
    assert not journal.slots


def test_a_run_that_ends_while_the_journal_is_asked_is_not_run_again():
    """The duplicate is known to nobody when it asks, and the first one has ended when it is told."""
    journal, broker, process, consumer, first = running()
    broker.queue.append(message("m").encode())
    duplicate = broker.deliver(consumer)
    ask = journal.lookup

    def lookup(ids):
        found = ask(ids)
        process.end(first)
        journal.commit()
        broker.pay(broker.pending_acks.pop(), None)
        return found

    journal.lookup = lookup
    assert process.intake.receive([duplicate])

    assert not process.begin(duplicate)
    process.intake.release(duplicate)
    [pending_ack] = broker.pending_acks
    assert (pending_ack.delivery, pending_ack.disposition) == (duplicate, Disposition.ACK)


def test_a_result_that_is_no_json_or_too_long_is_left_out():
    one = Delivery(message("m"), ModelConsumer(ModelBroker()))

    def result(value):
        return ending(one, COMPLETED, worker="w", started_at=0.0, result=value).result

    assert result({"a": "가"}) == '{"a": "가"}'
    assert result(object()) is None
    assert result("x" * 100_000) is None
    assert result(None) is None
    assert result("\ud800") == '"?"'


def test_a_dead_letter_says_where_the_error_came_from_and_not_what_it_said():
    data = "user 42's address"

    def secretive():
        raise ValueError(data)

    def telling():
        try:
            secretive()
        except ValueError as error:
            raise RuntimeError(f"also {data}") from error

    with pytest.raises(RuntimeError) as caught:
        telling()
    one = Delivery(message("m"), ModelConsumer(ModelBroker()))
    given_up = GivenUp("retries_exhausted", {"attempts": 1}, "RuntimeError", caught.value)

    dead = ending(one, DEAD, worker="w", started_at=0.0, given_up=given_up).dead

    assert "in secretive" in dead.traceback
    assert "ValueError" in dead.traceback
    assert dead.traceback.rstrip().endswith("RuntimeError")
    assert data not in dead.traceback
