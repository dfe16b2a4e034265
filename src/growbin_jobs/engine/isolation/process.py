"""The worker's hold on one isolation process: start it, let it run a message, learn how it ended."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress

from growbin_jobs.engine.isolation.channel import Closed, Word, WorkerEnd
from growbin_jobs.engine.processes import is_worker_process
from growbin_jobs.engine.threads import gevent_active

#: Seconds between two looks whether the process still lives: a descriptor that somebody inherited may hide its end.
LOOK = 0.5

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

#: A child must not inherit the socket of another one that is started at the same time.
_spawning = threading.Lock()


def command_of_this_worker() -> list[str] | None:
    """Return the command of an isolation process for what this worker process runs.

    None in a program that has a worker of its own: nobody knows how to start it a second time.
    """
    if not is_worker_process():
        return None
    from dramatiq.cli import make_argument_parser

    given = make_argument_parser().parse_args(sys.argv[1:])  # type: ignore[no-untyped-call]
    return [
        sys.executable, "-m", "growbin_jobs.engine.isolation.child",
        *(["--gevent"] if gevent_active() else []),
        given.broker, *given.modules,
        *(["--path", *given.path] if given.path else []),
        *(["--log-file", given.log_file] if given.log_file else []),
        *(["--verbose"] * given.verbose),
    ]  # fmt: skip


def shutdown_timeout_of_this_worker() -> float:
    """Return the seconds that running messages may take when this worker process is told to stop."""
    from dramatiq.cli import make_argument_parser

    given = make_argument_parser().parse_args(sys.argv[1:])  # type: ignore[no-untyped-call]
    return float(given.worker_shutdown_timeout / 1000)


class IsolationProcess:
    """A child process that runs messages for this one. For one thread.

    Parameters:
      command: How it is started.
      environment: Its environment variables.
      width: Messages that it runs at the same time.

    Attributes:
      pid: Its number while it runs; None once it has ended.
      number: The same, for ever.
      status: How it ended: exit code, or the negative number of a signal.
    """

    def __init__(self, command: list[str], environment: Mapping[str, str], width: int) -> None:
        self.status = 0
        with _spawning:
            ours, theirs = socket.socketpair()
            theirs.set_inheritable(True)
            options = [f"--socket={theirs.fileno()}", f"--width={width}"]
            arguments = [*command[:3], *options, *command[3:]]
            # Not subprocess: gevent's own forks in Python. No signal is inherited as blocked or ignored.
            self.number = os.posix_spawn(arguments[0], arguments, environment, setsigmask=(), setsigdef=_SIGNALS)
            theirs.close()
        self.pid: int | None = self.number
        self._end = WorkerEnd(ours)

    def send(self, number: int, queue_name: str, body: bytes) -> bool:
        """Let it run a message. Returns False if it has ended."""
        try:
            self._end.send(number, queue_name, body)
        except Closed:
            self._await_end()
            return False
        return True

    def hear(self, timeout: float = LOOK) -> tuple[Word, int] | None:
        """Return what it says next; None if it says nothing in time, or has ended (then ``pid`` is None)."""
        try:
            heard = self._end.hear(timeout)
        except Closed:
            self._await_end()
            return None
        if heard is None:
            self._has_ended()
        return heard

    def stop(self) -> None:
        """End it. May be called again."""
        self._end.close()
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
            if not self._await_end(2.0) and self.pid is not None:
                os.kill(self.pid, signal.SIGKILL)
                self._await_end()

    def _await_end(self, timeout: float = 10.0) -> bool:
        deadline = time.monotonic() + timeout
        while not self._has_ended():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _has_ended(self) -> bool:
        if self.pid is None:
            return True
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # somebody else has waited for it
            self.pid = None
            return True
        if pid == 0:
            return False
        self.pid, self.status = None, os.waitstatus_to_exitcode(status)
        return True
