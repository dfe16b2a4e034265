"""Keep worker processes running, and stop them cleanly."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

from growbin_jobs.middleware.boot import EX_CONFIG

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
    child that says that its configuration is wrong is not restarted: then everything stops.

    Parameters:
      commands: By name.
      env: Environment of the children.
      log: File for their output; None: this process's stderr.
    """

    def __init__(
        self, commands: Mapping[str, Sequence[str]], *, env: Mapping[str, str] | None, log: Path | None
    ) -> None:
        self._children = [_Child(name, command) for name, command in commands.items()]
        self._env = env
        self._log = log
        self._stopping = threading.Event()
        self.restarts = 0

    def __enter__(self) -> "Supervisor":
        for child in self._children:
            self._start(child)
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
            if code == EX_CONFIG:
                return EX_CONFIG
            if time.monotonic() - child.started > _STEADY_AFTER:
                child.pause = 1.0
            child.process, child.restart_at = None, time.monotonic() + child.pause
            child.pause = min(child.pause * 2, _LONGEST_PAUSE)
            self.restarts += 1
        return None

    def request_stop(self) -> None:
        """Let :meth:`run` return; safe in a signal handler."""
        self._stopping.set()

    def stop(self, *, grace: float = 90.0) -> None:
        """Let the children drain, and end those that do not within the grace time (seconds). Twice is safe."""
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + grace
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def kill(self) -> None:
        """End the children at once: a second Ctrl-C. The broker delivers again what they were doing."""
        for child in self._children:
            if child.process is not None and child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)  # dramatiq: the second one kills its workers

    def _start(self, child: _Child) -> None:
        # A session of its own: Ctrl-C in the terminal must reach the workers once, from here, and not twice.
        output: IO[bytes] | int = self._log.open("ab") if self._log else sys.stderr.fileno()
        try:
            child.process = subprocess.Popen(  # noqa: S603
                child.command,
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
