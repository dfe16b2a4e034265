"""What the central tables promise to the journals of many nodes, on both kinds of database."""

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.contract.central_node import START, Node, nodes
from tests.upgraded import upgrade

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.driver import TooSlow
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.sync import Copied
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.central.workers import WorkerGroup, Workers
from growbin_jobs.engine.delivery.records import Finish, TaskState
from growbin_jobs.engine.errors import Deferred
from growbin_jobs.engine.journal.file.schema import migrate
from growbin_jobs.engine.journal.tables import changes, tasks
from growbin_jobs.models import SCHEMA


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = request.getfixturevalue("upgraded_postgres_url") if request.param == "postgresql" else None
    opened = open_database(url, default_path=tmp_path / "central.db", pool_size=4, timeout=10)
    upgrade(opened, SCHEMA)
    yield opened
    opened.close()


@pytest.fixture
def central(database: Database) -> Tasks:
    return Tasks(database)


@pytest.fixture
def new_node(tmp_path: Path, central: Tasks) -> Iterator[Callable[..., Node]]:
    with nodes(tmp_path, central) as make:
        yield make


@pytest.fixture
def a(new_node: Callable[..., Node]) -> Node:
    return new_node("a")


@pytest.fixture
def b(new_node: Callable[..., Node]) -> Node:
    return new_node("b")


def status(central: Tasks, task_id: str = "t") -> tuple[str, str] | None:
    found = central.get(task_id)
    return (found.status.value, found.node) if found else None


# --- one node


def test_a_row_arrives_as_it_is(central: Tasks, a: Node) -> None:
    a.ended(
        "t",
        "failed",
        2.25,
        created_at=START.timestamp() - 7,
        error="was\tsaid\nin \\N \\. words\r",
        result='{"s3_path": "s3://b/ü/사진"}',
        retry_count=2,
        deferrals=3,
        due_at=START.timestamp() + 9,
        delivery_tag=2**62,
        payload='{"args": ["한글", "a\\"b\\\\c\\n"]}',
    )

    assert a.copy() == Copied(rows=1)

    found = central.get("t")
    assert found is not None
    expected = {
        "task_id": "t", "node": "a", "task_name": "upload_image", "queue_name": "user_input",
        "payload": {"args": ["한글", 'a"b\\c\n']}, "status": TaskState.FAILED, "delivery_tag": 2**62,
        "created_at": START - timedelta(seconds=7), "started_at": START + timedelta(seconds=1.75),
        "completed_at": START + timedelta(seconds=2.25), "error": "was\tsaid\nin \\N \\. words\r", "retry_count": 2,
        "result": {"s3_path": "s3://b/ü/사진"}, "worker": a.journal.worker, "deferrals": 3, "crashes": 0,
        "due_at": START + timedelta(seconds=9),
        "synced_at": START + timedelta(seconds=1000),
    }  # fmt: skip
    assert {name: getattr(found, name) for name in expected} == expected
    assert json.loads(json.dumps(found.as_dict()))["completed_at"] == "2026-11-21T12:00:02.250000+00:00"


def test_what_did_not_change_is_not_copied_again(central: Tasks, a: Node) -> None:
    a.started("t", 1)
    assert a.copy() == Copied(rows=1)
    assert a.copy() == Copied()
    a.ended("t", "completed", 2)
    assert a.copy() == Copied(rows=1)
    assert status(central) == ("completed", "a")
    assert a.journal.read(lambda c: c.execute("SELECT count(*) FROM sync_log").get) == 2


def test_pages_of_every_size_bring_the_same(new_node: Callable[..., Node], central: Tasks) -> None:
    node = new_node("a", batch=3)
    ids = [f"t{number}" for number in range(10)]
    for task_id in ids:
        node.ended(task_id, "completed", 1)

    assert node.copy() == Copied(rows=10)

    assert {status(central, task_id) for task_id in ids} == {("completed", "a")}
    assert central.count_by_status()[TaskState.COMPLETED] == 10
    node.started("runs", 1)
    assert (node.copy().rows, central.waiting_by_queue(), central.waiting_by_queue(most=0)) == (1, {}, {})


def test_a_run_that_has_no_time_left_is_continued(new_node: Callable[..., Node], central: Tasks) -> None:
    node = new_node("a", batch=3, seconds=0.0)
    for number in range(7):
        node.ended(f"t{number}", "completed", 1)

    runs = list(itertools.takewhile(lambda copied: copied.behind, iter(node.copy, None)))

    assert [copied.rows for copied in runs] == [3, 3]
    assert central.count_by_status()[TaskState.COMPLETED] == 7


def test_a_row_that_changes_while_it_is_copied_is_copied_again(
    central: Tasks, a: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    a.started("t", 1)
    absorb = central.absorb

    def meanwhile(*page: Any) -> None:
        absorb(*page)
        monkeypatch.undo()
        a.ended("t", "completed", 2)

    monkeypatch.setattr(central, "absorb", meanwhile)
    a.copy()
    # The next page of the same run may have it already.
    assert status(central) == ("completed", "a") or a.sync.backlog().rows == 1

    a.copy()
    assert status(central) == ("completed", "a")


def test_a_row_that_the_database_refuses_holds_no_other_up(central: Tasks, a: Node) -> None:
    for number in range(6):
        a.ended(f"t{number}", "completed", 1)
    a.ended("x" * 2000, "completed", 1, created_at=1e300)
    a.ended("t6", "completed", 1)

    assert a.copy() == Copied(rows=7, refused=1)
    assert a.copy() == Copied()
    assert a.sync.sweep() == Copied(refused=1)
    assert a.sync.backlog().rows == 1
    log = "SELECT task_id, status FROM sync_log WHERE status = 'failed'"
    assert a.journal.read(lambda c: c.execute(log).fetchall()) == [("x" * 2000, "failed")] * 2


@pytest.mark.parametrize(
    "odd",
    [
        {"created_at": -1e30},
        {"created_at": 1e300},
        {"completed_at": -1e30, "started_at": -1e30},
        {"due_at": float("inf")},
        {"task_id": "x" * 300_000},
        {"task_id": "".join(chr(0xAC00 + n * 37 % 11_000) for n in range(999))},
    ],
    ids=["early", "late", "ended early", "never due", "long id", "id too long for an index"],
)
def test_what_can_never_be_copied_is_noted_and_is_not_waited_for(central: Tasks, a: Node, odd: dict[str, Any]) -> None:
    odd_id = odd.pop("task_id", "odd")
    for number in range(5):
        a.ended(f"t{number}", "completed", 1)
    a.journal.write(lambda c: tasks.finish(c, finish_of(odd_id, **odd)))
    a.ended("t5", "completed", 1)

    copied = a.copy()

    assert copied.rows + copied.refused == 7
    assert copied.refused <= 1  # SQLite takes long ids
    backlog = a.sync.backlog()
    assert (backlog.rows, backlog.refused, backlog.copyable) == (copied.refused, copied.refused, 0)
    log = "SELECT count(*) FROM sync_log WHERE status = 'failed'"
    assert a.journal.read(lambda c: c.execute(log).get) == copied.refused
    assert all(central.get(f"t{number}") is not None for number in range(6))
    a.ended(odd_id, "completed", 2)
    assert a.sync.backlog().rows == copied.refused  # a second end changes nothing


def finish_of(task_id: str, **fields: Any) -> Finish:
    values: dict[str, Any] = {"started_at": START.timestamp(), "completed_at": START.timestamp(), "result": "1"}
    return Finish(
        task_id=task_id, task_name="a", queue_name="q", payload="{}", state=TaskState.COMPLETED, worker="w",
        **values | fields,
    )  # fmt: skip


TEXTS = ["\n\\.\n", "a\n\\.\nb", "\\.", "\0", "\1", '"', "\r\n,\1\1", "\n" * 3, "\\N", "\x1a", "\u2028"]


def test_any_text_is_copied_with_all_rows_behind_it(central: Tasks, a: Node) -> None:
    for number, text in enumerate(TEXTS):
        record = finish_of(f"t{number:02}", error=text, result=json.dumps(text), created_at=START.timestamp())
        a.journal.write(lambda c, record=record: tasks.finish(c, record))
    a.ended("zz", "completed", 1)

    assert a.copy() == Copied(rows=len(TEXTS) + 1)
    for number in range(len(TEXTS)):
        row = central.get(f"t{number:02}")
        assert row is not None
        assert row.result == TEXTS[number]
    assert central.get("zz") is not None


class Slow:
    """Takes pages up to a size within its timeout, as a database under load does."""

    def __init__(self, tasks: Tasks, most: int) -> None:
        self.rendering = tasks.rendering
        self.database = tasks.database
        self.sizes: list[int] = []
        self.most = most
        self._tasks = tasks

    def absorb(self, page: changes.Page, families: Any) -> int:
        self.sizes.append(len(page.rows))
        if len(page.rows) > self.most:
            raise TooSlow("took too long", wait=0.1)
        return self._tasks.absorb(page, families)


def test_pages_shrink_until_the_database_manages_them_and_grow_again(central: Tasks, tmp_path: Path) -> None:
    slow = Slow(central, most=3)
    node = Node(tmp_path, "slow", slow, batch=16)  # type: ignore[arg-type]
    for number in range(40):
        node.ended(f"t{number}", "completed", 1)

    for _ in range(40):
        try:
            node.copy()
        except TooSlow:
            continue
        if node.sync.backlog().rows == 0:
            break
    assert node.sync.backlog().rows == 0
    assert slow.sizes[0] == 16

    slow.most = 1000
    for number in range(40, 140):
        node.ended(f"t{number}", "completed", 1)
    node.copy()
    assert 16 in slow.sizes[-5:]
    node.journal.close()


class Busy(Slow):
    """Tasks of a node whose workers end another one during each copy."""

    node: Node

    def absorb(self, page: changes.Page, families: Any) -> int:
        taken = super().absorb(page, families)
        self.node.ended(f"meanwhile-{len(self.sizes)}", "completed", 2)
        return taken


def test_a_run_ends_while_tasks_go_on_ending(central: Tasks, tmp_path: Path) -> None:
    busy = Busy(central, most=1000)
    node = busy.node = Node(tmp_path, "busy", busy, batch=3)  # type: ignore[arg-type]
    for number in range(4):
        node.ended(f"t{number}", "completed", 1)

    assert node.copy().behind is False
    assert len(busy.sizes) == 2
    assert busy.sizes[0] == 3
    waiting = node.sync.backlog().rows
    assert node.copy().rows == waiting > 0
    node.journal.close()


def test_a_journal_that_is_gone_meanwhile_is_not_made_by_the_copy(tmp_path: Path) -> None:
    database = open_database(None, default_path=tmp_path / "central.db", pool_size=2, timeout=30.0)
    upgrade(database, SCHEMA)
    gone = changes.Page(tmp_path / "gone.db", "a", 0.0, [(1, "t", 0, None, 1)])
    with pytest.raises(Deferred, match=r"gone\.db cannot be read"):
        Tasks(database).absorb(gone, {})
    assert not gone.journal.exists()
    database.close()


def test_what_a_crash_alone_knows_keeps_what_was_known(central: Tasks, a: Node, b: Node) -> None:
    a.started("t", 1, created_at=START.timestamp() - 3)
    a.copy()
    b.journal.write(lambda c: tasks.crashed(c, [("t", "upload_image", "user_input")], now=START.timestamp() + 5))
    b.copy()

    found = central.get("t")
    assert found is not None
    assert (found.status, found.node, found.crashes) == (TaskState.FAILED, "b", 1)
    assert (found.payload, found.created_at) == ({"args": [1]}, START - timedelta(seconds=3))


# --- a producer's message, accepted on one node while the broker was away, run on another one


def test_a_message_that_waited_walks_forward(central: Tasks, a: Node, b: Node) -> None:
    debt = a.accepted("t", 1)
    a.copy()
    assert status(central) == ("pending", "a")
    a.journal.forwarded([debt])
    a.copy()
    assert status(central) == ("pending", "a")  # the broker has it now

    b.started("t", 2)
    b.copy()
    assert status(central) == ("running", "b")
    b.ended("t", "completed", 3)
    b.copy()
    assert status(central) == ("completed", "b")


@pytest.mark.parametrize("state", ["running", "failed", "dead", "completed"])
def test_that_it_waits_is_never_said_after_it_has_run(central: Tasks, a: Node, b: Node, state: str) -> None:
    a.accepted("t", 5)  # unconfirmed, it has arrived all the same; or the clocks differ
    b.started("t", 1)
    if state != "running":
        b.ended("t", state, 2)
    b.copy()
    a.copy()
    assert status(central) == (state, "b")


def test_a_run_is_shown_whatever_the_clock_of_the_node_where_it_waited(central: Tasks, a: Node, b: Node) -> None:
    a.accepted("t", 5)
    a.copy()
    b.started("t", 1)
    b.copy()
    assert status(central) == ("running", "b")


# --- several nodes


def test_the_later_word_counts(central: Tasks, a: Node, b: Node) -> None:
    a.ended("t", "failed", 1)
    b.started("t", 2)
    b.copy()
    a.copy()
    assert status(central) == ("running", "b")

    b.ended("t", "completed", 3)
    b.copy()
    assert status(central) == ("completed", "b")


def test_completed_is_never_left(central: Tasks, a: Node, b: Node) -> None:
    a.ended("t", "completed", 1)
    a.copy()
    for second, state in enumerate(("failed", "dead"), start=5):
        b.ended("t", state, second)
        b.copy()
        assert status(central) == ("completed", "a")


def test_dead_gives_way_to_completed_only(central: Tasks, a: Node, b: Node) -> None:
    a.ended("t", "dead", 1)
    a.copy()
    b.ended("t", "failed", 5)
    b.copy()
    assert status(central) == ("dead", "a")
    b.ended("t", "completed", 6)
    b.copy()
    assert status(central) == ("completed", "b")


def test_a_dead_task_that_a_person_retries_is_alive_again(central: Tasks, a: Node, b: Node) -> None:
    a.ended("t", "dead", 1)
    a.copy()
    a.retried_by_a_person(1)
    a.copy()
    assert status(central) == ("failed", "a")
    b.started("t", 8)
    b.copy()
    assert status(central) == ("running", "b")


STATES = ("running", "failed", "dead", "completed")


def test_nodes_may_bring_their_words_in_any_order(central: Tasks, tmp_path: Path) -> None:
    """All states on three nodes in all orders: the same words come to the same end, and said twice change nothing."""
    file = tmp_path / "words.db"
    connection = apsw.Connection(str(file))
    migrate(connection)
    orders = list(itertools.permutations(range(3)))
    cases = list(itertools.product(itertools.product(STATES, repeat=3), orders))

    def said(states: tuple[str, ...], which: int, task_id: str) -> None:
        moment = START.timestamp() + which
        end = None if states[which] == "running" else moment
        values = (task_id, states[which], moment - 5, moment if end is None else moment - 4, end)
        connection.execute(
            "INSERT INTO task_wal (task_id, status, created_at, started_at, completed_at, task_name, queue_name,"
            " payload, seq) VALUES (?, ?, ?, ?, ?, 'n', 'q', '{}', 1 + (SELECT count(*) FROM task_wal))", values,
        )  # fmt: skip

    for turn in (0, 1, 1, 2):
        for node in range(3):
            for number, (states, order) in enumerate(cases):
                if order[turn] == node:
                    said(states, node, str(number))
            page = changes.page(
                connection, central.rendering, after=0, limit=len(cases), journal=file, node=f"n{node}", at=0.0
            )
            central.absorb(page, {})
            connection.execute("DELETE FROM task_wal")

    outcomes: dict[tuple[str, ...], set[Any]] = {}
    tasks = central.get_many(list(map(str, range(len(cases)))))
    assert len(tasks) == len(cases)
    for task in tasks:
        states, _ = cases[int(task.task_id)]
        outcomes.setdefault(states, set()).add((task.status.value, task.node))
    assert {states: len(found) for states, found in outcomes.items() if len(found) > 1} == {}
    assert outcomes["completed", "running", "running"] == {("completed", "n0")}
    assert outcomes["running", "dead", "failed"] == {("dead", "n1")}
    assert outcomes["failed", "running", "failed"] == {("failed", "n2")}


# --- workers


def group(name: str = "storage", **changes: Any) -> WorkerGroup:
    whole = WorkerGroup(
        node="a", group_name=name, version="1", pids=[7, 8], processes=2, threads=4, queues=["user_input"], running=1,
        unsynced=3, owed=0, lag=0.5, started_at=START, seen_at=START,
    )  # fmt: skip
    return dataclasses.replace(whole, **changes)


def test_a_report_replaces_the_one_before(database: Database) -> None:
    workers = Workers(database)
    workers.report("a", [group()], unsynced=3, owed=0, at=START)
    later = group(pids=[9], processes=1, seen_at=START + timedelta(seconds=10))

    workers.report("a", [later, group("ai")], unsynced=3, owed=0, at=later.seen_at)

    assert workers.all() == [group("ai"), later]


def test_groups_that_are_gone_have_stopped_and_say_what_they_left(database: Database) -> None:
    workers = Workers(database)
    workers.report("a", [group()], unsynced=3, owed=0, at=START)
    workers.report("b", [group(node="b")], unsynced=0, owed=0, at=START)
    first, second = START + timedelta(hours=1), START + timedelta(hours=2)

    workers.report("a", [], unsynced=5, owed=1, at=first)
    workers.report("a", [], unsynced=4, owed=1, at=second)

    idle = {"pids": [], "processes": 0, "threads": 0, "running": 0, "reserved": 0, "reserved_tasks": []}
    gone = group(**idle, unsynced=4, owed=1, stopped_at=first)
    assert workers.all() == [gone, group(node="b")]


def test_only_the_gone_that_left_nothing_are_forgotten(database: Database) -> None:
    workers = Workers(database)
    for node, unsynced in (("a", 0), ("b", 2), ("c", 0)):
        workers.report(node, [group(node=node)], unsynced=unsynced, owed=0, at=START)
        if node != "c":
            workers.report(node, [], unsynced=unsynced, owed=0, at=START)

    assert workers.forget(stopped_before=START) == 0
    assert workers.forget(stopped_before=START + timedelta(seconds=1)) == 1
    assert [each.node for each in workers.all()] == ["b", "c"]
