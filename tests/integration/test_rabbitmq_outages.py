"""A RabbitMQ that goes away or takes no more, on a node of its own: other tests must not feel it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import dramatiq
import pytest
from dramatiq import Actor, Message, Worker
from dramatiq.errors import BrokerConnectionError
from tests.conftest import OWN_DIR
from tests.erlang import evaluate, set_memory_limit
from tests.waiting import until

from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
from growbin_jobs.engine.forwarding.forwarder import StoreAndForward
from growbin_jobs.engine.journal.journal import Journal

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

SERVICES = Path(__file__).parents[2] / "scripts" / "services"
QUEUE = "outages"
#: A node that starts computes for a quarter of a minute, and beside other tests for a minute.
PATIENCE = 100.0

#: As ``rabbitmqctl stop_app`` and ``start_app``.
STOP, START = "ok = rabbit:stop()", "ok = rabbit:start()"
ALARM, ALL_CLEAR = set_memory_limit(0.0), set_memory_limit(0.4)

#: Set where no other test is at work.
ALONE = "GROWBIN_TEST_ALONE"


class Node:
    """A RabbitMQ node that may be killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        up = self._services("up", "--json", "--with-pid", str(os.getpid()))
        self._facts: dict[str, Any] = json.loads(up)["rabbitmq"]
        self.url: str = self._facts["url"]
        self._tool = self._facts["rabbitmqctl"]
        self._again: subprocess.Popen[bytes] | None = None

    def evaluate(self, erlang: str) -> None:
        """Have the node compute an expression of Erlang."""
        evaluate(self._tool, erlang)

    def configure(self, **values: int) -> None:
        """Set keys of RabbitMQ's configuration; they hold for channels that are opened from now on."""
        self.evaluate(", ".join(f"application:set_env(rabbit, {key}, {value})" for key, value in values.items()))

    def kill(self) -> None:
        """kill -9."""
        # RabbitMQ saves its list of quorum queues half a second late, and a queue that is not in it has lost everything
        # (docs/brokers.md): have it saved.
        self.evaluate("[dets:sync(Table) || Table <- dets:all()]")
        if self._again is None:
            os.kill(self._facts["pids"][-1], signal.SIGKILL)  # the first one is its port mapper
        else:
            self._end()

    def start(self) -> None:
        """Start it again on its files; returns at once."""
        log = self._folder / "again.log"
        server = Path(self._tool["command"][0]).parent / "rabbitmq-server"
        command = ["setpriv", "--pdeathsig", "KILL", server]  # it ends with this process, however that ends
        with log.open("ab") as output:
            self._again = subprocess.Popen(command, env=self._tool["env"], stdout=output, stderr=output)

    def remove(self) -> None:
        """End it and delete its files."""
        if self._again is not None:
            self._end()
        self._services("down")

    def _end(self) -> None:
        self._again.kill()
        self._again.wait()

    def _services(self, *arguments: str) -> str:
        command = [sys.executable, SERVICES, *arguments, "--only", "rabbitmq", "--dir", str(self._folder)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that belongs to this file, or the one of a run in which nobody else uses it meanwhile."""
    if os.environ.get(ALONE):
        yield Node(Path(os.environ[OWN_DIR].rpartition(":")[0]))
        return
    node = Node(tmp_path_factory.mktemp("node"))
    yield node
    node.remove()


@pytest.fixture
def broker(node: Node) -> Iterator[RabbitBroker]:
    broker = RabbitBroker(url=node.url, middleware=[], publish_timeout=PATIENCE)
    broker.declare_queue(QUEUE)
    broker.flush(QUEUE)
    yield broker
    broker.close()


@pytest.fixture
def ran() -> SimpleQueue[int]:
    """What the actor ``put`` got."""
    return SimpleQueue()


@pytest.fixture
def work(
    broker: RabbitBroker, ran: SimpleQueue[int], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[int], Actor[[int], None]]]:
    """Start a worker with so many threads, and return the actor ``put``."""
    monkeypatch.setattr("dramatiq.worker.CONSUMER_RESTART_DELAY_SECS", 0.1)
    workers: list[Worker] = []

    def start(threads: int) -> Actor[[int], None]:
        actor = dramatiq.actor(ran.put, actor_name="put", queue_name=QUEUE, broker=broker)
        workers.append(Worker(broker, worker_threads=threads, worker_timeout=100))
        workers[-1].start()
        return actor

    yield start
    for worker in workers:
        worker.stop()


def message(n: int) -> Message[Any]:
    return Message(queue_name=QUEUE, actor_name="put", args=(n,), kwargs={}, options={})


def outlives(outage: Callable[[], None], actor: Actor[[int], None], ran: SimpleQueue[int]) -> None:
    """Send from five threads before, during and after an outage: no send fails, and all that was sent is run."""
    accepted: list[int] = []
    over = threading.Event()

    def send(first: int) -> None:
        after = 0
        for n in range(first, first + 100_000):
            actor.send(n)
            accepted.append(n)
            after += over.is_set()
            if after == 20:
                return
            time.sleep(0.005)

    with ThreadPoolExecutor(5) as pool:
        sending = [pool.submit(send, 100_000 * offset) for offset in range(5)]
        seen = {ran.get(timeout=PATIENCE) for _ in range(20)}
        try:
            outage()
        finally:
            over.set()
        for each in sending:
            each.result(PATIENCE)
    while set(accepted) - seen:
        seen.add(ran.get(timeout=PATIENCE))


def test_a_restart_of_the_server_loses_nothing_and_needs_nobody(node, work, ran):
    def restart() -> None:
        node.evaluate(STOP)
        node.evaluate(START)

    outlives(restart, work(4), ran)


def test_kill_9_of_the_server_loses_nothing_and_needs_nobody(node, work, ran):
    def kill() -> None:
        node.kill()
        node.start()

    outlives(kill, work(100), ran)


def test_a_consumer_timeout_brings_the_message_again_and_disturbs_nothing_else(node, broker, monkeypatch):
    # Given a run that takes longer than RabbitMQ waits for an acknowledgement
    monkeypatch.setattr("dramatiq.worker.CONSUMER_RESTART_DELAY_SECS", 0.1)
    begun: SimpleQueue[int] = SimpleQueue()
    again = threading.Event()

    def last(n: int) -> None:
        begun.put(n)
        if n == 1:
            again.wait(PATIENCE)

    actor = dramatiq.actor(last, actor_name="put", queue_name=QUEUE, broker=broker)
    worker = Worker(broker, worker_threads=4, worker_timeout=100)
    node.configure(consumer_timeout=500, channel_tick_interval=100)
    try:
        worker.start()
        actor.send(1)
        # Then it begins again, since RabbitMQ has closed the channel
        assert [begun.get(timeout=PATIENCE) for _ in range(2)] == [1, 1]
    finally:
        node.configure(consumer_timeout=1_800_000, channel_tick_interval=60_000)
        again.set()
    # And others are run, and all are settled in the end
    actor.send(2)
    while begun.get(timeout=PATIENCE) != 2:
        pass
    worker.stop()
    assert broker.get_queue_message_counts(QUEUE) == (0, 0, 0)


def _is_blocked(broker: RabbitBroker, n: int) -> bool:
    try:
        broker.enqueue(message(n))
    except BrokerConnectionError as error:
        return "blocks all publishers" in str(error)
    return False


def test_an_alarm_of_the_server_keeps_senders_waiting_no_longer_than_their_timeout(node, broker):
    hasty = RabbitBroker(url=node.url, middleware=[], publish_timeout=1.0)
    hasty.enqueue(message(0))
    node.evaluate(ALARM)
    try:
        # Until its connection has heard of the alarm RabbitMQ reads, and answers with it; the others stay here.
        until(lambda: _is_blocked(hasty, 1))
        assert _is_blocked(hasty, 2)
        assert _is_blocked(hasty, 3)
        with ThreadPoolExecutor(10) as pool:
            patient = [pool.submit(broker.enqueue, message(n)) for n in range(10, 20)]
            node.evaluate(ALL_CLEAR)
            for each in patient:
                each.result(PATIENCE)
    finally:
        node.evaluate(ALL_CLEAR)
    hasty.enqueue(message(4))
    # 1 may have arrived; 2 and 3 were never sent, and once given up they do not come later.
    consumer = broker.consume(QUEUE, prefetch=100, timeout=500)
    arrived = sorted(received.args[0] for received in iter(lambda: next(consumer), None))
    consumer.close()
    assert [n for n in arrived if n != 1] == [0, 4, *range(10, 20)]
    hasty.close()


@pytest.mark.parametrize(
    ("away", "back"),
    [(ALARM, ALL_CLEAR), (STOP, START)],
    ids=["alarm", "restart"],
)
def test_producers_keep_what_it_does_not_take_and_bring_it_in_order(node, broker, tmp_path, away, back):
    journal = Journal(tmp_path / "task_queue.db", node="n", worker="producer", free_floor=1)
    keeping = StoreAndForward(lambda: journal, journal.path, 0.5)
    producer = RabbitBroker(url=node.url, middleware=[], publish_timeout=1000.0, store_and_forward=keeping)
    producer.enqueue(message(0))
    node.evaluate(away)
    try:
        sent = 0
        while not journal.backlog():  # RabbitMQ may confirm what it reads until the alarm reaches the connection
            sent += 1
            producer.enqueue(message(sent))
        for n in range(sent + 1, sent + 99):
            producer.enqueue(message(n))
        assert journal.backlog() == 99
    finally:
        node.evaluate(back)
    last = sent + 99
    producer.enqueue(message(last))

    came: dict[int, None] = {}  # the first one may come twice: RabbitMQ reads it and then gives the alarm
    consumer = broker.consume(QUEUE, prefetch=100, timeout=500)
    end = time.monotonic() + PATIENCE
    while len(came) <= last and time.monotonic() < end:
        received = next(consumer)
        if received is not None:
            came[received.args[0]] = None
            consumer.ack(received)
    consumer.close()
    assert list(came) == list(range(last + 1))
    producer.close()
    journal.close()


def test_a_restart_of_the_server_loses_no_delayed_message_and_brings_none_early(node, broker):
    # Given delays that end before, during and after a restart
    due: dict[int, float] = {}

    def send(n: int) -> None:
        due[n] = time.time() + n * 0.06
        broker.enqueue(message(n), delay=n * 60)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(1, 250)))
    # When
    node.evaluate(STOP)
    node.evaluate(START)
    # Then all come
    came: dict[int, float] = {}
    consumer = broker.consume(QUEUE, prefetch=100, timeout=500)
    end = time.monotonic() + PATIENCE
    while due.keys() - came.keys() and time.monotonic() < end:
        received = next(consumer)
        if received is not None:
            came[received.args[0]] = time.time()
            consumer.ack(received)
    consumer.close()
    assert due.keys() - came.keys() == set()
    assert [n for n in came if came[n] < due[n] - 0.01] == []
