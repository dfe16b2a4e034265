"""A message that the file cannot hold becomes a dead letter; those that are settled with it are settled."""

from __future__ import annotations

import dramatiq
import pytest
from dramatiq.broker import MessageProxy

from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
from growbin_jobs.engine.delivery.delivery import PendingAck
from growbin_jobs.engine.delivery.disposition import Disposition
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.errors import Permanent
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import dead_letters, tasks
from growbin_jobs.engine.keeper.embedded_dead_letters import Tidied, TidyDeadLetters
from growbin_jobs.engine.threads import make_signal

SECRET = "https://user:hunter2@host/"


@pytest.fixture
def broker(tmp_path):
    broker = EmbeddedBroker(tmp_path / "broker.db", middleware=[])
    broker.declare_queue("q")
    yield broker
    broker.close()


def send(broker, count):
    for number in range(count):
        broker.enqueue(
            dramatiq.Message(queue_name="q", actor_name="a", args=(), kwargs={}, options={}, message_id=f"m{number:02}")
        )


def owed(message_id, **odd):
    values = {"message_id": message_id, "task_name": "b", "queue_name": "next", "body": b"{}"}
    return OutboxMessage(**values | odd)


ODD = [
    {"due_at": 1e300}, {"due_at": float("nan")}, {"due_at": float("inf")}, {"queue_name": "\ud800"},
    {"message_id": "\ud800"}, {"due_at": 10**19},
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_four_bad_ones_among_forty_four(broker, odd):
    send(broker, 44)
    consumer = broker.consume("q", prefetch=100, timeout=5000)
    outcomes, settled = [], make_signal()

    def then(pending_ack, error):
        outcomes.append((pending_ack.delivery.message_id, error))
        if len(outcomes) == 44:
            settled.set()

    deliveries = [next(consumer) for _ in range(44)]
    bad = {f"m{number:02}" for number in (3, 17, 18, 43)}
    for delivery in deliveries:
        outbox = [owed(f"{delivery.message_id}.0")]
        if delivery.message_id in bad:
            outbox.append(owed(**{"message_id": f"{delivery.message_id}.1"} | odd))
        consumer.settle(PendingAck(tuple(outbox), delivery, Disposition.ACK, then))
    settled.wait()

    assert [error for _, error in outcomes if error] == []
    depths = broker.depths()
    assert "q" not in depths
    assert depths["next"].ready == 44
    letters = [letter for letter in broker.dead_letters() if "cannot be stored" in letter.reason]
    assert len(letters) == 4
    assert {letter.body for letter in letters} == {b"{}"}
    assert len({letter.seq for letter in letters}) == 4
    assert all(letter.seq < 0 for letter in letters)


class Foreign(Exception):
    def __str__(self):
        return f"cannot open {SECRET}"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Foreign(), "Foreign"),
        (ValueError("\ud800" + SECRET), "ValueError"),
        (Permanent("request_invalid", detail="\ud800 is no text"), "Permanent"),
    ],
)
def test_a_dead_letter_says_the_type_of_an_error_only(broker, error, reason):
    send(broker, 1)
    consumer = broker.consume("q", timeout=5000)
    delivery: MessageProxy = next(consumer)
    delivery.stuff_exception(error)

    consumer.nack(delivery)

    [letter] = broker.dead_letters()
    assert letter.reason == reason


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "node" / "task_queue.db", node="node", worker="test", free_floor=1)
    yield journal
    journal.close()


def reject(broker, count):
    send(broker, count)
    consumer = broker.consume("q", prefetch=count, timeout=5000)
    for _ in range(count):
        consumer.nack(next(consumer))
    consumer.close()


def test_copies_that_people_have_dealt_with_go_and_open_ones_stay(broker, journal, a_dead_end):
    reject(broker, 5)
    now = broker.dead_letters()[0].died_at.timestamp() + 1
    for number in range(4):
        journal.write(lambda c, n=number: tasks.finish(c, a_dead_end(f"m{n:02}")))
    ids = {letter.task_id: letter.id for letter in journal.read(lambda c: dead_letters.find(c))}
    journal.write(lambda c: dead_letters.discard(c, ids["m00"], now=now))
    journal.write(lambda c: dead_letters.retry(c, ids["m01"], now=now))
    journal.write(lambda c: dead_letters.retry(c, ids["m02"], now=now))
    journal.write(lambda c: tasks.finish(c, a_dead_end("m02")))  # it died once more, and its new copy is still to come
    tidy = TidyDeadLetters(journal, broker.tidy_dead_letters, keep=1000.0, clock=lambda: now)

    assert tidy.run_once() == Tidied(2)
    assert tidy.run_once() == Tidied(0)

    assert {letter.message_id for letter in broker.dead_letters()} == {"m02", "m03", "m04"}


def test_old_copies_are_pruned_and_foreign_texts_of_earlier_versions_are_cut(broker, journal):
    reject(broker, 3)
    reasons = [f"OSError: {SECRET}", "Permanent: it is no picture", "not a message: no JSON"]
    for letter, reason in zip(broker.dead_letters(), reasons, strict=True):
        broker._hold().write(
            lambda queue, letter=letter, reason=reason: queue._connection.execute(
                "UPDATE dead_letter SET reason = ? WHERE seq = ?", (reason, letter.seq)
            )
        )
    died_at = broker.dead_letters()[0].died_at.timestamp()

    TidyDeadLetters(journal, broker.tidy_dead_letters, keep=1000.0, clock=lambda: died_at + 500.0).run_once()
    assert [letter.reason for letter in broker.dead_letters()] == ["OSError", *reasons[1:]]

    later = TidyDeadLetters(journal, broker.tidy_dead_letters, keep=1000.0, clock=lambda: died_at + 2000.0)
    assert later.run_once() == Tidied(3)
    assert broker.dead_letters() == []
