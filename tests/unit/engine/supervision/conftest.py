"""Real processes: what they live through they say into a pipe; a lock that they hold tells when all are dead."""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from growbin_jobs.engine.supervision.supervisor import Supervisor

#: What every child does first: take (a share of) the lock for as long as it and its children live, and say hello.
HELLO = """
import fcntl, os, signal, subprocess, sys, time
lock = open({lock!r}, "w"); fcntl.flock(lock, fcntl.LOCK_SH); os.set_inheritable(lock.fileno(), True)
pipe = os.open({pipe!r}, os.O_WRONLY)
def say(words): os.write(pipe, (words + "\\n").encode())
"""

#: From ``linux/prctl.h``.
PR_SET_CHILD_SUBREAPER = 36


class Stage:
    """Where children play.

    Parameters:
      folder: For its files.
      loaded: Modules of the process that children are forked from; none: each is started for itself.

    Attributes:
      env: Of supervisors.
      loaded_with_greenlets: As ``loaded``, for children with greenlets.
    """

    def __init__(self, folder: Path, loaded: tuple[str, ...]) -> None:
        self.lock, self.pipe = str(folder / "lock"), str(folder / "pipe")
        os.mkfifo(self.pipe)
        self.heard = os.fdopen(os.open(self.pipe, os.O_RDWR), "r")
        self._hello = HELLO.format(lock=self.lock, pipe=self.pipe)
        self.folder = folder
        self.loaded = loaded
        self.loaded_with_greenlets: tuple[str, ...] = ()
        path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
        self.env = os.environ | {"PYTHONPATH": path}
        self._children = 0

    def child(self, code: str) -> list[str]:
        """Return the command of a child that runs some code, after :data:`HELLO`."""
        if not self.loaded:
            return [sys.executable, "-c", self._hello + code]
        self._children += 1
        return self.module(f"child_{self._children}", self._hello + code)

    def module(self, name: str, code: str) -> list[str]:
        """Write a module, and return the command that runs it."""
        (self.folder / f"{name}.py").write_text(code)
        return [sys.executable, "-m", name]

    def supervisor(self, commands: dict[str, list[str]], *, grace: float = 30.0, **options: Any) -> Supervisor:
        """Return a supervisor of children."""
        loaded = {"loaded": self.loaded, "loaded_with_greenlets": self.loaded_with_greenlets}
        return Supervisor(commands, grace=grace, env=self.env, **loaded, **options)

    def hear(self) -> str:
        """Return what a child says next."""
        return self.heard.readline().strip()

    def await_the_death_of_all(self) -> None:
        """Wait for the end of all that have said hello."""
        with open(self.lock, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

    def await_begin(self, supervisor: Supervisor, number: int = 0) -> int:
        """Wait until a child is there, and return the number of its process."""
        child = supervisor._children[number]
        while not child.pid:
            channels = [each._channel for each in supervisor._loaders.values() if each._channel is not None]
            select.select(channels, [], [], 1.0)
            supervisor.tend()
        return child.pid

    def await_end(self, supervisor: Supervisor, number: int = 0) -> int:
        """Wait for the end of a child's process, and return how that was."""
        self.await_begin(supervisor, number)
        return supervisor._children[number].process.wait()


@pytest.fixture
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path, ("json",) if getattr(request, "param", "executed") == "forked" else ())
    yield made
    made.heard.close()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0)  # this process is pytest's


@pytest.fixture
def watched() -> Iterator[Callable[..., Any]]:
    """Run supervisors in a thread."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit
