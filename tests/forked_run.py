"""Runs the tests in several processes that are forked when the tests have been collected: ``pytest --processes 6``.

To collect the tests takes ten seconds of a core and half a gigabyte. Processes that each start an interpreter, as those
of pytest-xdist do, take both again for each of them; forked ones share what has been collected.

Each process has a part of the list, and whoever is done takes the second half of the longest part that is left. It is
told two tests at a time, the one to run and the one after it, since pytest ends between two tests the fixtures that the
second does not use.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate, pairwise
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any

import pytest
from tests.distribution import dealt
from tests.forked_process import work


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--processes", type=int, metavar="N", help="run the tests in N other processes")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run all tests in processes of their own, where several are asked for."""
    option = session.config.option
    if not option.processes or not session.items or option.collectonly or session.testsfailed:
        return None
    processes = min(option.processes, len(session.items))
    Run(session, dealt(session.items, processes)).run()
    return True


@dataclass
class Process:
    """A process that runs tests, as the one that deals them out sees it.

    Attributes:
      number: Of all that were started.
      pid: Its pid.
      connection: To it.
      left: Places in the list of the tests that it will be told.
      told: Those that it was told and has not finished: two, fewer at the end.
    """

    number: int
    pid: int
    connection: Connection
    left: deque[int]
    told: deque[int]


class Run:
    """Deals the tests out and reports what comes back, as if they had run here.

    Parameters:
      session: Which it leaves with the tests in the order in which they are dealt out.
      parts: All tests, a part for each process.
    """

    def __init__(self, session: pytest.Session, parts: list[list[pytest.Item]]) -> None:
        self._session, self._started = session, 0
        self._base = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        session.items[:] = [item for part in parts for item in part]
        ends = [0, *accumulate(map(len, parts))]
        self._waiting = [deque(range(begin, end)) for begin, end in pairwise(ends)]
        self._running: dict[Connection, Process] = {}

    def run(self) -> None:
        """Run all; raises what pytest raises when failures or a person end a run early."""
        try:
            while self._waiting:
                self._start(self._waiting.pop(0))
            while self._running:
                for connection in wait(list(self._running)):
                    self._hear(self._running[connection])
        except BaseException:
            self._end()
            raise

    def _start(self, part: deque[int]) -> None:
        here, there = Pipe()
        number, self._started = self._started, self._started + 1
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            for other in (here, *self._running):
                other.close()
            work(self._session, there, self._base / f"process-{number}")
        there.close()
        process = self._running[here] = Process(number, pid, here, part, deque())
        self._tell(process)
        self._tell(process)

    def _tell(self, process: Process) -> None:
        """Tell a process one more test; takes a part of another's when it has none left."""
        if not process.left:
            longest = max((each.left for each in self._running.values()), key=len)
            process.left.extend(self._second_half(longest))
        following = process.left.popleft() if process.left else None
        if following is not None:
            process.told.append(following)
        with suppress(OSError):  # it has ended, and is found so
            process.connection.send(following)

    def _second_half(self, part: deque[int]) -> list[int]:
        """Take from a part what another one shall run: whole files where the half holds the beginning of one."""
        paths = [self._session.items[place].path for place in part]
        middle = len(part) // 2
        cut = next((at for at in range(middle, len(part)) if at and paths[at] != paths[at - 1]), middle)
        return [part.pop() for _ in range(len(part) - cut)][::-1]

    def _hear(self, process: Process) -> None:
        try:
            reports, warned = process.connection.recv()
        except (EOFError, OSError):
            self._bury(process)
        else:
            place = process.told.popleft()
            if process.told:
                self._tell(process)
            self._report(place, reports, warned)
        if self._session.shouldfail:
            raise self._session.Failed(self._session.shouldfail)
        if self._session.shouldstop:
            raise self._session.Interrupted(self._session.shouldstop)

    def _report(self, place: int, reports: Iterable[Any], warned: Iterable[Any]) -> None:
        item, hook = self._session.items[place], self._session.config.hook
        for text, category, filename, line, when in warned:
            message = warnings.WarningMessage(text, category, filename, line)
            hook.pytest_warning_recorded.call_historic(
                kwargs={"warning_message": message, "when": when, "nodeid": item.nodeid, "location": None}
            )
        for data in reports:
            report = hook.pytest_report_from_serializable(config=self._session.config, data=data)
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _bury(self, process: Process) -> None:
        """Let go of a process that has ended; one that died amid a test is replaced, and the test has failed."""
        del self._running[process.connection]
        process.connection.close()
        _, status = os.waitpid(process.pid, 0)
        if not process.told:
            return
        failed = self._session.items[process.told.popleft()]
        report = pytest.TestReport(
            failed.nodeid, failed.location, {}, "failed",
            f"Its process ended amid the test, with {os.waitstatus_to_exitcode(status)}.", "call",
        )  # fmt: skip
        self._session.config.hook.pytest_runtest_logreport(report=report)
        left = process.told + process.left
        if left:
            self._start(left)

    def _end(self) -> None:
        """Have every process end its fixtures now, and wait for it."""
        for process in self._running.values():
            os.kill(process.pid, signal.SIGINT)
            process.connection.close()
        try:
            for process in self._running.values():
                os.waitpid(process.pid, 0)
        except KeyboardInterrupt:
            for process in self._running.values():
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            raise
