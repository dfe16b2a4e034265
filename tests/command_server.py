"""Forks commands for ``command_line.py``: a program of its own, so that nothing of pytest is in what it forks.

A request is one packet: what is to run, arguments, folder and environment in JSON, and four open files: stdin, stdout,
stderr, and a pipe for the answers, the pid and the exit code. What is to run is words as an interpreter has them, which
are ``-m`` and a module, ``-c`` and code, or a file; or it is a module whose ``main`` is called. Between this process
and the command stands one that waits for it.
"""

import atexit
import gc
import importlib
import io
import json
import os
import random
import runpy
import signal
import socket
import sys
import tempfile
import threading
import time
from os import fork, waitpid  # gevent's own would make a hub
from pathlib import Path
from signal import signal as set_signal
from types import ModuleType

#: What commands and workers import, without the command line: a module of it looks at the terminal when it is imported.
#: Nothing here reads a setting, and nothing opens anything.
LOADED = (
    "apsw", "dramatiq.cli", "peewee", "pika", "psycopg2", "pydantic_settings", "rich.live", "rich.panel",
    "rich.progress", "rich.table", "typer.rich_utils", "growbin_jobs.alerting", "growbin_jobs.observation",
    "growbin_jobs.wiring", "growbin_jobs.engine.engine", "growbin_jobs.engine.opening",
    "growbin_jobs.adapters.probing.probe", "growbin_jobs.engine.keeper.service", "growbin_jobs.limits.paid_calls",
    "growbin_jobs.metrics.pipeline", "growbin_jobs.platform.health.models", "growbin_jobs.platform.retention.cleanup",
    "growbin_jobs.platform.statistics.aggregation", "growbin_jobs.scheduler.exporter", "growbin_jobs.scheduler.service",
)  # fmt: skip

#: Among what is to be loaded: gevent patches everything first.
GREENLETS = "--greenlets"

#: Never loaded here: they read the settings, or the terminal.
ANEW = ("growbin_jobs.app", "growbin_jobs.cli")


def serve(requests: socket.socket) -> dict:
    """Fork for each request; returns it in the command, and ends the process at the last.

    The command has its arguments, its environment and its streams then.
    """
    set_signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for pytest, which ends us
    set_signal(signal.SIGCHLD, signal.SIG_IGN)  # who waits for a command ends unseen
    while True:
        packet, files, _, _ = socket.recv_fds(requests, 1 << 20, 4)
        if not packet:
            os._exit(0)
        if fork() == 0 and _is_command(files[3], files[:3]):
            requests.close()
            request = json.loads(packet)
            _become(request, files)
            return request
        for file in files:
            os.close(file)


def _is_command(answers: int, streams: list[int]) -> bool:
    """Fork once more; True in the command. The other one tells how it ends, and ends with it."""
    set_signal(signal.SIGCHLD, signal.SIG_DFL)
    command = fork()
    if command == 0:
        _leave_no_hub()
        return True
    # It may outlive this run, with what it waits for, and keeps nothing open that somebody reads to the end.
    for file in (0, 1, 2, *streams):
        os.close(file)
    os.write(answers, command.to_bytes(8, "little"))
    _, status = waitpid(command, 0)
    os.write(answers, os.waitstatus_to_exitcode(status).to_bytes(8, "little", signed=True))
    os._exit(0)


def _become(request: dict, files: list[int]) -> None:
    """Be as if the interpreter had just been started for a command."""
    if request["session"]:
        os.setsid()
    set_signal(signal.SIGINT, signal.default_int_handler)
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    os.closerange(3, 1 + max(files))
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    tempfile.tempdir = None
    random.seed()  # else all draw the same
    sys.argv = request["argv"]
    sys.orig_argv = request["command"]
    sys.path[0] = ""
    sys.stdin = sys.__stdin__ = _stream(0, "r", sys.stdin)
    sys.stdout = sys.__stdout__ = _stream(1, "w", sys.stdout)
    sys.stderr = sys.__stderr__ = _stream(2, "w", sys.stderr)


def _stream(number: int, mode: str, like: io.TextIOWrapper) -> io.TextIOWrapper:
    """Return what the interpreter makes of a standard stream at its start."""
    unbuffered = like.write_through and mode == "w"
    lines = not unbuffered and (number == 2 or os.isatty(number))
    buffer = open(number, f"{mode}b", buffering=0 if unbuffered else -1, closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(buffer, like.encoding, like.errors, "\n", line_buffering=lines, write_through=unbuffered)


def run(request: dict) -> object:
    """Run what an interpreter with these words would run; returns the exit code."""
    if keepers:
        sys.modules["forked_keeper"].install()
    if request["module"] is not None:
        return importlib.import_module(request["module"]).main()
    kind = request["argv"][0]
    if kind == "-m":
        sys.argv = request["argv"][1:]
        sys.path[0] = os.getcwd()
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv = ["-c", *request["argv"][2:]]
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(request["argv"][1], "<string>", "exec"), vars(main))
    else:
        sys.path[0] = str(Path(kind).parent)
        runpy.run_path(kind, run_name="__main__")
    return None


def _leave_no_hub() -> None:
    """End gevent's hub where an import or a fork has made it. Nothing has waited in it."""
    if "gevent.monkey" in sys.modules:
        sys.modules["gevent"].get_hub().destroy(destroy_loop=True)


def _loaded() -> list:
    """Return the modules from files, never to be freed: in a cycle that nobody looks at once it is frozen."""
    kept: list = [(name, module) for name, module in sys.modules.items() if hasattr(module, "__file__")]
    kept.append((None, kept))
    return kept


def _keep(loaded: list) -> None:
    """Leave what was loaded here as it is. To take it apart at its end costs a command more than all else it does."""
    for name, _ in loaded:
        sys.modules.pop(name, None)


if __name__ == "__main__":
    requests, keepers = socket.socket(fileno=int(sys.argv[1])), ["forked_keeper"]
    if GREENLETS in sys.argv:
        from growbin_jobs.engine.greenlet_patches import patch_all

        sys.argv.remove(GREENLETS)
        patch_all()
        keepers = []  # theirs run in threads
    for module in (*LOADED, *keepers, *sys.argv[3:]):
        importlib.import_module(module)
    _leave_no_hub()
    assert not set(ANEW) & set(sys.modules)
    assert threading.active_count() == len(os.listdir("/proc/self/task")) == 1
    atexit.register(_keep, _loaded())
    gc.freeze()
    sys.exit(run(serve(requests)))
