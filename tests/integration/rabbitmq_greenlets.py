"""Many greenlets that publish at once. Arguments: broker URL, queue, greenlets. Then waits for the end of stdin."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402

import gevent  # noqa: E402
from dramatiq import Message  # noqa: E402

from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker  # noqa: E402

url, queue, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
broker = RabbitBroker(url=url, middleware=[])


def publish(n: int) -> None:
    broker.enqueue(Message(queue_name=queue, actor_name="act", args=(n,), kwargs={}, options={}))


gevent.joinall([gevent.spawn(publish, n) for n in range(number)], raise_error=True)
print("published", flush=True)
sys.stdin.read()
broker.close()
