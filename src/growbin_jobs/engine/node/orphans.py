"""Ends the processes that a dead supervisor has left and that do not end by themselves.

The kernel tells them to stop when their supervisor dies (:mod:`growbin_jobs.engine.supervision.tether`). One that is
stopped (SIGSTOP) does not hear it: it would keep its messages, the locks that it holds and its place among the living
for ever. It is continued, and then stops as it was told. One that does not within its grace time is killed, with the
processes that it has started itself: what its supervisor would have done.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from growbin_jobs.engine.node.process_facts import STOPPED, facts_of
from growbin_jobs.engine.node.supervised import ChildProcess, DeadSupervisor, dead_supervisors

#: Seconds between two looks.
LOOK = 2.0


class Orphans:
    """Looks after the orphans of a node.

    Parameters:
      folder: Of the node.
      clock: Monotonic seconds.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._found_at: dict[Path, float] = {}

    def watch(self) -> None:
        """Look again and again, for ever."""
        while True:
            with suppress(OSError):
                self.look()
            time.sleep(LOOK)

    def look(self) -> None:
        """Continue who is stopped, and kill who has had its time."""
        dead = list(dead_supervisors(self._folder))
        self._found_at = {each.path: self._found_at.get(each.path, self._clock()) for each in dead}
        for supervisor in dead:
            self._end(supervisor)

    def _end(self, supervisor: DeadSupervisor) -> None:
        late = self._clock() - self._found_at[supervisor.path] > supervisor.grace
        living = [child for child in supervisor.children if child.lives()]
        if not living:
            supervisor.forget()
        for child in living:
            if child.pid == os.getpid():  # the keeper of those processes, which outlives them
                continue
            if late:
                _kill(child, supervisor.grace)
            elif _is_stopped(child):
                _continue(child)


def _kill(child: ChildProcess, grace: float) -> None:
    from growbin_jobs.engine import events  # a keeper that stands by has loaded nothing that it does not need

    if _signal(child, signal.SIGKILL):
        events.ORPHAN_KILLED.emit(process=child.name, pid=child.pid, grace=grace)


def _continue(child: ChildProcess) -> None:
    from growbin_jobs.engine import events

    if _signal(child, signal.SIGCONT):
        events.ORPHAN_CONTINUED.emit(process=child.name, pid=child.pid)


def _is_stopped(child: ChildProcess) -> bool:
    facts = facts_of(child.pid)
    return facts is not None and facts.state == STOPPED


def _signal(child: ChildProcess, signum: signal.Signals) -> bool:
    """Signal that very process and its group, in which is what it has started. Returns whether it was there."""
    with suppress(OSError), ExitStack() as opened:
        descriptor = None
        with suppress(AttributeError, OSError):  # an old kernel or a sandbox refuses it
            descriptor = os.pidfd_open(child.pid)  # whoever has the number from here on, it is this one we signal
            opened.callback(os.close, descriptor)
        if child.lives():
            os.kill(child.pid, signum) if descriptor is None else signal.pidfd_send_signal(descriptor, signum)
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signum)  # a leader of its session: its number stays its group's
            return True
    return False
