"""Growbin's groups under one supervisor with one keeper, as ``growbin-jobs up`` has both of them, in a test's numbers.

``growbin-jobs worker`` has a supervisor and a keeper for each group; to start those takes as long as a group's workers.

The supervisor goes on in this process, which was forked from one that has loaded the libraries, and its loader is
forked from it. Two interpreters that start, of which one imports the engine, compute longer than most tests' workers.
They start as they do for users in the tests of ``worker``, ``up`` and ``demo``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

from growbin_jobs.cli import supervised
from growbin_jobs.engine.greenlet_patches import GEVENT
from growbin_jobs.engine.supervision import forking, loader
from growbin_jobs.names import GROUPS


def main() -> None:
    """Be the supervisor."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, help="of each group")
    parser.add_argument("--threads", type=int, help="of each process with threads")
    parser.add_argument("--greenlets", type=int, help="of each process with greenlets")
    parser.add_argument("--scheduler", action="store_true")
    parser.add_argument("--pool", help="of all groups; default: its own of each")
    parser.add_argument("groups", nargs="*", default=[*GROUPS], help="default: both")
    given = parser.parse_args()
    plan = os.memfd_create("plan")
    if os.fork() == 0:
        _write_plan(plan, given)
        os._exit(0)
    os.wait()
    forking.subprocess = SimpleNamespace(**vars(subprocess) | {"Popen": _start_loader})
    forking.LEAST = 1  # here it costs nothing
    sys.argv[1:] = [str(plan)]
    supervised.main()


def _write_plan(file: int, given: argparse.Namespace) -> None:
    """Make the plan, in a child: the supervisor, and what is forked from it, read no setting before they should."""
    from growbin_jobs import settings
    from growbin_jobs.cli.command_line import resized, scheduler_command
    from growbin_jobs.cli.workers import plan_of
    from growbin_jobs.engine.supervision.commands import KEEPER
    from growbin_jobs.wiring import engine_config

    groups = [
        resized(group, given.processes, given.greenlets if group.pool == "gevent" else given.threads)
        for group in (replace(GROUPS[name], pool=given.pool or GROUPS[name].pool) for name in given.groups)
    ]
    scheduler = scheduler_command() if given.scheduler else None
    plan = plan_of(engine_config(settings.load()), groups, own=True, scheduler=scheduler)
    keeper = plan.commands[KEEPER]
    keeper[keeper.index("--master") + 1] = str(os.getppid())
    # A single process with greenlets needs no interpreter of a loader beside its own.
    greenlets = plan.loaded_with_greenlets if given.processes and given.processes > 1 else []
    words = {
        "plan": asdict(plan) | {"loaded_with_greenlets": greenlets},
        "notice": None,
        "hangup_stops": True,
        "again": [],
    }
    os.write(file, json.dumps(words).encode())


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
