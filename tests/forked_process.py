"""What a forked process of a test run does: runs what it is told, and tells what pytest reports (``forked_run.py``)."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

#: Variable with the folder of such a process, for what outlives a test: functions of ``atexit`` are not called here.
OWN_FOLDER = "GROWBIN_TEST_PROCESS_DIR"


def work(session: pytest.Session, connection: Connection, folder: Path) -> NoReturn:
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

    def __init__(self, session: pytest.Session, folder: Path) -> None:
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
        os.environ[OWN_FOLDER] = str(folder)
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
