"""The supervisor: runs processes side by side, replaces one that dies, and stops all of them cleanly."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from growbin_jobs.engine.node.supervised import Supervised
from growbin_jobs.engine.supervision import tether
from growbin_jobs.engine.supervision.adoption import reap_orphans
from growbin_jobs.engine.supervision.child import FAILED_STARTS, Child, describe_end
from growbin_jobs.engine.supervision.ends import Ends
from growbin_jobs.engine.supervision.forking import ForkedProcess, Forking
from growbin_jobs.engine.supervision.ready import READY, naming

__all__ = ["FAILED_STARTS", "READY", "STOP_MARGIN", "Supervisor"]

#: Seconds beyond the workers' own shutdown timeout: a worker looks once a second whether it is to stop.
STOP_MARGIN = 15.0

#: Seconds between two looks at the children, whose ends are seen at once: while one of them starts, and later.
LOOK_AT_STARTING, LOOK = 0.1, 5.0

#: Exit code of a worker that cannot import its module (``dramatiq.cli``).
CANNOT_IMPORT = 2


class Supervisor:
    """Run commands side by side; replace one that ends by itself, and leave the others alone.

    A child that had worked for a while starts again at once, one that keeps dying after growing pauses. A child that
    says that its configuration is wrong, or that never comes to work at all, stops everything: somebody must see it.
    Children that have lost their supervisor drain as if it had asked them to
    (:mod:`growbin_jobs.engine.supervision.tether`).

    Start and tend it in one thread: on Linux it is the end of the thread that started a child that stops the child.
    Other threads of its process may make children that have lost it hurry.

    Parameters:
      commands: By name. An argument that contains :data:`READY` gets the number of a descriptor there; the child
        writes a byte to it when it works. One without is taken to work from its start.
      grace: Seconds that :meth:`stop` lets them drain. Longer than their own shutdown timeout, so that it is they
        who give running work back.
      companions: Names of those that stop nothing, whatever becomes of them.
      env: Environment of the children; None: this process's.
      log: File for their output; None: this process's stderr.
      say: Told in a sentence when a child ends by itself.
      install: What to do where a child cannot import its module, as a sentence.
      folder: Of the node, whose keeper ends children that have lost their supervisor and do not drain; None: nobody
        does (:mod:`growbin_jobs.engine.node.orphans`).
      loaded: Modules that are loaded once, in a process from which children are forked that run a module of Python
        (:mod:`growbin_jobs.engine.supervision.forking`); none: each child loads all for itself.
      loaded_with_greenlets: The same for children with greenlets, which have a process of their own to be forked from.
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        *,
        grace: float,
        companions: Collection[str] = (),
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        say: Callable[[str], object] = str,
        install: str = "",
        folder: Path | None = None,
        loaded: Sequence[str] = (),
        loaded_with_greenlets: Sequence[str] = (),
    ) -> None:
        self._children = [Child(name, command, name not in companions) for name, command in commands.items()]
        every = list(commands.values())
        self._forking = Forking(loaded, every, env=env)
        self._forking_greenlets = Forking(loaded_with_greenlets, every, greenlets=True, env=env)
        self._loaders = {"loader": self._forking, "loader with greenlets": self._forking_greenlets}
        self._grace = grace
        self._env = env
        self._log = log
        self._say = say
        self._install = install
        self._stopping = threading.Event()
        self._ends = Ends()
        self._supervised = None if folder is None else Supervised(folder, grace)
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
        while not self._stopping.is_set():
            code = self.tend()
            if code is not None:
                return code
            self._ends.wait([child.pid for child in self._children if child.pid], self._look_in())
        return 0

    def tend(self) -> int | None:
        """Replace what has ended. Return an exit code when there is no point in going on."""
        self._hear()
        self._tell()
        if os.getpid() == 1 or any(each.adopts for each in self._loaders.values()):
            reap_orphans(self._ours)
        for child in self._children:
            if child.process is None:
                if time.monotonic() >= child.restart_at:
                    self._start(child)
                continue
            if isinstance(child.process, ForkedProcess) and child.process.refused:
                self._start(child, forked=False)
                continue
            child.look()
            code = child.process.poll()
            if code is not None and (fatal := self._ended(child, code)) is not None:
                return fatal
        return None

    @property
    def ready(self) -> bool:
        """True when every child works."""
        for child in self._children:
            child.look()
        return all(child.ready for child in self._children)

    def request_stop(self) -> None:
        """Let :meth:`run` return; safe in a signal handler."""
        self._stopping.set()
        self._ends.wake()

    def stop(self) -> None:
        """Let the children drain, and end those that do not within the grace time. Twice is safe."""
        self._stopping.set()
        for each in self._loaders.values():
            each.close()
        running = [child.process for child in self._children if child.process is not None and child.pid]
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
            for child in self._children:
                child.forget()
            if self._supervised is not None:
                self._supervised.leave()

    def kill(self) -> None:
        """End the children at once: a second Ctrl-C. The broker delivers again what they were doing."""
        for child in self._children:
            if child.process is not None:
                child.process.send_signal(signal.SIGTERM)  # dramatiq: the second one ends its workers at once

    def _look_in(self) -> float:
        """Return the seconds until there may be something to do beside what an end asks for."""
        now = time.monotonic()
        waits = [max(0.0, child.restart_at - now) for child in self._children if child.process is None]
        starting = any(child.starting for child in self._children)
        return min(*waits, LOOK_AT_STARTING if starting else LOOK, LOOK)

    def _ended(self, child: Child, code: int) -> int | None:
        assert child.process is not None
        child.look()
        _signal_all(child.process, signal.SIGTERM)  # what it has started itself
        how = describe_end(code)
        if child.essential and code == os.EX_CONFIG:
            self._say(f"{child.name} cannot work with this configuration (exit code {code}).")
            return os.EX_CONFIG
        pause = child.ended()
        if child.essential and child.hopeless(code == CANNOT_IMPORT):
            self._say(f"{child.name} {how} before it could work. {self._remedy(code)}")
            return code if code > 0 else 1
        again = "it starts again at once" if not pause else f"it starts again in {pause:.0f} s"
        self._say(f"{child.name} {how}; {again}.")
        self.restarts += 1
        if not pause:
            self._start(child)
        return None

    def _remedy(self, code: int) -> str:
        if code == CANNOT_IMPORT and self._install:
            remedy = f"Its module could not be imported. {self._install}"
        else:
            remedy = f"It was tried {FAILED_STARTS} times." if code != CANNOT_IMPORT else "Its import failed."
        if self._log is None:
            return f"{remedy} What it said is above."
        return f"{remedy} Its last words:\n{_tail(self._log)}"

    def _start(self, child: Child, *, forked: bool = True) -> None:
        output: IO[bytes] | int = self._log.open("ab") if self._log else sys.stderr.fileno()
        try:
            command, passed = child.prepare()
            number = output if isinstance(output, int) else output.fileno()
            child.process = self._fork(command, passed, number) if forked else None
            child.process = child.process or tether.start(naming(command, passed), passed, number, env=self._env)
            self._tell()
        finally:
            child.started()
            if not isinstance(output, int):
                output.close()

    def _tell(self) -> None:
        if self._supervised is not None:
            loaders = {name: each.pid for name, each in self._loaders.items() if each.pid}
            self._supervised.tell(loaders | {child.name: child.pid for child in self._children if child.pid})

    def _ours(self) -> set[int]:
        self._hear()  # of one that has begun and ended meanwhile
        return {child.pid for child in self._children} | {each.pid or 0 for each in self._loaders.values()}

    def _hear(self) -> None:
        for each in self._loaders.values():
            each.hear()

    def _fork(self, command: Sequence[str], passed: Sequence[int], output: int) -> ForkedProcess | None:
        """Have a process forked by the loader of its kind; None where it must be started otherwise."""
        for each in self._loaders.values():
            if (process := each.start(command, passed, output)) is not None:
                return process
        return None


def _tail(log: Path, lines: int = 20) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"


def _signal_all(process: subprocess.Popen[bytes] | ForkedProcess, signum: signal.Signals) -> None:
    """Signal a child's whole session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signum)
