"""Lets a forked process go on as if an interpreter had just started in it, with libraries loaded.

``command_server.py`` forks such processes. What they replace themselves with, and what they start, is forked or gone on
with in the same way, where that is the product's own program (:data:`OURS`): a supervisor, its workers, a keeper, a
scheduler. So each of them has its own number, parent, session, streams and signals, and none imports libraries again.

An interpreter starts all the same for greenlets, which need a standard library that is patched before anything else is
imported, where other threads run, and for programs of others.
"""

from __future__ import annotations

import atexit
import builtins
import ctypes
import gc
import io
import logging
import multiprocessing.process
import os
import random
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, NoReturn

#: Programs that a forked process does not start an interpreter for, as arguments of Python.
OURS = (
    "-m growbin_jobs.cli.supervised", "-m growbin_jobs.engine.supervision.tether",
    "-m growbin_jobs.engine.supervision.loader", "-m growbin_jobs.engine.supervision.worker_process",
    "-m growbin_jobs.engine.keeper", "-m growbin_jobs.keeper", "-m growbin_jobs.scheduler",
)  # fmt: skip

_exec = {"execv": os.execv, "execvp": os.execvp}

#: What a process had before, and what must not be collected: files close when they are.
_before: list[Any] = []


class Loaded:
    """What the process that forks has loaded, to which each program goes back."""

    def __init__(self) -> None:
        self._modules = dict(sys.modules)
        self._path = [each for each in sys.path[1:] if each not in _python_path(os.environ)]
        self._streams = (sys.stdin, sys.stdout, sys.stderr)
        self._process = multiprocessing.process.current_process()
        self._loggers = {name: self._state(name) for name in self._names()}

    def begin(self) -> None:
        """Forget what a program has made of this process, as ``exec`` does."""
        _before.append((dict(sys.modules), [vars(logging.getLogger(name)).copy() for name in self._names()]))
        gc.freeze()
        gc.enable()
        gc.set_threshold(700, 10, 10)
        for name in set(sys.modules) - set(self._modules):
            del sys.modules[name]
        sys.modules.update(self._modules)
        for name in self._names():
            state = self._loggers.get(name, (logging.NOTSET, [], [], True, False))
            logger = logging.getLogger(name)
            logger.level, logger.handlers, logger.filters = state[0], list(state[1]), list(state[2])
            logger.propagate, logger.disabled = state[3:]
        logging.root.manager._clear_cache()  # type: ignore[attr-defined]
        logging.disable(logging.NOTSET)
        atexit._clear()
        _reset_signals()
        vars(multiprocessing.process).update(_current_process=self._process, _parent_process=None, _children=set())
        for file in map(int, os.listdir("/proc/self/fd")):
            if file > 2 and _closes(file):
                os.close(file)

    def interpret(self, words: Sequence[str], env: Mapping[str, str]) -> None:
        """Do what Python does with its arguments; returns when the program has come to its end.

        Parameters:
          words: ``-c`` code, ``-m`` a module or a script, and arguments; ``-P`` before.
          env: The whole environment.
        """
        os.environ.clear()
        os.environ.update(env)
        time.tzset()
        tempfile.tempdir = None
        random.seed()  # else all draw the same
        sys.orig_argv = [sys.executable, *words]
        _show(sys.orig_argv)
        for number, (name, like) in enumerate(zip(("stdin", "stdout", "stderr"), self._streams, strict=True)):
            stream = _stream(number, "w" if number else "r", like, unbuffered=bool(env.get("PYTHONUNBUFFERED")))
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        _before.append(sys.modules["__main__"])
        main = sys.modules["__main__"] = ModuleType("__main__")
        vars(main).update(__builtins__=builtins)
        safe = words[0] == "-P"
        self._run(list(words[safe:]), vars(main), [*_python_path(env), *self._path], safe=safe)

    def _run(self, words: list[str], main: dict[str, Any], path: list[str], *, safe: bool) -> None:
        what, sys.argv = words[0], words
        first = {"-c": "", "-m": os.getcwd()}.get(what, os.path.dirname(os.path.realpath(what)))
        sys.path[:] = [*([] if safe else [first]), *path]
        if what == "-m":
            name, sys.argv = words[1], ["-m", *words[2:]]
            sys.modules.pop(name, None)  # it is run anew, whoever has imported it
            runpy._run_module_as_main(name)  # type: ignore[attr-defined]  # what the interpreter calls
        elif what == "-c":
            sys.argv = ["-c", *words[2:]]
            exec(compile(words[1], "<string>", "exec"), main)
        else:
            with io.open_code(what) as file:
                main["__file__"] = what
                exec(compile(file.read(), what, "exec"), main)

    def _names(self) -> list[str]:
        return ["root", *logging.root.manager.loggerDict]

    def _state(self, name: str) -> tuple[Any, ...]:
        logger = logging.getLogger(name)
        return logger.level, logger.handlers[:], logger.filters[:], logger.propagate, logger.disabled


def stay(loaded: Loaded) -> None:
    """Have this process go on in itself, or in a fork, where it would start an interpreter for one of ours."""

    def execute(name: str, path: str, words: Sequence[str]) -> None:
        if _is_ours(words) and threading.active_count() == len(os.listdir("/proc/self/task")) == 1:
            _go_on(loaded, words[1:], dict(os.environ))
        _exec[name](path, words)

    class Forking(subprocess.Popen[Any]):
        """Forks where it can."""

        def _execute_child(
            self, args: Any, executable: Any, preexec_fn: Any, close_fds: Any, pass_fds: Any, cwd: Any, env: Any,
            startupinfo: Any, creationflags: Any, shell: Any, p2cread: int, p2cwrite: int, c2pread: int, c2pwrite: int,
            errread: int, errwrite: int, *others: Any,
        ) -> None:  # fmt: skip
            if shell or preexec_fn or not _is_ours(args):
                super()._execute_child(  # type: ignore[misc]
                    args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell,
                    p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, *others,
                )  # fmt: skip
                return
            self.pid = os.fork()
            if self.pid == 0:
                try:
                    if others[-2]:
                        os.setsid()
                    _take([p2cread, c2pwrite, errwrite], keep=pass_fds)
                    os.chdir(cwd or ".")
                    _go_on(loaded, args[1:], dict(os.environ if env is None else env))
                finally:
                    os._exit(255)
            self._child_created = True
            self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)  # type: ignore[attr-defined]

    os.execv = lambda path, words: execute("execv", path, words)  # type: ignore[assignment]
    os.execvp = lambda path, words: execute("execvp", path, words)  # type: ignore[assignment]
    subprocess.Popen = Forking  # type: ignore[misc]


def _is_ours(words: Any) -> bool:
    if not isinstance(words, (list, tuple)) or words[0] != sys.executable:
        return False
    option, name, *more = [*(word for word in words[1:5] if word != "-P"), "", ""]
    return f"{option} {name}" in OURS and more[0] != "--gevent"


def _go_on(loaded: Loaded, words: Sequence[str], env: dict[str, str]) -> NoReturn:
    """Be another program in the same process, and end with it."""
    code: Any = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    try:
        loaded.begin()
        loaded.interpret(words, env)
        code = 0
    except SystemExit as exit_:
        code = exit_.code or 0
        if not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _take(streams: Sequence[int], keep: Iterable[int]) -> None:
    """Have these files as standard streams, and beside them only those that are kept."""
    copies = [os.dup(number if file == -1 else file) for number, file in enumerate(streams)]
    for number, copy in enumerate(copies):
        os.dup2(copy, number)
    for file in map(int, os.listdir("/proc/self/fd")):
        if file > 2:
            os.set_inheritable(file, file in keep) if _exists(file) else None


def _exists(file: int) -> bool:
    try:
        os.fstat(file)
    except OSError:  # it was the list's own
        return False
    return True


def _closes(file: int) -> bool:
    return _exists(file) and not os.get_inheritable(file)


def _reset_signals() -> None:
    """Leave what is ignored; what is handled is not handled any more."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) not in (signal.SIG_IGN, signal.SIG_DFL):
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _python_path(env: Mapping[str, str]) -> list[str]:
    return [os.path.abspath(each) for each in filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]


def _stream(number: int, mode: str, like: io.TextIOWrapper, *, unbuffered: bool) -> io.TextIOWrapper:
    """Return what the interpreter makes of a standard stream at its start."""
    bare = unbuffered and mode == "w"
    lines = not bare and (number == 2 or os.isatty(number))
    buffer = open(number, f"{mode}b", buffering=0 if bare else -1, closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(buffer, like.encoding, like.errors, "\n", line_buffering=lines, write_through=bare)


def _show(words: Sequence[str]) -> None:
    """Have ``/proc`` show a command line, as far as there is room where this process's own was."""
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
        start, end = map(int, file.read().rpartition(")")[2].split()[45:47])
    text = b"\0".join(map(os.fsencode, words))[: end - start - 1]
    ctypes.memmove(start, text.ljust(end - start, b"\0"), end - start)
