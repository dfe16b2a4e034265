"""A producer that forks between two messages. Arguments: broker URL, queue, ``gevent`` or ``threads``."""

import os
import sys

if sys.argv[3] == "gevent":
    from gevent import monkey

    monkey.patch_all()

from dramatiq import Message

from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker

url, queue = sys.argv[1], sys.argv[2]
broker = RabbitBroker(url=url, middleware=[])


def publish(who: str) -> None:
    broker.enqueue(Message(queue_name=queue, actor_name="act", args=(who,), kwargs={}, options={}))


publish("before")
child = os.fork()
if child == 0:
    for _ in range(20):
        publish("child")
    print("published", flush=True)
    sys.stdin.readline()
    os._exit(0)
for _ in range(20):
    publish("parent")
print("published", flush=True)
_, status = os.waitpid(child, 0)
publish("after")
broker.close()
sys.exit(os.waitstatus_to_exitcode(status))
