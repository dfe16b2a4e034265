"""Lets the supervisor of a process that was forked (``command_server.py``) fork its loader, too.

The product starts an interpreter for it, which imports what this process has loaded already.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from growbin_jobs.engine.greenlet_patches import GEVENT
from growbin_jobs.engine.supervision import forking, loader


def install() -> None:
    """Have supervisors of this process fork their loaders."""
    forking.subprocess = SimpleNamespace(**vars(subprocess) | {"Popen": _start_loader})
    forking.LEAST = 1  # here it costs nothing


def _start_loader(command: Sequence[str], **given: Any) -> Any:
    """Fork a loader of this process, or start one in which gevent patches the standard library before all else."""
    return (subprocess.Popen if GEVENT in command else _Loader)(command, **given)


class _Loader(forking.ForkedProcess):
    """The loader, as far as the supervisor needs a :class:`subprocess.Popen`: a fork of this process."""

    def __init__(self, command: Sequence[str], *, stdout: int, pass_fds: Sequence[int], **_: Any) -> None:
        super().__init__()
        self.pid = os.fork()
        if self.pid == 0:
            _become(stdout, pass_fds)
            sys.orig_argv = list(command)
            sys.argv = sys.orig_argv[2:]
            _end_after(loader.main)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _become(output: int, kept: Sequence[int]) -> None:
    """Have what a process has that was executed."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for number in map(int, os.listdir("/proc/self/fd")):
        if number > 2 and number not in kept:
            os.closerange(number, number + 1)


def _end_after(run: Any) -> None:
    """End this process: nothing of who has forked it is taken apart."""
    code: Any = 1
    try:
        run()
        code = 0
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
