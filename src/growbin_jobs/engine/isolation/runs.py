"""The worker's side of isolation: suspects wait beside its threads, run in lanes, and are settled or tried again."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from growbin_jobs.engine import events
from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.records import TaskHistory
from growbin_jobs.engine.delivery.runs import has_ended
from growbin_jobs.engine.errors import Deferred
from growbin_jobs.engine.isolation.channel import Word
from growbin_jobs.engine.isolation.lane import Lane, Suspect, Waiting
from growbin_jobs.engine.isolation.policy import Cause, cause_of, runs_alone
from growbin_jobs.engine.isolation.process import IsolationProcess

#: Suspects that run together in one process, until it dies.
TOGETHER = 16

#: Processes in which a suspect runs alone, at the same time, for each worker process.
ALONE_LANES = 2

#: Seconds until the journal is asked again.
PAUSE = 1.0


class Journal(Protocol):
    """What isolation needs of :class:`growbin_jobs.engine.journal.journal.Journal`; all may raise Deferred."""

    def lookup(self, task_ids: Sequence[str]) -> dict[str, TaskHistory]:
        """Return what is known about messages."""

    def crashed_isolated(self, starts: Sequence[tuple[str, str, str]], *, pid: int) -> None:
        """Count a crash of messages that ran in an isolation process."""

    def deaths_since(self, moment: float) -> int:
        """Return how many worker processes of this node were found dead since."""


class Settle(Protocol):
    """What becomes of a delivery that does not run in this process."""

    def ended_elsewhere(self, delivery: Delivery, known: TaskHistory) -> None:
        """Settle one whose end is in the journal."""

    def not_run(self, delivery: Delivery, *, counted: bool = False) -> None:
        """Give one back to the broker; counted where its end could not be decided."""

    def give_up(self, delivery: Delivery, crashes: int) -> None:
        """Make a dead letter of one that kills its process."""


class IsolatedRuns:
    """Runs suspects for one worker process: together at first, then alone (:mod:`.policy`).

    Parameters:
      command: Of an isolation process.
      environment: Its environment variables.
      journal: The node's.
      settle: What is done with those that have ended.
    """

    def __init__(self, command: list[str], environment: Mapping[str, str], journal: Journal, settle: Settle) -> None:
        self._start = partial(IsolationProcess, command, environment)
        self._journal = journal
        self._settle = settle
        self._abandon = threading.Event()
        self._lock = threading.Lock()
        self._together, self._alone = Waiting(), Waiting()
        self._lanes: dict[Lane, Waiting] = {}

    def submit(self, delivery: Delivery) -> None:
        """Take over a delivery: it runs in isolation as soon as there is room. Returns at once."""
        self._put(Suspect(delivery), 0.0)

    def close(self) -> None:
        """Start no more runs, and give back what waits. What runs may finish."""
        for waiting in (self._together, self._alone):
            for suspect in waiting.close():
                self._settle.not_run(suspect.delivery)

    def drain(self, timeout: float) -> None:
        """Wait until nothing runs any more, and give back what still runs after so many seconds."""
        end = time.monotonic() + timeout
        for lane in list(self._lanes):
            lane.thread.join(max(0.0, end - time.monotonic()))
        self._abandon.set()
        for lane in list(self._lanes):
            lane.thread.join()

    # --- what the lanes tell

    def ended(self, suspect: Suspect, word: Word) -> None:
        """Settle one that has ended, by what the journal has of it."""
        delivery = suspect.delivery
        if word is Word.REQUEUE:
            self._settle.not_run(delivery, counted=True)
            return
        known = self._known([suspect]).get(delivery.message_id)
        if known is not None and has_ended(delivery, known):
            self._settle.ended_elsewhere(delivery, known)
        else:
            self._settle.not_run(delivery)  # the journal has lost its end

    def died(self, suspects: Sequence[Suspect], process: IsolationProcess) -> None:
        """Charge those that ran when their process died, and let them run again or give them up."""
        known = self._known(suspects)
        cause = cause_of(process.status)
        charged = []
        for suspect in suspects:
            history = known.get(suspect.delivery.message_id)
            if history is not None and has_ended(suspect.delivery, history):
                self._settle.ended_elsewhere(suspect.delivery, history)
            else:
                charged.append(suspect)
        ids = [each.delivery.message_id for each in charged]
        events.ISOLATION_DIED.emit(pid=process.number, status=process.status, ids=ids)
        if cause is not Cause.ASKED:
            self._count(charged, process.number)
        for suspect in charged:
            suspect.crashes += cause is not Cause.ASKED
            self._judge(suspect, cause, alone=len(suspects) == 1)

    def untried(self, suspect: Suspect, pause: float) -> None:
        """Let one wait again that did not run."""
        self._put(suspect, pause)

    def _judge(self, suspect: Suspect, cause: Cause, *, alone: bool) -> None:
        others = self._others_died(suspect.last_death)
        suspect.last_death = time.time()
        pause = suspect.trial.died(cause, alone=alone, crashes=suspect.crashes, others_died=others)
        if pause is None:
            self._settle.give_up(suspect.delivery, suspect.crashes)
        else:
            self._put(suspect, pause)

    def _put(self, suspect: Suspect, pause: float) -> None:
        waiting = self._alone if runs_alone(suspect.crashes) else self._together
        if not waiting.put(suspect, pause):
            self._settle.not_run(suspect.delivery)
            return
        width, most = (1, ALONE_LANES) if waiting is self._alone else (TOGETHER, 1)
        with self._lock:
            lanes = [lane for lane, its in self._lanes.items() if its is waiting]
            if len(lanes) < most and all(lane.busy for lane in lanes):
                lane = Lane(self._start, waiting, width, self, self._abandon, self._lane_ended)
                lane.thread.start()
                self._lanes[lane] = waiting

    def _lane_ended(self, lane: Lane) -> None:
        with self._lock:
            waiting = self._lanes.pop(lane)
        if len(waiting) and not waiting.closed:  # one came just when it stopped looking
            suspect = waiting.take(0.0)
            if suspect is not None:
                self.untried(suspect, 0.0)

    # --- the journal, which may be away for a while

    def _known(self, suspects: Sequence[Suspect]) -> dict[str, TaskHistory]:
        ids = [each.delivery.message_id for each in suspects]
        while not self._abandon.is_set():
            try:
                return self._journal.lookup(ids)
            except Deferred as error:
                events.ISOLATION_LOOKUP_FAILED.emit(next_try_in=PAUSE, error=str(error))
                self._abandon.wait(PAUSE)
        return {}

    def _count(self, suspects: Sequence[Suspect], pid: int) -> None:
        starts = [(each.delivery.message_id, each.delivery.actor_name, each.delivery.queue_name) for each in suspects]
        try:
            self._journal.crashed_isolated(starts, pid=pid)
        except Deferred as error:
            events.ISOLATION_CRASH_NOT_COUNTED.emit(ids=[task_id for task_id, *_ in starts], error=str(error))

    def _others_died(self, since: float) -> bool:
        try:
            return self._journal.deaths_since(since) > 0
        except Deferred:
            return True
