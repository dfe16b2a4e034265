"""A process that we started, told apart from a later one with the same pid by its start time."""

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: States of a process that runs no more: zombie, dead.
ENDED = ("Z", "X")


@dataclass(frozen=True)
class Process:
    """One process.

    Attributes:
      pid: Process id.
      started: The boot and the tick of its start. A pid is used again, this pair is not.
    """

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "Process":
        """Describe a process that runs now. Raises ProcessLookupError if it does not."""
        state, started = _look(pid)
        if state in ENDED:
            raise ProcessLookupError(pid)
        return cls(pid, started)

    def alive(self) -> bool:
        """Return True while this very process runs; a zombie does not."""
        try:
            state, started = _look(self.pid)
        except ProcessLookupError:
            return False
        return started == self.started and state not in ENDED

    def send(self, number: int) -> bool:
        """Send a signal to this process and to no other. Return False when it has ended."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            # The descriptor holds on to whoever has the pid now; only then is it safe to ask who that is.
            if not self.alive():
                return False
            signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(descriptor)
        return True

    def wait(self, timeout: float | None) -> bool:
        """Wait until it has ended, for at most ``timeout`` seconds. Return True when it has."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            if not self.alive():
                return True
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            return bool(poll.poll(None if timeout is None else timeout * 1000))
        finally:
            os.close(descriptor)

    def end(self, number: int = signal.SIGTERM, grace: float = 5.0) -> None:
        """Ask it to end with a signal and kill it after ``grace`` seconds. Frozen processes end too."""
        if self.send(number):
            self.send(signal.SIGCONT)
            if not self.wait(grace):
                self.send(signal.SIGKILL)
                self.wait(grace)
        _reap(self.pid)


def spawn(
    command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path, log: Path, user: str | None = None
) -> Process:
    """Start a server in a session of its own, so that a Ctrl-C in this terminal does not reach it."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            [str(part) for part in command],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    started.returncode = 0  # ours no longer: it outlives this command, so Popen shall not warn about it
    return Process(started.pid, _look(started.pid)[1])  # it may have ended already, and others find out


def _look(pid: int) -> tuple[str, str]:
    """Return the state of a process, and what tells it from others of that number."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(pid) from None
    # The name, in brackets, may itself contain spaces and brackets; field 3 (state) and 22 (start time) follow it.
    fields = stat.rpartition(")")[2].split()
    return fields[0], f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}:{fields[19]}"


def _reap(pid: int) -> None:
    """Take the exit status if it was a child of this very process, or it stays a zombie as long as we run."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
