"""Watches a worker process from a thread of its own: says how it is, and replaces threads that died."""

from __future__ import annotations

import errno
import itertools
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dramatiq import Middleware, Worker
from dramatiq.broker import Broker

from growbin_jobs.engine import events
from growbin_jobs.engine.middleware.interrupts import Interrupts
from growbin_jobs.engine.middleware.open_files import FilesWatch, end_process
from growbin_jobs.engine.middleware.out_of_memory import end_when_memory_is_lost
from growbin_jobs.engine.node.beats import Beat, BeatFile
from growbin_jobs.engine.node.repeated_signals import ignore_repeated_stops
from growbin_jobs.engine.processes import is_isolated_process
from growbin_jobs.engine.threads import native

if TYPE_CHECKING:
    from growbin_jobs.engine.journal.journal import Journal

logger = logging.getLogger(__name__)

#: Seconds between two signs of life.
INTERVAL = 2.0

#: Seconds without a turn for any thread or greenlet after which a process is ended, but not within the time limits of
#: what runs in it: it may compute. Kubernetes' probes are sooner; elsewhere nobody else would see it.
STUCK = 300.0

#: Signs of life for each look at all threads: to ask a thousand greenlets costs a millisecond.
TURNS = 3


class Watch(Middleware):
    """See the module; :mod:`growbin_jobs.engine.node.health` reads what it says.

    A worker thread that has died (an error in Dramatiq's own code, or out of memory) is replaced. A consumer that has
    died is not, since deliveries that it has handed out belong to it: the process drains and ends, and whoever
    supervises it starts another. A process that can open no file any more ends at once, and so does one in which
    something got lost for want of memory, and one in which nobody has had a turn for :data:`STUCK` and beyond the time
    limits of what runs.

    Parameters:
      folder: Of the node.
      journal: Returns the process's journal.
      interrupts: Returns the clocks of time limits.
    """

    def __init__(self, folder: Path, journal: Callable[[], Journal], interrupts: Callable[[], Interrupts]) -> None:
        self._folder = folder
        self._journal = journal
        self._interrupts = interrupts
        self._file: BeatFile | None = None
        self._worker: Any = None
        self._hub_at = 0.0
        self._seen = (0, 0, 0)  # living worker threads, open consumers, consumers
        self._stop: Any = None
        self._stopping = False
        self._given_up = False

    def after_process_boot(self, broker: Broker) -> None:
        # Only dramatiq's command says that a process has booted: its handlers are set, and the process is a worker's.
        ignore_repeated_stops()
        end_when_memory_is_lost()

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        if not hasattr(broker, "intake") or is_isolated_process():
            return
        try:
            self._file = BeatFile(self._folder)
        except OSError as error:
            logger.warning("worker.no_beat probes will take this process for dead error=%s", error)
            return
        self._worker, self._stopping, self._given_up = worker, False, False
        self._look()
        self._hub_at = time.monotonic()
        self._stop = native("_thread", "allocate_lock")()
        self._stop.acquire()
        threading.Thread(target=self._turn, args=(self._stop,), name="hub-beat", daemon=True).start()
        native("_thread", "start_new_thread")(self._run, (self._stop, self._file))

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        self._stopping = True

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        stop, self._stop = self._stop, None
        if stop is not None:
            stop.release()

    def _turn(self, stop: Any) -> None:
        """Prove that threads or greenlets of this process get their turn: a thread, or a greenlet under gevent."""
        for turn in itertools.count():
            if not stop.locked():
                return
            if turn % TURNS == 0:
                try:
                    if not self._stopping:
                        self._replace_dead()
                    self._look()
                except Exception:  # no thread can be started, for instance; the next look may be luckier
                    logger.exception("worker.look_failed")
            self._hub_at = time.monotonic()
            time.sleep(INTERVAL)

    def _look(self) -> None:
        # Here and not in the native thread: gevent's threads are not for others to ask.
        workers, consumers = tuple(self._worker.workers), tuple(self._worker.consumers.values())
        alive = len(_living().intersection(workers))
        self._seen = alive, sum(_is_open(each.consumer) for each in consumers), len(consumers)

    def _replace_dead(self) -> None:
        worker = self._worker
        living = _living()
        for thread in [each for each in worker.workers if each not in living]:
            if self._stopping:
                return
            worker.workers.remove(thread)
            worker._add_worker()
            events.THREAD_REPLACED.emit(thread="worker")
        for queue, consumer in tuple(worker.consumers.items()):
            if not consumer.is_alive() and not self._stopping and not self._given_up:
                self._given_up = True
                events.CONSUMER_DIED.emit(queue=queue)
                os.kill(os.getpid(), signal.SIGTERM)

    def _run(self, stop: Any, file: BeatFile) -> None:
        """In a native thread, which a blocked hub does not stop."""
        files, turn, looks = FilesWatch(), 0.0, 0
        while True:
            files.look()
            # Looks are counted, and not seconds: whoever was stopped (SIGSTOP) for an hour has not looked meanwhile.
            turn, looks = self._hub_at, looks + 1 if turn == self._hub_at else 0
            if looks * INTERVAL >= STUCK and self._is_stuck():
                end_process("Nothing in it has had a turn for too long.")
            try:
                file.write(self._beat())
            except Exception as error:
                if isinstance(error, OSError) and error.errno == errno.EBADF:
                    end_process("An actor has closed files that are not its own.")
                logger.exception("worker.beat_failed")
            if stop.acquire(timeout=INTERVAL):
                stop.release()  # the other thread looks at it too
                break
        file.remove()

    def _is_stuck(self) -> bool:
        interrupts = self._interrupts()
        return not interrupts.running() or interrupts.outlived()

    def _beat(self) -> Beat:
        health = self._journal().health()
        alive, fetching, queues = self._seen
        return Beat(
            pid=os.getpid(),
            at=time.monotonic(),
            hub_at=self._hub_at,
            threads=self._worker.worker_threads,
            alive=alive,
            busy=self._interrupts().running(),
            fetching=fetching,
            queues=queues,
            overdue=self._interrupts().overdue(),
            writable=health.writable,
            reason=health.reason,
            stopping=self._stopping,
        )


def _is_open(consumer: Any) -> bool:
    if consumer is None:
        return False
    inner = getattr(consumer, "_consumer", consumer)
    return not getattr(inner, "closed", False)


def _living() -> set[threading.Thread]:
    """Return all threads that live. ``is_alive()`` of each greenlet would switch to the hub a thousand times."""
    return set(threading.enumerate())
