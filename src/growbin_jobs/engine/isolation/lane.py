"""A lane of isolation: suspects that wait for one isolation process, and the thread that runs them there."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from growbin_jobs.engine import events
from growbin_jobs.engine.backoff import Backoff
from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.foreign_errors import describe, places
from growbin_jobs.engine.isolation.channel import Word
from growbin_jobs.engine.isolation.policy import Trial
from growbin_jobs.engine.isolation.process import IsolationProcess

#: Seconds that an isolation process without a message is kept: suspects come in groups.
IDLE = 10.0

#: Seconds between two looks for more suspects while some run.
LOOK = 0.2


class Suspect:
    """A delivery with what it has done in isolation.

    Attributes:
      crashes: Deaths in a row at which it was running.
      last_death: When the process died in which it ran last; at first when it came here. Seconds since 1970, UTC.
    """

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        history = delivery.life.history if delivery.life is not None else None
        self.crashes = history.crashes if history is not None else 0
        self.trial = Trial()
        self.last_death = time.time()


class Waiting:
    """Suspects that wait for a lane, each until it is due."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._heap: list[tuple[float, int, Suspect]] = []
        self._numbers = itertools.count()
        self.closed = False

    def put(self, suspect: Suspect, pause: float) -> bool:
        """Add one that is due in so many seconds. Returns False if it is closed."""
        with self.changed:
            if not self.closed:
                heapq.heappush(self._heap, (time.monotonic() + pause, next(self._numbers), suspect))
                self.changed.notify_all()
            return not self.closed

    def take(self, timeout: float) -> Suspect | None:
        """Return the next one that is due; None if none is within so many seconds, or it is closed."""
        end = time.monotonic() + timeout
        with self.changed:
            while not self.closed:
                now = time.monotonic()
                if self._heap and self._heap[0][0] <= now:
                    return heapq.heappop(self._heap)[2]
                if now >= end:
                    return None
                self.changed.wait(min([end, *(each[0] for each in self._heap[:1])]) - now)
        return None

    def close(self) -> list[Suspect]:
        """Let nobody in any more, and return who still waits."""
        with self.changed:
            self.closed = True
            left, self._heap = [suspect for _, _, suspect in self._heap], []
            self.changed.notify_all()
        return left

    def __len__(self) -> int:
        return len(self._heap)


class Judge(Protocol):
    """What is told how runs in isolation ended."""

    def ended(self, suspect: Suspect, word: Word) -> None:
        """One has ended, or is to be requeued."""

    def died(self, suspects: Sequence[Suspect], process: IsolationProcess) -> None:
        """A process died while these ran in it."""

    def untried(self, suspect: Suspect, pause: float) -> None:
        """One did not run."""


class Lane:
    """Runs suspects in one isolation process at a time, in a thread of its own.

    Parameters:
      start: Starts a process; raises OSError.
      waiting: Where suspects wait; several lanes may share it.
      width: Suspects that run at the same time.
      judge: Told how they end.
      abandon: Set when nobody wants to wait for what runs.
      on_end: Called in the thread when the lane ends, having had nothing to do for a while.
    """

    def __init__(
        self,
        start: Callable[[int], IsolationProcess],
        waiting: Waiting,
        width: int,
        judge: Judge,
        abandon: threading.Event,
        on_end: Callable[[Lane], None],
    ) -> None:
        self._start = start
        self._waiting = waiting
        self._width = width
        self._judge = judge
        self._abandon = abandon
        self._on_end = on_end
        self._process: IsolationProcess | None = None
        self._running: dict[int, Suspect] = {}
        self._numbers = itertools.count(1)
        self._failed_starts = Backoff(1.0, 30.0)
        self.thread = threading.Thread(target=self._run, daemon=True, name="isolation")

    @property
    def busy(self) -> bool:
        """True when it has no room for another suspect."""
        return len(self._running) >= self._width

    def _run(self) -> None:
        try:
            while not self._abandon.is_set():
                if self._running and self._process is not None and self._process.pid is None:
                    running, self._running = list(self._running.values()), {}
                    self._judge.died(running, self._process)
                if not self.busy:
                    suspect = self._waiting.take(LOOK if self._running else IDLE)
                    if suspect is not None:
                        self._begin(suspect)
                    elif not self._running and not len(self._waiting):
                        return
                if self._running:
                    self._listen()
        except Exception as error:
            events.ISOLATION_FAILED.emit(error=describe(error), where=places(error))
        finally:
            for suspect in self._running.values():
                self._judge.untried(suspect, 0.0)
            if self._process is not None:
                self._process.stop()
            self._on_end(self)

    def _begin(self, suspect: Suspect) -> None:
        try:
            process = self._ready_process()
        except OSError as error:
            pause = self._failed_starts.failed()
            events.ISOLATION_START_FAILED.emit(next_try_in=pause, reason=error.strerror or str(error))
            self._judge.untried(suspect, pause)
            return
        self._failed_starts.reset()
        number = next(self._numbers)
        if process.send(number, suspect.delivery.queue_name, suspect.delivery.body):
            self._running[number] = suspect
        else:
            self._judge.untried(suspect, 0.0)

    def _ready_process(self) -> IsolationProcess:
        if self._process is not None and self._process.pid is not None:
            return self._process
        self._process = process = self._start(self._width)
        while process.pid is not None and not self._abandon.is_set():
            if process.hear() is not None:  # READY
                return process
        stopped = process.pid is not None
        process.stop()
        raise ChildProcessError("the worker stops" if stopped else f"it ended at once with status {process.status}")

    def _listen(self) -> None:
        assert self._process is not None
        heard = self._process.hear(LOOK)
        if heard is not None:
            word, number = heard
            self._judge.ended(self._running.pop(number), word)
