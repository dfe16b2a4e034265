"""Has processes forked by a loader that has imported what they need (:mod:`growbin_jobs.engine.supervision.loader`).

They are children of this process all the same, and not the loader's: this one takes in what loses its parent below it
(``PR_SET_CHILD_SUBREAPER``, Linux). So all that a parent may do is done here: wait for them, signal them, be what they
end with.
"""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from growbin_jobs.engine.greenlet_patches import GEVENT
from growbin_jobs.engine.supervision import loader
from growbin_jobs.engine.supervision.adoption import adopt_orphans
from growbin_jobs.engine.supervision.ends import Ends
from growbin_jobs.engine.supervision.shown_command import encoded

#: What a command begins with that can be forked: a module that Python runs.
_PYTHON = [sys.executable, "-m"]

#: So many processes make a loader worth its own start.
LEAST = 2

#: Seconds between two looks at a process whose end is awaited, whatever the kernel says.
LOOK = 60.0


class ForkedProcess:
    """A child of this process that a loader is to fork, as far as :class:`subprocess.Popen` is needed of it.

    Attributes:
      pid: Its number; 0 until it is known.
      refused: There will be none.
      returncode: Exit code, or the negative number of a signal, once it has been waited for.
    """

    def __init__(self) -> None:
        self.pid = 0
        self.refused = False
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return how it ended; None while it runs, or is not there yet."""
        if self.returncode is None and self.pid:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else has waited for it, and knows how
                self.returncode = -signal.SIGKILL
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return how that was.

        Parameters:
          timeout: Seconds; None: for ever.

        Raises:
          subprocess.TimeoutExpired: It has not ended.
        """
        until = math.inf if timeout is None else time.monotonic() + timeout
        ends = Ends()
        while (code := self.poll()) is None:
            if (left := until - time.monotonic()) <= 0:
                raise subprocess.TimeoutExpired([str(self.pid)], timeout or 0.0)
            ends.wait([self.pid], min(left, LOOK))
        return code

    def send_signal(self, signum: int) -> None:
        """Signal it; does nothing where it has ended or is not there."""
        if self.pid and self.poll() is None:
            os.kill(self.pid, signum)


class Forking:
    """A loader and what it is asked for. It is started when it is first needed, and anew when it has ended.

    Parameters:
      modules: That it loads; none: there is no loader.
      commands: Of all processes; those of the other kind are started otherwise.
      greenlets: It is one for processes with greenlets, which are forked from no other.
      env: Environment of all; None: this process's.
    """

    def __init__(
        self,
        modules: Sequence[str],
        commands: Sequence[Sequence[str]],
        *,
        greenlets: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._modules = ",".join(modules)
        self._greenlets = greenlets
        forked = [encoded(command) for command in commands if self._can_fork(command)]
        self._room = max(map(len, forked), default=0)
        self._env = env
        self._hopeless = not modules or len(forked) < LEAST or sys.platform != "linux"
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._asked: dict[int, ForkedProcess] = {}
        self._number = 0

    @property
    def adopts(self) -> bool:
        """True once processes that lose their parents become children of this one."""
        return self._number > 0

    @property
    def pid(self) -> int | None:
        """Number of the loader's process, while it runs."""
        return self._process.pid if self._process else None

    def start(self, command: Sequence[str], passed: Sequence[int], output: int) -> ForkedProcess | None:
        """Ask for a process. None where it must be started otherwise.

        Parameters:
          command: Of the process; it may name the descriptor (:data:`~growbin_jobs.engine.supervision.ready.READY`).
          passed: At most one descriptor that it gets.
          output: Descriptor for what it says.
        """
        if self._hopeless or not self._can_fork(command):
            return None
        if self._process is None:
            self._begin(output)
        if self._channel is None:
            return None
        self._number += 1
        request = json.dumps({"number": self._number, "command": list(command)}).encode()
        try:
            socket.send_fds(self._channel, [request], list(passed))
        except BlockingIOError:  # it does not listen
            return None
        except OSError:
            self._end()
            return None
        process = self._asked[self._number] = ForkedProcess()
        return process

    def hear(self) -> None:
        """Notice what the loader has done, or that it has ended."""
        while self._channel is not None:
            try:
                words = self._channel.recv(4096)
            except BlockingIOError:
                return
            except ConnectionResetError:  # it has ended with requests that it had not read; its words are still here
                continue
            if not words:
                self._end()
                return
            said = json.loads(words)
            process = self._asked.pop(said["number"])
            process.pid, process.refused = said["pid"], not said["pid"]

    def close(self) -> None:
        """End the loader: from now on no process begins that is not known here. May be called again."""
        self._end()

    def _begin(self, output: int) -> None:
        if not adopt_orphans():  # a sandbox may forbid it
            self._hopeless = True
            return
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.setblocking(False)
        with theirs:
            command = [
                *_PYTHON, loader.__name__, *([GEVENT] if self._greenlets else []),
                str(theirs.fileno()), str(os.getpid()), self._modules, "-" * self._room,
            ]  # fmt: skip
            self._process = subprocess.Popen(  # noqa: S603
                command,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def _end(self) -> None:
        if (ended := self._process) is None:
            return
        self._process = None
        ended.kill()  # does nothing where it has ended
        self._hopeless = ended.wait() > 0  # it said why; one that was killed may be tried again
        self.hear()  # whom it has started before its end
        if self._channel is not None:  # what it was forking has it, too, for a moment
            self._channel.close()
            self._channel = None
        for process in self._asked.values():
            process.refused = True
        self._asked.clear()

    def _can_fork(self, command: Sequence[str]) -> bool:
        """Return whether the loader can do what a command does: a module of Python, with greenlets or without."""
        return list(command[:2]) == _PYTHON and (GEVENT in command) == self._greenlets
