"""What ``dramatiq`` runs in the tests of the control channel: an engine of its own, and actors that tell what they do.

Each line of the file of ``TEST_TOLD_FILE`` is one thing that an actor did.
"""

import os
import time
from pathlib import Path

from growbin_jobs.engine import Engine, EngineConfig, progress

engine = Engine(EngineConfig.from_env("CONTROL_")).install()


def tell(what):
    with Path(os.environ["TEST_TOLD_FILE"]).open("a") as file:
        file.write(f"{what}\n")


@engine.actor(queue_name="first")
def note(word):
    tell(f"note {word}")


@engine.actor(queue_name="other")
def sign(word):
    tell(f"sign {word}")


@engine.actor(queue_name="other", max_retries=0, time_limit=600_000)
def hold(word):
    progress(0.4, "holding")
    tell(f"hold {word}")
    try:
        while True:
            time.sleep(0.05)
    finally:
        tell(f"let go {word}")
