"""The RabbitMQ that everybody is measured on."""

import json
import subprocess
import urllib.request
import uuid
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import amqp
import psutil

#: Seconds between two counts of a quorum queue; RabbitMQ's own 5 s would be the resolution of every measurement. At
#: 0.1 s a new queue of RabbitMQ 3.10.8 sometimes died: its first count must not come before it knows its own version.
COUNT_INTERVAL = 0.5


class Rabbit:
    """A private node.

    Parameters:
      facts: What ``scripts/services up --json`` says of it.
    """

    def __init__(self, facts: dict[str, Any]) -> None:
        self._facts = facts
        self.port: int = facts["port"]
        self._processes = [psutil.Process(pid) for pid in facts["pids"]]

    def count_often(self) -> None:
        """Let queues that are declared from now on be counted often."""
        setting = f"application:set_env(rabbit, quorum_tick_interval, {COUNT_INTERVAL * 1000:.0f})."
        tool = self._facts["rabbitmqctl"]
        command = [*tool["command"], "--quiet", "eval", setting]
        subprocess.run(command, env=tool["env"], check=True, stdout=subprocess.DEVNULL, timeout=60)  # noqa: S603 - ours

    def cpu_seconds(self) -> float:
        """Return the CPU time that the node has used so far."""
        return sum(float(times.user + times.system) for times in (one.cpu_times() for one in self._processes))

    @contextmanager
    def vhost(self) -> Iterator["Vhost"]:
        """Return a fresh virtual host, deleted at the end with everything in it."""
        name = f"bench-{uuid.uuid4().hex[:8]}"
        self.ask(f"/api/vhosts/{name}", "PUT")
        try:
            yield Vhost(self, name, self._facts["url"].removesuffix("%2F") + name)
        finally:
            self.ask(f"/api/vhosts/{name}", "DELETE")

    def ask(self, path: str, method: str = "GET") -> Any:
        """Ask the management API."""
        request = urllib.request.Request(f"http://127.0.0.1:{self._facts['management_port']}{path}", method=method)
        pair = f"{self._facts['user']}:{self._facts['password']}"
        request.add_header("Authorization", f"Basic {b64encode(pair.encode()).decode()}")
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.loads(answer.read() or "null")


class Vhost:
    """A virtual host.

    Attributes:
      url: Where workers connect.
    """

    def __init__(self, rabbit: Rabbit, name: str, url: str) -> None:
        self._rabbit = rabbit
        self._name = name
        self.url = url

    def left(self) -> dict[str, int]:
        """Return the messages that each queue still holds, ready or unacknowledged, queues that hold none left out."""
        queues = self._rabbit.ask(f"/api/queues/{self._name}?disable_stats=true&enable_queue_totals=true")
        return {queue["name"]: queue["messages"] for queue in queues if queue.get("messages")}

    def consumers(self, queue: str) -> int:
        """Return how many consumers a queue has."""
        return sum(one["queue"]["name"] == queue for one in self._rabbit.ask(f"/api/consumers/{self._name}"))

    def load(self, queue: str, messages: Iterable[tuple[bytes, dict[str, Any]]]) -> None:
        """Put messages into a queue, in order, and return when RabbitMQ has confirmed all of them.

        Without confirms some of the last ones would be missing now and then: a quorum queue drops what it has not yet
        handled when the publisher's channel closes, however politely.

        Parameters:
          queue: Its name.
          messages: Bodies and AMQP properties.
        """
        at = urlsplit(self.url)
        host, user, password = f"{at.hostname}:{at.port}", unquote(at.username or ""), unquote(at.password or "")
        unconfirmed: set[int] = set()

        def confirmed(tag: int, multiple: bool) -> None:
            unconfirmed.difference_update([one for one in unconfirmed if one <= tag] if multiple else [tag])

        with amqp.Connection(host, userid=user, password=password, virtual_host=at.path[1:]) as connection:
            channel = connection.channel()
            channel.events["basic_ack"].add(confirmed)
            channel.confirm_select()
            for tag, (body, properties) in enumerate(messages, start=1):
                unconfirmed.add(tag)
                channel.basic_publish(amqp.Message(body, **properties), routing_key=queue)
            while unconfirmed:
                connection.drain_events(timeout=30)
