"""Worker and producer processes from outside: what they say, and what is done to them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from faults.jobs import Request

#: The folder of all of them, where they find their modules: with the path of this process, one forks them all.
TESTS = Path(__file__).resolve().parents[1]

#: Threads of a worker process unless a fault says otherwise.
THREADS = 8


class Process:
    """A process with its children, in a session of its own, and what it has said.

    Parameters:
      command: What to run.
      env: The whole environment.
      start: What starts it, as :class:`subprocess.Popen` does.
    """

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], *, start: Callable[..., Any] = subprocess.Popen
    ) -> None:
        self._env = dict(env)
        self.lines: deque[str] = deque(maxlen=2000)
        self._news = threading.Condition()
        self._over = False
        self._asked_to_stop = False
        self._reaped = False
        self.popen = start(
            list(command),
            env=self._env,
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stdout
        for line in self.popen.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self.heard(line)
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()

    def heard(self, line: str) -> None:
        """Called for each line that it says."""

    def await_word(self, word: str, timeout: float, *, times: int = 1) -> bool:
        """Wait until it has said a word so often; False when it ended, or the time did, before."""
        return self.await_that(lambda: sum(word in line for line in self.lines) >= times, timeout)

    def await_that(self, holds: Callable[[], bool], timeout: float) -> bool:
        """Wait until something holds, which only what it says can change; False when it or the time ended before."""
        with self._news:
            self._news.wait_for(lambda: holds() or self._over, timeout)
            return holds()

    @property
    def running(self) -> bool:
        return self.popen.poll() is None

    def tree(self) -> list[psutil.Process]:
        """It and all its children; nobody once it has ended: its number may be another's by then."""
        if not self.running:
            return []
        try:
            root = psutil.Process(self.popen.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and all its children."""
        for process in self.tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill(self) -> None:
        """kill -9 of it and all its children."""
        self.signal(signal.SIGKILL)
        self._reap()

    def wait(self, timeout: float) -> int | None:
        """Wait until it has ended by itself, and return its exit code; None when it has not."""
        try:
            self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        self._reap()
        return self.popen.returncode

    def ask_to_stop(self) -> None:
        """SIGTERM, once: Dramatiq takes the second one for a wish to be killed."""
        if self.running and not self._asked_to_stop:
            self._asked_to_stop = True
            self.popen.send_signal(signal.SIGTERM)

    def stop(self, grace: float) -> bool:
        """Ask it to stop, and kill what is left after the grace time. Returns False where that was needed."""
        self.ask_to_stop()
        in_time = self.wait(grace) is not None
        self.kill()
        return in_time

    def _reap(self) -> None:
        if self._reaped:  # its group's number may be another's by now
            return
        self._reaped = True
        with contextlib.suppress(ProcessLookupError):  # children whose parent is gone
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
        self._reader.join(10)
        for stream in (self.popen.stdin, self.popen.stdout):
            assert stream
            with contextlib.suppress(OSError):
                stream.close()


class Worker(Process):
    """``dramatiq`` with the workload's actors.

    Parameters:
      env: The whole environment.
      gevent: Greenlets instead of threads.
      processes, threads: How many; threads or greenlets of each process.
      grace: Seconds that Dramatiq lets running messages finish.
      forked: From a process that has loaded the libraries; one with greenlets has an interpreter of its own anyway.

    Attributes:
      ready: It takes messages.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        gevent: bool = False,
        processes: int = 1,
        threads: int = THREADS,
        grace: float = 10.0,
        module: str = "faults.actors",
        forked: bool = False,
    ) -> None:
        self.ready = False
        command = Path(sys.executable).parent / ("dramatiq-gevent" if gevent else "dramatiq")
        super().__init__(
            [
                sys.executable, str(command), module,
                "--processes", str(processes), "--threads", str(threads),
                "--worker-shutdown-timeout", str(int(grace * 1000)),
            ],
            env,
            start=partial(_fork, "dramatiq.cli") if forked and not gevent else subprocess.Popen,
        )  # fmt: skip

    def heard(self, line: str) -> None:
        self.ready = self.ready or "ready for action" in line

    def arm(self, point: str) -> None:
        """Have one of its processes killed at a crash point that it passes from now on; it is ready for action."""
        mortal = next(each for each in self.tree() if _handles(each.pid, signal.SIGUSR1))
        Path(self._env["FAULTS_ORDERS"]).write_text(point)
        mortal.send_signal(signal.SIGUSR1)
        assert self.await_word(f"armed: {point}", 10), list(self.lines)

    def say_where(self) -> str:
        """Return what its processes do, and have those that can say where their threads are."""
        does = []
        for each in self.tree():
            if _handles(each.pid, signal.SIGUSR2):
                each.send_signal(signal.SIGUSR2)
            does.append(f"{each.pid} {each.status()}: {' '.join(each.cmdline())}")
        time.sleep(1.0)
        return "\n".join(does)

    def await_death(self, timeout: float) -> bool:
        """Wait until one of its processes has died, and kill the rest. Returns False when none did in time.

        Dramatiq's master ends then too, but takes 30 s where the worker process died while others were booting.
        """
        seen: set[int] = set()

        def dead() -> bool:
            children = {each.pid: each for each in self.tree()[1:]}
            seen.update(children)
            return not self.running or seen != children.keys() or any(map(_is_zombie, children.values()))

        died = await_that(dead, timeout)
        if not died:
            print(self.say_where())
        self.kill()
        return died


class Producer(Process):
    """``producer.py``, and what it has told.

    Parameters:
      env: The whole environment.
      forked: As with :class:`Worker`.
    """

    def __init__(self, env: Mapping[str, str], *, forked: bool = False) -> None:
        self.log: list[dict[str, Any]] = []
        self.ready = False
        self._asked = 0
        self._asking = threading.Lock()
        super().__init__(
            [sys.executable, "-m", "faults.producer"],
            env,
            start=partial(_fork, "faults.producer") if forked else subprocess.Popen,
        )

    def heard(self, line: str) -> None:
        if line.startswith('{"what"'):
            said = json.loads(line)
            self.ready = self.ready or said["what"] == "ready"
            if said["what"] != "ready":
                self.log.append(said)

    def hand_in(self, requests: Sequence[Request]) -> None:
        """Ask it to hand in; returns at once."""
        assert self.popen.stdin
        lines = "".join(json.dumps(request._asdict()) + "\n" for request in requests)
        with self._asking, contextlib.suppress(OSError, ValueError):  # it is dead, or closed
            self._asked += len(requests)
            self.popen.stdin.write(lines)
            self.popen.stdin.flush()

    def close(self) -> None:
        """Tell it that nothing more comes: it ends when it has its answers."""
        assert self.popen.stdin
        with self._asking, contextlib.suppress(OSError, ValueError):
            self.popen.stdin.close()

    def answered(self, timeout: float) -> bool:
        """Wait until it has an answer to everything; False when it died, or the time is over, before."""
        return self.await_that(lambda: self._count() >= self._asked, timeout)

    def attempted(self, number: int, timeout: float) -> bool:
        """Wait until it has tried so many."""
        return self.await_that(lambda: sum(each["what"] == "attempt" for each in self.log) >= number, timeout)

    def _count(self) -> int:
        return sum(each["what"] in ("acknowledged", "refused", "unknown") for each in self.log)


def _fork(module: str, command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a program in a fork: to import what it needs takes longer than most of what these tests do to it."""
    from tests.command_line import start_program  # scripts/soak has no package of this name, and forks nothing

    interpreter, program, *arguments = command
    return start_program(module, [interpreter, program], *arguments, **options)


def _handles(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(caught >> (number - 1) & 1)


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def await_that(holds: Callable[[], bool], timeout: float, *, every: float = 0.05) -> bool:
    """Poll for what gives no signal. Returns False when it did not come in time."""
    deadline = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True
