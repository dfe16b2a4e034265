"""Callers of the gate as greenlets on one virtual clock: hours of waiting in a second."""

import heapq
from contextlib import contextmanager
from itertools import count

from greenlet import getcurrent, greenlet

from growbin_jobs.limits.gcra import Limit
from growbin_jobs.limits.memory import MemoryLimits
from growbin_jobs.limits.parameters import spacing
from growbin_jobs.limits.shares import Shares
from growbin_jobs.limits.tickets import Gate


class Time:
    """The clock and what is due."""

    def __init__(self):
        self.now = 1_000.0
        self._due, self._order, self._loop = [], count(), getcurrent()

    def clock(self):
        return self.now

    def at(self, moment, what):
        heapq.heappush(self._due, (moment, next(self._order), what))

    def start(self, function, *arguments, after=0.0):
        """Run a function as a greenlet."""
        self.at(self.now + after, lambda: greenlet(lambda: function(*arguments), self._loop).switch())

    def sleep(self, seconds):
        me = getcurrent()
        self.at(self.now + seconds, me.switch)
        self._loop.switch()

    def run(self, until=float("inf")):
        while self._due and self._due[0][0] <= until:
            self.now, _, what = heapq.heappop(self._due)
            what()
        return self.now

    @contextmanager
    def waiting(self, share=0.5):
        yield _Wakeup(self)

    def no_wait(self):
        pass


class _Wakeup:
    def __init__(self, time):
        self._time, self._rung, self._waiter = time, False, None

    def wake(self):
        self._rung = True
        if self._waiter is not None:
            self._time.at(self._time.now, self._waker(self._waiter))

    def wait(self, seconds=None):
        if not self._rung:
            self._waiter = turn = object()
            self._me = getcurrent()
            if seconds is not None:
                self._time.at(self._time.now + max(0.0, seconds), self._waker(turn))
            self._time._loop.switch()
        rung, self._rung = self._rung, False
        return rung

    def _waker(self, turn):
        def wake():
            if self._waiter is turn:
                self._waiter = None
                self._me.switch()

        return wake


class Cluster:
    """Processes that share one store, each with a gate of its own."""

    def __init__(self, processes=9, *, most=100, window=60.0, patience=600.0):
        self.time = Time()
        self.store = MemoryLimits(clock=self.time.clock)
        self.store.ensure([Limit("vision", spacing(most, window), 1)])
        self.gates = [
            Gate(
                self.store,
                self.time,
                shares=Shares(self.store, clock=self.time.clock),
                patience=patience,
                clock=self.time.clock,
                sleep=self.time.sleep,
            )
            for _ in range(processes)
        ]
        self.sent = []
