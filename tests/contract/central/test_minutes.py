"""Figures of each minute, on both databases: whole whatever comes late, twice, or from several nodes at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.central_node import START, Node

from growbin_jobs.engine.broker.port import Depth
from growbin_jobs.engine.central import minutes as module
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.minutes import BOUNDS, Minutes, bucket_of, percentile
from growbin_jobs.engine.central.queue_minutes import QueueMinutes
from growbin_jobs.engine.keeper.minutes import ForgetOld, SampleQueues

HOUR = timedelta(hours=1)
KEPT = timedelta(days=7)


def compute(database: Database) -> int:
    return Minutes(database).compute_due(now=START + HOUR, kept=KEPT)


def runs(database: Database) -> dict[tuple[int, str], int]:
    """Return how many runs ended in which minute how."""
    return {
        (int((each.minute - START) / timedelta(minutes=1)), each.outcome): each.runs
        for each in Minutes(database).read(START - HOUR, START + HOUR)
    }


def test_a_minute_has_its_runs_by_outcome_with_waits_and_times(database: Database, a: Node) -> None:
    at = START.timestamp()
    a.ended("t1", "completed", 10, created_at=at + 8.5, started_at=at + 9.75)
    a.ended("t2", "completed", 20, created_at=at + 19.85, started_at=at + 20)
    a.ended("t3", "completed", 30, created_at=at - 500, started_at=at + 10, retry_count=1)
    a.ended("t4", "failed", 40, created_at=at + 37, started_at=at + 39)
    a.crashed("t5", 50)
    a.ended("t6", "completed", 70)
    a.copy()
    assert compute(database) == 2

    found = {each.outcome: each for each in Minutes(database).read(START, START + timedelta(minutes=1))}

    assert {outcome: each.runs for outcome, each in found.items()} == {"completed": 3, "failed": 1, "crashed": 1}
    completed = found["completed"]
    assert (completed.queue_name, completed.task_name, completed.minute) == ("user_input", "upload_image", START)
    assert completed.waits == 2  # a retry's wait is not its message's
    assert completed.wait_seconds == pytest.approx(1.4, abs=1e-3)
    assert completed.run_seconds == pytest.approx(20.25, abs=1e-3)
    assert [number for number, count in enumerate(completed.wait_buckets) if count] == [
        bucket_of(0.15),
        bucket_of(1.25),
    ]
    assert sum(completed.run_buckets) == 3
    assert (found["failed"].wait_seconds, found["failed"].run_seconds) == (pytest.approx(2.0), pytest.approx(1.0))
    assert (found["crashed"].waits, sum(found["crashed"].run_buckets)) == (0, 0)  # nobody saw its start
    assert json.loads(json.dumps(completed.as_dict()))["minute"] == "2026-11-21T12:00:00+00:00"


def test_what_is_not_over_waits(database: Database, a: Node) -> None:
    a.ended("t", "completed", 30)
    a.copy()

    assert Minutes(database).compute_due(now=START + timedelta(seconds=59), kept=KEPT) == 0
    assert Minutes(database).compute_due(now=START + timedelta(seconds=61), kept=KEPT) == 1
    assert compute(database) == 0


def test_what_comes_late_or_twice_is_counted_once(database: Database, a: Node, b: Node) -> None:
    a.ended("t1", "completed", 10)
    a.copy()
    assert compute(database) == 1
    b.ended("t1", "completed", 11)  # the same task, which another node ended first
    b.ended("t2", "completed", 12)
    b.ended("t2", "failed", 13)  # too late to count
    b.copy()
    a.journal.write(lambda connection: connection.execute("UPDATE task_wal SET synced_at = NULL"))
    a.sync.sweep()

    assert compute(database) == 1

    assert runs(database) == {(0, "completed"): 2}


def test_a_retried_task_counts_in_the_minute_of_each_run(database: Database, a: Node) -> None:
    a.ended("t", "failed", 10)
    a.ended("t", "failed", 70)
    a.ended("t", "completed", 130)
    a.copy()
    compute(database)

    assert runs(database) == {(0, "failed"): 1, (1, "failed"): 1, (2, "completed"): 1}


def test_a_row_that_is_copied_while_its_minute_is_computed_is_counted(
    database: Database, a: Node, b: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    a.ended("t1", "completed", 10)
    a.copy()
    b.ended("t2", "completed", 20)
    folded, copying = module._folded, threading.Thread(target=b.copy)

    def meanwhile(*given: Any) -> Any:
        monkeypatch.undo()
        copying.start()  # its rows were not seen; its note waits until ours is gone
        copying.join(0.3)
        return folded(*given)

    monkeypatch.setattr(module, "_folded", meanwhile)
    compute(database)
    copying.join(30)
    compute(database)

    assert runs(database) == {(0, "completed"): 2}


def test_keepers_that_compute_at_once_do_not_disturb_each_other(database: Database, a: Node) -> None:
    for number in range(20):
        a.ended(f"t{number}", "completed", 60 * number + 1)
    a.copy()
    keepers = [threading.Thread(target=compute, args=(database,)) for _ in range(3)]
    for keeper in keepers:
        keeper.start()
    for keeper in keepers:
        keeper.join(30)
    compute(database)

    assert runs(database) == {(number, "completed"): 1 for number in range(20)}


def test_figures_stay_when_their_tasks_are_gone(database: Database, a: Node) -> None:
    a.ended("t1", "completed", 10)
    a.ended("t2", "completed", 20)
    a.copy()
    compute(database)
    database.run(lambda connection: connection.execute_sql("DELETE FROM tasks"))
    a.ended("t3", "completed", 30)
    a.copy()

    late = Minutes(database).compute_due(now=START + KEPT + HOUR, kept=KEPT)

    assert (late, runs(database)) == (1, {(0, "completed"): 2})
    assert forgotten(database, START + HOUR)["task_minutes"] == 1


def test_minutes_are_put_together(database: Database, a: Node) -> None:
    for minute in range(12):
        a.ended(f"t{minute}", "completed", 60 * minute + 1)
    a.copy()
    compute(database)

    five = Minutes(database).read(START, START + HOUR, step=timedelta(minutes=5))
    assert [(each.minute - START, each.runs) for each in five] == [
        (timedelta(minutes=0), 5), (timedelta(minutes=5), 5), (timedelta(minutes=10), 2),
    ]  # fmt: skip
    assert sum(five[0].run_buckets) == 5
    assert five[0].run_seconds == pytest.approx(2.5)
    assert Minutes(database).read(START, START + HOUR, actor="other") == []
    assert len(Minutes(database).read(START, START + HOUR, queue="user_input", actor="upload_image")) == 12


@given(st.lists(st.floats(0, 200_000), min_size=1), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_lies_in_the_bucket_of_the_true_one(values: list[float], share: float) -> None:
    buckets = [0] * (len(BOUNDS) + 1)
    for value in values:
        buckets[bucket_of(value)] += 1
    position = max(0, -int(-share * len(values) // 1) - 1)
    true = sorted(values)[position]

    found = percentile(buckets, share)

    assert found is not None
    low, high = [0.0, *BOUNDS][bucket_of(true)], [*BOUNDS, BOUNDS[-1]][bucket_of(true)]
    assert min(low, BOUNDS[-1]) <= found <= high


def test_no_runs_have_no_percentile() -> None:
    assert percentile([0] * (len(BOUNDS) + 1), 0.5) is None


# --- queues


class Broker:
    """Says what a broker would."""

    def __init__(self) -> None:
        self.asked = 0

    def depths(self, queues: Iterable[str] = ()) -> dict[str, Depth]:
        self.asked += 1
        return {"vision": Depth(3, None, None, 1), "user_input": Depth(0, 2, 5, 0)}


def test_queues_are_sampled_once_a_minute_by_whoever_comes_first(database: Database, a: Node) -> None:
    a.sent("t", "child", 1)
    a.copy()
    broker, declared = Broker(), []
    names = {"vision", "user_input"}

    def sample(second: float) -> bool:
        keeper = SampleQueues(
            QueueMinutes(database), broker, lambda: names, declared.append, lambda: START.timestamp() + second  # type: ignore[arg-type]
        )  # fmt: skip
        return keeper.run_once()

    assert [sample(21), sample(41), sample(62)] == [True, False, True]

    assert (broker.asked, set(declared)) == (2, names)
    found = QueueMinutes(database).read(START, START + timedelta(minutes=1))
    assert [(each.queue_name, each.ready, each.claimed, each.delayed, each.dead) for each in found] == [
        ("user_input", 0, 2, 5, 0), ("vision", 3, None, None, 1),
    ]  # fmt: skip
    assert [each.oldest for each in found] == [0.0, pytest.approx(20.0)]
    for deepest, expected in ((0, set[str]()), (1, {"vision"}), (2, names)):
        told = QueueMinutes(database).read(START, START + HOUR, deepest=deepest)
        assert ({each.queue_name for each in told}, len(told)) == (expected, 2 * len(expected))
    assert QueueMinutes(database).read(START + timedelta(minutes=5), START + HOUR) == []
    assert forgotten(database, START + timedelta(minutes=1))["queue_minutes"] == 2


def test_nobody_knows_how_long_what_no_node_has_told_of_waits(database: Database) -> None:
    QueueMinutes(database).add(START, {"vision": Depth(3, None, None, 0)}, now=START)

    [found] = QueueMinutes(database).read(START, START + HOUR)
    assert found.oldest is None


def forgotten(database: Database, before: datetime) -> dict[str, int]:
    """Delete what is older than a time; how many rows, by table."""
    age = timedelta(0)
    return ForgetOld(database, tasks=age, letters=age, minutes=age)(before)
