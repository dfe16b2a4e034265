"""Signals that come at once count as one."""

import os
import signal

from growbin_jobs.engine.node.repeated_signals import MOMENT, Once, ignore_repeated_stops


def test_what_comes_within_a_moment_is_the_same() -> None:
    now = [5.0]
    once = Once(lambda: now[0])

    told = []
    for now[0] in (5.0, 5.0, 5.9, 5.0 + MOMENT, 6.5, 100.0):
        told.append(once.counts())

    assert told == [True, False, False, True, False, True]


def test_handlers_are_told_once() -> None:
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda signum, _frame: told.append(signum))
    try:
        ignore_repeated_stops()
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)

    assert told == [signal.SIGTERM]
