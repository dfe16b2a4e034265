"""Single cases of settlement: what goes back, what becomes a dead letter, and what a copy of an ended run meets."""

from __future__ import annotations

import time

import pytest
from dramatiq import Message
from dramatiq.middleware import SkipMessage
from settlement_model import (
    BROKER,
    COMPLETED,
    DEAD,
    FAILED,
    ModelBroker,
    ModelClosed,
    ModelConsumer,
    message,
    received,
    running,
)

from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.disposition import Disposition
from growbin_jobs.engine.delivery.endings import GivenUp, ending
from growbin_jobs.engine.delivery.intake import Start
from growbin_jobs.engine.delivery.lifecycle import State
from growbin_jobs.engine.delivery.records import TaskHistory, TaskState
from growbin_jobs.engine.delivery.returning import MOST_RETURNS
from growbin_jobs.engine.delivery.runs import has_ended
from growbin_jobs.engine.middleware.lifecycle import Lifecycle


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


def test_a_failure_about_which_nobody_decided_goes_back_and_is_no_end():
    journal, broker, process, _consumer, delivery = running()

    process.end(delivery, exception=ValueError("nobody looked at it"))

    assert delivery.returned.reason == "undecided"
    assert journal.waiting == []  # no record: it has neither completed nor died
    [pending_ack] = broker.pending_acks
    assert [Message.decode(each.body).options["requeues"] for each in pending_ack.outbox] == [1]


def test_a_begin_that_fails_lets_nothing_run_and_sends_the_message_back():
    journal, broker, process, _consumer, delivery = received()
    middleware = Lifecycle(lambda: journal)
    middleware._decisions = process.decisions
    middleware._start = Start(journal, isolates=None)
    delivery.life.history = TaskHistory("m", FAILED, 1, 0, 0, ())  # a suspect, and nobody to ask where it is to run

    with pytest.raises(SkipMessage):
        middleware.before_process_message(BROKER, delivery)
    process.intake.release(delivery)

    assert delivery.returned.reason == "begin_failed"
    assert journal.waiting == []
    assert [Message.decode(each.body).options["requeues"] for each in broker.pending_acks[0].outbox] == [1]
