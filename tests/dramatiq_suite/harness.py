"""The ``conftest.py`` of Dramatiq's own tests, when ``scripts/dramatiq_suite`` runs them on this engine.

What Dramatiq's tests call ``stub_broker`` is here a broker of the engine with its whole stack: a journal, outboxes, a
central database. ``join`` waits until everything that was sent has come to its end in the journal.
"""

from __future__ import annotations

import os
import time
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import dramatiq
import pytest
from dramatiq import Middleware, Worker
from dramatiq.common import current_millis
from dramatiq.errors import QueueJoinTimeout, QueueNotFound

from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.engine import Engine
from growbin_jobs.engine.journal.tables import reader
from growbin_jobs.engine.middleware.ensure_keeper import EnsureKeeper
from growbin_jobs.engine.results import EngineResults

PLACE = os.environ.get("DRAMATIQ_SUITE_BROKER", "embedded")
EXCEPTIONS = tomllib.loads(Path(os.environ["DRAMATIQ_SUITE_EXCEPTIONS"]).read_text())

#: Seconds until something that must happen counts as not happening.
PATIENCE = 30.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the exceptions to fail: one that passes is an error of the table."""
    for item in items:
        name = item.nodeid.partition("::")[2].partition("[")[0]
        entry = EXCEPTIONS.get(item.path.name, {}).get(name)
        if entry is not None:
            item.add_marker(pytest.mark.xfail(reason=entry, strict=True, run=not entry.startswith("not run:")))


class Recorder(Middleware):
    """Notes what was sent and what was given up."""

    def __init__(self) -> None:
        self.sent: set[str] = set()
        self.dead: defaultdict[str, list[Any]] = defaultdict(list)

    def after_enqueue(self, broker: Any, message: Any, delay: int | None) -> None:
        self.sent.add(message.message_id)

    def after_nack(self, broker: Any, message: Any) -> None:
        proxy = dramatiq.MessageProxy(message._message)
        error = message._exception
        # Not the error itself: a test looks whether anything holds it.
        proxy.error = None if error is None else (type(error), error.args)
        self.dead[message.queue_name].append(proxy)


class _Queues(set[str]):
    """``queues[name].put(body)`` puts bytes into a queue as another program would."""

    broker: Any

    def __getitem__(self, name: str) -> Any:
        return _Smuggler(self.broker, name)

    def __setitem__(self, name: str, value: object) -> None:
        self.add(name)

    def keys(self) -> set[str]:
        return self


class _Smuggler:
    def __init__(self, broker: Any, queue: str) -> None:
        self._broker, self._queue = broker, queue

    def get(self, timeout: float = 1.0) -> bytes:
        """Take a message out of the queue."""
        consumer = self._broker.consume(self._queue, prefetch=1, timeout=int(timeout * 1000))
        message = next(consumer)
        body: bytes = message.body
        consumer.ack(message)
        consumer.close()
        return body

    def put(self, body: bytes) -> None:
        message = dramatiq.Message.decode(body)
        self._broker.recorder.sent.add(message.message_id)
        if PLACE == "embedded":
            now, queue, name = current_millis(), self._queue, message.message_id
            self._broker._hold().write(lambda table: table.put(queue, name, body, priority=0, due=now, now=now))
            return
        import pika

        with pika.BlockingConnection(pika.URLParameters(self._broker.engine.config.broker_url)) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            end = time.monotonic() + PATIENCE
            while True:
                try:
                    channel.basic_publish("", self._queue, body, mandatory=True)
                # The worker's consumer is about to make the queue, or RabbitMQ has not finished making it.
                except (pika.exceptions.UnroutableError, pika.exceptions.NackError):
                    assert time.monotonic() < end, f"RabbitMQ takes nothing for {self._queue}"
                    time.sleep(0.01)
                else:
                    return


def _as_stub(engine: Engine) -> Any:
    """Give an engine's broker what Dramatiq's tests ask of their StubBroker."""
    real = engine.broker
    real.middleware = [each for each in real.middleware if not isinstance(each, EnsureKeeper)]
    recorder = Recorder()
    real.middleware.insert(0, recorder)

    class Stub(type(real)):  # type: ignore[misc]
        dead_letters_by_queue = property(lambda self: self.recorder.dead)
        dead_letters = property(lambda self: [each for queue in self.recorder.dead.values() for each in queue])

        def join(self, queue_name: str, *, timeout: int | None = None, fail_fast: bool | None = None) -> None:
            if queue_name not in self.get_declared_queues():
                raise QueueNotFound(queue_name)
            end = time.monotonic() + (PATIENCE if timeout is None else timeout / 1000)
            while not self._ended():
                if time.monotonic() >= end:
                    raise QueueJoinTimeout("timed out")
                time.sleep(0.01)
            for message in self.recorder.dead[queue_name] if fail_fast in (None, True) else ():
                kind, args = message.error or (Exception, ("Message failed with unknown error",))
                raise kind(*args)

        def _ended(self) -> bool:
            def ended(connection: Any) -> bool:
                rows = [reader.task(connection, each) for each in self.recorder.sent]
                return all(row is not None and row.status in ("completed", "dead") for row in rows)

            settled = all(not (depth.ready or depth.claimed) for depth in self.depths().values())
            return settled and bool(self.engine.journal.read(ended))

    real.__class__ = Stub
    real.recorder = recorder
    real.engine = engine
    queues = _Queues(real.get_declared_queues())
    queues.broker, real.queues = real, queues
    return real


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    url = os.environ.get("DRAMATIQ_SUITE_RABBITMQ")
    vhost = None
    if PLACE == "rabbitmq":
        assert url
        base, vhost = url, f"dramatiq-{uuid4().hex[:12]}"
        _vhost(base, "PUT", vhost)
        url = base.removesuffix("%2F") + quote(vhost)
    config = EngineConfig(
        node="n1", data_dir=tmp_path, broker_url=url if PLACE == "rabbitmq" else None, journal_free_floor=0
    )
    engine = Engine(config)
    engine.upgrade()
    yield engine
    engine.broker.close()
    engine.journal.close()
    if vhost:
        _vhost(base, "DELETE", vhost)


def _vhost(url: str, method: str, name: str) -> None:
    import urllib.request
    from base64 import b64encode
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    port = os.environ["DRAMATIQ_SUITE_MANAGEMENT_PORT"]
    request = urllib.request.Request(f"http://{parts.hostname}:{port}/api/vhosts/{name}", method=method)
    pair = b64encode(f"{parts.username}:{parts.password}".encode()).decode()
    request.add_header("Authorization", f"Basic {pair}")
    with urllib.request.urlopen(request, timeout=30):
        pass


@pytest.fixture
def stub_broker(engine: Engine) -> Any:
    broker = _as_stub(engine)
    if PLACE == "embedded":
        assert isinstance(broker, EmbeddedBroker)
    broker.emit_after("process_boot")
    dramatiq.set_broker(broker)
    yield broker
    dramatiq.set_broker(None)


@pytest.fixture
def stub_worker(stub_broker: Any) -> Any:
    worker = Worker(stub_broker, worker_timeout=100, worker_threads=8)
    worker.start()
    yield worker
    worker.stop()


@pytest.fixture
def result_backend(engine: Engine) -> EngineResults:
    return EngineResults(engine.config)


@pytest.fixture
def rate_limiter_backend(engine: Engine) -> Any:
    return engine.rate_limiter_backend


@pytest.fixture
def pickle_encoder() -> Any:
    pytest.fail("The engine refuses pickle.")


@pytest.fixture
def redis_result_backend() -> Any:
    pytest.fail("There is no Redis.")
