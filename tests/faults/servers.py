"""The brokers as an outsider sees them: what lies in which queue, and what an operator may do to them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote
from uuid import uuid4

import pika
import psycopg2

from erlang import close_connections, evaluate
from faults.history import Dead
from faults.processes import Process, await_that
from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker

SERVICES = Path(__file__).resolve().parents[2] / "scripts" / "services"


class Broker(Protocol):
    """What the harness asks of either broker."""

    def dead(self) -> list[Dead]:
        """Return the dead letters."""

    def waiting(self) -> int:
        """Return how many messages are in any queue, dead letters and what consumers hold left out."""


def dead_letter(body: bytes) -> Dead:
    """Return whose dead letter a message is."""
    message = json.loads(body)
    return Dead(str(message["args"][0]), str(message["message_id"]))


class Node:
    """A RabbitMQ node, by the facts that ``scripts/services`` gives.

    Parameters:
      facts: Of ``scripts/services up --json``.
      folder: Its ``--dir``, where the node belongs to the caller, who may kill it and must :meth:`remove` it.
    """

    def __init__(self, facts: Mapping[str, Any], folder: Path | None = None) -> None:
        self.facts = facts
        self._folder = folder
        self._again: Process | None = None

    @classmethod
    def own(cls, folder: Path) -> Node:
        """Start one that belongs to the caller, who ends it with :meth:`remove`."""
        command = [sys.executable, str(SERVICES), "up", "--only", "rabbitmq", "--json", "--dir", str(folder)]
        up = subprocess.run(
            [*command, "--with-pid", str(os.getpid())], capture_output=True, text=True, check=True, timeout=180
        )
        return cls(json.loads(up.stdout)["rabbitmq"], folder)

    def remove(self) -> None:
        """End an own node."""
        if self._again is not None:
            self._again.kill()
        command = [sys.executable, str(SERVICES), "down", "--only", "rabbitmq", "--dir", str(self._folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    def ask(self, method: str, path: str, content: object | None = None) -> Any:
        """Ask the management API."""
        address = f"http://127.0.0.1:{self.facts['management_port']}/api{path}"
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
        pair = b64encode(f"{self.facts['user']}:{self.facts['password']}".encode()).decode()
        request.add_header("Authorization", f"Basic {pair}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def evaluate(self, erlang: str) -> str:
        """Have it compute an expression of Erlang."""
        return evaluate(self.facts["rabbitmqctl"], erlang)

    def kill_and_restart(self) -> None:
        """kill -9 of the node, and start it on the same files."""
        assert self._folder, "it is not ours to kill"
        if self._again:
            self._again.kill()
        else:
            os.kill(self.facts["pids"][-1], signal.SIGKILL)  # the first one is its port mapper
        assert await_that(lambda: not self._answers(), 30)
        tool = self.facts["rabbitmqctl"]
        self._again = Process([str(Path(tool["command"][0]).parent / "rabbitmq-server")], tool["env"])
        assert await_that(self._answers, 90, every=0.2), list(self._again.lines)

    def _answers(self) -> bool:
        try:
            self.ask("GET", f"/health/checks/port-listener/{self.facts['port']}")
        except OSError:
            return False
        return True


class Rabbit:
    """A virtual host of a node, of its own.

    Parameters:
      node: Whose.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.vhost = f"faults-{uuid4().hex[:12]}"
        node.ask("PUT", f"/vhosts/{self.vhost}")
        self.url: str = node.facts["url"].removesuffix("%2F") + self.vhost

    def remove(self) -> None:
        """Delete it with all that is in it."""
        self.node.ask("DELETE", f"/vhosts/{self.vhost}")

    def dead(self) -> list[Dead]:
        found = []
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            for queue in self._queues(dead=True):
                channel = connection.channel()
                while (taken := channel.basic_get(queue))[0] is not None:
                    found.append(dead_letter(taken[2]))
                channel.close()  # which puts them back
        return found

    def waiting(self) -> int:
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            channel = connection.channel()
            # Asked of the queues themselves: the management API's numbers are seconds old.
            return sum(
                channel.queue_declare(queue, passive=True).method.message_count for queue in self._queues(dead=False)
            )

    def delete_queue(self, name: str) -> None:
        """Delete a queue under those who use it."""
        self.node.ask("DELETE", f"/queues/{self.vhost}/{quote(name, safe='')}")

    def close_connections(self) -> None:
        """Let the broker close all of this virtual host's connections."""
        self.node.evaluate(close_connections(self.vhost))

    def _queues(self, *, dead: bool) -> list[str]:
        names = [queue["name"] for queue in self.node.ask("GET", f"/queues/{self.vhost}?columns=name")]
        return [name for name in names if name.endswith(".XQ") == dead]


class Postgres:
    """A database of its own on a server.

    Parameters:
      server_url: Of any database there.
    """

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._name = f"faults_{uuid4().hex[:12]}"
        self._run(f"CREATE DATABASE {self._name}")
        self.url = f"{server_url.rpartition('/')[0]}/{self._name}"

    def remove(self) -> None:
        """Drop it, even while it is in use."""
        self._run(f"DROP DATABASE {self._name} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        with contextlib.closing(psycopg2.connect(self._server_url)) as connection:
            connection.autocommit = True
            connection.cursor().execute(statement)


class Embedded:
    """The embedded broker's file."""

    def __init__(self, path: Path) -> None:
        self._broker = EmbeddedBroker(path, middleware=[])

    def dead(self) -> list[Dead]:
        return [dead_letter(letter.body) for letter in self._broker.dead_letters(limit=100_000)]

    def waiting(self) -> int:
        return sum(depth.ready + depth.claimed + depth.delayed for depth in self._broker.depths().values())

    def close(self) -> None:
        self._broker.close()
