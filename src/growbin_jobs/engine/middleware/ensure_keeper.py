"""Each worker process tells its node's keeper that it lives, and sees to it that there is a keeper."""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from dramatiq import Middleware, Worker
from dramatiq.broker import Broker
from dramatiq.common import q_name

from growbin_jobs.engine import events
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.groups import group_of
from growbin_jobs.engine.node import registered
from growbin_jobs.engine.node.candidate import Candidate, log_file
from growbin_jobs.engine.node.election import has_keeper
from growbin_jobs.engine.node.keeper_command import keeper_command
from growbin_jobs.engine.node.presence import Presence, WorkerProcess
from growbin_jobs.engine.node.reserved import Reserved
from growbin_jobs.engine.processes import is_isolated_process

logger = logging.getLogger(__name__)

#: Seconds after the boot before a worker misses the keeper: dramatiq forks it once its slowest worker has booted.
PATIENCE = 20.0

#: Seconds between two looks.
INTERVAL = 5.0

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EnsureKeeper(Middleware):
    """Bring a candidate for the node's keeper along with each ``dramatiq``, and replace a keeper that is missed.

    dramatiq forks the candidate, tells it to stop together with the workers, and waits for it at the end; it does not
    start it again. So a worker process that finds the node without a keeper starts one, tells it to stop when it
    stops itself, and waits for it. Does nothing in a producer.

    Parameters:
      config: Of the node.
      source: Returns the engine's import string, by which the keeper's process finds it; None: there is none, and
        then there is no keeper.
    """

    def __init__(self, config: EngineConfig, source: Callable[[], str | None]) -> None:
        self._config = config
        self._source = source
        self._folder = config.node_dir
        self._wait = config.final_sync_timeout + 2.0
        self._in_worker_process = False
        self._presence: Presence | None = None
        self._stopping = threading.Event()
        self._started: int | None = None
        self._reserved: Reserved | None = None

    @property
    def forks(self) -> list[Callable[[], int]]:
        source = self._source()
        return [] if source is None else [Candidate(source, self._folder)]

    def after_process_boot(self, broker: Broker) -> None:
        # Only dramatiq's command says so: a Worker in a test, or in somebody's own program, needs no keeper. What runs
        # messages for a worker belongs to that one.
        self._in_worker_process = not is_isolated_process()

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        if not self._in_worker_process:
            return
        if self._source() is None:
            logger.warning("worker.no_keeper nothing is copied or pruned: make the engine a module's variable")
        self._stopping = threading.Event()
        try:
            self._presence = Presence(self._folder, self._facts(broker, worker))
            registered.tell(self._folder, broker.get_declared_actors())
        except OSError as error:
            logger.warning("worker.not_announced the keeper may leave before it error=%s", error)
        self._reserved = Reserved(self._folder)
        watch = (self._stopping, worker)
        threading.Thread(target=self._watch, args=watch, daemon=True, name="keeper-watch").start()

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        self._stopping.set()
        if self._reserved is not None:
            self._reserved.withdraw()
        if self._started is not None:
            # Else the kernel says that this process is gone, when it really is.
            if self._presence is not None:
                self._presence.leave()
            self._await_the_end_of(self._started)

    def _watch(self, stopping: threading.Event, worker: Worker) -> None:
        missed = 0
        begin = time.monotonic() + PATIENCE
        # Not all at once, so that one of many processes is the first to miss it.
        while not stopping.wait(INTERVAL * random.uniform(0.8, 1.2)):  # noqa: S311
            if self._reserved is not None:
                self._reserved.tell(worker.work_queue, _consumers(worker))
            if time.monotonic() < begin:
                continue
            missed = 0 if self._sees_a_keeper() else missed + 1
            # One that lives and does not serve, since the folder was removed under it, would be one of ever more.
            if self._reap() and missed >= 2:
                missed = 0
                self._start_one()

    def _sees_a_keeper(self) -> bool:
        try:
            return has_keeper(self._folder)
        except OSError:  # no file can be opened or locked for now: another one could not either
            return True

    def _start_one(self) -> None:
        source = self._source()
        if source is None:
            return
        command = keeper_command(source, self._folder, os.getppid(), "--at-once", log_file=log_file())
        # Not subprocess: gevent's own forks in Python, with everything that this process would have to hold still.
        # It inherits no blocked or ignored signal.
        self._started = os.posix_spawn(command[0], command, self._config.environment, setsigmask=(), setsigdef=_SIGNALS)
        events.KEEPER_STARTED.emit(pid=self._started)

    def _reap(self) -> bool:
        """Return True when a keeper that this process has started has ended."""
        if self._started is None:
            return True
        with suppress(ChildProcessError):
            if os.waitpid(self._started, os.WNOHANG) == (0, 0):
                return False
        self._started = None
        return True

    def _await_the_end_of(self, pid: int) -> None:
        end = time.monotonic() + self._wait
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        while not self._reap() and time.monotonic() < end:
            time.sleep(0.05)

    def _facts(self, broker: Broker, worker: Worker) -> WorkerProcess:
        queues = {q_name(queue) for queue in broker.get_declared_queues()}
        if worker.consumer_whitelist:
            queues &= worker.consumer_whitelist
        return WorkerProcess(
            pid=os.getpid(),
            master=os.getppid(),
            group=group_of(self._config.groups, queues),
            threads=worker.worker_threads,
            queues=tuple(sorted(queues)),
            version=self._config.version,
            started_at=time.time(),
        )


def _consumers(worker: Worker) -> list[object]:
    """Return the broker's consumers of a worker, as far as they are open now."""
    return [getattr(thread, "consumer", None) for thread in list(worker.consumers.values())]
