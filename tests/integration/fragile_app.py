"""What ``dramatiq`` runs in the test of retried dead letters: the product's own broker and stack, one actor.

It gives up while the file of ``TEST_BROKEN_FILE`` exists, and writes a line into that of ``TEST_RUNS_FILE`` each time.
"""

import os
from pathlib import Path

import dramatiq

from growbin_jobs.app import broker
from growbin_jobs.errors import Permanent


@dramatiq.actor(queue_name="user_input", broker=broker)
def fragile(word):
    with Path(os.environ["TEST_RUNS_FILE"]).open("a") as file:
        file.write(f"{word}\n")
    if Path(os.environ["TEST_BROKEN_FILE"]).exists():
        raise Permanent("request_invalid", detail="it is broken")
