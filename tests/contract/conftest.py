"""Dramatiq as an application uses it, on each broker of the engine with the whole stack, and in the sandbox."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import dramatiq
import psycopg2
import pytest
from dramatiq import Worker
from dramatiq.broker import Broker
from dramatiq.worker import has_results_middleware
from tests.contract.schedule_world import ScheduleWorld
from tests.upgraded import upgrade

from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
from growbin_jobs.engine.broker.port import Depth
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.upgrade import ENGINE_SCHEMA, Schema, tables_of
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.engine import Engine
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import dead_letters, reader
from growbin_jobs.engine.middleware.ensure_keeper import EnsureKeeper
from growbin_jobs.engine.opening import open_central
from growbin_jobs.engine.results import EngineResults
from growbin_jobs.engine.testing import sandbox
from growbin_jobs.models import SCHEMA

#: Seconds until something that must happen counts as not happening.
PATIENCE = 60.0

#: No pause between two retries, for actors whose pause is not what the test is about.
AT_ONCE = {"min_backoff": 0, "max_backoff": 0}


@dataclass(frozen=True)
class Dead:
    """A message that was given up."""

    actor: str
    code: str | None
    reason: str


class World:
    """A broker with the engine's stack, and what runs its messages.

    Attributes:
      name: ``embedded``, ``rabbitmq`` or ``sandbox``.
      broker: The one for Dramatiq.
      queue: The queue of the test's actors.
    """

    def __init__(self, name: str, folder: Path, broker_url: str | None) -> None:
        self.name = name
        self.queue = f"queue_{uuid4().hex[:12]}"
        self.config = EngineConfig(
            node="n1",
            data_dir=folder,
            broker_url=broker_url,
            journal_free_floor=0,
        )
        self.exit = ExitStack()
        self.engine = self.open()
        self.broker = self.engine.broker
        self.journal: Journal = self.engine.journal
        dramatiq.set_broker(self.broker)
        self.box = self.exit.enter_context(sandbox(self.broker)) if name == "sandbox" else None
        self.workers: list[Worker] = []

    def open(self) -> Engine:
        """Return one more engine of the same place. No keeper is started for it."""
        engine = Engine(self.config)
        engine.broker.middleware = [each for each in engine.broker.middleware if not isinstance(each, EnsureKeeper)]
        self.exit.callback(engine.broker.close)
        return engine

    def actor(self, fn: Callable[..., Any] | None = None, **options: Any) -> Any:
        """Declare an actor of this world's queue."""
        return dramatiq.actor(fn, **{"broker": self.broker, "queue_name": self.queue, **options})

    def add(self, middleware: Any, **place: Any) -> None:
        """Add a middleware as an application does; the sandbox takes it over, too."""
        self.broker.add_middleware(middleware, **place)
        if self.box is not None:
            self.exit.pop_all().close()
            self.exit.callback(self.broker.close)
            self.box = self.exit.enter_context(sandbox(self.broker))

    def elsewhere(self) -> EngineResults:
        """Return the results as another node reads them."""
        return EngineResults(replace(self.config, node="n2"))

    def work(self, threads: int = 4, broker: Broker | None = None) -> Worker | None:
        """Start a worker."""
        if self.box is not None:
            return None
        worker = Worker(broker or self.broker, worker_timeout=20, worker_threads=threads)
        worker.start()
        self.workers.append(worker)
        return worker

    def until(self, condition: Callable[[], Any], *, idle: bool = True) -> Any:
        """Let messages run until a condition holds and, if ``idle``, nothing is left to run."""
        if self.box is not None:
            self.box.run(fail_fast=False)
            assert condition()
            return condition()
        if not self.workers:
            self.work()
        deadline = time.monotonic() + PATIENCE
        while not ((found := condition()) and (not idle or self.idle())):
            assert time.monotonic() < deadline, f"not in time; tasks: {self.states()}, dead: {self.dead()}"
            time.sleep(0.02)
        return found

    def idle(self) -> bool:
        """Has everything ended that was sent?"""
        if any(self.states().get(state, 0) for state in ("pending", "running", "failed")):
            return False
        depth = self.broker.depths().get(self.queue, Depth())
        return not (depth.ready or depth.claimed or depth.delayed)

    def states(self) -> dict[str, int]:
        """Return how many tasks the journal has in each state."""
        return {str(state): n for state, n in self.journal.read(reader.counts).items() if n}

    def state(self, message: Any) -> str | None:
        """Return what the journal says of a message."""
        row = self.journal.read(lambda connection: reader.task(connection, message.message_id))
        return None if row is None else str(row.status)

    def dead(self) -> list[Dead]:
        """Return what was given up."""
        if self.box is not None:
            return [Dead(each.sent.actor, each.code, str(each.params)) for each in self.box.dead()]
        letters = self.journal.read(dead_letters.find)
        return [Dead(each.actor, each.code, each.params) for each in letters]

    def smuggle(self, *messages: dramatiq.Message[Any]) -> None:
        """Put messages into a queue as another program would: without the engine's checks."""
        queue_name = messages[0].queue_name
        if isinstance(self.broker, EmbeddedBroker):
            now = int(time.time() * 1000)
            for each in messages:
                message_id, body = each.message_id, each.encode()
                self.broker._hold().write(partial(_put, queue_name, message_id, body, now), durable=True)
            return
        import pika

        self.broker.consume(queue_name).close()  # creates it
        with pika.BlockingConnection(pika.URLParameters(self.config.broker_url)) as connection:
            channel = connection.channel()
            for each in messages:
                channel.basic_publish("", queue_name, each.encode())

    def close(self) -> None:
        for worker in self.workers:
            worker.stop(timeout=20_000)
        self.exit.close()
        self.journal.close()
        dramatiq.set_broker(None)
        has_results_middleware.cache_clear()  # it keeps brokers, and with them all that they have opened


def _put(queue_name: str, message_id: str, body: bytes, now: int, queue: Any) -> None:
    queue.put(queue_name, message_id, body, priority=0, due=now, now=now)


PLACES = (
    pytest.param("embedded"),
    pytest.param("rabbitmq", marks=pytest.mark.services),
    pytest.param("sandbox"),
)


@pytest.fixture(params=PLACES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Every place where messages run."""
    yield from _world(request, tmp_path)


@pytest.fixture(params=PLACES[:2])
def real_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """The places with a worker of their own: two brokers."""
    yield from _world(request, tmp_path)


@pytest.fixture(scope="session")
def upgraded_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One SQLite database with the current schema; who uses it empties its tables before each test."""
    yield from _upgraded(None, tmp_path_factory.mktemp("central") / "central.db")


@pytest.fixture(scope="session")
def upgraded_postgres(postgres_server: dict[str, Any]) -> Iterator[Database]:
    """The same on PostgreSQL."""
    name = f"test_{uuid4().hex[:12]}"
    admin = psycopg2.connect(postgres_server["url"])
    admin.autocommit = True
    with closing(admin), admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        yield from _upgraded(postgres_server["url"].rpartition("/")[0] + f"/{name}", Path())
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _upgraded(url: str | None, path: Path) -> Iterator[Database]:
    with closing(open_database(url, default_path=path, pool_size=8, timeout=10)) as database:
        upgrade(database, SCHEMA)
        yield database


def empty_tables(database: Database, schema: Schema) -> None:
    """Delete all rows of the tables that the migrations of some packages make."""
    tables = [table for table in tables_of(schema) if table != "schema_version"]
    database.transaction(lambda connection: [connection.execute_sql(f"DELETE FROM {table}") for table in tables])


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def upgraded(request: pytest.FixtureRequest) -> Database:
    """A central database of each kind with the current schema, as the test before has left it."""
    name = "upgraded_postgres" if request.param == "postgresql" else "upgraded_sqlite"
    database: Database = request.getfixturevalue(name)
    return database


@pytest.fixture
def database(upgraded: Database) -> Database:
    """An empty central database of each kind with the current schema, for tests that leave it open."""
    empty_tables(upgraded, SCHEMA)
    return upgraded


@pytest.fixture
def schedule_database(upgraded: Database) -> Database:
    """A central database of each kind with an empty schedule."""
    empty_tables(upgraded, ("growbin_jobs.scheduler",))
    return upgraded


@pytest.fixture
def schedule(schedule_database: Database) -> ScheduleWorld:
    """An empty schedule on a database of each kind, whose clock stands still."""
    return ScheduleWorld(schedule_database)


@pytest.fixture
def upgraded_postgres_url(lent_postgres_url: str) -> str:
    """Here no process lives longer than its test, so one database serves them all."""
    return lent_postgres_url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Path, Database]]:
    """A database that other processes can open: its URL or its file, and itself."""
    url = request.getfixturevalue("upgraded_postgres_url") if request.param == "postgresql" else ""
    opened = open_database(url or None, default_path=tmp_path / "central.db", pool_size=4, timeout=10)
    upgrade(opened, SCHEMA)
    yield url, tmp_path / "central.db", opened
    opened.close()


@pytest.fixture
def sandbox_world(tmp_path: Path) -> Iterator[World]:
    """The sandbox, whose time jumps."""
    world = World("sandbox", tmp_path, None)
    yield world
    world.close()


def _world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    url = request.getfixturevalue("shared_rabbitmq_url") if request.param == "rabbitmq" else None
    world = World(request.param, tmp_path, url)
    with closing(open_central(world.config)) as database:
        upgrade(database, ENGINE_SCHEMA)
    try:
        yield world
    finally:
        world.close()
