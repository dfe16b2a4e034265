"""A crash costs what was in flight one rerun, and nobody else anything. Real workers, killed for real."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from dramatiq import Message
from tests.command_line import start_program
from tests.waiting import freeze
from tests.whole import WHOLE

from faults.pauses import DIVISOR
from faults.processes import TESTS, await_that
from growbin_jobs import settings as _settings
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.engine.opening import open_broker, open_central
from growbin_jobs.wiring import engine_config

pytestmark = pytest.mark.timeout(400)

#: Seconds until what must happen counts as not happening; the machine may be busy.
PATIENCE = 240.0

QUEUE = "crashes"


class Site:
    """The crash actors under a supervisor, and what they have left.

    Parameters:
      folder: For its files.
      broker_url: RabbitMQ; None: the embedded broker.
    """

    def __init__(self, folder: Path, broker_url: str | None) -> None:
        self._log, self._said = folder / "runs", folder / "said"
        self._log.touch()
        variables = {"GROWBIN_DATA_DIR": str(folder / "data"), "GROWBIN_NODE": "node-1"}
        if broker_url:
            variables["GROWBIN_BROKER_URL"] = broker_url
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("GROWBIN_", "OPENAI_"))}
        self._env = kept | variables | {"CRASH_LOG": str(self._log)}
        settings = _settings.load(data_dir=folder / "data", node="node-1", broker_url=broker_url)
        config = engine_config(settings)
        upgrade(open_central(config), config.schema)
        self._broker = open_broker(config, [])
        self._broker.declare_queue(QUEUE)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str, pauses_divided_by: float = 1.0) -> None:
        """Start the supervisor.

        Parameters:
          options: Of ``faults.supervised``.
          pauses_divided_by: For tests in which nobody kills from outside while something waits in isolation.
        """
        env = self._env | {DIVISOR: str(pauses_divided_by)}
        with self._said.open("ab") as said:
            command = [sys.executable, "-m", "faults.supervised"]
            self._process = start_program("faults.supervised", command, *options, env=env, cwd=TESTS, stderr=said)

    def send(self, actor: str, *args: object) -> None:
        """Hand in a message."""
        self._broker.enqueue(Message(queue_name=QUEUE, actor_name=actor, args=args, kwargs={}, options={}))

    def runs(self, what: str) -> Counter[str]:
        """Return how often each message has begun or ended."""
        lines = [line.split() for line in self._log.read_text().splitlines()]
        return Counter(name for said, name, _ in lines if said == what)

    def dead(self) -> list[str]:
        """Return the names of the messages that were given up."""
        return sorted(str(json.loads(each.body)["args"][0]) for each in self._broker.dead_letters(QUEUE))

    def workers(self) -> list[psutil.Process]:
        """Return the worker processes, and the isolation processes."""
        assert self._process
        found = []
        for each in psutil.Process(self._process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                words = " ".join(each.cmdline())
                if "supervision.worker_process" in words or "isolation.child" in words:
                    found.append(each)
        return found

    def await_(self, holds: object) -> None:
        """Wait for it."""
        assert await_that(holds, PATIENCE), f"{self.runs('begin')}\n{self.said()}"

    def said(self, lines: int = 40) -> str:
        """Return the end of what the processes said."""
        return "\n".join(self._said.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> int:
        """Stop the supervisor as an operator does, and return its exit code."""
        assert self._process
        self._process.terminate()
        return self._process.wait(90)

    def close(self) -> None:
        """End whatever still runs."""
        if self._process and self._process.poll() is None:
            for each in [psutil.Process(self._process.pid), *self.workers()]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            self._process.wait()
        self._broker.close()


#: Who is a suspect, and what runs in isolation, is decided by the journal, whatever the broker.
PLACES = [pytest.param("rabbitmq", marks=pytest.mark.services), *["embedded"] * WHOLE]


@pytest.fixture(params=PLACES)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    url = request.getfixturevalue("rabbitmq_url") if request.param == "rabbitmq" else None
    made = Site(tmp_path, url)
    yield made
    made.close()


#: Each kind of broker, each kind of worker and each way to die.
@pytest.mark.parametrize(
    ("site", "pool", "kinds"),
    [
        pytest.param(
            "embedded", ["--pool", "threads", "--threads", "8"], ["segfault", "sigkill"], id="two-embedded"
        ),
        pytest.param(
            "rabbitmq", ["--pool", "gevent", "--threads", "1000"], ["abort", "exit", *["sigkill"] * WHOLE],
            id="others-under-gevent-rabbitmq", marks=[pytest.mark.services, pytest.mark.before_release],
        ),
    ],
    indirect=["site"],
)  # fmt: skip
def test_what_kills_its_process_is_found_within_five_crashes_and_takes_nobody_with_it(site, pool, kinds):
    innocents = [f"innocent-{number}" for number in range(100)]
    for number, name in enumerate(innocents):
        if number == 10:
            for kind in kinds:
                site.send("killer", f"killer-{kind}", kind)
        site.send("innocent", name, 0.2)
    killers = sorted(f"killer-{kind}" for kind in kinds)

    site.start(*pool, pauses_divided_by=10.0)
    site.await_(lambda: site.dead() == killers and len(site.runs("end")) == len(innocents))

    begun = site.runs("begin")
    assert {name: begun[name] for name in killers if begun[name] > 5} == {}
    assert sorted(site.runs("end")) == sorted(innocents)
    assert site.stop() == 0


@pytest.mark.before_release
def test_kills_of_random_processes_cost_reruns_and_give_nobody_up(site):
    dice = random.Random(4)
    names = [f"innocent-{number}" for number in range(60)]
    for name in names:
        site.send("innocent", name, 1.0)
    site.start("--processes", "2", "--threads", "4")
    site.await_(lambda: bool(site.runs("begin")))

    kills = 0
    while len(site.runs("end")) < len(names) and kills < 12:
        before = site.runs("begin").total()
        if victims := site.workers():
            with contextlib.suppress(psutil.NoSuchProcess):
                dice.choice(victims).kill()
                kills += 1
        await_that(lambda before=before: site.runs("begin").total() > before, 10.0)
    site.await_(lambda: len(site.runs("end")) == len(names))

    assert kills > 0
    assert site.dead() == []
    assert site.stop() == 0


@pytest.mark.parametrize("site", ["embedded"], indirect=True)  # a supervisor knows no broker
def test_a_dead_worker_process_is_replaced_without_its_siblings(site):
    site.start("--processes", "3", "--threads", "2")
    site.send("innocent", "first", 0.0)
    site.await_(lambda: bool(site.runs("end")))
    site.await_(lambda: len(site.workers()) == 3)
    victim, *siblings = site.workers()

    victim.kill()

    def replaced() -> bool:
        now = {each.pid for each in site.workers()}
        return len(now) == 3 and victim.pid not in now and {each.pid for each in siblings} < now

    site.await_(replaced)
    assert site.stop() == 0
    assert "was killed by SIGKILL; it starts again" in site.said(1000)


def test_follow_ups_of_a_message_that_ran_in_isolation_are_sent_once(site):
    """Two deaths with nobody to blame make it a suspect; then it runs in isolation, to its end."""
    site.start("--processes", "1", "--threads", "4")
    site.send("innocent", "long", 2.0)
    site.send("follow_up", "parent", 2.0)
    for crash in (1, 2):
        site.await_(lambda crash=crash: site.runs("begin")["long"] == site.runs("begin")["parent"] == crash)
        for each in site.workers():
            each.kill()
    site.await_(lambda: site.runs("end")["long"] >= 1 and site.runs("end")["parent-child"] == 1)

    assert site.dead() == []
    assert site.stop() == 0
    assert site.runs("end")["parent-child"] == 1


@pytest.mark.parametrize("site", ["embedded"], indirect=True)
def test_an_isolation_process_that_is_stopped_dies_with_its_worker(site):
    """It looks for its worker itself, and does not while it is stopped (SIGSTOP)."""
    site.start("--processes", "1", "--threads", "4", pauses_divided_by=10.0)
    site.send("innocent", "long", 5.0)
    for crash in (1, 2):
        site.await_(lambda crash=crash: site.runs("begin")["long"] == crash)
        for each in site.workers():
            each.kill()
    site.await_(lambda: site.runs("begin")["long"] == 3)
    worker, isolated = sorted(site.workers(), key=lambda each: "isolation.child" in " ".join(each.cmdline()))

    freeze(isolated.pid)
    worker.kill()

    assert isolated.wait(PATIENCE) is not None or not isolated.is_running()
    site.await_(lambda: site.runs("end")["long"] >= 1)
    assert site.stop() == 0
