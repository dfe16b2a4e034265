"""The embedded broker's SQL against a model that a person can check by reading."""

import json
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.whole import examples

from growbin_jobs.engine.broker.embedded.queue import EmbeddedQueue
from growbin_jobs.engine.broker.embedded.schema import SCHEMA_VERSION, create_schema
from growbin_jobs.engine.broker.port import Depth
from growbin_jobs.engine.errors import ConfigurationError

QUEUES = st.sampled_from(["vision", "text"])
IDS = st.sampled_from(["a", "b", "c"])
CONSUMERS = st.sampled_from(["p1/1", "p1/2", "p2/1"])


def owner_of(consumer: str) -> str:
    return consumer.partition("/")[0]


@dataclass
class Row:
    """One message of the model; ``consumer`` is set while it is claimed."""

    number: int
    queue: str
    id: str
    priority: int
    due: int
    deliveries: int = 0
    consumer: str | None = None
    seq: int | None = None

    @property
    def body(self) -> bytes:
        return str(self.number).encode()


class QueueMachine(RuleBasedStateMachine):
    """Does the same to the queue and to a list, and compares."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = apsw.Connection(":memory:")
        create_schema(self.connection)
        self.queue = EmbeddedQueue(self.connection)
        self.now = 1_000
        self.sent = 0
        self.rows: list[Row] = []
        self.dead: list[Row] = []

    def teardown(self) -> None:
        self.connection.close()

    def waiting(self, queue: str, id_: str) -> list[Row]:
        return [row for row in self.rows if (row.queue, row.id, row.consumer) == (queue, id_, None)]

    def claimed(self) -> list[Row]:
        return [row for row in self.rows if row.consumer]

    # --- what may happen

    @rule(ms=st.integers(0, 50))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    @rule(queue=QUEUES, id_=IDS, priority=st.integers(-1, 1), delay=st.sampled_from([0, 0, 10, 100]))
    def put(self, queue: str, id_: str, priority: int, delay: int) -> None:
        row = Row(self.sent, queue, id_, priority, self.now + delay)
        self.sent += 1
        added = self.queue.put(queue, id_, row.body, priority=priority, due=row.due, now=self.now)
        assert added == (not self.waiting(queue, id_))
        if added:
            self.rows.append(row)

    @rule(queue=QUEUES, consumer=CONSUMERS, limit=st.integers(1, 3))
    def claim(self, queue: str, consumer: str, limit: int) -> None:
        due = [row for row in self.rows if row.queue == queue and not row.consumer and row.due <= self.now]
        expected = sorted(due, key=lambda row: (row.priority, row.due, row.number))[:limit]
        got = self.queue.claim(queue, owner=owner_of(consumer), consumer=consumer, limit=limit, now=self.now)
        for row, claimed in zip(expected, got, strict=True):
            row.consumer, row.seq, row.deliveries = consumer, claimed.seq, row.deliveries + 1
            assert (claimed.body, claimed.deliveries) == (row.body, row.deliveries)

    @precondition(lambda self: self.claimed())
    @rule(data=st.data())
    def ack(self, data: st.DataObject) -> None:
        row = data.draw(st.sampled_from(self.claimed()))
        assert not self.queue.ack(row.seq, "somebody else")
        assert self.queue.ack(row.seq, row.consumer)
        self.rows.remove(row)
        assert not self.queue.ack(row.seq, row.consumer)

    @precondition(lambda self: self.claimed())
    @rule(data=st.data())
    def dead_letter(self, data: st.DataObject) -> None:
        row = data.draw(st.sampled_from(self.claimed()))
        assert not self.queue.dead_letter(row.seq, "somebody else", reason="?", now=self.now)
        assert self.queue.dead_letter(row.seq, row.consumer, reason=f"reason {row.number}", now=self.now)
        self.rows.remove(row)
        self.dead.append(row)

    @precondition(lambda self: self.claimed())
    @rule(data=st.data(), delay=st.sampled_from([1, 20]))
    def requeue(self, data: st.DataObject, delay: int) -> None:
        row = data.draw(st.sampled_from(self.claimed()))
        assert self.queue.requeue(row.seq, row.consumer, due=self.now + delay, now=self.now)
        row.due = self.now + delay if not self.waiting(row.queue, row.id) else row.due
        self.return_to_queue([row])

    @precondition(lambda self: self.claimed())
    @rule(data=st.data())
    def return_unstarted(self, data: st.DataObject) -> None:
        row = data.draw(st.sampled_from(self.claimed()))
        assert self.queue.return_unstarted(row.seq, row.consumer)
        row.deliveries -= 1
        self.return_to_queue([row])

    @rule(consumer=CONSUMERS)
    def consumer_closes(self, consumer: str) -> None:
        rows = [row for row in self.rows if row.consumer == consumer]
        assert self.queue.release_consumer(owner_of(consumer), consumer) == len(rows)
        self.return_to_queue(rows)

    @rule(owner=st.sampled_from(["p1", "p2"]))
    def process_dies(self, owner: str) -> None:
        rows = [row for row in self.claimed() if owner_of(row.consumer or "") == owner]
        assert self.queue.release_owner(owner) == len(rows)
        self.return_to_queue(rows)

    @rule(queue=QUEUES)
    def flush(self, queue: str) -> None:
        self.queue.flush(queue)
        self.rows = [row for row in self.rows if row.consumer or row.queue != queue]
        self.dead = [row for row in self.dead if row.queue != queue]

    def return_to_queue(self, rows: list[Row]) -> None:
        """One message of an id survives: one that waits already, else any of those that come back."""
        for row in rows:
            row.consumer = None
        for queue, id_ in {(row.queue, row.id) for row in rows}:
            before = [row for row in self.waiting(queue, id_) if row not in rows]
            candidates = before or self.waiting(queue, id_)
            body = self.connection.execute(
                "SELECT body FROM message WHERE queue = ? AND id = ? AND state <> 'claimed'", (queue, id_)
            ).get
            [survivor] = [row for row in candidates if row.body == body]
            self.rows = [row for row in self.rows if row is survivor or row not in self.waiting(queue, id_)]

    # --- what must hold

    @invariant()
    def same_depths(self) -> None:
        for name in ("vision", "text"):
            rows = [row for row in self.rows if row.queue == name]
            depth = self.queue.depths().get(name, Depth())
            assert depth.claimed == sum(row.consumer is not None for row in rows)
            assert depth.ready + depth.delayed == sum(row.consumer is None for row in rows)
            assert depth.dead == sum(row.queue == name for row in self.dead)

    @invariant()
    def same_next_due(self) -> None:
        for name in ("vision", "text"):
            due = [row.due for row in self.rows if row.queue == name and not row.consumer]
            found = self.queue.next_due(name)
            assert (found is None) == (not due)
            assert found is None or found == 0 or found == min(due)
            assert found != 0 or min(due) <= self.now

    @invariant()
    def same_dead_letters(self) -> None:
        letters = {
            (letter.body, letter.reason, letter.deliveries) for letter in self.queue.dead_letters(None, limit=99)
        }
        assert letters == {(row.body, f"reason {row.number}", row.deliveries) for row in self.dead}

    @invariant()
    def same_owners(self) -> None:
        assert self.queue.owners() == {owner_of(row.consumer or "") for row in self.claimed()}


QueueMachine.TestCase.settings = settings(max_examples=examples(100), stateful_step_count=40, deadline=None)
TestQueue = QueueMachine.TestCase


@pytest.fixture
def queue() -> EmbeddedQueue:
    connection = apsw.Connection(":memory:")
    create_schema(connection)
    return EmbeddedQueue(connection)


def test_a_retry_survives_a_crash_before_the_acknowledgement(queue: EmbeddedQueue) -> None:
    queue.put("q", "id", b"first", priority=0, due=0, now=0)
    queue.claim("q", owner="p", consumer="p/1", limit=1, now=0)
    queue.put("q", "id", b"retry", priority=0, due=10, now=0)
    queue.release_owner("p")
    assert queue.claim("q", owner="o", consumer="o/1", limit=9, now=5) == []
    assert [claimed.body for claimed in queue.claim("q", owner="o", consumer="o/1", limit=9, now=10)] == [b"retry"]


def asking(*, retries: int = 0, deferrals: int = 0) -> bytes:
    return json.dumps({"options": {"retries": retries, "deferrals": deferrals}}).encode()


FIRST, SECOND, THIRD = asking(), asking(deferrals=1), asking(retries=1, deferrals=1)


def waiting(queue: EmbeddedQueue) -> list[bytes]:
    return [claimed.body for claimed in queue.claim("q", owner="o", consumer="o/1", limit=9, now=99)]


@pytest.mark.parametrize(
    ("before", "later", "stays"), [(FIRST, SECOND, SECOND), (THIRD, SECOND, THIRD), (b"?", FIRST, b"?")]
)
def test_a_retry_takes_the_place_of_a_double_that_waits(
    queue: EmbeddedQueue, before: bytes, later: bytes, stays: bytes
) -> None:
    queue.put("q", "id", before, priority=0, due=0, now=0)

    assert queue.put("q", "id", later, priority=0, due=5, now=0) == (stays == later)

    assert waiting(queue) == [stays]


@pytest.mark.parametrize("order", [(FIRST, SECOND, THIRD), (THIRD, FIRST, SECOND)])
def test_what_asks_for_the_latest_run_stays_where_several_come_back(
    queue: EmbeddedQueue, order: tuple[bytes, ...]
) -> None:
    *claimed, left = order
    for body in claimed:
        queue.put("q", "id", body, priority=0, due=0, now=0)
        queue.claim("q", owner="p", consumer="p/1", limit=1, now=0)
    queue.put("q", "id", left, priority=0, due=50, now=0)

    assert queue.release_owner("p") == 2

    assert waiting(queue) == [THIRD]


def test_two_claimed_messages_of_one_id_become_one(queue: EmbeddedQueue) -> None:
    for body in (b"first", b"retry"):
        queue.put("q", "id", body, priority=0, due=0, now=0)
        queue.claim("q", owner="p", consumer="p/1", limit=1, now=0)
    assert queue.release_owner("p") == 2
    assert queue.depths() == {"q": Depth(ready=1)}


def test_a_sequence_number_is_never_used_twice(queue: EmbeddedQueue) -> None:
    # Else a late acknowledgement could hit another message.
    seen = set()
    for n in range(3):
        queue.put("q", str(n), b"", priority=0, due=0, now=0)
        [claimed] = queue.claim("q", owner="p", consumer="p/1", limit=1, now=0)
        queue.ack(claimed.seq, "p/1")
        seen.add(claimed.seq)
    assert len(seen) == 3


def test_whoever_waits_is_told_what_to_wake_for(queue: EmbeddedQueue) -> None:
    queue.put("now", "1", b"", priority=0, due=0, now=0)
    queue.put("later", "1", b"", priority=0, due=9, now=0)
    assert queue.touched == {"now", "later"}
    queue.touched.clear()
    queue.claim("now", owner="p", consumer="p/1", limit=1, now=0)
    assert queue.touched == set()
    queue.release_consumer("p", "p/1")
    assert queue.touched == {"now"}


def test_creating_the_schema_again_changes_nothing(queue: EmbeddedQueue) -> None:
    queue.put("q", "1", b"", priority=0, due=0, now=0)
    create_schema(queue._connection)
    assert queue.depths() == {"q": Depth(ready=1)}


def test_delays_of_a_clock_that_was_ahead_begin_anew_and_no_others_do(queue: EmbeddedQueue) -> None:
    now, day = 10**12, 86_400_000
    queue.put("q", "before", b"", priority=0, due=now + 2 * day, now=now - 5_000)
    queue.put("q", "delayed", b"", priority=0, due=now + day + 500, now=now + day)
    queue.put("q", "ready", b"", priority=0, due=now + day, now=now + day)
    queue.put("q", "given back", b"", priority=0, due=0, now=0)
    [claimed] = queue.claim("q", owner="p", consumer="p/1", limit=1, now=now)
    queue.requeue(claimed.seq, "p/1", due=now + day + 1_000, now=now + day)
    queue.touched.clear()

    assert queue.set_back(now=now) == 3

    assert queue.touched == {"q"}
    dues = dict(queue._rows("SELECT id, due - ? FROM message", (now,)))
    assert dues == {"before": 2 * day, "delayed": 500, "ready": 0, "given back": 1_000}
    assert queue.set_back(now=now) == 0


def test_a_file_of_a_version_before_gets_what_it_lacks(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "old.db"))
    create_schema(connection)
    connection.execute("ALTER TABLE message DROP COLUMN since")
    connection.execute(
        "INSERT INTO message (id, queue, priority, due, state, body) VALUES ('1', 'q', 0, 9, 'delayed', x'')"
    )

    create_schema(connection)

    queue = EmbeddedQueue(connection)
    assert queue.set_back(now=0) == 0
    queue.put("q", "2", b"", priority=0, due=10**9, now=10**9 - 1)
    assert queue.set_back(now=0) == 1
    connection.close()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "newer.db"))
    connection.pragma("user_version", SCHEMA_VERSION + 1)
    with pytest.raises(ConfigurationError, match="upgrade growbin-jobs"):
        create_schema(connection)
    connection.close()


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "other.db"))
    connection.execute("CREATE TABLE photos (id)")
    with pytest.raises(ConfigurationError, match="not a queue"):
        create_schema(connection)
    assert connection.pragma("user_version") == 0
    connection.close()


def test_no_statement_of_the_hot_path_scans_or_sorts(queue: EmbeddedQueue) -> None:
    statements: dict[str, object] = {}
    connection = queue._connection

    def remember(_: apsw.Cursor, sql: str, bindings: object) -> bool:
        statements[sql] = bindings
        return True

    connection.exec_trace = remember
    queue.put("q", "1", b"", priority=0, due=0, now=0)
    queue.next_due("q")
    queue.next_due("another")
    queue.claim("q", owner="p", consumer="p/1", limit=1, now=0)
    queue.ack(1, "p/1")
    queue.dead_letter(1, "p/1", reason="", now=0)
    queue.requeue(1, "p/1", due=0, now=0)
    queue.release_consumer("p", "p/1")
    queue.release_owner("p")
    connection.exec_trace = None
    assert len(statements) >= 10
    for sql, bindings in statements.items():
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", bindings))
        assert "SCAN message" not in plan, sql
        assert "SCAN dead" not in plan, sql
        assert "TEMP B-TREE" not in plan, sql
