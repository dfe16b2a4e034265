"""What workers run in the tests of their stop: an engine of its own, on the embedded broker.

``slow`` notes its start and its end as empty files in ``TEST_MARKS``; in between it waits until a file is there.
"""

import os
import time
from pathlib import Path

from growbin_jobs.engine import Engine, EngineConfig
from growbin_jobs.metrics.observing import Metrics

MARKS = Path(os.environ["TEST_MARKS"])

engine = Engine(EngineConfig.from_env("STOPS_", observers=(Metrics(),))).install()


@engine.actor(queue_name="work", max_retries=0)
def slow(name):
    (MARKS / f"{name}.started").touch()
    while not (MARKS / f"{name}.may_end").exists():
        time.sleep(0.02)
    (MARKS / f"{name}.ended").touch()


@engine.actor(queue_name="work", max_retries=0)
def note(name):
    """Take a moment, and note the run as a line of its own."""
    time.sleep(0.1)
    with (MARKS / "runs").open("a") as runs:
        runs.write(f"{name}\n")


@engine.actor(queue_name="work", max_retries=0)
def quick():
    """There to be counted."""
