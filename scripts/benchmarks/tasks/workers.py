"""The worker processes of one system."""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self

import psutil

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def inherited() -> dict[str, str]:
    """Return our environment, without what points this shell to a server: measured programs have their own."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("GROWBIN_", "DATABASE_"))}


class Workers:
    """Worker processes, from their command lines, until the block ends.

    They are killed then, by their ids: every outbox is empty. Should this process be killed itself, they are told to
    stop by the kernel.

    Parameters:
      commands: Their command lines.
      env: In addition to ours.
      log: Takes what they print.
    """

    def __init__(self, commands: Sequence[Sequence[str]], env: Mapping[str, str], log: Path) -> None:
        self._commands = commands
        self._env = inherited() | dict(env)
        self._log = log
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            with self._log.open("ab") as log:
                for command in self._commands:
                    self._started.append(self._start(command, log))
        except BaseException:  # interrupted between two of them: the first must not stay
            self._kill()
            raise
        return self

    def __exit__(self, *_exc: Any) -> None:
        self._kill()

    def _start(self, command: Sequence[str], log: BinaryIO) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own commands
            command,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us
            preexec_fn=_in_child,
        )

    def _kill(self) -> None:
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for started in self._started:
            started.wait()

    @property
    def alive(self) -> bool:
        """True while every command runs."""
        return all(started.poll() is None for started in self._started)

    def freeze(self) -> None:
        """Let none of them do anything until :meth:`thaw`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def cpu_seconds(self) -> float:
        """Return the CPU time that they have used so far."""
        return sum(float(times.user + times.system) for times in self._each("cpu_times"))

    def connections(self, port: int) -> int:
        """Return the most connections to a port that one of them has."""
        return max(
            sum(bool(one.status == psutil.CONN_ESTABLISHED and one.raddr.port == port) for one in connections)
            for connections in self._each("net_connections", "tcp")
        )

    def peak_mb(self) -> float:
        """Return the largest resident memory that one of them has had."""
        peaks = []
        for process in self._tree():
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{process.pid}/status").read_text()
                peaks.append(int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6)
        return max(peaks)

    def last_words(self, lines: int = 15) -> str:
        """Return the end of what they printed."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def _each(self, method: str, *args: Any) -> Iterator[Any]:
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                yield getattr(process, method)(*args)

    def _tree(self) -> list[psutil.Process]:
        found: list[psutil.Process] = []
        for started in self._started:
            with contextlib.suppress(psutil.NoSuchProcess):
                top = psutil.Process(started.pid)
                found += [top, *top.children(recursive=True)]
        return found

    def _signal(self, number: int) -> None:
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)


def _in_child() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # plain Dramatiq opens a connection for each greenlet
