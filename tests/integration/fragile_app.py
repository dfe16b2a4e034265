"""What ``dramatiq`` runs in the test of retried dead letters: the product's own broker and stack, one actor.

It writes a line into the file of ``TEST_RUNS_FILE`` each time, runs on while that of ``TEST_HELD_FILE`` exists, and
gives up where that of ``TEST_BROKEN_FILE`` does.
"""

import os
import time
from pathlib import Path

import dramatiq

from growbin_jobs.app import broker
from growbin_jobs.errors import Permanent


@dramatiq.actor(queue_name="user_input", broker=broker)
def fragile(word):
    with Path(os.environ["TEST_RUNS_FILE"]).open("a") as file:
        file.write(f"{word}\n")
    while Path(os.environ["TEST_HELD_FILE"]).exists():
        time.sleep(0.05)
    if Path(os.environ["TEST_BROKEN_FILE"]).exists():
        raise Permanent("request_invalid", detail="it is broken")
