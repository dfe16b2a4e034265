"""A work queue that holds back what was fetched for queues and actors that are paused, so that the others go on."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from dramatiq import Middleware
from dramatiq.broker import Broker

from growbin_jobs.engine.fast.hooks import FastHooks, acknowledge_without_signals
from growbin_jobs.engine.fast.work_queue import (
    WorkQueue,
    hand_over_quickly,
    look_for_delayed_only_where_there_are_any,
)
from growbin_jobs.engine.pauses import Pauses


class HoldingWorkQueue(WorkQueue):
    """A work queue whose items of paused queues and actors keep their place and are not taken.

    While nothing is paused it is the plain one: taking is exchanged for a slower method only during a pause.

    Parameters:
      pauses: Which queues and actors are paused.
      room: Items of paused actors that are held back of one queue at most. More of them are taken as ever: who runs
        them puts them aside, so that there is room for what the queue's other actors are to do.
    """

    def __init__(self, pauses: Pauses, *, room: int = 1) -> None:
        super().__init__()
        self._pauses = pauses
        self._room = room
        self._held: dict[tuple[str, str | None], deque[Any]] = {}
        self._lock = threading.Lock()
        pauses.watch(self._changed)

    @property
    def held(self) -> int:
        """How many are held back."""
        return sum(map(len, tuple(self._held.values())))

    def qsize(self) -> int:
        """Return how many wait, those that are held back too."""
        return super().qsize() + self.held

    def get_nowait(self) -> Any:
        """Take the next item, also one that is held back: so a worker that stops empties its queue.

        Raises:
          Empty: If there is none.
        """
        self._put_back(everything=True)
        self._be_plain()
        return super().get_nowait()

    def withdraw(self, wanted: Callable[[Any], bool], most: int) -> list[Any]:
        """Take out the newest items of a kind, at most so many; also of those that are held back.

        Parameters:
          wanted: Asked about items that nobody else can take meanwhile.
        """
        if self._held:
            self._put_back(everything=True)  # whoever is woken by this holds back anew what may not run
        return super().withdraw(wanted, most)

    def _changed(self) -> None:
        if self._pauses.any:
            # A pause that has run out is seen by looking only, so nobody waits longer than asked.
            vars(self).update(_take=self._take_what_may_run, _seconds=float)
        if self._held:
            self._put_back()
            if self._waiters and not self._coming:
                self._wake()
        if self.patient and (self._pauses.any or self._held):
            self._rouse()

    def _be_plain(self) -> None:
        for name in ("_take", "_seconds"):
            vars(self).pop(name, None)

    def _take_what_may_run(self) -> Any:
        if self._held:
            self._put_back()  # a pause may have run out
        while (item := super()._take()) is not None:
            queue, actor = item.message.queue_name, item.message.actor_name
            with self._lock:  # a pause that ends now puts back what is held by then
                if self._pauses.is_actor_paused(actor) and self._has_room(queue):
                    self._held.setdefault((queue, actor), deque()).append(item)
                elif self._pauses.may_begin(queue, begins=True):
                    break
                else:
                    self._held.setdefault((queue, None), deque()).append(item)
        if not self._pauses.any and not self._held:
            self._be_plain()
            if self._pauses.any:  # it began in this very moment
                self._changed()
        return item

    def _put_back(self, *, everything: bool = False) -> None:
        """Return what is held to its place, before all that came later."""
        with self._lock:
            for key in list(self._held):
                if everything or self._may_go_on(*key):
                    for item in reversed(self._held.pop(key)):
                        self._items[item.priority].appendleft(item)

    def _may_go_on(self, queue: str, actor: str | None) -> bool:
        return self._pauses.may_begin(queue) if actor is None else not self._pauses.is_actor_paused(actor)

    def _has_room(self, queue: str) -> bool:
        return sum(len(held) for (of, actor), held in self._held.items() if of == queue and actor) < self._room


class FastWorkQueue(Middleware):
    """Give a worker a :class:`HoldingWorkQueue` before its threads start."""

    def before_worker_boot(self, broker: Broker, worker: Any) -> None:
        pauses = getattr(broker, "pauses", None)
        room = max(1, worker.queue_prefetch // 2)
        worker.work_queue = WorkQueue() if pauses is None else HoldingWorkQueue(pauses, room=room)
        _be_patient(broker, worker)

    def before_worker_shutdown(self, broker: Broker, worker: Any) -> None:
        _hurry(broker, worker)

    def after_consumer_thread_boot(self, broker: Broker, thread: Any) -> None:
        look_for_delayed_only_where_there_are_any(thread)
        if isinstance(broker, FastHooks):
            hand_over_quickly(broker, thread)
            acknowledge_without_signals(broker, thread)


def _be_patient(broker: Broker, worker: Any) -> None:
    """Let idle threads sleep for long, except while the worker is paused: they say that they have seen it."""
    pause, resume = worker.pause, worker.resume

    def hurried() -> None:
        _hurry(broker, worker)
        pause()

    def resumed() -> None:
        be_patient()
        resume()

    def be_patient() -> None:
        worker.work_queue.patient = True
        if hasattr(broker, "be_patient"):
            broker.be_patient(True)

    worker.pause, worker.resume = hurried, resumed
    be_patient()


def _hurry(broker: Broker, worker: Any) -> None:
    worker.work_queue.hurry()
    if hasattr(broker, "be_patient"):
        broker.be_patient(False)
