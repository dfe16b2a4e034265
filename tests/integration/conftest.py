"""What several integration tests use: a broker of the private RabbitMQ, or the product as it is installed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika
import psutil
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from tests import command_line
from tests.erlang import close_connections, evaluate
from tests.upgraded import upgrade

from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
from growbin_jobs.engine.journal.file.schema import is_journal
from growbin_jobs.engine.journal.tables import reader
from growbin_jobs.models import SCHEMA
from growbin_jobs.settings import load
from growbin_jobs.wiring import central_database

HERE = Path(__file__).parent
PATIENCE = 60.0


class Product:
    """The command line and a worker of :mod:`fragile_app`, embedded.

    Parameters:
      folder: For everything that they write.
      program: What runs the worker.
      env: Settings of both.
    """

    def __init__(self, folder: Path, program: str = "dramatiq", **env: str) -> None:
        self.broken, self.runs, self.held = folder / "broken", folder / "runs", folder / "held"
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("GROWBIN_")} | {
            "GROWBIN_DATA_DIR": str(folder / "data"),
            "GROWBIN_NODE": "n1",
            "TEST_BROKEN_FILE": str(self.broken),
            "TEST_HELD_FILE": str(self.held),
            "TEST_RUNS_FILE": str(self.runs),
        } | env  # fmt: skip
        self.log = folder / "log"
        self._upgrade(folder / "data")
        self.journal = folder / "data" / "n1" / "task_queue.db"
        path = str(Path(sys.executable).with_name(program))
        with self.log.open("ab") as log:
            self.worker = command_line.start_python(
                [path, "fragile_app", "--processes", "1", "--threads", "2"],
                env=self.env, stdout=log, stderr=log, cwd=HERE,
            )  # fmt: skip

    def send(self, word: str, delay: int | None = None) -> str:
        sent = f"fragile.send_with_options(args=({word!r},), delay={delay})"
        code = f"from fragile_app import fragile; print({sent}.message_id)"
        command = [sys.executable, "-c", code]
        return command_line.run_python(command, env=self.env, cwd=HERE, text=True, check=True).stdout.strip()

    def command(self, *arguments: str) -> list[dict[str, Any]]:
        done = command_line.run(*arguments, "--json", env=self.env, cwd=HERE, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def status(self, task_id: str) -> str | None:
        if not self.journal.exists():
            return None
        with closing(reader.open_reader(self.journal)) as connection:
            if not is_journal(connection):  # so far
                return None
            task = reader.task(connection, task_id)
        return task.status.value if task else None

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait for what has no signal."""
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, f"not in time: {what}\n{self.log.read_text()}"
            time.sleep(0.1)
        return found

    def close(self) -> None:
        self.worker.send_signal(signal.SIGTERM)
        try:
            self.worker.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            for child in psutil.Process(self.worker.pid).children(recursive=True):
                child.kill()
            self.worker.kill()

    @staticmethod
    def _upgrade(folder: Path) -> None:
        # The actors' own groups do this at their start. Else the keeper waits for the schema until its time is over.
        with closing(central_database(load(data_dir=folder))) as database:
            upgrade(database, SCHEMA)


@pytest.fixture
def broker(rabbitmq_url: str, request: pytest.FixtureRequest) -> Iterator[RabbitBroker]:
    """A broker of the private RabbitMQ that consumes the queue ``QUEUE`` of the test's module."""
    broker = RabbitBroker(url=rabbitmq_url, middleware=[])
    broker.declare_queue(request.module.QUEUE)
    yield broker
    broker.close()


@pytest.fixture
def channel(rabbitmq_url: str) -> Iterator[BlockingChannel]:
    """RabbitMQ as somebody else uses it."""
    with pika.BlockingConnection(pika.URLParameters(rabbitmq_url)) as connection:
        yield connection.channel()


@pytest.fixture
def rabbitmq_evaluate(rabbitmq_server: dict[str, Any]) -> Callable[[str], str]:
    """Has the private node compute an expression of Erlang; ``rabbitmqctl`` starts an Erlang system for each."""
    return partial(evaluate, rabbitmq_server["rabbitmqctl"])


@pytest.fixture
def cut_connections(rabbitmq_url: str, rabbitmq_evaluate: Callable[[str], str]) -> Callable[[], object]:
    """Make RabbitMQ close all connections of the test."""
    return partial(rabbitmq_evaluate, close_connections(urlsplit(rabbitmq_url).path[1:]))


@pytest.fixture
def start_product(tmp_path: Path) -> Iterator[Callable[..., Product]]:
    """Start the product once, with the settings that a test wants; returns it."""
    started = []

    def start(**env: str) -> Product:
        started.append(Product(tmp_path, **env))
        return started[-1]

    yield start
    for product in started:
        product.close()
