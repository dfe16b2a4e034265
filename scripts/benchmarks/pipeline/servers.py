"""The servers that both systems work with: RabbitMQ, PostgreSQL, S3 and a model server, private and on the loopback."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg2

from benchmarks.tasks.command import SERVICES
from benchmarks.tasks.rabbit import Rabbit


@dataclass(frozen=True)
class Servers:
    """What runs, and where.

    Attributes:
      facts: What ``scripts/services up --json`` says.
      env: What points a program at them.
      rabbit: RabbitMQ.
      model: Address of the model server, without ``/v1``.
      model_pid: Its process.
    """

    facts: Mapping[str, Any]
    env: Mapping[str, str]
    rabbit: Rabbit
    model: str
    model_pid: int

    def asked(self) -> dict[str, int]:
        """Return what the model server has counted so far."""
        with urllib.request.urlopen(f"{self.model}/stats", timeout=10) as answer:  # noqa: S310 - our own
            counted: dict[str, int] = json.load(answer)
        return counted

    def cpu_seconds(self) -> dict[str, float]:
        """Return the CPU time that each server has used so far, what has ended left out."""
        return {name: _cpu(facts["pids"]) for name, facts in self.facts.items()} | {"model": _cpu([self.model_pid])}

    def ports(self) -> dict[str, int]:
        """Return where connections are counted."""
        return {name: facts["port"] for name, facts in self.facts.items()}

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """Return the URL of a fresh database, dropped at the end."""
        name, url = f"bench_{uuid.uuid4().hex[:8]}", self.env["DATABASE_URL"]
        with contextlib.closing(psycopg2.connect(url)) as connection:
            connection.autocommit = True
            connection.cursor().execute(f"CREATE DATABASE {name}")
            try:
                yield url.rpartition("/")[0] + "/" + name
            finally:
                connection.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def servers(thinks: Mapping[str, float], items: list[str]) -> Iterator[Servers]:
    """Start them, and end them with us however we end.

    Parameters:
      thinks: Seconds that the models think, by kind.
      items: What a picture may show.
    """
    env = os.environ | {
        "BENCH_VISION": str(thinks["vision"]),
        "BENCH_TEXT": str(thinks["text"]),
        "BENCH_ITEMS": ",".join(items),
    }
    with tempfile.TemporaryDirectory(prefix="growbin-bench-") as folder:
        try:
            facts = json.loads(_services("up", "--json", "--with-pid", str(os.getpid()), "--dir", folder))
            variables = json.loads(_services("env", "--json", "--dir", folder))
            command = [sys.executable, "-m", "benchmarks.pipeline.model_server"]
            with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as model:  # noqa: S603 - ours
                try:
                    assert model.stdout is not None
                    address = model.stdout.readline().strip()
                    yield Servers(facts, variables, Rabbit(facts["rabbitmq"]), address, model.pid)
                finally:
                    model.kill()
        finally:
            _services("down", "--dir", folder)


def _services(*arguments: str) -> str:
    command = [sys.executable, str(SERVICES), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - our own script


def _cpu(pids: list[int]) -> float:
    total = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            top = psutil.Process(pid)
            for process in [top, *top.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    # A server that answers each connection in a process of its own keeps the time of ended ones.
                    total += times.user + times.system + times.children_user + times.children_system
    return total
