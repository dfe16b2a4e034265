"""A process for test_local_broker_processes.py: ``python local_broker_process.py ROLE PATH``.

It says on stdout what it does, a line each, so that a test can await it, also just before it is killed.
"""

import sys

if "gevent" in sys.argv[1]:
    from gevent import monkey

    monkey.patch_all()

import os
import signal
import threading
import time
from pathlib import Path

import dramatiq
from dramatiq import Worker

from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker

ROLE, PATH = sys.argv[1], Path(sys.argv[2])

broker = EmbeddedBroker(PATH, middleware=[])


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


@dramatiq.actor(broker=broker, queue_name="work")
def note(n: int) -> None:
    time.sleep(0.002)
    say("note", n)


@dramatiq.actor(broker=broker, queue_name="work")
def hold(n: int) -> None:
    """Goes on when a line comes in on stdin."""
    say("hold", n)
    sys.stdin.readline()
    say("end", n)


def work() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    worker = Worker(broker, worker_timeout=100, worker_threads=4)
    worker.start()
    say("ready")
    while not stop.wait(0.1):  # a signal handler runs between two waits only
        pass
    worker.stop()
    broker.close()
    say("stopped")


def send_once() -> None:
    sys.stdin.readline()
    note.send(os.getpid())
    say("sent")


def send_beside_a_greenlet() -> None:
    """Sends while the file is locked; another greenlet goes on meanwhile."""
    import gevent

    broker.depths()  # the file is open
    say("open")
    sys.stdin.readline()
    sender = gevent.spawn(note.send, 1)
    gevent.sleep(0.05)
    say("alive", not sender.ready())
    sender.join()
    say("sent")


def consume_and_fork() -> None:
    """A child outlives its parent, which has claimed something. The child uses the broker too."""
    note.send(1)
    consumer = broker.consume("work", timeout=10_000)
    delivery = next(consumer)
    assert delivery is not None
    child = os.fork()
    if child == 0:
        assert delivery.stale
        consumer.close()
        note.send(2)
        other = broker.consume("work", timeout=10_000)
        mine = next(other)
        assert mine is not None
        assert mine.args == (2,)
        other.ack(mine)
        broker.close()
        say("child", os.getpid())
        sys.stdin.readline()
        os._exit(0)
    note.send_with_options(args=(3,), delay=3_600_000)
    assert not delivery.stale
    say("parent", os.getpid())
    signal.pause()


def fork_and_leave() -> None:
    """A child that ends in the usual way, interpreter and all, leaves its parent's file alone."""
    note.send(1)
    child = os.fork()
    if child == 0:
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    note.send(2)
    say("depth", broker.depths()["work"].ready)


def fork_under_load() -> None:
    """Forks while other threads write: no child may inherit a locked mutex."""
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            note.send(0)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(1, 21):
        child = os.fork()
        if child == 0:
            note.send(n)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    stop.set()
    for thread in threads:
        thread.join()
    say("forked")


if __name__ == "__main__":
    {
        "work": work,
        "work-gevent": work,
        "send": send_once,
        "send-gevent": send_beside_a_greenlet,
        "consume-and-fork": consume_and_fork,
        "fork-and-leave": fork_and_leave,
        "fork-under-load": fork_under_load,
    }[ROLE]()
