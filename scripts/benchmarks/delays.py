"""``scripts/bench delays``: how late RabbitMQ ends the delays that it holds, and what it holds them with."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import typer
from dramatiq import Message

from benchmarks import report
from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker

SERVICES = Path(__file__).parents[1] / "services"
QUEUE = "delayed"

#: Threads that send, and the bytes of text in each message.
SENDERS, TEXT = 64, 500

#: Seconds without a message after which one that is missing is missing.
PATIENCE = 60.0


def command(
    spread: Annotated[int, typer.Option(help="Messages with delays of 1 to 15 s.", min=1)] = 300,
    burst: Annotated[int, typer.Option(help="Messages with the same delay, 15 s.", min=1)] = 5_000,
    pending: Annotated[int, typer.Option(help="Messages that wait for an hour.", min=1)] = 100_000,
    queue_type: Annotated[Literal["quorum", "classic"], typer.Option(help="Kind of the queues.")] = "quorum",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Lateness of single delays, of many that end at once, and the memory of many that are pending.

    \b
    Starts a private RabbitMQ. Lateness is reckoned from the whole second that a delay is rounded up to. 15 s is four
    levels of the ladder, as many as can be below 16 s.

    \b
    Examples:
      scripts/bench delays
      scripts/bench delays --burst 20000 --pending 1000000
      scripts/bench delays --queue-type classic --json
    """
    results: dict[str, Any] = {"machine": report.machine(), "queue_type": queue_type}
    with tempfile.TemporaryDirectory() as folder:
        up = ["up", "--only", "rabbitmq", "--json", "--with-pid", str(os.getpid())]
        facts = json.loads(_services(*up, "--dir", folder))["rabbitmq"]
        broker = RabbitBroker(url=facts["url"], middleware=[], queue_type=queue_type)
        try:
            report.note(f"{spread} delays of 1 to 15 s…")
            results["spread"] = _lateness(broker, [1 + n % 15 for n in range(spread)])
            report.note(f"{burst} delays of 15 s…")
            results["burst"] = _lateness(broker, [15] * burst)
            report.note(f"{pending} delays of an hour…")
            results["pending"] = _memory(broker, pending, lambda: _used(facts["management_url"]))
        finally:
            broker.close()
            _services("down", "--dir", folder)
    if as_json:
        report.dump(results)
    else:
        _show(results)


def _lateness(broker: RabbitBroker, delays: list[int]) -> dict[str, float]:
    """Send a message for each delay in seconds, and return how late they come, in seconds."""
    due: dict[int, float] = {}

    def send(n: int) -> None:
        due[n] = time.time() + delays[n]
        broker.enqueue(_message(n), delay=delays[n] * 1000)

    broker.declare_queue(QUEUE)
    consumer = broker.consume(QUEUE, prefetch=2000, timeout=int(PATIENCE * 1000))
    begin = time.time()
    with ThreadPoolExecutor(SENDERS) as pool:
        sent = pool.map(send, range(len(delays)))
        came: dict[int, float] = {}
        while len(came) < len(delays):
            received = next(consumer)
            if received is None:
                raise RuntimeError(f"{len(delays) - len(came)} messages are missing")
            came[received.args[0]] = time.time()
            consumer.ack(received)
        list(sent)
    consumer.close()
    late = sorted(came[n] - due[n] for n in due)
    return {
        "messages": len(late),
        "sent_s": max(due[n] - delays[n] for n in due) - begin,
        **{name: late[int((len(late) - 1) * part)] for name, part in (("p50_s", 0.5), ("p99_s", 0.99), ("max_s", 1))},
    }


def _memory(broker: RabbitBroker, number: int, used: Callable[[], float]) -> dict[str, float]:
    before = used()
    begin = time.time()
    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(lambda n: broker.enqueue(_message(n), delay=3_600_000), range(number)))
    sent = time.time() - begin
    time.sleep(10)  # the node reckons every five seconds
    return {"messages": number, "sent_s": sent, "before_mb": before, "after_mb": used()}


def _message(n: int) -> Message[Any]:
    return Message(queue_name=QUEUE, actor_name="a", args=(n, "x" * TEXT), kwargs={}, options={})


def _used(management_url: str) -> float:
    """Return the node's memory in MB, as RabbitMQ itself reckons it for its alarm."""
    url = urlsplit(management_url)
    request = urllib.request.Request(f"http://{url.hostname}:{url.port}/api/nodes")
    pair = f"{url.username}:{url.password}".encode()
    request.add_header("Authorization", f"Basic {b64encode(pair).decode()}")
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        [node] = json.load(answer)
    return float(node["mem_used"]) / 1e6


def _services(*arguments: str) -> str:
    return subprocess.run([sys.executable, SERVICES, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603


def _show(results: dict[str, Any]) -> None:
    rows = [
        [name, *(f"{results[key][column]:.3g}" for column in ("messages", "sent_s", "p50_s", "p99_s", "max_s"))]
        for name, key in (("1 to 15 s", "spread"), ("15 s, all at once", "burst"))
    ]
    report.show("Lateness of delays", ["delays", "messages", "sent in s", "p50 s", "p99 s", "max s"], rows)
    one = results["pending"]
    report.show(
        "Pending for an hour",
        ["", "messages", "sent in s", "node before MB", "node after MB"],
        [["one hour", one["messages"], one["sent_s"], one["before_mb"], one["after_mb"]]],
    )
