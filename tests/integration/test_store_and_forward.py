"""Producers on a RabbitMQ that goes away: what was sent is kept on the disk, and arrives when it is back."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from dramatiq import Message
from tests import command_line

from growbin_jobs.engine.broker.errors import QueueMismatch
from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.forwarding import forwarder as forwarding
from growbin_jobs.engine.forwarding.forwarder import StoreAndForward
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import outbox, reader
from growbin_jobs.settings import load
from growbin_jobs.wiring import central_database

HERE = Path(__file__).parent
QUEUE = "forwarding"
PATIENCE = 40.0

#: Longer than any test runs: what returns has not waited for RabbitMQ.
FOR_EVER = 1000.0


@pytest.fixture
def gate(rabbitmq_url: str) -> Iterator[Any]:
    """A gate in front of RabbitMQ."""
    spec = importlib.util.spec_from_file_location("tcp_gate", HERE.parent / "stubs" / "tcp_gate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    parts = urlsplit(rabbitmq_url)
    gate = module.Gate(parts.hostname, parts.port)
    yield gate
    gate.shut()


@pytest.fixture
def url(rabbitmq_url: str, gate: Any) -> str:
    """RabbitMQ's URL through the gate."""
    parts = urlsplit(rabbitmq_url)
    user = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{gate.port}"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "n1" / "task_queue.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal(path, node="n1", worker="producer", free_floor=1)
    yield journal
    journal.close()


@pytest.fixture
def producer(url: str, journal: Journal) -> Iterator[RabbitBroker]:
    store_and_forward = StoreAndForward(lambda: journal, journal.path, 0.7)
    broker = RabbitBroker(url=url, middleware=[], publish_timeout=FOR_EVER, store_and_forward=store_and_forward)
    yield broker
    broker.close()


@pytest.fixture
def observer(broker: RabbitBroker) -> RabbitBroker:
    """Who looks into the queues, past the gate."""
    return broker


def message(name: Any, queue: str = QUEUE) -> Message[Any]:
    return Message(queue_name=queue, actor_name="act", args=(name,), kwargs={}, options={})


def take(broker: RabbitBroker, number: int) -> list[Message[Any]]:
    """Return what comes out of the queue, in order: so many, and whatever comes within half a second after them."""
    consumer = broker.consume(QUEUE, prefetch=1000, timeout=500)
    found: list[Message[Any]] = []
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        received = next(consumer)
        if received is not None:
            found.append(received)
            consumer.ack(received)
        elif len(found) >= number:
            break
    consumer.close()
    return found


def names(broker: RabbitBroker, number: int) -> list[Any]:
    return [received.args[0] for received in take(broker, number)]


def emptied(path: Path) -> None:
    """Wait until a journal owes nothing; it has no signal to await."""
    end = time.monotonic() + PATIENCE
    while True:
        with closing(reader.open_reader(path)) as connection:
            if not outbox.backlog(connection):
                return
        assert time.monotonic() < end, "messages are still in the journal"
        time.sleep(0.02)


# --- away


@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize("how", ["refuses", "is silent"])
def test_a_message_is_pending_on_the_disk_and_arrives_later(producer, observer, gate, journal, how, connected):
    if connected:
        producer.enqueue(message("before"))
        assert names(observer, 1) == ["before"]
        assert not journal.path.exists()
    gate.shut() if how == "refuses" else gate.hold()

    sent = producer.enqueue(message("kept"))

    with closing(reader.open_reader(journal.path)) as connection:
        row = reader.task(connection, sent.message_id)
    assert (row.status, row.queue_name, row.payload) == ("pending", QUEUE, sent.encode().decode())
    gate.open() if how == "refuses" else gate.release()
    # A silent RabbitMQ may have read it before: then it arrives more often, and is the same message each time.
    assert {(each.args[0], each.message_id) for each in take(observer, 1)} == {("kept", sent.message_id)}
    emptied(journal.path)
    assert journal.read(lambda connection: reader.task(connection, sent.message_id)) is None  # a worker's from now on


def test_everything_arrives_once_and_in_order_also_what_is_sent_meanwhile(producer, observer, gate):
    producer.enqueue(message(0))
    gate.shut()
    for n in range(1, 500):
        producer.enqueue(message(n))
    gate.open()
    for n in range(500, 1000):
        producer.enqueue(message(n))

    assert names(observer, 1000) == list(range(1000))


def test_it_goes_away_and_comes_back_again_and_again(producer, observer, gate):
    for n in range(400):
        if n % 100 == 20:
            gate.shut()
        if n % 100 == 70:
            gate.open()
        producer.enqueue(message(n))

    arrived = names(observer, 400)
    # A connection that is cut after a message and before its confirm brings it twice.
    assert list(dict.fromkeys(arrived)) == list(range(400))


def test_threads_lose_nothing(producer, observer, gate):
    def send_some(thread: int) -> None:
        for n in range(10):
            producer.enqueue(message(f"{thread}-{n}"))

    gate.shut()
    with ThreadPoolExecutor(100) as pool:
        list(pool.map(send_some, range(100)))
    gate.open()

    arrived = names(observer, 1000)
    assert Counter(arrived) == {f"{thread}-{n}": 1 for thread in range(100) for n in range(10)}
    for thread in range(100):
        assert [name for name in arrived if name.startswith(f"{thread}-")] == [f"{thread}-{n}" for n in range(10)]


def test_delays_keep_their_time_and_what_is_late_comes_at_once(producer, observer, gate):
    gate.shut()
    producer.enqueue(message("late"), delay=1)
    due = time.time() + 4.0
    producer.enqueue(message("in time"), delay=4_000)
    producer.enqueue(message("tomorrow"), delay=86_400_000)
    gate.open()

    assert names(observer, 1) == ["late"]
    came = names(observer, 1)
    assert (came, time.time() >= due) == (["in time"], True)


def test_what_may_have_arrived_comes_twice_under_one_id(producer, observer, gate, journal):
    producer.enqueue(message("before"))
    assert names(observer, 1) == ["before"]
    gate.hold()
    sent = producer.enqueue(message("in doubt"))  # written, and never confirmed
    assert journal.backlog() == 1
    gate.release()
    emptied(journal.path)

    arrived = take(observer, 2)
    assert len(arrived) >= 2
    assert {each.message_id for each in arrived} == {sent.message_id}


def test_a_queue_that_refuses_holds_up_no_other_and_loses_nothing(
    producer, observer, gate, journal, channel, monkeypatch
):
    monkeypatch.setattr(forwarding, "REFUSED_PAUSE", 0.2)
    channel.queue_declare("of_another_type", durable=True, arguments={"x-queue-type": "classic"})
    gate.shut()
    refused = producer.enqueue(message("refused", "of_another_type"))
    producer.enqueue(message("behind it"))
    gate.open()

    assert names(observer, 1) == ["behind it"]
    row = journal.read(lambda connection: reader.task(connection, refused.message_id))
    assert row.status == "pending"
    assert "GROWBIN_QUEUE_TYPE" in row.error
    end = time.monotonic() + PATIENCE
    while producer._producer._forwarder().pending:
        assert time.monotonic() < end
        time.sleep(0.01)
    producer.enqueue(message("direct"))  # and the others go straight to RabbitMQ again
    with pytest.raises(QueueMismatch):
        producer.enqueue(message("refused too", "of_another_type"))
    assert names(observer, 1) == ["direct"]

    channel.queue_delete("of_another_type")  # as the error has asked for
    emptied(journal.path)
    assert observer.get_queue_message_counts("of_another_type")[0] == 1


# --- processes


@pytest.fixture
def start(url: str, path: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a producer's process: kind, name and number of messages; keywords are variables of its environment."""
    started: list[subprocess.Popen[str]] = []

    def start(kind: str, name: str, number: int, **variables: str) -> subprocess.Popen[str]:
        command = [sys.executable, HERE / "store_and_forward_producer.py", kind, QUEUE, name, str(number), tmp_path]
        env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GROWBIN_")},
            "GROWBIN_BROKER_URL": url,
            "GROWBIN_DATA_DIR": str(path.parent.parent),
            "GROWBIN_NODE": path.parent.name,
            "GROWBIN_PUBLISH_TIMEOUT": str(FOR_EVER),
            **variables,
        }
        started.append(command_line.start_python(command, env=env, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def said(process: subprocess.Popen[str], number: int) -> list[dict[str, Any]]:
    return [json.loads(process.stdout.readline()) for _ in range(number)]


@pytest.mark.parametrize("kind", ["threads", "greenlets"])
def test_hundreds_at_once_are_all_kept_in_one_journal(start, gate, observer, path, kind):
    gate.shut()
    process = start(kind, "many", 300)

    returned = said(process, 300)
    open_files = [os.readlink(each) for each in Path(f"/proc/{process.pid}/fd").iterdir()]
    assert open_files.count(str(path)) == 1  # one connection, so that they share its commits
    gate.open()

    arrived = take(observer, 300)
    assert Counter(each.message_id for each in arrived) == {line["id"]: 1 for line in returned}


def test_a_script_that_ends_leaves_its_messages_to_the_next_one(start, gate, observer, path, tmp_path):
    gate.shut()
    (tmp_path / "end").touch()
    assert start("plain", "first", 3).wait(PATIENCE) == 0
    with closing(reader.open_reader(path)) as connection:
        assert outbox.backlog(connection) == 3
    gate.open()

    assert start("plain", "second", 1).wait(PATIENCE) == 0  # which ends as soon as it may

    emptied(path)
    arrived = names(observer, 4)
    assert [name for name in arrived if name.startswith("first")] == ["first-0", "first-1", "first-2"]
    assert sorted(arrived) == ["first-0", "first-1", "first-2", "second-0"]


def test_a_producer_that_is_killed_before_it_has_kept_a_message_has_said_nothing(start, gate, observer, path, tmp_path):
    gate.shut()
    process = start("plain", "lost", 1, GROWBIN_CRASHPOINT="producer.accept.before")
    assert process.wait(PATIENCE) == -signal.SIGKILL
    assert process.stdout.read() == ""
    gate.open()
    start("plain", "again", 1)
    assert names(observer, 1) == ["again-0"]


def test_what_a_killed_producer_has_kept_is_sent_by_the_next_one(start, gate, observer):
    gate.shut()
    process = start("plain", "killed", 10, GROWBIN_CRASHPOINT="producer.accept.after:5")
    assert process.wait(PATIENCE) == -signal.SIGKILL
    assert len(process.stdout.readlines()) == 4  # the fifth is kept, and nobody was told
    gate.open()
    start("plain", "next", 1)

    arrived = names(observer, 6)
    assert [name for name in arrived if name != "next-0"] == [f"killed-{n}" for n in range(5)]
    assert Counter(arrived)["next-0"] == 1


def test_of_many_processes_one_forwards(start, gate, observer, path, journal, tmp_path):
    gate.shut()
    (tmp_path / "end").touch()
    left = [start("plain", f"{n}", 100) for n in range(3)]
    for process in left:
        assert process.wait(PATIENCE) == 0
    gate.open()
    (tmp_path / "end").unlink()
    for n in range(3):
        start("plain", f"new{n}", 1)

    arrived = names(observer, 303)
    assert Counter(arrived) == Counter(
        [f"{n}-{i}" for n in range(3) for i in range(100)] + [f"new{n}-0" for n in range(3)]
    )
    for n in range(3):
        assert [name for name in arrived if name.startswith(f"{n}-")] == [f"{n}-{i}" for i in range(100)]


def fragile(word: str) -> Message[Any]:
    """A message for the actor of :class:`Product`."""
    return Message(queue_name="user_input", actor_name="fragile", args=(word,), kwargs={}, options={})


def test_the_nodes_keeper_forwards_what_a_killed_producer_has_kept(gate, url, path, rabbitmq_url, start_product):
    gate.shut()
    code = (
        "import sys; from dramatiq import Message; from growbin_jobs.app import broker;"
        "broker.enqueue(Message.decode(sys.argv[1].encode()))"
    )
    killed = fragile("kept")
    env = {**os.environ, "GROWBIN_BROKER_URL": url, "GROWBIN_DATA_DIR": str(path.parent.parent), "GROWBIN_NODE": "n1"}
    env["GROWBIN_CRASHPOINT"] = "producer.accept.after"
    done = command_line.run_python([sys.executable, "-c", code, killed.encode().decode()], env=env)
    assert done.returncode == -signal.SIGKILL

    product = start_product(GROWBIN_BROKER_URL=rabbitmq_url)
    product.until(lambda: product.status(killed.message_id) == "completed", "the message runs")

    assert product.runs.read_text() == "kept\n"
    with closing(central_database(load(data_dir=path.parent.parent))) as database:
        central = Tasks(database)
        product.until(lambda: central.get(killed.message_id).status == "completed", "the central row says so")


def test_a_message_that_has_come_twice_runs_once(producer, gate, journal, start_product, rabbitmq_url, observer):
    producer.enqueue(fragile("first"))  # connects, and declares the queue
    gate.hold()
    twice = fragile("twice")
    producer.enqueue(twice)  # written, and never confirmed
    gate.release()
    emptied(journal.path)
    assert observer.get_queue_message_counts("user_input")[0] >= 3

    product = start_product(GROWBIN_BROKER_URL=rabbitmq_url)
    last = product.send("last")
    product.until(lambda: product.status(last) == "completed", "what came behind them runs")
    product.close()

    assert sorted(product.runs.read_text().split()) == ["first", "last", "twice"]
    assert observer.get_queue_message_counts("user_input")[0] == 0


@pytest.mark.parametrize("kind", ["fork", "gevent-fork"])
def test_a_producer_that_forks_keeps_and_forwards_on_both_sides(start, gate, observer, path, tmp_path, kind):
    gate.shut()
    process = start(kind, "unused", 5)
    said(process, 1)  # kept before the fork, with a forwarder at work
    (tmp_path / "fork").touch()
    assert len(said(process, 10)) == 10
    gate.open()

    arrived = names(observer, 11)
    expected = ["before-0", *(f"{who}-{n}" for who in ("parent", "child") for n in range(5))]
    assert Counter(arrived) == Counter(expected)
    (tmp_path / "end").touch()
    assert process.wait(PATIENCE) == 0


def test_a_producer_that_has_sent_before_it_forks_keeps_on_both_sides(start, gate, observer, tmp_path):
    process = start("fork", "unused", 5)
    said(process, 1)
    assert names(observer, 1) == ["before-0"]
    gate.shut()
    (tmp_path / "fork").touch()
    said(process, 10)
    gate.open()
    assert Counter(names(observer, 10)) == Counter(f"{who}-{n}" for who in ("parent", "child") for n in range(5))
    (tmp_path / "end").touch()
    assert process.wait(PATIENCE) == 0


def test_the_command_line_shows_what_waits_and_sends_it(start, gate, observer, rabbitmq_url, path, tmp_path):
    gate.shut()
    (tmp_path / "end").touch()
    assert start("plain", "left", 2).wait(PATIENCE) == 0

    def growbin_jobs(*arguments: object) -> dict[str, Any]:
        env = {**os.environ, "GROWBIN_BROKER_URL": rabbitmq_url, "GROWBIN_DATA_DIR": str(tmp_path / "other")}
        return json.loads(command_line.run(*arguments, "--json", env=env, timeout=PATIENCE).stdout)

    found = growbin_jobs("journal", "status", "--path", path)
    assert (found["owed"], found["tasks"]["pending"]) == (2, 2)
    assert growbin_jobs("journal", "drain", "--path", path)["sent"] == 2
    assert growbin_jobs("journal", "status", "--path", path)["owed"] == 0
    assert names(observer, 2) == ["left-0", "left-1"]
