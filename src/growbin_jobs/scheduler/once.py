"""Makes a function do its work once for each due time, however often the message comes."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.errors import Deferred

if TYPE_CHECKING:
    from growbin_jobs.scheduler.effects import DueTimes, Run


def once_a_due_time(
    run: Callable[..., Any], job: str, due_times: Callable[[], DueTimes], *, again: bool = False
) -> Callable[..., Any]:
    """Return the function of an actor that the schedule fires, with ``due``, ``since`` and ``until`` (ISO 8601, UTC).

    A second message of the same due time returns None and does nothing. A run that fails gives its due time back.

    Parameters:
      run: What is to be done.
      job: Its name in the schedule.
      due_times: Returns what takes due times.
      again: Its effect is to send messages, whose ids are made from this one's: it runs again after a crash.
    """

    @functools.wraps(run)
    def once(due: str, *args: Any, **interval: Any) -> Any:
        with due_times().taking(job, due, again=again) as taken:
            if taken is None:
                return None
            crashpoint("schedule.taken")
            with _kept(taken):
                result = run(due, *args, **interval)
            crashpoint("schedule.effect")
            return result

    return once


@contextmanager
def _kept(run: Run) -> Iterator[None]:
    """Keep a due time for as long as the block takes."""
    from growbin_jobs.scheduler.effects import LEASE  # producers import actors, and need none of it

    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(LEASE.total_seconds() / 3):
            try:
                run.keep()
            except Deferred:  # the database is away, or another run has it: the end of this run finds out
                continue

    keeping = threading.Thread(target=keep, name="due-time", daemon=True)
    keeping.start()
    try:
        yield
    finally:
        ended.set()
        keeping.join()
