"""A producer's process, as settings make it: sends what it is told to and says when each ``send`` has returned.

Arguments: ``plain``, ``threads``, ``greenlets``, ``fork`` or ``gevent-fork``, the queue, the name of the messages, how
many to send, and a folder: a file ``fork`` there lets it fork, ``end`` lets it end. On stdout a JSON line a message.
"""

import sys

kind, queue, name, number = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
if kind in ("greenlets", "gevent-fork"):
    from gevent import monkey

    monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

from dramatiq import Message  # noqa: E402

from growbin_jobs.app import broker  # noqa: E402


def send(n: int, who: str = name) -> None:
    message = Message(queue_name=queue, actor_name="act", args=(f"{who}-{n}",), kwargs={}, options={})
    began = time.monotonic()
    returned = broker.enqueue(message)
    line = {"name": returned.args[0], "id": returned.message_id, "seconds": time.monotonic() - began}
    os.write(1, json.dumps(line).encode() + b"\n")  # in one piece, whoever else says something


def send_all(who: str = name) -> None:
    for n in range(number):
        send(n, who)


def wait_for(signal: str) -> None:
    """Wait for a file: reading stdin would stop all greenlets."""
    while not Path(sys.argv[5], signal).exists():
        time.sleep(0.01)


child = -1
if kind == "plain":
    send_all()
elif kind in ("threads", "greenlets"):
    senders = [threading.Thread(target=send, args=(n,)) for n in range(number)]
    for each in senders:
        each.start()
    for each in senders:
        each.join()
else:
    send(0, "before")
    wait_for("fork")
    child = os.fork()
    send_all("parent" if child else "child")
wait_for("end")
if child > 0:
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))
