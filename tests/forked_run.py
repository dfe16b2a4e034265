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
import traceback
import warnings
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate, pairwise
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from tests.distribution import dealt


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
            _work(self._session, there, self._base / f"process-{number}")
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


def _work(session: pytest.Session, connection: Connection, folder: Any) -> NoReturn:
    """Run what this forked process is told, to the end of both."""
    code = 1
    signal.signal(signal.SIGINT, _interrupt)
    try:
        child = Child(session, folder)
        current = connection.recv()
        while current is not None:
            following = connection.recv()
            connection.send(child.run(current, following))
            current = following
        code = 0
    except (KeyboardInterrupt, EOFError, OSError):  # a person's wish, or there is nobody to report to
        session._setupstate.teardown_exact(None)
        code = 2
    except BaseException:  # a fault of pytest or of what is here: the test that ran is said to have failed
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(code)


def _interrupt(*_: object) -> None:
    """Interrupt what runs, once: a terminal and the one that deals out both say it, and fixtures are ending then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


class Child:
    """Runs tests in a forked process, and keeps what pytest reports of each.

    Parameters:
      session: What was forked.
      folder: For its ``tmp_path``.
    """

    def __init__(self, session: pytest.Session, folder: Any) -> None:
        self._session, config = session, session.config
        plugins = config.pluginmanager
        capture = plugins.getplugin("capturemanager")
        capture.stop_global_capturing()  # into files that were opened before the fork, and are the other processes' too
        capture.start_global_capturing()
        capture.suspend_global_capture()
        # Nothing is printed here; pytest-timeout writes where it finds threads.
        writer = plugins.unregister(name="terminalreporter")._tw
        plugins.register(SimpleNamespace(_tw=writer), "terminalreporter")
        plugins.register(self)
        folder.mkdir(mode=0o700)
        config._tmp_path_factory._basetemp = folder
        self._reports: list[Any] = []
        self._warned: list[Any] = []

    def run(self, place: int, following: int | None) -> tuple[list[Any], list[Any]]:
        """Run a test; returns its reports and its warnings."""
        self._reports, self._warned = [], []
        items = self._session.items
        items[place].config.hook.pytest_runtest_protocol(
            item=items[place], nextitem=None if following is None else items[following]
        )
        return self._reports, self._warned

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a report, in the form in which it can be sent."""
        config = self._session.config
        self._reports.append(config.hook.pytest_report_to_serializable(config=config, report=report))

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage, when: str) -> None:
        """Keep a warning. Its category becomes one of Python's: a test's own cannot always be sent."""
        known = next(each for each in warning_message.category.__mro__ if each.__module__ == "builtins")
        warned = (str(warning_message.message), known, warning_message.filename, warning_message.lineno, when)
        self._warned.append(warned)
