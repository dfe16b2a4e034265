"""A process for the tests of delays: on a line from stdin it sends messages, one for each delay.

Arguments: broker URL, queue, delays in milliseconds.
"""

import sys

from dramatiq import Message

from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker

url, queue, *delays = sys.argv[1:]
broker = RabbitBroker(url=url, middleware=[])
print("ready", flush=True)
sys.stdin.readline()
for delay in delays:
    broker.enqueue(Message(queue_name=queue, actor_name="a", args=(), kwargs={}, options={}), delay=int(delay))
broker.close()
