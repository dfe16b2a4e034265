"""What is lost with a node that has fallen silent, on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.contract.central_node import START, Node

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.lost import Fate, Lost
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.central.workers import SILENCE, WorkerGroup, Workers


@pytest.fixture
def nodes(tmp_path: Path, database: Database) -> Iterator[dict[str, Node]]:
    made = {name: Node(tmp_path, name, Tasks(database)) for name in ("a", "b")}
    yield made
    for node in made.values():
        node.journal.close()


def report(database: Database, node: str, at: datetime, **left: int) -> None:
    group = WorkerGroup(
        node=node, group_name="storage", version="1", pids=[7], processes=1, threads=4, queues=["q"], running=1,
        unsynced=left.get("unsynced", 0), owed=left.get("owed", 0), lag=0.5, started_at=START, seen_at=at,
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
