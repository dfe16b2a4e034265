"""One run of ``scripts/bench outage`` in a process of its own. Prints one JSON object."""

import sys

if sys.argv[1] == "greenlets":
    from gevent import monkey

    monkey.patch_all()

import json
import os
import shutil
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

from dramatiq import Message

QUEUE = "bench-outage"


def message(n: int) -> Message[Any]:
    return Message(queue_name=QUEUE, actor_name="a", args=(n, "x" * 200), kwargs={}, options={})


def send_all(kind: str, number: int, send: Callable[[int], None]) -> None:
    if kind == "in turn":
        for n in range(number):
            send(n)
        return
    senders = [threading.Thread(target=send, args=(n,)) for n in range(number)]
    for each in senders:
        each.start()
    for each in senders:
        each.join()


def sending(kind: str, number: int, how: str) -> dict[str, float]:
    """Send to a port that refuses, or to one that takes connections and says nothing."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    if how == "drops":
        server.listen()
    os.environ["GROWBIN_BROKER_URL"] = f"amqp://127.0.0.1:{server.getsockname()[1]}/"
    from growbin_jobs.app import broker  # the product as settings make it

    seconds: list[float] = []

    def send(n: int) -> None:
        began = time.perf_counter()
        broker.enqueue(message(n))
        seconds.append(time.perf_counter() - began)

    send_all(kind, number, send)
    return {"median": statistics.median(seconds), "slowest": max(seconds)}


def forwarding(number: int, url: str) -> dict[str, float]:
    """Send what waits in a journal."""
    from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
    from growbin_jobs.engine.delivery.records import OutboxMessage
    from growbin_jobs.engine.forwarding.relay import Relay
    from growbin_jobs.engine.journal.tables import tasks
    from growbin_jobs.engine.opening import open_journal
    from growbin_jobs.settings import load
    from growbin_jobs.wiring import engine_config

    journal = open_journal(engine_config(load()))
    bodies = [message(n) for n in range(number)]
    outbox = [OutboxMessage(message_id=m.message_id, task_name="a", queue_name=QUEUE, body=m.encode()) for m in bodies]
    journal.write(lambda connection: [tasks.accept(connection, each, "{}", now=time.time()) for each in outbox])
    broker = RabbitBroker(url=url, middleware=[])
    broker.flush(QUEUE)
    began = time.perf_counter()
    relay = Relay(journal, broker.forward, claimant="bench")
    sent = relay.run(0.0).sent
    seconds = time.perf_counter() - began
    broker.flush(QUEUE)
    broker.close()
    return {"per_second": sent / seconds}


def main(kind: str, number: str, where: str) -> None:
    folder = tempfile.mkdtemp()
    os.environ |= {"GROWBIN_DATA_DIR": folder, "GROWBIN_NODE": "bench"}
    found = forwarding(int(number), where) if kind == "forward" else sending(kind, int(number), where)
    print(json.dumps(found), flush=True)
    shutil.rmtree(folder)
    os._exit(0)  # what was kept is not wanted


main(*sys.argv[1:])
