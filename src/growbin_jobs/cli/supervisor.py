"""Keep worker processes running, and stop them cleanly."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

from growbin_jobs.cli import tether

#: Seconds beyond the workers' own shutdown timeout: dramatiq looks once a second whether it is to stop.
STOP_MARGIN = 15.0

_LONGEST_PAUSE = 30.0
_STEADY_AFTER = 60.0


@dataclass(slots=True)
class _Child:
    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    restart_at: float = 0.0
    pause: float = field(default=1.0)


class Supervisor:
    """Run commands side by side; restart one that ends by itself, with growing pauses.

    ``dramatiq`` ends all its processes when one of them dies (its ``cli.py``), so something has to start it again. A
    child that says that its configuration is wrong is not restarted: then everything stops. Children that have lost
    their supervisor drain as if it had asked them to (:mod:`growbin_jobs.cli.tether`).

    Start and tend it in one thread: on Linux it is the end of the thread that started a child that stops the child.
    Other threads of its process may make children that have lost it hurry.

    Parameters:
      commands: By name.
      grace: Seconds that :meth:`stop` lets them drain. Longer than their own shutdown timeout, so that it is they
        who give running work back.
      env: Environment of the children; None: this process's.
      log: File for their output; None: this process's stderr.
      say: Told in a sentence when a child ends by itself.
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        *,
        grace: float,
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        say: Callable[[str], object] = str,
    ) -> None:
        self._children = [_Child(name, command) for name, command in commands.items()]
        self._grace = grace
        self._env = env
        self._log = log
        self._say = say
        self._stopping = threading.Event()
        self.restarts = 0

    def __enter__(self) -> "Supervisor":
        try:
            for child in self._children:
                self._start(child)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def run(self) -> int:
        """Watch the children until :meth:`request_stop`; return the exit code."""
        while not self._stopping.wait(0.2):
            code = self.tend()
            if code is not None:
                return code
        return 0

    def tend(self) -> int | None:
        """Restart what has ended. Return an exit code when there is no point in going on."""
        for child in self._children:
            if child.process is None:
                if time.monotonic() >= child.restart_at:
                    self._start(child)
                continue
            code = child.process.poll()
            if code is None:
                continue
            if code == os.EX_CONFIG:
                self._say(f"{child.name} cannot work with this configuration (exit code {code}).")
                return os.EX_CONFIG
            if time.monotonic() - child.started > _STEADY_AFTER:
                child.pause = 1.0
            _signal_all(child.process, signal.SIGTERM)  # workers whose master was killed
            self._say(f"{child.name} ended with exit code {code}; it starts again in {child.pause:.0f} s.")
            child.process, child.restart_at = None, time.monotonic() + child.pause
            child.pause = min(child.pause * 2, _LONGEST_PAUSE)
            self.restarts += 1
        return None

    def request_stop(self) -> None:
        """Let :meth:`run` return; safe in a signal handler."""
        self._stopping.set()

    def stop(self) -> None:
        """Let the children drain, and end those that do not within the grace time. Twice is safe."""
        self._stopping.set()
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            process.send_signal(signal.SIGTERM)  # does nothing where it has ended
        deadline = time.monotonic() + self._grace
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                for process in running:
                    process.wait(max(0.0, deadline - time.monotonic()))
        finally:  # also when a second Ctrl-C ends the waiting
            for process in running:
                if process.poll() is None:
                    _signal_all(process, signal.SIGKILL)
                    process.wait()

    def kill(self) -> None:
        """End the children at once: a second Ctrl-C. The broker delivers again what they were doing."""
        for child in self._children:
            if child.process is not None:
                child.process.send_signal(signal.SIGTERM)  # dramatiq: the second one kills its workers

    def _start(self, child: _Child) -> None:
        # A session of its own: Ctrl-C in the terminal must reach the workers once, from here, and not twice.
        output: IO[bytes] | int = self._log.open("ab") if self._log else sys.stderr.fileno()
        try:
            child.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", tether.__name__, str(os.getpid()), *child.command],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            if not isinstance(output, int):
                output.close()
        child.started = time.monotonic()


def _signal_all(process: subprocess.Popen[bytes], signum: signal.Signals) -> None:
    """Signal a child's whole session: dramatiq's workers may outlive their master."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signum)
