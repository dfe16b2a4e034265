"""What a worker process says that it has fetched and not started."""

import os
from queue import PriorityQueue
from types import SimpleNamespace

import pytest

from growbin_jobs.engine.fast.work_queue import WorkQueue
from growbin_jobs.engine.node import reserved
from growbin_jobs.engine.node.reserved import Reserved, forget_dead, told


class Item(SimpleNamespace):
    """A delivery that waits for a thread."""

    def __lt__(self, other):
        return self.priority < other.priority


def items(count, priority=0):
    messages = [SimpleNamespace(message_id=f"m{n}", actor_name="a", queue_name="q") for n in range(count)]
    return [Item(message=message, priority=priority) for message in messages]


@pytest.mark.parametrize("kind", [WorkQueue, PriorityQueue])
def test_a_process_tells_how_many_and_the_first_of_them(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(reserved, "MOST", 2)
    queue = kind()
    for item in items(3):
        queue.put(item)

    Reserved(tmp_path).tell(queue)

    [(pid, found)] = told(tmp_path).items()
    assert (pid, found.count, len(found.tasks)) == (os.getpid(), 3, 2)
    assert {"actor": "a", "queue": "q", "pid": pid}.items() <= found.tasks[0].items()
    assert queue.qsize() == 3


def test_what_consumers_do_not_hand_out_counts_too(tmp_path):
    queue = WorkQueue()
    for item in items(1):
        queue.put(item)

    Reserved(tmp_path).tell(queue, [SimpleNamespace(waiting=2), None, object()])

    [found] = told(tmp_path).values()
    assert (found.count, len(found.tasks)) == (3, 1)


def test_the_first_are_those_that_run_first():
    queue = WorkQueue()
    for item in items(2, priority=10):
        queue.put(item)
    for item in items(1, priority=0):
        queue.put(item)

    assert [item.priority for item in queue.waiting(2)] == [0, 10]
    assert queue.waiting(0) == []


def test_it_takes_back_what_it_said(tmp_path):
    mine = Reserved(tmp_path)
    mine.tell(WorkQueue())
    assert told(tmp_path)[os.getpid()].count == 0
    mine.withdraw()
    mine.withdraw()
    assert told(tmp_path) == {}


def test_the_dead_and_the_damaged_say_nothing(tmp_path):
    Reserved(tmp_path).tell(WorkQueue())
    (tmp_path / "reserved" / "7.json").write_text('{"count": 1, "tasks": []}')
    (tmp_path / "reserved" / "8.json").write_text('{"count":')

    assert set(told(tmp_path)) == {7, os.getpid()}
    forget_dead(tmp_path, {os.getpid()})
    assert [path.stem for path in (tmp_path / "reserved").iterdir()] == [str(os.getpid())]


def test_a_full_disk_stops_nobody(tmp_path):
    (tmp_path / "reserved").write_text("no folder")
    Reserved(tmp_path).tell(WorkQueue())
    assert told(tmp_path) == {}
