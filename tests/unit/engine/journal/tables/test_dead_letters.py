"""Messages that were given up, found, retried and discarded."""

import pytest

from growbin_jobs.engine.delivery.records import Dead, TaskState
from growbin_jobs.engine.errors import NotFound
from growbin_jobs.engine.journal.tables import dead_letters, outbox, reader, tasks


@pytest.fixture
def die(connection, an_end):
    def die(task_id, *, queue="q1", actor="a1", code="c1", at=100.0, body=b"body"):
        dead = Dead(body=body, code=code, params='{"n": 1}', error="it broke", traceback="Traceback…", died_at=at)
        tasks.finish(connection, an_end(task_id, TaskState.DEAD, task_name=actor, queue_name=queue, dead=dead))

    return die


def ids(connection, **filters):
    return [letter.task_id for letter in dead_letters.find(connection, **filters)]


def test_a_dead_letter_says_all_about_it(connection, die):
    die("t1", body=b"\x00\xff")

    (letter,) = dead_letters.find(connection)

    assert (letter.task_id, letter.queue, letter.actor, letter.code, letter.params) == (
        "t1",
        "q1",
        "a1",
        "c1",
        '{"n": 1}',
    )
    assert (letter.body, letter.error, letter.traceback, letter.died_at) == (
        b"\x00\xff",
        "it broke",
        "Traceback…",
        100.0,
    )
    assert dead_letters.get(connection, letter.id) == letter


def test_filters_and_pages(connection, die):
    die("t1", queue="q1", actor="a1", code="c1", at=100.0)
    die("t2", queue="q2", actor="a1", code="c2", at=200.0)
    die("t3", queue="q2", actor="a2", code="c1", at=300.0)

    assert ids(connection) == ["t3", "t2", "t1"]
    assert ids(connection, queue="q2") == ["t3", "t2"]
    assert ids(connection, actor="a1") == ["t2", "t1"]
    assert ids(connection, code="c1", queue="q2") == ["t3"]
    assert ids(connection, since=200.0) == ["t3", "t2"]
    assert ids(connection, before=200.0) == ["t1"]
    first = dead_letters.find(connection, limit=2)
    assert ids(connection, below_id=first[-1].id, limit=2) == ["t1"]


def test_a_retry_owes_the_message_to_the_broker(connection, die):
    die("t1")
    (letter,) = dead_letters.find(connection)

    owed = dead_letters.retry(connection, letter.id, now=500.0)

    assert (owed.message_id, owed.task_name, owed.queue_name, owed.body, owed.parent_id) == (
        "t1",
        "a1",
        "q1",
        b"body",
        None,
    )
    assert outbox.claim(connection, limit=9, after=0, older_than=30, claimant="r", lease=30, now=500.0) == [owed]
    assert reader.task(connection, "t1").status is TaskState.FAILED
    assert reader.task(connection, "t1").synced_at is None
    assert tasks.lookup(connection, ["t1"])["t1"].state is TaskState.FAILED  # so that it runs, with counts that grow
    assert ids(connection) == []
    assert ids(connection, dealt_with=True) == ["t1"]

    outbox.delete_confirmed(connection, [owed.seq])
    assert reader.task(connection, "t1").status is TaskState.FAILED


def test_a_retry_may_send_another_body(connection, die):
    die("t1")
    assert dead_letters.retry(connection, dead_letters.find(connection)[0].id, body=b"anew", now=1.0).body == b"anew"


def test_a_discarded_one_stays_dead(connection, die):
    die("t1")
    (letter,) = dead_letters.find(connection)

    dead_letters.discard(connection, letter.id, now=500.0)

    assert ids(connection) == []
    assert dead_letters.get(connection, letter.id).discarded_at == 500.0
    assert reader.task(connection, "t1").status is TaskState.DEAD


@pytest.mark.parametrize("first", [dead_letters.retry, dead_letters.discard])
@pytest.mark.parametrize("second", [dead_letters.retry, dead_letters.discard])
def test_each_is_dealt_with_once(connection, die, first, second):
    die("t1")
    (letter,) = dead_letters.find(connection)
    first(connection, letter.id, now=500.0)

    with pytest.raises(NotFound, match="retried or discarded before"):
        second(connection, letter.id, now=501.0)
    with pytest.raises(NotFound, match="no dead letter 99"):
        second(connection, 99, now=501.0)


def test_one_that_dies_twice_unseen_is_one(connection, die):
    die("t1", at=100.0, code="c1")
    die("t1", at=200.0, code="c2")

    (letter,) = dead_letters.find(connection)
    assert (letter.died_at, letter.code) == (200.0, "c2")


def test_one_that_dies_again_after_a_retry_is_another(connection, die):
    die("t1")
    dead_letters.retry(connection, dead_letters.find(connection)[0].id, now=500.0)
    die("t1", at=600.0)

    assert [letter.died_at for letter in dead_letters.find(connection)] == [600.0]
    assert [letter.died_at for letter in dead_letters.find(connection, dealt_with=True)] == [600.0, 100.0]
