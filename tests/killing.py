"""Runs a call in a child that kills itself at a named point: a real ``kill -9``, on both databases, in milliseconds."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable

from growbin_jobs.engine.crashpoints import arm


def killed_at(point: str, call: Callable[[], object]) -> None:
    """Run a call in a forked child, which must die at a point of :mod:`growbin_jobs.engine.crashpoints`."""
    child = os.fork()
    if child == 0:
        try:
            arm(point)
            call()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(3)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"{point} was not passed (exit code {os.waitstatus_to_exitcode(status)})"
    assert os.WTERMSIG(status) == signal.SIGKILL
