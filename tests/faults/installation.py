"""One installation of the product under test: nodes with workers, producers, links to its servers, and the audit."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import apsw

from faults.effects import Effects
from faults.history import History, Verdict, judge, read_log
from faults.jobs import MIX, Request, requests
from faults.links import Link
from faults.processes import TESTS, Process, Producer, Worker, await_that
from faults.servers import Embedded, Rabbit
from growbin_jobs import settings as _settings
from growbin_jobs.models.upgrade import upgrade
from growbin_jobs.wiring import central_database

#: Seconds until something that must happen counts as not happening; only a test that fails waits so long.
PATIENCE = 60.0

QUICK = {
    "GROWBIN_DEFERRAL_WAIT": "0.5",
    "GROWBIN_DATABASE_TIMEOUT": "5",
    "GROWBIN_DATABASE_POOL_SIZE": "8",
    "GROWBIN_RELAY_AFTER": "1",
    "GROWBIN_FINAL_SYNC_TIMEOUT": "5",
    "dramatiq_restart_delay": "200",
}

WORKER = "worker"


class Installation:
    """Everything that one fault needs.

    Parameters:
      folder: For its files.
      rabbit: Its virtual host; None: the embedded broker.
      postgres_url: Its database; None: a SQLite file.
      seed: What job ids and choices come from.

    Attributes:
      broker_link, database_link: What workers and producers go through; None where it is a file.
      workers: By name.
      nodes: Names of the nodes that have worked here.
      ended: Messages that were completed when :meth:`note_ended` looked.
    """

    def __init__(
        self, folder: Path, *, rabbit: Rabbit | None = None, postgres_url: str | None = None, seed: int = 0
    ) -> None:
        self.folder = folder
        self.rabbit = rabbit
        self.dice = random.Random(seed)
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(("GROWBIN_", "OPENAI_"))}
        self.env |= QUICK | {
            "PYTHONPATH": os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH")))),
            "PYTHONUNBUFFERED": "1",
            "GROWBIN_DATA_DIR": str(folder / "data"),
            "GROWBIN_NODE": "node-1",
            "FAULTS_OBJECTS": str(self.objects),
        }
        self.objects.mkdir(parents=True)
        self.broker_link = Link(rabbit.url) if rabbit else None
        self.database_link = Link(postgres_url) if postgres_url else None
        if self.broker_link:
            self.env["GROWBIN_BROKER_URL"] = self.broker_link.url
        if self.database_link:
            self.env["DATABASE_URL"] = self.database_link.url
        self.workers: dict[str, Worker] = {}
        self._before: deque[Process] = deque(maxlen=3)
        self._kills = 0
        self.nodes = {"node-1"}
        self.ended: set[str] = set()
        self._producers: list[Producer] = []
        self._asked: list[Request] = []
        settings = _load(self.env | ({"DATABASE_URL": postgres_url} if postgres_url else {}))
        self._database = central_database(settings)
        upgrade(self._database)
        self.effects = Effects(self._database)
        self.effects.create()
        self.broker: Rabbit | Embedded = rabbit or Embedded(settings.local_broker_path)

    @property
    def objects(self) -> Path:
        """Where the actor ``stumbling`` stores its objects."""
        return self.folder / "objects"

    def journal(self, node: str = "node-1") -> Path:
        """A node's journal."""
        return self.folder / "data" / node / "task_queue.db"

    def note_ended(self) -> None:
        """Remember which messages the journals of all nodes hold as completed now."""
        for node in self.nodes:
            self.ended.update(row[0] for row in self._rows(node, "task_wal") if "completed" in row)

    # --- workers

    def start(
        self, name: str = WORKER, *, node: str = "node-1", env: Mapping[str, str] | None = None, **how: Any
    ) -> Worker:
        """Start a ``dramatiq`` under a name; what ran under it before is dead or stopped."""
        before = self.workers.get(name)
        assert before is None or not before.running, f"{name} still runs"
        if before is not None:
            before.kill()  # orphans
            self._bury(before)
        self.nodes.add(node)
        worker = Worker(self.env | {"GROWBIN_NODE": node} | dict(env or {}), **how)
        self.workers[name] = worker
        return worker

    def _bury(self, process: Process) -> None:
        self._kills += process.popen.returncode != 0
        self._before.append(process)

    @property
    def kills(self) -> int:
        """How many workers and producers did not end by themselves in peace."""
        ended = [each for each in [*self.workers.values(), *self._producers] if not each.running]
        return self._kills + sum(each.popen.returncode != 0 for each in ended)

    def ensure(self, name: str = WORKER, **how: Any) -> Worker:
        """Start it unless it runs."""
        worker = self.workers.get(name)
        return worker if worker is not None and worker.running else self.start(name, **how)

    # --- producers

    def producer(self, env: Mapping[str, str] | None = None) -> Producer:
        """Start a producer and wait until it is ready."""
        producer = Producer(self.env | dict(env or {}))
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
        by = by or self._any_producer()
        asked = requests(dict(load), self.dice)
        self._asked += asked
        by.hand_in(asked)
        if wait:
            assert by.answered(PATIENCE), f"not all was answered.\n{self.last_words()}"
        return asked

    def _any_producer(self) -> Producer:
        running = (producer for producer in self._producers if producer.running)
        return next(running, None) or self.producer()

    @contextlib.contextmanager
    def dripping(self, *, every: float = 0.1) -> Iterator[None]:
        """Let jobs of all harmless kinds come in, one by one, as long as the block lasts.

        Parameters:
          every: Seconds between two.
        """
        producer = self._any_producer()
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
        """Return how many runs have begun."""
        return sum(self.effects.runs("begin").values())

    def await_begun(self, number: int, timeout: float = PATIENCE) -> None:
        """Wait until so many runs have begun."""
        assert await_that(lambda: self.begun() >= number, timeout), self.last_words()

    def await_done(self, number: int, timeout: float = PATIENCE) -> None:
        """Wait until so many effects are there."""
        assert await_that(lambda: len(self.effects.all()) >= number, timeout), self.last_words()

    def settled(self, timeout: float = PATIENCE) -> bool:
        """Wait until all that was accepted is done or dead; True when it is."""
        return await_that(lambda: not judge(self.history()).lost, timeout, every=0.2)

    def settle(self, timeout: float = PATIENCE) -> Verdict:
        """Wait until all that was accepted is done or dead and all queues are empty, stop the workers, and judge.

        What is still missing when the time is over is lost, by the verdict.
        """
        for producer in self._producers:
            producer.answered(timeout)
            producer.close()
        verdict = judge(self.history())
        deadline = time.monotonic() + timeout
        while (verdict.lost or self.broker.waiting()) and time.monotonic() < deadline:
            for name, worker in self.workers.items():
                if not worker.running:  # a poisonous message has ended it; its supervisor starts it again
                    self.start(name)
            time.sleep(0.2)
            verdict = judge(self.history())
        if self.rabbit:
            self.stop()  # what workers held unnoticed is back in its queue then
        else:
            self.kill()  # the embedded broker says what they hold
        left = self.broker.waiting()
        verdict = judge(self.history())
        assert not left or verdict.lost, f"{left} messages are left in the queues.\n{self.last_words()}"
        return verdict

    def kill(self) -> None:
        """kill -9 of all workers."""
        for worker in self.workers.values():
            worker.kill()

    def stop(self, grace: float = 30.0) -> None:
        """Stop all workers as an operator does."""
        for worker in self.workers.values():
            worker.ask_to_stop()
        for worker in self.workers.values():
            assert worker.stop(grace), f"a worker did not stop in {grace} s.\n{self.last_words()}"

    def evidence(self, verdict: Verdict) -> str:
        """Return what is known of the jobs that went wrong, and the end of what the processes said."""
        wanted = {
            name.partition("/")[0] for name in verdict.lost | verdict.duplicated | verdict.unexpected | verdict.killed
        }
        found = [f"{self.broker.waiting()} messages are in the queues"]
        for node in sorted(self.nodes):
            for table in ("task_wal", "outbox"):
                found += [f"{node} {table}: {row}" for row in self._rows(node, table) if wanted & set(_ids(row))]
        attempts = [f"{what}: {dict(self.effects.runs(what, wanted))}" for what in ("begin", "end")]
        return "\n".join([str(verdict), *found[:60], *attempts, self.last_words()])

    def _rows(self, node: str, table: str) -> list[tuple[Any, ...]]:
        if not self.journal(node).exists():
            return []
        with contextlib.closing(apsw.Connection(str(self.journal(node)))) as connection:
            try:
                return list(connection.execute(f"SELECT * FROM {table}"))
            except apsw.Error as error:  # it is what the fault has made of it
                return [(str(error),)]

    def last_words(self, lines: int = 25) -> str:
        """The end of what the processes said."""
        processes = {**self.workers, **{f"producer {n}": each for n, each in enumerate(self._producers)}}
        processes |= {f"before {n}": each for n, each in enumerate(self._before)}
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


def _ids(row: tuple[Any, ...]) -> Iterator[str]:
    """The UUIDs in a row's texts, whole messages included."""
    for value in row:
        text = value.decode() if isinstance(value, bytes) else value if isinstance(value, str) else ""
        yield from re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)


def _load(env: Mapping[str, str]) -> _settings.Settings:
    known = {_settings.variable(name): name for name in _settings.Settings.model_fields}
    return _settings.load(**{known[key]: value for key, value in env.items() if key in known})


assert sys.platform == "linux", "signals, /proc and process groups as Linux has them"
