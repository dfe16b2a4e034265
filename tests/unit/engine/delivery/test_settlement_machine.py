"""The life of deliveries against a model broker and a model journal, with a crash, a lost connection, a failed
publication or an unwritable end at every step: nothing is lost, nothing is acknowledged before what it sent is
confirmed, each delivery is settled once, and no run that has ended here is run again."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from dramatiq import Message
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from settlement_model import (
    COMPLETED,
    DEAD,
    FAILED,
    ModelBroker,
    ModelClosed,
    ModelConsumer,
    ModelJournal,
    Process,
    follow_ups,
    message,
    owed,
)
from tests.whole import examples

from growbin_jobs.engine.delivery import settlement
from growbin_jobs.engine.delivery.runs import key_of


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
    settings = settings(max_examples=examples(150), stateful_step_count=50, deadline=None)

    @pytest.fixture(autouse=True)
    def impatient(self):
        with patch.object(settlement, "FIRST_PAUSE", 0.0):
            yield
