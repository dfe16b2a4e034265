"""``growbin-jobs`` in a process of its own, for tests, for a quarter of what it costs to start one.

An interpreter that starts and imports what a command needs computes for half a second, and the tests run some hundred
commands. So one process has loaded the libraries, and nothing else: no thread, no file, no setting
(``command_server.py``); it serves all processes of pytest. Each command is forked from it, with its own arguments,
environment, folder and streams; the command line itself is imported in the fork. It is a process like any other, with
a pid, an exit code and signals.

Workers of plain ``dramatiq``, and other programs of the tests, can be forked likewise (:func:`start_python`, and
:func:`start_program` for what is one function).

Programs that gevent patches before they import anything are forked of another such process, which gevent has patched.

What a fork cannot show needs an interpreter that starts, and gets one: a command whose environment differs in what
Python or its libraries read only at their start (:data:`AT_START`), commands that replace themselves or are found by
their environment in ``/proc`` (give ``MAIN`` to :mod:`subprocess`), and all that a shell starts. Those tests also see
the order of imports and a fault of the start.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

#: What the installed script does, in an interpreter of its own.
MAIN = [sys.executable, "-c", "from growbin_jobs.cli import main; main()"]

#: How programs say that gevent patches them.
GREENLETS = re.compile("gevent|greenlets$")

#: Has a process that forks be patched by gevent.
PATCHED = "--greenlets"

#: What processes that fork have loaded beside the modules of most commands, for all processes of a run.
SHARED: set[tuple[str, ...]] = {(), (PATCHED,)}

SERVER = Path(__file__).with_name("command_server.py")

#: In the server's command line: what is forked from it can show one of its own there.
ROOM = "-" * 1000

#: Beginnings of the variables that are read once, when an interpreter or a library starts.
AT_START = ("PYTHON", "LANG", "LC_", "LD_", "MALLOC_", "OMP_", "OPENBLAS_", "TYPER_", "PYDANTIC_", "GEVENT_", "PURE_")


def run(
    *arguments: object, check: bool = False, timeout: float = 100, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """Run a command to its end; options are those of :class:`subprocess.Popen`, and both its outputs are kept."""
    process = start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    return _ended(process, check=check, timeout=timeout)


def start(*arguments: object, env: Mapping[str, str], **options: Any) -> subprocess.Popen[Any]:
    """Start a command; options are those of :class:`subprocess.Popen`."""
    words = list(map(str, arguments))
    if _at_start(env) != _at_start(os.environ):
        return subprocess.Popen([*MAIN, *words], env=env, **options)
    return _Forked([*MAIN, *words], ["-c", *words], module="growbin_jobs.cli", env=env, **options)


def start_python(
    command: Sequence[str | os.PathLike[str]], *, env: Mapping[str, str] | None = None, **options: Any
) -> subprocess.Popen[Any]:
    """Start a program of Python, by forking a process that has loaded the libraries.

    Parameters:
      command: A Python, and what it is given: ``-c`` and code, ``-m`` and a module, or a file; or an installed script
        alone. One that gevent patches is forked from a process that gevent has patched: it is known by the script's
        name, by its arguments, or by the beginning of its code.
      env: The whole environment; None: that of this process. What is read at the start is that of the process that
        forks: there is one for each.
      options: Those of :class:`subprocess.Popen`.
    """
    words = list(map(os.fspath, command))
    patched = _is_patched(words)
    argv = words[1:] if words[0] == sys.executable else words
    loaded = (PATCHED,) if patched else ()
    return _Forked(words, argv, loaded=loaded, env=os.environ if env is None else env, **options)


def _is_patched(words: list[str]) -> bool:
    """Return whether gevent patches a program before it imports anything else."""
    if words[1:2] == ["-c"]:
        return words[2].lstrip().startswith("from gevent import monkey")
    if words[1:2] and words[1].endswith(".py"):
        return any(map(GREENLETS.search, [Path(words[1]).stem, *words[2:3]])) or "gevent" in words[3:]
    return bool(GREENLETS.search(words[0]))


def run_python(
    command: Sequence[str | os.PathLike[str]], *, check: bool = False, timeout: float = 100, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """Run a program of Python to its end, as :func:`start_python` starts it, and keep both its outputs."""
    process = start_python(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    return _ended(process, check=check, timeout=timeout)


def start_program(
    module: str,
    command: Sequence[str],
    *arguments: str,
    env: Mapping[str, str],
    loaded: Sequence[str] = (),
    **options: Any,
) -> subprocess.Popen[Any]:
    """Start a program by forking a process that has loaded the libraries, whatever the environment.

    Parameters:
      module: Its function ``main`` is called, and returns the exit code.
      command: What would start it, without its arguments.
      arguments: Of the program.
      env: The whole environment. What is read at the start is that of the process that forks: there is one for each.
      loaded: More modules that the process that forks has loaded.
      options: Those of :class:`subprocess.Popen`.
    """
    argv = ["-c" if command == MAIN else command[-1], *arguments]
    return _Forked([*command, *arguments], argv, module=module, loaded=loaded, env=env, **options)


def share() -> None:
    """Start the processes that fork commands, for this process and all that are forked of it."""
    for loaded in SHARED:
        _server_for(os.environ, loaded)


def _ended(process: subprocess.Popen[Any], *, check: bool, timeout: float) -> subprocess.CompletedProcess[Any]:
    with process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


class _Forked(subprocess.Popen[Any]):
    """A command that a server has forked. It is no child of this process: it is told its pid, and how it ended."""

    def __init__(
        self, command: list[str], argv: list[str], *, module: str | None = None, loaded: Sequence[str] = (),
        **options: Any,
    ) -> None:  # fmt: skip
        self._module, self._argv, self._loaded = module, argv, loaded
        super().__init__(command, **options)

    def _execute_child(
        self, args: Any, executable: Any, preexec_fn: Any, close_fds: Any, pass_fds: Any, cwd: Any, env: Any,
        startupinfo: Any, creationflags: Any, shell: Any, p2cread: int, p2cwrite: int, c2pread: int, c2pwrite: int,
        errread: int, errwrite: int, *others: Any,
    ) -> None:  # fmt: skip
        _, _, _, _, _, session, group = others
        assert (preexec_fn, pass_fds, group) == (None, (), -1), "give MAIN to subprocess for this"
        told, tell = os.pipe()
        self._told = os.fdopen(told, "rb", buffering=0)
        try:
            request = {
                "module": self._module, "argv": self._argv, "command": args, "session": session,
                "folder": os.fspath(cwd or os.getcwd()), "env": dict(env),
            }  # fmt: skip
            streams = [0 if p2cread == -1 else p2cread, 1 if c2pwrite == -1 else c2pwrite]
            _server_for(env, self._loaded).ask(request, [*streams, 2 if errwrite == -1 else errwrite, tell])
        finally:
            os.close(tell)
            self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)
        pid = self._tell()
        if pid is None:
            raise ChildProcessError("The server of commands has ended.")
        self.pid = pid
        self._child_created = True

    def _tell(self) -> int | None:
        said = self._told.read(8)
        return int.from_bytes(said, "little", signed=True) if said else None

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        if self.returncode is None and self._is_told(0):
            self._end()
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        if self.returncode is None:
            if not self._is_told(timeout):
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self._end()
        return self.returncode

    def _is_told(self, timeout: float | None) -> bool:
        poll = select.poll()  # select() takes no number above 1023
        poll.register(self._told, select.POLLIN)
        return bool(poll.poll(None if timeout is None else max(0.0, timeout) * 1000))

    def __del__(self, *_: Any) -> None:
        """Leave one that still runs to nobody: ``subprocess`` would ask for its end before each start from then on."""

    def _end(self) -> None:
        with self._told:
            code = self._tell()
        # Who waits for it was killed with it, as a whole group is.
        self.returncode = -signal.SIGKILL if code is None else code


class _Server:
    """A process that forks. It ends when this one does, and all that share its socket.

    Parameters:
      at_start: The variables that are read when it starts; the rest is as in this process.
      loaded: Modules that it loads beside those of most commands.
    """

    def __init__(self, at_start: Mapping[str, str], loaded: Sequence[str]) -> None:
        rest = {name: value for name, value in os.environ.items() if not name.startswith(AT_START)}
        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            command = [sys.executable, SERVER, str(its.fileno()), ROOM, *loaded]
            self._process = subprocess.Popen(
                command, env=rest | dict(at_start), pass_fds=[its.fileno()], stdin=subprocess.DEVNULL
            )

    def ask(self, request: dict[str, Any], streams: list[int]) -> None:
        socket.send_fds(self._socket, [json.dumps(request).encode()], streams)


def _server_for(env: Mapping[str, str], loaded: Sequence[str]) -> _Server:
    return _server(frozenset(_at_start(env).items()), tuple(loaded))


@cache
def _server(at_start: frozenset[tuple[str, str]], loaded: tuple[str, ...]) -> _Server:
    return _Server(dict(at_start), loaded)


def _at_start(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(AT_START)}
