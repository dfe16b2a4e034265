"""Worker processes on a real RabbitMQ: whatever happens to them or to their connection, no message is lost."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from urllib.parse import urlsplit

import dramatiq
import pika
import pytest
from dramatiq import Actor, Message, Worker
from dramatiq.middleware import Retries
from tests import command_line

from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
from growbin_jobs.engine.broker.rabbitmq.topology import arguments

QUEUE = "working"
PATIENCE = 20.0


class WorkerProcess:
    """``rabbitmq_worker.py``: tells what its tasks do, and is told which may end."""

    def __init__(self, url: str, threads: int) -> None:
        script = Path(__file__).parent / "rabbitmq_worker.py"
        self.process = command_line.start_python(
            [sys.executable, script, url, QUEUE, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, "dramatiq_restart_delay": "100"},
        )
        self._happened: defaultdict[str, SimpleQueue[int]] = defaultdict(SimpleQueue)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            what, task = line.split()
            self._happened[what].put(int(task))

    def wait(self, what: str, number: int = 1) -> list[int]:
        """Wait until a thing has happened so many times more, and return the tasks, in the order of the lines.

        Two threads that begin tasks one after the other may say so the other way round.
        """
        return [self._happened[what].get(timeout=PATIENCE) for _ in range(number)]

    def tell(self, line: str) -> None:
        self.process.stdin.write(line + "\n")

    def end(self, sign: signal.Signals) -> None:
        self.process.send_signal(sign)
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        self.process.stdin.close()
        self.process.stdout.close()

    def rest(self, what: str) -> list[int]:
        """Return the tasks with which a thing has happened that nobody has waited for. Of one that has ended."""
        happened = self._happened[what]
        return [happened.get() for _ in range(happened.qsize())]


@pytest.fixture
def start_worker(rabbitmq_url: str) -> Iterator[Callable[[int], WorkerProcess]]:
    started: list[WorkerProcess] = []

    def start(threads: int) -> WorkerProcess:
        started.append(WorkerProcess(rabbitmq_url, threads))
        return started[-1]

    yield start
    for worker in started:
        if worker.process.poll() is None:
            worker.end(signal.SIGKILL)


@pytest.fixture
def ran() -> SimpleQueue[int]:
    """What the actor ``put`` got."""
    return SimpleQueue()


@pytest.fixture
def put(broker: RabbitBroker, ran: SimpleQueue[int], monkeypatch: pytest.MonkeyPatch) -> Iterator[Actor[[int], None]]:
    """An actor with a worker in this process."""
    monkeypatch.setattr("dramatiq.worker.CONSUMER_RESTART_DELAY_SECS", 0.05)
    actor = dramatiq.actor(ran.put, actor_name="put", queue_name=QUEUE, broker=broker)
    worker = Worker(broker, worker_threads=4, worker_timeout=100)
    worker.start()
    yield actor
    worker.stop()


def send(broker: RabbitBroker, number: int) -> None:
    for n in range(number):
        broker.enqueue(Message(queue_name=QUEUE, actor_name="task", args=(n,), kwargs={}, options={}))


def drain(broker: RabbitBroker, number: int) -> list[int]:
    """Return what is left in the queue, which is at least so much."""
    consumer = broker.consume(QUEUE, prefetch=100, timeout=300)
    found: list[int] = []
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        received = next(consumer)
        if received is not None:
            found.append(received.args[0])
        elif len(found) >= number:
            break
    consumer.close()
    return found


def eventually(condition: Callable[[], bool]) -> None:
    """For what RabbitMQ does and tells nobody."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_work_that_outlives_its_connection_acknowledges_nothing_else(broker, start_worker, cut_connections):
    # Given a worker whose delivery tags have moved on: tasks 0–2 are done, 3 and 4 run, 5 and 6 are fetched
    send(broker, 12)
    worker = start_worker(2)
    for n in range(3):
        worker.tell(f"go {n}")
    assert set(worker.wait("begin", 5)) == {0, 1, 2, 3, 4}
    # RabbitMQ hands over no more than 4 at a time, so it has the acknowledgements of 0–2 when 6 is here
    assert worker.wait("fetched", 7)[-1] == 6
    # When its connection is lost, RabbitMQ delivers 3–6 again with the tags from 1 on, and only then 3 and 4 end
    cut_connections()
    assert set(worker.wait("fetched", 4)) == {3, 4, 5, 6}
    worker.tell("go 3")
    worker.tell("go 4")
    worker.wait("begin", 2)
    # And it is killed
    worker.end(signal.SIGKILL)
    # Then everything that has not ended is still there
    ended = set(worker.rest("end"))
    left = drain(broker, 12 - len(ended))
    assert ended == {0, 1, 2, 3, 4}
    assert set(range(12)) - ended - set(left) == set()


def test_a_message_whose_worker_is_killed_comes_again(broker, start_worker):
    send(broker, 1)
    victim = start_worker(1)
    victim.wait("begin")
    victim.end(signal.SIGKILL)

    heir = start_worker(1)
    assert heir.wait("begin") == [0]
    heir.tell("pass")
    heir.wait("end")
    heir.end(signal.SIGTERM)
    assert drain(broker, 0) == []


def test_restarts_of_workers_dead_letter_nothing(broker):
    # Given a message that waits while consumers come and go more often than RabbitMQ 4 would bear
    send(broker, 1)
    for _ in range(25):
        consumer = broker.consume(QUEUE, timeout=int(PATIENCE * 1000))
        assert next(consumer) is not None
        consumer.close()
    # Then it is still where it was
    eventually(lambda: broker.get_queue_message_counts(QUEUE) == (1, 0, 0))


def test_thirty_restarts_with_retries_pending_dead_letter_nothing(rabbitmq_url):
    # Given messages that fail once
    broker = RabbitBroker(url=rabbitmq_url, middleware=[Retries(min_backoff=2_000, max_backoff=8_000)])
    failed: SimpleQueue[int] = SimpleQueue()
    ran: SimpleQueue[int] = SimpleQueue()
    seen: set[int] = set()

    def fail_once(n: int) -> None:
        if n in seen:
            ran.put(n)
        else:
            seen.add(n)
            failed.put(n)
            raise RuntimeError("once")

    actor = dramatiq.actor(fail_once, queue_name=QUEUE, broker=broker)
    for n in range(20):
        actor.send(n)
    # When workers come and go while their retries are pending
    for _ in range(30):
        worker = Worker(broker, worker_threads=4, worker_timeout=20)
        worker.start()
        while len(seen) < 20:
            failed.get(timeout=PATIENCE)
        worker.stop()
    # Then all are retried, and none is a dead letter
    worker = Worker(broker, worker_threads=4, worker_timeout=20)
    worker.start()
    assert {ran.get(timeout=PATIENCE) for _ in range(20)} == set(range(20))
    worker.stop()
    assert broker.get_queue_message_counts(QUEUE) == (0, 0, 0)
    broker.close()


def test_what_is_no_message_is_a_dead_letter(broker, rabbitmq_url):
    good = Message(queue_name=QUEUE, actor_name="task", args=(7,), kwargs={}, options={})
    bodies = [b"\xff\x00", b"[]", b"{}", good.copy(options={}).encode().replace(b'"options":{}', b'"options":[]')]
    broker.enqueue(good)
    with pika.BlockingConnection(pika.URLParameters(rabbitmq_url)) as connection:
        for body in bodies:
            connection.channel().basic_publish("", QUEUE, body)
    broker.enqueue(good)

    assert drain(broker, 2) == [7, 7]
    eventually(lambda: broker.get_queue_message_counts(QUEUE)[2] == len(bodies))


@pytest.mark.parametrize("eta", ["Infinity", "-Infinity", "NaN", "1e300", '"soon"', "true", "[]"])
def test_a_due_time_that_is_none_holds_no_message_back(broker, channel, eta):
    broker.get_queue_message_counts(QUEUE)
    odd = Message(queue_name=QUEUE, actor_name="task", args=("odd",), kwargs={}, options={"eta": 7})
    channel.basic_publish("", QUEUE, odd.encode().replace(b'"eta":7', f'"eta":{eta}'.encode()))
    consumer = broker.consume(QUEUE, timeout=int(PATIENCE * 1000))

    received = next(consumer)

    assert (received.args, received.options) == (("odd",), {})
    assert "odd" not in repr(received)
    consumer.close()


def test_a_message_that_was_moved_here_from_another_queue_belongs_here(broker, rabbitmq_url):
    stray = Message(queue_name="elsewhere", actor_name="task", args=(), kwargs={}, options={})
    broker.get_queue_message_counts(QUEUE)
    with pika.BlockingConnection(pika.URLParameters(rabbitmq_url)) as connection:
        connection.channel().basic_publish("", QUEUE, stray.encode())

    consumer = broker.consume(QUEUE, timeout=int(PATIENCE * 1000))
    assert next(consumer).queue_name == QUEUE  # else Dramatiq's worker thread would look for a consumer of elsewhere
    consumer.close()


def test_a_deleted_queue_is_said_declared_and_consumed_again(put, ran, rabbitmq_url, caplog):
    put.send(1)
    assert ran.get(timeout=PATIENCE) == 1

    with pika.BlockingConnection(pika.URLParameters(rabbitmq_url)) as connection:
        connection.channel().queue_delete(QUEUE)
    put.send(2)

    assert ran.get(timeout=PATIENCE) == 2
    assert f"amqp.queue_deleted queue={QUEUE} " in caplog.text


def test_a_deleted_vhost_is_worked_in_again_when_it_is_back(put, ran, rabbitmq_url, rabbitmq_management):
    put.send(1)
    assert ran.get(timeout=PATIENCE) == 1

    vhost = urlsplit(rabbitmq_url).path[1:]
    rabbitmq_management("DELETE", f"/vhosts/{vhost}")
    rabbitmq_management("PUT", f"/vhosts/{vhost}", {})
    put.send_with_options(args=(2,), delay=1000)

    assert ran.get(timeout=PATIENCE) == 2


def test_a_consumer_that_rabbitmq_has_forgotten_begins_anew(put, ran, rabbitmq_url, monkeypatch):
    # Given a queue that is deleted and declared again before RabbitMQ has told its consumers
    monkeypatch.setattr("growbin_jobs.engine.broker.rabbitmq.self_healing_consumer.SILENCE", 2.0)
    put.send(1)
    assert ran.get(timeout=PATIENCE) == 1
    with pika.BlockingConnection(pika.URLParameters(rabbitmq_url)) as connection:
        channel = connection.channel()
        channel.queue_delete(QUEUE)
        channel.queue_declare(QUEUE, durable=True, arguments=arguments(QUEUE, "quorum")[QUEUE])
    # Then what is sent to it arrives
    put.send(2)
    assert ran.get(timeout=PATIENCE) == 2


def test_all_queues_of_a_worker_share_one_connection(broker, rabbitmq_url, rabbitmq_evaluate):
    for n in range(10):
        broker.declare_queue(f"queue_{n}")
    consumers = [broker.consume(f"queue_{n}", timeout=100) for n in range(10)]

    ours = f'length(rabbit_connection_tracking:list(<<"{urlsplit(rabbitmq_url).path[1:]}">>))'
    assert rabbitmq_evaluate(ours) == "2"  # this one, and the one that declared
    for consumer in consumers:
        consumer.close()


def test_a_worker_outlives_the_loss_of_all_connections(put, ran, cut_connections):
    with ThreadPoolExecutor(1) as pool:
        cuts = []
        for n in range(300):
            if n in (100, 200):
                cuts.append(pool.submit(cut_connections))
            put.send(n)
        for cut in cuts:
            cut.result()
    missing = set(range(300))
    while missing:
        missing.discard(ran.get(timeout=PATIENCE))


@pytest.mark.parametrize("kind", ["threads", "gevent"])
def test_a_forked_child_does_not_keep_its_dead_parents_messages(broker, rabbitmq_url, kind):
    # Given a worker that runs a message and has forked a child
    sent = broker.enqueue(Message(queue_name=QUEUE, actor_name="task", args=(), kwargs={}, options={}))
    script = Path(__file__).parent / "rabbitmq_forking_worker.py"
    command = [sys.executable, script, rabbitmq_url, QUEUE, kind]
    with command_line.start_python(command, stdout=subprocess.PIPE) as worker:
        child = int(worker.stdout.readline())
        # When it is killed, and the child is not
        worker.kill()
    try:
        # Then RabbitMQ sees its connection end, long before its heartbeats have run out
        consumer = broker.consume(QUEUE, timeout=int(PATIENCE * 1000))
        again = next(consumer)
        os.kill(child, 0)
        assert again is not None, "the child holds the connection"
        assert (again.message_id, again.redelivered) == (sent.message_id, True)
        consumer.close()
    finally:
        os.kill(child, signal.SIGKILL)
