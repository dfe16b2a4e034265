"""A producer's process: hands in what it is told to, and says what became of it, a JSON line each.

On stdin: ``{"job": …, "kind": …}``. On stdout: ``attempt`` before each send; after it ``acknowledged``, ``refused``
(it did not arrive, for certain) or ``unknown``. The job's id is the message's, so handing in again is the same job.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from dramatiq import Message

from faults.actors import CHAIN_QUEUE, QUEUE, broker
from faults.jobs import KINDS
from growbin_jobs.engine.broker.errors import BrokerRefused, BrokerUnavailable, QueueMissing


def say(**what: object) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")  # in one piece, whoever else says something


def hand_in(job: str, kind: str) -> None:
    queue = CHAIN_QUEUE if kind == "chain" else QUEUE
    message = Message(
        queue_name=queue, actor_name=kind, args=(job,), kwargs={}, options={}, message_id=job,
    )  # fmt: skip
    say(what="attempt", job=job, keys=sorted(KINDS[kind].keys), dies=KINDS[kind].dies)
    try:
        broker.enqueue(message)
    except (BrokerRefused, BrokerUnavailable, QueueMissing) as error:
        say(what="refused", job=job, error=str(error))
    except Exception as error:
        say(what="unknown", job=job, error=f"{type(error).__name__}: {error}")
    else:
        say(what="acknowledged", job=job)


def main() -> int:
    say(what="ready")
    with ThreadPoolExecutor(int(os.environ.get("FAULTS_SENDERS", "4"))) as senders:
        for line in sys.stdin:
            senders.submit(hand_in, **json.loads(line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
