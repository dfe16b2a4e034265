"""Processes that have lost their parents and become children of this one: nobody else waits for their ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable, Collection

#: From ``linux/prctl.h``.
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> bool:
    """Have processes become children of this one that lose their parents below it (Linux); return whether they do."""
    return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1) == 0)


def reap_orphans(ours: Callable[[], Collection[int]]) -> None:
    """Wait for those that have ended.

    Parameters:
      ours: Returns the children that somebody else here waits for, also one that has just begun.
    """
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid in ours():
                return
            os.waitpid(ended.si_pid, 0)
