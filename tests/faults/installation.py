"""One installation of the product under test: nodes with workers, producers, links to its servers, and the audit."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from growbin_jobs import settings as _settings
from growbin_jobs.models.upgrade import upgrade
from growbin_jobs.wiring import central_database

from .effects import Effects
from .history import History, Verdict, judge, read_log
from .jobs import Request, requests
from .links import Link
from .processes import TESTS, Producer, Worker, await_that
from .servers import Embedded, Rabbit

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
        self.ended: deque[Worker] = deque(maxlen=3)
        self.nodes = {"node-1"}
        self._producers: list[Producer] = []
        self._log: list[dict[str, Any]] = []
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

    # --- workers

    def start(self, name: str = WORKER, *, node: str = "node-1", env: Mapping[str, str] | None = None, **how: Any) -> Worker:
        """Start a ``dramatiq`` under a name; what ran under it before is dead or stopped."""
        before = self.workers.get(name)
        assert before is None or not before.running, f"{name} still runs"
        if before is not None:
            before.kill()  # orphans
            self.ended.append(before)
        self.nodes.add(node)
        worker = Worker(self.env | {"GROWBIN_NODE": node} | dict(env or {}), **how)
        self.workers[name] = worker
        return worker

    def ensure(self, name: str = WORKER, **how: Any) -> Worker:
        """Start it unless it runs."""
        worker = self.workers.get(name)
        return worker if worker is not None and worker.running else self.start(name, **how)

    # --- producers

    def producer(self, env: Mapping[str, str] | None = None) -> Producer:
        """Start a producer and wait until it is ready."""
        producer = Producer(self.env | dict(env or {}))
        self._producers.append(producer)
        assert producer.await_word('"ready"', PATIENCE), self.last_words()
        return producer

    def hand_in(self, load: Mapping[str, int], *, by: Producer | None = None, wait: bool = True) -> list[Request]:
        """Let a producer hand in so many jobs of each kind.

        Parameters:
          load: By kind.
          by: Which producer; None: the first one, which is started if need be.
          wait: Until all are answered.
        """
        if by is None:
            by = self._producers[0] if self._producers and self._producers[0].running else self.producer()
        asked = requests(dict(load), self.dice)
        by.hand_in(asked)
        if wait:
            assert by.answered(PATIENCE), f"not all was answered.\n{self.last_words()}"
        return asked

    # --- what has come of it

    def history(self) -> History:
        """Return everything that was seen so far."""
        log = [*self._log, *(line for producer in self._producers for line in list(producer.log))]
        effects = self.effects.all()
        return History(
            read_log(line for line in log if line["what"] != "ready"),
            effects,
            self.broker.dead(),
            dict(self.effects.runs("end")),
        )

    def begun(self) -> int:
        """Return how many runs have begun."""
        return sum(self.effects.runs("begin").values())

    def await_begun(self, number: int, timeout: float = PATIENCE) -> None:
        """Wait until so many runs have begun."""
        assert await_that(lambda: self.begun() >= number, timeout), self.last_words()

    def await_done(self, number: int, timeout: float = PATIENCE) -> None:
        """Wait until so many effects are there."""
        assert await_that(lambda: len(self.effects.all()) >= number, timeout), self.last_words()

    def settle(self, timeout: float = PATIENCE) -> Verdict:
        """Wait until all that was accepted is done or dead and all queues are empty, stop all, and judge.

        What is still missing when the time is over is lost, by the verdict.
        """
        for producer in self._producers:
            producer.answered(timeout)
        verdict = judge(self.history())
        deadline = time.monotonic() + timeout
        while (verdict.lost or self.broker.waiting()) and time.monotonic() < deadline:
            for name, worker in self.workers.items():
                if not worker.running:  # a poisonous message has ended it; its supervisor starts it again
                    self.start(name)
            time.sleep(0.2)
            verdict = judge(self.history())
        self.stop()
        # What workers held unnoticed is back in its queue now.
        left = self.broker.waiting()
        verdict = judge(self.history())
        assert not left or verdict.lost, f"{left} messages are left in the queues.\n{self.last_words()}"
        return verdict

    def stop(self, grace: float = 30.0) -> None:
        """Stop all workers as an operator does, and the producers."""
        for worker in self.workers.values():
            if worker.running:
                worker.popen.send_signal(signal.SIGTERM)
        for worker in self.workers.values():
            assert worker.stop(grace), f"a worker did not stop in {grace} s.\n{self.last_words()}"

    def forget(self) -> None:
        """Forget this round's history, between two rounds of a soak."""
        for producer in self._producers:
            producer.kill()
        self._producers.clear()
        self._log.clear()
        self.effects.clear()
        self.broker.clear()

    def last_words(self, lines: int = 25) -> str:
        """The end of what the processes said."""
        processes = {**self.workers, **{f"producer {n}": each for n, each in enumerate(self._producers)}}
        processes |= {f"before {n}": each for n, each in enumerate(self.ended)}
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
    known = {_settings.variable(name): name for name in _settings.Settings.model_fields}
    return _settings.load(**{known[key]: value for key, value in env.items() if key in known})


assert sys.platform == "linux", "signals, /proc and process groups as Linux has them"
