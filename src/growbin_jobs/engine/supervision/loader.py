"""``python -m growbin_jobs.engine.supervision.loader``: loads what processes need, and is forked for each of them.

What it has loaded lies in memory once for all of them, and none takes the time to load it: a worker process that died
is there again sooner. Its supervisor asks for a process by a socket (:mod:`growbin_jobs.engine.supervision.forking`)
and gets a child of its own, not the loader's: it is forked twice, and what is between ends at once. So nobody's
life depends on the loader's.

One for processes with greenlets has gevent patch the standard library before it loads anything. It waits for nothing in
gevent's way, and no hub is there at a fork: each forked process makes its own.

Only what is safe to be copied is copied: a loader that finds a thread or an open file in itself ends, and each process
is started for itself. So does one whose modules' files have changed: a process runs what is installed when it starts.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import socket
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from growbin_jobs.engine.greenlet_patches import GEVENT, patch_all
from growbin_jobs.engine.supervision.ready import naming
from growbin_jobs.engine.supervision.shown_command import show_command
from growbin_jobs.engine.supervision.tether import end_with
from growbin_jobs.engine.threads import gevent_active, native

#: Descriptors up to this one are every process's.
STANDARD = 2

#: Bytes of a request, at most.
MOST = 1 << 18


def main() -> None:
    """Serve until the supervisor is gone, and in each forked process run what was asked for."""
    gc.disable()  # what is imported stays; a collection would only leave gaps, in which processes write later
    if sys.argv[1] == GEVENT:
        del sys.argv[1]
        patch_all()
    descriptor, parent, modules, _room = sys.argv[1:]
    end_with(int(parent))
    if not os.path.exists("/proc/self/stat"):
        _give_up("no /proc")
    show_command(sys.orig_argv[:-2])  # who looks for a process by its module does not look for this one
    command = _serve(native("socket", "socket")(fileno=int(descriptor)), int(parent), modules.split(","))
    gc.enable()
    show_command(command)
    sys.orig_argv = command
    sys.argv = command[2:]
    runpy.run_module(command[2], run_name="__main__", alter_sys=True)


def _serve(channel: Any, parent: int, modules: Sequence[str]) -> list[str]:
    """Fork a process for each request. Returns its command, in each of these; ends the process itself."""
    _load(modules)
    if gevent_active():
        _leave_no_hub()
    if why := _why_not(channel):
        _give_up(why)
    loaded = _loaded_files()
    gc.freeze()
    while True:
        words, descriptors, _, _ = socket.recv_fds(channel, MOST, 1)
        if not words or _loaded_files(loaded) != loaded:
            os._exit(0)
        request = json.loads(words)
        if _fork(channel, parent, request["number"], descriptors):
            return naming(request["command"], descriptors)
        for each in descriptors:
            os.close(each)


def _fork(channel: Any, parent: int, number: int, kept: Sequence[int]) -> bool:
    """Fork a child of the supervisor. Returns True in it, once the supervisor can know of it.

    Parameters:
      channel: To the supervisor.
      parent: The supervisor.
      number: Of its request.
      kept: Descriptors that are the child's.
    """
    begun, begin = os.pipe()
    pid = _fork_twice()
    if pid == 0:
        os.setsid()
        os.close(begin)
        if not os.read(begun, 1):  # the loader has died meanwhile, and nobody knows this process
            os._exit(0)
        channel.detach()
        if gevent_active():
            _leave_no_hub()  # a hook of this fork may have made one, or of the fork before
        _close_all_but(kept)
        end_with(parent)
        return True
    os.close(begun)
    with contextlib.suppress(ConnectionError):  # the supervisor is gone, or what was forked
        channel.send(json.dumps({"number": number, "pid": max(pid, 0)}).encode())
        os.write(begin, b"!")
    os.close(begin)
    return False


def _fork_twice() -> int:
    """Fork a process that is no child of this one. Returns 0 in it, and here its number; -1 where there is none."""
    fork = native("os", "fork")  # gevent's own would make a hub here
    told, tell = os.pipe()
    between = -1
    with contextlib.suppress(OSError):
        between = fork()
    if between == 0:
        with contextlib.suppress(OSError):
            if (pid := fork()) == 0:
                os.close(tell)
                return 0
            os.write(tell, str(pid).encode())
        os._exit(0)
    os.close(tell)
    if between > 0:
        native("os", "waitpid")(between, 0)
    said = os.read(told, 32)
    os.close(told)
    return int(said or -1)


def _load(modules: Sequence[str]) -> None:
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception:  # noqa: S112 who needs it says so better
            continue


def _leave_no_hub() -> None:
    """End gevent's hub where an import has made it (urllib3 makes a socket) or a fork. Nothing has waited in it."""
    from gevent import get_hub

    get_hub().destroy(destroy_loop=True)


def _why_not(channel: Any) -> str:
    """Return what a forked process could not live with; empty where there is nothing."""
    threads = len(os.listdir("/proc/self/task")) - 1
    files = [each for each in _opened() if each > STANDARD and each != channel.fileno()]
    return ", ".join([*([f"{threads} threads"] if threads else []), *(f"open file {each}" for each in files)])


def _give_up(why: str) -> NoReturn:
    print(f"loader.unsafe each process loads for itself; found here: {why}", file=sys.stderr, flush=True)
    os._exit(1)


def _opened() -> list[int]:
    """Return the descriptors of this process."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one that the folder was read by is closed again
            os.fstat(int(name))
            found.append(int(name))
    return found


def _loaded_files(known: Iterable[str] = ()) -> dict[str, tuple[int, ...]]:
    """Return the state of each file that modules come from.

    Parameters:
      known: Paths of them; none: those of all modules of this process.
    """
    paths = known or {path for each in list(sys.modules.values()) if (path := getattr(each, "__file__", None))}
    return {path: _state(path) for path in paths}


def _state(path: str) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _close_all_but(kept: Sequence[int]) -> None:
    for each in _opened():
        if each > STANDARD and each not in kept:
            os.close(each)


if __name__ == "__main__":
    main()
