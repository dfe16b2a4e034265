"""One run of ``scripts/bench publishing`` in a process of its own. Prints one JSON object."""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402
from urllib.parse import urlsplit  # noqa: E402

import gevent  # noqa: E402
import psutil  # noqa: E402
from dramatiq import Message  # noqa: E402
from dramatiq.broker import Broker  # noqa: E402
from dramatiq.brokers.rabbitmq import RabbitmqBroker  # noqa: E402

from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker  # noqa: E402
from growbin_jobs.engine.broker.rabbitmq.topology import arguments  # noqa: E402


class SameQueues(RabbitmqBroker):
    """Dramatiq's broker on the same kind of queue, which it cannot declare itself."""

    queue_type: Any = "quorum"

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        return arguments(queue_name, self.queue_type)[queue_name]


def open_broker(way: str, url: str, queue_type: Any) -> Broker:
    if way == "ours":
        return RabbitBroker(url=url, middleware=[], queue_type=queue_type)
    SameQueues.queue_type = queue_type
    return SameQueues(url=url, middleware=[], confirm_delivery=way == "dramatiq-confirmed")


def main(way: str, url: str, queue_type: str, greenlets: str, messages: str) -> None:
    broker = open_broker(way, url, queue_type)
    each = int(messages) // int(greenlets)
    lags: list[float] = []

    def send(number: int) -> None:
        for n in range(number):
            args = (n, "x" * 200)
            broker.enqueue(Message(queue_name=f"bench-{way}", actor_name="a", args=args, kwargs={}, options={}))

    def feel_the_hub() -> None:
        while True:
            began = time.perf_counter()
            time.sleep(0.005)
            lags.append(time.perf_counter() - began - 0.005)

    send(1)
    gevent.spawn(feel_the_hub)
    began = time.perf_counter()
    gevent.joinall([gevent.spawn(send, each) for _ in range(int(greenlets))], raise_error=True)
    seconds = time.perf_counter() - began
    port = urlsplit(url).port
    connections = sum(bool(one.raddr) and one.raddr.port == port for one in psutil.Process().net_connections("tcp"))
    broker.flush(f"bench-{way}")
    found = {
        "per_second": each * int(greenlets) / seconds,
        "connections": connections,
        "lag_p99_ms": sorted(lags)[int(len(lags) * 0.99)] * 1000,
    }
    print(json.dumps(found))
    broker.close()


main(*sys.argv[1:])
