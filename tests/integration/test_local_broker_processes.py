"""The embedded broker between processes, some of which are killed."""

import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import apsw
import pytest
from dramatiq import Message
from tests import command_line

from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
from growbin_jobs.engine.broker.port import Depth

SCRIPT = Path(__file__).with_name("local_broker_process.py")

#: Seconds until something that must happen counts as not happening.
PATIENCE = 60.0


class Process:
    """One process of the script; what it says stays in ``lines`` and arrives in ``said``, its own or a shared one."""

    def __init__(self, role: str, path: Path, said: SimpleQueue[str] | None = None) -> None:
        self.said: SimpleQueue[str] = said or SimpleQueue()
        self.lines: list[str] = []
        self.popen = command_line.start_python(
            [sys.executable, SCRIPT, role, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stdout
        for line in self.popen.stdout:
            self.lines.append(line.strip())
            self.said.put(line.strip())
        self.said.put("end of file")

    def hear(self, expected: str) -> list[str]:
        """Wait until it says a line that starts so; return the other words of that line."""
        end = time.monotonic() + PATIENCE
        while True:
            line = self.said.get(timeout=max(0.0, end - time.monotonic()))
            if line.startswith(expected):
                return line.split()[1:]
            assert line != "end of file", f"it ended before it said {expected!r}"

    def tell(self) -> None:
        assert self.popen.stdin
        self.popen.stdin.write("\n")
        self.popen.stdin.flush()

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def stop(self) -> None:
        self.popen.terminate()
        assert self.popen.wait(PATIENCE) == 0
        self._reader.join(PATIENCE)


Start = Callable[[str], Process]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "broker.db"


@pytest.fixture
def start(path: Path) -> Iterator[Start]:
    processes: list[Process] = []

    def start(role: str) -> Process:
        processes.append(Process(role, path))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()


@pytest.fixture
def broker(path: Path) -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker(path, middleware=[])
    broker.declare_queue("work")
    yield broker
    broker.close()


def message(actor: str, n: int) -> Message[Any]:
    return Message(queue_name="work", actor_name=actor, args=(n,), kwargs={}, options={})


def test_what_a_killed_worker_had_begun_is_begun_by_another(broker: EmbeddedBroker, start: Start) -> None:
    victim = start("work")
    victim.hear("ready")
    broker.enqueue(message("hold", 1))
    victim.hear("hold 1")
    heir = start("work")
    heir.hear("ready")
    killed = time.monotonic()
    victim.kill()
    heir.hear("hold 1")
    print(f"redelivered {time.monotonic() - killed:.3f} s after the kill")
    heir.tell()
    broker.join("work", timeout=int(PATIENCE * 1000))
    assert broker.depths() == {}


def test_nothing_is_lost_while_workers_are_killed(broker: EmbeddedBroker, path: Path) -> None:
    chance = random.Random(20)
    said: SimpleQueue[str] = SimpleQueue()
    workers = [Process("work", path, said) for _ in range(3)]
    noted: set[int] = set()

    def hear_until(number: int) -> None:
        while len(noted) < number:
            line = said.get(timeout=PATIENCE)
            if line.startswith("note"):
                noted.add(int(line.split()[1]))

    try:
        for sent in range(0, 500, 50):
            for n in range(sent, sent + 50):
                broker.enqueue(message("note", n))
            hear_until(sent + chance.randrange(5, 30))
            victim = chance.randrange(3)
            workers[victim].kill()
            workers[victim] = Process("work", path, said)
        broker.join("work", timeout=int(PATIENCE * 1000))
        hear_until(500)
    finally:
        for worker in workers:
            worker.kill()
    assert noted == set(range(500))
    assert broker.depths() == {}


def test_a_stopped_process_keeps_what_it_has(broker: EmbeddedBroker, start: Start) -> None:
    # Given a process that does not react, as on a machine that is overloaded
    sleeper = start("work")
    broker.enqueue(message("hold", 1))
    sleeper.hear("hold 1")
    sleeper.popen.send_signal(signal.SIGSTOP)
    # When another one comes, which looks for dead ones before it claims anything
    other = start("work")
    broker.enqueue(message("note", 2))
    other.hear("note 2")
    broker.enqueue(message("note", 3))
    other.hear("note 3")
    # Then it has not taken that one's message
    assert broker.depths()["work"].claimed >= 1
    sleeper.popen.send_signal(signal.SIGCONT)
    sleeper.tell()
    sleeper.hear("end 1")
    other.stop()
    sleeper.stop()
    assert not [line for line in other.lines if line.startswith("hold")]
    assert broker.depths() == {}


def test_stopping_gives_back_nothing_that_was_done(broker: EmbeddedBroker, start: Start) -> None:
    worker = start("work")
    for n in range(50):
        broker.enqueue(message("note", n))
    worker.hear("note")
    worker.stop()
    assert broker.depths().get("work", Depth()) == Depth(ready=50 - len(noted(worker)))


def test_many_processes_make_the_file_at_once(broker: EmbeddedBroker, start: Start) -> None:
    senders = [start("send") for _ in range(6)]
    for sender in senders:
        sender.tell()
    for sender in senders:
        sender.hear("sent")
    assert broker.depths() == {"work": Depth(ready=6)}


def test_a_message_wakes_an_idle_process(broker: EmbeddedBroker, start: Start) -> None:
    worker = start("work")
    worker.hear("ready")
    latencies = []
    for n in range(20):
        sent = time.monotonic()
        broker.enqueue(message("note", n))
        latencies.append(time.monotonic() - sent)
        assert worker.hear("note") == [str(n)]
        latencies[-1] = time.monotonic() - sent - latencies[-1]
    median, worst = statistics.median(latencies), max(latencies)
    print(f"ran {1000 * median:.1f} ms after it was sent in the median, {1000 * worst:.1f} ms at worst")


def noted(process: Process) -> list[int]:
    return [int(line.split()[1]) for line in process.lines if line.startswith("note")]


# --- gevent


def test_it_works_under_gevent(broker: EmbeddedBroker, start: Start) -> None:
    workers = [start("work-gevent"), start("work")]
    for worker in workers:
        worker.hear("ready")
    for n in range(100):
        broker.enqueue(message("note", n))
    broker.join("work", timeout=int(PATIENCE * 1000))
    for worker in workers:
        worker.stop()
    both = [noted(worker) for worker in workers]
    assert sorted([*both[0], *both[1]]) == list(range(100))
    assert all(both)


def test_a_locked_file_does_not_stop_the_hub(path: Path, start: Start) -> None:
    process = start("send-gevent")
    process.hear("open")
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    process.tell()
    assert process.hear("alive") == ["True"]
    other.execute("ROLLBACK")
    other.close()
    process.hear("sent")


# --- forks


def test_a_child_that_lives_on_does_not_keep_its_parents_claims(broker: EmbeddedBroker, start: Start) -> None:
    process = start("consume-and-fork")
    heard = {words[0]: int(words[1]) for words in (process.said.get(timeout=PATIENCE).split() for _ in range(2))}
    assert set(heard) == {"parent", "child"}
    assert broker.depths() == {"work": Depth(claimed=1, delayed=1)}
    consumer = broker.consume("work", timeout=int(PATIENCE * 1000))
    process.popen.kill()  # the parent; the child lives
    process.popen.wait()
    os.kill(heard["child"], 0)
    received = next(consumer)
    assert received is not None
    assert (received.args, received.redelivered) == ((1,), True)
    consumer.close()
    process.tell()


def test_a_child_that_ends_leaves_its_parents_file_alone(start: Start) -> None:
    assert start("fork-and-leave").hear("depth") == ["2"]


def test_forks_wait_for_what_is_being_written(broker: EmbeddedBroker, start: Start) -> None:
    start("fork-under-load").hear("forked")
    consumer = broker.consume("work", prefetch=10_000, timeout=100)
    received = set()
    while (delivery := next(consumer)) is not None:
        received.add(delivery.args[0])
    assert received == set(range(21))
    consumer.close()
