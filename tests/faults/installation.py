"""One installation of the product under test: nodes with workers, producers, links to its servers, and the audit."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from faults.effects import Effects
from faults.history import Disposition, History, judge, read_log
from faults.jobs import MIX, Request, requests
from faults.journals import Journals
from faults.links import Link
from faults.processes import Process, Producer, Worker, await_that
from faults.servers import Embedded, Rabbit
from growbin_jobs import settings as _settings
from growbin_jobs.engine.broker.rabbitmq.self_healing_consumer import SILENCE
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.models import SCHEMA
from growbin_jobs.wiring import central_database

#: Seconds until something that must happen counts as not happening. A queue that was deleted may keep a consumer that
#: RabbitMQ has forgotten, which begins anew after a while of silence: two messages then wait for that long.
PATIENCE = SILENCE + 40.0

#: Seconds between two looks at what is left: each asks every queue, for a hundredth of a second of computing.
LOOKS = 0.25

#: Seconds that a keeper may take to look through the dead letters of a test and put them back.
KEEPER_LOOKS = 5.0

QUICK = {
    "GROWBIN_DEFERRAL_WAIT": "0.5",
    "GROWBIN_DATABASE_TIMEOUT": "5",
    "GROWBIN_DATABASE_POOL_SIZE": "8",
    "GROWBIN_RELAY_AFTER": "1",
    "GROWBIN_FINAL_SYNC_TIMEOUT": "5",
    "dramatiq_restart_delay": "200",
}

WORKER = "worker"

#: The node that most faults happen to.
NODE = "node-1"

#: How a worker is started unless a fault says otherwise.
ORDINARY = {"node": NODE, "env": None}

#: The producers' node.
PRODUCERS = "producers"


class Installation:
    """Everything that one fault needs.

    Parameters:
      folder: For its files.
      rabbit: Its virtual host; None: the embedded broker.
      postgres_url: Its database; None: a SQLite file.
      seed: What job ids and choices come from.
      forks: Workers and producers are forked from a process that has loaded the libraries, where nothing speaks against
        it.

    Attributes:
      broker_link, database_link: What workers and producers go through; None where it is a file.
      workers: By name.
      journals: Of all nodes.
      earlier: Jobs of the faults before this one.
      ended: Messages that were completed when :meth:`note_ended` looked, and how often each had run to its end.
    """

    def __init__(
        self,
        folder: Path,
        *,
        rabbit: Rabbit | None = None,
        postgres_url: str | None = None,
        seed: int = 0,
        forks: bool = False,
    ) -> None:
        self.folder = folder
        self._forks = forks
        self.rabbit = rabbit
        self.dice = random.Random(seed)
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(("GROWBIN_", "OPENAI_"))}
        self.env |= QUICK | {
            "GROWBIN_DATA_DIR": str(folder / "data"),
            "GROWBIN_NODE": NODE,
            "FAULTS_OBJECTS": str(self.objects),
            "FAULTS_ORDERS": str(folder / "orders"),
        }
        self.objects.mkdir(parents=True)
        self.broker_link = Link(rabbit.url) if rabbit else None
        self.database_link = Link(postgres_url) if postgres_url else None
        if self.broker_link:
            self.env["GROWBIN_BROKER_URL"] = self.broker_link.url
        if self.database_link:
            self.env["DATABASE_URL"] = self.database_link.url
        self.workers: dict[str, Worker] = {}
        self._how: dict[str, dict[str, Any]] = {}
        self._buried: deque[Process] = deque(maxlen=3)
        self._kills = 0
        self.journals = Journals(folder / "data", {NODE, PRODUCERS})
        self.earlier: frozenset[str] = frozenset()
        self._begun_earlier = 0
        self._fresh: set[str] = set()
        self.ended: dict[str, int] = {}
        self._producers: list[Producer] = []
        self._main: Producer | None = None
        self._asked: list[Request] = []
        settings = _load(self.env | ({"DATABASE_URL": postgres_url} if postgres_url else {}))
        self._database = central_database(settings)
        upgrade(self._database, SCHEMA)
        self.effects = Effects(self._database)
        self.effects.create()
        self.broker: Rabbit | Embedded = rabbit or Embedded(settings.embedded_broker_path)

    @property
    def objects(self) -> Path:
        """Where the actor ``stumbling`` stores its objects."""
        return self.folder / "objects"

    def note_ended(self) -> None:
        """Remember which messages the journals hold as completed now, and how often they have ended."""
        ends = self.effects.runs("end")
        self.ended = {message: ends[message] for message in self.journals.completed() & ends.keys()}

    def begin(self) -> None:
        """Note that another fault begins."""
        self.earlier = frozenset(self.history().jobs)
        self._begun_earlier = self.effects.begun()
        self._fresh.clear()
        self.ended = {}

    # --- workers

    def start(
        self, name: str = WORKER, *, node: str = NODE, env: Mapping[str, str] | None = None, **how: Any
    ) -> Worker:
        """Start a ``dramatiq`` under a name; what ran under it before is dead or stopped."""
        before = self.workers.get(name)
        assert before is None or not before.running, f"{name} still runs"
        if before is not None:
            before.kill()  # orphans
            self._bury(name)
        self.journals.nodes.add(node)
        # With another path it has another sitecustomize.
        forked = self._forks and "PYTHONPATH" not in (env or {})
        worker = Worker(self.env | {"GROWBIN_NODE": node} | dict(env or {}), forked=forked, **how)
        self.workers[name] = worker
        self._how[name] = {"node": node, "env": env, **how}
        self._fresh.add(name)
        return worker

    def ensure(self, name: str = WORKER, **how: Any) -> Worker:
        """Start it unless it runs, the way it was started last unless one is given."""
        worker = self.workers.get(name)
        return worker if worker is not None and worker.running else self.start(name, **(how or self._how.get(name, {})))

    def ready(self, name: str = WORKER, **how: Any) -> Worker:
        """As :meth:`ensure`, and wait until it takes messages."""
        worker = self.ensure(name, **how)
        assert worker.await_that(lambda: worker.ready, PATIENCE), self.last_words()
        return worker

    def _bury(self, name: str) -> None:
        worker = self.workers.pop(name)
        self._kills += worker.popen.returncode != 0
        self._buried.append(worker)

    @property
    def kills(self) -> int:
        """How many workers and producers did not end by themselves in peace."""
        ended = [each for each in [*self.workers.values(), *self._producers] if not each.running]
        return self._kills + sum(each.popen.returncode != 0 for each in ended)

    # --- producers

    def producer(self, env: Mapping[str, str] | None = None) -> Producer:
        """Start a producer and wait until it is ready.

        It has a node of its own: what it could not send is in its journal, not in the one that faults happen to.
        """
        producer = Producer(self.env | {"GROWBIN_NODE": PRODUCERS} | dict(env or {}), forked=self._forks)
        self._producers.append(producer)
        assert producer.await_that(lambda: producer.ready, PATIENCE), self.last_words()
        return producer

    def hand_in(self, load: Mapping[str, int], *, by: Producer | None = None, wait: bool = True) -> list[Request]:
        """Let a producer hand in so many jobs of each kind.

        Parameters:
          load: By kind.
          by: Which producer; None: the first one, which is started if need be.
          wait: Until all are answered.
        """
        by = by or self._first_producer()
        asked = requests(dict(load), self.dice)
        self._asked += asked
        by.hand_in(asked)
        if wait:
            assert by.answered(PATIENCE), f"not all was answered.\n{self.last_words()}"
        return asked

    def _first_producer(self) -> Producer:
        if self._main is None or not self._main.running:
            self._main = self.producer()
        return self._main

    @contextlib.contextmanager
    def dripping(self, *, every: float = 0.2) -> Iterator[None]:
        """Let jobs of all harmless kinds come in, one by one, as long as the block lasts.

        Parameters:
          every: Seconds between two.
        """
        producer = self._first_producer()
        over = threading.Event()
        dice = random.Random(self.dice.random())
        kinds = itertools.cycle(MIX)

        def drip() -> None:
            while not over.wait(every):
                producer.hand_in(requests({next(kinds): 1}, dice))  # if it is killed, nothing more comes

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    # --- what has come of it

    def history(self) -> History:
        """Return everything that was seen so far."""
        log = [line for producer in self._producers for line in list(producer.log)]
        effects = self.effects.all()
        return History(
            read_log(log),
            effects,
            self.broker.dead(),
            dict(self.effects.runs("end")),
        )

    def handed_in(self, kind: str) -> list[str]:
        """Return the jobs of a kind that :meth:`hand_in` has handed in."""
        return [request.job for request in self._asked if request.kind == kind]

    def begun(self) -> int:
        """Return how many runs have begun since the fault has."""
        return self.effects.begun() - self._begun_earlier

    def await_begun(self, number: int, timeout: float = PATIENCE) -> None:
        """Wait until so many runs have begun."""
        assert await_that(lambda: self.begun() >= number, timeout), self.last_words()

    def settled(self, timeout: float = PATIENCE) -> bool:
        """Wait until all that was accepted is done or dead; True when it is."""
        return await_that(lambda: not judge(self.history()).lost, timeout, every=0.2)

    def unsettled(self) -> dict[str, int]:
        """Return where messages still are, and how many: dead letters are left out, and so is where there are none."""
        places = {
            "in queues": self.broker.waiting(),
            "with consumers": self.broker_link.held if self.broker_link else 0,
            "owed by journals": self.journals.owed(),
        }
        return {place: number for place, number in places.items() if number}

    def settle(self, timeout: float = PATIENCE) -> Disposition:
        """Wait until all that was accepted is done or dead and nothing is in a queue or with a consumer, and judge.

        What is still missing when the time is over is lost, by the verdict. Workers that have lived through the fault
        are told to stop, and must. One that was started since to mend it stays, for the next fault.
        """
        for producer in self._producers:
            producer.answered(timeout)
        deadline = time.monotonic() + timeout
        # One look decides: a second one may meet a keeper that looks at dead letters, or a rerun after a crash.
        while (left := self.unsettled() or judge(self.history()).lost) and time.monotonic() < deadline:
            for name, worker in list(self.workers.items()):
                if not worker.running:  # a poisonous message has ended it; its supervisor starts it again
                    self.ensure(name)
            time.sleep(LOOKS)
        self._dismiss_producers()
        self.stop([name for name in self.workers if name not in self._fresh or self._how[name] != ORDINARY])
        self._how = {name: self._how[name] for name in self.workers}  # the next fault begins with ordinary ones
        verdict = self._verdict()
        assert not left or verdict.lost, f"{left}\n{self.last_words()}"
        return verdict

    def _verdict(self) -> Disposition:
        """Judge; again while something is missing, for a worker's keeper may hold dead letters that it looks at."""
        deadline = time.monotonic() + KEEPER_LOOKS
        while (verdict := judge(self.history())).lost and time.monotonic() < deadline:
            time.sleep(0.1)
        return verdict

    def _dismiss_producers(self) -> None:
        """Close all producers but the first one."""
        for producer in self._producers:
            if producer is not self._main:
                producer.close()

    def stop(self, names: Collection[str] | None = None, grace: float = 30.0) -> None:
        """Stop workers as an operator does.

        Parameters:
          names: Which ones; None: all.
          grace: Seconds that they may take.
        """
        names = list(self.workers) if names is None else names
        for name in names:
            self.workers[name].ask_to_stop()
        for name in names:
            assert self.workers[name].stop(grace), f"{name} did not stop in {grace} s.\n{self.last_words()}"
            self._bury(name)

    def evidence(self, verdict: Disposition) -> str:
        """Return what is known of the jobs that went wrong, and the end of what the processes said."""
        wanted = {
            name.partition("/")[0] for name in verdict.lost | verdict.duplicated | verdict.unexpected | verdict.killed
        }
        found = [f"messages left: {self.unsettled()}", *self.journals.about(wanted)]
        attempts = [f"{what}: {dict(self.effects.runs(what, wanted))}" for what in ("begin", "end")]
        return "\n".join([str(verdict), *found[:60], *attempts, self.last_words()])

    def last_words(self, lines: int = 25) -> str:
        """The end of what the processes said."""
        processes = {**self.workers, **{f"producer {n}": each for n, each in enumerate(self._producers)}}
        processes |= {f"buried {n}": each for n, each in enumerate(self._buried)}
        return "\n".join(
            f"--- {name}\n" + "\n".join(list(process.lines)[-lines:]) for name, process in processes.items()
        )

    def close(self) -> None:
        """End whatever still runs."""
        for link in (self.broker_link, self.database_link):
            if link:
                link.open()
        for process in [*self.workers.values(), *self._producers]:
            process.signal(signal.SIGCONT)
            process.kill()
        self._database.close()
        if isinstance(self.broker, Embedded):
            self.broker.close()
        for link in (self.broker_link, self.database_link):
            if link:
                link.close()


def _load(env: Mapping[str, str]) -> _settings.Settings:
    known = {_settings.Settings.variable(name): name for name in _settings.Settings.model_fields}
    return _settings.load(**{known[key]: value for key, value in env.items() if key in known})


assert sys.platform == "linux", "signals, /proc and process groups as Linux has them"
