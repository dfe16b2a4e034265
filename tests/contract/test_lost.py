"""What is lost with a node that has fallen silent, on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.contract.central_node import START, Node

from growbin_jobs.engine.broker.port import Depth
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.lost import Fate, Lost
from growbin_jobs.engine.central.queue_minutes import QueueMinutes
from growbin_jobs.engine.central.reruns import Kind, Reruns, Wish
from growbin_jobs.engine.central.search.grammar import parse
from growbin_jobs.engine.central.search.task_search import TaskSearch
from growbin_jobs.engine.central.tasks import TaskRow, Tasks
from growbin_jobs.engine.central.workers import SILENCE, WorkerGroup, Workers
from growbin_jobs.engine.control.instructions import Action, Target
from growbin_jobs.engine.control.table import Control
from growbin_jobs.operations.lost_tasks import meaning_lost, with_lost
from growbin_jobs.operations.waiting import why_task_waits


@pytest.fixture
def nodes(tmp_path: Path, database: Database) -> Iterator[dict[str, Node]]:
    made = {name: Node(tmp_path, name, Tasks(database)) for name in ("a", "b")}
    yield made
    for node in made.values():
        node.journal.close()


def report(database: Database, node: str, at: datetime, **left: int) -> None:
    group = WorkerGroup(
        node=node, group_name="storage", version="1", pids=[7], processes=1, threads=4, queues=["q", "vision"],
        running=1, unsynced=left.get("unsynced", 0), owed=left.get("owed", 0), lag=0.5, started_at=START, seen_at=at,
        reserved=left.get("reserved"),
    )  # fmt: skip
    Workers(database).report(node, [group], unsynced=group.unsynced, owed=group.owed, at=at)


def test_what_runs_on_a_silent_node_is_lost_until_another_one_runs_it(
    database: Database, nodes: dict[str, Node]
) -> None:
    for name, node in nodes.items():
        report(database, name, START)
        node.started(f"of {name}", 1)
        node.copy()
    lost = Lost(database, embedded=False)
    assert lost.tasks(START + SILENCE) == []

    now = START + SILENCE + timedelta(seconds=2)
    report(database, "b", now)
    [found] = lost.tasks(now)
    assert (found.task_id, found.node, found.last_seen, found.fate) == ("of a", "a", START, Fate.REDELIVERED)
    assert lost.silent(now) == {"a": START}
    assert lost.tasks(now, task_ids=["of b"]) == []
    assert json.loads(json.dumps(found.as_dict()))["fate"] == "redelivered"
    [embedded] = Lost(database, embedded=True).tasks(now)
    assert embedded.fate is Fate.RETURNS

    nodes["b"].ended("of a", "completed", 60)
    nodes["b"].copy()
    assert lost.tasks(now) == []


def test_a_node_that_comes_back_has_lost_nothing(database: Database, nodes: dict[str, Node]) -> None:
    report(database, "a", START)
    nodes["a"].started("t", 1)
    nodes["a"].copy()
    later = START + timedelta(minutes=5)
    assert len(Lost(database, embedded=True).tasks(later)) == 1

    report(database, "a", later)

    assert Lost(database, embedded=True).tasks(later) == []


def test_a_task_that_has_just_begun_on_a_new_node_is_not_lost(database: Database, nodes: dict[str, Node]) -> None:
    nodes["a"].started("t", 1)
    nodes["a"].copy()

    assert Lost(database, embedded=False).tasks(START + timedelta(seconds=5)) == []
    [found] = Lost(database, embedded=False).tasks(START + timedelta(seconds=50))
    assert found.last_seen is None


def test_gone_nodes_say_what_they_left(database: Database, nodes: dict[str, Node]) -> None:
    report(database, "a", START, unsynced=3, owed=2)
    report(database, "b", START + timedelta(seconds=5))
    report(database, "c", START)
    Workers(database).report("c", [], unsynced=0, owed=0, at=START)
    nodes["a"].started("t", 1)
    nodes["a"].ended("d", "dead", 2)
    nodes["a"].copy()
    now = START + SILENCE + timedelta(seconds=3)

    found = {each.node: each for each in Lost(database, embedded=False).nodes(now)}

    assert set(found) == {"a", "c"}
    gone = found["a"]
    assert (gone.lost, gone.unsynced, gone.owed, gone.dead_letters, gone.stopped) == (1, 3, 2, 1, False)
    assert (found["c"].stopped, found["c"].lost, found["c"].groups) == (True, 0, ["storage"])
    assert json.loads(json.dumps(gone.as_dict()))["last_seen"] == START.isoformat()


#: When a message that was sent at the start can be nowhere unseen.
MUCH_LATER = START + timedelta(minutes=10)


def sent(database: Database, node: Node) -> None:
    """Send ``child`` at the start to the queue ``vision``, and ``later`` with a due time to come."""
    node.sent("parent", "child", 1)
    node.sent("parent of it", "later", 1, due=3600)
    node.copy()
    copied = TaskRow.update(synced_at=START)  # not at the moment of the test
    database.run(lambda connection: copied.execute(connection))


def asked(database: Database, *, now: datetime = MUCH_LATER, **ready: int) -> None:
    """Let the broker say how many messages wait, in each of the last minutes."""
    for ago in (3, 2, 1):
        minute = now - timedelta(minutes=ago)
        depths = {queue: Depth(count, None, None, 0) for queue, count in ready.items()}
        QueueMinutes(database).add(minute, depths, now=minute)


def test_what_neither_the_queue_nor_a_worker_has_has_vanished_until_it_runs_again(
    database: Database, nodes: dict[str, Node]
) -> None:
    sent(database, nodes["a"])
    asked(database, vision=0)
    report(database, "a", MUCH_LATER, reserved=0)

    lost = Lost(database, embedded=False)
    [found] = lost.vanished(MUCH_LATER)
    [line] = TaskSearch(database).page(meaning_lost(lost, parse("state:lost"), now=MUCH_LATER)).tasks

    assert (line.task_id, line.status) == ("child", "pending")
    assert [each.status for each in with_lost(lost, [line], now=MUCH_LATER)] == ["lost"]
    why = why_task_waits(line, database, now=MUCH_LATER, embedded=False)
    assert why is not None
    assert (why.reason, why.values) == ("vanished", {"queue": "vision"})
    assert (found.task_id, found.node, found.queue_name, found.fate) == ("child", "a", "vision", Fate.VANISHED)
    assert lost.vanished(MUCH_LATER, task_ids=["later", "parent"]) == []
    assert Lost(database, embedded=True).vanished(MUCH_LATER) == []
    wish = Wish(
        task_id="new", rerun_of="child", kind=Kind.AGAIN, task_name="classify", queue_name="vision", body=b"{}", by="p"
    )
    database.transaction(lambda connection: Reruns(database).add(connection, wish, seen=None, at=MUCH_LATER))
    assert lost.vanished(MUCH_LATER) == []


@pytest.mark.parametrize(
    "why",
    ["waits in the queue", "nobody has asked", "a worker has it", "a worker does not say", "a node is silent", "owed",
     "a node stopped with rows", "the actor is paused", "it was heard of", "it may be held back"],
)  # fmt: skip
def test_nothing_has_vanished_that_may_be_somewhere(database: Database, nodes: dict[str, Node], why: str) -> None:
    sent(database, nodes["a"])
    now = MUCH_LATER - timedelta(minutes=2) if why == "it may be held back" else MUCH_LATER
    if why != "nobody has asked":
        asked(database, now=now, vision=int(why == "waits in the queue"))
    report(
        database, "a", START if why == "a node is silent" else MUCH_LATER, owed=int(why == "owed"),
        **{} if why == "a worker does not say" else {"reserved": int(why == "a worker has it")},
    )  # fmt: skip
    if why == "a node stopped with rows":
        report(database, "b", MUCH_LATER, reserved=0, unsynced=1)
        Workers(database).report("b", [], unsynced=1, owed=0, at=MUCH_LATER)
    if why == "the actor is paused":
        Control(database).give(Action.PAUSE, Target.ACTOR, "classify", by="p", reason="r")
    if why == "it was heard of":
        told = TaskRow.update(synced_at=MUCH_LATER)
        database.run(lambda connection: told.execute(connection))

    assert Lost(database, embedded=False).vanished(now) == []
