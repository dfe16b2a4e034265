"""What workers run in the tests of health: actors that block the hub, kill their thread, or outlive their limit.

Marks are empty files in ``TEST_MARKS``. What counts as silent is short here, for the worker and for the keeper.
"""

import os
import resource
import threading
import time
from contextlib import suppress
from pathlib import Path

from growbin_jobs.engine import Engine, EngineConfig
from growbin_jobs.engine.middleware import watch
from growbin_jobs.engine.node import health
from growbin_jobs.engine.threads import native
from growbin_jobs.metrics.observing import Metrics

watch.INTERVAL, watch.TURNS = 0.1, 1
watch.STUCK = float(os.environ.get("TEST_STUCK", watch.STUCK))
health.SILENT = health.OVERDUE = 1.0
MARKS = Path(os.environ["TEST_MARKS"])

engine = Engine(EngineConfig.from_env("WELL_", observers=(Metrics(),))).install()
sleep = native("time", "sleep")


@engine.actor(queue_name="work", max_retries=0)
def block(name):
    """Wait without letting anybody else run, for a file."""
    (MARKS / f"{name}.started").touch()
    while not (MARKS / f"{name}.may_end").exists():
        sleep(0.02)


@engine.actor(queue_name="work", max_retries=0, time_limit=3_000)
def block_for_ever():
    """Let nobody else run any more; mark that it stands still beyond what is allowed without a run."""
    begun = time.monotonic()
    while True:
        sleep(0.02)
        if time.monotonic() - begun > 2 * watch.STUCK:
            (MARKS / "still.there").touch()


@engine.actor(queue_name="work", max_retries=0, time_limit=1_000)  # by then it waits, on a busy machine, too
def outlive(name):
    """Wait in one call that nothing interrupts, for so long that a test ends it."""
    (MARKS / f"{name}.started").touch()
    with open(MARKS / f"{name}.fifo", "rb"):  # until somebody opens the other end
        pass


@engine.actor(queue_name="work", max_retries=0)
def break_thread():
    """Let this thread die at the next message."""
    vars(threading.current_thread())["process_message"] = None


@engine.actor(queue_name="work", max_retries=0)
def work(name):
    time.sleep(0)
    (MARKS / f"{name}.ended").touch()


@engine.actor(queue_name="work", max_retries=0)
def break_consumer():
    """Let the thread that fetches die at its next look."""

    def die():
        raise SystemExit

    for thread in threading.enumerate():
        if type(thread).__name__ == "ConsumerThread":
            vars(thread)["handle_delayed_messages"] = die
    (MARKS / "consumer.broken").touch()


@engine.actor(queue_name="work", max_retries=0)
def lose_files(name):
    """Use up, or close, the files of the process, once: as a library that leaks them does, or makes a daemon."""
    if (MARKS / f"{name}.lost").exists():
        return
    (MARKS / f"{name}.lost").touch()
    if name == "closed":
        os.closerange(3, 1_024)
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with suppress(OSError):
        while True:
            os.open(os.devnull, os.O_RDONLY)


@engine.actor(queue_name="work", max_retries=0)
def lose_memory(name):
    """Let a thread, or a callback of gevent's, end as if there were no memory for it, once."""
    if (MARKS / f"{name}.lost").exists():
        return
    (MARKS / f"{name}.lost").touch()
    if name == "callback":
        from gevent import get_hub

        get_hub().loop.run_callback(_find_none)
    else:
        threading.Thread(target=_find_none).start()


def _find_none():
    raise MemoryError
