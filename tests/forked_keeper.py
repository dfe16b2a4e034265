"""Lets the keeper of a worker that was forked (``command_server.py``) go on in the process that dramatiq forks for it.

The product replaces that process with a fresh Python, which computes for a second before it serves: more than most
tests of a worker compute for all else. Here what an ``exec`` does is done by hand; the libraries are loaded already. A
fresh Python comes with each ``dramatiq-gevent``, with each keeper that a worker misses, and in ``test_candidate.py``.
"""

from __future__ import annotations

import logging
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import NoReturn

from growbin_jobs.engine.node import candidate
from growbin_jobs.engine.node.keeper_command import keeper_command
from growbin_jobs.engine.supervision.shown_command import show_command


def install() -> None:
    """Have candidates of this process's children go on where they are."""
    candidate.become_keeper = _go_on_as_keeper


def _go_on_as_keeper(source: str, folder: Path) -> NoReturn:
    command = keeper_command(source, folder, os.getppid(), log_file=candidate.log_file())
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    # What dramatiq has changed: all that is said goes into a pipe of its own.
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    logging.root.handlers.clear()
    logging.getLogger("pika").setLevel(logging.NOTSET)
    # Nothing here is closed once more under its number: what holds it is in frames that never return.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    show_command(command)
    sys.orig_argv = command
    sys.argv = command[2:]
    sys.path[0] = os.getcwd()
    runpy.run_module(command[2], run_name="__main__", alter_sys=True)
    os._exit(70)  # it ends itself
