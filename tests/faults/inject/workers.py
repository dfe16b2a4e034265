"""What happens to worker processes: C1 to C8 of the protocol, and their lives."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping

from faults.installation import NODE, PATIENCE, WORKER, Installation
from faults.jobs import mixed
from faults.processes import TESTS, THREADS, await_that


def dies_at(point: str, load: Mapping[str, int], installation: Installation) -> None:
    """A worker is killed at a named point."""
    doomed = installation.ready()
    doomed.arm(point)
    installation.hand_in(load)
    assert doomed.await_death(PATIENCE), f"{point} was never reached.\n{installation.last_words()}"
    installation.note_ended()


def dies_running(installation: Installation) -> None:
    """kill -9 of a worker while its actors run."""
    installation.await_begun(4)
    installation.workers[WORKER].kill()


def stopped_and_killed(installation: Installation) -> None:
    """SIGTERM under load, and SIGKILL before the worker could finish."""
    installation.await_begun(4)
    worker = installation.workers[WORKER]
    worker.ask_to_stop()
    time.sleep(0.5)
    worker.kill()


def frozen(installation: Installation) -> None:
    """A worker is frozen, loses its connections, others do its work; then it goes on as if nothing had happened."""
    installation.await_begun(4)
    zombie = installation.workers[WORKER]
    zombie.signal(signal.SIGSTOP)
    if installation.broker_link:
        installation.broker_link.cut()
    installation.ensure("other", node="node-2")
    installation.hand_in(mixed(8), wait=False)
    time.sleep(2.0)
    zombie.signal(signal.SIGCONT)


def restarted_often(times: int, installation: Installation) -> None:
    """kill -9 of a worker again and again while retries and deferrals wait."""
    for _ in range(times):
        worker = installation.ensure()
        # Some way on each time, and nothing that two kills have hit is hit once more before it could run to its end:
        # what is running at three kills in a row counts as what has killed its worker.
        enough = installation.begun() + 3 * THREADS
        await_that(lambda enough=enough: installation.begun() >= enough, 5)
        assert await_that(lambda: not installation.journals.suspects(NODE, 2), PATIENCE), installation.last_words()
        worker.kill()


def next_release(installation: Installation) -> None:
    """Workers of the next release come, with one more actor; those of the last one go, under load."""
    installation.await_begun(4)
    installation.ready("next", env={"FAULTS_RELEASE": "next"})
    installation.stop([WORKER], PATIENCE)
    installation.hand_in({"new": 4} | mixed(4))


def hub_blocked(installation: Installation) -> None:
    """Greenlets compute while others have work prefetched."""
    installation.hand_in({"computing": 2, "one": 20, "chain": 4})
    installation.await_begun(2)


def with_greenlets(installation: Installation) -> None:
    """Have a gevent worker, and no other."""
    installation.stop()
    installation.start(gevent=True, threads=50)


def clocks_wrong(installation: Installation) -> None:
    """Two nodes whose clocks are an hour slow and an hour fast share the work with one whose clock is right."""
    path = os.pathsep.join(filter(None, (str(TESTS / "faults" / "skewed_clock"), os.environ.get("PYTHONPATH"))))
    for name, hours in (("slow-clock", -1), ("fast-clock", 1)):
        installation.ensure(name, node=name, env={"PYTHONPATH": path, "FAULTS_CLOCK": str(3600 * hours)})
    for name in ("slow-clock", "fast-clock"):
        installation.ready(name)
    installation.hand_in(mixed(24))
